//! AlmaLinux's errata: records written in OSV's form, and what becomes of each of their words.

use super::*;
use crate::collector::Collector;

fn entry(release: &str, name: &str, fixed: &str) -> String {
    format!(
        r#"{{"package": {{"ecosystem": "AlmaLinux:{release}", "name": "{name}"}}, "ranges":
            [{{"type": "ECOSYSTEM", "events": [{{"introduced": "0"}}, {{"fixed": "{fixed}"}}]}}]}}"#
    )
}

fn record(id: &str, summary: &str, related: &str, affected: &[String]) -> String {
    format!(
        r#"{{"id": "{id}", "summary": "{summary}", "affected": [{}], "related": [{related}],
            "published": "2031-05-10T08:11:36Z", "modified": "2031-05-11T08:11:35Z",
            "details": "Text.", "references": []}}"#,
        affected.join(",")
    )
}

fn read(records: &[(&str, &str)]) -> Collector {
    Collector::read(&AlmaLinux, "8", records).unwrap()
}

fn read_one(summary: &str, affected: &[String]) -> Collector {
    let text = record("ALSA-2031:0001", summary, r#""CVE-2031-0001""#, affected);
    read(&[("ALSA-2031:0001.json", &text)])
}

/// Module and fixed versions of each statement about `name`.
fn modules<'a>(collector: &'a Collector, name: &str) -> Vec<(Option<&'a str>, Vec<&'a str>)> {
    collector
        .statements(name, "almalinux:8")
        .iter()
        .map(|(_, it)| {
            let fixed = it.ranges.iter().filter_map(|range| range.fixed.as_deref()).collect();
            (it.module.as_deref(), fixed)
        })
        .collect()
}

#[test]
fn a_security_erratum_is_fixed_below_its_version() {
    let text = record(
        "ALSA-2031:0001",
        "Important: demo security update",
        r#""CVE-2031-0002", "CVE-2031-0001""#,
        &[entry("8", "demo", "2:1.0-3.el8"), entry("9", "demo", "2:1.0-3.el9")],
    );
    let collector = read(&[("ALSA-2031:0001.json", &text)]);
    let advisory = &collector.advisories[0];
    assert_eq!(advisory.id, "ALSA-2031:0001");
    assert_eq!(advisory.vulnerabilities, ["CVE-2031-0001", "CVE-2031-0002"]);
    assert_eq!(advisory.severity, Some(Severity::High));
    assert_eq!(advisory.url.as_deref(), Some("https://errata.almalinux.org/8/ALSA-2031-0001.html"));
    assert_eq!(advisory.affected.len(), 1, "another release's package was taken");
    assert_eq!(advisory.affected[0].status, Status::Fixed);
    assert_eq!(modules(&collector, "demo"), [(None, vec!["2:1.0-3.el8"])]);
    assert_eq!(collector.summary.as_of, Some("2031-05-11T08:11:35Z".parse().unwrap()));
}

#[test]
fn bug_fix_and_enhancement_errata_are_no_vulnerabilities() {
    let parser = AlmaLinux.parser(&PartId::new("almalinux", "8"));
    for (name, wanted) in [
        ("ALSA-2031:0001.json", true),
        ("ALBA-2031:0001.json", false),
        ("ALEA-2031:0001.json", false),
        ("folder/ALBA-2031:0001.json", false),
        ("readme.txt", false),
    ] {
        assert_eq!(parser.wants(name), wanted, "{name}");
    }
    let text = record("ALBA-2031:0001", "demo update", "", &[entry("8", "demo", "1-1.el8")]);
    let collector = read(&[("x.json", &text)]);
    assert!(collector.advisories.is_empty(), "{:?}", collector.advisories);
}

#[test]
fn an_erratum_without_a_cve_keeps_its_own_id() {
    let text = record("ALSA-2031:0001", "Low: demo update", "", &[entry("8", "demo", "1-1.el8")]);
    let collector = read(&[("ALSA-2031:0001.json", &text)]);
    assert!(collector.advisories[0].vulnerabilities.is_empty());
    assert_eq!(collector.statements("demo", "almalinux:8").len(), 1);
}

