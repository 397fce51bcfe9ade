//! What the holder of a lease must do next: one tenure, from the first look to the release.
//!
//! A pure machine: an event and the time go in, actions come out. It does not call the store,
//! run the work or sleep; its driver does, and reports back. Time is a `Duration` since any fixed
//! moment of the driver's monotonic clock. Surprising: an answer is judged by when its *call*
//! began, never by when it arrived, because the row's life began somewhere in between.

use std::time::Duration;

use super::{Lease, LeaseTimes};

/// After a renewal that got no answer the next is tried after this part of the usual time: soon
/// enough for several tries before the work is given up, rarely enough for a store in trouble.
const RETRY_PART: u32 = 10;

/// What the driver reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing but time has passed.
    Tick,
    /// [`Action::Acquire`] succeeded.
    Acquired(Lease),
    /// [`Action::Acquire`] found another holder, whose row expires in `remaining` by the
    /// database's clock.
    HeldElsewhere {
        /// The time from the database's now to the row's expiry.
        remaining: Duration,
    },
    /// [`Action::Acquire`] could not ask the store; how long to wait is the driver's policy.
    AcquireFailed {
        /// The wait before the next look.
        retry_after: Duration,
    },
    /// [`Action::Renew`] succeeded; the lease has a new expiry.
    Renewed(Lease),
    /// [`Action::Renew`] could not ask the store.
    RenewFailed,
    /// [`Action::Renew`] waited in vain for another writer of a store that has one at a time. As
    /// long as it waited nobody could take the row over, so that time does not count.
    RenewBlocked,
    /// The store says that the row is no longer ours: the answer to a renewal, or of a fence.
    Lost,
    /// Somebody wants this tenure to end.
    Stop,
    /// The work is over: done, failed or cancelled, and rolled back where it was.
    WorkEnded,
    /// [`Action::Release`] was tried, with whatever outcome: a row that stays expires.
    Released,
}

/// What the driver must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask the store for the lease and report the answer.
    Acquire,
    /// Begin the work under this lease.
    Start(Lease),
    /// Ask the store to renew and report the answer.
    Renew(Lease),
    /// Tell the work to end, and report [`Event::WorkEnded`] when it has.
    Cancel(CancelReason),
    /// Give the row back and report [`Event::Released`].
    Release(Lease),
    /// Count one lost lease.
    CountLoss,
    /// The tenure is over; nothing more will come.
    Finish,
}

/// Why work under a lease is told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelReason {
    /// It was asked to stop.
    Stopped,
    /// The store says that the lease is no longer ours.
    Lost,
    /// Too much time has passed since a renewal succeeded: the row may soon be another's.
    NotRenewed,
}

/// One tenure. Feed it with [`Tenure::step`]; wake it at [`Tenure::wakes_at`].
#[derive(Clone, Debug)]
pub struct Tenure {
    times: LeaseTimes,
    state: State,
    /// A stop was asked for before the lease was held.
    is_stopping: bool,
}

#[derive(Clone, Debug)]
enum State {
    /// Not held; the next look is at this time.
    Waiting(Duration),
    /// Asked for at this time; the answer is under way.
    Acquiring(Duration),
    Held(Holding),
    /// The row is being given back.
    Releasing,
    Finished,
}

#[derive(Clone, Debug)]
struct Holding {
    lease: Lease,
    /// When the last call that succeeded began.
    renewed_at: Duration,
    renewal: Renewal,
    /// The work was told to end, and why.
    cancelled: Option<CancelReason>,
    is_lost: bool,
}

#[derive(Clone, Copy, Debug)]
enum Renewal {
    /// The next begins at this time.
    Due(Duration),
    /// Began at this time; the answer is under way.
    UnderWay(Duration),
}

impl Tenure {
    /// A tenure that will look for its lease at once.
    pub const fn new(times: LeaseTimes) -> Self {
        Self { times, state: State::Waiting(Duration::ZERO), is_stopping: false }
    }

    /// The lease, from the start of the work until it has ended.
    pub const fn lease(&self) -> Option<&Lease> {
        match &self.state {
            State::Held(holding) => Some(&holding.lease),
            _ => None,
        }
    }

    /// When the machine wants an [`Event::Tick`]; `None`: only an answer moves it.
    pub fn wakes_at(&self) -> Option<Duration> {
        match &self.state {
            State::Waiting(look_at) => Some(*look_at),
            State::Held(holding) if !holding.is_lost => {
                let give_up_at = holding.renewed_at + self.times.give_up_after();
                match holding.renewal {
                    Renewal::Due(at) => Some(at.min(give_up_at)),
                    Renewal::UnderWay(_) => Some(give_up_at),
                }
            }
            _ => None,
        }
    }

