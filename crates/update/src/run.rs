//! Does one round: every planned part is fetched, parsed and committed, or says why not.
//!
//! Parts go side by side, bounded in all and for each host; parsing needs no database, and one
//! thread commits what is ready. Dropping the future of a round stops it: downloads end, parsers
//! stop at their next entry, and a commit that has begun is finished or rolled back. Nothing is
//! left behind, because everything temporary is in files without names.

mod part;
mod writer;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use pratique_clockwork::Clock;
use pratique_fetch::{Client, UnpackLimits};
use pratique_model::PartId;
use pratique_store::{Applied, Database, StoreError};

use self::writer::Writer;
use crate::PlannedPart;

/// How many parts are worked on at once at most, however many cores there are: upstreams are
/// asked politely. From the design (updater, *Fetch*).
const JOBS_MAX: usize = 4;

/// How many parts of one host are fetched at once; from the design (updater, *Fetch*).
const PER_HOST_MAX: usize = 2;

/// How a round goes about its work.
#[derive(Clone, Debug)]
pub struct Config {
    /// How many parts are worked on at once; at least one.
    pub jobs: usize,
    /// Reads every part again, and accepts feeds that shrank or have many unreadable entries.
    pub force: bool,
    /// How much may come out of a document.
    pub unpack_limits: UnpackLimits,
}

impl Default for Config {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { jobs: cores.min(JOBS_MAX), force: false, unpack_limits: UnpackLimits::FEEDS }
    }
}

/// What a round tells while it runs, for a display.
#[derive(Clone, Debug)]
pub enum Progress {
    /// Work on a part has begun.
    Started(PartId),
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
    /// It says what it said.
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
    },
}

/// One round over some parts.
pub struct Round {
    config: Config,
    client: Client,
    clock: Clock,
    progress: Arc<dyn Fn(Progress) + Send + Sync>,
}

/// What every part of a round shares.
struct Shared {
    config: Config,
    client: Client,
    clock: Clock,
    progress: Arc<dyn Fn(Progress) + Send + Sync>,
    writer: Writer,
    /// Set when the round is given up.
    is_cancelled: Arc<AtomicBool>,
}

/// Tells the blocking threads of a round that nobody waits for them any more.
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Round {
    /// A round that tells nobody how it goes.
    pub fn new(config: Config, client: Client, clock: Clock) -> Self {
        Self { config, client, clock, progress: Arc::new(|_| {}) }
    }

    /// Has `progress` called with everything that happens, from any thread; it must not block.
    #[must_use]
    pub fn with_progress(mut self, progress: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.progress = Arc::new(progress);
        self
    }

    /// Brings the planned parts up to date, beginning in their order, and gives the database back
    /// with what became of each, in the order of the plan.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be written at all. What goes wrong with one part is
    /// that part's [`PartResult::Failed`].
    pub async fn run(
        self,
        database: Database,
        planned: Vec<PlannedPart>,
    ) -> Result<(Database, Vec<PartOutcome>), StoreError> {
        let is_cancelled = Arc::new(AtomicBool::new(false));
        let _cancel = CancelOnDrop(Arc::clone(&is_cancelled));
        let states = database.parts()?;
        let (writer, writing) = Writer::start(database, self.clock.clone());
        let jobs = self.config.jobs.max(1);
        let shared = Arc::new(Shared {
            config: self.config,
            client: self.client,
            clock: self.clock,
            progress: self.progress,
            writer,
            is_cancelled,
        });
        let mut pending: Vec<(usize, PlannedPart)> = planned.into_iter().enumerate().collect();
        let mut hosts = Hosts::default();
        let mut work = JoinSet::new();
        let mut outcomes = BTreeMap::new();
        loop {
            while work.len() < jobs
                && let Some((index, planned, permit)) = hosts.next(&mut pending)
            {
                let state = states.iter().find(|state| state.id == planned.part.id).cloned();
                let shared = Arc::clone(&shared);
                work.spawn(async move {
                    let outcome = part::update(&shared, planned, state, permit).await;
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
                () = hosts.freed.notified() => {}
            }
        }
        // The last handle of the writer goes, and with it the writer ends.
        drop(shared);
        let database = writing.await.expect("committing does not panic");
        let outcomes: Vec<PartOutcome> = outcomes.into_values().collect();
        warn_of_absent_sources(&outcomes);
        Ok((database, outcomes))
    }
}

/// Which hosts are being asked.
#[derive(Default)]
struct Hosts {
    permits: HashMap<String, Arc<Semaphore>>,
    freed: Arc<Notify>,
}

/// Leave to ask one host, until it is dropped.
struct HostPermit {
    permit: Option<OwnedSemaphorePermit>,
    freed: Arc<Notify>,
}

impl Drop for HostPermit {
    fn drop(&mut self) {
        // First given back, then told.
        self.permit = None;
        self.freed.notify_one();
    }
}

impl Hosts {
    /// Takes the first part whose host may be asked now; a part's first document stands for all.
    fn next(
        &mut self,
        pending: &mut Vec<(usize, PlannedPart)>,
    ) -> Option<(usize, PlannedPart, HostPermit)> {
        for place in 0..pending.len() {
            let document = pending[place].1.part.documents.first();
            let host = document.map_or("", |document| host_of(&document.url));
            let new = || Arc::new(Semaphore::new(PER_HOST_MAX));
            let semaphore = self.permits.entry(host.to_owned()).or_insert_with(new);
            if let Ok(permit) = Arc::clone(semaphore).try_acquire_owned() {
                let (index, planned) = pending.remove(place);
                let freed = Arc::clone(&self.freed);
                return Some((index, planned, HostPermit { permit: Some(permit), freed }));
            }
        }
        None
    }
}

/// The host in an address.
fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
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
