//! Scenario 5: killed at any moment, the store holds the old or the new state of a feed, and in
//! the end everything was told once.
//!
//! A moment that is drawn evenly seldom falls into the transaction that matters. So a kill is aimed
//! at one stretch of the work: it comes so long after the service says that the stretch has begun
//! as a part, drawn evenly, of what the stretch took last time. Where each has fallen is counted by
//! what the service had said and by what the store shows afterwards.

use std::collections::BTreeMap;
use std::time::Duration;

use pratique_testkit::ScriptedAnswer;
use pratique_testkit::feed::{self, DebianEntry};
use pratique_testkit::process::eventually;

use crate::bed::{Bed, DEADLINE, DEBIAN, ballast};
use crate::chance;
use crate::on_both_stores;
use crate::service::{Service, Times, wait_for_generation};

/// How often the service is killed at least; from the design (updater, *Shown by*, 5).
const KILLS: usize = 20;

/// How many of the kills fall into the committing transaction at least.
const KILLS_IN_COMMIT: usize = 5;

/// How often it is killed at most until so many have: on a busy machine a kill comes late.
const KILLS_MAX: usize = 60;

/// Entries besides those that are watched. All get another text each time, so that a commit has
/// something to write.
const BALLAST: usize = 1_500;

/// How long a stretch is taken to be before it was measured.
const FIRST_GUESS: Duration = Duration::from_millis(50);

/// The longest time from a feed's being asked for to a kill that is not aimed.
const ANYWHERE_MS: u64 = 1_500;

/// A stretch of an update's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stretch {
    Fetch,
    Parse,
    Commit,
    /// What the matcher does with a generation.
    Match,
    /// Nothing is being done.
    Rest,
}

/// What each kill in a row is aimed at; nothing where it may come at any time.
const AIMS: [Option<Stretch>; 6] = [
    Some(Stretch::Commit),
    Some(Stretch::Fetch),
    None,
    Some(Stretch::Commit),
    Some(Stretch::Match),
    Some(Stretch::Parse),
];

/// The feed as it is, and what must have been told of it.
struct Story {
    entries: Vec<DebianEntry>,
    expected: Vec<String>,
}

on_both_stores!(a_service_killed_at_any_moment_loses_and_repeats_nothing);

fn a_service_killed_at_any_moment_loses_and_repeats_nothing(bed: &Bed) {
    let seed = chance::seed();
    let mut story = Story { entries: ballast(BALLAST), expected: Vec::new() };
    bed.publish_debian(&story.entries);
    bed.update(DEBIAN, 0);
    bed.register("app", &[("bash", "5.0"), ("curl", "7.0")]);
    let mut took = BTreeMap::new();
    let mut fallen: BTreeMap<(Stretch, bool), usize> = BTreeMap::new();
    let mut round = 0;
    let in_commit = |fallen: &BTreeMap<(Stretch, bool), usize>| {
        [false, true]
            .iter()
            .filter_map(|is_new| fallen.get(&(Stretch::Commit, *is_new)))
            .sum::<usize>()
    };
    while round < KILLS || (in_commit(&fallen) < KILLS_IN_COMMIT && round < KILLS_MAX) {
        story.go_on(round);
        let aim = AIMS[round % AIMS.len()];
        if aim == Some(Stretch::Fetch) {
            // A fetch from this machine is over before it can be hit: this one takes 100 ms.
            let drip = ScriptedAnswer::Drip(40 << 10, Duration::from_millis(20));
            bed.server.script(&format!("/{}", feed::DEBIAN), drip);
        }
        bed.publish_debian(&story.entries);
        let stretch = kill(bed, aim, chance::mixed(seed, round as u64), &took);
        let is_new = check_snapshot(bed, round);
        *fallen.entry((stretch, is_new)).or_default() += 1;

        let heir = Service::start(bed, "heir", DEBIAN, "update,match");
        wait_for_generation(bed, DEBIAN, generation_after(round));
        story.wait_until_told(bed);
        for stretch in [Stretch::Fetch, Stretch::Parse, Stretch::Commit] {
            // An heir that found everything done has measured nothing but a look.
            if !is_new {
                took.insert(stretch, heir_took(&heir, stretch));
            }
        }
        heir.stop(bed);
        round += 1;
    }
    for ((stretch, is_new), count) in &fallen {
        let state = if *is_new { "new" } else { "old" };
        eprintln!("{count} of {round} kills fell into {stretch:?}; the store was {state}");
    }
    assert!(in_commit(&fallen) >= KILLS_IN_COMMIT, "too few in a commit: {fallen:?}, seed {seed}");
    assert_eq!(bed.reasons(), story.expected, "seed {seed}");
}

