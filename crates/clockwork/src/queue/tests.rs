//! Goal: the queue hands out what a much simpler one would, at the same times, and stays in its
//! bounds. Method: tables under a virtual clock, and random worlds of workers against a model that
//! keeps one list a key and searches everything each time.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// An event for tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// Never merged, never dropped.
    Exit(u32),
    /// Merged with another one, keeping the last.
    Image(u32),
    /// Never merged, may be dropped.
    Step(u32),
}

const RULES: Rules<Told> = Rules {
    absorb: |waiting, later| match (&waiting, later) {
        (Told::Image(_), Told::Image(_)) => {
            *waiting = *later;
            true
        }
        _ => false,
    },
    is_expendable: |event| !matches!(event, Told::Exit(_)),
};

fn queue() -> Queue<&'static str, Told> {
    Queue::new(RULES, None)
}

/// Takes all that is to be had and is done with it.
fn drain<K: Clone + Eq + Hash>(queue: &mut Queue<K, Told>, now: Duration) -> Vec<(K, Told)> {
    let mut handled = Vec::new();
    while let Some(taken) = queue.take(now) {
        handled.push((taken.key.clone(), taken.event));
        queue.done(taken);
    }
    handled
}

fn fail_next(queue: &mut Queue<&'static str, Told>, now: Duration) -> (&'static str, Told) {
    let taken = queue.take(now).expect("something to take");
    let told = (taken.key, taken.event);
    queue.fail(taken, now);
    told
}

#[test]
fn waits_double_from_one_second_to_three_hundred_and_end_exactly() {
    let mut queue = queue();
    queue.push("a", Told::Exit(1));
    let mut now = Duration::from_millis(1_500);
    fail_next(&mut queue, now);
    for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
        let end = now + seconds * SECOND;
        assert!(queue.take(end - Duration::from_nanos(1)).is_none(), "{seconds} s: early");
        assert!(queue.wake_at().is_some_and(|at| at <= end), "{seconds} s: would oversleep");
        assert_eq!(fail_next(&mut queue, end), ("a", Told::Exit(1)), "{seconds} s");
        now = end;
    }
}

#[test]
fn a_wait_is_a_tenth_longer_or_shorter_at_most() {
    let mut random = Random::from_seed(1);
    for (failure_count, seconds) in [(1, 1.0), (2, 2.0), (9, 256.0), (10, 300.0), (u32::MAX, 300.0)]
    {
        let waits: Vec<f64> = (0..1000)
            .map(|_| wait_after(failure_count, Some(&mut random)).as_secs_f64() / seconds)
            .collect();
        let (low, high) = waits
            .iter()
            .fold((2.0_f64, 0.0_f64), |(low, high), wait| (low.min(*wait), high.max(*wait)));
        assert!((0.9..0.91).contains(&low), "{failure_count} failures: {low}");
        assert!((1.09..=1.1).contains(&high), "{failure_count} failures: {high}");
    }
}

#[test]
fn a_failed_event_and_those_behind_it_come_again_in_order() {
    let mut queue = queue();
    for number in 1..=3 {
        queue.push("a", Told::Step(number));
    }
    let now = Duration::ZERO;
    let first = queue.take(now).expect("first");
    queue.done(first);
    assert_eq!(fail_next(&mut queue, now), ("a", Told::Step(2)));
    queue.push("a", Told::Step(4));
    queue.push("b", Told::Step(9));
    assert_eq!(drain(&mut queue, now), [("b", Told::Step(9))], "other keys do not wait");
    let counts = queue.counts();
    assert_eq!((counts.backoff_key_count, counts.backoff_event_count), (1, 3));
    let order: Vec<Told> = drain(&mut queue, SECOND).into_iter().map(|(_, event)| event).collect();
    assert_eq!(order, [Told::Step(2), Told::Step(3), Told::Step(4)]);
    assert_eq!(queue.counts(), QueueCounts::default());
}

#[test]
fn a_success_in_between_does_not_shorten_the_next_wait() {
    let mut queue = queue();
    queue.push("a", Told::Step(1));
    queue.push("a", Told::Step(2));
    fail_next(&mut queue, Duration::ZERO);
    let taken = queue.take(SECOND).expect("after a second");
    queue.done(taken);
    assert_eq!(fail_next(&mut queue, SECOND), ("a", Told::Step(2)));
    assert!(queue.take(3 * SECOND - Duration::from_millis(1)).is_none());
    assert_eq!(drain(&mut queue, 3 * SECOND), [("a", Told::Step(2))]);
    // Nothing was left, so the next failure is a first one.
    queue.push("a", Told::Step(3));
    fail_next(&mut queue, 3 * SECOND);
    assert_eq!(drain(&mut queue, 4 * SECOND), [("a", Told::Step(3))]);
}

