//! What differs between two generations, in typed words.
//!
//! Computed from the old and the new content, not from hashes, so that a feed that only reorders or
//! rewrites its entries changes nothing. A withdrawn advisory counts as one that names no package.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use pratique_model::{Advisory, Affected, Ecosystem, PartId, Release, Severity, Status};

use crate::{StoreError, encoding};

/// The probabilities of exploitation (EPSS) that are told when a score reaches them. At a tenth,
/// a CVE belongs to the few that are worth hurrying for (a twentieth of all scored); at a half, it
/// is likelier than not. Documented in `docs/sources.md`.
pub(crate) const EPSS_THRESHOLDS: [f64; 2] = [0.1, 0.5];

/// One difference between two generations of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The part.
    pub part: PartId,
    /// The generation that brought it.
    pub generation: u64,
    /// When it was committed.
    pub at: Timestamp,
    /// What kind of difference.
    pub kind: ChangeKind,
    /// The advisory's id; `None` for a fact about a CVE and for [`ChangeKind::Baseline`].
    pub advisory: Option<String>,
    /// The CVE, where only one of the advisory's is meant.
    pub vulnerability: Option<String>,
    /// The package with its ecosystem and release; `None`: all packages of the advisory.
    pub package: Option<(Ecosystem, Option<Release>, String)>,
    /// The value before, in the words of the kind.
    pub old: Option<String>,
    /// The value now.
    pub new: Option<String>,
}

/// What kind of difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeKind {
    /// The first load of a part; `new` is its number of entries. Never notified.
    Baseline,
    /// The publisher now calls a package vulnerable.
    New,
    /// The statement is gone.
    Withdrawn,
    /// The publisher now says that a package is not vulnerable.
    NotAffected,
    /// The publisher's word changed otherwise; values are statuses with their remarks.
    StatusChanged,
    /// A severity went up.
    SeverityRaised,
    /// A severity went down.
    SeverityLowered,
    /// There is a fixed version now.
    FixAvailable,
    /// The fixed version is another one, or is gone.
    FixChanged,
    /// Other versions are concerned.
    RangeChanged,
    /// A CVE is known to be exploited now.
    KnownExploited,
    /// The probability that a CVE is exploited has reached one of 0.1 or 0.5.
    EpssCrossed,
    /// Only texts differ. Never notified.
    Text,
}

impl ChangeKind {
    /// All kinds, in the order of their declaration.
    pub const ALL: [Self; 13] = [
        Self::Baseline,
        Self::New,
        Self::Withdrawn,
        Self::NotAffected,
        Self::StatusChanged,
        Self::SeverityRaised,
        Self::SeverityLowered,
        Self::FixAvailable,
        Self::FixChanged,
        Self::RangeChanged,
        Self::KnownExploited,
        Self::EpssCrossed,
        Self::Text,
    ];

    /// The text form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::New => "new",
            Self::Withdrawn => "withdrawn",
            Self::NotAffected => "not_affected",
            Self::StatusChanged => "status_changed",
            Self::SeverityRaised => "severity_raised",
            Self::SeverityLowered => "severity_lowered",
            Self::FixAvailable => "fix_available",
            Self::FixChanged => "fix_changed",
            Self::RangeChanged => "range_changed",
            Self::KnownExploited => "known_exploited",
            Self::EpssCrossed => "epss_crossed",
            Self::Text => "text",
        }
    }

    /// The kind of a number in rows.
    pub(crate) fn from_code(code: i64) -> Result<Self, StoreError> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.code() == code)
            .ok_or_else(|| StoreError::damaged(format!("kind of change {code}")))
    }

    /// The number in rows; never changes its meaning.
    pub(crate) const fn code(self) -> i64 {
        match self {
            Self::Baseline => 0,
            Self::New => 1,
            Self::Withdrawn => 2,
            Self::NotAffected => 3,
            Self::StatusChanged => 4,
            Self::SeverityRaised => 5,
            Self::SeverityLowered => 6,
            Self::FixAvailable => 7,
            Self::FixChanged => 8,
            Self::RangeChanged => 9,
            Self::KnownExploited => 10,
            Self::Text => 11,
            Self::EpssCrossed => 12,
        }
    }
}

