//! Decides which parts are looked at, and in which order; does nothing itself.
//!
//! Parts that were never loaded go first, then those that were fresh the longest ago. A part is
//! skipped only because it is fresh enough; one that failed or was absent the last time is tried
//! again. What would surprise: a part whose parser has changed is due however fresh it is, since
//! what is stored is not what the program would read today.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use pratique_feeds::{Coverage, Part, Source};
use pratique_model::{Ecosystem, PartId, Release};
use pratique_store::PartState;

/// Which parts are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// All of them.
    All,
    /// Whole sources and single parts, as `--sources` names them.
    Named(BTreeSet<String>),
    /// What one image needs.
    Needed(Need),
}

/// What an image holds, as far as it decides about feeds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// Its distro release, if its advisories are wanted.
    pub release: Option<Release>,
    /// The ecosystems of its language packages.
    pub ecosystems: BTreeSet<Ecosystem>,
    /// Years of CVEs of which NVD's scores are wanted.
    pub years: BTreeSet<u16>,
}

/// A part that is to be looked at.
#[derive(Clone)]
pub struct PlannedPart {
    /// Its source.
    pub source: &'static dyn Source,
    /// The part.
    pub part: Part,
    /// Why it is looked at.
    pub reason: Reason,
}

/// Why a part is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It was never loaded.
    NeverLoaded,
    /// This program reads it otherwise than the one that loaded it; it is read again even if it
    /// did not change.
    OtherParser,
    /// It holds only a choice of what the publisher says, from a bundled snapshot.
    Partial,
    /// It was fresh longer ago than asked for.
    Old,
}

/// A name that no source or part has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no source or part {name:?}; the nearest is {nearest:?}")]
pub struct SelectionError {
    /// The name as given.
    pub name: String,
    /// The one that differs least.
    pub nearest: String,
}

impl Selection {
    /// Reads the value of `--sources`: names of sources and parts between commas, `debian` or
    /// `alpine/v3.20`. `year` is the present year, for sources with a part a year.
    ///
    /// # Errors
    /// [`SelectionError`] for a name that there is not.
    pub fn parse(
        text: &str,
        sources: &[&'static dyn Source],
        year: u16,
    ) -> Result<Self, SelectionError> {
        let mut known = BTreeSet::new();
        for source in sources {
            known.insert(source.name().to_owned());
            known.extend(source.parts(year).iter().map(|part| part.id.to_string()));
        }
        let mut names = BTreeSet::new();
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            if !known.contains(name) {
                let nearest =
                    known.iter().min_by_key(|known| strsim::levenshtein(known, name)).cloned();
                let nearest = nearest.unwrap_or_default();
                return Err(SelectionError { name: name.to_owned(), nearest });
            }
            names.insert(name.to_owned());
        }
        Ok(Self::Named(names))
    }

    /// Whether any part of a source can be wanted.
    pub(crate) fn names_source(&self, source: &str) -> bool {
        match self {
            Self::Named(names) => names.iter().any(|name| {
                name == source || name.strip_prefix(source).is_some_and(|it| it.starts_with('/'))
            }),
            Self::All | Self::Needed(_) => true,
        }
    }

    /// Whether a part is wanted, as far as its name decides.
    pub(crate) fn names(&self, part: &PartId) -> bool {
        match self {
            Self::Named(names) => {
                names.contains(part.source()) || names.contains(&part.to_string())
            }
            Self::All | Self::Needed(_) => true,
        }
    }

    pub(crate) fn wants(&self, part: &Part) -> bool {
        match self {
            Self::All | Self::Named(_) => self.names(&part.id),
            Self::Needed(need) => need.wants(&part.covers),
        }
    }
}

impl Need {
    /// Whether a part can say something about the image.
    fn wants(&self, covers: &Coverage) -> bool {
        match covers {
            Coverage::Distribution(id) => {
                self.release.as_ref().is_some_and(|release| release.distribution() == *id)
            }
            Coverage::Release(covered) => self.release.as_ref() == Some(covered),
            Coverage::Ecosystem(ecosystem) => self.ecosystems.contains(ecosystem),
            Coverage::Year(year) => self.years.contains(year),
            // Exploitation concerns whatever is found.
            Coverage::AllVulnerabilities => self.release.is_some() || !self.ecosystems.is_empty(),
        }
    }
}

/// The parts of `sources` that `selection` wants and that are not fresh, in the order in which they
/// are to be looked at. `max_age` is how long ago a part may have been found fresh to be skipped;
/// with `None` every wanted part is looked at. `states` is what the store knows.
pub fn plan(
    sources: &[&'static dyn Source],
    selection: &Selection,
    states: &[PartState],
    max_age: Option<SignedDuration>,
    now: Timestamp,
) -> Vec<PlannedPart> {
    let year = u16::try_from(now.to_zoned(jiff::tz::TimeZone::UTC).year()).unwrap_or_default();
    let mut planned = Vec::new();
    for source in sources {
        for part in source.parts(year).into_iter().filter(|part| selection.wants(part)) {
            let state = states.iter().find(|state| state.id == part.id);
            if let Some(reason) = reason(&part, state, max_age, now) {
                let last_success = state.and_then(|state| state.last_success);
                planned.push((last_success, PlannedPart { source: *source, part, reason }));
            }
        }
    }
    // The sort is stable: within one age the sources keep their order.
    planned.sort_by_key(|(last_success, part)| (part.reason != Reason::NeverLoaded, *last_success));
    planned.into_iter().map(|(_, part)| part).collect()
}

/// Why a part is due; `None` when it is fresh.
fn reason(
    part: &Part,
    state: Option<&PartState>,
    max_age: Option<SignedDuration>,
    now: Timestamp,
) -> Option<Reason> {
    let state = match state {
        Some(state) if state.is_loaded() => state,
        // Upstream had nothing, and that is as fresh an answer as any.
        Some(state) if state.is_absent && is_within(state.last_attempt, max_age, now) => {
            return None;
        }
        _ => return Some(Reason::NeverLoaded),
    };
    if state.is_partial {
        return Some(Reason::Partial);
    }
    if state.parser_version != part.parser_version {
        return Some(Reason::OtherParser);
    }
    let is_fresh = is_within(state.last_success, max_age, now);
    (!is_fresh).then_some(Reason::Old)
}

fn is_within(at: Option<Timestamp>, max_age: Option<SignedDuration>, now: Timestamp) -> bool {
    let (Some(at), Some(max_age)) = (at, max_age) else { return false };
    now.duration_since(at) <= max_age
}

impl std::fmt::Debug for PlannedPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlannedPart")
            .field("part", &self.part.id)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

impl PlannedPart {
    /// The same with the reason that a newer state of it gives.
    pub(crate) fn seen_with(self, state: Option<&PartState>, now: Timestamp) -> Self {
        let reason = reason(&self.part, state, None, now).unwrap_or(Reason::Old);
        Self { reason, ..self }
    }

    /// The part's name.
    pub const fn id(&self) -> &PartId {
        &self.part.id
    }
}

#[cfg(test)]
mod tests;
