//! Ranges whose tool makes no vectors, and what no range takes.

use super::*;

/// Versions that the range takes, and versions that it does not.
#[track_caller]
fn check(scheme: Scheme, range: &str, inside: &str, outside: &str) {
    let requirement = Requirement::parse(scheme, range).expect("the range is valid");
    for (texts, expected) in [(inside, true), (outside, false)] {
        for version in texts.split_whitespace() {
            assert_eq!(requirement.matches(version), Ok(expected), "{scheme} {range}: {version}");
        }
    }
}

#[track_caller]
fn check_refused(scheme: Scheme, ranges: &[&str]) {
    for range in ranges {
        let error = Requirement::parse(scheme, range).expect_err("the range is refused");
        assert_eq!((error.scheme, &*error.text), (scheme, *range));
    }
}

#[test]
fn cargo_requirements_hold() {
    let check = |range, inside, outside| check(Scheme::Semver, range, inside, outside);
    check("1.2.3", "1.2.3 1.9.0", "1.2.2 2.0.0 1.2.3-a 1.3.0-a 2.0.0-a");
    check("^0.2.3", "0.2.3 0.2.9", "0.3.0 0.2.2 1.2.3");
    check("^0.0.3", "0.0.3", "0.0.4 0.1.3");
    check("^0.0", "0.0.0 0.0.9", "0.1.0");
    check("^0", "0.0.0 0.9.9", "1.0.0");
    check("~1.2.3", "1.2.3 1.2.9", "1.3.0 1.2.2");
    check("~1.2", "1.2.0 1.2.9", "1.3.0");
    check("~1", "1.0.0 1.9.0", "2.0.0");
    check("=1.2", "1.2.0 1.2.9", "1.3.0");
    check(">1.2", "1.3.0", "1.2.9");
    check("<=1.2", "1.2.9 1.0.0", "1.3.0");
    check(">=1.0, <1.2.3", "1.0.0 1.2.2", "1.2.3 0.9.0");
    check("1.*", "1.0.0 1.9.0", "2.0.0");
    check("1.2.*", "1.2.9", "1.3.0");
    check("*", "0.0.0 9.9.9", "1.0.0-a");
    check(">=1, =1.0.0-a", "", "1.0.0-a");
    check("^1, =1.0.0-a", "1.0.0-a", "1.0.0");
    check(">=1.0.0-a, <2", "1.0.0-b 1.0.0 1.5.0", "1.0.1-a 2.0.0 1.0.0-0");
    check_refused(Scheme::Semver, &["", "1.2.3.4", "1.*.3", "01.2", ">=", "1.2-a", "a", "1,"]);
    let options =
        RequirementOptions { prereleases: Prereleases::Included, ..RequirementOptions::default() };
    let range = Requirement::parse_with(Scheme::Semver, ">=1.0, <2", options).expect("valid");
    assert_eq!(range.matches("1.5.0-a"), Ok(true));
}

#[test]
fn nuget_intervals_hold() {
    let check = |range, inside, outside| check(Scheme::Nuget, range, inside, outside);
    check("1.0", "1.0 1.0.0.1 9.0", "0.9 1.0-a");
    check("[1.0,2.0)", "1.0 1.9 2.0-a", "2.0 0.9");
    check("(1.0,2.0]", "1.0.1 2.0", "1.0 2.0.1");
    check("(,1.0]", "0 1.0", "1.0.1");
    check("[1.0]", "1.0 1.0.0", "1.0.1");
    check("(,)", "0 9", "");
    check_refused(
        Scheme::Nuget,
        &["", "(1.0)", "[1.0", "[2.0,1.0]", "(1.0,1.0)", "1.*", "[]", "[a]"],
    );
}

#[test]
fn distributions_and_go_have_no_ranges() {
    for scheme in [Scheme::Deb, Scheme::Apk, Scheme::Rpm, Scheme::Golang] {
        let error = Requirement::parse(scheme, ">= 1").expect_err("there are none");
        assert_eq!(error.to_string(), format!("{scheme} range \">= 1\": the scheme has no ranges"));
    }
}

#[test]
fn a_refused_version_is_an_error_and_not_outside() {
    for (scheme, range) in [(Scheme::Pypi, ">=1"), (Scheme::Npm, "^1"), (Scheme::Gem, "> 1")] {
        let range = Requirement::parse(scheme, range).expect("valid");
        assert_eq!(range.matches("x").expect_err("no version").scheme, scheme);
    }
    let range = Requirement::parse(Scheme::Pypi, "===x").expect("valid");
    assert_eq!(range.matches("X"), Ok(true), "=== takes what is no version");
}
