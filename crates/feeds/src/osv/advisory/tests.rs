//! Records of each database behind osv.dev, cut down to what is tested.

use super::*;

#[track_caller]
fn convert_json(json: &str, name: &str, ecosystem: Ecosystem) -> Converted {
    let record = Record::parse(json.as_bytes()).expect("a record");
    convert(record, name, ecosystem).expect("an advisory")
}

/// A record about one package with the given further fields.
fn record(id: &str, more: &str, package: &str, more_affected: &str) -> String {
    format!(r#"{{"id": "{id}"{more}, "affected": [{{"package": {package}{more_affected}}}]}}"#)
}

const BELOW_2: &str =
    r#", "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.0"}]}]"#;

#[track_caller]
fn check_name(name: &str, ecosystem: Ecosystem, published: &str, expected: &str) {
    let package = format!(r#"{{"ecosystem": "{name}", "name": "{published}"}}"#);
    let converted = convert_json(&record("A-1", "", &package, BELOW_2), name, ecosystem);
    assert_eq!(converted.advisory.affected[0].package, expected);
}

#[test]
fn names_are_those_under_which_packages_are_looked_up() {
    check_name("PyPI", Ecosystem::Pypi, "Jw.Util", "jw-util");
    check_name("PyPI", Ecosystem::Pypi, "a-_.B", "a-b");
    check_name("NuGet", Ecosystem::Nuget, "Newtonsoft.Json", "newtonsoft.json");
    check_name("Packagist", Ecosystem::Composer, "Symfony/HTTP-kernel", "symfony/http-kernel");
    check_name("npm", Ecosystem::Npm, "@Scope/JSONStream", "@Scope/JSONStream");
    check_name("Maven", Ecosystem::Maven, "org.X:log4j", "org.X:log4j");
}

#[test]
fn trap_4_go_names_keep_their_case() {
    check_name(
        "Go",
        Ecosystem::Golang,
        "github.com/Masterminds/goutils",
        "github.com/Masterminds/goutils",
    );
    check_name("Go", Ecosystem::Golang, "stdlib", "stdlib");
    check_name("Go", Ecosystem::Golang, "toolchain", "toolchain");
}

#[test]
fn trap_4_custom_ranges_are_told_but_not_matched() {
    let json = record(
        "GO-2024-1",
        "",
        r#"{"ecosystem": "Go", "name": "example.com/ingress"}"#,
        r#", "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}],
            "ecosystem_specific": {"custom_ranges": [{"type": "ECOSYSTEM",
                "events": [{"introduced": "1.2"}, {"fixed": "1.9"}, {"introduced": "0"}]}]}"#,
    );
    let affected = &convert_json(&json, "Go", Ecosystem::Golang).advisory.affected[0];
    assert_eq!(affected.ranges, [Range::default()]);
    assert_eq!(affected.status, Status::Affected);
    let remark = affected.remark.as_deref().unwrap_or_default();
    assert!(remark.starts_with("project's own versions: ") && remark.contains("<1.9"), "{remark}");
}

#[test]
fn trap_4_limits_of_all_imports_limit_the_module() {
    let json = record(
        "GO-2021-1",
        "",
        r#"{"ecosystem": "Go", "name": "stdlib"}"#,
        r#", "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.13.13"},
                {"introduced": "1.14.0-0"}, {"fixed": "1.14.5"}]}],
            "ecosystem_specific": {"imports": [{"path": "crypto/x509", "goos": ["windows"],
                "symbols": ["Certificate.systemVerify"]}]}"#,
    );
    let affected = &convert_json(&json, "Go", Ecosystem::Golang).advisory.affected[0];
    assert_eq!(affected.platforms, ["windows"]);
    assert_eq!(affected.ranges.len(), 2);
    assert_eq!(affected.ranges[1].introduced.as_deref(), Some("1.14.0-0"));
}

#[test]
fn trap_5_versions_are_kept_where_no_range_covers_them() {
    let json = record(
        "PYSEC-2020-1",
        "",
        r#"{"ecosystem": "PyPI", "name": "x"}"#,
        &format!(r#"{BELOW_2}, "versions": ["1.0", "3.0", "1.5", "3.0", ""]"#),
    );
    let affected = &convert_json(&json, "PyPI", Ecosystem::Pypi).advisory.affected[0];
    assert_eq!(affected.versions, ["3.0"]);
    assert_eq!(affected.status, Status::Fixed);
}

#[test]
fn trap_5_informational_entries_carry_their_reason() {
    let json = record(
        "RUSTSEC-2021-1",
        "",
        r#"{"ecosystem": "crates.io", "name": "stale"}"#,
        r#", "ranges": [{"type": "SEMVER", "events": [{"introduced": "0.0.0-0"}]}], "versions": [],
            "database_specific": {"categories": [], "cvss": null, "informational": "unmaintained"},
            "ecosystem_specific": {"affects": {"arch": ["x86_64"], "os": ["macos"],
                "functions": []}}"#,
    );
    let advisory = convert_json(&json, "crates.io", Ecosystem::Cargo).advisory;
    assert_eq!(advisory.informational.as_deref(), Some("unmaintained"));
    assert_eq!(advisory.affected[0].platforms, ["darwin/amd64"]);
    assert_eq!(advisory.url.as_deref(), Some("https://rustsec.org/advisories/RUSTSEC-2021-1.html"));
}

#[test]
fn packages_of_other_ecosystems_are_left_to_their_own_zip() {
    let json = format!(
        r#"{{"id": "GHSA-1", "affected": [
            {{"package": {{"ecosystem": "npm", "name": "a"}}{BELOW_2}}},
            {{"package": {{"ecosystem": "PyPI", "name": "b"}}{BELOW_2}}},
            {{"package": {{"ecosystem": "npm", "name": "a"}}, "versions": ["7.0"]}}]}}"#
    );
    let advisory = convert_json(&json, "npm", Ecosystem::Npm).advisory;
    let names: Vec<&str> = advisory.affected.iter().map(|one| one.package.as_str()).collect();
    assert_eq!(names, ["a", "a"]);
}

