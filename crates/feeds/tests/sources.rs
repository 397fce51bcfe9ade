//! Compares `docs/sources.md` with the registered sources and the tests in the tree.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use pratique_feeds::{EVERY_MINUTE, sources};

/// Facts that every section states, as the beginning of a list item.
const FACTS: [&str; 5] = ["- URL: ", "- Asked: ", "- Licence: ", "- as_of: ", "- Left out: "];

/// A row of a table: its cells.
type Row = Vec<String>;

fn crate_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The sections of the page by heading: the text and the rows of the table in it.
fn sections() -> BTreeMap<String, (String, Vec<Row>)> {
    let page = crate_folder().join("../../docs/sources.md");
    let page = fs::read_to_string(page).expect("the page is there");
    let mut sections = BTreeMap::new();
    for section in page.split("\n## ").skip(1) {
        let (name, text) = section.split_once('\n').expect("a section has text");
        let rows = text.lines().filter(|line| line.starts_with('|')).skip(2).map(|line| {
            let cells = line.trim_matches('|').split('|');
            cells.map(|cell| cell.trim().to_owned()).collect()
        });
        sections.insert(name.trim().to_owned(), (text.to_owned(), rows.collect()));
    }
    sections
}

/// The names of all functions in the Rust files below a folder.
fn functions(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            functions(&path, names);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let text = fs::read_to_string(&path).expect("the file is text");
            let mut is_test = false;
            for line in text.lines().map(str::trim) {
                if let (true, Some(rest)) = (is_test, line.strip_prefix("fn ")) {
                    names.extend(rest.split('(').next().map(str::to_owned));
                    is_test = false;
                }
                is_test = is_test || line == "#[test]";
            }
        }
    }
}

/// The tests that a cell names, each in backticks.
fn named(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_source_has_a_section_with_its_facts_and_rows() {
    let sections = sections();
    let documented: BTreeSet<&str> = sections.keys().map(String::as_str).collect();
    let registered: BTreeSet<&str> = sources().iter().map(|source| source.name()).collect();
    assert_eq!(documented, registered);
    for source in sources() {
        let (text, rows) = &sections[source.name()];
        for fact in FACTS {
            assert!(text.contains(fact), "{}: no line {fact:?}", source.name());
        }
        // Of a part without a list, and of the newest.
        let part = source.parts(2026).pop().expect("a part").id;
        let asked = match source.tip_url(&part) {
            Some(_) => "every minute, the first 64 KiB",
            None if source.interval(&part, 2026) == EVERY_MINUTE => "every minute",
            None if source.interval(&part, 2026).as_secs() == 3_600 => "every hour",
            None => "every 6 h",
        };
        let line = format!("- Asked: {asked}");
        assert!(text.contains(&line), "{}: no line {line:?}", source.name());
        assert!(!rows.is_empty(), "{}: no rows", source.name());
        for part in source.parts(2026) {
            let url = &part.documents[0].url;
            let host = url.split('/').nth(2).expect("a host");
            assert!(text.contains(host), "{}: {host} is not named", source.name());
        }
    }
}

#[test]
fn every_row_names_tests_that_exist() {
    let mut tests = BTreeSet::new();
    functions(&crate_folder().join("src"), &mut tests);
    functions(&crate_folder().join("tests"), &mut tests);
    for (source, (_, rows)) in sections() {
        for row in rows {
            assert_eq!(row.len(), 6, "{source}: {row:?}");
            assert_eq!(named(&row[4]).len(), 1, "{source}: {row:?}: one written record");
            for test in named(&row[4]).into_iter().chain(named(&row[5])) {
                assert!(tests.contains(test), "{source}: no test {test} in the tree");
            }
            let is_said = row[5].starts_with("none ");
            assert!(is_said != (named(&row[5]).len() == 1), "{source}: {row:?}: a real record");
        }
    }
}

/// The words of the publishers that the parsers know, each of which needs a row.
#[test]
fn every_status_word_has_a_row() {
    let sections = sections();
    for (source, words) in [
        (
            "debian",
            &[
                "`resolved` with a version",
                "version `0`",
                "`open`",
                "`nodsa` without a reason",
                "`nodsa_reason: ignored`",
                "`nodsa_reason: postponed`",
                "`urgency: end-of-life`",
                "`undetermined`",
                "`urgency: unimportant`",
            ][..],
        ),
        (
            "ubuntu",
            &[
                "`released (VERSION)`",
                "`released-esm (VERSION)`",
                "`not-affected`",
                "`needed`",
                "`active`",
                "`in-progress`",
                "`pending`",
                "`needs-triage`",
                "`deferred`",
                "`ignored`",
                "`DNE`",
            ],
        ),
        ("alpine", &["a version and an id", "version `0` and an id"]),
        ("wolfi", &["a version and an id", "version `0` and an id"]),
        ("chainguard", &["a version and an id", "version `0` and an id"]),
        ("almalinux", &["`ALSA-…`", "`ALBA-…`", "`ALEA-…`"]),
        ("azurelinux", &["`patchable: true`", "`patchable: false`", "`patchable: Not Applicable`"]),
    ] {
        let (_, rows) = &sections[source];
        for word in words {
            let has = rows.iter().any(|row| row[0].contains(word));
            assert!(has, "{source}: no row for {word}");
        }
    }
}
