//! Compares `docs/catalogers.md` with the catalogers and the tests that there are.

use std::fs;
use std::path::Path;

use super::catalogers;

const PAGE: &str = include_str!("../../../../docs/catalogers.md");

/// The cells of every row whose first cell is a cataloger's name.
fn rows() -> Vec<Vec<String>> {
    let cells = |line: &str| -> Vec<String> {
        let cells = line.trim().trim_matches('|').split(" | ");
        cells.map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
    };
    PAGE.lines().filter(|line| line.starts_with("| `")).map(cells).collect()
}

/// All Rust text of this crate.
fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).expect("the crate's folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(&path).expect("a source file"));
        }
    }
}

#[test]
fn every_evidence_has_a_row_and_every_row_a_test() {
    let mut text = String::new();
    for folder in ["src", "tests"] {
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut text);
    }
    let rows = rows();
    let mut missing = Vec::new();
    for cataloger in catalogers() {
        for evidence in cataloger.evidence() {
            if !rows.iter().any(|row| row[0] == cataloger.name() && row[1] == *evidence) {
                missing.push(format!("no row: `{}` | `{evidence}`", cataloger.name()));
            }
        }
    }
    for row in &rows {
        let known = catalogers().any(|cataloger| {
            cataloger.name() == row[0] && cataloger.evidence().contains(&&*row[1])
        });
        if !known {
            missing.push(format!("no evidence: {row:?}"));
        }
        if row.len() != 4 || !text.contains(&format!("fn {}()", row[3])) {
            missing.push(format!("no test: {row:?}"));
        }
    }
    assert!(missing.is_empty(), "docs/catalogers.md:\n{}", missing.join("\n"));
}
