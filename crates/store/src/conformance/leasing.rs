//! Cases about leases as rows, and about flags.

use std::time::Duration;

use jiff::SignedDuration;
use pratique_clockwork::lease::{Lease, Owner};

use super::{Case, list};
use crate::session::values;
use crate::{Acquisition, Database, StoreError};

pub(super) const CASES: &[Case] = list![
    a_lease_has_one_holder_until_it_is_released,
    an_expired_lease_is_taken_over_and_never_renewed,
    a_renewal_moves_the_expiry_only,
    a_lease_from_a_wrong_clock_is_free,
    leases_that_are_held_are_listed,
    a_flag_is_set_under_a_fence_only_while_it_is_held,
];

const TTL: Duration = Duration::from_secs(60);

#[track_caller]
fn acquire(database: &Database, name: &str, owner: &Owner) -> Lease {
    match database.acquire_lease(name, owner, TTL).expect("an answer") {
        Acquisition::Acquired(lease) => lease,
        held @ Acquisition::Held { .. } => panic!("{held:?}"),
    }
}

#[track_caller]
fn assert_held(database: &Database, by: &Lease) {
    for owner in [Owner::draw(), Owner::draw()] {
        match database.acquire_lease(&by.name, &owner, TTL).expect("an answer") {
            Acquisition::Held { lease, remaining } => {
                assert_eq!(&lease, by);
                assert!(remaining > Duration::ZERO && remaining <= TTL, "{remaining:?}");
            }
            acquired @ Acquisition::Acquired(_) => panic!("{acquired:?} beside {by:?}"),
        }
    }
}

#[track_caller]
fn assert_lost<T: std::fmt::Debug>(result: Result<T, StoreError>) {
    let error = result.expect_err("refused");
    assert!(matches!(error, StoreError::LeaseLost { .. }), "{error}");
}

/// Moves the expiry of a lease to so many seconds from now.
fn expire_in(database: &Database, lease: &Lease, seconds: i64) {
    let at = database.now().expect("a time") + SignedDuration::from_secs(seconds);
    let sql = "UPDATE lease SET expires_at = ?2 WHERE name = ?1";
    database.session.execute("moving", sql, values![&lease.name, at]).expect("moved");
}

fn a_lease_has_one_holder_until_it_is_released(database: &mut Database) {
    let (one, other) = (Owner::draw(), Owner::draw());
    let first = acquire(database, "part/debian", &one);
    assert_eq!((&*first.owner, first.token), (one.as_str(), 1));
    assert_held(database, &first);
    let again = database.acquire_lease("part/debian", &one, TTL).expect("an answer");
    assert!(matches!(again, Acquisition::Held { .. }), "also for its owner: {again:?}");
    assert_eq!(acquire(database, "matcher", &other).token, 1, "leases are apart");

    assert!(database.release_lease(&first).expect("released"));
    assert!(!database.release_lease(&first).expect("an answer"), "twice");
    assert_lost(database.renew_lease(&first, TTL));
    let second = acquire(database, "part/debian", &other);
    assert_eq!(second.token, 2, "a released row keeps its token");
    assert!(!database.release_lease(&first).expect("an answer"), "it is another's");
    assert_held(database, &second);
}

fn an_expired_lease_is_taken_over_and_never_renewed(database: &mut Database) {
    let owner = Owner::draw();
    let first = acquire(database, "matcher", &owner);
    expire_in(database, &first, -1);
    assert_lost(database.renew_lease(&first, TTL));
    let second = acquire(database, "matcher", &owner);
    assert_eq!(second.token, 2);
    assert_lost(database.renew_lease(&first, TTL));
    assert!(!database.release_lease(&first).expect("an answer"), "same owner, older token");
    assert_held(database, &second);
}

fn a_renewal_moves_the_expiry_only(database: &mut Database) {
    let first = acquire(database, "matcher", &Owner::draw());
    expire_in(database, &first, 1);
    let renewed = database.renew_lease(&first, TTL).expect("renewed");
    assert!(renewed.expires_at > database.now().expect("a time") + SignedDuration::from_secs(30));
    assert_eq!(renewed, Lease { expires_at: renewed.expires_at, ..first });
    assert_held(database, &renewed);
}

fn a_lease_from_a_wrong_clock_is_free(database: &mut Database) {
    let first = acquire(database, "matcher", &Owner::draw());
    expire_in(database, &first, 365 * 24 * 3600);
    assert_eq!(database.leases().expect("an answer"), []);
    assert_eq!(acquire(database, "matcher", &Owner::draw()).token, 2);
    let long = database.acquire_lease("other", &Owner::draw(), Duration::MAX).expect("an answer");
    let Acquisition::Acquired(long) = long else { panic!("{long:?}") };
    assert_held_for_an_hour(database, &long);
}

#[track_caller]
fn assert_held_for_an_hour(database: &Database, lease: &Lease) {
    let life = lease.expires_at.duration_since(database.now().expect("a time"));
    assert!(life <= SignedDuration::from_hours(1) && life > SignedDuration::from_mins(59));
}

fn leases_that_are_held_are_listed(database: &mut Database) {
    let owner = Owner::draw();
    let [matcher, expired, released, debian] =
        ["matcher", "expired", "released", "debian"].map(|name| acquire(database, name, &owner));
    expire_in(database, &expired, -1);
    database.release_lease(&released).expect("released");
    assert_eq!(database.leases().expect("an answer"), [debian, matcher]);
}

fn a_flag_is_set_under_a_fence_only_while_it_is_held(database: &mut Database) {
    assert_eq!(database.flag("a").expect("an answer"), None);
    database.set_flag("a", "1", None).expect("set");
    let lease = acquire(database, "matcher", &Owner::draw());
    let before = database.now().expect("a time");
    database.set_flag("a", "2", Some(&lease)).expect("set");
    let flag = database.flag("a").expect("an answer").expect("set");
    assert_eq!(flag.value, "2");
    assert!(flag.updated_at >= before);
    database.release_lease(&lease).expect("released");
    assert_lost(database.set_flag("a", "3", Some(&lease)));
    assert_eq!(database.flag("a").expect("an answer"), Some(flag));
}
