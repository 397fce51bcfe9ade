//! What is to be done at a later time.

use std::collections::BTreeMap;
use std::time::Duration;

use pratique_model::Notice;

use crate::event::Event;
use crate::key::Key;

/// Something for later.
#[derive(Debug)]
pub(super) enum Delayed {
    /// To put an event into the queue.
    Push(Key, Event),
    /// To call a container's task lost, if nobody has told its end.
    Lost(Key),
    /// To wait for a container's end again.
    Wait(Key),
    /// To tell something again that could not be written.
    Tell(Box<Notice>),
    /// To forget a container that was removed.
    Forget(Key),
}

/// Things for later, by their time since the desk's origin.
#[derive(Debug, Default)]
pub(super) struct Delays {
    waiting: BTreeMap<(Duration, u64), Delayed>,
    next_number: u64,
}

impl Delays {
    pub(super) fn add(&mut self, at: Duration, delayed: Delayed) {
        self.waiting.insert((at, self.next_number), delayed);
        self.next_number += 1;
    }

    /// The first that is due.
    pub(super) fn pop(&mut self, now: Duration) -> Option<Delayed> {
        let first = self.waiting.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(first.remove())
    }

    /// When the next is due.
    pub(super) fn next(&self) -> Option<Duration> {
        self.waiting.first_key_value().map(|((at, _), _)| *at)
    }
}
