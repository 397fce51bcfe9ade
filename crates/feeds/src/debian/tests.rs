//! Debian's tracker: entries written in its form, and what becomes of each status.

use super::*;
use crate::collector::Collector;

fn read(text: &str) -> Collector {
    Collector::read(&Debian, "debian", &[("json", text)]).unwrap()
}

/// Reads one CVE whose state in bookworm is `state` and checks the statement that comes of it.
#[track_caller]
fn check(
    state: &str,
    status: Status,
    remark: Option<&str>,
    fixed: Option<&str>,
    severity: Option<Severity>,
) {
    let collected = read(&format!(
        r#"{{"demo": {{"CVE-2031-0001": {{"releases": {{"bookworm": {state}}}}}}}}}"#
    ));
    assert_eq!(collected.quarantined, [], "{state}");
    let statements = collected.statements("demo", "debian:12");
    assert_eq!(statements.len(), 1, "{state}: {collected:?}");
    let (id, affected) = statements[0];
    assert_eq!(id, "CVE-2031-0001");
    assert_eq!(affected.status, status, "{state}");
    assert_eq!(affected.remark.as_deref(), remark, "{state}");
    let fixes: Vec<Range> = fixed.map(Range::below).into_iter().collect();
    assert_eq!(affected.ranges, fixes, "{state}");
    assert_eq!(affected.severity, severity, "{state}");
    assert_eq!(affected.name_kind, NameKind::Source, "{state}");
    assert_eq!(affected.ecosystem, Ecosystem::Deb, "{state}");
}

#[test]
fn resolved_with_a_version_is_fixed() {
    check(
        r#"{"status": "resolved", "repositories": {"bookworm": "1.2-3"}, "fixed_version": "1.2-2",
            "urgency": "not yet assigned"}"#,
        Status::Fixed,
        None,
        Some("1.2-2"),
        None,
    );
}

#[test]
fn resolved_with_version_zero_is_not_affected() {
    check(
        r#"{"status": "resolved", "fixed_version": "0", "urgency": "not yet assigned"}"#,
        Status::NotAffected,
        None,
        None,
        None,
    );
}

#[test]
fn resolved_without_a_version_is_undetermined() {
    for version in ["", r#", "fixed_version": """#, r#", "fixed_version": null"#] {
        check(
            &format!(r#"{{"status": "resolved", "urgency": "low"{version}}}"#),
            Status::Undetermined,
            Some("resolved"),
            None,
            Some(Severity::Low),
        );
    }
}

#[test]
fn open_is_affected_without_a_fix() {
    check(
        r#"{"status": "open", "urgency": "not yet assigned"}"#,
        Status::Affected,
        None,
        None,
        None,
    );
}

#[test]
fn open_with_a_version_is_fixed_from_that_version_on() {
    check(
        r#"{"status": "open", "fixed_version": "2.0-1", "urgency": "medium**"}"#,
        Status::Fixed,
        None,
        Some("2.0-1"),
        Some(Severity::Medium),
    );
}

#[test]
fn undetermined_stays_undetermined() {
    check(
        r#"{"status": "undetermined", "urgency": "not yet assigned"}"#,
        Status::Undetermined,
        None,
        None,
        None,
    );
}

#[test]
fn no_dsa_is_affected_with_its_remark() {
    for reason in [r#", "nodsa_reason": """#, "", r#", "nodsa_reason": null"#] {
        check(
            &format!(r#"{{"status": "open", "urgency": "low", "nodsa": "Minor issue"{reason}}}"#),
            Status::Affected,
            Some("no-dsa"),
            None,
            Some(Severity::Low),
        );
    }
}

#[test]
fn ignored_will_not_be_fixed() {
    check(
        r#"{"status": "open", "urgency": "high*", "nodsa": "x", "nodsa_reason": "ignored"}"#,
        Status::WillNotFix,
        Some("ignored"),
        None,
        Some(Severity::High),
    );
}

#[test]
fn postponed_is_a_deferred_fix() {
    check(
        r#"{"status": "open", "urgency": "high", "nodsa": "x", "nodsa_reason": "postponed"}"#,
        Status::FixDeferred,
        Some("postponed"),
        None,
        Some(Severity::High),
    );
}

#[test]
fn end_of_life_is_a_status_and_no_severity() {
    check(
        r#"{"status": "open", "urgency": "end-of-life"}"#,
        Status::EndOfLife,
        Some("end-of-life"),
        None,
        None,
    );
}

#[test]
fn unimportant_is_a_remark_beside_the_status() {
    let severity = Some(Severity::Negligible);
    let remark = Some("unimportant");
    check(
        r#"{"status": "open", "urgency": "unimportant"}"#,
        Status::Affected,
        remark,
        None,
        severity,
    );
    check(
        r#"{"status": "open", "urgency": "unimportant", "nodsa": "x", "nodsa_reason": "ignored"}"#,
        Status::WillNotFix,
        remark,
        None,
        severity,
    );
    check(
        r#"{"status": "resolved", "fixed_version": "1.0-1", "urgency": "unimportant"}"#,
        Status::Fixed,
        remark,
        Some("1.0-1"),
        severity,
    );
}

#[test]
fn each_release_has_its_own_statement_and_unknown_ones_are_noted_once() {
    let collected = read(
        r#"{"demo": {"CVE-2031-0001": {"releases": {
              "sid": {"status": "open", "urgency": "low"},
              "trixie": {"status": "resolved", "fixed_version": "3-1", "urgency": "low"},
              "forky": {"status": "open", "urgency": "low"},
              "zurg": {"status": "open", "urgency": "low"}}},
            "CVE-2031-0002": {"releases": {"zurg": {"status": "open", "urgency": "low"}}}}}"#,
    );
    let status = |release| collected.statements("demo", release)[0].1.status;
    assert_eq!(status("debian:sid"), Status::Affected);
    assert_eq!(status("debian:13"), Status::Fixed);
    assert_eq!(status("debian:14"), Status::Affected);
    assert_eq!(collected.note_subjects(), ["zurg"]);
    let second = &collected.advisories[1];
    assert!(second.affected.is_empty(), "{second:?}");
}

