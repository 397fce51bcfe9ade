//! dpkg's database: Debian, Ubuntu and kin, and the split form of distroless images.
//!
//! `var/lib/dpkg/status` has a stanza for every package that dpkg remembers, installed or not;
//! `status.d` has one file per package and no dpkg to keep a state. What counts as a package is
//! what has files on the disk, as the third word of `Status` tells. The texts are given as
//! `dpkg-query` prints them: names in lower case, no epoch of zero.

use pratique_model::Ecosystem;

use crate::cataloger::{
    CatalogError, Cataloger, Content, Evidence, FileInfo, Found, PACKAGES_MAX, path_hash,
};

/// A `status` of all of Debian's 60,000 packages has less than 100 MB.
const STATUS_BYTES_MAX: u64 = 256 << 20;

/// The longest file list in Debian (a kernel's headers or documentation) has less than 20 MB.
const LIST_BYTES_MAX: u64 = 64 << 20;

/// Reads dpkg's database.
pub(crate) struct Dpkg;

/// What a file of the database is.
enum Part<'a> {
    /// All packages with their states.
    Status,
    /// One or more packages that are installed.
    StatusOfOne,
    /// The paths of the package named.
    List(&'a str),
    /// The checksums and paths of the package named.
    Checksums(&'a str),
}

impl Cataloger for Dpkg {
    fn name(&self) -> &'static str {
        "dpkg"
    }

    fn version(&self) -> u32 {
        2
    }

    fn evidence(&self) -> &'static [&'static str] {
        &[
            "var/lib/dpkg/status",
            "var/lib/dpkg/status.d/*",
            "var/lib/dpkg/info/*.list",
            "var/lib/dpkg/info/*.md5sums",
            "var/lib/dpkg/status.d/*.md5sums",
        ]
    }

    fn wants(&self, file: &FileInfo<'_>) -> bool {
        part(file.path).is_some()
    }

    fn catalog(
        &self,
        file: &FileInfo<'_>,
        content: Content<'_>,
        found: &mut Found,
    ) -> Result<(), CatalogError> {
        match part(file.path) {
            Some(Part::Status) => {
                stanzas(&content.bytes(STATUS_BYTES_MAX)?, Stateless::IfAllAre, found);
            }
            Some(Part::StatusOfOne) => {
                stanzas(&content.bytes(STATUS_BYTES_MAX)?, Stateless::Installed, found);
            }
            Some(Part::List(package)) => {
                let bytes = content.bytes(LIST_BYTES_MAX)?;
                own(package, lines(&bytes), found);
            }
            Some(Part::Checksums(package)) => {
                let bytes = content.bytes(LIST_BYTES_MAX)?;
                // 32 hexadecimal digits, two blanks, the path.
                own(package, lines(&bytes).filter_map(|line| line.get(34..)), found);
            }
            None => {}
        }
        Ok(())
    }
}

fn part(path: &str) -> Option<Part<'_>> {
    let path = path.strip_prefix("var/lib/dpkg/")?;
    if path == "status" {
        return Some(Part::Status);
    }
    let (folder, name) = path.split_once('/')?;
    if name.is_empty() || name.contains('/') {
        return None;
    }
    // A package that several architectures may install at once has its own in the file's name.
    let package = |stem: &'_ str| stem.split(':').next().map_or(0, str::len);
    match (folder, name.rsplit_once('.')) {
        ("status.d" | "info", Some((stem, "md5sums"))) => {
            Some(Part::Checksums(&stem[..package(stem)]))
        }
        ("info", Some((stem, "list"))) => Some(Part::List(&stem[..package(stem)])),
        ("status.d", _) => Some(Part::StatusOfOne),
        _ => None,
    }
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

fn own<'a>(package: &str, paths: impl Iterator<Item = &'a [u8]>, found: &mut Found) {
    let files =
        paths.filter(|path| !path.is_empty()).map(|path| path_hash(&String::from_utf8_lossy(path)));
    found.own(&package.to_ascii_lowercase(), files);
}

/// The fields of a stanza that matter; a field given twice keeps its first value, where dpkg would
/// refuse the whole file.
#[derive(Default)]
struct Stanza {
    package: Option<String>,
    version: Option<String>,
    architecture: Option<String>,
    source: Option<String>,
    status: Option<String>,
    has_fields: bool,
}

