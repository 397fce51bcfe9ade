//! Cases about leases that fence writing off, and about transactions.

use jiff::Timestamp;
use pratique_clockwork::lease::Lease;
use pratique_model::PartId;

use super::sample::{advisory, at, commit, looked_up, options, part};
use super::{Case, list};
use crate::session::values;
use crate::{CommitOptions, Database, Staging, StoreError};

pub(super) const CASES: &[Case] = list![
    a_commit_is_fenced_by_a_lease_that_is_held,
    a_lost_lease_stops_every_way_of_writing,
    an_expired_lease_is_a_lost_one,
    time_within_a_transaction_of_sqlite_does_not_count,
    a_transaction_that_fails_leaves_nothing,
    a_transaction_within_another_is_part_of_it,
];

/// Writes a lease row as if its holder had just renewed it, for so many seconds.
fn hold(database: &Database, token: u64, seconds: i64) -> Lease {
    let now = database.session.now().expect("a time");
    let expires_at = now + jiff::SignedDuration::from_secs(seconds);
    let lease =
        Lease { name: "part/debian".to_owned(), owner: "us:1:a".to_owned(), token, expires_at };
    database
        .session
        .execute(
            "leasing",
            "INSERT INTO lease (name, owner, token, expires_at) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (name) DO UPDATE SET token = excluded.token, \
             expires_at = excluded.expires_at",
            values![&lease.name, &lease.owner, token, expires_at],
        )
        .expect("a lease");
    lease
}

fn fenced(lease: &Lease, hour: i64) -> CommitOptions {
    CommitOptions { fence: Some(lease.clone()), ..options(hour) }
}

fn staged(package: &str) -> Staging {
    let mut staging = Staging::new(part(), None);
    staging.advisory(&advisory("CVE-2024-0001", package, None));
    staging
}

#[track_caller]
fn assert_lost<T: std::fmt::Debug>(result: Result<T, StoreError>, token: u64) {
    let error = result.expect_err("refused");
    assert!(matches!(&error, StoreError::LeaseLost { token: lost, .. } if *lost == token));
    assert!(!error.is_transient(), "trying again does not help");
}

fn a_commit_is_fenced_by_a_lease_that_is_held(database: &mut Database) {
    let lease = hold(database, 3, 60);
    database.commit(staged("a"), &fenced(&lease, 1)).expect("held");
    let renewed = hold(database, 3, 120);
    assert_ne!(lease, renewed);
    database.commit(staged("b"), &fenced(&lease, 2)).expect("a renewal does not end it");
    assert_eq!(looked_up(database, "b").len(), 1);
}

fn a_lost_lease_stops_every_way_of_writing(database: &mut Database) {
    commit(database, &part(), 1, &[advisory("CVE-2024-0001", "a", None)]).expect("a commit");
    let before = database.part(&part()).expect("an answer");
    let lease = hold(database, 3, 60);
    hold(database, 4, 60);
    assert_lost(database.commit(staged("b"), &fenced(&lease, 2)), 3);
    assert_lost(database.touch_unchanged(&part(), at(2), Some(&lease)), 3);
    assert_lost(database.record_absent(&part(), at(2), Some(&lease)), 3);
    assert_lost(database.record_failure(&part(), "no answer", at(2), Some(&lease)), 3);
    assert_lost(database.transaction(Some(&lease), |_| Ok::<_, StoreError>(())), 3);
    assert_eq!(database.part(&part()).expect("an answer"), before);
    assert!(looked_up(database, "b").is_empty());
    let foreign = Lease { owner: "them:2:b".to_owned(), token: 4, ..lease };
    assert_lost(database.touch_unchanged(&part(), at(2), Some(&foreign)), 4);
}

fn an_expired_lease_is_a_lost_one(database: &mut Database) {
    let lease = hold(database, 3, -1);
    assert_lost(database.commit(staged("a"), &fenced(&lease, 1)), 3);
    let state = database.part(&part()).expect("an answer");
    assert!(state.is_none_or(|state| !state.is_loaded()));
    let never = Lease { name: "matcher".to_owned(), expires_at: Timestamp::MAX, ..lease };
    assert_lost(database.touch_unchanged(&part(), at(2), Some(&never)), 3);
}

fn time_within_a_transaction_of_sqlite_does_not_count(database: &mut Database) {
    if database.server.is_some() {
        return;
    }
    let lease = hold(database, 3, 60);
    let expires_at = |database: &Database| {
        let sql = "SELECT expires_at FROM lease";
        database.session.one("asking", sql, &[], |row| row.integer(0)).expect("a lease")
    };
    let before = expires_at(database);
    let started_at = database.now().expect("a time");
    let result = database.transaction(Some(&lease), |database| {
        // Until the clock has moved, which nobody else can make shorter by renewing.
        while database.now()?.duration_since(started_at).as_millis() < 20 {}
        Ok::<_, StoreError>(())
    });
    result.expect("held");
    let gained = expires_at(database) - before;
    assert!((1..60_000_000).contains(&gained), "{gained} microseconds");
}

fn a_transaction_that_fails_leaves_nothing(database: &mut Database) {
    let result = database.transaction(None, |database| {
        flag(database, "a");
        Err::<(), _>(StoreError::ReadOnly)
    });
    assert!(matches!(result, Err(StoreError::ReadOnly)));
    assert_eq!(flags(database), 0);
    // What comes after it is not touched by it.
    commit(database, &PartId::new("x", "x"), 1, &[]).expect("a commit");
}

fn a_transaction_within_another_is_part_of_it(database: &mut Database) {
    let inner = |database: &Database| {
        flag(database, "b");
        Ok::<_, StoreError>(())
    };
    let result = database.transaction(None, |database| {
        flag(database, "a");
        database.transaction(None, inner)?;
        Err::<(), _>(StoreError::ReadOnly)
    });
    assert!(result.is_err());
    assert_eq!(flags(database), 0);
    database.transaction(None, |database| database.transaction(None, inner)).expect("kept");
    assert_eq!(flags(database), 1);
}

fn flag(database: &Database, name: &str) {
    let insert = "INSERT INTO flag (name, value, updated_at) VALUES (?1, 'x', CLOCK())";
    database.session.execute("adding", insert, values![name]).expect("a flag");
}

fn flags(database: &Database) -> i64 {
    let count = "SELECT count(*) FROM flag";
    database.session.one("counting", count, &[], |row| row.integer(0)).expect("a count")
}
