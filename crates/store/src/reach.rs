//! From packages to the images that hold them.
//!
//! Packages are held by sets and sets by images; nothing is written per image, and counting is a
//! sum over sets. Naming images goes one of two ways: where few hold a package, through their sets;
//! where many do, along all images until enough are found. ADR 0006 has the measurements.

use std::collections::HashMap;

use crate::image::{self, ImageKey, StoredImage};
use crate::package::{self, PackageKey};
use crate::session::values;
use crate::{Database, StoreError, package_set};

/// Up to how many holders are gathered and sorted to find the first of them; beyond, images are
/// looked through in order, of which then one in a hundred at least holds the package in a fleet of
/// a million.
const GATHERED_MAX: u64 = 10_000;

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
        let mut ids = package::numbers(packages);
        ids.sort_unstable();
        // With the sign, the column is an expression and its index is of no use.
        let sign = if self.reach(packages)?.image_count > GATHERED_MAX { "+" } else { "" };
        let sql = format!(
            "SELECT {} FROM image \
             WHERE id > ?2 AND {sign}package_set IN ({SETS}) ORDER BY id LIMIT ?3",
            image::COLUMNS
        );
        let after = after.map_or(i64::MIN, |key| key.0);
        let found =
            self.session.all(READING, &sql, values![&*ids, after, limit as u64], |row| {
                Ok((image::stored(row)?, row.integer(image::PACKAGE_SET_COLUMN)?))
            })?;
        let sets: Vec<i64> = found.iter().map(|(_, set)| *set).collect();
        let members = self.held(&sets, &ids)?;
        let holder = |(image, set)| Holder {
            image,
            packages: members.get(&set).cloned().unwrap_or_default(),
        };
        Ok(found.into_iter().map(holder).collect())
    }

    /// Which of the wanted packages each set holds.
    fn held(
        &self,
        sets: &[i64],
        wanted: &[i64],
    ) -> Result<HashMap<i64, Vec<PackageKey>>, StoreError> {
        let sql = "SELECT id, packages FROM package_set WHERE id IN LIST(?1)";
        let mut held = HashMap::new();
        self.session.query(READING, sql, values![sets], &mut |row| {
            let mut packages = package_set::members(row.blob(1)?)?;
            packages.retain(|package| wanted.binary_search(&package.0).is_ok());
            held.insert(row.integer(0)?, packages);
            Ok(())
        })?;
        Ok(held)
    }
}
