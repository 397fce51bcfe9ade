//! The manifests in Mariner's and Azure Linux's distroless images, which have no database.
//!
//! `container-manifest-2` is `rpm -qa` with ten columns: name, version-release, two times, vendor,
//! epoch or `(none)`, size, architecture, epoch as a number, source rpm. `container-manifest-1` has
//! a plain `name-version-release.arch` in each line; it is believed only where there is no other.

use pratique_model::Ecosystem;

use super::{printed_version, source};
use crate::cataloger::{CatalogError, Evidence, Found};

const COLUMNS: usize = 10;

/// Reads `container-manifest-2`. A line that does not fit is a problem of its own.
pub(super) fn read(bytes: &[u8], found: &mut Found) -> Result<(), CatalogError> {
    for (number, line) in lines(bytes)? {
        let columns: Vec<&str> = line.split('\t').collect();
        let evidence = if columns.len() < COLUMNS { None } else { of_columns(&columns) };
        match evidence {
            Some(evidence) => found.push(evidence),
            None => found.problem(format!("line {number} is no package: {line:?}")),
        }
    }
    Ok(())
}

/// Reads `container-manifest-1`.
pub(super) fn read_names(bytes: &[u8], found: &mut Found) -> Result<(), CatalogError> {
    for (number, line) in lines(bytes)? {
        let Some((rest, arch)) = line.rsplit_once('.') else {
            found.problem(format!("line {number} is no package: {line:?}"));
            continue;
        };
        let Some((name, version)) = source(0, rest) else {
            found.problem(format!("line {number} is no package: {line:?}"));
            continue;
        };
        let mut evidence = Evidence::new(Ecosystem::Rpm, name, version);
        evidence.arch = known(arch);
        found.push(evidence);
    }
    Ok(())
}

fn lines(bytes: &[u8]) -> Result<impl Iterator<Item = (usize, &str)>, CatalogError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| CatalogError::Malformed(format!("no text: {error}")))?;
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim_end()));
    Ok(lines.filter(|(_, line)| !line.is_empty()))
}

fn of_columns(columns: &[&str]) -> Option<Evidence> {
    let (version, release) = columns[1].split_once('-')?;
    let epoch = columns[8].parse().or_else(|_| columns[5].parse()).unwrap_or(0);
    let name = known(columns[0])?;
    let mut evidence =
        Evidence::new(Ecosystem::Rpm, name, printed_version(epoch, version, release));
    evidence.vendor = known(columns[4]);
    evidence.arch = known(columns[7]);
    evidence.source = known(columns[9]).and_then(|file| source(epoch, &file));
    Some(evidence)
}

/// A value, unless rpm says that there is none.
fn known(text: &str) -> Option<String> {
    (!matches!(text, "" | "(none)")).then(|| text.to_owned())
}
