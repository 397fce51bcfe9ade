//! An image's report as bytes: postcard, compressed.
//!
//! The reference is left out, so that the same image found under another name has the same report.
//! The first byte names the form; a form that is not known is an error, never a guess.

use serde::{Deserialize, Serialize};

use pratique_model::{
    DiffId, Digest, Distro, IndexReport, Package, Partial, Platform, SourcePackage, Target,
};

use crate::StoreError;

/// The form that is written.
const FORM: u8 = 1;

/// zstd's own default: reports shrink to a sixth or less, at some hundred MB a second.
const COMPRESSION_LEVEL: i32 = 3;

/// How large a report may be when it is read back, in bytes; the largest known images have reports
/// of a few megabytes.
const REPORT_BYTES_MAX: usize = 1 << 30;

#[derive(Serialize, Deserialize)]
struct Report {
    digest: Option<String>,
    image_id: Option<String>,
    platform: Option<String>,
    source: String,
    layers: Vec<String>,
    distro: Option<StoredDistro>,
    packages: Vec<StoredPackage>,
    partial: Vec<StoredPartial>,
}

#[derive(Serialize, Deserialize)]
struct StoredDistro {
    id: String,
    version: String,
    codename: Option<String>,
    name: String,
    id_like: Vec<String>,
    eol: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredPackage {
    ecosystem: String,
    name: String,
    version: String,
    arch: Option<String>,
    source: Option<(String, String)>,
    module: Option<String>,
    vendor: Option<String>,
    /// The place of the layer in the report's list, from 0.
    layer: Option<u32>,
    paths: Vec<String>,
    owned_by: Option<String>,
    built_for: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredPartial {
    layer: Option<String>,
    path: Option<String>,
    problem: String,
}

/// The bytes of a report before they are compressed; equal reports have equal bytes.
pub(crate) fn plain(report: &IndexReport) -> Vec<u8> {
    let target = &report.target;
    let wire = Report {
        digest: target.digest.as_ref().map(Digest::to_string),
        image_id: target.image_id.as_ref().map(Digest::to_string),
        platform: target.platform.as_ref().map(Platform::to_string),
        source: target.source.clone(),
        layers: target.layers.iter().map(DiffId::to_string).collect(),
        distro: report.distro.as_ref().map(distro_wire),
        packages: report.packages.iter().map(|package| package_wire(package, target)).collect(),
        partial: report.partial.iter().map(partial_wire).collect(),
    };
    let bytes = vec![FORM];
    postcard::to_extend(&wire, bytes).expect("values without maps or unknown lengths")
}

/// Compresses what [`plain`] gave.
pub(crate) fn compressed(plain: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(plain, COMPRESSION_LEVEL).expect("memory to memory, at a known level")
}

/// Reads a compressed report.
pub(crate) fn read(bytes: &[u8], reference: &str) -> Result<IndexReport, StoreError> {
    let damaged = || StoreError::damaged(format!("report of image {reference:?}"));
    let plain = zstd::bulk::Decompressor::upper_bound(bytes)
        .filter(|size| *size <= REPORT_BYTES_MAX)
        .and_then(|size| zstd::bulk::decompress(bytes, size).ok())
        .ok_or_else(damaged)?;
    let Some((&FORM, wire)) = plain.split_first() else { return Err(damaged()) };
    let wire: Report = postcard::from_bytes(wire).map_err(|_| damaged())?;
    report(wire, reference).ok_or_else(damaged)
}

fn report(wire: Report, reference: &str) -> Option<IndexReport> {
    let layers: Vec<DiffId> = parsed(&wire.layers)?;
    let packages = wire.packages.into_iter().map(|wire| package(wire, &layers));
    let partial = wire.partial.into_iter().map(partial);
    Some(IndexReport {
        packages: packages.collect::<Option<_>>()?,
        partial: partial.collect::<Option<_>>()?,
        distro: optional(wire.distro, distro)?,
        target: Target {
            reference: reference.to_owned(),
            digest: optional(wire.digest, |text| text.parse().ok())?,
            image_id: optional(wire.image_id, |text| text.parse().ok())?,
            platform: optional(wire.platform, |text| text.parse().ok())?,
            source: wire.source,
            layers,
        },
    })
}

/// The outer `None`: there is a value, and it cannot be read.
fn optional<W, T>(wire: Option<W>, read: impl FnOnce(W) -> Option<T>) -> Option<Option<T>> {
    match wire {
        Some(wire) => read(wire).map(Some),
        None => Some(None),
    }
}

fn parsed(texts: &[String]) -> Option<Vec<DiffId>> {
    texts.iter().map(|text| text.parse().ok()).collect()
}

fn distro_wire(distro: &Distro) -> StoredDistro {
    StoredDistro {
        id: distro.id.clone(),
        version: distro.version.clone(),
        codename: distro.codename.clone(),
        name: distro.name.clone(),
        id_like: distro.id_like.clone(),
        eol: distro.eol.map(|eol| eol.to_string()),
    }
}

fn distro(wire: StoredDistro) -> Option<Distro> {
    Some(Distro {
        id: wire.id,
        version: wire.version,
        codename: wire.codename,
        name: wire.name,
        id_like: wire.id_like,
        eol: optional(wire.eol, |text| text.parse().ok())?,
    })
}

fn package_wire(package: &Package, target: &Target) -> StoredPackage {
    let place = |layer: &DiffId| target.layers.iter().position(|one| one == layer);
    let source = package.source.as_ref();
    StoredPackage {
        ecosystem: package.ecosystem.as_str().to_owned(),
        name: package.name.clone(),
        version: package.version.clone(),
        arch: package.arch.clone(),
        source: source.map(|source| (source.name.clone(), source.version.clone())),
        module: package.module.clone(),
        vendor: package.vendor.clone(),
        layer: package.layer.as_ref().and_then(place).and_then(|place| place.try_into().ok()),
        paths: package.paths.clone(),
        owned_by: package.owned_by.clone(),
        built_for: package.built_for.clone(),
    }
}

fn package(wire: StoredPackage, layers: &[DiffId]) -> Option<Package> {
    Some(Package {
        ecosystem: wire.ecosystem.parse().ok()?,
        name: wire.name,
        version: wire.version,
        arch: wire.arch,
        source: wire.source.map(|(name, version)| SourcePackage { name, version }),
        module: wire.module,
        vendor: wire.vendor,
        layer: optional(wire.layer, |place| layers.get(usize::try_from(place).ok()?).copied())?,
        paths: wire.paths,
        owned_by: wire.owned_by,
        built_for: wire.built_for,
        cataloger: "store",
    })
}

fn partial_wire(partial: &Partial) -> StoredPartial {
    StoredPartial {
        layer: partial.layer.as_ref().map(DiffId::to_string),
        path: partial.path.clone(),
        problem: partial.problem.clone(),
    }
}

fn partial(wire: StoredPartial) -> Option<Partial> {
    let layer = optional(wire.layer, |text| text.parse().ok())?;
    Some(Partial { layer, path: wire.path, problem: wire.problem })
}
