//! Asks all sandboxes at once and gathers what they answer until the scraper's time is up.
//!
//! Scrapes that ask for the same share one collection, which is filled while they wait: who must
//! leave early takes what is there. Calls are made in random order, those to sandboxes that failed
//! last time at the end; 256 run at a time, and one that takes long no longer counts among them,
//! so that sandboxes that stall cannot keep the others waiting. Surprising: a collection goes on
//! when its scraper hangs up, because another may come for it; its own deadlines end it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use pratique_clockwork::{Clock, Random};
use regex::Regex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::debug;

use crate::discovery::Table;
use crate::metrics::Counters;
use crate::patience::Patience;
use crate::refusal::{Reason, Refusal};
use crate::resolve::{Mode, Resolved, Resolver};
use crate::sandbox::Sandbox;
use crate::savings::Savings;
use crate::snapshot::Snapshot;
use crate::urpc;

/// Calls that run at a time: enough to hide the latency of honest sandboxes.
const FAST_MAX: usize = 256;
/// How long a call counts among those. Honest sandboxes answer in 1 to 20 ms.
const FAST_AFTER: Duration = Duration::from_millis(250);
/// All calls, the slow ones too: bounds descriptors and buffers.
const CALLS_MAX: usize = 4_096;
/// The longest that a collection goes on; the seed's `metricsExportTimeout`.
pub(crate) const COLLECT_MAX: Duration = Duration::from_secs(30);

/// How sandboxes are asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AskConfig {
    /// The longest that one call may take.
    pub(crate) sandbox_timeout: Duration,
    /// How old a collection may be to be served again.
    pub(crate) min_interval: Duration,
    /// What a bad point costs.
    pub(crate) mode: Mode,
    /// Calls that the limit of open files leaves room for.
    pub(crate) call_max: usize,
}

/// Asks sandboxes.
pub(crate) struct Collector {
    config: AskConfig,
    clock: Clock,
    table: watch::Receiver<Arc<Table>>,
    counters: Arc<Counters>,
    fast: Arc<Semaphore>,
    calls: Arc<Semaphore>,
    /// By filter; empty text: none.
    shared: Mutex<HashMap<String, Shared>>,
}

#[derive(Clone)]
struct Shared {
    collection: Arc<Collection>,
    done_at: watch::Receiver<Option<Instant>>,
}

/// What all sandboxes answered so far.
#[derive(Debug)]
pub(crate) struct Collection {
    /// The sandboxes that were asked.
    pub(crate) table: Arc<Table>,
    /// When it was started.
    pub(crate) started_at: Timestamp,
    outcomes: Vec<OnceLock<Outcome>>,
}

/// What became of one call.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// An answer that is believed.
    Snapshot(Snapshot),
    /// None that is.
    Failed,
    /// It was not asked, because it has failed too often.
    LeftOut,
    /// Its process has ended.
    Ended,
}

impl Collection {
    /// One that is complete.
    #[cfg(test)]
    pub(crate) fn of(table: Table, started_at: Timestamp, all: Vec<Option<Outcome>>) -> Self {
        let outcomes = all.into_iter().map(|one| one.map_or_else(OnceLock::new, OnceLock::from));
        Self { table: Arc::new(table), started_at, outcomes: outcomes.collect() }
    }

    /// What became of the sandbox with this place in the table; `None`: not answered yet.
    pub(crate) fn outcome(&self, index: usize) -> Option<&Outcome> {
        self.outcomes[index].get()
    }
}