#[test]
fn what_arrives_while_a_key_is_owned_stays_behind_and_is_not_handed_out() {
    let mut queue = queue();
    queue.push("a", Told::Step(1));
    let taken = queue.take(Duration::ZERO).expect("first");
    queue.push("a", Told::Step(2));
    assert!(queue.take(Duration::ZERO).is_none(), "owned");
    queue.fail(taken, Duration::ZERO);
    queue.push("a", Told::Step(3));
    let order: Vec<Told> = drain(&mut queue, SECOND).into_iter().map(|(_, event)| event).collect();
    assert_eq!(order, [Told::Step(1), Told::Step(2), Told::Step(3)]);
}

#[test]
fn keys_take_turns() {
    let mut queue = queue();
    for number in 0..3 {
        queue.push("busy", Told::Step(number));
    }
    queue.push("a", Told::Step(7));
    queue.push("b", Told::Step(8));
    let keys: Vec<&str> =
        drain(&mut queue, Duration::ZERO).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["busy", "a", "b", "busy", "busy"]);
}

#[test]
fn a_full_key_merges_what_can_be_merged() {
    let mut queue = queue();
    for number in 0..1000 {
        queue.push("a", Told::Image(number));
    }
    let counts = queue.counts();
    assert_eq!((counts.event_count, counts.absorbed_count), (KEY_EVENTS_MAX, 1000 - 64));
    assert!(!queue.take_reconcile(), "nothing was lost");
    assert_eq!(drain(&mut queue, Duration::ZERO).last(), Some(&("a", Told::Image(999))));
}

#[test]
fn a_full_key_loses_its_oldest_but_never_an_exit() {
    let mut queue = queue();
    queue.push("a", Told::Exit(0));
    for number in 1..=100 {
        queue.push("a", Told::Step(number));
    }
    assert!(queue.take_reconcile() && !queue.take_reconcile());
    let handled = drain(&mut queue, Duration::ZERO);
    assert_eq!(handled.len(), KEY_EVENTS_MAX);
    assert_eq!(handled[..2], [("a", Told::Exit(0)), ("a", Told::Step(38))]);
    for number in 0..100 {
        queue.push("a", Told::Exit(number));
    }
    queue.push("a", Told::Step(1));
    assert!(queue.take_reconcile(), "there was no room for a step");
    assert_eq!(drain(&mut queue, Duration::ZERO).len(), 100);
}

#[test]
fn a_full_queue_loses_the_oldest_but_never_an_exit() {
    let mut queue = Queue::new(RULES, None);
    queue.push(u32::MAX, Told::Step(1));
    let owned = queue.take(Duration::ZERO).expect("first");
    for number in 0..u32::try_from(EVENTS_MAX).expect("small") {
        queue.push(number, if number == 0 { Told::Exit(0) } else { Told::Step(0) });
    }
    assert!(!queue.take_reconcile(), "just full");
    queue.push(u32::MAX - 1, Told::Step(2));
    assert!(queue.take_reconcile());
    let counts = queue.counts();
    assert_eq!((counts.event_count, counts.dropped_count), (EVENTS_MAX, 1));
    queue.fail(owned, Duration::ZERO);
    let handled = drain(&mut queue, SECOND);
    assert_eq!(handled.len(), EVENTS_MAX + 1);
    assert_eq!(handled[0], (0, Told::Exit(0)));
    assert_eq!(handled[1], (2, Told::Step(0)), "the step of key 1 was the oldest");
    assert!(handled.contains(&(u32::MAX, Told::Step(1))), "what is handed out is not lost");
    assert_eq!(queue.counts().key_count, 0);

    for number in 0..u32::try_from(EVENTS_MAX).expect("small") + 10 {
        queue.push(number, Told::Exit(number));
    }
    queue.push(u32::MAX, Told::Step(1));
    assert!(queue.take_reconcile());
    assert_eq!(queue.counts().key_count, EVENTS_MAX + 10, "a key without events is none");
    assert_eq!(drain(&mut queue, SECOND).len(), EVENTS_MAX + 10);
}

#[test]
fn memory_does_not_grow_behind_a_key_that_waits() {
    let mut queue = queue();
    queue.push("stuck", Told::Step(1));
    fail_next(&mut queue, Duration::ZERO);
    for number in 0..100_000 {
        queue.push("busy", Told::Step(number));
        let taken = queue.take(Duration::ZERO).expect("healthy");
        queue.done(taken);
    }
    assert!(queue.ages.len() <= 2 * AGES_SPARE, "{}", queue.ages.len());
    assert_eq!(queue.entries.len(), 2);
}

/// What workers do to a queue in a random world.
#[derive(Clone, Debug)]
enum Deed {
    Push(u8, Told),
    Take,
    /// Finishes one of those handed out, well or not.
    Finish(u8, bool),
    Wait(u32),
}

