//! From packages to the images that hold them.
//!
//! Packages are held by sets and sets by images; nothing is written per image, and counting is a
//! sum over sets. Naming images goes one of two ways: where few sets hold a package, through them;
//! where many do, along all images until enough are found. ADR 0006 has the measurements.

use crate::image::{self, ImageKey, StoredImage};
use crate::package::{self, PackageKey};
use crate::session::{Row, values};
use crate::{Database, StoreError, package_set};

/// Up to how many sets are looked through for all their images, of which the first are then found
/// by sorting. Beyond, one image in five hundred at least holds a package, in a fleet of a million
/// that all differ.
const GATHERED_SETS_MAX: usize = 2_000;

/// How many images are read at once on the way along all of them.
const WALK_ROWS: usize = 1_000;

/// How far packages reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Watched images that hold at least one of the packages.
    pub image_count: u64,
    /// Sets of packages that these images have.
    pub set_count: u64,
}

/// An image that holds packages that were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The image.
    pub image: StoredImage,
    /// Those of the packages that it holds, in ascending order.
    pub packages: Vec<PackageKey>,
}

const COUNTING: &str = "counting images";

const READING: &str = "reading images";

/// The sets that hold one of the packages of list 1.
const SETS: &str = "SELECT package_set FROM package_in_set WHERE package IN LIST(?1)";

impl Database {
    /// How many watched images hold at least one of these packages.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub fn reach(&self, packages: &[PackageKey]) -> Result<Reach, StoreError> {
        let ids = package::numbers(packages);
        let sql = format!(
            "SELECT CAST(coalesce(sum(image_count), 0) AS BIGINT), count(*) FROM package_set \
             WHERE image_count > 0 AND id IN ({SETS})"
        );
        self.session.one(COUNTING, &sql, values![&*ids], |row| {
            Ok(Reach { image_count: row.count(0)?, set_count: row.count(1)? })
        })
    }

    /// The watched images that hold at least one of these packages, in the order of their keys,
    /// those after `after` only, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Damaged`].
    pub fn images_holding(
        &self,
        packages: &[PackageKey],
        after: Option<ImageKey>,
        limit: usize,
    ) -> Result<Vec<Holder>, StoreError> {
        let mut wanted = packages.to_vec();
        wanted.sort_unstable();
        let after = after.map_or(i64::MIN, |key| key.0);
        match self.few_sets(&wanted)? {
            Some(sets) => self.gather(&wanted, &sets, after, limit),
            None => self.walk(&wanted, after, limit),
        }
    }

    /// The sets that hold one of the packages, if they are few; a set that holds two counts twice.
    fn few_sets(&self, packages: &[PackageKey]) -> Result<Option<Vec<i64>>, StoreError> {
        let ids = package::numbers(packages);
        let sql = format!("{SETS} LIMIT ?2");
        let values = values![&*ids, GATHERED_SETS_MAX as u64 + 1];
        let mut sets = self.session.all(READING, &sql, values, |row| row.integer(0))?;
        let is_few = sets.len() <= GATHERED_SETS_MAX;
        sets.sort_unstable();
        sets.dedup();
        Ok(is_few.then_some(sets))
    }

    /// The first holders, through the sets that hold the packages.
    fn gather(
        &self,
        wanted: &[PackageKey],
        sets: &[i64],
        after: i64,
        limit: usize,
    ) -> Result<Vec<Holder>, StoreError> {
        // With the signs, the images' own order is of no use, which PostgreSQL would rather walk
        // along from end to end.
        let sql = format!(
            "SELECT {}, packages FROM (SELECT id AS found_id FROM image \
             WHERE package_set IN LIST(?1) AND +id > ?2 ORDER BY +id LIMIT ?3) AS found \
             JOIN image ON image.id = found_id \
             JOIN package_set ON package_set.id = image.package_set ORDER BY image.id",
            image::COLUMNS
        );
        let values = values![sets, after, limit as u64];
        self.session.all(READING, &sql, values, |row| holder(row, wanted))
    }

    /// The first holders, along all images.
    fn walk(
        &self,
        wanted: &[PackageKey],
        mut after: i64,
        limit: usize,
    ) -> Result<Vec<Holder>, StoreError> {
        let sql = format!(
            "SELECT {}, packages FROM image JOIN package_set ON package_set.id = image.package_set \
             WHERE image.id > ?1 ORDER BY image.id LIMIT ?2",
            image::COLUMNS
        );
        let mut holders = Vec::new();
        loop {
            let mut row_count = 0;
            let values = values![after, WALK_ROWS as u64];
            self.session.query(READING, &sql, values, &mut |row| {
                row_count += 1;
                after = row.integer(0)?;
                if holders.len() < limit && is_held(row.blob(PACKAGES_COLUMN)?, wanted)? {
                    holders.push(holder(row, wanted)?);
                }
                Ok(())
            })?;
            if holders.len() == limit || row_count < WALK_ROWS {
                return Ok(holders);
            }
        }
    }
}

/// Where the packages of an image's set stand, after the columns of the image.
const PACKAGES_COLUMN: usize = image::PACKAGE_SET_COLUMN + 1;

fn is_held(set: &[u8], wanted: &[PackageKey]) -> Result<bool, StoreError> {
    let members = package_set::members(set)?;
    Ok(members.iter().any(|package| wanted.binary_search(package).is_ok()))
}

fn holder(row: &Row<'_>, wanted: &[PackageKey]) -> Result<Holder, StoreError> {
    let mut packages = package_set::members(row.blob(PACKAGES_COLUMN)?)?;
    packages.retain(|package| wanted.binary_search(package).is_ok());
    Ok(Holder { image: image::stored(row)?, packages })
}
