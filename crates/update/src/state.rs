//! Decides which part is to be looked at now, and when the next one is due. Does nothing itself.
//!
//! When a part is due follows from what the store knows of its last run and from the present
//! interval, so a restart, a changed setting or another process that did the work need no special
//! case: [`Schedule::observe`] is told what stands in the store, whoever wrote it. Time is passed
//! in. What would surprise: an answer that upstream has nothing is as good as a success here, and
//! a part that another process works on is neither success nor failure.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use pratique_clockwork::{Backoff, Random};
use pratique_model::PartId;
use pratique_store::PartState;

/// The shortest wait after a failure, so that nothing ever spins; from the design (updater,
/// *Schedule*).
pub(crate) const WAIT_MIN: Duration = Duration::from_secs(1);

/// The bound of the wait after the first failure; from the design (updater, *Schedule*).
const RETRY_FIRST: Duration = Duration::from_secs(30);

/// The longest time that a server can make us stay away with one answer: a slip of its operator
/// must not cost more than a day.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);

/// By how much of the interval a run may come sooner or later, in percent, so that many
/// installations that were started together do not stay together; from the design (updater,
/// *Schedule*).
const JITTER_PERCENT: u64 = 10;

/// The parts and when each is due.
#[derive(Debug)]
pub(crate) struct Schedule {
    parts: BTreeMap<PartId, Entry>,
    random: Random,
}

/// What decides about a part apart from its runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// How often it is looked at; zero: never.
    pub(crate) interval: Duration,
    /// The host that is asked, which may want to be left alone.
    pub(crate) host: String,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Upstream was asked and answered: something new, nothing new, or nothing at all.
    Answered,
    /// It went wrong; the host may have said how long to stay away.
    Failed { retry_after: Option<Duration> },
    /// Another process works on it, until this much later at most.
    Held { remaining: Duration },
    /// Seen again, it was not due: somebody else has done it.
    NotDue,
    /// It was given up, for reasons that are not the part's.
    Cancelled,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Requested {
    /// Parts that are due because of it.
    pub(crate) due: usize,
    /// Parts that were being worked on already; their runs answer the request too.
    pub(crate) joined: usize,
}

#[derive(Debug)]
struct Entry {
    terms: Terms,
    /// Whether it was ever loaded, or is known to be absent.
    is_known: bool,
    /// The last attempt that is known, whoever made it.
    attempt_at: Option<Timestamp>,
    /// The last attempt that upstream answered.
    answered_at: Option<Timestamp>,
    /// Failures in a row.
    failure_count: u32,
    due_at: Timestamp,
    /// Not even a request makes it due before this.
    not_before: Timestamp,
    /// When somebody asked for it who has no answer yet.
    requested_at: Option<Timestamp>,
    is_running: bool,
}

impl Schedule {
    /// A schedule without parts.
    pub(crate) fn new(random: Random) -> Self {
        Self { parts: BTreeMap::new(), random }
    }

    /// Takes a part in, or what has changed of its terms. `state` is what the store knows of it.
    pub(crate) fn observe(
        &mut self,
        part: &PartId,
        terms: Terms,
        state: Option<&PartState>,
        now: Timestamp,
    ) {
        let is_new = !self.parts.contains_key(part);
        let entry = self.parts.entry(part.clone()).or_insert_with(|| Entry::new(now));
        let is_changed = is_new || entry.terms != terms;
        entry.terms = terms;
        let attempt_at = state.and_then(|state| state.last_attempt);
        let is_newer = attempt_at > entry.attempt_at;
        if let Some(state) = state.filter(|_| is_newer) {
            entry.learn(state);
        }
        if is_changed || is_newer {
            entry.plan(now, &mut self.random);
        }
    }

    /// Forgets the parts that `is_kept` does not name, unless they are being worked on.
    pub(crate) fn retain(&mut self, mut is_kept: impl FnMut(&PartId) -> bool) {
        self.parts.retain(|part, entry| entry.is_running || is_kept(part));
    }

    /// The part to begin with now, among those that `may_start`; it counts as running from here
    /// until [`Self::ended`].
    pub(crate) fn start(
        &mut self,
        now: Timestamp,
        mut may_start: impl FnMut(&PartId, &str) -> bool,
    ) -> Option<PartId> {
        let mut due: Vec<(bool, Timestamp, &PartId, &str)> = self
            .parts
            .iter()
            .filter(|(_, entry)| entry.is_due(now))
            .map(|(part, entry)| (entry.is_known, entry.wakes_at(), part, &*entry.terms.host))
            .collect();
        due.sort_unstable();
        let part = due.iter().find(|(_, _, part, host)| may_start(part, host))?.2.clone();
        self.parts.get_mut(&part)?.is_running = true;
        Some(part)
    }

    /// Whether a part that was started is still due after `state` was read anew, under its lease.
    pub(crate) fn is_still_due(
        &mut self,
        part: &PartId,
        state: Option<&PartState>,
        now: Timestamp,
    ) -> bool {
        let Some(entry) = self.parts.get_mut(part) else { return false };
        let attempt_at = state.and_then(|state| state.last_attempt);
        if let Some(state) = state.filter(|_| attempt_at > entry.attempt_at) {
            entry.learn(state);
            entry.plan(now, &mut self.random);
        }
        entry.wakes_at() <= now
    }

