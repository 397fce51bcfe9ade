//! Runs a cataloger over one file in memory, for the tests of catalogers.

use std::io::Cursor;

use super::{Cataloger, Content, FileInfo, Found};

/// What `cataloger` finds in a file; an error becomes its last problem, as in a scan.
#[track_caller]
pub(crate) fn catalog(cataloger: &dyn Cataloger, path: &str, bytes: &[u8]) -> Found {
    let file = FileInfo { path, size: bytes.len() as u64, mode: 0o644 };
    assert!(cataloger.wants(&file), "{path} is not wanted");
    let mut found = Found::default();
    let mut source = Cursor::new(bytes);
    if let Err(error) = cataloger.catalog(&file, Content::new(file.size, &mut source), &mut found) {
        found.problem(error.to_string());
    }
    found
}

/// The packages, one line each: type, name, version, and `-` or the text of architecture, source
/// name and source version.
pub(crate) fn packages(found: &Found) -> Vec<String> {
    let line = |evidence: &super::Evidence| {
        let (source, source_version) =
            evidence.source.clone().unwrap_or_else(|| ("-".to_owned(), "-".to_owned()));
        format!(
            "{} {} {} {} {source} {source_version}",
            evidence.ecosystem,
            evidence.name,
            evidence.version,
            evidence.arch.as_deref().unwrap_or("-"),
        )
    };
    found.packages.iter().map(line).collect()
}
