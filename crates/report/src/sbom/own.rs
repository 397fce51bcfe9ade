//! Our own JSON report, read back: the inventory alone, since what was found wrong with it is to be
//! judged anew.
//!
//! Fields that a later version 1 added are passed over; those of the inventory must be what they
//! were written from, or the document is refused with the place named. What the program never
//! writes, an empty name or a text without end, is refused too: whoever keeps inventories indexes
//! these texts.

use std::fmt::Display;
use std::str::FromStr;

use serde::Deserialize;

use pratique_model::{DiffId, Distro, IndexReport, Package, Partial, SourcePackage, Target};

use super::{CATALOGER, SbomError, sorted};

/// How long a name or version may be, in bytes: the longest that a scan makes is the path of an
/// archive's member, which zip limits to this.
const TEXT_BYTES_MAX: usize = u16::MAX as usize;

/// How many packages an image may have; five times what one layer may bring.
const PACKAGES_MAX: usize = 1_000_000;

#[derive(Deserialize)]
struct WireReport {
    target: WireTarget,
    distro: WireDistro,
    packages: Vec<WirePackage>,
    #[serde(default)]
    partial: Vec<WirePartial>,
}

#[derive(Deserialize)]
struct WireTarget {
    reference: String,
    digest: Option<String>,
    platform: Option<String>,
    source: String,
    #[serde(default)]
    image_id: Option<String>,
    #[serde(default)]
    layers: Vec<String>,
}

#[derive(Deserialize)]
struct WireDistro {
    id: Option<String>,
    version: Option<String>,
    codename: Option<String>,
    eol: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    id_like: Vec<String>,
}

#[derive(Deserialize)]
struct WirePackage {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    version: String,
    arch: Option<String>,
    source: WireSource,
    layer: Option<String>,
    paths: Vec<String>,
    owned_by: Option<String>,
    #[serde(default)]
    module: Option<String>,
    #[serde(default)]
    vendor: Option<String>,
    #[serde(default)]
    built_for: Option<String>,
}

#[derive(Deserialize)]
struct WireSource {
    name: Option<String>,
    version: Option<String>,
}

#[derive(Deserialize)]
struct WirePartial {
    layer: Option<String>,
    path: Option<String>,
    problem: String,
}

/// Reads a document whose schema is known to be ours.
pub(super) fn parse(document: &[u8]) -> Result<IndexReport, SbomError> {
    let wire: WireReport =
        serde_json::from_slice(document).map_err(|error| content("report", error.to_string()))?;
    if wire.packages.len() > PACKAGES_MAX {
        let count = wire.packages.len();
        return Err(content("packages", format!("{count}, more than {PACKAGES_MAX}")));
    }
    let mut packages = Vec::with_capacity(wire.packages.len());
    for (index, package) in wire.packages.into_iter().enumerate() {
        packages.push(read_package(package, index)?);
    }
    let mut partial = Vec::with_capacity(wire.partial.len());
    for (index, one) in wire.partial.into_iter().enumerate() {
        let layer = read_text(one.layer, || format!("partial[{index}].layer"))?;
        partial.push(Partial { layer, path: one.path, problem: one.problem });
    }
    partial.sort();
    Ok(IndexReport {
        target: read_target(wire.target)?,
        distro: read_distro(wire.distro)?,
        packages: sorted(packages),
        partial,
    })
}

/// Parses a text of the document, if there is one.
fn read_text<T>(text: Option<String>, place: impl Fn() -> String) -> Result<Option<T>, SbomError>
where
    T: FromStr,
    T::Err: Display,
{
    match text.map(|text| text.parse::<T>()).transpose() {
        Ok(parsed) => Ok(parsed),
        Err(error) => Err(content(place(), error.to_string())),
    }
}

fn content(place: impl Into<String>, problem: String) -> SbomError {
    SbomError::Content { place: place.into(), problem }
}

/// Refuses a name or version that cannot be one.
fn check_text(text: &str, place: impl Fn() -> String) -> Result<(), SbomError> {
    if text.len() > TEXT_BYTES_MAX {
        let length = text.len();
        return Err(content(place(), format!("{length} bytes, more than {TEXT_BYTES_MAX}")));
    }
    Ok(())
}

fn read_target(target: WireTarget) -> Result<Target, SbomError> {
    let mut layers = Vec::with_capacity(target.layers.len());
    for (index, layer) in target.layers.into_iter().enumerate() {
        let layer: Option<DiffId> = read_text(Some(layer), || format!("target.layers[{index}]"))?;
        layers.extend(layer);
    }
    Ok(Target {
        reference: target.reference,
        digest: read_text(target.digest, || "target.digest".to_owned())?,
        image_id: read_text(target.image_id, || "target.image_id".to_owned())?,
        platform: read_text(target.platform, || "target.platform".to_owned())?,
        source: target.source,
        layers,
    })
}

/// An object whose id is null stands for "no distribution".
fn read_distro(distro: WireDistro) -> Result<Option<Distro>, SbomError> {
    let Some(id) = distro.id else { return Ok(None) };
    Ok(Some(Distro {
        id,
        version: distro.version.unwrap_or_default(),
        codename: distro.codename,
        name: distro.name.unwrap_or_default(),
        id_like: distro.id_like,
        eol: read_text(distro.eol, || "distro.eol".to_owned())?,
    }))
}

fn read_package(package: WirePackage, index: usize) -> Result<Package, SbomError> {
    let place = |field: &str| format!("packages[{index}].{field}");
    let ecosystem = package.kind.parse().map_err(|error: pratique_model::UnknownEcosystem| {
        content(place("type"), error.to_string())
    })?;
    if package.name.is_empty() {
        return Err(content(place("name"), "it is empty".to_owned()));
    }
    check_text(&package.name, || place("name"))?;
    check_text(&package.version, || place("version"))?;
    for text in [&package.source.name, &package.source.version].into_iter().flatten() {
        check_text(text, || place("source"))?;
    }
    let source = match (package.source.name, package.source.version) {
        (Some(name), version) => {
            let version = version.unwrap_or_else(|| package.version.clone());
            Some(SourcePackage { name, version })
        }
        (None, _) => None,
    };
    Ok(Package {
        ecosystem,
        name: package.name,
        version: package.version,
        arch: package.arch,
        source,
        module: package.module,
        vendor: package.vendor,
        layer: read_text(package.layer, || place("layer"))?,
        paths: package.paths,
        owned_by: package.owned_by,
        built_for: package.built_for,
        cataloger: CATALOGER,
    })
}
