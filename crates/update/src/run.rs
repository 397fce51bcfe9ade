//! Does one round: every planned part is fetched, parsed and committed, or says why not.
//!
//! Parts go side by side, bounded in all and for each host, each under its own lease; few of them
//! at once are parsed, which needs no database, and one thread speaks with the store. A part that
//! another process works on is waited for, and its work counts. Dropping the future of a round
//! stops it: downloads end, parsers stop at their next read, and a commit that has begun is
//! finished or rolled back. Nothing is left behind, because everything temporary is in files
//! without names.

mod desk;
mod fetching;
mod listing;
mod parsing;
mod part;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use pratique_clockwork::lease::{LeaseMetrics, LeaseTimes, Owner};
use pratique_clockwork::{Clock, Shutdown};
use pratique_fetch::{Client, UnpackLimits};
use pratique_model::PartId;
use pratique_store::{Applied, LeaseKeeper, PartState, Store, StoreError};

use crate::hosts::{HostPermit, Hosts, host_of};
use crate::{Metrics, PlannedPart};

pub(crate) use desk::Desk;
pub(crate) use part::{Visit, chain, visit};

/// How many parts are read at once at most, however many cores there are, as one thread commits
/// what they bring.
const JOBS_MAX: usize = 4;

/// How many parts are begun at once. One that waits for its server costs a connection, so servers
/// that never answer must hold up nobody else: with two parts a host, eight of them must hang.
pub(crate) const BEGUN_MAX: usize = 16;

/// How long a round waits for another process that works on a part: as long as the largest feed
/// may take.
const ELSEWHERE_MAX: Duration = Duration::from_mins(30);

/// How often it looks whether that process is done.
const ELSEWHERE_EVERY: Duration = Duration::from_millis(500);

/// How parts are gone about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundConfig {
    /// How many parts are read and committed at once; at least one.
    pub jobs: usize,
    /// Reads every part again, and accepts feeds that shrank or have many unreadable entries.
    pub force: bool,
    /// How much may come out of a document.
    pub unpack_limits: UnpackLimits,
    /// How leases are kept.
    pub lease_times: LeaseTimes,
}

impl Default for RoundConfig {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            jobs: cores.min(JOBS_MAX),
            force: false,
            unpack_limits: UnpackLimits::FEEDS,
            lease_times: LeaseTimes::default(),
        }
    }
}

impl RoundConfig {
    /// Leave to read and commit, for as many parts at once as there are jobs.
    pub(crate) fn turns(&self) -> Semaphore {
        Semaphore::new(self.jobs.max(1))
    }
}

/// What a round tells while it runs, for a display.
#[derive(Clone, Debug)]
pub enum Progress {
    /// Work on a part has begun.
    Started(PartId),
    /// Another process works on a part, which is waited for.
    Elsewhere(PartId, String),
    /// A document came: so many bytes, packed as it was.
    Fetched(PartId, u64),
    /// All of a part came, and it is being read.
    Parsing(PartId),
    /// A part is done.
    Done(PartOutcome),
}

/// What became of one part.
#[derive(Clone, Debug)]
pub struct PartOutcome {
    /// The part.
    pub part: PartId,
    /// What became of it.
    pub result: PartResult,
    /// How many bytes were fetched for it.
    pub fetched_bytes: u64,
    /// How many remarks its parser made.
    pub note_count: u64,
}

