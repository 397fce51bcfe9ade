//! Images as they were registered.
//!
//! An image is named by the digest of its manifest, else of its configuration; references are
//! aliases, and may move from one image to another. What is in it lies in a package set that it may
//! share with other images, and, whole, in its compressed report.

use jiff::Timestamp;

use pratique_model::{Digest, IndexReport, Platform, Release};

use crate::package::{PackageKey, release_of};
use crate::session::{Row, values};
use crate::{Database, StoreError, encoding, package_set, stored_report};

/// The fewest hexadecimal digits that are taken for the beginning of a digest.
const PREFIX_DIGITS_MIN: usize = 6;

/// How many digits a digest has.
const DIGEST_DIGITS: usize = 64;

/// Names one image in this database. Later registered ones have greater keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageKey(
    /// The row's number.
    pub i64,
);

/// An image as it was registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredImage {
    /// Its key.
    pub key: ImageKey,
    /// Its identity: the manifest's digest, else the configuration's.
    pub digest: Digest,
    /// How it was last named; its digest if it never had a name.
    pub reference: String,
    /// The platform that it says it is for.
    pub platform: Option<Platform>,
    /// The release of its distribution.
    pub release: Option<Release>,
    /// Its distribution as people call it.
    pub distro: Option<String>,
    /// How many packages its report names, those included that are not watched.
    pub package_count: u64,
    /// How many things could not be read, or cannot be watched; 0 for a report that is whole.
    pub problem_count: u64,
    /// The first of them, one clause each.
    pub problems: Vec<String>,
    /// When it was registered first.
    pub registered_at: Timestamp,
    /// When it was registered last.
    pub last_seen_at: Timestamp,
    /// Whether its packages are watched; not when it was not seen for long.
    pub is_watched: bool,
}

/// Which images are asked for; the default is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageFilter {
    /// Only those with problems.
    pub has_problems: bool,
    /// Only those of this release.
    pub release: Option<Release>,
}

/// How much the image side holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImageCounts {
    /// Images whose packages are watched.
    pub watched: u64,
    /// Images with problems.
    pub with_problems: u64,
    /// Sets of packages that watched images have.
    pub package_sets: u64,
    /// Packages that the matcher has not looked at yet.
    pub pending: u64,
}

/// The columns that [`stored`] reads, of `image`.
pub(crate) const COLUMNS: &str = "image.id, image.digest, reference, platform, \"release\", \
                                  distro, package_count, problem_count, problems, registered_at, \
                                  last_seen_at, image.package_set";

/// Where the set of its packages stands among them.
pub(crate) const PACKAGE_SET_COLUMN: usize = 11;

const READING: &str = "reading images";

const COUNTING: &str = "counting images";

impl Database {
    /// Images in the order of their keys, those after `after` only, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Damaged`].
    pub fn images(
        &self,
        filter: &ImageFilter,
        after: Option<ImageKey>,
        limit: usize,
    ) -> Result<Vec<StoredImage>, StoreError> {
        // Said literally, so that the index of images with problems is used.
        let problems = if filter.has_problems { "AND problem_count > 0" } else { "" };
        let sql = format!(
            "SELECT {COLUMNS} FROM image WHERE id > ?1 \
             AND (CAST(?2 AS TEXT) IS NULL OR \"release\" = ?2) {problems} ORDER BY id LIMIT ?3"
        );
        let after = after.map_or(i64::MIN, |key| key.0);
        let release = filter.release.as_ref().map(Release::as_str);
        self.session.all(READING, &sql, values![after, release, limit as u64], stored)
    }

