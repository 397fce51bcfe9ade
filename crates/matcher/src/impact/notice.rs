//! What there is to tell: one notice for each vulnerability, package name and reason.
//!
//! The reasons compare what an operator was shown with what is shown now, so they need no knowledge
//! of how publishers word their changes. The table is in `docs/matching.md`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use pratique_model::{Ecosystem, PartId, Release};
use pratique_store::{
    ChangeKind, ChangedKey, Database, NewNotification, PackageKey, StoreError, StoredFinding,
    StoredPackage,
};

use super::compare::{Difference, End};
use super::payload;

/// A package as people speak of it: all binary packages of a distribution that are built from one
/// source are one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NameKey {
    pub(super) ecosystem: Ecosystem,
    pub(super) release: Option<Release>,
    pub(super) name: String,
}

/// What is told of one package.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Told {
    reason: ChangeKind,
    old: Option<String>,
    new: Option<String>,
}

/// Notices as they are gathered.
#[derive(Debug, Default)]
pub(super) struct Notices {
    by_key: BTreeMap<(String, NameKey, ChangeKind), Notice>,
}

/// What is told of all packages of one name.
#[derive(Debug, Default)]
pub(super) struct Notice {
    old: BTreeSet<String>,
    new: BTreeSet<String>,
    pub(super) aliases: BTreeSet<String>,
    /// The packages that it is about, each with its finding: as it is now, else as it was.
    pub(super) packages: Vec<(StoredPackage, StoredFinding)>,
}

impl NameKey {
    /// The name of a package: of a distribution its source's, of a language as feeds write it.
    pub(super) fn of(package: &StoredPackage) -> Self {
        let StoredPackage { release, package, .. } = package;
        let name = match package.ecosystem.is_distro() {
            true => package.source_name().to_owned(),
            false => package.lookup_name().into_owned(),
        };
        Self { ecosystem: package.ecosystem, release: release.clone(), name }
    }
}

impl Notices {
    /// Adds what is told of one package.
    fn put(&mut self, vulnerability: &str, about: (&StoredPackage, &StoredFinding), told: Told) {
        let (package, finding) = about;
        let key = (vulnerability.to_owned(), NameKey::of(package), told.reason);
        let notice = self.by_key.entry(key).or_default();
        notice.old.extend(told.old);
        notice.new.extend(told.new);
        notice.packages.push((package.clone(), finding.clone()));
    }

    /// Adds other notices.
    pub(super) fn add(&mut self, others: Self) {
        self.by_key.extend(others.by_key);
    }

    /// The notices with how far they reach, as they are written; those are left out whose packages
    /// no image holds any more.
    pub(super) fn finish(self, database: &Database) -> Result<Vec<NewNotification>, StoreError> {
        let ids: BTreeSet<&str> = self.by_key.keys().map(|(id, ..)| &**id).collect();
        let ids: Vec<&str> = ids.into_iter().collect();
        let facts = database.facts(&ids)?;
        let mut written = Vec::new();
        for ((vulnerability, key, reason), notice) in &self.by_key {
            let packages: Vec<PackageKey> =
                notice.packages.iter().map(|(package, _)| package.key).collect();
            let reach = database.reach(&packages)?;
            if reach.image_count == 0 {
                continue;
            }
            let payload = payload::text(vulnerability, key, notice, facts.get(vulnerability));
            written.push(NewNotification {
                vulnerability: vulnerability.clone(),
                ecosystem: key.ecosystem,
                release: key.release.clone(),
                package: key.name.clone(),
                reason: *reason,
                old: joined(&notice.old),
                new: joined(&notice.new),
                image_count: reach.image_count,
                payload,
            });
        }
        Ok(written)
    }
}

/// What differences tell. Those that are told of are marked with the generation of their part.
pub(super) fn of_differences(
    database: &Database,
    differences: &mut [Difference],
    generations: &BTreeMap<&PartId, u64>,
) -> Result<Notices, StoreError> {
    let known = known(database, differences)?;
    let mut notices = Notices::default();
    for difference in differences.iter_mut().filter(|difference| !difference.is_silent) {
        let is_known = || {
            let key = (difference.vulnerability.clone(), NameKey::of(&difference.package));
            known.contains(&key)
        };
        let told = told(difference, is_known);
        let Some(finding) = difference.new.as_ref().or(difference.old.as_ref()) else { continue };
        let is_told = !told.is_empty();
        for told in told {
            let about = (&difference.package, finding);
            notices.put(&difference.vulnerability, about, told);
        }
        if let Some(finding) = difference.new.as_mut().filter(|_| is_told) {
            finding.notified = generations.get(&finding.part).copied();
        }
    }
    let aliases = differences.iter().filter(|difference| !difference.aliases.is_empty());
    let aliases: HashMap<(&str, PackageKey), &[String]> =
        aliases.map(|one| ((&*one.vulnerability, one.package.key), &*one.aliases)).collect();
    for ((vulnerability, ..), notice) in &mut notices.by_key {
        for (package, _) in &notice.packages {
            let own = aliases.get(&(&**vulnerability, package.key)).copied().unwrap_or_default();
            notice.aliases.extend(own.iter().cloned());
        }
    }
    Ok(notices)
}

