//! Events of many keys: in order for each key, fairly among keys, and again later after a failure.
//!
//! [`Queue::take`] hands out the first event of a key, and the key is then owned: nothing else of
//! it is handed out until the event is done or has failed. A failed event goes back to the front
//! and its key waits, 1 s after the first failure, twice as long after each further one; other keys
//! do not wait. Keys take turns, one event each. All work is O(1) for an event and for an expiry.
//!
//! Time is passed in, as what has passed since an origin that the caller chooses, so nothing here
//! sleeps or locks: that is the driver's. Surprising: a key's failures are forgotten only when
//! nothing of it is left, so a success in between does not shorten the next wait.

mod wheel;

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use crate::Random;

use wheel::Wheel;

/// How many events of one key wait before they are merged; from the design (watch), "Order,
/// fairness, bounds", as are the numbers below.
pub const KEY_EVENTS_MAX: usize = 64;

/// How many events wait in all before some are dropped.
pub const EVENTS_MAX: usize = 65_536;

/// The wait after the first failure.
const WAIT_FIRST: Duration = Duration::from_secs(1);

/// The longest wait, jitter left aside.
const WAIT_MAX: Duration = Duration::from_secs(300);

/// How much a wait may be off, as a part of it: one tenth.
const JITTER_PART: u64 = 10;

/// How many records of ages are kept beyond twice the events that wait: below this tidying up is
/// not worth it.
const AGES_SPARE: usize = 1024;

/// How many free entries keep the memory of their events for the next key.
const ROOMS_KEPT: usize = 1024;

/// What the queue may do with events when there is no room; functions of the caller's.
#[derive(Clone, Copy, Debug)]
pub struct Rules<E> {
    /// Takes `later`, an event of the same key, into one that waits, so that handling the latter
    /// does what handling both would. `false` when these two cannot be one; nothing has changed
    /// then. Asked from the newest waiting event to the oldest.
    pub absorb: fn(waiting: &mut E, later: &E) -> bool,
    /// Whether an event may be lost, given that everything is looked at again afterwards.
    pub is_expendable: fn(&E) -> bool,
}

/// How many events and keys wait, and what became of others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueCounts {
    /// Events that wait, those that were handed out not counted.
    pub event_count: usize,
    /// Keys with events that wait or one that was handed out.
    pub key_count: usize,
    /// Keys that wait after a failure.
    pub backoff_key_count: usize,
    /// Events of such keys.
    pub backoff_event_count: usize,
    /// Events that were taken into others, since the beginning.
    pub absorbed_count: u64,
    /// Events that were lost for lack of room, since the beginning.
    pub dropped_count: u64,
}

/// An event that was handed out. Its key stays owned until this goes to [`Queue::done`] or
/// [`Queue::fail`]; dropping it leaves the key owned for ever.
#[derive(Debug)]
#[must_use]
pub struct Taken<K, E> {
    /// Whose event it is.
    pub key: K,
    /// The event; what [`Queue::fail`] puts back.
    pub event: E,
    place: usize,
    number: u64,
}

/// Events of keys `K`.
#[derive(Debug)]
pub struct Queue<K, E> {
    rules: Rules<E>,
    /// `None`: waits are exact.
    random: Option<Random>,
    places: HashMap<K, usize>,
    entries: Vec<Entry<K, E>>,
    /// Entries that nobody uses.
    free: Vec<usize>,
    /// Keys whose turn will come, in order.
    ready: VecDeque<usize>,
    waiting: Wheel<usize>,
    /// Number and entry of each expendable event, oldest first; some have been handled.
    ages: VecDeque<(u64, usize)>,
    next_number: u64,
    must_reconcile: bool,
    counts: QueueCounts,
}

#[derive(Debug)]
struct Entry<K, E> {
    /// `None` in a free entry.
    key: Option<K>,
    events: VecDeque<(u64, E)>,
    stage: Stage,
    failure_count: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// In the ring of those whose turn will come.
    Ready,
    /// The event of this number is handed out.
    Owned(u64),
    /// On the wheel.
    Backoff,
}

impl<K: Clone + Eq + Hash, E> Queue<K, E> {
    /// An empty queue. Waits are drawn from `random`, a tenth shorter or longer than said; without
    /// it they are exact, for tests.
    pub fn new(rules: Rules<E>, random: Option<Random>) -> Self {
        Self {
            rules,
            random,
            places: HashMap::new(),
            entries: Vec::new(),
            free: Vec::new(),
            ready: VecDeque::new(),
            waiting: Wheel::new(),
            ages: VecDeque::new(),
            next_number: 0,
            must_reconcile: false,
            counts: QueueCounts::default(),
        }
    }

