//! One round of updates, driven from a command: the client, the runtime, the progress line.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use pratique_clockwork::Clock;
use pratique_fetch::{Client, Mirror};
use pratique_model::{Ecosystem, IndexReport, Release};
use pratique_store::{Database, Store};
use pratique_update::{
    Need, PartOutcome, PartResult, PlannedPart, Progress as Step, Round, RoundConfig, Selection,
};

use crate::args::MirrorArguments;
use crate::exit::{Exit, Failure};
use crate::interrupt;
use crate::progress::Progress;
use crate::settings::Settings;

/// Where feeds come from.
#[derive(Clone, Debug)]
pub(crate) struct Refresh {
    mirror: Option<Mirror>,
    spool_folder: PathBuf,
}

impl Refresh {
    /// Bodies are spooled to the machine's temporary folder.
    pub(crate) fn new(mirror: Option<Mirror>) -> Self {
        Self { mirror, spool_folder: std::env::temp_dir() }
    }

    /// Brings the planned parts up to date. When Ctrl-C ends it, what was not done is given up.
    pub(crate) fn run(
        &self,
        store: &Store,
        planned: Vec<PlannedPart>,
        config: RoundConfig,
        progress: &Arc<Progress>,
    ) -> Result<Vec<PartOutcome>, Failure> {
        let failed = |error: anyhow::Error| Failure::new(Exit::Failed, error);
        let mut client = pratique_fetch::Config::new(&self.spool_folder);
        client.mirror.clone_from(&self.mirror);
        let client = Client::try_new(client, Clock::system()).map_err(|e| failed(e.into()))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|e| failed(anyhow::Error::from(e).context("starting the runtime")))?;
        let shown = Arc::clone(progress);
        let count = planned.len();
        // So that Ctrl-C gives the leases back; else the next process waits until they expire.
        let hold = interrupt::hold();
        let round = Round::new(config, client, Clock::system())
            .with_shutdown(hold.stop())
            .with_progress(move |step| shown.show(&words(&step, count)));
        let outcome = runtime.block_on(round.run(store, planned));
        progress.clear();
        outcome.map_err(|error| failed(error.into()))
    }
}

impl MirrorArguments {
    /// The mirror that a flag, the environment or the file names, if one does.
    pub(crate) fn parse(&self, settings: &Settings) -> Result<Option<Mirror>, Failure> {
        let named = self.mirror.as_deref().or(settings.updater.mirror.as_deref());
        named.map(Mirror::parse).transpose().map_err(|error| Failure::new(Exit::Usage, error))
    }
}

/// The sources and parts of these names; all without any.
pub(crate) fn selection(names: &[String]) -> Result<Selection, Failure> {
    if names.is_empty() {
        return Ok(Selection::All);
    }
    let year = year(Clock::system().now());
    Selection::parse(&names.join(","), pratique_feeds::sources(), year)
        .map_err(|error| Failure::new(Exit::Usage, error))
}

/// The parts of which an image's answer is made, that are older than `max_age`.
pub(crate) fn plan_for(
    report: &IndexReport,
    database: &Database,
    max_age: SignedDuration,
    now: Timestamp,
) -> Result<Vec<PlannedPart>, Failure> {
    let ecosystems: BTreeSet<Ecosystem> = report
        .packages
        .iter()
        .map(|package| package.ecosystem)
        .filter(|ecosystem| !ecosystem.is_distro())
        .collect();
    let has_distro_packages = report.packages.iter().any(|p| p.ecosystem.is_distro());
    let mut releases: Vec<Option<Release>> = Vec::new();
    if let Some(distro) = report.distro.as_ref().filter(|_| has_distro_packages) {
        releases.push(Some(distro.release()));
        // Chainguard's images are made of Wolfi's packages too.
        if distro.id == "chainguard" {
            releases.push(Some(Release::new("wolfi", "")));
        }
    }
    if releases.is_empty() {
        releases.push(None);
    }
    let mut planned: Vec<PlannedPart> = Vec::new();
    for release in releases {
        let need = Need { release, ecosystems: ecosystems.clone(), ..Need::default() };
        for part in plan(database, &Selection::Needed(need), Some(max_age), now)? {
            if planned.iter().all(|other| other.id() != part.id()) {
                planned.push(part);
            }
        }
    }
    Ok(planned)
}

/// The parts that a selection wants and that are older than `max_age`.
pub(crate) fn plan(
    database: &Database,
    selection: &Selection,
    max_age: Option<SignedDuration>,
    now: Timestamp,
) -> Result<Vec<PlannedPart>, Failure> {
    let states = database.parts().map_err(|error| Failure::new(Exit::Failed, error))?;
    Ok(pratique_update::plan(pratique_feeds::sources(), selection, &states, max_age, now))
}

/// The present year, for sources with a part a year.
pub(crate) fn year(now: Timestamp) -> u16 {
    u16::try_from(now.to_zoned(TimeZone::UTC).year()).unwrap_or_default()
}

/// One line for each part that could not be brought up to date.
pub(crate) fn problems(outcomes: &[PartOutcome]) -> impl Iterator<Item = String> {
    outcomes.iter().filter_map(|outcome| match &outcome.result {
        PartResult::Failed { error, .. } => Some(format!("{}: {error}", outcome.part)),
        PartResult::Cancelled => Some(format!("{}: given up", outcome.part)),
        _ => None,
    })
}

fn words(step: &Step, count: usize) -> String {
    match step {
        Step::Started(part) => format!("{part}: fetching ({count} parts in all)"),
        Step::Elsewhere(part, owner) => format!("{part}: waiting for {owner}"),
        Step::Fetched(part, bytes) => format!("{part}: {} KiB", bytes / 1024),
        Step::Parsing(part) => format!("{part}: reading"),
        Step::Done(outcome) => format!("{}: done", outcome.part),
    }
}
