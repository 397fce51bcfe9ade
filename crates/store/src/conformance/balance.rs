//! What holds of images, sets and packages whatever was done to them.

use std::collections::BTreeMap;

use crate::session::values;
use crate::{Database, package_set};

/// Counts are those of the rows, both directions between sets and packages agree, and whatever has
/// a set's or a package's number names one that is there.
pub(crate) fn assert_balanced(database: &Database) {
    let count = |sql: &str| {
        database.session.one("counting", sql, &[], |row| row.integer(0)).expect("a count")
    };
    for (sql, what) in [
        (
            "SELECT count(*) FROM package_set WHERE image_count <> \
             (SELECT count(*) FROM image WHERE image.package_set = package_set.id)",
            "sets count their images wrongly",
        ),
        (
            "SELECT count(*) FROM image WHERE package_set IS NOT NULL \
             AND package_set NOT IN (SELECT id FROM package_set)",
            "images have sets that are gone",
        ),
        (
            "SELECT count(*) FROM package_in_set WHERE package NOT IN (SELECT id FROM package)",
            "sets hold packages that are gone",
        ),
        (
            "SELECT count(*) FROM package WHERE id NOT IN (SELECT package FROM package_in_set) \
             AND id NOT IN (SELECT package FROM unused_package)",
            "packages without a set are not queued for removal",
        ),
        (
            "SELECT count(*) FROM finding WHERE package NOT IN (SELECT id FROM package)",
            "findings are of packages that are gone",
        ),
        (
            "SELECT count(*) FROM pending WHERE package NOT IN (SELECT id FROM package)",
            "packages are pending that are gone",
        ),
        (
            "SELECT count(*) FROM image_alias WHERE image NOT IN (SELECT id FROM image)",
            "names are of images that are gone",
        ),
        (
            "SELECT count(*) FROM image_report WHERE image NOT IN (SELECT id FROM image)",
            "reports are of images that are gone",
        ),
        (
            "SELECT count(*) FROM counter WHERE name = 'package' \
             AND value < (SELECT coalesce(max(id), 0) FROM package)",
            "packages have numbers that were not given",
        ),
    ] {
        assert_eq!(count(sql), 0, "{what}");
    }
    assert_both_directions_agree(database);
}

fn assert_both_directions_agree(database: &Database) {
    let mut backward: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    let sql = "SELECT package_set, package FROM package_in_set ORDER BY package_set, package";
    let pairs = database
        .session
        .all("reading pairs", sql, &[], |row| Ok((row.integer(0)?, row.integer(1)?)));
    for (set, package) in pairs.expect("pairs") {
        backward.entry(set).or_default().push(package);
    }
    let sql = "SELECT id, packages FROM package_set ORDER BY id";
    let sets = database.session.all("reading sets", sql, values![], |row| {
        let members = package_set::members(row.blob(1)?)?;
        Ok((row.integer(0)?, members.iter().map(|package| package.0).collect::<Vec<_>>()))
    });
    for (set, forward) in sets.expect("sets") {
        assert_eq!(backward.remove(&set).unwrap_or_default(), forward, "set {set}");
    }
    assert!(backward.is_empty(), "packages are in sets that are gone: {backward:?}");
}
