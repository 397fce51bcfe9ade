//! Ubuntu's tracker: files written in its form, and what becomes of each status word.

use pratique_model::{Affected, Range, Status};

use super::*;
use crate::collector::Collector;

fn read(text: &str) -> Collector {
    Collector::read(&Ubuntu, "ubuntu", &[("u-master/active/CVE-2031-0001", text)]).unwrap()
}

fn file(lines: &str) -> String {
    format!("Candidate: CVE-2031-0001\nPriority: medium\n\n{lines}\n")
}

/// The only statement about `demo` in bionic that comes of these lines.
fn of(lines: &str) -> Option<Affected> {
    let collector = read(&file(lines));
    assert_eq!(collector.quarantined, [], "{lines}");
    let found = collector.statements("demo", "ubuntu:18.04");
    assert!(found.len() <= 1, "{lines}: {found:?}");
    found.first().map(|(_, affected)| (*affected).clone())
}

#[track_caller]
fn check(lines: &str, status: Status, remark: Option<&str>, fixed: Option<&str>) {
    let affected = of(lines).unwrap_or_else(|| panic!("nothing is said by {lines}"));
    assert_eq!(affected.status, status, "{lines}");
    assert_eq!(affected.remark.as_deref(), remark, "{lines}");
    let ranges: Vec<Range> = fixed.map(Range::below).into_iter().collect();
    assert_eq!(affected.ranges, ranges, "{lines}");
}

#[test]
fn released_is_fixed_below_its_version() {
    for note in [
        "(1.2-3)",
        "[1.2-3]",
        "(1.2-3 )",
        "( 1.2-3)",
        "((1.2-3)",
        "1.2-3)",
        "(demo - 1.2-3)",
        "(1.2-3, 1.3-1)",
        "(1.2-3)needs-triage",
    ] {
        check(&format!("bionic_demo: released {note}"), Status::Fixed, None, Some("1.2-3"));
    }
}

#[test]
fn released_without_a_version_is_undetermined() {
    check("bionic_demo: released", Status::Undetermined, Some("released"), None);
    check("bionic_demo: released ()", Status::Undetermined, Some("released"), None);
}

#[test]
fn not_affected_is_not_affected_whatever_the_note() {
    for note in ["", " (1.2-3)", " (code not present)", " ()"] {
        check(&format!("bionic_demo: not-affected{note}"), Status::NotAffected, None, None);
    }
}

#[test]
fn needed_is_affected() {
    check("bionic_demo: needed", Status::Affected, Some("needed"), None);
}

#[test]
fn active_is_affected() {
    check("bionic_demo: active", Status::Affected, Some("active"), None);
    check("bionic_demo: in-progress", Status::Affected, Some("in-progress"), None);
}

#[test]
fn pending_is_affected_until_its_version() {
    check("bionic_demo: pending (1.2-3)", Status::Affected, Some("pending"), Some("1.2-3"));
    check("bionic_demo: pending", Status::Affected, Some("pending"), None);
}

#[test]
fn needs_triage_is_under_investigation() {
    check("bionic_demo: needs-triage", Status::UnderInvestigation, Some("needs-triage"), None);
}

#[test]
fn deferred_is_a_deferred_fix() {
    for note in ["", " (2031-01-01)", " [2031-01-01]"] {
        let lines = format!("bionic_demo: deferred{note}");
        check(&lines, Status::FixDeferred, Some("deferred"), None);
    }
}

#[test]
fn ignored_is_end_of_life_or_will_not_be_fixed_by_its_note() {
    for note in [
        "reached end-of-life",
        "end of life",
        "out of standard support",
        "end of standard support, was needed",
        "upstream demo is EoL",
        "was needed now end-of-life",
    ] {
        let lines = format!("bionic_demo: ignored ({note})");
        check(&lines, Status::EndOfLife, Some("ignored"), None);
    }
    for note in ["", " (abandoned)", " (no update available)", " [upstream wontfix]", " (geology)"]
    {
        let lines = format!("bionic_demo: ignored{note}");
        check(&lines, Status::WillNotFix, Some("ignored"), None);
    }
}

#[test]
fn dne_says_nothing() {
    assert_eq!(of("bionic_demo: DNE"), None);
    assert_eq!(of("bionic_demo: DNE (bionic was needed)"), None);
    assert_eq!(of("bionic_demo:"), None);
}

#[test]
fn a_fix_that_only_the_extension_has_clears_nobody_without_it() {
    for extension in ["bionic/esm", "esm-infra/bionic", "esm-apps/bionic"] {
        for free in ["ignored (end of standard support)", "needed", "DNE", "deferred", "pending"] {
            let lines =
                format!("bionic_demo: {free}\n{extension}_demo: released (1.2-3ubuntu1+esm1)");
            check(&lines, Status::Fixed, Some("esm"), Some("1.2-3ubuntu1+esm1"));
        }
    }
    check(
        "bionic_demo: released-esm (1.2-3ubuntu1+esm1)",
        Status::Fixed,
        Some("esm"),
        Some("1.2-3ubuntu1+esm1"),
    );
}

#[test]
fn a_free_statement_stands_beside_that_of_the_extension() {
    let with = |free: &str, extension: &str| {
        format!("bionic_demo: {free}\nesm-infra/bionic_demo: {extension}")
    };
    check(&with("released (1.2-3)", "released (1.2-3+esm1)"), Status::Fixed, None, Some("1.2-3"));
    check(&with("not-affected", "needed"), Status::NotAffected, None, None);
    check(&with("needed", "not-affected"), Status::Affected, Some("needed"), None);
    let ended = "ignored (end of standard support)";
    check(&with(ended, "needed"), Status::EndOfLife, Some("ignored"), None);
    check(&with(ended, "not-affected (code not present)"), Status::NotAffected, None, None);
    check(&with("DNE", "needs-triage"), Status::UnderInvestigation, Some("needs-triage"), None);
    assert_eq!(of(&with("DNE", "DNE")), None);
    check(
        "esm-infra/bionic_demo: needed\nesm-apps/bionic_demo: released (1.2-3+esm1)",
        Status::Fixed,
        Some("esm"),
        Some("1.2-3+esm1"),
    );
}

