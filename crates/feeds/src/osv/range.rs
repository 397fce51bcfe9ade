//! What OSV's lists of events mean: from when to when a package is concerned.
//!
//! The evaluation of the OSV schema walks over the events in the order of versions: `introduced`
//! opens, `fixed` and `last_affected` close. The same walk gives the intervals here, so that a
//! matcher needs no event lists. Surprising: one list may open and close many times and need not
//! be sorted, so versions have to be compared; a list that holds a version which the ecosystem
//! cannot order is walked as published. The schema leaves open what comes first at one version:
//! here an interval that is open ends before the next one begins (`fixed: 2`, `introduced: 2`), so
//! that two intervals which touch never cancel each other.

use std::cmp::Ordering;

use pratique_model::Range;
use pratique_version::Scheme;

use super::record::{Event, EventRange};

/// How OSV writes "from the first version on"; RustSec writes the lowest semantic version.
const BEGINNINGS: [&str; 2] = ["0", "0.0.0-0"];

/// What a list of event ranges comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Ranges {
    /// The intervals, in the order of the lists and of versions within one.
    pub(crate) ranges: Vec<Range>,
    /// Whether a list was left out because it speaks of git commits.
    pub(crate) skipped_git: bool,
    /// What was odd, for the operator.
    pub(crate) oddities: Vec<String>,
}

/// One event, in the form in which it is sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Introduced(Option<String>),
    Fixed(String),
    LastAffected(String),
}

/// The intervals that `lists` speak of.
///
/// Lists of type `GIT` are left out: installed packages have no commits. A list without any
/// `introduced` (the schema wants one) speaks from the beginning, said in `oddities`. A `limit`
/// ends the last open interval where nothing else does.
pub(crate) fn intervals(lists: &[EventRange], scheme: Scheme) -> Ranges {
    let mut all = Ranges::default();
    for list in lists {
        if list.kind == "GIT" {
            all.skipped_git = true;
            continue;
        }
        let (mut steps, limits) = steps(&list.events);
        if steps.is_empty() {
            all.oddities.push("a range has no events".to_owned());
            continue;
        }
        if !steps.iter().any(|step| matches!(step, Step::Introduced(_))) {
            all.oddities.push("a range has no `introduced` event".to_owned());
            steps.insert(0, Step::Introduced(None));
        }
        if sort(&mut steps, scheme) {
            close_before_opening(&mut steps, scheme);
        } else {
            all.oddities.push(format!("a range has a version that {scheme} cannot order"));
        }
        all.ranges.extend(limited(walk(steps), &limits, scheme));
    }
    all
}

/// The events, and the limits among them. An empty version says nothing and is left out.
fn steps(events: &[Event]) -> (Vec<Step>, Vec<String>) {
    let mut steps = Vec::with_capacity(events.len());
    let mut limits = Vec::new();
    let named = |text: &Option<String>| {
        text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    for event in events {
        if let Some(version) = named(&event.introduced) {
            let is_beginning = BEGINNINGS.contains(&version.as_str());
            steps.push(Step::Introduced((!is_beginning).then_some(version)));
        }
        steps.extend(named(&event.fixed).map(Step::Fixed));
        steps.extend(named(&event.last_affected).map(Step::LastAffected));
        limits.extend(named(&event.limit).filter(|limit| limit != "*"));
    }
    (steps, limits)
}

/// Sorts by version, stably; leaves the order as it is and says `false` when a version cannot be
/// ordered. Almost all lists are sorted already, so neighbours are looked at first.
fn sort(steps: &mut [Step], scheme: Scheme) -> bool {
    let mut is_orderable = true;
    let mut order = |left: &Step, right: &Step| match (left.version(), right.version()) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
        (Some(left), Some(right)) => scheme.compare(left, right).unwrap_or_else(|_| {
            is_orderable = false;
            Ordering::Equal
        }),
    };
    let is_sorted = steps.windows(2).all(|pair| match pair {
        [left, right] => order(left, right) != Ordering::Greater,
        _ => true,
    });
    if !is_orderable || is_sorted {
        return is_orderable;
    }
    // Keys are made once and before anything moves, so that a version that cannot be ordered
    // leaves the list untouched.
    let Ok(mut keyed) = steps
        .iter()
        .map(|step| Ok((step.version().map(|text| scheme.key(text)).transpose()?, step.clone())))
        .collect::<Result<Vec<_>, pratique_version::VersionError>>()
    else {
        return false;
    };
    keyed.sort_by(|left, right| left.0.cmp(&right.0));
    for (place, (_, step)) in steps.iter_mut().zip(keyed) {
        *place = step;
    }
    true
}

/// Puts the events at one version, of steps in order, into the order that leaves nobody out: an
/// interval that is open ends first, so that the next one can begin there; otherwise one begins
/// before it ends.
fn close_before_opening(steps: &mut [Step], scheme: Scheme) {
    let is_same = |left: &Step, right: &Step| match (left.version(), right.version()) {
        (Some(left), Some(right)) => scheme.compare(left, right) == Ok(Ordering::Equal),
        (left, right) => left == right,
    };
    let opens = |step: &Step| matches!(step, Step::Introduced(_));
    let mut is_open = false;
    for group in steps.chunk_by_mut(is_same) {
        group.sort_by_key(|step| opens(step) == is_open);
        is_open = group.last().is_some_and(opens);
    }
}

/// Opens and closes.
fn walk(steps: Vec<Step>) -> Vec<Range> {
    let mut ranges = Vec::new();
    let mut open: Option<Option<String>> = None;
    for step in steps {
        match step {
            Step::Introduced(version) => {
                open.get_or_insert(version);
            }
            Step::Fixed(version) => {
                if let Some(introduced) = open.take() {
                    ranges.push(Range { introduced, fixed: Some(version), last_affected: None });
                }
            }
            Step::LastAffected(version) => {
                if let Some(introduced) = open.take() {
                    ranges.push(Range { introduced, fixed: None, last_affected: Some(version) });
                }
            }
        }
    }
    if let Some(introduced) = open {
        ranges.push(Range { introduced, fixed: None, last_affected: None });
    }
    ranges
}

/// Cuts what has no end at the highest limit. Limits are meant for git and hardly ever met beside
/// versions; where intervals have an end of their own, that one is taken.
fn limited(mut ranges: Vec<Range>, limits: &[String], scheme: Scheme) -> Vec<Range> {
    let highest = limits.iter().reduce(|high, limit| {
        if scheme.compare(limit, high) == Ok(Ordering::Greater) { limit } else { high }
    });
    if let (Some(limit), Some(last)) = (highest, ranges.last_mut())
        && last.fixed.is_none()
        && last.last_affected.is_none()
    {
        last.fixed = Some(limit.clone());
    }
    ranges
}

impl Step {
    fn version(&self) -> Option<&str> {
        match self {
            Self::Introduced(version) => version.as_deref(),
            Self::Fixed(version) | Self::LastAffected(version) => Some(version),
        }
    }
}

#[cfg(test)]
mod tests;
