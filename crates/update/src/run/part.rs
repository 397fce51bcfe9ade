//! The way of one part: fetch its documents, parse them, hand the result to the writer.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pratique_feeds::{self as feeds, Coverage, FeedError, Parser, Sink, Source, Summary};
use pratique_fetch::{Container, FetchError, Outcome, Spooled, UnpackError, UnpackLimits};
use pratique_model::{Advisory, Distro, Ecosystem, Enrichment, Note, PartId, Release};
use pratique_store::{Applied, CommitOptions, KeptNote, PartState, Staging, StoreError};

use super::{HostPermit, PartOutcome, PartResult, Progress, Shared};
use crate::fingerprint::{PartFingerprint, Seen};
use crate::{PlannedPart, Reason};

/// Why a part could not be brought up to date.
#[derive(Debug, thiserror::Error)]
enum PartError {
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
    /// The round was given up.
    #[error("given up")]
    Cancelled,
}

/// What fetching a part gave.
enum Fetched {
    /// Every document is what it was.
    Unchanged,
    /// None of the documents is there.
    Absent,
    /// The documents that are there, in the order of the part, and what to remember of all.
    Documents(Vec<(feeds::Container, Spooled)>, PartFingerprint),
}

/// Brings one part up to date. Whatever goes wrong becomes the outcome, and is written down. The
/// permit goes as soon as everything is fetched.
pub(super) async fn update(
    shared: &Shared,
    planned: PlannedPart,
    state: Option<PartState>,
    permit: HostPermit,
) -> PartOutcome {
    let id = planned.part.id.clone();
    (shared.progress)(Progress::Started(id.clone()));
    let mut outcome = PartOutcome {
        part: id.clone(),
        result: PartResult::Absent,
        fetched_bytes: 0,
        note_count: 0,
    };
    outcome.result = match try_update(shared, planned, state, permit, &mut outcome).await {
        Ok(result) => result,
        Err(error) => {
            let text = chain(&error);
            tracing::warn!(part.name = %id, error = text, "part {id}: not updated");
            let written = shared.writer.failure(id.clone(), text.clone()).await;
            if let Err(problem) = written {
                let problem = chain(&problem);
                tracing::error!(part.name = %id, "part {id}: its failure is not noted: {problem}");
            }
            PartResult::Failed { error: text, is_transient: error.is_transient() }
        }
    };
    outcome
}

async fn try_update(
    shared: &Shared,
    planned: PlannedPart,
    state: Option<PartState>,
    permit: HostPermit,
    outcome: &mut PartOutcome,
) -> Result<PartResult, PartError> {
    let PlannedPart { source, part, reason } = planned;
    let now = shared.clock.now();
    let generation = state.as_ref().map_or(0, |state| state.generation);
    let must_read = shared.config.force || reason != Reason::Old;
    let known = state.and_then(|state| state.fingerprint).filter(|_| !must_read);
    let known = known.map(|text| PartFingerprint::parse(&text)).unwrap_or_default();
    let fetched = fetch(shared, &part, &known, outcome).await?;
    drop(permit);
    let (documents, fingerprint) = match fetched {
        Fetched::Unchanged => {
            shared.writer.unchanged(part.id.clone()).await?;
            return Ok(PartResult::Unchanged { generation });
        }
        Fetched::Absent => {
            shared.writer.absent(part.id.clone()).await?;
            return Ok(PartResult::Absent);
        }
        Fetched::Documents(documents, fingerprint) => (documents, fingerprint),
    };
    (shared.progress)(Progress::Parsing(part.id.clone()));
    let (staging, summary) = parse(shared, source, part.id.clone(), documents).await?;
    outcome.note_count = staging.note_count();
    let notes = staging.notes().to_vec();
    let options = CommitOptions {
        fingerprint: Some(fingerprint.to_text()),
        parser_version: part.parser_version,
        as_of: summary.as_of.or_else(|| fingerprint.modified()).map(|at| at.min(now)),
        now,
        covers: scopes(&part.covers),
        is_partial: false,
        force: shared.config.force,
        fence: None,
    };
    let applied = shared.writer.commit(staging, options).await?;
    if !applied.is_changed() {
        return Ok(PartResult::Unchanged { generation: applied.generation });
    }
    tell(&part.id, &applied, &notes);
    Ok(PartResult::Changed(applied))
}

