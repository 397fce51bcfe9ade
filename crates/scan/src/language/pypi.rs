//! Reads what pip, setuptools and distributions leave beside installed Python packages.
//!
//! Four forms: `NAME-VERSION.dist-info/METADATA` (wheels), `….egg-info/PKG-INFO` (setuptools),
//! `….egg-info` as a plain file (distutils, Debian's `dist-packages`), and eggs, as folder or zip,
//! with `EGG-INFO/PKG-INFO`. All hold the same headers. Where these do not name the package, the
//! folder's name does. Copies that another package carries in its `_vendor` folder were not
//! installed and are not seen by `pip list`; they are no evidence.

use std::io::Read as _;

use pratique_model::Ecosystem;

use super::java::zip;
use super::{file_name, split_path};
use crate::cataloger::{CatalogError, Cataloger, Content, Evidence, FileInfo, Found};

/// How much of a metadata file is read. Name and version stand in the first lines of what every
/// tool writes; a description that comes before them may be long.
const HEADER_BYTES_MAX: u64 = 1 << 20;

/// How long a zipped egg may be; they hold one package's code and went out of use in 2020.
const EGG_BYTES_MAX: u64 = 32 << 20;

/// Finds Python packages.
pub(crate) struct Pypi;

impl Cataloger for Pypi {
    fn name(&self) -> &'static str {
        "pypi"
    }

    fn version(&self) -> u32 {
        1
    }

    fn evidence(&self) -> &'static [&'static str] {
        &[
            "**/*.dist-info/METADATA",
            "**/*.egg-info/PKG-INFO",
            "**/*.egg-info",
            "**/*.egg/EGG-INFO/PKG-INFO",
            "**/*.egg",
        ]
    }

    fn wants(&self, file: &FileInfo<'_>) -> bool {
        place_of(file.path).is_some()
    }

    fn catalog(
        &self,
        file: &FileInfo<'_>,
        mut content: Content<'_>,
        found: &mut Found,
    ) -> Result<(), CatalogError> {
        let Some(place) = place_of(file.path) else { return Ok(()) };
        let headers = match place {
            Place::Headers(_) => read_headers(&mut content)?,
            Place::Egg(_) => {
                let bytes = content.bytes(EGG_BYTES_MAX)?;
                match egg_headers(&bytes)? {
                    Some(bytes) => Headers::parse(&bytes),
                    // An egg link or another file of that name.
                    None => return Ok(()),
                }
            }
        };
        let (Place::Headers(stem) | Place::Egg(stem)) = place;
        let (name_in_path, version_in_path) = name_and_version(stem);
        let name = headers.name.or_else(|| name_in_path.map(str::to_owned));
        let version = headers.version.or_else(|| version_in_path.map(str::to_owned));
        match (name, version) {
            (Some(name), Some(version)) => {
                found.push(Evidence::new(Ecosystem::Pypi, name, version));
                Ok(())
            }
            (Some(_), None) => Err(CatalogError::Malformed("no version in it or its path".into())),
            (None, _) => Err(CatalogError::Malformed("no name in it or its path".into())),
        }
    }
}

/// What a path promises, each with the folder's or file's name without its ending.
#[derive(Debug, PartialEq, Eq)]
enum Place<'a> {
    /// A file of headers.
    Headers(&'a str),
    /// A zip with such a file in it.
    Egg(&'a str),
}

fn place_of(path: &str) -> Option<Place<'_>> {
    let (folder, name) = split_path(path);
    let place = match name {
        "METADATA" => Place::Headers(file_name(folder).strip_suffix(".dist-info")?),
        "PKG-INFO" => {
            let (above, inner) = split_path(folder);
            match inner {
                "EGG-INFO" => Place::Headers(file_name(above).strip_suffix(".egg")?),
                _ => Place::Headers(inner.strip_suffix(".egg-info")?),
            }
        }
        _ => match name.strip_suffix(".egg-info") {
            Some(stem) => Place::Headers(stem),
            None => Place::Egg(name.strip_suffix(".egg")?),
        },
    };
    (!folder.split('/').any(|segment| segment == "_vendor")).then_some(place)
}

/// `NAME-VERSION[-pyX.Y[-PLATFORM]]`; a dash inside a name is written `_`.
fn name_and_version(stem: &str) -> (Option<&str>, Option<&str>) {
    let mut parts = stem.split('-').filter(|part| !part.is_empty());
    let name = parts.next();
    let version =
        parts.next().filter(|part| part.starts_with(|first: char| first.is_ascii_digit()));
    (name, version)
}

/// Name and version as the headers have them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Headers {
    name: Option<String>,
    version: Option<String>,
}

impl Headers {
    /// Reads headers until both are known or the first empty line ends them. The first header of a
    /// name counts. Text that is not UTF-8 keeps its readable part.
    fn parse(bytes: &[u8]) -> Self {
        let mut headers = Self::default();
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        for line in bytes.split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            match line.first() {
                None => break,
                // The continuation of a longer header.
                Some(b' ' | b'\t') => continue,
                Some(_) => {}
            }
            let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
            let (key, value) = (&line[..colon], &line[colon + 1..]);
            let slot = if key.trim_ascii_end().eq_ignore_ascii_case(b"name") {
                &mut headers.name
            } else if key.trim_ascii_end().eq_ignore_ascii_case(b"version") {
                &mut headers.version
            } else {
                continue;
            };
            let value = String::from_utf8_lossy(value.trim_ascii());
            // distutils writes this word where `setup()` was given nothing.
            if slot.is_none() && !value.is_empty() && value != "UNKNOWN" {
                *slot = Some(value.into_owned());
            }
        }
        headers
    }

    fn is_complete(&self) -> bool {
        self.name.is_some() && self.version.is_some()
    }
}

/// Reads in growing steps, since most files are a page of headers and a book of description.
fn read_headers(content: &mut Content<'_>) -> Result<Headers, CatalogError> {
    let mut bytes = Vec::new();
    let mut step: u64 = 4 << 10;
    loop {
        let got = content.by_ref().take(step).read_to_end(&mut bytes)?;
        let is_end = (got as u64) < step || bytes.len() as u64 >= HEADER_BYTES_MAX;
        let whole_lines = match bytes.iter().rposition(|byte| *byte == b'\n') {
            Some(last) if !is_end => &bytes[..=last],
            None if !is_end => &[],
            _ => &bytes[..],
        };
        let headers = Headers::parse(whole_lines);
        if is_end || headers.is_complete() {
            return Ok(headers);
        }
        step = bytes.len() as u64;
    }
}

/// The headers of a zipped egg; `None` when it is no zip or has none.
fn egg_headers(bytes: &[u8]) -> Result<Option<Vec<u8>>, CatalogError> {
    let Ok(archive) = zip::Archive::parse(bytes) else { return Ok(None) };
    for entry in archive.entries() {
        let entry = entry.map_err(|error| CatalogError::Malformed(error.to_string()))?;
        if entry.name == b"EGG-INFO/PKG-INFO" {
            let limit = HEADER_BYTES_MAX;
            let bytes = archive
                .read(&entry, limit)
                .map_err(|error| CatalogError::Malformed(format!("EGG-INFO/PKG-INFO: {error}")))?;
            return Ok(Some(bytes.into_owned()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
