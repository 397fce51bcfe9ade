//! Keeps a lease while work is done under it.
//!
//! [`Tenure`] decides, this performs: it asks the store from blocking threads, tells the work to
//! end, and gives the lease back when the work has. Renewing is a task of its own, so work that
//! computes for long does not delay it. The order at every end is: cancel, wait for the work,
//! release. Surprising: losing a lease does not drop the work. It is asked to end, and what it
//! still writes is refused by the fence.

use std::time::Duration;

use pratique_clockwork::lease::{
    Action, CancelReason, Event, Lease, LeaseMetrics, LeaseTimes, Owner, Tenure,
};
use pratique_clockwork::{Backoff, Random, Shutdown};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::{Access, Acquisition, Database, Store, StoreError};

/// How long giving a lease back may take once a stop was asked for. After that it is left to
/// expire: a service must have stopped within 15 s. Without a stop it is tried until it has
/// expired: a lease that is left behind keeps everybody else from its work that long.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait for a store that cannot be asked, from the design (updater), "Lease".
const UNREACHABLE_WAIT_MIN: Duration = Duration::from_secs(1);

/// The longest such wait. Same origin.
const UNREACHABLE_WAIT_MAX: Duration = Duration::from_secs(30);

/// Reports of the work that wait for the keeper; there are two kinds.
const REPORTS_MAX: usize = 4;

/// Takes leases for one process and keeps them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LeaseKeeper {
    store: Store,
    owner: Owner,
    times: LeaseTimes,
    metrics: LeaseMetrics,
}

/// What became of work that wanted a lease.
#[derive(Debug)]
pub enum Attempt<T> {
    /// It was done under the lease, or cancelled under it, as it says itself.
    Done(T),
    /// It was not begun, because somebody else has the lease.
    Held {
        /// The lease as it is.
        lease: Lease,
        /// The time to its expiry when the store was asked.
        remaining: Duration,
    },
    /// It was not begun, because a stop was asked for first.
    Stopped,
}

/// A lease that is held, as its work sees it. Clones are the same holding.
#[derive(Clone, Debug)]
pub struct HeldLease {
    lease: watch::Receiver<Lease>,
    shutdown: Shutdown,
    reports: mpsc::Sender<Event>,
}

impl HeldLease {
    /// The lease as last renewed: the fence of every write.
    pub fn lease(&self) -> Lease {
        self.lease.borrow().clone()
    }

    /// Asks the work to end: the process stops, or the lease is lost or may soon be. The work
    /// ends by itself soon after, with everything unfinished rolled back.
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// To be called when a write was refused with [`StoreError::LeaseLost`]: the loss is counted,
    /// once, and [`Self::shutdown`] is triggered.
    pub fn report_lost(&self) {
        // A full queue has this report in it already, or the end of the work.
        let _ = self.reports.try_send(Event::Lost);
    }
}

impl LeaseKeeper {
    /// A keeper that holds leases as `owner`.
    pub fn new(store: Store, owner: Owner, times: LeaseTimes, metrics: LeaseMetrics) -> Self {
        Self { store, owner, times, metrics }
    }

    /// Who holds the leases of this keeper.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Does `work` under the lease `name` if nobody else has it now.
    ///
    /// Returns when the work has ended and the lease was given back. Dropping the returned future
    /// drops the work, and then the lease is given back as well.
    ///
    /// # Errors
    /// Those of [`Database::acquire_lease`] and [`Store::open`]; the work was not begun.
    pub async fn try_hold<T, W, F>(
        &self,
        name: &str,
        shutdown: &Shutdown,
        work: W,
    ) -> Result<Attempt<T>, StoreError>
    where
        W: FnOnce(HeldLease) -> F,
        F: Future<Output = T>,
    {
        self.run(name, shutdown, Patience::Once, work).await
    }

