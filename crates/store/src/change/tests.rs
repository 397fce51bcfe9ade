//! Two versions of one advisory give the typed differences between them, and no others.

use pratique_model::{Cvss, Range};

use super::*;
use crate::conformance::sample::{advisory, affected, rich};

/// Kinds and values of what leads from one advisory to another.
#[track_caller]
fn check(
    case: &str,
    old: &Advisory,
    new: &Advisory,
    expected: &[(ChangeKind, Option<&str>, Option<&str>)],
) {
    let found = differences(old, new);
    let found: Vec<_> = found
        .iter()
        .map(|found| (found.kind, found.old.as_deref(), found.new.as_deref()))
        .collect();
    assert_eq!(found, expected, "{case}");
}

fn base() -> Advisory {
    advisory("CVE-2024-0001", "openssl", Some("3.0.2"))
}

fn changed(change: impl FnOnce(&mut Advisory)) -> Advisory {
    let mut advisory = base();
    change(&mut advisory);
    advisory
}

#[test]
fn equal_advisories_and_reordered_ones_do_not_differ() {
    check("equal", &rich(), &rich(), &[]);
    let mut reordered = rich();
    reordered.affected.reverse();
    reordered.affected[1].versions.reverse();
    check("reordered", &rich(), &reordered, &[]);
}

#[test]
fn fixes_that_come_move_and_go_are_told() {
    let unfixed = changed(|new| new.affected = vec![affected("openssl", None)]);
    let moved = changed(|new| new.affected[0].ranges = vec![Range::below("3.0.3")]);
    check("comes", &unfixed, &base(), &[(ChangeKind::FixAvailable, None, Some("3.0.2"))]);
    check("moves", &base(), &moved, &[(ChangeKind::FixChanged, Some("3.0.2"), Some("3.0.3"))]);
    check("goes", &base(), &unfixed, &[(ChangeKind::FixChanged, Some("3.0.2"), None)]);
}

#[test]
fn other_limits_are_a_changed_range() {
    let from = |introduced: &str| {
        changed(|new| new.affected[0].ranges[0].introduced = Some(introduced.to_owned()))
    };
    let expected = [(ChangeKind::RangeChanged, Some("<3.0.2"), Some(">=3.0 <3.0.2"))];
    check("introduced", &base(), &from("3.0"), &expected);
    for (case, new) in [
        ("module", changed(|new| new.affected[0].module = Some("openssl:3".to_owned()))),
        ("arches", changed(|new| new.affected[0].arches = vec!["s390x".to_owned()])),
        ("platforms", changed(|new| new.affected[0].platforms = vec!["windows".to_owned()])),
        ("versions", changed(|new| new.affected[0].versions = vec!["3.0.1".to_owned()])),
    ] {
        let kinds: Vec<_> = differences(&base(), &new).iter().map(|found| found.kind).collect();
        assert_eq!(kinds, [ChangeKind::RangeChanged], "{case}");
    }
}

#[test]
fn a_verdict_that_turns_is_new_or_not_affected() {
    let cleared = changed(|new| new.affected[0].status = Status::NotAffected);
    let expected = [(ChangeKind::NotAffected, Some("fixed"), Some("not_affected"))];
    check("cleared", &base(), &cleared, &expected);
    let expected = [(ChangeKind::New, Some("not_affected"), Some("fixed"))];
    check("turned", &cleared, &base(), &expected);
    let deferred = changed(|new| {
        new.affected[0].status = Status::WillNotFix;
        new.affected[0].remark = Some("no-dsa".to_owned());
    });
    let expected = [(ChangeKind::StatusChanged, Some("fixed"), Some("will_not_fix (no-dsa)"))];
    check("another word", &base(), &deferred, &expected);
}

#[test]
fn packages_that_come_and_go_are_named() {
    let two = changed(|new| new.affected.push(affected("zlib", None)));
    check("comes", &base(), &two, &[(ChangeKind::New, None, Some("affected"))]);
    check("goes", &two, &base(), &[(ChangeKind::Withdrawn, Some("affected"), None)]);
    let found = differences(&base(), &two);
    assert_eq!(found[0].package.as_ref().map(|(_, _, name)| &**name), Some("zlib"));
}

#[test]
fn severities_move_up_and_down() {
    let with = |severity| changed(|new| new.severity = Some(severity));
    let (low, high) = (with(Severity::Low), with(Severity::High));
    check("up", &low, &high, &[(ChangeKind::SeverityRaised, Some("low"), Some("high"))]);
    check("down", &high, &low, &[(ChangeKind::SeverityLowered, Some("high"), Some("low"))]);
    let scored = |vector: &str| {
        changed(|new| new.cvss = vec![Cvss::parse(vector, "nvd").expect("a vector")])
    };
    let (medium, critical) =
        (scored("AV:N/AC:M/Au:N/C:P/I:N/A:N"), scored("AV:N/AC:L/Au:N/C:C/I:C/A:C"));
    let expected = [(ChangeKind::SeverityRaised, Some("medium"), Some("critical"))];
    check("by score", &medium, &critical, &expected);
}

#[test]
fn a_withdrawn_advisory_says_nothing_of_its_packages_any_more() {
    let withdrawn = changed(|new| new.withdrawn = Some(Timestamp::UNIX_EPOCH));
    check("withdrawn", &base(), &withdrawn, &[(ChangeKind::Withdrawn, Some("fixed"), None)]);
    check("back", &withdrawn, &base(), &[(ChangeKind::New, None, Some("fixed"))]);
}

#[test]
fn a_cve_that_is_added_or_dropped_is_named() {
    let two = changed(|new| new.vulnerabilities.push("CVE-2024-0002".to_owned()));
    let found = differences(&base(), &two);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].kind, ChangeKind::New);
    assert_eq!(found[0].vulnerability.as_deref(), Some("CVE-2024-0002"));
    check("dropped", &two, &base(), &[(ChangeKind::Withdrawn, None, None)]);
}

#[test]
fn a_cve_that_is_dropped_with_all_packages_is_named() {
    let other = |new: &mut Advisory| new.vulnerabilities = vec!["CVE-2024-0002".to_owned()];
    let renamed = changed(|new| {
        other(new);
        new.affected.clear();
    });
    let expected = [
        (ChangeKind::Withdrawn, Some("fixed"), None),
        (ChangeKind::Withdrawn, None, None),
        (ChangeKind::New, None, None),
    ];
    check("without packages", &base(), &renamed, &expected);
    let found = returned(&base(), &[], &changed(other));
    let found: Vec<_> =
        found.iter().map(|found| (found.kind, found.vulnerability.as_deref())).collect();
    let expected = [
        (ChangeKind::New, None),
        (ChangeKind::Withdrawn, Some("CVE-2024-0001")),
        (ChangeKind::New, Some("CVE-2024-0002")),
    ];
    assert_eq!(found, expected, "there again");
}

#[test]
fn words_alone_are_a_change_of_text() {
    for (case, new) in [
        ("summary", changed(|new| new.summary = Some("a typo is mended".to_owned()))),
        ("url", changed(|new| new.url = None)),
        ("alias", changed(|new| new.aliases.push("DSA-1".to_owned()))),
        ("modified", changed(|new| new.modified = Some(Timestamp::UNIX_EPOCH))),
    ] {
        check(case, &base(), &new, &[(ChangeKind::Text, None, None)]);
    }
}

#[test]
fn every_kind_has_a_number_of_its_own() {
    let numbers: BTreeSet<i64> = ChangeKind::ALL.iter().map(|kind| kind.code()).collect();
    assert_eq!(numbers.len(), ChangeKind::ALL.len());
}
