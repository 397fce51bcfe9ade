//! Reads inventories that others (or we) made: our own JSON report and CycloneDX JSON.
//!
//! What an SBOM does not say is not guessed, with one exception: a distribution that is named only
//! in package URLs is taken from there. Components of a type that we cannot match are kept as
//! `generic` packages, so that they are counted as not assessed and never taken for clean.

mod cyclonedx;
mod own;
mod purl;

use pratique_model::{Distro, IndexReport, Package};
use serde::Deserialize;

use crate::json::SCHEMA;

/// How large a document may be, in bytes: an image with 100,000 packages has one of about 100 MB.
/// Whoever reads the file keeps to it; parsing takes some three times as much memory.
pub const SBOM_BYTES_MAX: u64 = 256 << 20;

/// What stands for the cataloger of packages that were read from an SBOM.
const CATALOGER: &str = "sbom";

/// What stands for the path of a package whose SBOM names none.
const NO_PATH: &str = "/";

/// The start of the name of our own schema, without its version.
const OWN_SCHEMA: &str = "pratique.report/";

/// Why a document is not an inventory that we can read.
#[derive(Debug, thiserror::Error)]
pub enum SbomError {
    /// It is not JSON.
    #[error("the document is not JSON, or is cut off")]
    Json(
        /// Where and why.
        #[source]
        serde_json::Error,
    ),
    /// It is JSON of a form that we do not know.
    #[error("the document is {found}; expected {SCHEMA} or CycloneDX JSON 1.4 to 1.6")]
    UnknownForm {
        /// What it seems to be.
        found: String,
    },
    /// It has the right form, and something in it is not what it must be.
    #[error("{place}: {problem}")]
    Content {
        /// Where, `packages[3].purl`.
        place: String,
        /// What is wrong.
        problem: String,
    },
}

/// The fields by which the known forms are told apart.
#[derive(Deserialize)]
struct Head {
    schema: Option<serde_json::Value>,
    #[serde(rename = "bomFormat")]
    bom_format: Option<serde_json::Value>,
    #[serde(rename = "specVersion")]
    spec_version: Option<serde_json::Value>,
    #[serde(rename = "spdxVersion")]
    spdx_version: Option<serde_json::Value>,
}

/// Reads an inventory in any of the forms that we know. `name` becomes the target's reference
/// where the document does not name one.
///
/// The end of the distribution's support is not in an SBOM of others; the caller knows it.
///
/// # Errors
/// [`SbomError`]; trying again does not help.
pub fn parse_sbom(document: &[u8], name: &str) -> Result<IndexReport, SbomError> {
    let document = document.strip_prefix(b"\xef\xbb\xbf").unwrap_or(document);
    let head: Head = serde_json::from_slice(document).map_err(SbomError::Json)?;
    let text = |value: &Option<serde_json::Value>| -> Option<String> {
        value.as_ref().and_then(|value| value.as_str().map(str::to_owned))
    };
    if let Some(schema) = text(&head.schema).filter(|schema| schema.starts_with(OWN_SCHEMA)) {
        return match &*schema {
            SCHEMA => own::parse(document),
            other => Err(SbomError::UnknownForm { found: other.to_owned() }),
        };
    }
    if text(&head.bom_format).as_deref() == Some("CycloneDX") {
        let version = text(&head.spec_version).unwrap_or_else(|| "without a version".to_owned());
        return match &*version {
            "1.4" | "1.5" | "1.6" => cyclonedx::parse(document, name),
            _ => Err(SbomError::UnknownForm { found: format!("CycloneDX {version}") }),
        };
    }
    let found = match (text(&head.spdx_version), text(&head.schema)) {
        (Some(version), _) => version,
        (None, Some(schema)) => format!("of schema {schema:.100}"),
        (None, None) => "JSON that names neither `schema` nor `bomFormat`".to_owned(),
    };
    Err(SbomError::UnknownForm { found })
}

/// Reads our own JSON report back; what was found wrong with the image is not read, because it is
/// to be judged anew.
///
/// # Errors
/// [`SbomError`], also for documents of another form.
pub fn parse_report(document: &[u8]) -> Result<IndexReport, SbomError> {
    let document = document.strip_prefix(b"\xef\xbb\xbf").unwrap_or(document);
    let head: Head = serde_json::from_slice(document).map_err(SbomError::Json)?;
    match head.schema.as_ref().and_then(serde_json::Value::as_str) {
        Some(SCHEMA) => own::parse(document),
        other => {
            let found = other.map_or_else(
                || "JSON without `schema`".to_owned(),
                |schema| format!("of schema {schema:.100}"),
            );
            Err(SbomError::UnknownForm { found })
        }
    }
}

/// The order of packages in an index report; packages that are the same in all respects are one.
fn sorted(mut packages: Vec<Package>) -> Vec<Package> {
    packages.sort_by(|a, b| {
        (a.ecosystem, &a.name, &a.version, &a.paths, &a.arch).cmp(&(
            b.ecosystem,
            &b.name,
            &b.version,
            &b.paths,
            &b.arch,
        ))
    });
    packages.dedup();
    packages
}

/// A distribution from its id and version alone.
fn distro(id: &str, version: &str) -> Distro {
    Distro {
        id: id.to_ascii_lowercase(),
        version: version.to_owned(),
        name: format!("{id} {version}").trim_end().to_owned(),
        ..Distro::default()
    }
}

#[cfg(test)]
mod tests;