    /// Does `work` under the lease `name`, as soon as it can be had. A store that cannot be asked
    /// is waited for. `None` when a stop was asked for before the work began.
    ///
    /// Otherwise as [`Self::try_hold`]. Work that must go on after a lost lease is begun again by
    /// calling this again.
    pub async fn hold<T, W, F>(&self, name: &str, shutdown: &Shutdown, work: W) -> Option<T>
    where
        W: FnOnce(HeldLease) -> F,
        F: Future<Output = T>,
    {
        match self.run(name, shutdown, Patience::UntilStopped, work).await {
            Ok(Attempt::Done(value)) => Some(value),
            Ok(Attempt::Held { .. } | Attempt::Stopped) | Err(_) => None,
        }
    }

    async fn run<T, W, F>(
        &self,
        name: &str,
        shutdown: &Shutdown,
        patience: Patience,
        work: W,
    ) -> Result<Attempt<T>, StoreError>
    where
        W: FnOnce(HeldLease) -> F,
        F: Future<Output = T>,
    {
        let (outcome, beginning) = oneshot::channel();
        let (reports, received) = mpsc::channel(REPORTS_MAX);
        let driver = Driver {
            tenure: Tenure::new(self.times),
            keeper: self.clone(),
            name: name.to_owned(),
            patience,
            shutdown: shutdown.clone(),
            cancel: shutdown.child(),
            began_at: Instant::now(),
            outcome: Some(outcome),
            reporting: reports.downgrade(),
            reports: received,
            lease: None,
            questions: JoinSet::new(),
            database: None,
            failure_count: 0,
            release_by: None,
            releasing: None,
            is_stop_reported: false,
            is_work_ended: false,
            is_finished: false,
        };
        // Ends by itself when this future is dropped, because `reports` then goes too.
        let driver = tokio::spawn(driver.run());
        let began = beginning.await;
        let result = match began {
            Ok(Beginning::Granted(held)) => {
                let value = work(held).await;
                // The queue is read until the driver ends; if it has, nobody needs to know.
                let _ = reports.send(Event::WorkEnded).await;
                Ok(Attempt::Done(value))
            }
            Ok(Beginning::Elsewhere { lease, remaining }) => Ok(Attempt::Held { lease, remaining }),
            Ok(Beginning::Failed(error)) => Err(error),
            Err(_) => Ok(Attempt::Stopped),
        };
        if let Err(error) = driver.await
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
        result
    }
}

/// Whether to wait for a lease that cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    Once,
    UntilStopped,
}

/// How an attempt begins, told to the one who waits for it.
enum Beginning {
    Granted(HeldLease),
    Elsewhere { lease: Lease, remaining: Duration },
    Failed(StoreError),
}

/// A question to the store.
enum Question {
    Acquire,
    Renew(Lease),
    Release(Lease),
}

/// What came of a question.
enum Answer {
    Acquired(Result<Acquisition, StoreError>),
    Renewed(Result<Lease, StoreError>),
    Released(Result<bool, StoreError>),
}

/// Performs what one tenure decides.
struct Driver {
    keeper: LeaseKeeper,
    name: String,
    patience: Patience,
    shutdown: Shutdown,
    /// The work's own request to end.
    cancel: Shutdown,
    tenure: Tenure,
    began_at: Instant,
    /// Whoever waits for the beginning; `None` when told.
    outcome: Option<oneshot::Sender<Beginning>>,
    reports: mpsc::Receiver<Event>,
    /// For the work to report by. Weak, so that a caller who is gone is noticed.
    reporting: mpsc::WeakSender<Event>,
    /// The lease as the work sees it, while it is held.
    lease: Option<watch::Sender<Lease>>,
    questions: JoinSet<(Option<Database>, Answer)>,
    /// Kept from one question to the next.
    database: Option<Database>,
    failure_count: u32,
    release_by: Option<Instant>,
    /// The lease that is being given back.
    releasing: Option<Lease>,
    is_stop_reported: bool,
    is_work_ended: bool,
    is_finished: bool,
}

