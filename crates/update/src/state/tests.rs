//! The schedule with time passed in: a table of what is due when, and long random runs.

use proptest::prelude::*;

use super::*;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

fn start() -> Timestamp {
    "2026-09-01T00:00:00Z".parse().expect("a time")
}

fn terms(interval: Duration, host: &str) -> Terms {
    Terms { interval, host: host.to_owned() }
}

fn part(name: &str) -> PartId {
    PartId::new("lines", name)
}

/// What the store knows: when it was tried, and whether that went well.
fn state(name: &str, attempt_at: Timestamp, error: Option<&str>) -> PartState {
    PartState {
        id: part(name),
        generation: 1,
        fingerprint: None,
        parser_version: 1,
        entries: 1,
        quarantined: 0,
        is_absent: false,
        as_of: None,
        last_attempt: Some(attempt_at),
        last_success: error.is_none().then_some(attempt_at),
        last_error: error.map(str::to_owned),
        is_partial: false,
    }
}

fn schedule(names: &[&str]) -> Schedule {
    let mut schedule = Schedule::new(Random::from_seed(1));
    for name in names {
        schedule.observe(&part(name), terms(HOUR, "a.example"), None, start());
    }
    schedule
}

fn begin(schedule: &mut Schedule, now: Timestamp) -> Option<String> {
    schedule.start(now, |_, _| true).map(|part| part.part().to_owned())
}

fn wait_of(schedule: &Schedule, now: Timestamp) -> Duration {
    let at = schedule.wakes_at().expect("something is due one day");
    Duration::try_from(at.duration_since(now)).unwrap_or_default()
}

#[test]
fn what_was_never_loaded_goes_first_then_what_is_due_the_longest() {
    let mut schedule = schedule(&["new"]);
    let now = later(start(), 10 * HOUR);
    for (name, hours) in [("old", 2), ("older", 1)] {
        let at = later(start(), HOUR * hours);
        schedule.observe(&part(name), terms(HOUR, "a"), Some(&state(name, at, None)), now);
    }
    let order: Vec<_> = std::iter::from_fn(|| begin(&mut schedule, now)).collect();
    assert_eq!(order, ["new", "older", "old"]);
    assert_eq!(schedule.wakes_at(), None, "all of them are running");
}

#[test]
fn success_waits_an_interval_give_or_take_a_tenth() {
    let mut waits = Vec::new();
    for seed in 0..200 {
        let mut schedule = Schedule::new(Random::from_seed(seed));
        let stored = state("one", start(), None);
        schedule.observe(&part("one"), terms(HOUR, "a"), Some(&stored), start());
        waits.push(wait_of(&schedule, start()));
    }
    let (least, most) = (waits.iter().min(), waits.iter().max());
    assert!(least >= Some(&(54 * MINUTE)) && most <= Some(&(66 * MINUTE)), "{least:?} {most:?}");
    assert!(least < Some(&(56 * MINUTE)) && most > Some(&(64 * MINUTE)), "{least:?} {most:?}");
}

#[test]
fn failures_wait_longer_and_longer_but_never_longer_than_the_interval() {
    for (failures, bound) in [(1, 30), (2, 60), (3, 120), (6, 900), (60, 900)] {
        let mut longest = Duration::ZERO;
        for seed in 0..100 {
            let mut schedule = Schedule::new(Random::from_seed(seed));
            schedule.observe(&part("one"), terms(15 * MINUTE, "a"), None, start());
            let mut now = start();
            for _ in 0..failures {
                now = now.max(schedule.wakes_at().expect("due one day"));
                assert!(begin(&mut schedule, now).is_some());
                schedule.ended(&part("one"), Ending::Failed { retry_after: None }, now);
            }
            let wait = wait_of(&schedule, now);
            assert!(wait >= WAIT_MIN, "after {failures}: {wait:?}");
            longest = longest.max(wait);
        }
        let bound = Duration::from_secs(bound);
        assert!(longest <= bound && longest > bound / 2, "after {failures}: {longest:?}");
    }
}

#[test]
fn a_failure_that_another_process_stored_is_waited_for_too() {
    let mut schedule = schedule(&[]);
    let failed = state("one", start(), Some("no"));
    schedule.observe(&part("one"), terms(HOUR, "a"), Some(&failed), start());
    let wait = wait_of(&schedule, start());
    assert!(wait >= WAIT_MIN && wait <= RETRY_FIRST, "{wait:?}");
}