    /// Takes note of how a run ended.
    pub(crate) fn ended(&mut self, part: &PartId, ending: Ending, now: Timestamp) {
        let Some(entry) = self.parts.get_mut(part) else { return };
        entry.is_running = false;
        match ending {
            Ending::Answered => {
                entry.is_known = true;
                entry.attempt_at = Some(now);
                entry.answered_at = Some(now);
                entry.failure_count = 0;
                entry.requested_at = None;
                entry.plan(now, &mut self.random);
            }
            Ending::Failed { retry_after } => {
                entry.attempt_at = Some(now);
                entry.failure_count = entry.failure_count.saturating_add(1);
                entry.requested_at = None;
                entry.plan(now, &mut self.random);
                if let Some(after) = retry_after {
                    let host = entry.terms.host.clone();
                    self.leave_alone(&host, later(now, after.min(RETRY_AFTER_MAX)));
                }
            }
            Ending::Held { remaining } => entry.not_before = later(now, remaining.max(WAIT_MIN)),
            Ending::NotDue => entry.plan(now, &mut self.random),
            Ending::Cancelled => entry.not_before = later(now, WAIT_MIN),
        }
    }

    /// Makes all parts due that `wants` names; those that are being worked on count as joined.
    /// Disabled ones stay as they are.
    pub(crate) fn request(
        &mut self,
        mut wants: impl FnMut(&PartId) -> bool,
        now: Timestamp,
    ) -> Requested {
        let mut requested = Requested::default();
        for (part, entry) in &mut self.parts {
            if entry.terms.interval.is_zero() || !wants(part) {
                continue;
            }
            if entry.is_running {
                requested.joined += 1;
            } else {
                entry.requested_at = Some(now);
                requested.due += 1;
            }
        }
        requested
    }

    /// When the next part is due that is not being worked on; `None` when there is none.
    pub(crate) fn wakes_at(&self) -> Option<Timestamp> {
        let waiting = self.parts.values().filter(|entry| entry.can_become_due());
        waiting.map(Entry::wakes_at).min()
    }

    /// No part of a host is due before `until`.
    fn leave_alone(&mut self, host: &str, until: Timestamp) {
        for entry in self.parts.values_mut().filter(|entry| entry.terms.host == host) {
            entry.not_before = entry.not_before.max(until);
        }
    }
}

impl Entry {
    fn new(now: Timestamp) -> Self {
        Self {
            terms: Terms { interval: Duration::ZERO, host: String::new() },
            is_known: false,
            attempt_at: None,
            answered_at: None,
            failure_count: 0,
            due_at: now,
            not_before: Timestamp::MIN,
            requested_at: None,
            is_running: false,
        }
    }

    /// Takes over what the store says of an attempt that is newer than those known.
    fn learn(&mut self, state: &PartState) {
        self.attempt_at = state.last_attempt;
        if state.last_error.is_some() {
            self.failure_count = self.failure_count.saturating_add(1);
        } else {
            self.failure_count = 0;
            self.answered_at = state.last_attempt;
            if self.requested_at <= self.answered_at {
                self.requested_at = None;
            }
        }
        self.is_known = state.is_loaded() || state.is_absent;
    }

    /// Draws when it is due next.
    fn plan(&mut self, now: Timestamp, random: &mut Random) {
        let interval = self.terms.interval;
        if interval.is_zero() {
            return;
        }
        let (from, wait) = match (self.failure_count, self.answered_at) {
            (0, None) => (now, Duration::ZERO),
            (0, Some(answered_at)) => (answered_at, jittered(interval, random)),
            (failure_count, _) => {
                let wait = retry(interval).delay(failure_count, random);
                (self.attempt_at.unwrap_or(now), wait)
            }
        };
        if self.failure_count > 0 {
            self.not_before = self.not_before.max(later(from.min(now), WAIT_MIN));
        }
        // A clock that ran ahead, here or on the machine that wrote the state, must not put a part
        // off for longer than its interval.
        self.due_at = later(from, wait).min(later(now, wait.max(interval)));
    }

    fn can_become_due(&self) -> bool {
        !self.is_running && !self.terms.interval.is_zero()
    }

    fn is_due(&self, now: Timestamp) -> bool {
        self.can_become_due() && self.wakes_at() <= now
    }

    fn wakes_at(&self) -> Timestamp {
        let due_at = self.requested_at.map_or(self.due_at, |at| at.min(self.due_at));
        due_at.max(self.not_before)
    }
}

/// The waits after failures: never longer than the interval, which is at least the shortest wait.
fn retry(interval: Duration) -> Backoff {
    let cap = interval.max(WAIT_MIN);
    Backoff::try_new(WAIT_MIN, RETRY_FIRST.min(cap), cap).expect("the bounds are in order")
}

/// The interval, a little shorter or longer.
fn jittered(interval: Duration, random: &mut Random) -> Duration {
    let span = interval / 100 * u32::try_from(2 * JITTER_PERCENT).expect("a percentage");
    let least = interval - span / 2;
    let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
    let drawn = (u128::from(random.next_number()) * u128::from(nanos)) >> 64;
    least + Duration::from_nanos(u64::try_from(drawn).unwrap_or(nanos))
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    at.saturating_add(by).expect("a signed duration has no calendar units")
}

#[cfg(test)]
mod tests;
