//! Rules for one file.

use std::path::Path;

/// Width of a line of code in characters.
const COLUMNS_MAX: usize = 100;

/// Names that say nothing; a module so called has no idea of its own.
const EMPTY_NAMES: &[&str] = &["util", "utils", "common", "core", "helper", "helpers", "misc"];

/// Checks a Rust file and returns how many lines of product code it has.
pub(super) fn check(
    file: &Path,
    text: &str,
    lines_max: usize,
    breaches: &mut Vec<String>,
) -> usize {
    let place = file.display();
    let lines: Vec<&str> = text.lines().collect();
    let is_test = file.iter().any(|part| part == "tests" || part == "benches")
        || file.iter().any(|part| part == "conformance")
        || file.file_name().is_some_and(|name| name == "tests.rs");
    let product_lines = lines
        .iter()
        .position(|line| *line == "#[cfg(test)]")
        .filter(|index| lines.get(index + 1).is_some_and(|next| next.starts_with("mod tests {")));
    let product_lines = product_lines.unwrap_or(lines.len());
    if product_lines > lines_max {
        breaches.push(format!("{place}: {product_lines} lines"));
    }
    if !lines.first().is_some_and(|line| line.starts_with("//!")) {
        breaches.push(format!("{place}:1: no prose says what this module is for"));
    }
    let stem = file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into());
    if EMPTY_NAMES.contains(&&*stem) {
        breaches.push(format!("{place}: {stem} is no name for a module"));
    }
    for (index, line) in lines.iter().enumerate() {
        if line.chars().count() > COLUMNS_MAX && !line.contains("http") {
            breaches.push(format!("{place}:{}: wider than {COLUMNS_MAX} columns", index + 1));
        }
    }
    if is_test { 0 } else { product_lines }
}

/// Checks any text file for words and attributes that must not stand in the tree.
pub(super) fn check_words(file: &Path, text: &str, breaches: &mut Vec<String>) {
    // The words are put together here, so that this file is no breach of its own rule.
    let banned = [
        ["TO", "DO"].concat(),
        ["FIX", "ME"].concat(),
        ["#[ign", "ore"].concat(),
        ["#[should", "_panic"].concat(),
        ["unimple", "mented!("].concat(),
        ["../sha", "red"].concat(),
    ];
    let is_allowed = file.starts_with(".ci") || file.file_name().is_some_and(|n| n == "Cargo.lock");
    if is_allowed {
        return;
    }
    for (index, line) in text.lines().enumerate() {
        for word in &banned {
            if contains_word(line, word) {
                breaches.push(format!("{}:{}: {word}", file.display(), index + 1));
            }
        }
    }
}

/// Whether `word` stands in `line` and is not a part of a longer word.
fn contains_word(line: &str, word: &str) -> bool {
    let is_letter = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    line.match_indices(word).any(|(start, _)| {
        !is_letter(line[..start].chars().next_back())
            && !is_letter(line[start + word.len()..].chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn breaches_of(name: &str, text: &str, lines_max: usize) -> Vec<String> {
        let mut breaches = Vec::new();
        check(Path::new(name), text, lines_max, &mut breaches);
        check_words(Path::new(name), text, &mut breaches);
        breaches
    }

    #[test]
    fn each_rule_finds_its_breach() {
        let good = "//! Prose.\nfn a() {}\n";
        assert_eq!(breaches_of("a.rs", good, 2), [""; 0]);
        for (name, text) in [
            ("util.rs", good.to_owned()),
            ("a.rs", "fn a() {}\n".to_owned()),
            ("a.rs", format!("{good}fn b() {{}}\n")),
            ("a.rs", format!("//! {}\n", "x".repeat(100))),
            ("a.rs", format!("//! {}{}: later\n", "TO", "DO")),
        ] {
            assert_eq!(breaches_of(name, &text, 2).len(), 1, "{name}: {text}");
        }
    }

    #[test]
    fn tests_in_a_file_do_not_count_as_its_lines() {
        let text = "//! Prose.\nfn a() {}\n#[cfg(test)]\nmod tests {\n}\n";
        assert_eq!(check(Path::new("a.rs"), text, 2, &mut Vec::new()), 2);
        assert_eq!(check(Path::new("src/conformance/a.rs"), text, 2, &mut Vec::new()), 0);
    }
}
