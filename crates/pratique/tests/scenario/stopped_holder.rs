//! Scenario 6: the holder of a lease is stopped, another takes over; the first, continued, writes
//! nothing and says that it lost the lease.

use std::time::Duration;

use pratique_testkit::ScriptedAnswer;
use pratique_testkit::feed::{self, DebianEntry};
use pratique_testkit::process::{Signal, eventually};

use crate::bed::{Bed, DEADLINE, DEBIAN, ballast};
use crate::on_both_stores;
use crate::service::{Service, Stopwatch, Times, wait_for_generation};

const LOST: &str = "pratique_updater_lease_lost_total";

on_both_stores!(a_stopped_holder_is_replaced_and_writes_nothing_afterwards);

fn a_stopped_holder_is_replaced_and_writes_nothing_afterwards(bed: &Bed) {
    let mut entries = ballast(100);
    bed.publish_debian(&entries);
    bed.update(DEBIAN, 0);
    bed.register("app", &[("bash", "5.0")]);
    entries.push(DebianEntry::new("bash", "CVE-2026-0001", Some("5.1")));
    bed.publish_debian(&entries);
    // The first gets the new feed so slowly that it is stopped while it holds the lease.
    let path = format!("/{}", feed::DEBIAN);
    bed.server.script(&path, ScriptedAnswer::Drip(2_000, Duration::from_millis(100)));
    let first = Service::start(bed, "first", DEBIAN, "update");
    bed.server.wait_for_held(1, DEADLINE);
    first.process.signal(Signal::STOP);
    let (stopped_at, times) = (Stopwatch::start(), Times::of_this_run());

    let second = Service::start(bed, "second", DEBIAN, "update,match");
    wait_for_generation(bed, DEBIAN, 2);
    eventually("the change is told", DEADLINE, || !bed.reasons().is_empty());
    stopped_at.wait_until(times.stopped_for);

    first.process.signal(Signal::CONT);
    first.wait_for_metric(LOST, &[], 1.0);
    // Once it holds the lease again and has looked, it had every chance to write.
    let runs = "pratique_updater_runs_total";
    let seen = second.metric(runs, &[]) + first.metric(runs, &[]);
    eventually("both look again", DEADLINE, || {
        second.metric(runs, &[]) + first.metric(runs, &[]) >= seen + 2.0
    });
    assert!((first.metric(LOST, &[]) - 1.0).abs() < f64::EPSILON);
    assert!(second.metric(LOST, &[]).abs() < f64::EPSILON);
    assert_eq!(bed.status(DEBIAN)["generation"], 2);
    assert_eq!(bed.reasons(), ["new CVE-2026-0001"]);
    first.stop(bed);
    second.stop(bed);
}