    /// Adds an event behind all others of its key.
    ///
    /// When [`KEY_EVENTS_MAX`] of the key wait, it is taken into one of them if the rules allow;
    /// when [`EVENTS_MAX`] wait in all, or that is not possible, the oldest expendable event (of
    /// all, or of the key) is dropped and [`Queue::take_reconcile`] will say so. What is not
    /// expendable is always kept.
    pub fn push(&mut self, key: K, event: E) {
        let place = match self.places.get(&key) {
            Some(place) => *place,
            None => self.insert_key(key),
        };
        if self.entries[place].events.len() >= KEY_EVENTS_MAX && !self.merge(place, &event) {
            return;
        }
        if self.counts.event_count >= EVENTS_MAX && !self.drop_oldest(&event) {
            self.forget_if_new(place);
            return;
        }
        let number = self.next_number;
        self.next_number += 1;
        if (self.rules.is_expendable)(&event) {
            self.tidy_ages();
            self.ages.push_back((number, place));
        }
        self.entries[place].events.push_back((number, event));
        self.count_events(place, 1);
    }

    /// The next event of the key whose turn it is; `None` when everything waits or is owned.
    /// `now` is the time since the origin; it never goes back.
    pub fn take(&mut self, now: Duration) -> Option<Taken<K, E>> {
        let (ready, entries, counts) = (&mut self.ready, &mut self.entries, &mut self.counts);
        self.waiting.advance(whole_milliseconds(now), |place| {
            let entry = &mut entries[place];
            counts.backoff_key_count -= 1;
            counts.backoff_event_count -= entry.events.len();
            entry.stage = Stage::Ready;
            ready.push_back(place);
        });
        loop {
            let place = self.ready.pop_front()?;
            let entry = &mut self.entries[place];
            let Some((number, event)) = entry.events.pop_front() else {
                // Its events were dropped meanwhile.
                self.forget(place);
                continue;
            };
            entry.stage = Stage::Owned(number);
            self.counts.event_count -= 1;
            let key = entry.key.clone().expect("an entry in the ring is in use");
            return Some(Taken { key, event, place, number });
        }
    }

    /// The event has been handled: its key gets in line again, or is forgotten when that was all.
    pub fn done(&mut self, taken: Taken<K, E>) {
        let Taken { event, place, number, .. } = taken;
        drop(event);
        let entry = &mut self.entries[place];
        debug_assert_eq!(entry.stage, Stage::Owned(number), "an event of this queue");
        entry.stage = Stage::Ready;
        if entry.events.is_empty() {
            self.forget(place);
        } else {
            self.ready.push_back(place);
        }
    }

    /// Handling the event failed: it goes back to the front, and its key waits.
    pub fn fail(&mut self, taken: Taken<K, E>, now: Duration) {
        let Taken { event, place, number, .. } = taken;
        let entry = &mut self.entries[place];
        debug_assert_eq!(entry.stage, Stage::Owned(number), "an event of this queue");
        entry.events.push_front((number, event));
        entry.stage = Stage::Backoff;
        entry.failure_count = entry.failure_count.saturating_add(1);
        self.counts.event_count += 1;
        self.counts.backoff_key_count += 1;
        self.counts.backoff_event_count += entry.events.len();
        let wait = wait_after(entry.failure_count, self.random.as_mut());
        let began = now.as_nanos().div_ceil(1_000_000);
        let began = u64::try_from(began).unwrap_or(u64::MAX);
        self.waiting.insert(began.saturating_add(whole_milliseconds(wait)), place);
    }

    /// When to [`take`](Self::take) again although nothing was pushed or finished: no key's wait
    /// ends before. `None` when no key waits.
    pub fn wake_at(&self) -> Option<Duration> {
        self.waiting.next_tick().map(Duration::from_millis)
    }

    /// Whether events were dropped since this was last asked, so that everything must be looked
    /// at again.
    pub fn take_reconcile(&mut self) -> bool {
        std::mem::take(&mut self.must_reconcile)
    }

    /// What waits, and what became of others.
    pub fn counts(&self) -> QueueCounts {
        QueueCounts { key_count: self.places.len(), ..self.counts }
    }

