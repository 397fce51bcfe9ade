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

use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use pratique_clockwork::Clock;
use pratique_feeds::Part;
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
    jobs: Arc<Semaphore>,
    hosts: Mutex<HashMap<String, Arc<Semaphore>>>,
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
        let shared = Arc::new(Shared {
            jobs: Arc::new(Semaphore::new(self.config.jobs.max(1))),
            config: self.config,
            client: self.client,
            clock: self.clock,
            progress: self.progress,
            writer,
            hosts: Mutex::default(),
            is_cancelled,
        });
        let mut work = JoinSet::new();
        for (index, planned) in planned.into_iter().enumerate() {
            // The permits are taken here, so that the parts begin in the order of the plan.
            let permit = Arc::clone(&shared.jobs).acquire_owned().await;
            let permit = permit.expect("the semaphore is never closed");
            let state = states.iter().find(|state| state.id == planned.part.id).cloned();
            let shared = Arc::clone(&shared);
            work.spawn(async move {
                let outcome = part::update(&shared, planned, state).await;
                (shared.progress)(Progress::Done(outcome.clone()));
                drop(permit);
                (index, outcome)
            });
        }
        let mut outcomes = BTreeMap::new();
        while let Some(done) = work.join_next().await {
            let (index, outcome) = done.expect("the work on a part does not panic");
            outcomes.insert(index, outcome);
        }
        // The last handle of the writer goes, and with it the writer ends.
        drop(shared);
        let database = writing.await.expect("committing does not panic");
        let outcomes: Vec<PartOutcome> = outcomes.into_values().collect();
        warn_of_absent_sources(&outcomes);
        Ok((database, outcomes))
    }
}

impl Shared {
    /// Waits until one more part may be fetched from the host of this part's first document.
    async fn host_permit(&self, part: &Part) -> OwnedSemaphorePermit {
        let host = part.documents.first().map_or("", |document| host_of(&document.url)).to_owned();
        let semaphore = {
            let mut hosts = self.hosts.lock().await;
            let new = || Arc::new(Semaphore::new(PER_HOST_MAX));
            Arc::clone(hosts.entry(host).or_insert_with(new))
        };
        semaphore.acquire_owned().await.expect("the semaphore is never closed")
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
