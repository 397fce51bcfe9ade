//! A disk that is full in the middle of an update: an error that says so, the old data, and a good
//! end once there is room.

use std::fs;

use pratique_testkit::SmallDisk;

use crate::bed::{Bed, DEBIAN, ballast};

/// Room for a small feed and not for a large one.
const DISK_BYTES: u64 = 12 << 20;

/// What another program takes away meanwhile.
const TAKEN_BYTES: usize = 9 << 20;

#[test]
fn a_full_disk_costs_nothing_that_was_there() {
    let Some(disk) = SmallDisk::mount(DISK_BYTES) else { return };
    let bed = Bed::on_sqlite_at(&disk.path().join("db.sqlite"));
    bed.publish_debian(&ballast(100));
    bed.update(DEBIAN, 0);
    let before = bed.search("ballast-3");

    let taken = disk.path().join("taken");
    fs::write(&taken, vec![1; TAKEN_BYTES]).expect("there is room");
    bed.publish_debian(&ballast(20_000));
    let ran = bed.update(DEBIAN, 3);
    let told = format!("{}{}", ran.stdout, ran.stderr);
    assert!(told.contains("full") || told.contains("space"), "it does not say why:\n{told}");
    assert_eq!(bed.search("ballast-3"), before);
    assert_eq!(bed.status(DEBIAN)["entries"], 100);

    fs::remove_file(&taken).expect("can be removed");
    bed.update(DEBIAN, 0);
    assert_eq!(bed.status(DEBIAN)["entries"], 20_000);
    bed.expect_no_leftovers();
}
