//! The Debian tracker's JSON.

use std::fs;

use pratique_model::{Range, Release, Severity, Status};

use crate::corpus::{self, Read};

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

#[track_caller]
fn check(
    read: &Read,
    (id, package, release): (&str, &str, &str),
    (status, remark, severity): (Status, Option<&str>, Option<Severity>),
) {
    let about = read.about(id, package);
    let of = about.iter().find(|it| it.release == Some(Release::from_text(release)));
    let of = of.unwrap_or_else(|| panic!("{id} {package} {release} is missing: {about:?}"));
    assert_eq!(of.status, status, "{id} {package} {release}");
    assert_eq!(of.remark.as_deref(), remark, "{id} {package} {release}");
    assert_eq!(of.severity, severity, "{id} {package} {release}");
}

const ADVISORY: &str = "debian/tracker/api/testdata/fixtures/advisory.json";
const INPUT: &str = "vunnel/debian/test-fixtures/input/debian.json";

/// Trap 6: `unimportant`, `not yet assigned`, `<not-affected>` (version `0`), `<ignored>`.
#[test]
fn trap_6_debian_statuses_of_the_tracker() {
    let Some(read) = corpus::read_sample("debian", ADVISORY, "debian") else { return };
    assert_eq!((&read.quarantined, &read.notes), (&vec![], &vec![]));
    let package = "389-ds-base";
    let of = |id, release| (id, package, release);
    let never = (Status::NotAffected, Some("unimportant"), Some(Severity::Negligible));
    check(&read, of("CVE-2012-0833", "debian:11"), never);
    check(&read, of("CVE-2016-5405", "debian:11"), (Status::Fixed, None, None));
    let ignored = (Status::WillNotFix, Some("ignored"), None);
    check(&read, of("CVE-2016-5416", "debian:11"), ignored);
    check(&read, of("CVE-2016-5416", "debian:sid"), (Status::Affected, None, None));
}

/// Trap 6: `<end-of-life>`, and urgencies with asterisks.
#[test]
fn trap_6_debian_end_of_life_and_urgencies() {
    let Some(read) = corpus::read_sample("vunnel", INPUT, "debian") else { return };
    // The sample has one entry whose releases are a list.
    let subjects: Vec<&str> = read.quarantined.iter().map(|it| it.subject.as_str()).collect();
    assert_eq!((subjects, &read.notes), (vec!["chromium-browser CVE-2022-0358"], &vec![]));
    let ended = (Status::EndOfLife, Some("end-of-life"), None);
    check(&read, ("CVE-2022-0456", "chromium", "debian:10"), ended);
    let high = (Status::Fixed, None, Some(Severity::High));
    check(&read, ("CVE-2008-7220", "prototypejs", "debian:10"), high);
    let low = (Status::Fixed, None, Some(Severity::Low));
    check(&read, ("CVE-2013-1444", "txt2man", "debian:sid"), low);
    let medium = (Status::Fixed, None, Some(Severity::Medium));
    check(&read, ("CVE-2005-3111", "backupninja", "debian:9"), medium);
}

/// Trap 6: entries without a CVE.
#[test]
fn trap_6_debian_entries_without_a_cve() {
    let Some(read) = corpus::read_sample("debian", ADVISORY, "debian") else { return };
    let entry = read.advisories.iter().find(|it| it.id == "TEMP-0000000-0CA7E3");
    let entry = entry.expect("it is in the sample");
    assert!(entry.vulnerabilities.is_empty(), "{entry:?}");
    assert_eq!(entry.affected.len(), 2);
}
