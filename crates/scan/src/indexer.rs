//! Indexes the images of a node from its own content store, without a pull.
//!
//! One image at a time, each in a process of its own with the lowest priority and bounds of memory
//! and time: what an image does to its reader ends that process alone, and the image is quarantined
//! until another version of the program comes. What is to be done is asked of the store, so nothing
//! is forgotten over a restart. Who the process is and how its report is read is the caller's.

mod child;
mod metrics;

use std::ffi::OsString;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use tracing::{info, warn};

use pratique_clockwork::{Backoff, Bell, Clock, Random, Shutdown};
use pratique_model::{Digest, IndexReport, NodeImage};
use pratique_store::{Access, Database, IndexOutcome, NodeIndex, Store, StoreError};

use child::End;

pub use child::confine;
pub use metrics::Metrics;

/// How long an image waits at most when the bell was lost: it shall be known within 5 s.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// How long one image may take; the largest take a minute on an idle core.
const TIME_MAX: Duration = Duration::from_mins(15);

/// The wait after an image could not be read for the first time: its layers may be on their way.
const RETRY_MIN: Duration = Duration::from_secs(10);

/// The longest such wait.
const RETRY_MAX: Duration = Duration::from_hours(1);

/// How long to wait for a store that cannot be asked.
const UNREACHABLE_WAIT: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(30)];

/// How often images are forgotten that the node no longer has.
const SWEEP_INTERVAL: Duration = Duration::from_hours(1);

/// How images are indexed.
#[derive(Clone, Debug)]
pub struct Config {
    /// The command that writes the report of the image whose `NAMESPACE/DIGEST` stands behind it.
    pub command: Vec<OsString>,
    /// Reads what that command wrote.
    pub read_report: fn(&[u8]) -> Result<IndexReport, String>,
    /// This program's version: what another one could not read is tried again.
    pub version: String,
    /// How long one image may take.
    pub time_max: Duration,
    /// How often to look though no bell rang.
    pub poll_interval: Duration,
}

impl Config {
    /// With the limits of this module.
    pub fn new(
        command: Vec<OsString>,
        read_report: fn(&[u8]) -> Result<IndexReport, String>,
        version: String,
    ) -> Self {
        Self { command, read_report, version, time_max: TIME_MAX, poll_interval: POLL_INTERVAL }
    }
}

/// Why indexing ended.
#[derive(Debug, thiserror::Error)]
pub enum IndexerError {
    /// The store refuses for good.
    #[error("indexing the images of this node")]
    Store(#[from] StoreError),
}

/// Indexes what the watcher finds.
#[derive(Clone, Debug)]
pub struct Indexer {
    /// The node's store.
    pub store: Store,
    /// Dates what is written.
    pub clock: Clock,
    /// Rung when there may be a new image.
    pub bell: Bell,
    /// How.
    pub config: Config,
    /// What it tells Prometheus.
    pub metrics: Metrics,
}

impl Indexer {
    /// Works until the shutdown, which ends a running process.
    ///
    /// # Errors
    /// [`IndexerError`] when trying again does not help.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), IndexerError> {
        let [first, most] = UNREACHABLE_WAIT;
        let backoff = Backoff::try_new(first, first, most).expect("in order");
        let (mut random, mut failure_count) = (Random::from_system(), 0_u32);
        let mut listener = self.bell.listen();
        let mut swept_at: Option<Instant> = None;
        while !shutdown.is_triggered() {
            let is_sweep_due = swept_at.is_none_or(|at| at.elapsed() >= SWEEP_INTERVAL);
            let wait = match self.next(is_sweep_due, &shutdown).await {
                Ok(has_worked) => {
                    failure_count = 0;
                    if is_sweep_due {
                        swept_at = Some(Instant::now());
                    }
                    if has_worked {
                        continue;
                    }
                    self.config.poll_interval
                }
                Err(error) if error.is_transient() => {
                    if failure_count == 0 {
                        warn!("indexing waits for the store: {error}");
                    }
                    failure_count = failure_count.saturating_add(1);
                    backoff.delay(failure_count, &mut random)
                }
                Err(error) => return Err(error.into()),
            };
            tokio::select! {
                () = listener.rung() => {}
                () = tokio::time::sleep(wait) => {}
                () = shutdown.triggered() => {}
            }
        }
        Ok(())
    }

