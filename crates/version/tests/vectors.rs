//! Runs the vectors in `tests/data`, made by each scheme's own tool (`scripts/vectors/make`).
//!
//! Every row is compared both ways and by sort key; every refused text must be refused.

use std::cmp::Ordering;
use std::fs;
use std::path::PathBuf;

use pratique_version::{Prereleases, Requirement, RequirementOptions, Scheme, check_row, operator};

/// Fewer rows mean that a file was lost, not that a scheme is simple.
const ROWS_MIN: usize = 1000;

/// How many failures are printed.
const SHOWN_MAX: usize = 20;

fn data(name: &str) -> Option<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    fs::read_to_string(path).ok()
}

fn check(scheme: Scheme) {
    let text = data(&format!("{scheme}.txt")).expect("the scheme has vectors");
    let mut failures = Vec::new();
    let mut rows = 0;
    for line in text.lines() {
        match check_row(scheme, line) {
            None => continue,
            Some(Ok(())) => failures.extend(check_consistency(scheme, line)),
            Some(Err(failure)) => failures.push(format!("{line}: {failure}")),
        }
        rows += 1;
    }
    assert!(rows >= ROWS_MIN, "{scheme}: only {rows} rows");
    let refused = data(&format!("{scheme}-refused.txt")).unwrap_or_default();
    for version in refused.lines().filter(|line| !line.starts_with('#')) {
        if scheme.check(version).is_ok() {
            failures.push(format!("{version}: the tool refuses it"));
        }
    }
    let shown = &failures[..failures.len().min(SHOWN_MAX)];
    assert!(failures.is_empty(), "{scheme}: {} of {rows}:\n{}", failures.len(), shown.join("\n"));
}

/// A row that holds must hold read from right to left, and by sort key.
fn check_consistency(scheme: Scheme, line: &str) -> Option<String> {
    let mut fields = line.split_whitespace();
    let (left, right) = (fields.next()?, fields.nth(1)?);
    let order = scheme.compare(left, right).expect("the row holds");
    let reverse = scheme.compare(right, left).expect("the row holds");
    let (left_key, right_key) = (scheme.key(left), scheme.key(right));
    let key_order = left_key.expect("the row holds").cmp(&right_key.expect("the row holds"));
    if reverse != order.reverse() {
        return Some(format!("{line}: reversed it is {}", operator(reverse)));
    }
    if key_order != order && !is_circular(scheme, left, right, order) {
        return Some(format!("{line}: by key it is {}", operator(key_order)));
    }
    None
}

/// Whether Maven's answer is one of those that no order can give (docs/versions.md): the release,
/// which both texts begin with, lies between the two on the other side.
fn is_circular(scheme: Scheme, left: &str, right: &str, order: Ordering) -> bool {
    let common = left.bytes().zip(right.bytes()).take_while(|(a, b)| a == b).count();
    scheme == Scheme::Maven
        && (1..=common).filter(|&end| left.is_char_boundary(end)).any(|end| {
            let through = &left[..end];
            let first = scheme.compare(left, through).expect("any text is a version");
            let second = scheme.compare(through, right).expect("any text is a version");
            first == second && first == order.reverse()
        })
}

#[test]
fn deb_rows_hold() {
    check(Scheme::Deb);
}

#[test]
fn apk_rows_hold() {
    check(Scheme::Apk);
}

#[test]
fn rpm_rows_hold() {
    check(Scheme::Rpm);
}

#[test]
fn pypi_rows_hold() {
    check(Scheme::Pypi);
}

#[test]
fn semver_rows_hold() {
    check(Scheme::Semver);
}

#[test]
fn npm_rows_hold() {
    check(Scheme::Npm);
}

#[test]
fn golang_rows_hold() {
    check(Scheme::Golang);
}

#[test]
fn maven_rows_hold() {
    check(Scheme::Maven);
}

#[test]
fn gem_rows_hold() {
    check(Scheme::Gem);
}

#[test]
fn composer_rows_hold() {
    check(Scheme::Composer);
}

#[test]
fn nuget_rows_hold() {
    check(Scheme::Nuget);
}

fn check_ranges(scheme: Scheme, name: &str, options: RequirementOptions) {
    let text = data(&format!("{name}.txt")).expect("the scheme has range vectors");
    let mut failures = Vec::new();
    let mut rows = 0;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.splitn(3, ' ');
        let (Some(version), Some(expected), Some(range)) =
            (fields.next(), fields.next(), fields.next())
        else {
            panic!("{name}: no row: {line:?}");
        };
        let matched = Requirement::parse_with(scheme, range, options)
            .map_err(|error| error.to_string())
            .and_then(|range| range.matches(version).map_err(|error| error.to_string()));
        let actual = match &matched {
            Ok(true) => "in",
            Ok(false) => "out",
            Err(_) => "!",
        };
        if actual != expected {
            failures.push(format!("{line}: {matched:?}"));
        }
        rows += 1;
    }
    assert!(rows >= ROWS_MIN, "{name}: only {rows} rows");
    let shown = &failures[..failures.len().min(SHOWN_MAX)];
    assert!(failures.is_empty(), "{name}: {} of {rows}:\n{}", failures.len(), shown.join("\n"));
}

const NATIVE: RequirementOptions =
    RequirementOptions { prereleases: Prereleases::Native, loose: false };

#[test]
fn pypi_ranges_hold() {
    check_ranges(Scheme::Pypi, "pypi-ranges", NATIVE);
    let finals = RequirementOptions { prereleases: Prereleases::Excluded, ..NATIVE };
    check_ranges(Scheme::Pypi, "pypi-ranges-finals", finals);
}

#[test]
fn npm_ranges_hold() {
    check_ranges(Scheme::Npm, "npm-ranges", NATIVE);
    let all = RequirementOptions { prereleases: Prereleases::Included, ..NATIVE };
    check_ranges(Scheme::Npm, "npm-ranges-prereleases", all);
    let loose = RequirementOptions { loose: true, ..NATIVE };
    check_ranges(Scheme::Npm, "npm-ranges-loose", loose);
}

#[test]
fn maven_ranges_hold() {
    check_ranges(Scheme::Maven, "maven-ranges", NATIVE);
}

#[test]
fn gem_ranges_hold() {
    check_ranges(Scheme::Gem, "gem-ranges", NATIVE);
}

#[test]
fn composer_ranges_hold() {
    check_ranges(Scheme::Composer, "composer-ranges", NATIVE);
}
