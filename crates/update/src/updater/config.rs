//! The settings of the updater, `[updater]` of the configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use pratique_feeds::{EVERY_MINUTE, Source};
use pratique_model::PartId;
use pratique_store::PartState;

use super::Watched;
use crate::fingerprint::PartFingerprint;
use crate::{RoundConfig, Selection};

/// How old data may be before they are called stale. From the design (updater, *Demand-driven
/// mode*).
const MAX_AGE: SignedDuration = SignedDuration::from_hours(6);

/// The shortest interval but zero: publishers are asked politely, whoever writes the settings.
const INTERVAL_MIN: Duration = Duration::from_secs(1);

/// What the updater looks at, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How often every part is looked at; `None`: as its source says. Zero switches everything off
    /// that [`Self::intervals`] does not name.
    pub interval: Option<Duration>,
    /// How often the parts of a source are looked at, by the source's name; zero switches it off.
    pub intervals: BTreeMap<String, Duration>,
    /// The sources and parts to be looked at; others are switched off.
    pub selection: Selection,
    /// How old data may be before they are called stale.
    pub max_age: SignedDuration,
    /// How each part is gone about.
    pub round: RoundConfig,
}

/// Settings that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// An interval that is too short to be meant.
    #[error("interval {interval:?}: shorter than a second; 0 switches a source off")]
    Interval {
        /// The interval.
        interval: Duration,
    },
    /// A name that no source has.
    #[error("no source {name:?}")]
    Source {
        /// The name.
        name: String,
    },
}

impl Default for Config {
    fn default() -> Self {
        Self {
            interval: None,
            intervals: BTreeMap::new(),
            selection: Selection::All,
            max_age: MAX_AGE,
            round: RoundConfig::default(),
        }
    }
}

impl Config {
    /// Looks for what cannot be meant.
    ///
    /// # Errors
    /// [`ConfigError`] for the first of it.
    pub fn check(&self, sources: &[&'static dyn Source]) -> Result<(), ConfigError> {
        let intervals = self.interval.iter().chain(self.intervals.values());
        for interval in intervals.filter(|interval| !interval.is_zero()) {
            if *interval < INTERVAL_MIN {
                return Err(ConfigError::Interval { interval: *interval });
            }
        }
        let unknown = |name: &&String| sources.iter().all(|source| source.name() != *name);
        match self.intervals.keys().find(unknown) {
            Some(name) => Err(ConfigError::Source { name: name.clone() }),
            None => Ok(()),
        }
    }

    /// Whether a part is looked at: it is chosen, and its source is not switched off.
    pub fn looks_at(&self, part: &PartId) -> bool {
        let interval = self.set_interval(part.source());
        self.selection.names(part) && !interval.is_some_and(|interval| interval.is_zero())
    }

    /// The sources of which nothing is looked at.
    pub(super) fn disabled(&self, sources: &[&'static dyn Source]) -> Vec<&'static str> {
        let is_off = |source: &&&'static dyn Source| {
            self.set_interval(source.name()).is_some_and(|interval| interval.is_zero())
                || !self.selection.names_source(source.name())
        };
        sources.iter().filter(is_off).map(|source| source.name()).collect()
    }

    /// The parts that may be looked at today.
    pub(super) fn watched(
        &self,
        sources: &'static [&'static dyn Source],
        now: Timestamp,
    ) -> Vec<Watched> {
        let mut watched = Vec::new();
        let mut seen = BTreeSet::new();
        for source in sources {
            for part in source.parts(year(now)) {
                if self.selection.wants(&part) && seen.insert(part.id.clone()) {
                    watched.push(Watched { source: *source, part });
                }
            }
        }
        watched
    }

    /// How often a part is looked at. A part whose list of new entries is known is looked at every
    /// minute, or as often as the settings say if that is more often.
    pub(super) fn interval(
        &self,
        source: &dyn Source,
        part: &PartId,
        year: u16,
        state: Option<&PartState>,
    ) -> Duration {
        let own = source.interval(part, year);
        let has_list = || {
            let fingerprint = state.and_then(|state| state.fingerprint.as_deref());
            fingerprint.is_some_and(|text| PartFingerprint::parse(text).tip().is_some())
        };
        match self.set_interval(source.name()) {
            Some(interval) => interval,
            None if own > EVERY_MINUTE && has_list() => EVERY_MINUTE,
            None => own,
        }
    }

    fn set_interval(&self, source: &str) -> Option<Duration> {
        self.intervals.get(source).copied().or(self.interval)
    }
}

/// The year of a time, UTC.
pub(super) fn year(now: Timestamp) -> u16 {
    u16::try_from(now.to_zoned(jiff::tz::TimeZone::UTC).year()).unwrap_or_default()
}
