//! Databases are carried there and back, backed up, and damaged on the way.

use super::*;
use crate::conformance::balance::assert_balanced;
use crate::conformance::matching::register_and_find;
use crate::conformance::sample::{
    advisory, assert_whole, at, commit, commit_facts, epss, kev, nvd, part, rich,
};
use crate::conformance::{Place, on_disk, on_server};
use pratique_model::PartId;

/// Fills a database with something in most tables.
fn fill(database: &mut Database) {
    let mut odd = advisory("CVE-2024-0001", "a", Some("1 2|3"));
    odd.summary = Some("\u{1f980} \"quoted\"\nü\u{0}".to_owned());
    let feed = [odd, advisory("CVE-2024-0002", "c", None)];
    commit(database, &part(), 1, &feed).expect("a commit");
    commit(database, &part(), 2, &feed[..1]).expect("a commit");
    commit(database, &PartId::new("osv", "AlmaLinux:8"), 2, &[rich()]).expect("a commit");
    let facts = [
        epss("CVE-2024-0001", 0.1),
        kev("CVE-2024-0001"),
        nvd("CVE-2024-0001", &["AV:N/AC:M/Au:N/C:C/I:C/A:C"]),
    ];
    commit_facts(database, &PartId::new("facts", "facts"), 3, &facts);
    register_and_find(database, 1, at(4));
}

/// Every row of every table that is carried, as text.
fn everything(database: &Database) -> Vec<String> {
    let mut rows = Vec::new();
    for Table { name, columns, key } in tables().expect("a schema") {
        let sql = format!("SELECT {} FROM {name} ORDER BY {}", columns.join(", "), key.join(", "));
        database
            .session
            .stream("reading", &sql, &[], &mut |row| {
                let values: Result<Vec<_>, _> =
                    (0..columns.len()).map(|column| row.value(column)).collect();
                rows.push(format!("{name} {:?}", values?));
                Ok(())
            })
            .expect("rows");
    }
    rows
}

fn store(place: &Place) -> &Store {
    place.store.as_ref().expect("it lies somewhere")
}

#[test]
fn a_database_carried_to_a_server_and_back_is_the_same() {
    let Some(mut server) = on_server() else { return };
    let (mut first, second) = (on_disk(), on_disk());
    fill(&mut first.database);
    let before = everything(&first.database);
    assert!(before.len() > 20, "{before:#?}");
    let there = move_database(store(&first), store(&server)).expect("there");
    assert_eq!(everything(&server.database), before);
    let back = move_database(store(&server), store(&second)).expect("back");
    assert_eq!(there, back);
    assert_eq!(everything(&second.database), before);
    assert_whole(&second.database);
    // Numbers go on after those that came along.
    let feed = [advisory("CVE-2024-0007", "z", None), advisory("CVE-2024-0001", "a", None)];
    commit(&mut server.database, &part(), 4, &feed).expect("a commit");
    commit_facts(
        &mut server.database,
        &PartId::new("new", "new"),
        4,
        &[epss("CVE-2020-0001", 0.9)],
    );
    register_and_find(&mut server.database, 2, at(5));
    assert_whole(&server.database);
    assert_balanced(&server.database);
    let error = move_database(store(&first), store(&server)).expect_err("it is full");
    assert!(matches!(error, StoreError::NotEmpty { .. }), "{error}");
}

#[test]
fn a_backup_is_restored_whole_or_not_at_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("backup");
    for place in [Some(on_disk()), on_server()].into_iter().flatten() {
        let mut place = place;
        fill(&mut place.database);
        let counts = backup(store(&place), &file).expect("a backup");
        let files = std::fs::read_dir(folder.path()).expect("a folder").count();
        assert_eq!(files, 1, "nothing is left over");
        for target in [Some(on_disk()), on_server()].into_iter().flatten() {
            assert_eq!(restore(&file, store(&target)).expect("restored"), counts);
            assert_eq!(everything(&target.database), everything(&place.database));
            let error = restore(&file, store(&target)).expect_err("not empty any more");
            assert!(matches!(error, StoreError::NotEmpty { .. }), "{error}");
        }
        let whole = std::fs::read(&file).expect("a file");
        let target = on_disk();
        let empty = everything(&target.database);
        let mut damaged = whole.clone();
        let last = damaged.len() - 1;
        damaged[last] ^= 1;
        for bytes in [&whole[..whole.len() / 2], &damaged, b"", b"something else"] {
            std::fs::write(&file, bytes).expect("written");
            restore(&file, store(&target)).expect_err("damaged");
            assert_eq!(everything(&target.database), empty);
        }
    }
}

#[test]
fn sizes_are_by_table_with_its_indexes() {
    for place in [Some(on_disk()), on_server()].into_iter().flatten() {
        let mut place = place;
        fill(&mut place.database);
        let sizes = place.database.table_sizes().expect("sizes");
        let of = |name: &str| sizes.iter().find(|size| size.name == name).expect("a table");
        assert_eq!(of("epss").row_count, 1);
        assert!(of("advisory").size_bytes >= 8192, "a table and an index: {sizes:?}");
        let all: u64 = sizes.iter().map(|size| size.size_bytes).sum();
        assert!(all <= place.database.size_bytes().expect("a size"), "{sizes:?}");
    }
}
