//! The rules of the house that a compiler does not know, checked over the tree's text.
//!
//! Sizes of crates and files, width of lines, which crate may know which, prose at the top of each
//! module, words and attributes that must not stand in the tree, and the size of all fixtures.
//! The length of functions, missing documentation and `unwrap` are clippy's and rustc's to find.

use std::fs;
use std::path::{Path, PathBuf};

mod arrow;
mod source;

/// Lines of product code in one crate, without tests.
const CRATE_LINES_MAX: usize = 8_000;
/// The same for `store`, which has two drivers, and everything that is remembered behind one door:
/// no other crate may speak SQL.
const STORE_LINES_MAX: usize = 13_000;
/// Lines of one file, tests within it not counted.
const FILE_LINES_MAX: usize = 500;
/// All test data in the tree, in bytes: it is cloned by everybody.
const FIXTURE_BYTES_MAX: u64 = 10 * 1024 * 1024;

/// Prints every breach and fails if there is one.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let breaches = breaches(root)?;
    for breach in &breaches {
        println!("{breach}");
    }
    if breaches.is_empty() { Ok(()) } else { Err(format!("{} breaches", breaches.len())) }
}

/// Every breach in the tree, `file:line: what`, sorted.
fn breaches(root: &Path) -> Result<Vec<String>, String> {
    let mut breaches = Vec::new();
    let files = tracked_files(root)?;
    for krate in crates(root)? {
        let mut crate_lines = 0;
        for file in files.iter().filter(|file| file.starts_with(&krate)) {
            if file.extension().is_some_and(|extension| extension == "rs") {
                let text = read(root, file)?;
                crate_lines += source::check(file, &text, FILE_LINES_MAX, &mut breaches);
            }
        }
        let is_store = krate.ends_with("store");
        if crate_lines > if is_store { STORE_LINES_MAX } else { CRATE_LINES_MAX } {
            breaches.push(format!("{}: {crate_lines} lines without tests", krate.display()));
        }
        let manifest = krate.join("Cargo.toml");
        arrow::check(&manifest, &read(root, &manifest)?, &mut breaches);
    }
    let mut fixture_bytes = 0;
    for file in &files {
        let is_fixture =
            ["data", "golden", "fixtures"].iter().any(|name| file.iter().any(|part| part == *name));
        if is_fixture {
            fixture_bytes += fs::metadata(root.join(file)).map_or(0, |metadata| metadata.len());
        }
        source::check_words(file, &read_lossy(root, file)?, &mut breaches);
    }
    if fixture_bytes > FIXTURE_BYTES_MAX {
        breaches.push(format!("fixtures: {fixture_bytes} bytes in all"));
    }
    breaches.sort();
    Ok(breaches)
}

/// Folders of all crates, relative to the root.
fn crates(root: &Path) -> Result<Vec<PathBuf>, String> {
    let mut folders = vec![PathBuf::from("xtask")];
    let entries = fs::read_dir(root.join("crates")).map_err(|e| format!("crates: {e}"))?;
    for entry in entries {
        let entry = entry.map_err(|e| format!("crates: {e}"))?;
        folders.push(Path::new("crates").join(entry.file_name()));
    }
    folders.sort();
    Ok(folders)
}

/// Every file of the tree, relative to the root: what git does not ignore, or, where there is no
/// git, everything outside `target` and hidden folders.
fn tracked_files(root: &Path) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let path = root.join(&folder);
        let entries = fs::read_dir(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        for entry in entries {
            let entry = entry.map_err(|e| format!("{}: {e}", path.display()))?;
            let name = entry.file_name();
            let kind = entry.file_type().map_err(|e| format!("{}: {e}", path.display()))?;
            let is_left_out = name == "target" || name == ".git";
            if kind.is_dir() && !is_left_out {
                folders.push(folder.join(name));
            } else if kind.is_file() && name != ".git" {
                files.push(folder.join(name));
            }
        }
    }
    files.sort();
    Ok(files)
}

fn read(root: &Path, file: &Path) -> Result<String, String> {
    fs::read_to_string(root.join(file)).map_err(|e| format!("{}: {e}", file.display()))
}

fn read_lossy(root: &Path, file: &Path) -> Result<String, String> {
    let bytes = fs::read(root.join(file)).map_err(|e| format!("{}: {e}", file.display()))?;
    Ok(if bytes.contains(&0) { String::new() } else { String::from_utf8_lossy(&bytes).into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_keeps_the_rules_of_the_house() {
        let breaches = breaches(&crate::root()).expect("the tree is readable");
        assert!(breaches.is_empty(), "{}", breaches.join("\n"));
    }
}