/// What became of one part.
#[derive(Clone, Debug)]
pub enum PartResult {
    /// It was read and says something else than before, or for the first time.
    Changed(Applied),
    /// It says what it said, or another process brought it up to date meanwhile.
    Unchanged {
        /// Its generation.
        generation: u64,
    },
    /// Upstream has nothing under its address; old data is kept.
    Absent,
    /// It could not be fetched, read or committed; old data is kept.
    Failed {
        /// Why, as one line.
        error: String,
        /// Whether it may go better later without anybody doing anything.
        is_transient: bool,
        /// How long the server asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// It was given up: a stop was asked for, or its lease was lost. Old data is kept.
    Cancelled,
}

/// One round over some parts.
pub struct Round {
    config: RoundConfig,
    client: Client,
    clock: Clock,
    metrics: Metrics,
    lease_metrics: LeaseMetrics,
    progress: Arc<dyn Fn(Progress) + Send + Sync>,
    shutdown: Shutdown,
}

/// What the work on all parts shares.
pub(crate) struct Shared {
    pub(crate) config: RoundConfig,
    pub(crate) client: Client,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
    pub(crate) progress: Arc<dyn Fn(Progress) + Send + Sync>,
    pub(crate) desk: Desk,
    pub(crate) keeper: LeaseKeeper,
    /// Leave to read and commit; there is as much of it as jobs.
    pub(crate) turns: Semaphore,
}

/// Stops the work of a round that nobody waits for any more.
struct StopOnDrop(Shutdown);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.trigger();
    }
}

impl Round {
    /// A round that tells nobody how it goes.
    pub fn new(config: RoundConfig, client: Client, clock: Clock) -> Self {
        let (metrics, lease_metrics) = (Metrics::default(), LeaseMetrics::default());
        let (progress, shutdown) = (Arc::new(|_| {}), Shutdown::new());
        Self { config, client, clock, metrics, lease_metrics, progress, shutdown }
    }

    /// Has the round end in order when `shutdown` is triggered: what was not done is
    /// [`PartResult::Cancelled`].
    #[must_use]
    pub fn with_shutdown(mut self, shutdown: &Shutdown) -> Self {
        self.shutdown = shutdown.child();
        self
    }

    /// Has `progress` called with everything that happens, from any thread; it must not block.
    #[must_use]
    pub fn with_progress(mut self, progress: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.progress = Arc::new(progress);
        self
    }

    /// Brings the planned parts up to date, beginning in their order, and gives what became of
    /// each, in the order of the plan.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be opened for writing at all. What goes wrong with one
    /// part is that part's [`PartResult::Failed`].
    pub async fn run(
        self,
        store: &Store,
        planned: Vec<PlannedPart>,
    ) -> Result<Vec<PartOutcome>, StoreError> {
        let desk = Desk::start(store.clone());
        desk.ask(|_| Ok(())).await?;
        let times = self.config.lease_times;
        let keeper = LeaseKeeper::new(store.clone(), Owner::draw(), times, self.lease_metrics);
        let shared = Arc::new(Shared {
            turns: self.config.turns(),
            config: self.config,
            client: self.client,
            clock: self.clock,
            metrics: self.metrics,
            progress: self.progress,
            desk,
            keeper,
        });
        let stop = StopOnDrop(self.shutdown);
        let mut pending: Vec<(usize, PlannedPart)> = planned.into_iter().enumerate().collect();
        let mut hosts = Hosts::default();
        let mut work = JoinSet::new();
        let mut outcomes = BTreeMap::new();
        loop {
            while work.len() < BEGUN_MAX
                && let Some((index, planned, permit)) = take(&mut hosts, &mut pending)
            {
                let (shared, stop) = (Arc::clone(&shared), stop.0.clone());
                work.spawn(async move {
                    let outcome = persist(&shared, planned, permit, &stop).await;
                    (shared.progress)(Progress::Done(outcome.clone()));
                    (index, outcome)
                });
            }
            tokio::select! {
                done = work.join_next() => {
                    let Some(done) = done else { break };
                    let (index, outcome) = done.expect("the work on a part does not panic");
                    outcomes.insert(index, outcome);
                }
                // A host is free again, though the part itself is not done.
                () = hosts.freed() => {}
            }
        }
        let outcomes: Vec<PartOutcome> = outcomes.into_values().collect();
        warn_of_absent_sources(&outcomes);
        Ok(outcomes)
    }
}