#[test]
fn releases_are_told_apart_and_products_are_left_out() {
    let collector = read(&file(
        "upstream_demo: released (9)\ndevel_demo: needed\nproduct_demo: needed\n\
         vivid/ubuntu-core_demo: needed\nfips/bionic_demo: needed\nzurg_demo: needed\n\
         zurg_other: needed\njammy_demo: needed\ntrusty_demo: ignored\nbionic_other: needed",
    ));
    let found: Vec<(&str, &str)> = collector.advisories[0]
        .affected
        .iter()
        .map(|it| (it.release.as_ref().unwrap().as_str(), it.package.as_str()))
        .collect();
    assert_eq!(
        found,
        [("ubuntu:22.04", "demo"), ("ubuntu:14.04", "demo"), ("ubuntu:18.04", "other")]
    );
    assert_eq!(collector.note_subjects(), ["zurg"]);
}

#[test]
fn priorities_are_severities_of_the_entry_and_of_its_packages() {
    let severities = |text: &str| {
        let collector = read(text);
        let advisory = collector.advisories[0].clone();
        let of_packages: Vec<_> = advisory.affected.iter().map(|it| it.severity).collect();
        (advisory.severity, of_packages)
    };
    for (word, severity) in [
        ("critical", Some(Severity::Critical)),
        ("high", Some(Severity::High)),
        ("medium", Some(Severity::Medium)),
        ("low (javascript not enabled)", Some(Severity::Low)),
        ("negligible", Some(Severity::Negligible)),
        ("untriaged", None),
        ("", None),
    ] {
        let text = format!("Candidate: CVE-2031-0001\nPriority: {word}\nbionic_demo: needed\n");
        assert_eq!(severities(&text), (severity, vec![None]), "{word}");
    }
    let text = "Candidate: CVE-2031-0001\nPriority: low\nPriority_demo: high\n\
                Priority_demo_bionic: critical\nbionic_demo: needed\njammy_demo: needed\n\
                jammy_other: needed\n";
    assert_eq!(
        severities(text),
        (Some(Severity::Low), vec![Some(Severity::Critical), Some(Severity::High), None])
    );
}

#[test]
fn the_entry_carries_date_text_and_scores() {
    let collector = read(
        "Candidate: CVE-2031-0001\nPublicDate: 2031-03-27\nDescription:\n A flaw.\nCVSS:\n \
         nvd: CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H [9.8 CRITICAL]\n nvd: CVSS:9/X\n",
    );
    let advisory = &collector.advisories[0];
    assert_eq!(advisory.summary.as_deref(), Some("A flaw."));
    assert_eq!(advisory.url.as_deref(), Some("https://ubuntu.com/security/CVE-2031-0001"));
    assert_eq!(advisory.vulnerabilities, ["CVE-2031-0001"]);
    assert_eq!(advisory.published, Some("2031-03-27T00:00:00Z".parse().unwrap()));
    let scores: Vec<(f64, &str)> =
        advisory.cvss.iter().map(|cvss| (cvss.score, cvss.source.as_str())).collect();
    assert_eq!(scores, [(9.8, "nvd")]);
    assert_eq!(collector.note_subjects(), ["CVE-2031-0001"]);
}

#[test]
fn only_cves_of_active_and_retired_are_wanted() {
    let parser = Ubuntu.parser(&PartId::new("ubuntu", "ubuntu"));
    for (path, wanted) in [
        ("ubuntu-cve-tracker-master/active/CVE-2031-0001", true),
        ("ubuntu-cve-tracker-master/retired/CVE-2006-NNN0", true),
        ("ubuntu-cve-tracker-master/ignored/CVE-2031-0001", false),
        ("ubuntu-cve-tracker-master/active/00boilerplate.linux", false),
        ("ubuntu-cve-tracker-master/scripts/cve_lib.py", false),
        ("CVE-2031-0001", false),
    ] {
        assert_eq!(parser.wants(path), wanted, "{path}");
    }
}

#[test]
fn a_broken_line_or_file_costs_only_itself() {
    let collector = read(&file("bionic_demo: fixd (1)\njammy_demo: needed"));
    assert_eq!(collector.quarantined_subjects(), ["CVE-2031-0001 demo ubuntu:18.04"]);
    assert_eq!(collector.statements("demo", "ubuntu:22.04").len(), 1);
    let huge = format!("{}\n", " x".repeat(ENTRY_BYTES_MAX));
    let files = [
        ("a/active/CVE-2031-0002", "nothing"),
        ("a/active/CVE-2031-0003", &huge),
        ("a/retired/CVE-2031-0001", &file("bionic_demo: needed")),
    ];
    let collector = Collector::read(&Ubuntu, "ubuntu", &files).unwrap();
    assert_eq!(
        collector.quarantined_subjects(),
        ["a/active/CVE-2031-0002", "a/active/CVE-2031-0003"]
    );
    assert_eq!(collector.advisories.len(), 1);
    let error = Collector::read(&Ubuntu, "ubuntu", &[]).unwrap_err();
    assert_eq!(error.to_string(), "ubuntu-cve-tracker: holds no CVE in active/ or retired/");
}