#[test]
fn a_modular_version_speaks_only_of_its_stream() {
    let modular = "1.0-3.module_el8.6.0+2880+7d9e3703";
    let both = [entry("8", "demo", modular), entry("8", "demo-doc", "1.0-3.el8")];
    let check = |summary: &str, streams: &[&str]| {
        let collector = read_one(summary, &both);
        let expected: Vec<(Option<&str>, Vec<&str>)> =
            streams.iter().map(|stream| (Some(*stream), vec![modular])).collect();
        assert_eq!(modules(&collector, "demo"), expected, "{summary}");
        assert_eq!(modules(&collector, "demo-doc"), [(None, vec!["1.0-3.el8"])], "{summary}");
    };
    check("Important: demo:18 security update", &["demo:18"]);
    check(
        "Important: virt:rhel and virt-devel:rhel security update",
        &["virt:rhel", "virt-devel:rhel"],
    );
    check("Important: demo:18, demo-devel:18 security update", &["demo:18", "demo-devel:18"]);
    check("Important: demo:18/demo security update", &["demo:18"]);
    check("ALSA-2031:0001: demo:18 security update (Important)", &["demo:18"]);
    check("Important: demo security update", &["*"]);
    check("", &["*"]);
}

#[test]
fn a_headline_that_looks_like_a_stream_does_not_make_a_plain_package_modular() {
    let collector = read_one(
        "Moderate: kernel:4.18.0 security update",
        &[entry("8", "kernel", "4.18.0-553.el8")],
    );
    assert_eq!(modules(&collector, "kernel"), [(None, vec!["4.18.0-553.el8"])]);
}

#[test]
fn of_several_modular_builds_the_first_mends_and_of_plain_ones_all_count() {
    let collector = read_one(
        "Important: demo:18 security update",
        &[
            entry("8", "demo", "1.0-3.module_el8.6.0+3094+eb237fb8"),
            entry("8", "demo", "1.0-3.module_el8.6.0+2758+4f4474df"),
            entry("8", "other", "3.6.8-41.el8"),
            entry("8", "other", "3.6.8-41.el8.alma"),
        ],
    );
    let first = "1.0-3.module_el8.6.0+2758+4f4474df";
    assert_eq!(modules(&collector, "demo"), [(Some("demo:18"), vec![first])]);
    assert_eq!(modules(&collector, "other"), [(None, vec!["3.6.8-41.el8", "3.6.8-41.el8.alma"])]);
}

#[test]
fn the_first_word_of_the_summary_is_the_severity() {
    for (summary, severity) in [
        ("Critical: demo security update", Some(Severity::Critical)),
        ("Important: demo security update", Some(Severity::High)),
        ("Moderate: demo:1 security update", Some(Severity::Medium)),
        ("Low: demo security update", Some(Severity::Low)),
        ("ALSA-2031:0001: demo security update (Important)", Some(Severity::High)),
        ("demo security update", None),
        ("New: demo", None),
    ] {
        let collector = read_one(summary, &[]);
        assert_eq!(collector.advisories[0].severity, severity, "{summary}");
    }
}

#[test]
fn a_broken_record_costs_only_itself_and_a_zip_without_records_fails() {
    let good = record("ALSA-2031:0001", "Low: demo update", "", &[]);
    let collector = read(&[("ALSA-2031:0002.json", "{\"id\": 7}"), ("ALSA-2031:0001.json", &good)]);
    assert_eq!(collector.quarantined_subjects(), ["ALSA-2031:0002.json"]);
    assert_eq!(collector.advisories.len(), 1);
    let error = Collector::read(&AlmaLinux, "8", &[]).unwrap_err();
    assert_eq!(error.to_string(), "AlmaLinux:8/all.zip: holds no security erratum");
}

#[test]
fn each_release_is_a_part_with_its_own_zip() {
    let urls: Vec<String> =
        AlmaLinux.parts(2026).into_iter().map(|part| part.documents[0].url.clone()).collect();
    assert_eq!(urls[0], "https://osv-vulnerabilities.storage.googleapis.com/AlmaLinux:8/all.zip");
    assert_eq!(urls.len(), 3);
}
