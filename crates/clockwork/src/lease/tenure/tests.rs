//! The tenure: what it does in each state, and what holds whatever happens.
//!
//! The second half runs several holders against one simulated store, with calls that are slow or
//! lost on either way, processes that are stopped at any moment for any time, and holders that
//! come back. The invariants are checked at every step of the simulated clock.

use jiff::Timestamp;

use super::*;

mod simulation;

fn lease(token: u64) -> Lease {
    let expires_at = Timestamp::UNIX_EPOCH;
    Lease { name: "part".to_owned(), owner: "us:1:a".to_owned(), token, expires_at }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A story: at each time an event, and the actions that must follow.
#[track_caller]
fn check(story: &[(u64, Event, &[Action])]) -> Tenure {
    let mut tenure = Tenure::new(LeaseTimes::default());
    for (at, event, expected) in story {
        let actions = tenure.step(event.clone(), seconds(*at));
        assert_eq!(actions, *expected, "at {at} s, {event:?}");
    }
    tenure
}

/// Asked for at 0 s, acquired at 1 s.
fn held_then(rest: &[(u64, Event, &[Action])]) -> Tenure {
    let start = [
        (0, Event::Tick, &[Action::Acquire][..]),
        (1, Event::Acquired(lease(3)), &[Action::Start(lease(3))]),
    ];
    check(&[&start[..], rest].concat())
}

#[test]
fn work_that_ends_gives_the_lease_back() {
    held_then(&[
        (2, Event::WorkEnded, &[Action::Release(lease(3))]),
        (3, Event::Released, &[Action::Finish]),
        (90, Event::Tick, &[]),
    ]);
}

#[test]
fn a_renewal_is_counted_from_its_start() {
    let tenure = held_then(&[
        (19, Event::Tick, &[]),
        // Twenty seconds after it was asked for, not after it was answered.
        (20, Event::Tick, &[Action::Renew(lease(3))]),
        (21, Event::Tick, &[]),
        (39, Event::Renewed(lease(3)), &[]),
        (40, Event::Tick, &[Action::Renew(lease(3))]),
    ]);
    assert_eq!(tenure.wakes_at(), Some(seconds(60)));
}

#[test]
fn renewals_that_fail_are_tried_again_until_the_work_is_cancelled() {
    let tenure = held_then(&[
        (20, Event::Tick, &[Action::Renew(lease(3))]),
        (30, Event::RenewFailed, &[]),
        (32, Event::Tick, &[Action::Renew(lease(3))]),
        (39, Event::Tick, &[]),
        (40, Event::Tick, &[Action::CountLoss, Action::Cancel(CancelReason::NotRenewed)]),
        (41, Event::Renewed(lease(3)), &[]),
        (70, Event::Tick, &[]),
        // The row may still be there: giving it back spares others the wait.
        (71, Event::WorkEnded, &[Action::Release(lease(3))]),
    ]);
    assert_eq!(tenure.wakes_at(), None);
}

#[test]
fn time_in_which_nobody_could_take_over_does_not_count() {
    held_then(&[
        (20, Event::Tick, &[Action::Renew(lease(3))]),
        (30, Event::RenewBlocked, &[]),
        (32, Event::Tick, &[Action::Renew(lease(3))]),
        (42, Event::RenewBlocked, &[]),
        (59, Event::Tick, &[Action::Renew(lease(3))]),
        (60, Event::Tick, &[Action::CountLoss, Action::Cancel(CancelReason::NotRenewed)]),
    ]);
}

#[test]
fn a_lost_lease_cancels_once_and_is_not_given_back() {
    let lost = [Action::CountLoss, Action::Cancel(CancelReason::Lost)];
    held_then(&[
        (20, Event::Tick, &[Action::Renew(lease(3))]),
        (21, Event::Lost, &lost),
        (22, Event::Lost, &[]),
        (50, Event::Tick, &[]),
        (51, Event::Stop, &[]),
        (52, Event::WorkEnded, &[Action::Finish]),
    ]);
}

#[test]
fn a_process_that_was_stopped_for_long_counts_one_loss() {
    let loss = [Action::CountLoss, Action::Cancel(CancelReason::NotRenewed)];
    held_then(&[(90, Event::Tick, &loss), (91, Event::Lost, &[])]);
    // The same when the end of the work, or the store's answer, is what it sees first.
    held_then(&[
        (90, Event::WorkEnded, &[Action::CountLoss, Action::Release(lease(3))]),
        (91, Event::Released, &[Action::Finish]),
    ]);
    let loss = [Action::CountLoss, Action::Cancel(CancelReason::Lost)];
    held_then(&[
        (20, Event::Tick, &[Action::Renew(lease(3))]),
        (90, Event::Lost, &loss),
        (90, Event::Tick, &[]),
    ]);
}

#[test]
fn an_answer_that_took_too_long_does_not_save_the_lease() {
    let loss = [Action::CountLoss, Action::Cancel(CancelReason::NotRenewed)];
    held_then(&[
        (20, Event::Tick, &[Action::Renew(lease(3))]),
        // Asked at 20 s, so it may expire at 80 s: 60 s is the last moment.
        (60, Event::Renewed(lease(3)), &loss),
    ]);
}

#[test]
fn a_stop_cancels_and_keeps_the_lease_until_the_work_has_ended() {
    held_then(&[
        (10, Event::Stop, &[Action::Cancel(CancelReason::Stopped)]),
        (11, Event::Stop, &[]),
        (20, Event::Tick, &[Action::Renew(lease(3))]),
        (21, Event::Renewed(lease(3)), &[]),
        (25, Event::WorkEnded, &[Action::Release(lease(3))]),
        (26, Event::Released, &[Action::Finish]),
    ]);
}

#[test]
fn a_lease_lost_while_stopping_is_counted_without_another_cancel() {
    held_then(&[
        (10, Event::Stop, &[Action::Cancel(CancelReason::Stopped)]),
        (20, Event::Tick, &[Action::Renew(lease(3))]),
        (21, Event::Lost, &[Action::CountLoss]),
        (40, Event::Tick, &[]),
    ]);
}

#[test]
fn a_lease_held_elsewhere_is_looked_for_again_at_its_expiry() {
    let tenure = check(&[
        (0, Event::Tick, &[Action::Acquire]),
        (1, Event::HeldElsewhere { remaining: seconds(30) }, &[]),
        (30, Event::Tick, &[]),
        (31, Event::Tick, &[Action::Acquire]),
        (33, Event::AcquireFailed { retry_after: seconds(7) }, &[]),
    ]);
    assert_eq!(tenure.wakes_at(), Some(seconds(40)));
    assert_eq!(tenure.lease(), None);
}

#[test]
fn a_stop_before_the_lease_is_held_starts_no_work() {
    check(&[(0, Event::Stop, &[Action::Finish])]);
    check(&[
        (0, Event::Tick, &[Action::Acquire]),
        (1, Event::Stop, &[]),
        (2, Event::Acquired(lease(3)), &[Action::Release(lease(3))]),
        (3, Event::Released, &[Action::Finish]),
    ]);
    check(&[
        (0, Event::Tick, &[Action::Acquire]),
        (1, Event::Stop, &[]),
        (2, Event::HeldElsewhere { remaining: seconds(30) }, &[Action::Finish]),
    ]);
}

#[test]
fn a_lease_acquired_too_late_to_be_used_starts_no_work() {
    check(&[
        (0, Event::Tick, &[Action::Acquire]),
        (40, Event::Acquired(lease(3)), &[Action::Acquire]),
        (41, Event::HeldElsewhere { remaining: seconds(19) }, &[]),
    ]);
}
