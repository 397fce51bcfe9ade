//! Packages of images, each kept once however many images hold it.
//!
//! Two packages are one if no verdict can tell them apart: where they lie, which layer brought
//! them and who built them stays in the image's report. A package that a distro package owns is
//! kept too, marked, so that a question about hour zero finds it; the matcher leaves it out.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use pratique_model::{Ecosystem, Package, Release, SourcePackage};

use crate::session::{Row, values};
use crate::{Database, StoreError, encoding};

/// How long a name may be to be watched, in bytes. The longest known is below 300; PostgreSQL's
/// index takes at most 2,704 bytes a row.
const NAME_BYTES_MAX: usize = 1_000;

/// How many bytes of the hash name a package or a set of packages.
const IDENTITY_BYTES: usize = 16;

/// What stands for the package of an image in errors about rows.
const READING: &str = "reading packages";

/// Names one package in this database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageKey(
    /// The row's number.
    pub i64,
);

/// A package that some image holds.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredPackage {
    /// Its key.
    pub key: PackageKey,
    /// The release of the distribution that it was found in; `None` for language packages, and for
    /// distro packages of an image that names no distribution.
    pub release: Option<Release>,
    /// The package, with what verdicts depend on: layer, vendor and paths are left out. `owned_by`
    /// is empty, but there, if a distro package owns it.
    pub package: Package,
}

/// The columns that [`stored`] reads, of `package` joined with `scope`.
pub(crate) const COLUMNS: &str = "package.id, ecosystem, \"release\", name, version, arch, \
                                  source_name, source_version, module, built_for, is_owned";

impl Database {
    /// The packages that may be spoken of by one of these names: by their own as feeds write it
    /// ([`Package::lookup_name`]), or by their source package's. Exactly the scope that is asked:
    /// `release` is that of the distribution, `None` for language packages. Sorted by key, each
    /// once.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Damaged`].
    pub fn packages_named(
        &self,
        ecosystem: Ecosystem,
        release: Option<&Release>,
        names: &[&str],
    ) -> Result<Vec<StoredPackage>, StoreError> {
        let Some(scope) = self.scope(ecosystem, release)? else { return Ok(Vec::new()) };
        let mut found = BTreeMap::new();
        for column in ["lookup_name", "source_name"] {
            let sql = format!(
                "SELECT {COLUMNS} FROM package JOIN scope ON scope.id = package.scope \
                 WHERE package.scope = ?1 AND {column} IN LIST(?2)"
            );
            self.session.query(READING, &sql, values![scope, names], &mut |row| {
                let package = stored(row)?;
                found.insert(package.key, package);
                Ok(())
            })?;
        }
        Ok(found.into_values().collect())
    }

    /// Packages by key, sorted by key; those that are gone are left out.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Damaged`].
    pub fn packages(&self, keys: &[PackageKey]) -> Result<Vec<StoredPackage>, StoreError> {
        let ids = numbers(keys);
        let sql = format!(
            "SELECT {COLUMNS} FROM package JOIN scope ON scope.id = package.scope \
             WHERE package.id IN LIST(?1) ORDER BY package.id"
        );
        self.session.all(READING, &sql, values![&*ids], stored)
    }

    /// Packages that the matcher has not looked at since they were registered, the oldest first.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Damaged`].
    pub fn pending_packages(&self, limit: usize) -> Result<Vec<StoredPackage>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM pending JOIN package ON package.id = pending.package \
             JOIN scope ON scope.id = package.scope ORDER BY pending.package LIMIT ?1"
        );
        self.session.all(READING, &sql, values![limit as u64], stored)
    }

    /// The releases under which packages or statements of an ecosystem are known, sorted; `None`
    /// stands for no release.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub fn releases_of(&self, ecosystem: Ecosystem) -> Result<Vec<Option<Release>>, StoreError> {
        self.session.all(
            "reading the releases",
            "SELECT \"release\" FROM scope WHERE ecosystem = ?1 ORDER BY \"release\"",
            values![ecosystem.as_str()],
            |row| row.text(0).map(release_of),
        )
    }
}

/// The numbers of packages, for a list in a statement.
pub(crate) fn numbers(keys: &[PackageKey]) -> Vec<i64> {
    keys.iter().map(|key| key.0).collect()
}

/// What keeps a package from being watched; `None` for nearly all.
pub(crate) fn unfit(package: &Package) -> Option<&'static str> {
    let source = package.source.as_ref().map_or("", |source| &*source.name);
    if package.name.is_empty() {
        Some("it has no name")
    } else if package.name.len() > NAME_BYTES_MAX || source.len() > NAME_BYTES_MAX {
        Some("its name is longer than 1000 bytes")
    } else {
        None
    }
}

/// What a package is told apart by, as 32 hexadecimal digits.
pub(crate) fn identity(package: &Package, release: Option<&Release>) -> String {
    let mut hasher = Sha256::new();
    let source = package.source.as_ref();
    let texts = [
        Some(package.ecosystem.as_str()),
        release.map(Release::as_str),
        Some(&*package.name),
        Some(&*package.version),
        package.arch.as_deref(),
        source.map(|source| &*source.name),
        source.map(|source| &*source.version),
        package.module.as_deref(),
        package.built_for.as_deref(),
        package.owned_by.as_ref().map(|_| ""),
    ];
    for text in texts {
        // The length keeps texts apart; no text is as long as what stands for none.
        let length = text.map_or(u64::MAX, |text| text.len() as u64);
        hasher.update(length.to_le_bytes());
        hasher.update(text.unwrap_or_default());
    }
    short_hex(hasher)
}

/// The digest of a set, over its sorted identities.
pub(crate) fn set_digest(identities: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for identity in identities {
        hasher.update(identity);
    }
    short_hex(hasher)
}

fn short_hex(hasher: Sha256) -> String {
    let digest: [u8; 32] = hasher.finalize().into();
    let mut hex = pratique_model::Digest::from_bytes(digest).to_hex();
    hex.truncate(2 * IDENTITY_BYTES);
    hex
}

/// The release that a column names.
pub(crate) fn release_of(text: &str) -> Option<Release> {
    (!text.is_empty()).then(|| Release::from_text(text))
}

pub(crate) fn stored(row: &Row<'_>) -> Result<StoredPackage, StoreError> {
    let ecosystem = encoding::ecosystem(row.text(1)?)?;
    let source = match (row.optional_string(6)?, row.optional_string(7)?) {
        (Some(name), Some(version)) => Some(SourcePackage { name, version }),
        _ => None,
    };
    let package = Package {
        ecosystem,
        name: row.string(3)?,
        version: row.string(4)?,
        arch: row.optional_string(5)?,
        source,
        module: row.optional_string(8)?,
        vendor: None,
        layer: None,
        paths: Vec::new(),
        owned_by: row.flag(10)?.then(String::new),
        built_for: row.optional_string(9)?,
        cataloger: "store",
    };
    Ok(StoredPackage {
        key: PackageKey(row.integer(0)?),
        release: release_of(row.text(2)?),
        package,
    })
}