impl Driver {
    async fn run(mut self) {
        self.feed(Event::Tick);
        while !self.is_finished {
            let wakes_at = self.wakes_at();
            tokio::select! {
                () = self.shutdown.triggered(), if !self.is_stop_reported => {
                    self.is_stop_reported = true;
                    let soon = Instant::now() + RELEASE_TIMEOUT;
                    self.release_by = self.release_by.map(|by| by.min(soon));
                    self.feed(Event::Stop);
                }
                report = self.reports.recv(), if !self.is_work_ended => {
                    self.on_report(report.as_ref());
                }
                Some(answered) = self.questions.join_next() => match answered {
                    Ok((database, answer)) => {
                        self.database = database;
                        self.on_answer(answer);
                    }
                    Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                    Err(_) => {}
                },
                () = tokio::time::sleep_until(wakes_at.unwrap_or(self.began_at)),
                    if wakes_at.is_some() =>
                {
                    let is_overdue = self.release_by.is_some();
                    let event = if is_overdue { Event::Released } else { Event::Tick };
                    self.feed(event);
                }
            }
        }
    }

    fn wakes_at(&self) -> Option<Instant> {
        self.release_by.or_else(|| self.tenure.wakes_at().map(|after| self.began_at + after))
    }

    /// The end of all reports is the end of the work, or of the wish to begin it.
    fn on_report(&mut self, report: Option<&Event>) {
        if report == Some(&Event::Lost) {
            return self.feed(Event::Lost);
        }
        self.is_work_ended = true;
        self.feed(if self.lease.is_some() { Event::WorkEnded } else { Event::Stop });
    }

    fn feed(&mut self, event: Event) {
        for action in self.tenure.step(event, self.began_at.elapsed()) {
            self.perform(action);
        }
        if let (Some(shown), Some(lease)) = (&self.lease, self.tenure.lease()) {
            shown.send_if_modified(|shown| {
                let is_new = shown != lease;
                shown.clone_from(lease);
                is_new
            });
        }
    }

    fn perform(&mut self, action: Action) {
        let (name, metrics) = (&self.name, &self.keeper.metrics);
        match action {
            Action::Acquire => self.ask(Question::Acquire),
            Action::Start(lease) => self.start(lease),
            Action::Renew(lease) => self.ask(Question::Renew(lease)),
            Action::Cancel(reason) => {
                if reason == CancelReason::NotRenewed {
                    warn!(lease.name = %name, "lease {name} was not renewed in time: cancelling");
                }
                self.cancel.trigger();
            }
            Action::CountLoss => {
                warn!(lease.name = %name, "lease {name} is lost");
                metrics.count_loss();
            }
            Action::Release(lease) => {
                let ttl = self.keeper.times.ttl();
                let patience = if self.is_stop_reported { RELEASE_TIMEOUT } else { ttl };
                self.release_by = Some(Instant::now() + patience);
                self.releasing = Some(lease.clone());
                self.ask(Question::Release(lease));
            }
            Action::Finish => self.is_finished = true,
        }
    }

    fn start(&mut self, lease: Lease) {
        let name = &self.name;
        debug!(lease.name = %name, lease.token = lease.token, "lease {name} is held");
        self.keeper.metrics.set_held(name, true);
        let (sender, receiver) = watch::channel(lease);
        self.lease = Some(sender);
        // Without the caller there is nobody to work; the end of all reports says so.
        if let (Some(reports), Some(outcome)) = (self.reporting.upgrade(), self.outcome.take()) {
            let shutdown = self.cancel.clone();
            let held = HeldLease { lease: receiver, shutdown, reports };
            let _ = outcome.send(Beginning::Granted(held));
        }
    }

    fn ask(&mut self, question: Question) {
        let keeper = self.keeper.clone();
        let (name, database) = (self.name.clone(), self.database.take());
        self.questions.spawn_blocking(move || keeper.answer(&name, database, question));
    }