/// What changes of facts tell: of every package with a shown finding about the CVE.
pub(super) fn of_facts(database: &Database, keys: &[ChangedKey]) -> Result<Notices, StoreError> {
    let mut notices = Notices::default();
    let told: Vec<(&str, Told)> = keys
        .iter()
        .filter(|key| matches!(key.kind, ChangeKind::KnownExploited | ChangeKind::EpssCrossed))
        .flat_map(|key| key.vulnerabilities.iter().map(move |id| (&**id, key)))
        .map(|(id, key)| {
            let (old, new) = (key.old.clone(), key.new.clone());
            (id, Told { reason: key.kind, old, new })
        })
        .collect();
    let ids: BTreeSet<&str> = told.iter().map(|(id, _)| *id).collect();
    let (findings, packages) = shown(database, ids)?;
    for (id, told) in told {
        for finding in findings.iter().filter(|finding| finding.vulnerability == id) {
            if let Some(package) = packages.get(&finding.package) {
                notices.put(id, (package, finding), told.clone());
            }
        }
    }
    Ok(notices)
}

/// Which vulnerabilities that appear somewhere were shown of a package of that name before.
fn known(
    database: &Database,
    differences: &[Difference],
) -> Result<BTreeSet<(String, NameKey)>, StoreError> {
    let appeared = differences.iter().filter(|one| one.was().is_none() && one.is().is_some());
    let ids: BTreeSet<&str> = appeared.map(|one| &*one.vulnerability).collect();
    let (findings, packages) = shown(database, ids)?;
    let key = |finding: StoredFinding| {
        let package = packages.get(&finding.package)?;
        Some((finding.vulnerability, NameKey::of(package)))
    };
    Ok(findings.into_iter().filter_map(key).collect())
}

/// The stored findings about vulnerabilities that are shown, with their packages.
fn shown(
    database: &Database,
    ids: BTreeSet<&str>,
) -> Result<(Vec<StoredFinding>, HashMap<PackageKey, StoredPackage>), StoreError> {
    if ids.is_empty() {
        return Ok((Vec::new(), HashMap::new()));
    }
    let ids: Vec<&str> = ids.into_iter().collect();
    let mut findings = database.findings_about(&ids)?;
    findings.retain(|finding| finding.suppression.is_none());
    let keys: BTreeSet<PackageKey> = findings.iter().map(|finding| finding.package).collect();
    let keys: Vec<PackageKey> = keys.into_iter().collect();
    let packages = database.packages(&keys)?;
    Ok((findings, packages.into_iter().map(|package| (package.key, package)).collect()))
}

/// What one difference tells. `is_known` says whether the vulnerability was shown of another
/// version of the package before.
fn told(difference: &Difference, is_known: impl Fn() -> bool) -> Vec<Told> {
    let word = |finding: &StoredFinding| Some(finding.status.as_str().to_owned());
    let one = |reason, old, new| vec![Told { reason, old, new }];
    match (difference.was(), difference.is()) {
        (None, None) => Vec::new(),
        (None, Some(now)) => {
            let before = difference.old.as_ref().and_then(|old| old.suppression);
            let reason = match before {
                None if is_known() => ChangeKind::RangeChanged,
                _ => ChangeKind::New,
            };
            one(reason, before.map(|reason| reason.as_str().to_owned()), word(now))
        }
        (Some(before), None) => match (difference.suppression(), difference.end) {
            (Some(reason), _) => {
                one(ChangeKind::NotAffected, word(before), Some(reason.as_str().to_owned()))
            }
            (None, End::Renamed) => Vec::new(),
            (None, End::OtherVersion) => one(ChangeKind::RangeChanged, word(before), None),
            (None, End::Withdrawn) => one(ChangeKind::Withdrawn, word(before), None),
        },
        (Some(before), Some(now)) => changed(before, now),
    }
}

/// What is told of a finding that was shown and still is.
fn changed(before: &StoredFinding, now: &StoredFinding) -> Vec<Told> {
    let mut told = Vec::new();
    if before.fixed != now.fixed {
        let reason = match before.fixed {
            None => ChangeKind::FixAvailable,
            Some(_) => ChangeKind::FixChanged,
        };
        told.push(Told { reason, old: before.fixed.clone(), new: now.fixed.clone() });
    }
    let severity = |finding: &StoredFinding| finding.severity.unwrap_or_default();
    let (old, new) = (severity(before), severity(now));
    if old != new {
        let reason =
            if new > old { ChangeKind::SeverityRaised } else { ChangeKind::SeverityLowered };
        let word = |severity: pratique_model::Severity| Some(severity.as_str().to_owned());
        told.push(Told { reason, old: word(old), new: word(new) });
    }
    told
}

fn joined(values: &BTreeSet<String>) -> Option<String> {
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    (!values.is_empty()).then(|| values.join(", "))
}