/// A difference within one advisory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) kind: ChangeKind,
    pub(crate) vulnerability: Option<String>,
    pub(crate) package: Option<(Ecosystem, Option<Release>, String)>,
    pub(crate) old: Option<String>,
    pub(crate) new: Option<String>,
}

type PackageKey = (Ecosystem, Option<Release>, String);

/// What differs between two versions of one advisory, packages in order.
pub(crate) fn differences(old: &Advisory, new: &Advisory) -> Vec<Difference> {
    let before = by_package(old);
    let after = by_package(new);
    let mut found = Vec::new();
    for (key, rows) in &before {
        match after.get(key) {
            None => found.push(of_package(ChangeKind::Withdrawn, key, Some(words(rows)), None)),
            Some(now) => compare_package(key, (old, rows), (new, now), &mut found),
        }
    }
    for (key, rows) in after.iter().filter(|(key, _)| !before.contains_key(*key)) {
        let kind = if is_affecting(rows) { ChangeKind::New } else { ChangeKind::NotAffected };
        found.push(of_package(kind, key, None, Some(words(rows))));
    }
    // Also of one that names no package any more: which findings it gave, only this tells.
    if !before.is_empty() {
        compare_vulnerabilities(old, new, &mut found);
    }
    if found.is_empty() && has_other_words(old, new) {
        found.push(Difference {
            kind: ChangeKind::Text,
            vulnerability: None,
            package: None,
            old: None,
            new: None,
        });
    }
    found
}

fn by_package(advisory: &Advisory) -> BTreeMap<PackageKey, Vec<&Affected>> {
    let mut packages: BTreeMap<PackageKey, Vec<&Affected>> = BTreeMap::new();
    if advisory.withdrawn.is_some() {
        return packages;
    }
    for affected in &advisory.affected {
        let key = (affected.ecosystem, affected.release.clone(), affected.package.clone());
        packages.entry(key).or_default().push(affected);
    }
    packages
}

fn compare_package(
    key: &PackageKey,
    (old, before): (&Advisory, &[&Affected]),
    (new, after): (&Advisory, &[&Affected]),
    found: &mut Vec<Difference>,
) {
    match (is_affecting(before), is_affecting(after)) {
        (true, false) => {
            let kind = ChangeKind::NotAffected;
            return found.push(of_package(kind, key, Some(words(before)), Some(words(after))));
        }
        (false, true) => {
            let kind = ChangeKind::New;
            return found.push(of_package(kind, key, Some(words(before)), Some(words(after))));
        }
        _ => {}
    }
    let (fixed_before, fixed_after) = (fixes(before), fixes(after));
    if fixed_before != fixed_after {
        let kind =
            if fixed_before.is_none() { ChangeKind::FixAvailable } else { ChangeKind::FixChanged };
        found.push(of_package(kind, key, fixed_before, fixed_after));
    } else if limits(before) != limits(after) {
        let (old, new) = (limits_text(before), limits_text(after));
        found.push(of_package(ChangeKind::RangeChanged, key, Some(old), Some(new)));
    } else if words(before) != words(after) {
        let kind = ChangeKind::StatusChanged;
        found.push(of_package(kind, key, Some(words(before)), Some(words(after))));
    }
    let (severity_before, severity_after) = (severity(old, before), severity(new, after));
    if severity_before != severity_after {
        let kind = if severity_after > severity_before {
            ChangeKind::SeverityRaised
        } else {
            ChangeKind::SeverityLowered
        };
        let word = |severity: Severity| Some(severity.as_str().to_owned());
        found.push(of_package(kind, key, word(severity_before), word(severity_after)));
    }
}

fn compare_vulnerabilities(old: &Advisory, new: &Advisory, found: &mut Vec<Difference>) {
    let before: BTreeSet<&String> = old.vulnerabilities.iter().collect();
    let after: BTreeSet<&String> = new.vulnerabilities.iter().collect();
    let of_vulnerability = |kind, id: &&String| Difference {
        kind,
        vulnerability: Some((*id).clone()),
        package: None,
        old: None,
        new: None,
    };
    let gone = before.difference(&after);
    found.extend(gone.map(|id| of_vulnerability(ChangeKind::Withdrawn, id)));
    let added = after.difference(&before);
    found.extend(added.map(|id| of_vulnerability(ChangeKind::New, id)));
}