/// Starts a service, kills it, and says in which stretch of its work it was.
fn kill(
    bed: &Bed,
    aim: Option<Stretch>,
    chance: u64,
    took: &BTreeMap<Stretch, Duration>,
) -> Stretch {
    let path = format!("/{}", feed::DEBIAN);
    let asked = bed.server.arrivals(&path).len();
    let service = Service::start(bed, "victim", DEBIAN, "update,match");
    // A victim that died early holds the lease, so its successor may have to wait for that.
    bed.server.wait_for_requests(&path, asked + 1, Times::of_this_run().deadline());
    let delay = match aim {
        None => Duration::from_millis(chance % ANYWHERE_MS),
        Some(aim) => {
            service.process.wait_for_line(aim.begins(), DEADLINE);
            let usual = took.get(&aim).copied().unwrap_or(FIRST_GUESS);
            usual.mul_f64(f64::from(u16::try_from(chance % 1_000).expect("small")) / 1_000.0)
        }
    };
    service.process.has_ended_within(delay);
    service.process.kill();
    Stretch::at_the_end_of(&service.process.said())
}

impl Stretch {
    /// What the service says when it begins.
    fn begins(self) -> &'static str {
        match self {
            Self::Fetch => "part debian: fetching",
            Self::Parse => "part debian: reading",
            Self::Commit => "part debian: committing",
            Self::Match => "part debian: generation",
            Self::Rest => "matcher: ",
        }
    }

    /// The last one that had begun, by what a service has said.
    fn at_the_end_of(said: &str) -> Self {
        let all = [Self::Fetch, Self::Parse, Self::Commit, Self::Match, Self::Rest];
        let begun = all.into_iter().filter_map(|it| Some((said.rfind(it.begins())?, it)));
        begun.max().map_or(Self::Rest, |(_, stretch)| stretch)
    }

    /// As the metric of what it takes has it.
    fn phase(self) -> &'static str {
        match self {
            Self::Fetch => "phase=\"fetch\"",
            Self::Parse => "phase=\"parse\"",
            Self::Commit | Self::Match | Self::Rest => "phase=\"apply\"",
        }
    }
}

fn heir_took(heir: &Service, stretch: Stretch) -> Duration {
    let name = "pratique_updater_duration_seconds_sum";
    Duration::from_secs_f64(heir.metric(name, &[stretch.phase()]))
}

impl Story {
    /// Every text changes, what curl had last time gets another fix, curl gets something new.
    fn go_on(&mut self, round: usize) {
        for entry in &mut self.entries {
            entry.description = format!("A flaw of {}, told {round} times", entry.package);
            if entry.package == "curl" && entry.fixed.as_deref() == Some("7.1") {
                entry.fixed = Some("7.2".to_owned());
                self.expected.push(format!("fix_changed {}", entry.cve));
            }
        }
        let cve = format!("CVE-2026-{round:04}");
        self.entries.push(DebianEntry::new("curl", &cve, Some("7.1")));
        self.expected.push(format!("new {cve}"));
        self.expected.sort();
    }

    fn wait_until_told(&self, bed: &Bed) {
        eventually("all is told", Times::of_this_run().deadline(), || {
            bed.reasons().len() >= self.expected.len()
        });
        assert_eq!(bed.reasons(), self.expected);
    }
}

/// The store holds a feed as it was before or after, and nothing in between; whether it is after.
fn check_snapshot(bed: &Bed, round: usize) -> bool {
    let status = bed.status(DEBIAN);
    let generation = status["generation"].as_u64().expect("a number");
    let is_new = generation == generation_after(round);
    assert!(is_new || generation + 1 == generation_after(round), "{status:#}");
    let entries = BALLAST + round + usize::from(is_new);
    assert_eq!(status["entries"], entries, "round {round}");
    let found = bed.search("curl");
    let rows = found.as_array().expect("a list");
    assert_eq!(rows.len(), round + usize::from(is_new), "round {round}: {found:#}");
    let young = rows.iter().filter(|row| row["fixed"][0] == "7.1").count();
    assert!(young <= 1, "round {round}: a mixture: {found:#}");
    is_new
}

fn generation_after(round: usize) -> u64 {
    u64::try_from(round).expect("few rounds") + 2
}