#[test]
fn retry_after_holds_for_every_part_of_the_host_and_even_for_requests() {
    let mut schedule = schedule(&["one", "two"]);
    schedule.observe(&part("other"), terms(HOUR, "b.example"), None, start());
    schedule.start(start(), |part, _| part.part() == "one").expect("due");
    let failed = Ending::Failed { retry_after: Some(5 * MINUTE) };
    schedule.ended(&part("one"), failed, start());
    schedule.request(|_| true, start());
    assert_eq!(begin(&mut schedule, start()).as_deref(), Some("other"));
    assert_eq!(begin(&mut schedule, later(start(), 4 * MINUTE)), None);
    let now = later(start(), 5 * MINUTE);
    assert_eq!(begin(&mut schedule, now).as_deref(), Some("one"));
    assert_eq!(begin(&mut schedule, now).as_deref(), Some("two"));
}

#[test]
fn a_server_cannot_send_us_away_for_longer_than_a_day() {
    let mut schedule = schedule(&["one"]);
    begin(&mut schedule, start());
    let failed = Ending::Failed { retry_after: Some(Duration::MAX) };
    schedule.ended(&part("one"), failed, start());
    assert_eq!(wait_of(&schedule, start()), RETRY_AFTER_MAX);
}

#[test]
fn a_part_held_elsewhere_is_looked_at_again_at_the_holders_expiry() {
    let mut schedule = schedule(&["one"]);
    begin(&mut schedule, start());
    let remaining = Duration::from_secs(42);
    schedule.ended(&part("one"), Ending::Held { remaining }, start());
    assert_eq!(wait_of(&schedule, start()), remaining);
    let now = later(start(), remaining);
    assert!(begin(&mut schedule, now).is_some());
    // The holder has finished meanwhile.
    let done = state("one", later(start(), Duration::from_secs(40)), None);
    assert!(!schedule.is_still_due(&part("one"), Some(&done), now));
    schedule.ended(&part("one"), Ending::NotDue, now);
    assert!(wait_of(&schedule, now) > 50 * MINUTE);
}

#[test]
fn what_was_seen_while_a_part_waited_for_its_lease_counts_under_the_lease() {
    let mut schedule = schedule(&["one"]);
    begin(&mut schedule, start());
    let now = later(start(), Duration::from_secs(1));
    let done = state("one", now, None);
    schedule.observe(&part("one"), terms(HOUR, "a.example"), Some(&done), now);
    assert!(!schedule.is_still_due(&part("one"), Some(&done), now));
}

#[test]
fn a_part_is_still_due_when_the_store_knows_nothing_newer() {
    let mut schedule = schedule(&[]);
    let old = state("one", start(), None);
    schedule.observe(&part("one"), terms(HOUR, "a"), Some(&old), start());
    let now = later(start(), 2 * HOUR);
    assert!(begin(&mut schedule, now).is_some());
    assert!(schedule.is_still_due(&part("one"), Some(&old), now));
}

#[test]
fn a_request_makes_due_and_joins_what_runs() {
    let mut schedule = schedule(&["one", "two", "off"]);
    schedule.observe(&part("off"), terms(Duration::ZERO, "a"), None, start());
    for name in ["one", "two"] {
        assert_eq!(begin(&mut schedule, start()).as_deref(), Some(name));
    }
    schedule.ended(&part("one"), Ending::Answered, start());
    let now = later(start(), MINUTE);
    assert_eq!(begin(&mut schedule, now), None);
    let requested = schedule.request(|_| true, now);
    assert_eq!(requested, Requested { due: 1, joined: 1 });
    assert_eq!(begin(&mut schedule, now).as_deref(), Some("one"));
    assert_eq!(begin(&mut schedule, later(now, 100 * HOUR)), None, "off stays off");
}

#[test]
fn a_request_is_answered_by_whoever_asks_upstream_after_it() {
    let mut schedule = schedule(&["one"]);
    begin(&mut schedule, start());
    schedule.ended(&part("one"), Ending::Answered, start());
    let asked_at = later(start(), MINUTE);
    schedule.request(|_| true, asked_at);
    assert!(begin(&mut schedule, asked_at).is_some());
    schedule.ended(&part("one"), Ending::Held { remaining: MINUTE }, asked_at);
    let now = later(asked_at, MINUTE);
    assert!(begin(&mut schedule, now).is_some());
    let before = state("one", later(start(), Duration::from_secs(30)), None);
    assert!(schedule.is_still_due(&part("one"), Some(&before), now));
    let after = state("one", later(asked_at, Duration::from_secs(30)), None);
    assert!(!schedule.is_still_due(&part("one"), Some(&after), now));
}

