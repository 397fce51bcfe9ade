//! Finds the Maven packages of Java archives, in archives inside archives too.
//!
//! What an archive is made of is `archive`'s answer; its group, where the archive does not say,
//! `group`'s. Archives are read through `zip`, by their central directory and without unpacking
//! anything that does not name a package. A long archive is not held whole for that, see `keep`,
//! and only one at a time; longer ones than [`ARCHIVE_BYTES_MAX`] are named in the report and not
//! read.

mod archive;
mod file_name;
mod group;
mod keep;
mod manifest;
pub(super) mod zip;

use std::io::Read as _;
use std::sync::{Mutex, PoisonError};

use crate::cataloger::{CatalogError, Cataloger, Content, FileInfo, Found};

/// How long an archive may be that is read.
const ARCHIVE_BYTES_MAX: u64 = 256 << 20;

/// How long an archive may be that is taken into memory whole, and beside others. Most libraries
/// are shorter, applications longer.
const WHOLE_BYTES_MAX: u64 = 2 << 20;

/// Held by who reads an archive that is longer than [`WHOLE_BYTES_MAX`]: memory for one of them is
/// within what a scan may take, memory for one on each core is not.
static LONG_ARCHIVE: Mutex<()> = Mutex::new(());

/// Endings of files that are Java archives: plain, web, enterprise, resource adapter, portlet and
/// service archives, and the plugins of Jenkins, old and new.
const ENDINGS: [&[u8]; 8] =
    [b".jar", b".war", b".ear", b".par", b".rar", b".sar", b".jpi", b".hpi"];

/// Finds Maven packages.
pub(crate) struct Java;

impl Cataloger for Java {
    fn name(&self) -> &'static str {
        "java"
    }

    fn version(&self) -> u32 {
        2
    }

    fn evidence(&self) -> &'static [&'static str] {
        &[
            "**/*.{jar,war,ear,par,rar,sar,jpi,hpi}: META-INF/maven/GROUP/ARTIFACT/pom.properties",
            "**/*.{jar,war,…}: META-INF/MANIFEST.MF",
            "**/ARTIFACT-VERSION.{jar,war,…}",
            "**/*.{jar,war,…}: archives inside",
        ]
    }

    fn wants(&self, file: &FileInfo<'_>) -> bool {
        is_archive(file.path.as_bytes())
    }

    fn catalog(
        &self,
        file: &FileInfo<'_>,
        mut content: Content<'_>,
        found: &mut Found,
    ) -> Result<(), CatalogError> {
        let size = content.size();
        let is_long = (WHOLE_BYTES_MAX + 1..=ARCHIVE_BYTES_MAX).contains(&size);
        let _turn = is_long.then(|| LONG_ARCHIVE.lock().unwrap_or_else(PoisonError::into_inner));
        let bytes =
            if is_long { read_long(&mut content)? } else { content.bytes(ARCHIVE_BYTES_MAX)? };
        let name = super::file_name(file.path);
        // Roshal archives share an ending with resource adapters, and empty files stand in for
        // jars in many test suites: what is no zip at all is nothing wrong.
        if bytes.is_empty() || bytes.starts_with(b"Rar!") {
            return Ok(());
        }
        archive::Walk::new(found)
            .archive(&bytes, name, None, 1)
            .map_err(|error| CatalogError::Malformed(error.to_string()))
    }
}

/// Reads a long archive without what is not asked for.
fn read_long(content: &mut Content<'_>) -> Result<Vec<u8>, CatalogError> {
    let size = usize::try_from(content.size()).expect("a long archive has at most 256 MiB");
    let mut head = Vec::new();
    content.by_ref().take(4).read_to_end(&mut head)?;
    if head == b"Rar!" {
        return Ok(head);
    }
    Ok(keep::read_wanted(&mut (&head[..]).chain(content), size)?)
}

/// Whether a name ends as a Java archive does, in any case.
pub(super) fn is_archive(name: &[u8]) -> bool {
    let Some(at) = name.len().checked_sub(4) else { return false };
    ENDINGS.iter().any(|ending| name[at..].eq_ignore_ascii_case(ending))
}

/// The last segment of a path inside an archive.
fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}