#[test]
fn an_id_comes_once_for_each_package_and_one_without_cve_keeps_its_name() {
    let collected = read(
        r#"{"a": {"CVE-2031-0001": {"description": "A flaw.\nMore.", "scope": "remote",
                   "debianbug": 1, "releases": {}}},
            "b": {"CVE-2031-0001": {"releases": {}}, "TEMP-0000000-0CA7E3": {"releases": {}}}}"#,
    );
    let ids: Vec<(&str, &[String])> = collected
        .advisories
        .iter()
        .map(|advisory| (&*advisory.id, &*advisory.vulnerabilities))
        .collect();
    let cve = ["CVE-2031-0001".to_owned()];
    let expected: [(&str, &[String]); 3] =
        [("CVE-2031-0001", &cve), ("CVE-2031-0001", &cve), ("TEMP-0000000-0CA7E3", &[])];
    assert_eq!(ids, expected);
    assert_eq!(collected.advisories[0].summary.as_deref(), Some("A flaw. More."));
    assert_eq!(
        collected.advisories[2].url.as_deref(),
        Some("https://security-tracker.debian.org/tracker/TEMP-0000000-0CA7E3")
    );
}

#[test]
fn a_bad_entry_costs_only_itself() {
    let good = r#""CVE-2031-0001": {"releases": {"sid": {"status": "open", "urgency": "low"}}}"#;
    for (bad, subject) in [
        (r#""CVE-2031-0002": 5"#, "demo CVE-2031-0002"),
        (r#""CVE-2031-0002": {"releases": []}"#, "demo CVE-2031-0002"),
        (r#""CVE-2031-0002": {"releases": {"sid": {"urgency": "low"}}}"#, "demo CVE-2031-0002"),
        (
            r#""CVE-2031-0002": {"releases": {"sid": {"status": "closed"}}}"#,
            "demo CVE-2031-0002 sid",
        ),
        (
            r#""CVE-2031-0002": {"releases": {"sid": {"status": "open", "urgency": "dire"}}}"#,
            "demo CVE-2031-0002 sid",
        ),
    ] {
        let collected = read(&format!(r#"{{"demo": {{{bad}, {good}}}, "other": {{{good}}}}}"#));
        assert_eq!(collected.quarantined_subjects(), [subject], "{bad}");
        assert_eq!(collected.statements("demo", "debian:sid").len(), 1, "{bad}");
        assert_eq!(collected.statements("other", "debian:sid").len(), 1, "{bad}");
    }
    let collected = read(&format!(r#"{{"demo": [1 2], "other": {{{good}}}}}"#));
    assert_eq!(collected.quarantined_subjects(), ["demo"]);
    assert_eq!(collected.statements("other", "debian:sid").len(), 1);
}

#[test]
fn a_cut_file_fails_as_a_whole() {
    let text = r#"{"a": {"CVE-2031-0001": {"releases": {}}}, "b": {"CVE-2031"#;
    let error = Collector::read(&Debian, "debian", &[("json", text)]).unwrap_err();
    assert_eq!(error.to_string(), "json: ends in the middle of the object");
}
