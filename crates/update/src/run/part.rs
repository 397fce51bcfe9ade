//! The way of one part: take its lease, fetch its documents, parse them, have the result committed.
//!
//! Everything ends in order: work that is told to end stops downloading and parsing, what it had
//! not committed is forgotten, and only then is the lease given back. A commit that has begun is
//! finished, and its fence decides whether it counts.

use std::error::Error;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::SemaphorePermit;
use tokio::time::Instant;

use pratique_clockwork::Shutdown;
use pratique_clockwork::lease::Lease;
use pratique_feeds::{Container, Coverage, FeedError, Summary};
use pratique_fetch::{FetchError, Fingerprint, Spooled, UnpackError};
use pratique_model::{Distro, Ecosystem, PartId, Release};
use pratique_store::{
    Applied, Attempt, Channel, CommitOptions, HeldLease, KeptNote, PartState, Staging, StoreError,
};

use super::fetching::Fetched;
use super::parsing::Reading;
use super::{PartOutcome, PartResult, Progress, Shared};
use crate::fingerprint::PartFingerprint;
use crate::hosts::HostPermit;
use crate::metrics::{Phase, RunResult};
use crate::tip::{Look, TipState};
use crate::{PlannedPart, Reason};

/// Why a part could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub(super) enum PartError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Unpack(#[from] UnpackError<FeedError>),
    #[error(transparent)]
    Parse(#[from] FeedError),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The parser panicked. It is a fault of ours, and costs this part only.
    #[error("the parser gave up on what it read: {0}")]
    Panicked(String),
    /// The work was told to end.
    #[error("given up")]
    Cancelled,
}

/// What came of going to see a part.
pub(crate) enum Visit {
    /// It was worked on.
    Done(PartOutcome),
    /// Another process works on it.
    Held {
        /// Which.
        owner: String,
        /// The time to the expiry of its lease.
        remaining: Duration,
    },
    /// Another process has done it meanwhile.
    NotDue(Option<PartState>),
    /// It was not begun, because a stop was asked for.
    Stopped,
    /// It was not begun, because the store cannot be asked.
    Unreachable(StoreError),
}

/// The work on one part under its lease.
pub(super) struct Run<'a> {
    pub(super) shared: &'a Shared,
    pub(super) held: &'a HeldLease,
    pub(super) stop: &'a Shutdown,
    pub(super) outcome: PartOutcome,
}

/// Brings one part up to date under its lease, if `is_due` still says so of its state then.
/// Whatever goes wrong becomes the outcome, and is written down. The permit goes as soon as
/// everything is fetched; when nothing is begun, it stays where it is.
pub(crate) async fn visit(
    shared: &Shared,
    planned: PlannedPart,
    permit: &mut Option<HostPermit>,
    stop: &Shutdown,
    is_due: impl FnOnce(Option<&PartState>) -> bool,
) -> Visit {
    let id = planned.part.id.clone();
    let lease = format!("part/{id}");
    let attempt = shared.keeper.try_hold(&lease, stop, |held| async move {
        let asked = id.clone();
        let state = match shared.desk.ask(move |database| database.part(&asked)).await {
            Ok(state) => state,
            Err(error) => return Visit::Unreachable(error),
        };
        if !is_due(state.as_ref()) {
            return Visit::NotDue(state);
        }
        let outcome = PartOutcome::of(id, PartResult::Cancelled);
        let planned = planned.seen_with(state.as_ref(), shared.clock.now());
        let permit = permit.take();
        let stop = CancelOnDrop(held.shutdown().child());
        let run = Run { shared, held: &held, stop: &stop.0, outcome };
        Visit::Done(run.update(planned, state, permit).await)
    });
    match attempt.await {
        Ok(Attempt::Done(visit)) => visit,
        Ok(Attempt::Held { lease, remaining }) => Visit::Held { owner: lease.owner, remaining },
        Ok(Attempt::Stopped) => Visit::Stopped,
        Err(error) => Visit::Unreachable(error),
    }
}

/// Tells the blocking threads of some work that nobody waits for them any more.
struct CancelOnDrop(Shutdown);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.trigger();
    }
}

/// Waits for leave to read and commit.
async fn turn<'a>(shared: &'a Shared, stop: &Shutdown) -> Result<SemaphorePermit<'a>, PartError> {
    let turn = stop.unless_triggered(shared.turns.acquire()).await.ok_or(PartError::Cancelled)?;
    Ok(turn.expect("nobody closes it"))
}