/// Fetches every document, or finds that none has changed. If one has, all are needed, because
/// they are parsed as one.
async fn fetch(
    shared: &Shared,
    part: &feeds::Part,
    known: &PartFingerprint,
    outcome: &mut PartOutcome,
) -> Result<Fetched, PartError> {
    let mut bodies: Vec<Option<Spooled>> = Vec::new();
    let mut fingerprint = PartFingerprint::default();
    let mut is_changed = false;
    for document in &part.documents {
        let seen = known.get(&document.url);
        let known = match seen {
            Some(Seen::Present(fingerprint)) => Some(fingerprint),
            _ => None,
        };
        match shared.client.fetch(&document.url, known).await? {
            Outcome::Unchanged => {
                fingerprint
                    .insert(&document.url, Seen::Present(known.cloned().unwrap_or_default()));
                bodies.push(None);
            }
            Outcome::Absent if document.optional => {
                is_changed |= seen != Some(&Seen::Absent);
                fingerprint.insert(&document.url, Seen::Absent);
                bodies.push(None);
            }
            Outcome::Absent => return Ok(Fetched::Absent),
            Outcome::Body(spooled) => {
                is_changed = true;
                take_in(shared, document, &spooled, &mut fingerprint, outcome);
                bodies.push(Some(spooled));
            }
        }
    }
    if !is_changed {
        return Ok(Fetched::Unchanged);
    }
    let mut documents = Vec::new();
    for (document, body) in part.documents.iter().zip(bodies) {
        if let Some(spooled) = body {
            documents.push((document.container, spooled));
            continue;
        }
        if fingerprint.get(&document.url) == Some(&Seen::Absent) {
            continue;
        }
        match shared.client.fetch(&document.url, None).await? {
            Outcome::Body(spooled) => {
                take_in(shared, document, &spooled, &mut fingerprint, outcome);
                documents.push((document.container, spooled));
            }
            // It went away between the two questions.
            Outcome::Absent | Outcome::Unchanged if document.optional => {
                fingerprint.insert(&document.url, Seen::Absent);
            }
            Outcome::Absent | Outcome::Unchanged => return Ok(Fetched::Absent),
        }
    }
    if documents.is_empty() {
        return Ok(Fetched::Absent);
    }
    Ok(Fetched::Documents(documents, fingerprint))
}

fn take_in(
    shared: &Shared,
    document: &feeds::Document,
    spooled: &Spooled,
    fingerprint: &mut PartFingerprint,
    outcome: &mut PartOutcome,
) {
    fingerprint.insert(&document.url, Seen::Present(spooled.fingerprint().clone()));
    outcome.fetched_bytes += spooled.length();
    (shared.progress)(Progress::Fetched(outcome.part.clone(), spooled.length()));
}

/// Parses on a blocking thread.
async fn parse(
    shared: &Shared,
    source: &'static dyn Source,
    id: PartId,
    documents: Vec<(feeds::Container, Spooled)>,
) -> Result<(Staging, Summary), PartError> {
    let is_cancelled = Arc::clone(&shared.is_cancelled);
    let limits = shared.config.unpack_limits;
    let work = tokio::task::spawn_blocking(move || {
        let parser = source.parser(&id);
        read(parser, Staging::new(id, None), documents, &limits, &is_cancelled)
    });
    match work.await {
        Ok(parsed) => parsed,
        Err(error) if error.is_panic() => {
            let panic = error.into_panic();
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(PartError::Panicked(text.unwrap_or("no reason given").to_owned()))
        }
        Err(_) => Err(PartError::Cancelled),
    }
}

fn read(
    mut parser: Box<dyn Parser>,
    staging: Staging,
    documents: Vec<(feeds::Container, Spooled)>,
    limits: &UnpackLimits,
    is_cancelled: &AtomicBool,
) -> Result<(Staging, Summary), PartError> {
    let mut sink = StagingSink { staging };
    for (container, mut spooled) in documents {
        let unpacked = spooled.unpack(container_of(container), limits, &mut |entry| {
            let path = entry.path().to_owned();
            if is_cancelled.load(Ordering::Relaxed) {
                let problem = "given up".to_owned();
                return Err(FeedError::Form { path, problem });
            }
            if !parser.wants(&path) {
                return Ok(());
            }
            parser.file(&path, entry.content(), &mut sink)
        });
        if is_cancelled.load(Ordering::Relaxed) {
            return Err(PartError::Cancelled);
        }
        unpacked?;
        sink.staging.check()?;
    }
    let summary = parser.finish(&mut sink)?;
    sink.staging.check()?;
    Ok((sink.staging, summary))
}

struct StagingSink {
    staging: Staging,
}

impl Sink for StagingSink {
    fn advisory(&mut self, advisory: Advisory) {
        self.staging.advisory(&advisory);
    }

    fn enrichment(&mut self, enrichment: Enrichment) {
        self.staging.enrichment(&enrichment);
    }

    fn note(&mut self, note: Note) {
        self.staging.note(note);
    }

    fn quarantine(&mut self, note: Note) {
        self.staging.quarantine(note);
    }
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
}

const fn container_of(container: feeds::Container) -> Container {
    match container {
        feeds::Container::Plain => Container::Plain,
        feeds::Container::Gzip => Container::Gzip,
        feeds::Container::Zip => Container::Zip,
        feeds::Container::TarGz => Container::TarGz,
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
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
