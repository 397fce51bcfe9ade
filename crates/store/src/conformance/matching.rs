//! What the matcher writes: findings, cursors, the outbox.

use jiff::Timestamp;

use pratique_model::{Ecosystem, PartId, Severity, Status, Suppression};

use super::registering::{deb, npm, register};
use super::sample::{advisory, at, bookworm, commit, part};
use super::{Case, list};
use crate::{
    ChangeKind, Cursor, Database, Impact, NewNotification, Notification, NotificationFilter,
    PackageKey, StoreError, StoredFinding,
};

pub(super) const CASES: &[Case] = list![
    findings_come_back_by_package_and_by_vulnerability,
    a_finding_is_replaced_and_removed,
    an_impact_is_written_whole_or_not_at_all,
    an_impact_that_names_an_unknown_part_is_refused,
    findings_of_packages_that_are_gone_are_left_out,
    assessed_packages_are_pending_no_more,
    cursors_move_and_keep_their_place,
    notifications_are_listed_in_their_order,
    notifications_are_filtered_and_paged,
    findings_go_with_their_package_and_notifications_stay,
    notifications_go_after_30_days,
    long_lists_are_asked_at_once,
];

/// Two images, the parts that findings name, and the keys of `bash`, `zlib` and `lodash`.
fn world(database: &mut Database) -> [PackageKey; 3] {
    for part in [part(), other_part()] {
        commit(database, &part, 1, &[advisory("CVE-2024-0001", "bash", None)]).expect("a commit");
    }
    register(database, 1, &[deb("bash", "5.2"), deb("zlib", "1.2")], at(0));
    register(database, 2, &[deb("zlib", "1.2"), npm("lodash", "4.17.20")], at(0));
    let pending = database.pending_packages(10).expect("an answer");
    let key = |name: &str| {
        let found = pending.iter().find(|stored| stored.package.name == name);
        found.expect("a package").key
    };
    [key("bash"), key("zlib"), key("lodash")]
}

/// An image with packages of its own, a finding about each, and one notification.
pub(crate) fn register_and_find(database: &mut Database, number: u64, now: Timestamp) {
    register(database, number, &[deb(&format!("own-{number}"), "1"), deb("zlib", "1.2")], now);
    let packages = database.pending_packages(10).expect("an answer");
    let impact = Impact {
        findings: packages.iter().map(|found| finding(found.key, "CVE-2024-0001")).collect(),
        assessed: packages[1..].iter().map(|found| found.key).collect(),
        notifications: vec![told("CVE-2024-0001", ChangeKind::New)],
        cursors: vec![Cursor { part: part(), generation: number, position: 0 }],
        ..Impact::default()
    };
    write(database, &impact, now);
}

fn other_part() -> PartId {
    PartId::new("osv", "npm")
}

fn finding(package: PackageKey, vulnerability: &str) -> StoredFinding {
    StoredFinding {
        package,
        vulnerability: vulnerability.to_owned(),
        part: part(),
        advisory: vulnerability.to_owned(),
        status: Status::Affected,
        severity: None,
        fixed: None,
        suppression: None,
        unparsable: None,
        notified: None,
    }
}

fn full(package: PackageKey) -> StoredFinding {
    StoredFinding {
        package,
        vulnerability: "CVE-2021-23337".to_owned(),
        part: other_part(),
        advisory: "GHSA-35jh-r3h4-6jhm".to_owned(),
        status: Status::Fixed,
        severity: Some(Severity::High),
        fixed: Some("4.17.21".to_owned()),
        suppression: Some(Suppression::OtherPlatform),
        unparsable: Some("npm version \"x\": no number".to_owned()),
        notified: Some(7),
    }
}

fn told(vulnerability: &str, reason: ChangeKind) -> NewNotification {
    NewNotification {
        vulnerability: vulnerability.to_owned(),
        ecosystem: Ecosystem::Deb,
        release: Some(bookworm()),
        package: "zlib".to_owned(),
        reason,
        old: None,
        new: Some("affected".to_owned()),
        image_count: 2,
        payload: "{\"worst\":[]}".to_owned(),
    }
}

fn write(database: &Database, impact: &Impact, now: Timestamp) {
    database.transaction(None, |database| database.write_impact(impact, now)).expect("written");
}

fn write_findings(database: &Database, findings: &[StoredFinding]) {
    write(database, &Impact { findings: findings.to_vec(), ..Impact::default() }, at(1));
}

fn outbox(database: &Database) -> Vec<Notification> {
    database.notifications(&NotificationFilter::default(), None, 1_000).expect("an answer")
}