    /// What to do now that `event` happened. An event that does not fit the state, such as a late
    /// answer, does nothing.
    pub fn step(&mut self, event: Event, now: Duration) -> Vec<Action> {
        let times = self.times;
        match &mut self.state {
            State::Waiting(look_at) => match event {
                Event::Stop => self.finish(),
                _ if now >= *look_at => {
                    self.state = State::Acquiring(now);
                    vec![Action::Acquire]
                }
                _ => Vec::new(),
            },
            State::Acquiring(asked_at) => {
                let asked_at = *asked_at;
                self.on_answer(event, asked_at, now)
            }
            State::Held(holding) => {
                if event == Event::WorkEnded {
                    return self.on_work_ended(now);
                }
                holding.step(event, now, times)
            }
            State::Releasing if event == Event::Released => self.finish(),
            State::Releasing | State::Finished => Vec::new(),
        }
    }

    fn on_answer(&mut self, event: Event, asked_at: Duration, now: Duration) -> Vec<Action> {
        let look_at = match event {
            Event::Acquired(lease) => return self.on_acquired(lease, asked_at, now),
            Event::HeldElsewhere { remaining } => now.saturating_add(remaining),
            Event::AcquireFailed { retry_after } => now.saturating_add(retry_after),
            Event::Stop => {
                self.is_stopping = true;
                return Vec::new();
            }
            _ => return Vec::new(),
        };
        if self.is_stopping {
            return self.finish();
        }
        self.state = State::Waiting(look_at);
        Vec::new()
    }

    fn on_acquired(&mut self, lease: Lease, asked_at: Duration, now: Duration) -> Vec<Action> {
        if self.is_stopping {
            self.state = State::Releasing;
            return vec![Action::Release(lease)];
        }
        if now >= asked_at + self.times.give_up_after() {
            // The answer is so old that the row may be another's already: ask again.
            self.state = State::Acquiring(now);
            return vec![Action::Acquire];
        }
        self.state = State::Held(Holding {
            lease: lease.clone(),
            renewed_at: asked_at,
            renewal: Renewal::Due(asked_at + self.times.renew_every()),
            cancelled: None,
            is_lost: false,
        });
        vec![Action::Start(lease)]
    }

    fn on_work_ended(&mut self, now: Duration) -> Vec<Action> {
        let State::Held(holding) = std::mem::replace(&mut self.state, State::Releasing) else {
            return Vec::new();
        };
        let mut actions = Vec::new();
        if holding.is_overdue(now, self.times) && !holding.is_lost {
            actions.push(Action::CountLoss);
        }
        if holding.cancelled == Some(CancelReason::Lost) {
            actions.extend(self.finish());
        } else {
            actions.push(Action::Release(holding.lease));
        }
        actions
    }

    fn finish(&mut self) -> Vec<Action> {
        self.state = State::Finished;
        vec![Action::Finish]
    }
}

impl Holding {
    fn step(&mut self, event: Event, now: Duration, times: LeaseTimes) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Renewed(lease) => self.on_renewed(lease, times),
            Event::RenewFailed => self.retry(now, times),
            Event::RenewBlocked => {
                if let Renewal::UnderWay(began_at) = self.renewal {
                    self.renewed_at += now.saturating_sub(began_at);
                }
                self.retry(now, times);
            }
            Event::Lost => self.lose(CancelReason::Lost, &mut actions),
            Event::Stop => self.cancel(CancelReason::Stopped, &mut actions),
            _ => {}
        }
        if self.is_overdue(now, times) {
            self.lose(CancelReason::NotRenewed, &mut actions);
        }
        // Work that was told to stop keeps its lease until it has rolled back.
        if let Renewal::Due(at) = self.renewal
            && now >= at
            && !self.is_lost
        {
            self.renewal = Renewal::UnderWay(now);
            actions.push(Action::Renew(self.lease.clone()));
        }
        actions
    }

    fn is_overdue(&self, now: Duration, times: LeaseTimes) -> bool {
        now >= self.renewed_at + times.give_up_after()
    }

    fn on_renewed(&mut self, lease: Lease, times: LeaseTimes) {
        if let Renewal::UnderWay(began_at) = self.renewal {
            self.lease = lease;
            self.renewed_at = began_at;
            self.renewal = Renewal::Due(began_at + times.renew_every());
        }
    }

    fn retry(&mut self, now: Duration, times: LeaseTimes) {
        self.renewal = Renewal::Due(now + times.renew_every() / RETRY_PART);
    }

    /// Counts the loss and cancels the work, each once.
    fn lose(&mut self, reason: CancelReason, actions: &mut Vec<Action>) {
        if !self.is_lost {
            self.is_lost = true;
            actions.push(Action::CountLoss);
        }
        self.cancel(reason, actions);
    }

    fn cancel(&mut self, reason: CancelReason, actions: &mut Vec<Action>) {
        if self.cancelled.is_none() {
            self.cancelled = Some(reason);
            actions.push(Action::Cancel(reason));
        }
    }
}

#[cfg(test)]
mod tests;