/// What a stanza without `Status` says of its package.
#[derive(Clone, Copy)]
enum Stateless {
    /// It is installed: `status.d` has no states.
    Installed,
    /// It is installed if no stanza of the file has a state. dpkg itself always writes one, and
    /// takes a package without as not installed; Ubuntu's chiselled images have a file of bare
    /// control stanzas (`chisel-wrapper`), on which dpkg never ran.
    IfAllAre,
}

/// Reads stanzas separated by empty lines.
fn stanzas(bytes: &[u8], stateless: Stateless, found: &mut Found) {
    let mut waiting = Vec::new();
    let mut has_states = false;
    let mut stanza = Stanza::default();
    // An empty line at the end finishes the last stanza.
    for line in lines(bytes).chain([&b""[..]]) {
        match line.first() {
            None => {
                let done = std::mem::take(&mut stanza);
                has_states |= done.status.is_some();
                match (&done.status, stateless) {
                    (None, Stateless::IfAllAre) if !done.has_fields => {}
                    (None, Stateless::IfAllAre) if waiting.len() <= PACKAGES_MAX => {
                        waiting.push(done);
                    }
                    (None, Stateless::IfAllAre) => {}
                    _ => done.finish(found),
                }
            }
            // The next line of a field of several lines; none of ours has several.
            Some(b' ' | b'\t') => {}
            Some(_) => stanza.add(line),
        }
    }
    if !has_states {
        waiting.into_iter().for_each(|stanza| stanza.finish(found));
    }
}

impl Stanza {
    fn add(&mut self, line: &[u8]) {
        self.has_fields = true;
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return;
        };
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        let field = match name.len() {
            7 if name.eq_ignore_ascii_case(b"package") => &mut self.package,
            7 if name.eq_ignore_ascii_case(b"version") => &mut self.version,
            12 if name.eq_ignore_ascii_case(b"architecture") => &mut self.architecture,
            6 if name.eq_ignore_ascii_case(b"source") => &mut self.source,
            6 if name.eq_ignore_ascii_case(b"status") => &mut self.status,
            _ => return,
        };
        let value = String::from_utf8_lossy(value);
        let value = value.trim();
        if field.is_none() && !value.is_empty() {
            *field = Some(value.to_owned());
        }
    }

    /// Adds the package, if it is one; without `Status` it is.
    fn finish(self, found: &mut Found) {
        if !self.has_fields {
            return;
        }
        let Some(package) = self.package else {
            found.problem("a stanza has no `Package`");
            return;
        };
        let state = self.status.as_deref().map(|status| status.split_whitespace().nth(2));
        if !state.is_none_or(|state| state.is_some_and(is_on_disk)) {
            return;
        }
        let Some(version) = self.version.as_deref().map(printed_version) else {
            found.problem(format!("package {package:?} has no `Version`"));
            return;
        };
        let name = package.to_ascii_lowercase();
        let source = self.source.as_deref().unwrap_or(&name);
        let (source_name, source_version) = match source.split_once('(') {
            Some((name, rest)) => (name.trim(), rest.trim_end_matches(')').trim()),
            None => (source, ""),
        };
        let source_version = match source_version {
            "" => version.clone(),
            given => printed_version(given),
        };
        let mut evidence = Evidence::new(Ecosystem::Deb, name.clone(), version);
        evidence.source = Some((source_name.to_owned(), source_version));
        evidence.arch = self.architecture;
        found.push(evidence);
    }
}

/// Whether a package in this state has files on the disk (dpkg(1), "Package states"). It may be
/// marked for removal (`deinstall ok installed`) or half way through its installation; after
/// removal its name stays with state `config-files` until it is purged.
fn is_on_disk(state: &str) -> bool {
    matches!(
        state,
        "installed"
            | "half-installed"
            | "half-configured"
            | "unpacked"
            | "triggers-awaited"
            | "triggers-pending"
    )
}

/// The version as dpkg prints it: the epoch is a number, and zero is left out.
fn printed_version(text: &str) -> String {
    match text.split_once(':') {
        Some((epoch, rest)) => match epoch.parse::<u64>() {
            Ok(0) => rest.to_owned(),
            Ok(epoch) => format!("{epoch}:{rest}"),
            Err(_) => text.to_owned(),
        },
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