impl Run<'_> {
    async fn update(
        mut self,
        planned: PlannedPart,
        state: Option<PartState>,
        permit: Option<HostPermit>,
    ) -> PartOutcome {
        let id = planned.part.id.clone();
        (self.shared.progress)(Progress::Started(id.clone()));
        let result = self.try_update(&planned, state, permit).await;
        self.outcome.result = match result {
            Ok(result) => result,
            Err(error) => self.failed(error).await,
        };
        let counted = match &self.outcome.result {
            PartResult::Changed(_) => RunResult::Changed,
            PartResult::Unchanged { .. } | PartResult::Absent => RunResult::Unchanged,
            PartResult::Failed { .. } => RunResult::Failed,
            PartResult::Cancelled => RunResult::Cancelled,
        };
        self.shared.metrics.run(&id, counted);
        self.outcome
    }

    /// Writes a failure down, unless it is that the work was told to end.
    async fn failed(&self, error: PartError) -> PartResult {
        let id = &self.outcome.part;
        if matches!(error, PartError::Store(StoreError::LeaseLost { .. })) {
            self.held.report_lost();
            return PartResult::Cancelled;
        }
        if matches!(error, PartError::Cancelled) {
            return PartResult::Cancelled;
        }
        let text = chain(&error);
        tracing::warn!(part.name = %id, error = text, "part {id}: not updated");
        let (part, written, now) = (id.clone(), text.clone(), self.shared.clock.now());
        let fence = self.held.lease();
        let written = self
            .shared
            .desk
            .ask(move |database| database.record_failure(&part, &written, now, Some(&fence)));
        match written.await {
            Ok(()) => {}
            Err(StoreError::LeaseLost { .. }) => self.held.report_lost(),
            Err(problem) => {
                let problem = chain(&problem);
                tracing::error!(part.name = %id, "part {id}: its failure is not noted: {problem}");
            }
        }
        let retry_after = error.retry_after();
        PartResult::Failed { error: text, is_transient: error.is_transient(), retry_after }
    }

    async fn try_update(
        &mut self,
        planned: &PlannedPart,
        state: Option<PartState>,
        permit: Option<HostPermit>,
    ) -> Result<PartResult, PartError> {
        let generation = state.as_ref().map_or(0, |state| state.generation);
        let must_read = self.shared.config.force || planned.reason != Reason::Old;
        let known = state.and_then(|state| state.fingerprint).filter(|_| !must_read);
        let known = known.map(|text| PartFingerprint::parse(&text)).unwrap_or_default();
        tracing::debug!(part.name = %planned.part.id, "part {}: fetching", planned.part.id);
        let began_at = Instant::now();
        let look = self.look(planned, &known).await?;
        let list = match look {
            Look::Nothing => {
                self.took(Phase::Fetch, began_at);
                return self.unchanged(generation).await;
            }
            Look::Entries(found) => {
                let list = found.state.fingerprint.clone();
                if let Some(documents) = self.entries(planned, &found.ids).await? {
                    self.took(Phase::Fetch, began_at);
                    drop(permit);
                    let fingerprint = known.with_tip(Some(found.state));
                    let staging = Staging::additions(planned.part.id.clone());
                    let input =
                        Input { staging, documents, fingerprint, list: None, is_whole: false };
                    return self.read_in(planned, input, generation, Some(found.newest)).await;
                }
                Some(list)
            }
            Look::Whole(list) => Some(list),
            Look::None => None,
        };
        let fetched = self.fetch(&planned.part, &known).await?;
        self.took(Phase::Fetch, began_at);
        drop(permit);
        match fetched {
            Fetched::Unchanged => self.unchanged(generation).await,
            Fetched::Absent => self.absent().await,
            Fetched::Documents(documents, fingerprint) => {
                let staging = Staging::new(planned.part.id.clone(), None);
                let dated = fingerprint.modified().filter(|_| generation > 0);
                let input = Input { staging, documents, fingerprint, list, is_whole: true };
                self.read_in(planned, input, generation, dated).await
            }
        }
    }

    /// Parses documents and has the result committed. `dated` is when upstream says that it has
    /// changed.
    async fn read_in(
        &mut self,
        planned: &PlannedPart,
        input: Input,
        generation: u64,
        dated: Option<Timestamp>,
    ) -> Result<PartResult, PartError> {
        let part = &planned.part;
        let _turn = turn(self.shared, self.stop).await?;
        (self.shared.progress)(Progress::Parsing(part.id.clone()));
        tracing::debug!(part.name = %part.id, "part {}: reading", part.id);
        let began_at = Instant::now();
        let Input { staging, documents, fingerprint, list, is_whole } = input;
        let (staging, summary) = Reading {
            parser: planned.source.parser(&part.id),
            staging,
            documents,
            limits: self.shared.config.unpack_limits,
            stop: self.stop.clone(),
        }
        .run()
        .await?;
        self.took(Phase::Parse, began_at);
        self.outcome.note_count = staging.note_count();
        self.shared.metrics.quarantined(&part.id, staging.quarantined());
        if is_whole {
            self.shared.metrics.notes(&part.id, staging.note_count());
        }
        let notes = staging.notes().to_vec();
        let options = self.options(planned, fingerprint, list, &summary);
        let applied = self.commit(staging, options).await?;
        if !applied.is_changed() {
            return Ok(PartResult::Unchanged { generation: applied.generation });
        }
        if let Some(dated) = dated.filter(|_| generation > 0) {
            self.shared.metrics.noticed(&part.id, dated, &self.shared.clock);
        }
        tell(&part.id, &applied, &notes);
        Ok(PartResult::Changed(applied))
    }

    fn options(
        &self,
        planned: &PlannedPart,
        mut fingerprint: PartFingerprint,
        list: Option<Fingerprint>,
        summary: &Summary,
    ) -> CommitOptions {
        let now = self.shared.clock.now();
        if let (Some(list), Some(newest)) = (list, summary.as_of) {
            fingerprint = fingerprint.with_tip(Some(TipState::whole(now, newest, list)));
        }
        CommitOptions {
            fingerprint: Some(fingerprint.to_text()),
            parser_version: planned.part.parser_version,
            as_of: summary.as_of.or_else(|| fingerprint.modified()).map(|at| at.min(now)),
            now,
            covers: scopes(&planned.part.covers),
            is_partial: false,
            force: self.shared.config.force,
            fence: Some(self.held.lease()),
        }
    }

    /// Commits, unless the work was told to end before its turn came.
    async fn commit(&self, staging: Staging, options: CommitOptions) -> Result<Applied, PartError> {
        let (stop, part) = (self.stop.clone(), self.outcome.part.clone());
        let began_at = Instant::now();
        let committed = self.shared.desk.ask(move |database| {
            if stop.is_triggered() {
                return Ok(None);
            }
            tracing::debug!(part.name = %part, "part {part}: committing");
            let applied = database.commit(staging, &options)?;
            let generation = applied.generation;
            let counts = match applied.is_changed() {
                true => {
                    // Others look for themselves now and then, so a ring that fails costs delay.
                    let _ = database.ring(Channel::Changes);
                    database.change_counts(&part, generation)?
                }
                false => Vec::new(),
            };
            Ok(Some((applied, counts)))
        });
        let (applied, counts) = committed.await?.ok_or(PartError::Cancelled)?;
        self.took(Phase::Apply, began_at);
        self.shared.metrics.changes(&self.outcome.part, &counts);
        Ok(applied)
    }

    async fn unchanged(&self, generation: u64) -> Result<PartResult, PartError> {
        let (part, now, fence) = self.mark();
        let written = self
            .shared
            .desk
            .ask(move |database| database.touch_unchanged(&part, now, Some(&fence)));
        written.await?;
        Ok(PartResult::Unchanged { generation })
    }

    async fn absent(&self) -> Result<PartResult, PartError> {
        let (part, now, fence) = self.mark();
        let written =
            self.shared.desk.ask(move |database| database.record_absent(&part, now, Some(&fence)));
        written.await?;
        Ok(PartResult::Absent)
    }

    fn mark(&self) -> (PartId, Timestamp, Lease) {
        (self.outcome.part.clone(), self.shared.clock.now(), self.held.lease())
    }

    fn took(&self, phase: Phase, began_at: Instant) {
        self.shared.metrics.phase(&self.outcome.part, phase, began_at.elapsed());
    }
}

