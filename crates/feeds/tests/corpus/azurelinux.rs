//! Azure Linux's and CBL-Mariner's OVAL.

use std::fs;

use pratique_model::{NameKind, Status};

use crate::corpus::{self, Read};

const PARTS: [&str; 3] =
    ["azurelinux/cbl-mariner-1.0", "azurelinux/cbl-mariner-2.0", "azurelinux/azurelinux-3.0"];

fn text(part: &str) -> String {
    let file = corpus::file_of(&corpus::part(part).documents[0]).expect("the file is there");
    fs::read_to_string(file).expect("the file is UTF-8")
}

/// The definitions of a file as they stand there, cut out by text search.
fn definitions(text: &str) -> Vec<&str> {
    text.split("<definition ").skip(1).collect()
}

#[test]
fn azurelinux_whole_files_are_read() {
    let mut totals = Vec::new();
    for part in PARTS {
        let Some(read) = corpus::read(part) else { return };
        let text = text(part);
        let definitions = definitions(&text);
        let count = |word: &str| {
            let word = format!("<patchable>{word}</patchable>");
            definitions.iter().filter(|it| it.contains(&word)).count()
        };
        assert!(read.quarantined.len() <= 2, "{part}: {:?}", read.quarantined);
        for note in &read.quarantined {
            assert!(note.text.contains("no version: null"), "{part}: {note:?}");
        }
        let all = read.advisories.len() + read.quarantined.len();
        assert_eq!(all, count("true") + count("false"), "{part}");
        assert_eq!(all + count("Not Applicable"), definitions.len(), "{part}");
        let fixed = read.count(Status::Fixed) + read.quarantined.len();
        assert_eq!(fixed, count("true"), "{part}");
        assert!(read.statements().all(|(_, it)| it.name_kind == NameKind::Either), "{part}");
        let as_of = read.summary.as_of.expect("the file has a date").to_string();
        assert!(text.contains(&format!("timestamp>{}", &as_of[..19])), "{part}: {as_of}");
        totals.push(all);
    }
    assert_eq!(totals, [2174, 2304, 2266]);
}

fn patchable_false(read: &Read) -> usize {
    let is = |it: &&pratique_model::Affected| it.remark.as_deref() == Some("patchable=false");
    read.statements().map(|(_, it)| it).filter(is).count()
}

/// Trap 3: `patchable=false` is affected without a fix, by `less than or equal` states.
#[test]
fn trap_3_mariner_patchable_false_has_a_last_version_and_no_fix() {
    let Some(read) = corpus::read(PARTS[0]) else { return };
    assert_eq!(patchable_false(&read), 126);
    for (id, affected) in read.statements().filter(|(_, it)| it.status == Status::Affected) {
        assert!(affected.ranges[0].fixed.is_none(), "{id}: {affected:?}");
        assert!(affected.ranges[0].last_affected.is_some(), "{id}: {affected:?}");
    }
}

/// Trap 3: `Not Applicable` must be skipped.
#[test]
fn trap_3_mariner_not_applicable_is_left_out() {
    let Some(read) = corpus::read(PARTS[0]) else { return };
    let text = text(PARTS[0]);
    let not_applicable =
        definitions(&text).into_iter().filter(|it| it.contains(">Not Applicable<"));
    assert_eq!(not_applicable.count(), 78);
    assert_eq!(read.about("CVE-2018-25032", "python2"), Vec::<&pratique_model::Affected>::new());
}

/// Azure Linux 3.0: a lower bound beside the upper one.
#[test]
fn azurelinux_greater_than_states_begin_a_range() {
    let Some(read) = corpus::read(PARTS[2]) else { return };
    let bounded = read.statements().filter(|(_, it)| it.ranges[0].introduced.is_some()).count();
    assert_eq!(bounded, text(PARTS[2]).matches("operation=\"greater than\"").count());
    let notes: Vec<&str> = read.notes.iter().map(|it| it.text.as_str()).collect();
    assert!(notes.len() == 1 && notes[0].starts_with("a list where"), "{notes:?}");
    let golang = read.about("CVE-2023-39323", "golang");
    assert_eq!(golang[0].ranges[0].fixed.as_deref(), Some("1.20.10-1.azl3"));
}