    fn on_answer(&mut self, answer: Answer) {
        let name = self.name.clone();
        let event = match answer {
            Answer::Acquired(Ok(Acquisition::Acquired(lease))) => {
                self.recovered();
                Event::Acquired(lease)
            }
            Answer::Acquired(Ok(Acquisition::Held { lease, remaining })) => {
                self.recovered();
                return self.on_held(lease, remaining);
            }
            Answer::Acquired(Err(error)) => return self.on_failed(error),
            Answer::Renewed(Ok(lease)) => Event::Renewed(lease),
            Answer::Renewed(Err(StoreError::LeaseLost { .. })) => Event::Lost,
            Answer::Renewed(Err(error @ StoreError::Locked { .. })) => {
                debug!(lease.name = %name, "lease {name} not renewed yet: {error}");
                Event::RenewBlocked
            }
            Answer::Renewed(Err(error)) => {
                warn!(lease.name = %name, "lease {name} not renewed: {error}");
                Event::RenewFailed
            }
            // Somebody writes for longer than a statement waits; `release_by` ends this.
            Answer::Released(Err(StoreError::Locked { .. }))
                if let Some(lease) = &self.releasing =>
            {
                return self.ask(Question::Release(lease.clone()));
            }
            Answer::Released(released) => {
                if let Err(error) = released {
                    warn!(lease.name = %name, "lease {name} is left to expire: {error}");
                }
                Event::Released
            }
        };
        self.feed(event);
    }

    fn on_held(&mut self, lease: Lease, remaining: Duration) {
        if self.patience == Patience::UntilStopped {
            // A holder that ends in good order gives the lease back before it expires.
            let remaining = remaining.min(self.keeper.times.renew_every());
            return self.feed(Event::HeldElsewhere { remaining });
        }
        self.tell(Beginning::Elsewhere { lease, remaining });
        self.feed(Event::HeldElsewhere { remaining });
        self.feed(Event::Stop);
    }

    fn on_failed(&mut self, error: StoreError) {
        if self.patience == Patience::Once {
            self.tell(Beginning::Failed(error));
            self.feed(Event::AcquireFailed { retry_after: Duration::ZERO });
            return self.feed(Event::Stop);
        }
        if self.failure_count == 0 {
            let name = &self.name;
            warn!(lease.name = %name, "lease {name} cannot be asked for, trying again: {error}");
        }
        self.failure_count = self.failure_count.saturating_add(1);
        let (least, cap) = (UNREACHABLE_WAIT_MIN, UNREACHABLE_WAIT_MAX);
        let backoff = Backoff::try_new(least, least, cap).expect("in order");
        let retry_after = backoff.delay(self.failure_count, &mut Random::from_system());
        self.feed(Event::AcquireFailed { retry_after });
    }

    fn recovered(&mut self) {
        if self.failure_count > 0 {
            let name = &self.name;
            info!(lease.name = %name, "lease {name} can be asked for again");
            self.failure_count = 0;
        }
    }

    fn tell(&mut self, beginning: Beginning) {
        if let Some(outcome) = self.outcome.take() {
            // Who does not wait any more needs no answer.
            let _ = outcome.send(beginning);
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // However this ends, nobody renews the lease any more.
        self.cancel.trigger();
        if self.lease.is_some() {
            self.keeper.metrics.set_held(&self.name, false);
        }
    }
}

impl LeaseKeeper {
    /// Asks the store. Blocks. The database is kept for the next question, unless it failed.
    fn answer(
        &self,
        name: &str,
        database: Option<Database>,
        question: Question,
    ) -> (Option<Database>, Answer) {
        let opened = database.map_or_else(|| self.store.open(Access::ReadWrite), Ok);
        let database = match opened {
            Ok(database) => database,
            Err(error) => return (None, question.refused(error)),
        };
        let ttl = self.times.ttl();
        let answer = match question {
            Question::Acquire => Answer::Acquired(database.acquire_lease(name, &self.owner, ttl)),
            Question::Renew(lease) => Answer::Renewed(database.renew_lease(&lease, ttl)),
            Question::Release(lease) => Answer::Released(database.release_lease(&lease)),
        };
        (Some(database).filter(|_| !answer.is_error()), answer)
    }
}

impl Question {
    fn refused(self, error: StoreError) -> Answer {
        match self {
            Self::Acquire => Answer::Acquired(Err(error)),
            Self::Renew(_) => Answer::Renewed(Err(error)),
            Self::Release(_) => Answer::Released(Err(error)),
        }
    }
}

impl Answer {
    fn is_error(&self) -> bool {
        matches!(self, Self::Acquired(Err(_)) | Self::Renewed(Err(_)) | Self::Released(Err(_)))
    }
}

#[cfg(test)]
mod tests;