#[test]
fn a_statement_without_versions_never_means_all_versions() {
    let git = r#", "ranges": [{"type": "GIT", "events": [{"introduced": "0"}]}]"#;
    for (more, why) in [(git, "only git commits are named"), ("", "no version is named")] {
        let json = record("GHSA-1", "", r#"{"ecosystem": "npm", "name": "a"}"#, more);
        let converted = convert_json(&json, "npm", Ecosystem::Npm);
        assert!(converted.advisory.affected.is_empty());
        assert_eq!(converted.remarks, [format!("a: not matched, {why}")]);
    }
}

#[test]
fn versions_that_are_no_list_count_only_where_ranges_make_up_for_them() {
    let package = r#"{"ecosystem": "RubyGems", "name": "a"}"#;
    let json = record("GHSA-1", "", package, &format!(r#"{BELOW_2}, "versions": 188"#));
    let converted = convert_json(&json, "RubyGems", Ecosystem::Gem);
    assert_eq!(converted.advisory.affected[0].ranges, [Range::below("2.0")]);
    assert_eq!(converted.remarks.len(), 1);
    let alone = record("GHSA-1", "", package, r#", "versions": 188"#);
    let alone = Record::parse(alone.as_bytes()).expect("a record");
    assert!(convert(alone, "RubyGems", Ecosystem::Gem).is_err());
}

#[track_caller]
fn check_severity(id: &str, more: &str, expected: Option<Severity>) {
    let json = record(id, more, r#"{"ecosystem": "npm", "name": "a"}"#, BELOW_2);
    let advisory = convert_json(&json, "npm", Ecosystem::Npm).advisory;
    assert_eq!(advisory.severity, expected, "{id} {more}");
}

#[test]
fn severity_is_the_word_then_the_newest_score() {
    let v3 = r#"{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}"#;
    let v2 = r#"{"type": "CVSS_V2", "score": "AV:L/AC:H/Au:M/C:P/I:N/A:N"}"#;
    let bad = r#"{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N"}"#;
    check_severity("GHSA-1", "", None);
    check_severity("GHSA-1", &format!(r#", "severity": [{v2}, {v3}]"#), Some(Severity::Critical));
    check_severity("GHSA-1", &format!(r#", "severity": [{bad}, {v2}]"#), Some(Severity::Low));
    let word = r#", "database_specific": {"severity": "MODERATE"}"#;
    check_severity("GHSA-1", &format!(r#"{word}, "severity": [{v3}]"#), Some(Severity::Medium));
    check_severity("MAL-2024-1", "", Some(Severity::Critical));
}

#[test]
fn scores_of_a_package_count_for_the_record_that_has_none() {
    let json = record(
        "BIT-a-2020-1",
        r#", "aliases": ["CVE-2020-11998"]"#,
        r#"{"ecosystem": "Bitnami", "name": "a"}"#,
        &format!(
            r#"{BELOW_2}, "severity": [{{"type": "CVSS_V3",
                "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}}]"#
        ),
    );
    let advisory = convert_json(&json, "Bitnami", Ecosystem::Bitnami).advisory;
    assert_eq!(advisory.cvss.len(), 1);
    assert_eq!(advisory.cvss[0].source, "bitnami");
    assert_eq!(advisory.affected[0].severity, Some(Severity::Critical));
    assert_eq!(advisory.vulnerabilities, ["CVE-2020-11998"]);
}

#[test]
fn gos_zero_time_is_no_date() {
    let json = record(
        "GO-2023-1",
        r#", "published": "0001-01-01T00:00:00Z", "modified": "2025-08-18T13:21:40Z""#,
        r#"{"ecosystem": "Go", "name": "m"}"#,
        BELOW_2,
    );
    let advisory = convert_json(&json, "Go", Ecosystem::Golang).advisory;
    assert_eq!(advisory.published, None);
    assert_eq!(advisory.modified.map(|at| at.to_string()).as_deref(), Some("2025-08-18T13:21:40Z"));
}

#[test]
fn a_withdrawn_record_is_kept_and_marked() {
    let json = record(
        "GHSA-1",
        r#", "withdrawn": "2024-08-21T16:25:56Z""#,
        r#"{"ecosystem": "npm", "name": "a"}"#,
        BELOW_2,
    );
    let advisory = convert_json(&json, "npm", Ecosystem::Npm).advisory;
    assert_eq!(
        advisory.withdrawn.map(|at| at.to_string()).as_deref(),
        Some("2024-08-21T16:25:56Z")
    );
    assert_eq!(advisory.affected.len(), 1);
}

#[test]
fn related_ids_are_other_flaws() {
    let json = record(
        "GO-2020-1",
        r#", "aliases": ["CVE-2020-15216", "GHSA-b"], "related": ["CVE-2020-26290", "GHSA-c"]"#,
        r#"{"ecosystem": "Go", "name": "m"}"#,
        BELOW_2,
    );
    let advisory = convert_json(&json, "Go", Ecosystem::Golang).advisory;
    assert_eq!(advisory.vulnerabilities, ["CVE-2020-15216"]);
    assert_eq!(advisory.aliases, ["GHSA-b"]);
}
