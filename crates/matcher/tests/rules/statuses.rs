//! What is shown, what is kept but not shown, and what gives no row.

use pratique_model::{Ecosystem, Status};

use crate::world::{World, about, advisory, below, package, source_below};

/// An image of a distribution, one statement about its only package.
fn stated(distro: (&str, &str), status: Status, remark: Option<&str>, fixed: &str) -> World {
    let release = format!("{}:{}", distro.0, distro.1);
    let mut affected = source_below(Ecosystem::Deb, &release, "hello", fixed);
    affected.status = status;
    affected.remark = remark.map(str::to_owned);
    World::new(Some(distro))
        .install(package(Ecosystem::Deb, "hello", "2.10-3"))
        .publish(distro.0, &[about(advisory("CVE-2026-0001", &["CVE-2026-0001"], &[]), affected)])
}

#[track_caller]
fn check(world: &World, shown: Option<&str>, suppressed: Option<&str>) {
    let all = (world.shown(), world.suppressed());
    let statuses: Vec<&str> = all.0.iter().filter_map(|line| line.split(' ').nth(3)).collect();
    let reasons: Vec<&str> = all.1.iter().filter_map(|line| line.split(':').next()).collect();
    let expected: (Vec<&str>, Vec<&str>) =
        (shown.into_iter().collect(), suppressed.into_iter().collect());
    assert_eq!((statuses, reasons), expected, "{all:?}");
}

const DEBIAN: (&str, &str) = ("debian", "12");
const UBUNTU: (&str, &str) = ("ubuntu", "22.04");

#[test]
fn vendors_refusals_and_doubts_are_shown() {
    for status in [
        Status::Affected,
        Status::WillNotFix,
        Status::FixDeferred,
        Status::EndOfLife,
        Status::UnderInvestigation,
    ] {
        check(&stated(DEBIAN, status, None, ""), Some(status.as_str()), None);
    }
    let deferred = stated(UBUNTU, Status::FixDeferred, Some("deferred"), "");
    check(&deferred, Some("fix_deferred"), None);
    let triage = stated(UBUNTU, Status::UnderInvestigation, Some("needs-triage"), "");
    check(&triage, Some("under_investigation"), None);
}

#[test]
fn undetermined_and_not_affected_are_suppressed() {
    check(&stated(DEBIAN, Status::Undetermined, None, ""), None, Some("undetermined"));
    check(&stated(DEBIAN, Status::NotAffected, None, ""), None, Some("not_affected"));
}

#[test]
fn debians_unimportant_is_suppressed_and_its_other_remarks_are_shown() {
    let remarked = |status, remark| stated(DEBIAN, status, Some(remark), "");
    check(&remarked(Status::Affected, "unimportant"), None, Some("unimportant"));
    for remark in ["no-dsa", "postponed", "ignored", "ignored: minor issue"] {
        check(&remarked(Status::Affected, remark), Some("affected"), None);
    }
    let world = remarked(Status::Affected, "no-dsa");
    assert_eq!(world.assess().findings[0].remark.as_deref(), Some("no-dsa"));
}

#[test]
fn ubuntus_ignored_is_suppressed() {
    for remark in ["ignored", "ignored (end of life)", "ignored: superseded"] {
        let world = stated(UBUNTU, Status::WillNotFix, Some(remark), "");
        check(&world, None, Some("ignored"));
    }
    check(&stated(UBUNTU, Status::EndOfLife, Some("ignored"), ""), None, Some("ignored"));
}

#[test]
fn what_is_installed_at_or_above_the_fix_gives_no_row() {
    check(&stated(DEBIAN, Status::Fixed, None, "2.10-4"), Some("fixed"), None);
    check(&stated(DEBIAN, Status::Fixed, None, "2.10-3"), None, None);
    check(&stated(DEBIAN, Status::Fixed, None, "2.10-2"), None, None);
}

#[test]
fn fixed_is_said_only_where_a_version_mends_it() {
    check(&stated(DEBIAN, Status::Affected, None, "2.10-4"), Some("fixed"), None);
    check(&stated(DEBIAN, Status::Fixed, None, ""), Some("affected"), None);
    check(&stated(DEBIAN, Status::WillNotFix, None, "2.10-4"), Some("will_not_fix"), None);
}

#[test]
fn informational_entries_are_suppressed() {
    let mut notice = about(advisory("RUSTSEC-1", &[], &[]), below(Ecosystem::Cargo, "time", ""));
    notice.informational = Some("unmaintained".to_owned());
    let world = World::new(None)
        .install(package(Ecosystem::Cargo, "time", "0.1.43"))
        .publish("osv/crates.io", &[notice]);
    check(&world, None, Some("informational"));
}

#[test]
fn an_advisory_that_was_taken_back_gives_no_row() {
    let mut gone = about(advisory("GHSA-a", &[], &[]), below(Ecosystem::Npm, "demo", ""));
    gone.withdrawn = Some(crate::world::now());
    let world = World::new(None)
        .install(package(Ecosystem::Npm, "demo", "1.0.0"))
        .publish("osv/npm", &[gone, advisory("GHSA-b", &[], &[])]);
    assert_eq!((world.shown(), world.suppressed()), (vec![], vec![]));
}