/// Takes the first part whose host may be asked now; a part's first document stands for all.
fn take(
    hosts: &mut Hosts,
    pending: &mut Vec<(usize, PlannedPart)>,
) -> Option<(usize, PlannedPart, HostPermit)> {
    let found = pending.iter().enumerate().find_map(|(place, (_, planned))| {
        hosts.permit(planned.host()).map(|permit| (place, permit))
    });
    let (place, permit) = found?;
    let (index, planned) = pending.remove(place);
    Some((index, planned, permit))
}

impl PlannedPart {
    /// The host that is asked for its first document.
    pub(crate) fn host(&self) -> &str {
        self.part.documents.first().map_or("", |document| host_of(&document.url))
    }
}

/// Works on a part, or waits until the process that works on it is done.
async fn persist(
    shared: &Shared,
    planned: PlannedPart,
    permit: HostPermit,
    stop: &Shutdown,
) -> PartOutcome {
    let id = planned.part.id.clone();
    let began_at = shared.clock.now();
    let until = Instant::now() + ELSEWHERE_MAX;
    let mut permit = Some(permit);
    let mut is_told = false;
    loop {
        let is_due = |state: Option<&PartState>| !was_answered(state, began_at, is_told);
        let (owner, remaining) =
            match visit(shared, planned.clone(), &mut permit, stop, is_due).await {
                Visit::Done(outcome) => return outcome,
                Visit::NotDue(state) => {
                    let generation = state.map_or(0, |state| state.generation);
                    return PartOutcome::of(id, PartResult::Unchanged { generation });
                }
                Visit::Stopped => return PartOutcome::of(id, PartResult::Cancelled),
                // SQLite has one writer, and the commit of a large part of this very round may
                // take longer than a statement waits.
                Visit::Unreachable(StoreError::Locked { .. }) if Instant::now() < until => {
                    let waited = stop.unless_triggered(tokio::time::sleep(ELSEWHERE_EVERY)).await;
                    match waited {
                        Some(()) => continue,
                        None => return PartOutcome::of(id, PartResult::Cancelled),
                    }
                }
                Visit::Unreachable(error) => {
                    let is_transient = error.is_transient();
                    return PartOutcome::failed(id, chain(&error), is_transient);
                }
                Visit::Held { owner, remaining } => (owner, remaining),
            };
        if Instant::now() >= until {
            return PartOutcome::failed(id, format!("being updated by {owner}"), true);
        }
        if !is_told {
            is_told = true;
            tracing::info!(part.name = %id, "part {id}: waiting for {owner}, which updates it");
            (shared.progress)(Progress::Elsewhere(id.clone(), owner));
        }
        let wait = remaining.clamp(Duration::from_millis(10), ELSEWHERE_EVERY);
        if stop.unless_triggered(tokio::time::sleep(wait)).await.is_none() {
            return PartOutcome::of(id, PartResult::Cancelled);
        }
    }
}

/// Whether another process has asked upstream since the round wanted to, and got an answer.
fn was_answered(state: Option<&PartState>, since: Timestamp, has_waited: bool) -> bool {
    has_waited
        && state.is_some_and(|state| {
            state.last_error.is_none() && state.last_attempt.is_some_and(|at| at >= since)
        })
}

impl PartOutcome {
    fn of(part: PartId, result: PartResult) -> Self {
        Self { part, result, fetched_bytes: 0, note_count: 0 }
    }

    fn failed(part: PartId, error: String, is_transient: bool) -> Self {
        Self::of(part, PartResult::Failed { error, is_transient, retry_after: None })
    }
}

/// A single absent part is normal (an old release, a year to come); a source without any is not.
fn warn_of_absent_sources(outcomes: &[PartOutcome]) {
    let mut sources: BTreeMap<&str, bool> = BTreeMap::new();
    for outcome in outcomes {
        let is_absent = matches!(outcome.result, PartResult::Absent);
        *sources.entry(outcome.part.source()).or_insert(true) &= is_absent;
    }
    for (name, _) in sources.iter().filter(|(_, is_absent)| **is_absent) {
        tracing::warn!(source.name = name, "source {name}: none of its parts is there");
    }
}

#[cfg(test)]
mod tests;