fn findings_come_back_by_package_and_by_vulnerability(database: &mut Database) {
    let [bash, zlib, lodash] = world(database);
    let findings = [finding(bash, "CVE-2024-0001"), finding(zlib, "CVE-2024-0001"), full(lodash)];
    write_findings(database, &findings);
    let of = |packages: &[PackageKey], vulnerabilities: Option<&[&str]>| {
        database.findings_of(packages, vulnerabilities).expect("an answer")
    };
    let mut sorted = findings.to_vec();
    sorted.sort_by_key(|finding| finding.package);
    assert_eq!(of(&[lodash, bash, zlib, bash], None), sorted);
    assert_eq!(of(&[lodash], None), findings[2..]);
    assert_eq!(of(&[bash, lodash], Some(&["CVE-2024-0001"])), findings[..1]);
    assert_eq!(of(&[bash], Some(&[])), []);
    assert_eq!(of(&[], None), []);
    let about = |ids: &[&str]| database.findings_about(ids).expect("an answer");
    assert_eq!(about(&["CVE-2021-23337", "CVE-1999-0001"]), findings[2..]);
    assert_eq!(about(&["CVE-2024-0001"]).len(), 2);
    assert_eq!(about(&[]), []);
}

fn a_finding_is_replaced_and_removed(database: &mut Database) {
    let [bash, zlib, lodash] = world(database);
    write_findings(database, &[finding(bash, "CVE-2021-23337"), full(zlib)]);
    write_findings(database, &[full(bash)]);
    assert_eq!(database.findings_of(&[bash], None).expect("an answer"), [full(bash)]);
    let removals = [bash, lodash].map(|package| (package, "CVE-2021-23337".to_owned()));
    write(database, &Impact { removals: removals.into(), ..Impact::default() }, at(1));
    assert_eq!(database.findings_about(&["CVE-2021-23337"]).expect("an answer"), [full(zlib)]);
}

fn an_impact_is_written_whole_or_not_at_all(database: &mut Database) {
    let [bash, ..] = world(database);
    let impact = Impact {
        findings: vec![full(bash)],
        assessed: vec![bash],
        notifications: vec![told("CVE-2021-23337", ChangeKind::New)],
        cursors: vec![Cursor { part: part(), generation: 1, position: 0 }],
        ..Impact::default()
    };
    let result = database.transaction(None, |database| {
        database.write_impact(&impact, at(1))?;
        Err::<(), _>(StoreError::ReadOnly)
    });
    assert!(matches!(result, Err(StoreError::ReadOnly)));
    assert_eq!(database.findings_of(&[bash], None).expect("an answer"), []);
    assert_eq!(database.pending_packages(10).expect("an answer").len(), 3);
    assert_eq!(database.cursors().expect("an answer"), []);
    assert_eq!(outbox(database), []);
    write(database, &impact, at(1));
    assert_eq!(database.findings_of(&[bash], None).expect("an answer"), [full(bash)]);
    assert_eq!(outbox(database).len(), 1);
}

fn an_impact_that_names_an_unknown_part_is_refused(database: &mut Database) {
    let [bash, ..] = world(database);
    let unknown = PartId::new("osv", "nowhere");
    for impact in [
        Impact {
            findings: vec![StoredFinding { part: unknown.clone(), ..full(bash) }],
            ..Impact::default()
        },
        Impact {
            cursors: vec![Cursor { part: unknown.clone(), generation: 1, position: 0 }],
            ..Impact::default()
        },
    ] {
        let result = database.transaction(None, |database| database.write_impact(&impact, at(1)));
        assert!(matches!(result, Err(StoreError::Damaged { .. })), "{result:?}");
    }
}

fn findings_of_packages_that_are_gone_are_left_out(database: &mut Database) {
    let [bash, ..] = world(database);
    write_findings(database, &[full(PackageKey(i64::MAX)), full(bash)]);
    assert_eq!(database.findings_about(&["CVE-2021-23337"]).expect("an answer"), [full(bash)]);
}

fn assessed_packages_are_pending_no_more(database: &mut Database) {
    let [bash, zlib, lodash] = world(database);
    let assessed = vec![bash, lodash];
    write(database, &Impact { assessed, ..Impact::default() }, at(1));
    let pending = database.pending_packages(10).expect("an answer");
    assert_eq!(pending.iter().map(|stored| stored.key).collect::<Vec<_>>(), [zlib]);
    register(database, 3, &[deb("bash", "5.2")], at(1));
    assert_eq!(database.image_counts().expect("counts").pending, 1, "bash is known already");
}

fn cursors_move_and_keep_their_place(database: &mut Database) {
    world(database);
    let cursor = |generation, position| Cursor { part: part(), generation, position };
    let other = Cursor { part: other_part(), generation: 1, position: 0 };
    for cursors in [vec![cursor(0, 5_000), other.clone()], vec![cursor(1, 0)]] {
        write(database, &Impact { cursors, ..Impact::default() }, at(1));
    }
    assert_eq!(database.cursors().expect("an answer"), [cursor(1, 0), other]);
}

