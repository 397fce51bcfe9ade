//! Which data an answer rests on, and bringing them up to date for one image.
//!
//! The database that the user names or that lies at the default place; where there is none and
//! none can be fetched, the bundled snapshot, in memory. What went less than well is a warning, not
//! a failure: old data with their age said are better than no answer.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pratique_model::{Assessment, IndexReport, vulnerability_year};
use pratique_store::{Access, Database, Store, StoreError};
use pratique_update::{Need, PlannedPart, RoundConfig, Selection};

use crate::args::DataArguments;
use crate::bundled;
use crate::database;
use crate::exit::Failure;
use crate::interrupt;
use crate::progress::Progress;
use crate::refresh::{self, Refresh};

/// Where data are kept and fetched from, known to be right before anything is opened.
pub(crate) struct Place {
    store: Store,
    is_named: bool,
    /// How to fetch; `None` when nothing may be fetched.
    refresh: Option<Refresh>,
}

impl Place {
    /// Reads the flags.
    pub(crate) fn of(arguments: &DataArguments) -> Result<Self, Failure> {
        let settings = arguments.database.settings()?;
        let refresh = Refresh::new(arguments.mirror.parse(&settings)?);
        Ok(Self {
            store: arguments.database.store_of(&settings)?,
            is_named: arguments.database.named(&settings).is_some(),
            refresh: (!arguments.offline).then_some(refresh),
        })
    }
}

/// The data for one scan.
pub(crate) struct Data {
    database: Option<Database>,
    store: Store,
    /// How to fetch; `None` when nothing may be fetched or written.
    refresh: Option<Refresh>,
    max_age: SignedDuration,
    warnings: Vec<String>,
}

impl Data {
    /// Opens the data and brings what the image needs up to date, unless it is told not to.
    pub(crate) fn for_report(
        report: &IndexReport,
        place: Place,
        max_age: Duration,
        progress: &Arc<Progress>,
        now: Timestamp,
    ) -> Result<Self, Failure> {
        let max_age = SignedDuration::try_from(max_age).unwrap_or(SignedDuration::MAX);
        let Place { store, is_named, refresh } = place;
        let mut data = Self { database: None, store, refresh, max_age, warnings: Vec::new() };
        if data.refresh.is_none() {
            data.open_offline(is_named)?;
            return Ok(data);
        }
        data.open_online(report, progress, now)?;
        if !is_named && !data.covers(report) {
            data.fall_back();
        }
        Ok(data)
    }

    /// The database to ask.
    pub(crate) fn database(&self) -> &Database {
        self.database.as_ref().expect("it is put back after each round of updates")
    }

    /// What went less than well.
    pub(crate) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Fetches the scores of the years whose findings nobody rates; whether there is something new.
    pub(crate) fn fetch_scores(
        &mut self,
        assessment: &Assessment,
        progress: &Arc<Progress>,
        now: Timestamp,
    ) -> Result<bool, Failure> {
        let unrated = assessment.findings.iter().filter(|found| found.severity_source.is_none());
        let years: BTreeSet<u16> =
            unrated.filter_map(|finding| vulnerability_year(&finding.id)).collect();
        if self.refresh.is_none() || years.is_empty() {
            return Ok(false);
        }
        let selection = Selection::Needed(Need { years, ..Need::default() });
        let planned = refresh::plan(self.database(), &selection, Some(self.max_age), now)?;
        let is_due = !planned.is_empty();
        self.update(planned, progress)?;
        Ok(is_due)
    }

    fn open_offline(&mut self, is_named: bool) -> Result<(), Failure> {
        match self.store.open(Access::ReadOnly) {
            Ok(database) => self.database = Some(database),
            Err(StoreError::Missing { .. }) if !is_named => self.fall_back(),
            Err(error) => return Err(database::failure(error, &self.store)),
        }
        Ok(())
    }

    fn open_online(
        &mut self,
        report: &IndexReport,
        progress: &Arc<Progress>,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let database = match self.store.open(Access::ReadOnly) {
            Ok(database) => database,
            Err(StoreError::Missing { .. } | StoreError::Older { .. }) => {
                database::open(&self.store, Access::ReadWrite)?
            }
            Err(error) => return Err(database::failure(error, &self.store)),
        };
        let planned = refresh::plan_for(report, &database, self.max_age, now)?;
        self.database = Some(database);
        self.update(planned, progress)
    }

    /// Does one round, if anything is due; a database that another process writes is used as it is.
    fn update(
        &mut self,
        planned: Vec<PlannedPart>,
        progress: &Arc<Progress>,
    ) -> Result<(), Failure> {
        let Some(refresh) = self.refresh.clone().filter(|_| !planned.is_empty()) else {
            return Ok(());
        };
        if self.database().access() == Access::ReadOnly {
            match self.store.open(Access::ReadWrite) {
                Ok(database) => self.database = Some(database),
                Err(error @ (StoreError::Locked { .. } | StoreError::Open { .. })) => {
                    self.warnings.push(format!("data are used as they are: {error}"));
                    return Ok(());
                }
                Err(error) => return Err(database::failure(error, &self.store)),
            }
        }
        let outcomes = refresh.run(&self.store, planned, RoundConfig::default(), progress)?;
        if interrupt::is_asked() {
            return Err(interrupt::stopped());
        }
        self.warnings.extend(refresh::problems(&outcomes));
        Ok(())
    }

    /// Whether any data at all speak of the image; an image without packages needs none.
    fn covers(&self, report: &IndexReport) -> bool {
        let database = self.database();
        let release = report.distro.as_ref().map(pratique_model::Distro::release);
        let mut ecosystems: Vec<_> = report.packages.iter().map(|p| p.ecosystem).collect();
        ecosystems.dedup();
        ecosystems.is_empty()
            || ecosystems.into_iter().any(|ecosystem| {
                let release = release.as_ref().filter(|_| ecosystem.is_distro());
                database.parts_covering(ecosystem, release).is_ok_and(|parts| !parts.is_empty())
            })
    }

    /// Uses the bundled snapshot and says so, with its age.
    fn fall_back(&mut self) {
        self.refresh = None;
        match bundled::load() {
            Ok(database) => {
                self.warnings.push(format!(
                    "no database yet: this answer rests on the bundled snapshot of {}; \
                     `pratique db update` fetches everything",
                    bundled::date(&database)
                ));
                self.database = Some(database);
            }
            Err(error) => self.warnings.push(format!("the bundled snapshot: {error}")),
        }
    }
}