/// What is to be parsed, and what is remembered with it.
struct Input {
    staging: Staging,
    documents: Vec<(Container, Spooled)>,
    fingerprint: PartFingerprint,
    /// The list of the newest entries, when this is the whole of a part that has one.
    list: Option<Fingerprint>,
    /// Whether it is the whole of the part, not only what is new.
    is_whole: bool,
}

impl PartError {
    fn is_transient(&self) -> bool {
        match self {
            Self::Fetch(error) => error.is_transient(),
            Self::Store(error) => error.is_transient(),
            Self::Cancelled => true,
            // The feed may be repaired, but not by asking again at once.
            Self::Unpack(_) | Self::Parse(_) | Self::Panicked(_) => false,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Fetch(error) => error.retry_after(),
            _ => None,
        }
    }
}

/// What a part speaks of even if it names no package: a release without advisories is covered all
/// the same. What a distribution's releases are, only the feed's rows tell.
fn scopes(covers: &Coverage) -> Vec<(Ecosystem, Option<Release>)> {
    match covers {
        Coverage::Release(release) => {
            let id = release.distribution().to_owned();
            let distro = Distro { id, ..Distro::default() };
            let ecosystem = distro.ecosystem();
            ecosystem.map(|ecosystem| (ecosystem, Some(release.clone()))).into_iter().collect()
        }
        Coverage::Ecosystem(ecosystem) => vec![(*ecosystem, None)],
        Coverage::Distribution(_) | Coverage::Year(_) | Coverage::AllVulnerabilities => Vec::new(),
    }
}

/// Logs what changed, and the remarks, once for each generation.
fn tell(id: &PartId, applied: &Applied, notes: &[KeptNote]) {
    let Applied { generation, new, changed, withdrawn, quarantined, .. } = *applied;
    tracing::info!(
        part.name = %id,
        part.generation = generation,
        new, changed, withdrawn, quarantined,
        "part {id}: generation {generation}: {new} new, {changed} changed, {withdrawn} withdrawn"
    );
    for KeptNote { note, is_quarantine } in notes {
        let what = if *is_quarantine { "put aside" } else { "remark" };
        tracing::warn!(
            part.name = %id,
            "part {id}: {what}: {:?}: {:?}", note.subject, note.text
        );
    }
}

/// An error with its causes, as one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
