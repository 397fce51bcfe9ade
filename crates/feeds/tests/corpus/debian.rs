//! The Debian tracker's JSON.

use std::fs;

use pratique_model::{Range, Release, Status};

use crate::corpus;

#[test]
fn debian_whole_file_is_read() {
    let Some(read) = corpus::read("debian") else { return };
    assert_eq!(read.quarantined, []);
    assert_eq!(read.notes, []);
    let document = &corpus::part("debian").documents[0];
    let file = corpus::file_of(document).expect("the tracker's file is in the corpus");
    let text = fs::read_to_string(file).expect("the file is UTF-8");
    assert_eq!(read.advisories.len(), text.matches("\"releases\":").count());
    assert_eq!(read.count(Status::Fixed), text.matches("\"fixed_version\":").count());
    assert_eq!(read.count_of("debian:11"), text.matches("\"bullseye\": {\"status\"").count());
    assert_eq!(read.count_of("debian:12"), text.matches("\"bookworm\": {\"status\"").count());
    assert_eq!(read.count_of("debian:13"), text.matches("\"trixie\": {\"status\"").count());
    assert!(read.advisories.len() > 1500, "{}", read.advisories.len());
}

/// Trap 6: several releases in one entry, each with its own statement.
#[test]
fn trap_6_debian_entry_is_split_by_release() {
    let Some(read) = corpus::read("debian") else { return };
    let statements = read.about("CVE-2009-4411", "acl");
    let releases: Vec<&str> =
        statements.iter().filter_map(|it| it.release.as_ref()).map(Release::as_str).collect();
    assert_eq!(releases, ["debian:11", "debian:12", "debian:13"]);
    for statement in statements {
        assert_eq!(statement.ranges, [Range::below("2.2.49-2")]);
    }
}