    /// The images that a text names, at most `limit`, the latest seen first: the one of this digest
    /// (`sha256:…`), else those of this reference or other digest, else those whose digest begins
    /// with it (six digits or more, with or without `sha256:`).
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Damaged`].
    pub fn images_named(&self, name: &str, limit: usize) -> Result<Vec<StoredImage>, StoreError> {
        let digits = name.strip_prefix("sha256:").unwrap_or(name);
        let is_hex = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if is_hex && digits.len() == DIGEST_DIGITS {
            let sql = format!("SELECT {COLUMNS} FROM image WHERE digest = ?1");
            let found = self.session.all(READING, &sql, values![digits], stored)?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        let sql = format!(
            "SELECT {COLUMNS} FROM image_alias JOIN image ON image.id = image_alias.image \
             WHERE name = ?1 ORDER BY seen_at DESC, image.id DESC LIMIT ?2"
        );
        let found = self.session.all(READING, &sql, values![name, limit as u64], stored)?;
        if !found.is_empty() || !is_hex || digits.len() < PREFIX_DIGITS_MIN {
            return Ok(found);
        }
        let sql = format!(
            "SELECT {COLUMNS} FROM image WHERE digest >= ?1 AND digest < ?2 \
             ORDER BY last_seen_at DESC, id DESC LIMIT ?3"
        );
        // `g` follows the last hexadecimal digit.
        let end = format!("{digits}g");
        self.session.all(READING, &sql, values![digits, &end, limit as u64], stored)
    }

    /// The other names of an image, sorted.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub fn image_aliases(&self, image: ImageKey) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT name FROM image_alias WHERE image = ?1 ORDER BY name";
        self.session
            .all("reading the names of an image", sql, values![image.0], |row| row.string(0))
    }

    /// The packages of an image that are watched, in ascending order; none for an image that is
    /// gone or not watched.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Damaged`].
    pub fn image_packages(&self, image: ImageKey) -> Result<Vec<PackageKey>, StoreError> {
        let packages = self.session.first(
            "reading the packages of an image",
            "SELECT packages FROM image JOIN package_set ON package_set.id = image.package_set \
             WHERE image.id = ?1",
            values![image.0],
            |row| package_set::members(row.blob(0)?),
        )?;
        Ok(packages.unwrap_or_default())
    }

    /// The report that an image was registered with, but for what no store keeps: `cataloger` is
    /// always `store`. `None` when the image is gone, or its report is.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Damaged`].
    pub fn image_report(&self, image: ImageKey) -> Result<Option<IndexReport>, StoreError> {
        self.session.first(
            "reading the report of an image",
            "SELECT reference, report FROM image JOIN image_report ON image = id WHERE id = ?1",
            values![image.0],
            |row| stored_report::read(row.blob(1)?, row.text(0)?),
        )
    }

    /// How much there is.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub fn image_counts(&self) -> Result<ImageCounts, StoreError> {
        let (watched, package_sets) = self.session.one(
            COUNTING,
            "SELECT CAST(coalesce(sum(image_count), 0) AS BIGINT), count(*) FROM package_set \
             WHERE image_count > 0",
            &[],
            |row| Ok((row.count(0)?, row.count(1)?)),
        )?;
        let with_problems = self.session.one(
            COUNTING,
            "SELECT count(*) FROM image WHERE problem_count > 0",
            &[],
            |row| row.count(0),
        )?;
        let pending =
            self.session.one(COUNTING, "SELECT count(*) FROM pending", &[], |row| row.count(0))?;
        Ok(ImageCounts { watched, with_problems, package_sets, pending })
    }
}

/// The digits under which an image stands in its row.
pub(crate) fn digits(digest: &Digest) -> String {
    digest.to_hex()
}

/// Reads a row of [`COLUMNS`].
pub(crate) fn stored(row: &Row<'_>) -> Result<StoredImage, StoreError> {
    let digits = row.text(1)?;
    let digest: Digest = format!("sha256:{digits}")
        .parse()
        .map_err(|_| StoreError::damaged(format!("digest {digits:?}")))?;
    let platform = row.optional_text(3)?.map(str::parse::<Platform>).transpose();
    Ok(StoredImage {
        key: ImageKey(row.integer(0)?),
        digest,
        reference: row.string(2)?,
        platform: platform.map_err(|error| StoreError::damaged(error.to_string()))?,
        release: row.optional_text(4)?.and_then(release_of),
        distro: row.optional_string(5)?,
        package_count: row.count(6)?,
        problem_count: row.count(7)?,
        problems: encoding::items(row.optional_text(8)?)?,
        registered_at: encoding::timestamp(row.integer(9)?)?,
        last_seen_at: encoding::timestamp(row.integer(10)?)?,
        is_watched: row.optional_integer(PACKAGE_SET_COLUMN)?.is_some(),
    })
}