/// Whether anything differs that no other kind names.
fn has_other_words(old: &Advisory, new: &Advisory) -> bool {
    let texts = |advisory: &Advisory| {
        (
            advisory.aliases.clone(),
            advisory.url.clone(),
            advisory.summary.clone(),
            advisory.published,
            advisory.modified,
            advisory.withdrawn,
            advisory.informational.clone(),
            advisory.vulnerabilities.clone(),
        )
    };
    texts(old) != texts(new) || old.cvss != new.cvss
}

/// Whether some row calls the package vulnerable; `undetermined` does not, as in the report.
fn is_affecting(rows: &[&Affected]) -> bool {
    rows.iter().any(|row| !matches!(row.status, Status::NotAffected | Status::Undetermined))
}

/// The statuses with their remarks, sorted.
fn words(rows: &[&Affected]) -> String {
    let words: BTreeSet<String> = rows
        .iter()
        .map(|row| match &row.remark {
            Some(remark) => format!("{} ({remark})", row.status),
            None => row.status.to_string(),
        })
        .collect();
    words.into_iter().collect::<Vec<_>>().join(", ")
}

/// The fixed versions, sorted; `None` when there is none.
fn fixes(rows: &[&Affected]) -> Option<String> {
    let fixes: BTreeSet<&str> = rows
        .iter()
        .flat_map(|row| row.ranges.iter().filter_map(|range| range.fixed.as_deref()))
        .collect();
    (!fixes.is_empty()).then(|| fixes.into_iter().collect::<Vec<_>>().join(", "))
}

/// All that limits which installed packages are meant.
fn limits(rows: &[&Affected]) -> BTreeSet<Vec<Option<String>>> {
    rows.iter()
        .map(|row| {
            let mut versions = row.versions.clone();
            versions.sort();
            vec![
                encoding::ranges_text(&row.ranges),
                encoding::list(&versions),
                row.module.clone(),
                encoding::list(&row.arches),
                encoding::list(&row.platforms),
                Some(encoding::name_kind_code(row.name_kind).to_string()),
            ]
        })
        .collect()
}

/// The ranges as text; what else limits is shown only by being different.
fn limits_text(rows: &[&Affected]) -> String {
    let ranges: BTreeSet<String> = rows
        .iter()
        .map(|row| match encoding::ranges_text(&row.ranges) {
            Some(ranges) => ranges,
            None if row.versions.is_empty() => "*".to_owned(),
            None => format!("{} listed versions", row.versions.len()),
        })
        .collect();
    ranges.into_iter().collect::<Vec<_>>().join("|")
}

/// The worst severity of the rows, else the advisory's, else the rating of its worst score.
fn severity(advisory: &Advisory, rows: &[&Affected]) -> Severity {
    let score = || advisory.cvss.iter().map(|cvss| cvss.score).reduce(f64::max);
    rows.iter()
        .filter_map(|row| row.severity)
        .max()
        .or(advisory.severity)
        .or_else(|| score().map(Severity::from_score))
        .unwrap_or_default()
}

/// What differs when an advisory that was gone is there again: all of it is new, and what it was
/// about before and is not now stays withdrawn. That is said once more, because the withdrawal of
/// the whole no longer knows which packages and vulnerabilities it meant.
pub(crate) fn returned(old: &Advisory, gone: &[PackageKey], new: &Advisory) -> Vec<Difference> {
    let after = by_package(new);
    let mut found = vec![whole(ChangeKind::New)];
    let left = gone.iter().filter(|key| !after.contains_key(*key));
    found.extend(left.map(|key| of_package(ChangeKind::Withdrawn, key, None, None)));
    compare_vulnerabilities(old, new, &mut found);
    found
}

/// A difference of all of an advisory.
pub(crate) fn whole(kind: ChangeKind) -> Difference {
    Difference { kind, vulnerability: None, package: None, old: None, new: None }
}

fn of_package(
    kind: ChangeKind,
    key: &PackageKey,
    old: Option<String>,
    new: Option<String>,
) -> Difference {
    Difference { kind, vulnerability: None, package: Some(key.clone()), old, new }
}

#[cfg(test)]
mod tests;
