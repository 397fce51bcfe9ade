//! Scenario 5: killed at any moment, the store holds the old or the new state of a feed, and in
//! the end everything was told once.

use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, SystemTime};

use pratique_testkit::feed::{self, DebianEntry};

use crate::bed::{Bed, DEADLINE, DEBIAN, ballast};
use crate::on_both_stores;
use crate::service::{Service, wait_for_generation};

/// How often the service is killed; from the design (updater, *Shown by*, 5).
const KILLS: usize = 20;

/// The longest time from a feed's being asked for to the kill: parsing, writing and matching end
/// well before.
const DELAY_MAX_MS: u64 = 1_500;

on_both_stores!(a_service_killed_at_any_moment_loses_and_repeats_nothing);

fn a_service_killed_at_any_moment_loses_and_repeats_nothing(bed: &Bed) {
    let seed = seed();
    eprintln!("seed {seed}: SEED={seed} repeats the delays");
    let mut entries = ballast(400);
    bed.publish_debian(&entries);
    bed.update(DEBIAN, 0);
    bed.register("app", &[("bash", "5.0"), ("curl", "7.0")]);
    let path = format!("/{}", feed::DEBIAN);
    let mut expected = Vec::new();
    for round in 0..KILLS {
        // What bash had last time gets another fix, curl gets something new.
        for entry in entries.iter_mut().filter(|entry| entry.package == "curl") {
            if entry.fixed.as_deref() == Some("7.1") {
                entry.fixed = Some("7.2".to_owned());
                expected.push(format!("fix_changed {}", entry.cve));
            }
        }
        let cve = format!("CVE-2026-{round:04}");
        entries.push(DebianEntry::new("curl", &cve, Some("7.1")));
        expected.push(format!("new {cve}"));
        bed.publish_debian(&entries);

        let asked = bed.server.requests().iter().filter(|it| it.path == path).count();
        let service = Service::start(bed, "victim", DEBIAN, "update,match");
        bed.server.wait_for_requests(&path, asked + 1, DEADLINE);
        let delay = Duration::from_millis(mixed(seed, round) % DELAY_MAX_MS);
        service.process.has_ended_within(delay);
        service.process.kill();
        check_snapshot(bed, round, delay);

        let next = Service::start(bed, "heir", DEBIAN, "update,match");
        wait_for_generation(bed, DEBIAN, generation_after(round));
        expected.sort();
        wait_for_reasons(bed, &expected);
        next.stop(bed);
    }
    assert_eq!(bed.reasons(), expected, "seed {seed}");
}

/// The store holds a feed as it was before or after, and nothing in between.
fn check_snapshot(bed: &Bed, round: usize, delay: Duration) {
    let status = bed.status(DEBIAN);
    let generation = status["generation"].as_u64().expect("a number");
    let is_new = generation == generation_after(round);
    assert!(is_new || generation + 1 == generation_after(round), "{status:#}");
    let entries = 400 + round + usize::from(is_new);
    assert_eq!(status["entries"], entries, "round {round}, killed after {delay:?}");
    let found = bed.search("curl");
    let rows = found.as_array().expect("a list");
    assert_eq!(rows.len(), round + usize::from(is_new), "round {round}: {found:#}");
    let young = rows.iter().filter(|row| row["fixed"][0] == "7.1").count();
    assert!(young <= 1, "round {round}: a mixture: {found:#}");
}

fn wait_for_reasons(bed: &Bed, expected: &[String]) {
    pratique_testkit::process::eventually("all is told", DEADLINE, || {
        bed.reasons().len() >= expected.len()
    });
    assert_eq!(bed.reasons(), expected);
}

fn generation_after(round: usize) -> u64 {
    u64::try_from(round).expect("few rounds") + 2
}

/// The seed of this run: that of the environment's `SEED`, else one of the moment.
fn seed() -> u64 {
    let given = std::env::var("SEED").ok().and_then(|text| text.parse().ok());
    #[expect(clippy::disallowed_methods, reason = "any number will do")]
    let now = SystemTime::now;
    given.unwrap_or_else(|| RandomState::new().hash_one(now()) >> 32)
}

/// An evenly spread number (the finaliser of SplitMix64).
fn mixed(seed: u64, round: usize) -> u64 {
    let round = u64::try_from(round).expect("few rounds");
    let mut mixed = seed.wrapping_add(round.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
