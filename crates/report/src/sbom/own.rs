//! Our own JSON report, read back.

use std::fmt::Display;
use std::str::FromStr;

use serde::Deserialize;

use pratique_model::{DiffId, Distro, IndexReport, Package, Partial, SourcePackage, Target};

use super::{CATALOGER, SbomError, sorted};

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
    let wire: WireReport = serde_json::from_slice(document).map_err(|error| {
        SbomError::Content { place: "report".to_owned(), problem: error.to_string() }
    })?;
    let mut packages = Vec::with_capacity(wire.packages.len());
    for (index, package) in wire.packages.into_iter().enumerate() {
        packages.push(read_package(package, index)?);
    }
    let mut partial = Vec::with_capacity(wire.partial.len());
    for (index, one) in wire.partial.into_iter().enumerate() {
        let layer = read_text(one.layer, || format!("partial[{index}].layer"))?;
        partial.push(Partial { layer, path: one.path, problem: one.problem });
    }
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
        Err(error) => Err(SbomError::Content { place: place(), problem: error.to_string() }),
    }
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
    let ecosystem = package.kind.parse().map_err(|error| SbomError::Content {
        place: format!("packages[{index}].type"),
        problem: format!("{error}"),
    })?;
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
        layer: read_text(package.layer, || format!("packages[{index}].layer"))?,
        paths: package.paths,
        owned_by: package.owned_by,
        built_for: package.built_for,
        cataloger: CATALOGER,
    })
}