    fn insert_key(&mut self, key: K) -> usize {
        let place = self.free.pop().unwrap_or_else(|| {
            let events = VecDeque::new();
            self.entries.push(Entry { key: None, events, stage: Stage::Ready, failure_count: 0 });
            self.entries.len() - 1
        });
        self.entries[place].key = Some(key.clone());
        self.places.insert(key, place);
        self.ready.push_back(place);
        place
    }

    /// Makes room in a key that has too many events. Says whether the new one is still to be
    /// added.
    fn merge(&mut self, place: usize, event: &E) -> bool {
        let events = &mut self.entries[place].events;
        if events.iter_mut().rev().any(|(_, waiting)| (self.rules.absorb)(waiting, event)) {
            self.counts.absorbed_count += 1;
            return false;
        }
        match events.iter().position(|(_, waiting)| (self.rules.is_expendable)(waiting)) {
            Some(index) => {
                self.drop_event(place, index);
                true
            }
            None => self.must_be_kept(event),
        }
    }

    /// Makes room in all. Says whether the new event is still to be added.
    fn drop_oldest(&mut self, event: &E) -> bool {
        let mut nth = 0;
        // What is handed out stays at the front; it may come back.
        while let Some((number, place)) = self.ages.get(nth).copied() {
            if self.entries[place].stage == Stage::Owned(number) {
                nth += 1;
                continue;
            }
            self.ages.remove(nth);
            if let Some(index) = self.entries[place].index_of(number) {
                self.drop_event(place, index);
                return true;
            }
        }
        self.must_be_kept(event)
    }

    /// Counts the new event as dropped when it may be.
    fn must_be_kept(&mut self, event: &E) -> bool {
        let must_be_kept = !(self.rules.is_expendable)(event);
        if !must_be_kept {
            self.counts.dropped_count += 1;
            self.must_reconcile = true;
        }
        must_be_kept
    }

    fn drop_event(&mut self, place: usize, index: usize) {
        self.entries[place].events.remove(index);
        self.count_events(place, -1);
        self.counts.dropped_count += 1;
        self.must_reconcile = true;
    }

    fn count_events(&mut self, place: usize, change: isize) {
        let apply = |count: &mut usize| *count = count.wrapping_add_signed(change);
        apply(&mut self.counts.event_count);
        if self.entries[place].stage == Stage::Backoff {
            apply(&mut self.counts.backoff_event_count);
        }
    }

    /// Forgets records of events that were handled, once they are the most.
    fn tidy_ages(&mut self) {
        if self.ages.len() < 2 * self.counts.event_count + AGES_SPARE {
            return;
        }
        let entries = &self.entries;
        self.ages.retain(|(number, place)| {
            let entry = &entries[*place];
            entry.stage == Stage::Owned(*number) || entry.index_of(*number).is_some()
        });
    }

    /// Undoes [`Self::insert_key`] when its event was not added after all. An older key without
    /// events is forgotten when its turn comes.
    fn forget_if_new(&mut self, place: usize) {
        if self.entries[place].events.is_empty() && self.ready.back() == Some(&place) {
            self.ready.pop_back();
            self.forget(place);
        }
    }

    /// Forgets a key of which nothing is left and which is in no list.
    fn forget(&mut self, place: usize) {
        let entry = &mut self.entries[place];
        entry.failure_count = 0;
        if self.free.len() >= ROOMS_KEPT {
            entry.events = VecDeque::new();
        }
        if let Some(key) = entry.key.take() {
            self.places.remove(&key);
        }
        self.free.push(place);
    }
}

impl<K, E> Entry<K, E> {
    /// Where the event of a number lies.
    fn index_of(&self, number: u64) -> Option<usize> {
        self.events.binary_search_by_key(&number, |(number, _)| *number).ok()
    }
}

/// How long a key waits after its n-th failure.
fn wait_after(failure_count: u32, random: Option<&mut Random>) -> Duration {
    let doublings = failure_count.saturating_sub(1);
    let wait = 2_u32
        .checked_pow(doublings)
        .and_then(|factor| WAIT_FIRST.checked_mul(factor))
        .map_or(WAIT_MAX, |wait| wait.min(WAIT_MAX));
    let Some(random) = random else { return wait };
    let milliseconds = whole_milliseconds(wait);
    let part = milliseconds / JITTER_PART;
    let drawn = (u128::from(random.next_number()) * (2 * u128::from(part) + 1)) >> 64;
    Duration::from_millis(milliseconds - part + u64::try_from(drawn).unwrap_or(part))
}

fn whole_milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
