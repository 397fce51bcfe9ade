//! Alpine's and Wolfi's secdb.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use pratique_model::{Range, Status};

use crate::corpus::{self, Read};

const BRANCHES: [&str; 11] = [
    "v3.8", "v3.9", "v3.10", "v3.11", "v3.12", "v3.13", "v3.14", "v3.15", "v3.16", "v3.17", "edge",
];

/// Strings that name no flaw for certain; everything else is read.
const UNREADABLE: [&str; 1] = ["CVE-46838"];

/// The strings of all packages of a part with their versions, by untyped JSON.
fn strings(part: &str) -> Vec<(String, String, String)> {
    let mut strings = Vec::new();
    for document in &corpus::part(part).documents {
        let file = corpus::file_of(document).expect("the file is in the corpus");
        let text = fs::read_to_string(file).expect("the file is UTF-8");
        let database: Value = serde_json::from_str(&text).expect("the file is JSON");
        for package in database["packages"].as_array().expect("packages is a list") {
            let name = package["pkg"]["name"].as_str().expect("a name");
            for (version, ids) in package["pkg"]["secfixes"].as_object().expect("an object") {
                for id in ids.as_array().expect("a list") {
                    let id = id.as_str().expect("a text").to_owned();
                    strings.push((name.to_owned(), version.clone(), id));
                }
            }
        }
    }
    strings
}

/// Counts by words: each string gives as many rows as it has different CVE ids, or one.
fn rows(strings: &[(String, String, String)]) -> usize {
    let rows_of = |string: &str| {
        let words: BTreeSet<&str> = string.split_whitespace().collect();
        let cves = words.iter().filter(|it| it.starts_with("CVE-") && !it.contains('?')).count();
        cves.max(1)
    };
    let readable = strings.iter().filter(|(_, _, string)| !UNREADABLE.contains(&&**string));
    readable.map(|(_, _, string)| rows_of(string)).sum()
}

fn check_whole(part: &str) -> Option<Read> {
    let read = corpus::read(part)?;
    let strings = strings(part);
    for note in &read.quarantined {
        assert!(UNREADABLE.iter().any(|it| note.text.contains(it)), "{part}: {note:?}");
    }
    let dropped =
        read.notes.iter().filter(|it| it.text.ends_with("has a version that mends it")).count();
    assert_eq!(read.statements().count() + dropped, rows(&strings), "{part}");
    let zeros: Vec<_> = strings
        .iter()
        .filter(|(_, version, _)| version.trim_matches('"') == "0")
        .cloned()
        .collect();
    assert_eq!(read.count(Status::NotAffected) + dropped, rows(&zeros), "{part}");
    Some(read)
}

#[test]
fn alpine_whole_files_are_read() {
    let mut total = 0;
    for branch in BRANCHES {
        let Some(read) = check_whole(&format!("alpine/{branch}")) else { return };
        total += read.statements().count();
    }
    assert!(total > 40_000, "{total}");
}

#[test]
fn wolfi_whole_file_is_read() {
    let Some(read) = check_whole("wolfi") else { return };
    assert!(read.notes.is_empty(), "{:?}", read.notes);
    assert!(read.statements().count() > 10_000);
}

/// Trap 1: several ids in one string.
#[test]
fn trap_1_alpine_strings_with_several_ids() {
    let Some(read) = corpus::read("alpine/v3.17") else { return };
    for cve in ["CVE-2020-11740", "CVE-2020-11741"] {
        let fixed = read.about(cve, "xen");
        assert_eq!(fixed.len(), 1, "{cve}: {fixed:?}");
        let advisory = read.advisories.iter().find(|it| it.id == cve).expect("it was read");
        assert_eq!(advisory.aliases, ["XSA-313"]);
        assert_eq!(advisory.vulnerabilities, [cve]);
    }
}

/// Trap 1: version `0` means never affected.
#[test]
fn trap_1_alpine_version_zero_is_never_affected() {
    let Some(read) = corpus::read("alpine/v3.8") else { return };
    let quoted = read.about("CVE-2016-0682", "db");
    assert_eq!(quoted.len(), 1);
    assert_eq!((quoted[0].status, &*quoted[0].ranges), (Status::NotAffected, &[] as &[Range]));
    assert!(read.count(Status::NotAffected) > 1);
}

/// Trap 1: 884 of Wolfi's 1,545 packages have a `0`.
#[test]
fn trap_1_wolfi_packages_with_zero_entries() {
    let Some(read) = corpus::read("wolfi") else { return };
    let zero: BTreeSet<&str> = read
        .statements()
        .filter(|(_, it)| it.status == Status::NotAffected)
        .map(|(_, it)| &*it.package)
        .collect();
    assert_eq!(zero.len(), 884);
}

#[test]
fn alpine_malformed_ids_are_mended_and_named() {
    let Some(read) = corpus::read("alpine/v3.9") else { return };
    assert_eq!(read.about("CVE-2019-2426", "openjdk7").len(), 1);
    assert!(read.notes.iter().any(|note| note.text.contains("CVE_2019-2426")));
    let comment = corpus::read("alpine/v3.13").expect("the corpus is there");
    let remark = comment.about("CVE-2020-14342", "cifs-utils")[0].remark.as_deref();
    assert_eq!(remark, Some("Not affected, requires --with-systemd"));
}

#[test]
fn alpine_oldest_branch_is_read() {
    let member = "alpine/secdb/testdata/fixtures/v3.2/main.json";
    let Some(read) = corpus::read_sample("alpine", member, "alpine/v3.2") else { return };
    assert_eq!(read.quarantined, []);
    assert!(read.count(Status::Fixed) > 0);
}

#[test]
fn chainguard_sample_is_read() {
    let member = "chainguard/secdb/testdata/fixtures/happy/security.json";
    let Some(read) = corpus::read_sample("chainguard", member, "chainguard") else { return };
    assert_eq!((&read.quarantined, &read.notes), (&vec![], &vec![]));
    let fixed = read.about("CVE-2024-45338", "actions-runner-controller-fips");
    assert_eq!(fixed[0].ranges, [Range::below("0.10.1-r1")]);
    let member = "vunnel/chainguard/test-fixtures/input/secdb/security.json";
    let read = corpus::read_sample("vunnel", member, "chainguard").expect("the corpus is there");
    assert_eq!(read.quarantined, []);
    assert!(read.count(Status::NotAffected) > 0);
}
