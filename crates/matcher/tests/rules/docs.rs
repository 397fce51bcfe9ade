//! `docs/matching.md` names a test for every rule; they exist.

use std::path::Path;

/// The functions that tests may be, in the files of this crate.
fn tests_of(folder: &Path, names: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("the folder is read") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            tests_of(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("the file is read");
            let lines: Vec<&str> = text.lines().map(str::trim).collect();
            let is_test = |line: &str| line == "#[test]" || line.starts_with("#[tokio::test");
            let functions = lines.windows(2).filter(|pair| is_test(pair[0]));
            names.extend(functions.filter_map(|pair| {
                let name = pair[1].trim_start_matches("async ").strip_prefix("fn ")?;
                name.split('(').next().map(str::to_owned)
            }));
        }
    }
}

#[test]
fn every_rule_of_the_page_has_a_test_and_every_test_a_rule() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = Vec::new();
    tests_of(&root.join("src"), &mut tests);
    tests_of(&root.join("tests"), &mut tests);
    let page = std::fs::read_to_string(root.join("../../docs/matching.md")).expect("the page");
    let rows: Vec<&str> =
        page.lines().filter(|line| line.starts_with("| ") && line.contains(" | `")).collect();
    let named: Vec<&str> = rows
        .iter()
        .filter_map(|row| row.trim_end_matches([' ', '|']).rsplit(" | ").next())
        .flat_map(|cell| cell.split(", "))
        .map(|name| name.trim_matches('`'))
        .collect();
    assert!(rows.len() > 20, "the page has lost its tables");
    for name in &named {
        assert!(tests.iter().any(|test| test == name), "the page names {name}, which is no test");
    }
    for test in &tests {
        assert!(named.contains(&&**test), "no rule of the page names {test}");
    }
}
