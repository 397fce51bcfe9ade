//! Sets of packages, as one image or many have them.
//!
//! A set lists its packages in ascending order, each as its distance from the one before, seven
//! bits a byte: some 200 bytes for a hundred packages of two hundred thousand.

use std::collections::BTreeMap;

use crate::package::PackageKey;
use crate::session::values;
use crate::{Database, StoreError, encoding};

/// The bytes of a set; `packages` in ascending order, each once.
pub(crate) fn blob(packages: &[PackageKey]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(2 * packages.len());
    let mut before = 0;
    for package in packages {
        let distance = usize::try_from(package.0 - before).expect("ascending numbers of rows");
        encoding::push_number(&mut bytes, distance);
        before = package.0;
    }
    bytes
}

/// The packages of a set.
pub(crate) fn members(blob: &[u8]) -> Result<Vec<PackageKey>, StoreError> {
    let damaged = || StoreError::damaged("set of packages");
    let mut rest = blob;
    let mut before: i64 = 0;
    let mut packages = Vec::with_capacity(blob.len());
    while !rest.is_empty() {
        let (distance, after) = encoding::number(rest).ok_or_else(damaged)?;
        let distance = i64::try_from(distance).map_err(|_| damaged())?;
        before = before.checked_add(distance).ok_or_else(damaged)?;
        packages.push(PackageKey(before));
        rest = after;
    }
    Ok(packages)
}

/// Adds to how many images have each set.
pub(crate) fn add_counts(
    database: &Database,
    doing: &'static str,
    differences: BTreeMap<i64, i64>,
) -> Result<(), StoreError> {
    let sql = "UPDATE package_set SET image_count = image_count + ?2 WHERE id = ?1";
    let mut rows = database.session.batch(doing, sql)?;
    for (set, difference) in differences.into_iter().filter(|(_, difference)| *difference != 0) {
        rows.row(values![set, difference])?;
    }
    rows.finish()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_survive_a_round_trip_and_a_damaged_one_is_an_error() {
        for set in [vec![], vec![1], vec![1, 2, 300, 200_000, i64::MAX]] {
            let set: Vec<PackageKey> = set.into_iter().map(PackageKey).collect();
            assert_eq!(members(&blob(&set)).expect("readable"), set);
        }
        assert!(members(&[0x80]).is_err());
        assert!(members(&[0xff; 20]).is_err());
    }
}