fn deed() -> impl Strategy<Value = Deed> {
    let told = (any::<u32>(), 0..3_u8).prop_map(|(number, kind)| match kind {
        0 => Told::Exit(number),
        1 => Told::Image(number),
        _ => Told::Step(number),
    });
    prop_oneof![
        4 => (0..6_u8, told).prop_map(|(key, told)| Deed::Push(key, told)),
        4 => Just(Deed::Take),
        4 => (any::<u8>(), any::<bool>()).prop_map(|(which, is_well)| Deed::Finish(which, is_well)),
        2 => (0..3_000_u32).prop_map(Deed::Wait),
    ]
}

/// One list a key; what may be handed out is searched for.
#[derive(Default)]
struct Model {
    lists: BTreeMap<u8, Vec<Told>>,
    owned: Vec<u8>,
    /// How often each key failed, until when it waits, and the how manieth failure that was.
    failures: BTreeMap<u8, (u32, u64, usize)>,
    failure_count: usize,
    /// Keys in the order of their turns.
    turns: Vec<u8>,
    now: u64,
}

impl Model {
    fn push(&mut self, key: u8, told: Told) {
        let list = self.lists.entry(key).or_default();
        let is_new = list.is_empty() && !self.owned.contains(&key);
        list.push(told);
        if is_new {
            self.turns.push(key);
        }
    }

    /// Keys whose wait is over come behind the others, in the order of their times.
    fn wake(&mut self) {
        let asleep = |key: &u8| !self.turns.contains(key) && !self.owned.contains(key);
        let mut awake: Vec<(u64, usize, u8)> = self
            .failures
            .iter()
            .filter(|(key, (_, until, _))| asleep(key) && *until <= self.now)
            .map(|(key, (_, until, nth))| (*until, *nth, *key))
            .collect();
        awake.sort_unstable();
        self.turns.extend(awake.into_iter().map(|(_, _, key)| key));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn workers_in_any_order_see_what_a_simple_model_says(
        deeds in prop::collection::vec(deed(), 1..200),
        workers in 1..5_usize,
    ) {
        let (mut queue, mut model) = (Queue::new(RULES, None), Model::default());
        let mut held: Vec<Taken<u8, Told>> = Vec::new();
        for deed in deeds {
            let now = Duration::from_millis(model.now);
            match deed {
                Deed::Push(key, told) if model.lists.get(&key).is_none_or(|l| l.len() < 60) => {
                    queue.push(key, told);
                    model.push(key, told);
                }
                Deed::Take if held.len() < workers => {
                    model.wake();
                    let taken = queue.take(now);
                    let key = taken.as_ref().map(|taken| taken.key);
                    prop_assert_eq!(key, model.turns.first().copied());
                    let Some(taken) = taken else { continue };
                    model.turns.retain(|other| *other != taken.key);
                    let list = model.lists.get_mut(&taken.key).expect("known");
                    prop_assert_eq!(taken.event, list.remove(0));
                    prop_assert!(!model.owned.contains(&taken.key), "two workers on one key");
                    model.owned.push(taken.key);
                    held.push(taken);
                }
                Deed::Finish(which, is_well) if !held.is_empty() => {
                    let taken = held.swap_remove(usize::from(which) % held.len());
                    let key = taken.key;
                    model.owned.retain(|other| *other != key);
                    if is_well {
                        queue.done(taken);
                        if model.lists[&key].is_empty() {
                            model.failures.remove(&key);
                        } else {
                            // Its wait is over until it fails again.
                            model.turns.push(key);
                        }
                    } else {
                        model.lists.get_mut(&key).expect("known").insert(0, taken.event);
                        model.failure_count += 1;
                        let (count, until, nth) = model.failures.entry(key).or_default();
                        (*count, *nth) = (*count + 1, model.failure_count);
                        *until = model.now + whole_milliseconds(wait_after(*count, None));
                        queue.fail(taken, now);
                    }
                }
                Deed::Wait(milliseconds) => model.now += u64::from(milliseconds),
                _ => {}
            }
            let waiting: usize = model.lists.values().map(Vec::len).sum();
            prop_assert_eq!(queue.counts().event_count, waiting);
        }
        // In the end everything comes out, key by key in order.
        for taken in held {
            model.lists.get_mut(&taken.key).expect("known").insert(0, taken.event);
            queue.fail(taken, Duration::from_millis(model.now));
        }
        let mut left: BTreeMap<u8, Vec<Told>> = BTreeMap::new();
        for (key, told) in drain(&mut queue, Duration::from_millis(model.now) + 301 * SECOND) {
            left.entry(key).or_default().push(told);
        }
        model.lists.retain(|_, list| !list.is_empty());
        prop_assert_eq!(left, model.lists);
        prop_assert_eq!(queue.counts().key_count, 0);
        prop_assert_eq!(queue.counts().backoff_event_count, 0);
    }
}
