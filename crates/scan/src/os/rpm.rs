//! rpm's database in its three formats, and the manifests that stand in for it.
//!
//! All three hold the same thing: numbered headers, one for each installed package. The format's
//! module finds them (`sqlite`, `ndb`, `bdb`), [`header`] reads one. The files come from strangers,
//! so none of them is given to a database library: each format is read page by page, and no more
//! bytes of headers are taken out of a file than it has.
//!
//! `gpg-pubkey` entries are no software, but `rpm -qa` lists them, so they are listed too, without
//! a source package; no advisory names them.

mod bdb;
mod header;
mod manifest;
mod ndb;
mod sqlite;
pub(crate) mod write_ahead;

use pratique_model::Ecosystem;

use crate::cataloger::{CatalogError, Cataloger, Content, Evidence, FileInfo, Found};
use header::Header;

/// Databases are read whole, since their pages refer to each other in any order. A desktop with
/// 5,000 packages has about 300 MB.
const DATABASE_BYTES_MAX: u64 = 512 << 20;

/// A manifest has one short line for each package.
const MANIFEST_BYTES_MAX: u64 = 16 << 20;

/// Where rpm keeps its database: everywhere since ever; SUSE, Fedora 36 and later; ostree.
const FOLDERS: [&str; 3] = ["var/lib/rpm/", "usr/lib/sysimage/rpm/", "usr/share/rpm/"];

/// Reads rpm's database.
pub(crate) struct Rpm;

/// The forms in which packages are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Sqlite,
    Ndb,
    BerkeleyDb,
    Manifest,
    NamesOnly,
}

impl Cataloger for Rpm {
    fn name(&self) -> &'static str {
        "rpm"
    }

    fn version(&self) -> u32 {
        1
    }

    fn evidence(&self) -> &'static [&'static str] {
        &[
            "{var/lib,usr/lib/sysimage,usr/share}/rpm/rpmdb.sqlite",
            "{var/lib,usr/lib/sysimage,usr/share}/rpm/rpmdb.sqlite-wal",
            "{var/lib,usr/lib/sysimage,usr/share}/rpm/Packages.db",
            "{var/lib,usr/lib/sysimage,usr/share}/rpm/Packages",
            "var/lib/rpmmanifest/container-manifest-2",
            "var/lib/rpmmanifest/container-manifest-1",
        ]
    }

    fn wants(&self, file: &FileInfo<'_>) -> bool {
        format(file.path).is_some()
    }

    fn catalog(
        &self,
        file: &FileInfo<'_>,
        content: Content<'_>,
        found: &mut Found,
    ) -> Result<(), CatalogError> {
        let Some(format) = format(file.path) else {
            return Ok(());
        };
        let limit = match format {
            Format::Manifest | Format::NamesOnly => MANIFEST_BYTES_MAX,
            _ => DATABASE_BYTES_MAX,
        };
        let bytes = content.bytes(limit)?;
        if bytes.is_empty() {
            // A placeholder, made by tools that only look whether there is a database.
            return Ok(());
        }
        match format {
            Format::Sqlite => headers(|take| sqlite::read(&bytes, take), found),
            Format::Ndb => headers(|take| ndb::read(&bytes, take), found),
            Format::BerkeleyDb => headers(|take| bdb::read(&bytes, take), found),
            Format::Manifest => manifest::read(&bytes, found),
            Format::NamesOnly => manifest::read_names(&bytes, found),
        }
    }
}

fn format(path: &str) -> Option<Format> {
    match path {
        "var/lib/rpmmanifest/container-manifest-2" => return Some(Format::Manifest),
        "var/lib/rpmmanifest/container-manifest-1" => return Some(Format::NamesOnly),
        _ => {}
    }
    match FOLDERS.iter().find_map(|folder| path.strip_prefix(folder))? {
        "rpmdb.sqlite" => Some(Format::Sqlite),
        "Packages.db" => Some(Format::Ndb),
        "Packages" => Some(Format::BerkeleyDb),
        _ => None,
    }
}

/// Which of several records of the same packages in one folder is believed: the lowest. rpm leaves
/// the old file behind when it is told to change the format, and looks for them in this order
/// (`lib/rpmdb.c`); of the two manifests the second has more columns.
pub(crate) fn precedence(path: &str) -> Option<u8> {
    Some(match format(path)? {
        Format::Sqlite | Format::Manifest => 0,
        Format::Ndb | Format::NamesOnly => 1,
        Format::BerkeleyDb => 2,
    })
}

/// What a format's reader calls with each header that it finds.
type Take<'a> = dyn FnMut(&[u8]) + 'a;

fn headers(
    read: impl FnOnce(&mut Take<'_>) -> Result<(), String>,
    found: &mut Found,
) -> Result<(), CatalogError> {
    let mut take = |bytes: &[u8]| match Header::parse(bytes) {
        Ok(header) => add(&header, found),
        Err(problem) => found.problem(problem),
    };
    read(&mut take).map_err(CatalogError::Malformed)
}

fn add(header: &Header<'_>, found: &mut Found) {
    let (Some(name), Some(version), Some(release)) =
        (header.text(header::NAME), header.text(header::VERSION), header.text(header::RELEASE))
    else {
        found.problem("a header has no name, version or release");
        return;
    };
    let epoch = header.number(header::EPOCH).unwrap_or(0);
    let mut evidence =
        Evidence::new(Ecosystem::Rpm, name, printed_version(epoch, &version, &release));
    evidence.arch = header.text(header::ARCH);
    evidence.vendor = header.text(header::VENDOR);
    evidence.module = header.text(header::MODULARITY_LABEL);
    evidence.source = header.text(header::SOURCE_RPM).and_then(|file| source(epoch, &file));
    found.own(&evidence.name, header.file_hashes().into_iter());
    found.push(evidence);
}

/// `[EPOCH:]VERSION-RELEASE`.
fn printed_version(epoch: u32, version: &str, release: &str) -> String {
    match epoch {
        0 => format!("{version}-{release}"),
        _ => format!("{epoch}:{version}-{release}"),
    }
}

/// Name and version of a source package from the name of its file, `bash-5.1.8-9.el9.src.rpm`,
/// with the binary's epoch, which the file's name does not have. `None` for `(none)` and whatever
/// else has not that form.
fn source(epoch: u32, file: &str) -> Option<(String, String)> {
    let stem = file.strip_suffix(".rpm").unwrap_or(file);
    let stem = stem.strip_suffix(".src").or_else(|| stem.strip_suffix(".nosrc")).unwrap_or(stem);
    let (rest, release) = stem.rsplit_once('-')?;
    let (name, version) = rest.rsplit_once('-')?;
    (!name.is_empty()).then(|| (name.to_owned(), printed_version(epoch, version, release)))
}

/// Reads an integer of four bytes; `None` past the end.
fn u32_at(bytes: &[u8], offset: usize, is_big_endian: bool) -> Option<u32> {
    let four: [u8; 4] = bytes.get(offset..offset.checked_add(4)?)?.try_into().ok()?;
    Some(if is_big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) })
}

/// [`u32_at`] as an index.
fn index_at(bytes: &[u8], offset: usize, is_big_endian: bool) -> Option<usize> {
    usize::try_from(u32_at(bytes, offset, is_big_endian)?).ok()
}

#[cfg(test)]
pub(crate) mod tests;
