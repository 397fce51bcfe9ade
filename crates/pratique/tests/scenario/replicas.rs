//! Several replicas on one PostgreSQL, killed at random: every part is looked at once in an
//! interval, everything is told once, and who was never disturbed has lost no lease.

use std::time::Duration;

use pratique_testkit::feed::{self, DebianEntry};
use pratique_testkit::process::eventually;

use crate::bed::{Bed, DEADLINE, DEBIAN, ballast};
use crate::chance;
use crate::service::{Service, Stopwatch, Times, wait_for_generation};

/// How often each part is looked at. Longer than a lease of this run lives, so that a part whose
/// holder was killed is late by no more than one interval.
const INTERVAL: Duration = Duration::from_secs(4);

/// Two requests this near each other are one look too many: half an interval, where the schedule
/// itself varies by a tenth, because a busy machine sees some of them late.
const NEAREST: Duration = Duration::from_secs(2);

/// How many changes are published, with a kill after each.
const ROUNDS: u64 = 4;

#[test]
fn two_replicas_look_once_in_an_interval_and_tell_once_whichever_is_killed() {
    share(2);
}

#[test]
fn five_replicas_look_once_in_an_interval_and_tell_once_whichever_are_killed() {
    share(5);
}

fn share(count: u64) {
    let Some(bed) = Bed::on_postgresql() else { return };
    let seed = chance::seed();
    let mut entries = ballast(100);
    bed.publish_debian(&entries);
    bed.publish(feed::KEV, feed::kev(&["CVE-2026-9999"]));
    bed.publish(feed::EPSS, feed::epss(&[("CVE-2026-9999", 0.5)]));
    bed.update("debian,kev,epss", 0);
    bed.register("app", &[("bash", "5.0")]);
    let start = |name: String| {
        let interval = format!("{}s", INTERVAL.as_secs());
        Service::start_with(&bed, &name, "debian,kev,epss", &["--interval", &interval])
    };
    let mut replicas: Vec<Service> =
        (0..count).map(|number| start(format!("replica {number}"))).collect();
    let mut killed_at = Vec::new();
    let mut expected = Vec::new();
    for round in 0..ROUNDS {
        let cve = format!("CVE-2026-{round:04}");
        entries.push(DebianEntry::new("bash", &cve, Some("5.1")));
        expected.push(format!("new {cve}"));
        bed.publish_debian(&entries);
        wait_for_generation(&bed, DEBIAN, round + 2);
        eventually("the change is told", Times::of_this_run().deadline(), || {
            bed.reasons().len() >= expected.len()
        });
        // At any moment of an interval.
        let delay = Duration::from_millis(chance::mixed(seed, round) % 4_000);
        Stopwatch::start().wait_until(delay);
        let victim = chance::mixed(seed ^ 1, round) % count;
        let victim = usize::try_from(victim).expect("a few");
        replicas[victim].process.kill();
        killed_at.push(Stopwatch::start());
        // Those that are left are always as many, so that the last kills are like the first.
        replicas[victim] = start(format!("replica {victim}, after round {round}"));
    }
    wait_for_looks(&bed);
    assert_eq!(bed.reasons(), expected, "seed {seed}");
    for path in [feed::DEBIAN, feed::KEV, feed::EPSS] {
        check_looks(&bed, path, &killed_at);
    }
    for replica in replicas {
        let lost = replica.metric("pratique_updater_lease_lost_total", &[]);
        assert!(lost.abs() < f64::EPSILON, "an undisturbed replica has lost {lost}, seed {seed}");
        replica.stop(&bed);
    }
    assert_eq!(bed.leases(), [""; 0]);
}

/// Waits for two more looks at everything.
fn wait_for_looks(bed: &Bed) {
    for path in [feed::DEBIAN, feed::KEV, feed::EPSS].map(|path| format!("/{path}")) {
        let seen = bed.server.arrivals(&path).len();
        bed.server.wait_for_requests(&path, seen + 2, Times::of_this_run().deadline());
    }
}

/// No two looks lie in one interval, unless whoever took the first was killed in it.
fn check_looks(bed: &Bed, path: &str, killed_at: &[Stopwatch]) {
    let looks = bed.server.arrivals(&format!("/{path}"));
    let gaps: Vec<Duration> = looks.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let (mut again_count, mut longest) = (0, Duration::ZERO);
    for (pair, gap) in looks.windows(2).zip(&gaps) {
        let is_excused = killed_at.iter().any(|kill| kill.is_between(pair[0], pair[1]));
        again_count += usize::from(*gap < NEAREST);
        assert!(*gap >= NEAREST || is_excused, "{path}: two looks in one interval: {gaps:?}");
        longest = longest.max(*gap);
    }
    eprintln!("{path}: {} looks, {again_count} repeated, {longest:?} at most", looks.len());
    let latest = INTERVAL * 11 / 10 + Times::of_this_run().lease_ttl + DEADLINE / 4;
    assert!(longest <= latest, "{path}: an interval was left out: {gaps:?}");
}