impl Collector {
    /// Asks the sandboxes of the newest table.
    pub(crate) fn new(
        config: AskConfig,
        clock: Clock,
        table: watch::Receiver<Arc<Table>>,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            config,
            clock,
            table,
            counters,
            fast: Arc::new(Semaphore::new(FAST_MAX)),
            calls: Arc::new(Semaphore::new(CALLS_MAX.min(config.call_max))),
            shared: Mutex::default(),
        }
    }

    /// Gathers answers until all are there or the deadline has come. `filter` is what each
    /// metric's name must fit.
    pub(crate) async fn collect(
        self: &Arc<Self>,
        filter: Option<&Regex>,
        deadline: Instant,
    ) -> Arc<Collection> {
        let Shared { collection, mut done_at } = self.join(filter);
        // At the deadline, or if its task is gone, what is there is taken.
        let _ = timeout_at(deadline, done_at.wait_for(Option::is_some)).await;
        collection
    }

    /// The collection that runs or has just ended with this filter, or a new one.
    fn join(self: &Arc<Self>, filter: Option<&Regex>) -> Shared {
        let key = filter.map(Regex::as_str).unwrap_or_default();
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        shared.retain(|_, one| {
            let is_running = one.done_at.has_changed().is_ok();
            let done_at = *one.done_at.borrow();
            match done_at {
                Some(done_at) => now < done_at + self.config.min_interval,
                None => is_running,
            }
        });
        if let Some(one) = shared.get(key) {
            return one.clone();
        }
        let table = Arc::clone(&self.table.borrow());
        let outcomes = table.sandboxes.iter().map(|_| OnceLock::new()).collect();
        let collection = Arc::new(Collection { started_at: self.clock.now(), table, outcomes });
        let (done, done_at) = watch::channel(None);
        let one = Shared { collection, done_at };
        shared.insert(key.to_owned(), one.clone());
        let this = Arc::clone(self);
        let (collection, filter) = (Arc::clone(&one.collection), filter.cloned());
        tokio::spawn(async move {
            let started = Instant::now();
            this.run(collection, filter).await;
            this.counters.scraped(started.elapsed());
            done.send_replace(Some(Instant::now()));
        });
        one
    }

    async fn run(self: &Arc<Self>, collection: Arc<Collection>, filter: Option<Regex>) {
        let deadline = Instant::now() + COLLECT_MAX;
        let patience = Arc::new(Patience::default());
        let mut calls = JoinSet::new();
        // A set of its own, so that it ends with this.
        let mut measuring = JoinSet::new();
        let measured = Arc::clone(&patience);
        measuring.spawn(async move { measured.measure().await });
        let asking = async {
            for index in order(&collection.table) {
                let call = Arc::clone(&self.calls).acquire_owned().await;
                let fast = Arc::clone(&self.fast).acquire_owned().await;
                let (Ok(call), Ok(fast)) = (call, fast) else { return };
                let (this, collection) = (Arc::clone(self), Arc::clone(&collection));
                let (filter, patience) = (filter.clone(), Arc::clone(&patience));
                calls.spawn(async move {
                    let sandbox = &collection.table.sandboxes[index];
                    let outcome = this.ask(sandbox, filter, &patience, fast).await;
                    let _ = collection.outcomes[index].set(outcome);
                    drop(call);
                });
                while let Some(joined) = calls.try_join_next() {
                    self.note_panic(joined.is_err_and(|error| error.is_panic()));
                }
            }
            while let Some(joined) = calls.join_next().await {
                self.note_panic(joined.is_err_and(|error| error.is_panic()));
            }
        };
        // Dropping the calls that are left closes their sockets.
        let _ = timeout_at(deadline, asking).await;
    }

    fn note_panic(&self, is_panic: bool) {
        if is_panic {
            self.counters.failed(Reason::Panic);
        }
    }

    /// Asks one sandbox and remembers what it said.
    async fn ask(
        &self,
        sandbox: &Arc<Sandbox>,
        filter: Option<Regex>,
        patience: &Patience,
        fast: OwnedSemaphorePermit,
    ) -> Outcome {
        if sandbox.memory.lock().breaker.is_open(Instant::now()) {
            return Outcome::LeftOut;
        }
        if !sandbox.process.is_running() {
            return Outcome::Ended;
        }
        let call = self.call(sandbox, filter, patience);
        tokio::pin!(call);
        let result = tokio::select! {
            result = &mut call => result,
            () = sleep(FAST_AFTER) => {
                drop(fast);
                call.await
            }
        };
        let mut memory = sandbox.memory.lock();
        match result {
            Ok(snapshot) => {
                memory.breaker.succeed();
                Outcome::Snapshot(snapshot)
            }
            Err(refusal) => {
                memory.breaker.fail(Instant::now(), &mut Random::from_system());
                drop(memory);
                self.counters.failed(refusal.reason);
                debug!(sandbox.id = %sandbox.id, "sandbox {}: {refusal}", sandbox.id);
                Outcome::Failed
            }
        }
    }

    async fn call(
        &self,
        sandbox: &Arc<Sandbox>,
        filter: Option<Regex>,
        patience: &Patience,
    ) -> Result<Snapshot, Refusal> {
        let _turn = sandbox.memory.turn.acquire().await;
        let mode = self.config.mode;
        let text = filter.as_ref().map(|filter| filter.as_str().to_owned()).unwrap_or_default();
        let resolver = Resolver::new(Arc::clone(&sandbox.registration), filter, mode);
        let call = urpc::export(&sandbox.sockets, sandbox.process, &text, resolver);
        let Some(answer) = patience.wait(self.config.sandbox_timeout, call).await else {
            return Err(Refusal::new(Reason::Timeout, "no answer in time"));
        };
        let (resolved, taken_at) = answer?;
        let snapshot = self.believe(sandbox, resolved, taken_at)?;
        if sandbox.owes_savings() {
            self.ask_savings(sandbox, patience).await;
        }
        Ok(snapshot)
    }

    /// Holds an answer against the one before.
    fn believe(
        &self,
        sandbox: &Sandbox,
        mut resolved: Resolved,
        taken_at: Timestamp,
    ) -> Result<Snapshot, Refusal> {
        let now = self.clock.now();
        let mut memory = sandbox.memory.lock();
        let snapshot = memory.verifier.verify(
            &sandbox.registration,
            &mut resolved,
            taken_at,
            now,
            self.config.mode,
        )?;
        for reason in resolved.dropped {
            self.counters.failed(reason);
        }
        Ok(snapshot)
    }

    /// Asks a restored sandbox what that saved. One that cannot tell is not asked again; one that
    /// does not answer is, in the next scrape, and has lost nothing but this.
    async fn ask_savings(&self, sandbox: &Sandbox, patience: &Patience) {
        let call = urpc::savings(&sandbox.sockets, sandbox.process);
        let savings = match patience.wait(self.config.sandbox_timeout, call).await {
            Some(Ok(savings)) => savings,
            Some(Err(refusal)) if refusal.reason == Reason::Refused => Savings::default(),
            Some(Err(refusal)) => {
                debug!(sandbox.id = %sandbox.id, "sandbox {}: savings: {refusal}", sandbox.id);
                return;
            }
            None => return,
        };
        sandbox.memory.lock().savings = Some(savings);
    }
}

/// Places in the table in the order in which they are asked.
fn order(table: &Table) -> Vec<usize> {
    let mut random = Random::from_system();
    let mut order: Vec<(bool, u64, usize)> = table
        .sandboxes
        .iter()
        .enumerate()
        .map(|(index, one)| (one.memory.lock().breaker.has_failed(), random.next_number(), index))
        .collect();
    order.sort_unstable();
    order.into_iter().map(|(_, _, index)| index).collect()
}