fn notifications_are_listed_in_their_order(database: &mut Database) {
    world(database);
    let mut expected = Vec::new();
    for hour in 1..=3 {
        let notifications: Vec<NewNotification> = (0..4)
            .map(|index| told(&format!("CVE-2024-{hour}00{index}"), ChangeKind::FixAvailable))
            .collect();
        expected.extend(notifications.clone());
        write(database, &Impact { notifications, ..Impact::default() }, at(hour));
    }
    let listed = outbox(database);
    assert!(listed.is_sorted_by(|one, next| one.id < next.id), "{listed:?}");
    assert!(listed.iter().all(|one| one.id.len() == 26));
    assert_eq!(listed[11].created_at, at(3));
    let contents: Vec<NewNotification> = listed.into_iter().map(|one| one.content).collect();
    assert_eq!(contents, expected);
}

fn notifications_are_filtered_and_paged(database: &mut Database) {
    world(database);
    for (hour, id, reason) in [
        (1, "CVE-2024-0001", ChangeKind::New),
        (2, "CVE-2024-0002", ChangeKind::New),
        (3, "CVE-2024-0001", ChangeKind::Withdrawn),
    ] {
        let notifications = vec![NewNotification { old: Some("x".to_owned()), ..told(id, reason) }];
        write(database, &Impact { notifications, ..Impact::default() }, at(hour));
    }
    let all = outbox(database);
    let list = |filter: NotificationFilter, after: Option<&str>, limit| -> Vec<Notification> {
        database.notifications(&filter, after, limit).expect("an answer")
    };
    let filter = NotificationFilter::default;
    assert_eq!(list(filter(), None, 2), all[..2]);
    assert_eq!(list(filter(), Some(&all[1].id), 2), all[2..]);
    assert_eq!(list(filter(), Some(&all[2].id), 2), []);
    let since = Some(at(2));
    assert_eq!(list(NotificationFilter { since, ..filter() }, None, 9), all[1..]);
    let vulnerability = Some("CVE-2024-0002".to_owned());
    assert_eq!(list(NotificationFilter { vulnerability, ..filter() }, None, 9), all[1..2]);
    let reason = Some(ChangeKind::Withdrawn);
    assert_eq!(list(NotificationFilter { reason, ..filter() }, None, 9), all[2..]);
}

fn findings_go_with_their_package_and_notifications_stay(database: &mut Database) {
    let [bash, zlib, _] = world(database);
    let notifications = vec![told("CVE-2024-0001", ChangeKind::New)];
    let findings = vec![finding(bash, "CVE-2024-0001"), finding(zlib, "CVE-2024-0001")];
    write(database, &Impact { findings, notifications, ..Impact::default() }, at(1));
    let image = database.images_named("registry.example/app-1:1", 1).expect("an answer")[0].key;
    database.remove_image(image).expect("removed");
    while !database.sweep_images(at(2), 5_000).expect("swept").is_empty() {}
    let left = database.findings_about(&["CVE-2024-0001"]).expect("an answer");
    assert_eq!(left, [finding(zlib, "CVE-2024-0001")]);
    assert_eq!(outbox(database).len(), 1);
}

fn notifications_go_after_30_days(database: &mut Database) {
    world(database);
    for hour in [0, 1, 2] {
        let notifications = vec![told("CVE-2024-0001", ChangeKind::New)];
        write(database, &Impact { notifications, ..Impact::default() }, at(hour));
    }
    let later = at(2) + crate::NOTIFICATIONS_KEPT;
    assert_eq!(database.sweep_images(later, 1).expect("swept").notifications, 1);
    assert_eq!(database.sweep_images(later, 5).expect("swept").notifications, 1);
    assert_eq!(database.sweep_images(later, 5).expect("swept").notifications, 0);
    assert_eq!(outbox(database)[0].created_at, at(2));
}

fn long_lists_are_asked_at_once(database: &mut Database) {
    let [bash, ..] = world(database);
    write_findings(database, &[full(bash)]);
    let many: Vec<PackageKey> = (0..10_000).map(PackageKey).collect();
    assert_eq!(database.findings_of(&many, None).expect("an answer"), [full(bash)]);
    assert_eq!(database.packages(&many).expect("an answer").len(), 3);
    assert_eq!(database.reach(&many).expect("an answer").image_count, 2);
    let names: Vec<String> = (0..10_000).map(|index| format!("name-{index}")).collect();
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.push("bash");
    let found = database.packages_named(Ecosystem::Deb, Some(&bookworm()), &names);
    assert_eq!(found.expect("an answer")[0].key, bash);
}