#[test]
fn absent_is_no_failure() {
    let mut schedule = schedule(&[]);
    let mut absent = state("one", start(), None);
    absent = PartState { generation: 0, is_absent: true, last_success: None, ..absent };
    schedule.observe(&part("one"), terms(HOUR, "a"), Some(&absent), start());
    assert!(wait_of(&schedule, start()) >= 54 * MINUTE);
}

#[test]
fn a_new_interval_counts_from_the_last_run() {
    let mut schedule = schedule(&[]);
    let stored = state("one", start(), None);
    schedule.observe(&part("one"), terms(HOUR, "a"), Some(&stored), start());
    let now = later(start(), 10 * MINUTE);
    schedule.observe(&part("one"), terms(5 * MINUTE, "a"), Some(&stored), now);
    assert!(begin(&mut schedule, now).is_some());
}

#[test]
fn a_clock_that_ran_ahead_puts_nothing_off_beyond_the_interval() {
    let mut schedule = schedule(&[]);
    let stored = state("one", later(start(), 1000 * HOUR), None);
    schedule.observe(&part("one"), terms(HOUR, "a"), Some(&stored), start());
    assert!(wait_of(&schedule, start()) <= 66 * MINUTE);
}

/// What happens in a random run.
#[derive(Clone, Debug)]
enum Happening {
    /// So many seconds pass.
    Pass(u32),
    /// The next due part is begun.
    Start,
    /// The part that runs ends.
    End(Ending),
    /// Everything is asked for.
    Request,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        (1..900_u32).prop_map(Happening::Pass),
        Just(Happening::Start),
        Just(Happening::End(Ending::Answered)),
        Just(Happening::End(Ending::Failed { retry_after: None })),
        (1..120_u64).prop_map(|seconds| Happening::End(Ending::Held {
            remaining: Duration::from_secs(seconds)
        })),
        Just(Happening::End(Ending::Cancelled)),
        Just(Happening::Request),
    ]
}

/// A model of one part that knows only what must hold: not too soon, and not too late.
#[derive(Default)]
struct Model {
    is_running: bool,
    is_requested: bool,
    ended: Option<(Ending, Timestamp)>,
    failures: u32,
}

impl Model {
    /// The soonest and latest time at which the part may be due.
    fn window(&self, interval: Duration) -> Option<(Timestamp, Timestamp)> {
        let (ending, at) = self.ended?;
        let (least, most) = match ending {
            Ending::Answered if self.is_requested => (Duration::ZERO, interval * 11 / 10),
            Ending::Answered => (interval * 9 / 10, interval * 11 / 10),
            Ending::Failed { .. } => {
                let bound = 30_u64 << self.failures.saturating_sub(1).min(20);
                (WAIT_MIN, Duration::from_secs(bound).min(interval))
            }
            Ending::Held { remaining } => (remaining, interval * 11 / 10 + remaining),
            Ending::NotDue | Ending::Cancelled => (WAIT_MIN, interval * 11 / 10),
        };
        Some((later(at, least), later(at, most)))
    }
}

proptest! {
    #[test]
    fn a_part_runs_once_at_a_time_never_too_soon_and_never_too_late(
        seed in any::<u64>(),
        happenings in proptest::collection::vec(happening(), 1..200),
    ) {
        let interval = 10 * MINUTE;
        let mut schedule = Schedule::new(Random::from_seed(seed));
        let mut now = start();
        schedule.observe(&part("one"), terms(interval, "a"), None, now);
        let mut model = Model::default();
        for happening in happenings {
            match happening {
                Happening::Pass(seconds) => now = later(now, Duration::from_secs(seconds.into())),
                Happening::Start => {
                    let is_begun = begin(&mut schedule, now).is_some();
                    prop_assert!(!(is_begun && model.is_running), "twice at once");
                    let window = model.window(interval).filter(|_| !model.is_running);
                    if let Some((soonest, latest)) = window {
                        prop_assert!(!is_begun || now >= soonest, "too soon: {now} {soonest}");
                        prop_assert!(is_begun || now < latest, "too late: {now} {latest}");
                    }
                    model.is_running |= is_begun;
                }
                Happening::End(ending) if model.is_running => {
                    schedule.ended(&part("one"), ending, now);
                    model.is_running = false;
                    model.ended = Some((ending, now));
                    match ending {
                        Ending::Failed { .. } => {
                            model.failures += 1;
                            model.is_requested = false;
                        }
                        Ending::Answered => {
                            model.failures = 0;
                            model.is_requested = false;
                        }
                        _ => {}
                    }
                }
                Happening::End(_) => {}
                Happening::Request => {
                    let requested = schedule.request(|_| true, now);
                    prop_assert_eq!(requested.joined == 1, model.is_running);
                    model.is_requested |= !model.is_running;
                }
            }
        }
    }
}