    /// Indexes the next image; whether there was one.
    async fn next(&self, is_sweep_due: bool, shutdown: &Shutdown) -> Result<bool, StoreError> {
        let (version, now) = (self.config.version.clone(), self.clock.now());
        let due = self.with_store(move |database| {
            if is_sweep_due {
                while database.sweep_node_indexes(now)? > 0 {}
            }
            let Some(image) = database.image_to_index(&version, now)? else { return Ok(None) };
            let digest = image.digest.expect("only images with a digest are asked for");
            let known = database.node_index(digest)?;
            let attempts = known.filter(|known| known.program == version);
            Ok(Some((image, digest, attempts.map_or(0, |known| known.attempt_count))))
        });
        let Some((image, digest, attempt_count)) = due.await? else { return Ok(false) };
        let target = format!("{}/{digest}", image.namespace);
        let began = Instant::now();
        let work = child::run(&self.config.command, &target, self.config.time_max);
        let Some(end) = shutdown.unless_triggered(work).await else { return Ok(false) };
        self.keep(image, digest, attempt_count, end, began.elapsed()).await?;
        Ok(true)
    }

    /// Writes what came of an image.
    async fn keep(
        &self,
        image: NodeImage,
        digest: Digest,
        attempt_count: u32,
        end: std::io::Result<End>,
        took: Duration,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let (report, outcome) = self.judge(digest, end, attempt_count, now);
        let name = format!("{}/{}", image.namespace, image.name);
        let result = match &outcome {
            IndexOutcome::Indexed { .. } => {
                let count = report.as_ref().map_or(0, |report| report.packages.len());
                info!(image.name = name, image.digest = %digest, package_count = count, "indexed");
                "indexed"
            }
            IndexOutcome::Failed { error, .. } => {
                warn!(image.name = name, image.digest = %digest, "not indexed: {error}");
                "failed"
            }
            IndexOutcome::Quarantined { error } => {
                warn!(image.name = name, image.digest = %digest, "quarantined: {error}");
                "quarantined"
            }
        };
        self.metrics.count(result, took);
        let is_indexed = matches!(outcome, IndexOutcome::Indexed { .. });
        let index = NodeIndex {
            digest,
            namespace: image.namespace,
            name: image.name,
            program: self.config.version.clone(),
            outcome,
            attempt_count: if is_indexed { 0 } else { attempt_count.saturating_add(1) },
            attempted_at: now,
        };
        self.with_store(move |database| {
            if let Some(report) = &report {
                let names = [index.name.clone(), digest.to_string()];
                database.register_image(report, &names, now)?;
            }
            database.write_node_index(&index)
        })
        .await
    }

    fn judge(
        &self,
        digest: Digest,
        end: std::io::Result<End>,
        attempt_count: u32,
        now: Timestamp,
    ) -> (Option<IndexReport>, IndexOutcome) {
        let error = match end {
            Ok(End::Report(bytes)) => match (self.config.read_report)(&bytes) {
                Ok(report) => {
                    let image = report.target.identity().copied().unwrap_or(digest);
                    return (Some(report), IndexOutcome::Indexed { image });
                }
                Err(error) => format!("its report: {error}"),
            },
            Ok(End::Killed(error)) => return (None, IndexOutcome::Quarantined { error }),
            Ok(End::Refused(error)) => error,
            Err(error) => format!("starting the process that reads it: {error}"),
        };
        let wait = RETRY_MIN.saturating_mul(1 << attempt_count.min(16)).min(RETRY_MAX);
        let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
        let retry_at = now.saturating_add(wait).unwrap_or(Timestamp::MAX);
        (None, IndexOutcome::Failed { error, retry_at })
    }

    async fn with_store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Database) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.store.clone();
        let work = move || work(&mut store.open(Access::ReadWrite)?);
        tokio::task::spawn_blocking(work).await.expect("work on the store does not panic")
    }
}

#[cfg(test)]
mod tests;
