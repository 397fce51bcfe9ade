//! What the findings of packages are now, and in what that differs from what is stored.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::RangeInclusive;
use std::rc::Rc;

use pratique_model::{Package, PartId, Suppression};
use pratique_store::{AdvisoryKey, Database, PackageKey, StoreError, StoredFinding, StoredPackage};

use crate::finding::{status, voice_of};
use crate::hit::{self, Outcome, Subject};
use crate::installed::Installed;
use crate::lookup::{self, Statements};
use crate::rating;
use crate::row::{self, Advisories, Row};

use super::focus::Focus;

/// How many hits are joined at once. A kernel package has thousands of some hundred bytes; this
/// bounds them to some ten megabytes.
const HITS_AT_ONCE: usize = 50_000;

/// A finding that is other than it was.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Difference {
    /// The package.
    pub(super) package: StoredPackage,
    /// The CVE id, or the publisher's id where there is no CVE.
    pub(super) vulnerability: String,
    /// As it was; `None` if it was not. Of a finding that had another name (an advisory that was
    /// given its CVE) what stood under that name.
    pub(super) old: Option<StoredFinding>,
    /// As it is; `None` if it is no longer.
    pub(super) new: Option<StoredFinding>,
    /// The other ids of the vulnerability, as far as `new` knows them.
    pub(super) aliases: Vec<String>,
    /// Why the finding is gone, if it is.
    pub(super) end: End,
    /// Whether it rests on a part whose first load is still being read.
    pub(super) is_silent: bool,
}

/// Why a finding is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Nobody says any more that the vulnerability concerns a package of this name.
    Withdrawn,
    /// Somebody does, of other versions.
    OtherVersion,
    /// It stands under another name.
    Renamed,
}

impl Difference {
    /// The finding before, if it was shown.
    pub(super) fn was(&self) -> Option<&StoredFinding> {
        self.old.as_ref().filter(|finding| finding.suppression.is_none())
    }

    /// The finding now, if it is shown.
    pub(super) fn is(&self) -> Option<&StoredFinding> {
        self.new.as_ref().filter(|finding| finding.suppression.is_none())
    }

    /// Why it is not shown now.
    pub(super) fn suppression(&self) -> Option<Suppression> {
        self.new.as_ref().and_then(|finding| finding.suppression)
    }
}

/// Holds packages of one release, all to be matched, against all statements about them, or those
/// in the focus, and tells in what that differs from the stored findings.
pub(super) fn differences(
    database: &Database,
    packages: &[StoredPackage],
    silent: &BTreeSet<PartId>,
    focus: Option<&Focus>,
) -> Result<Vec<Difference>, StoreError> {
    let Some(first) = packages.first() else { return Ok(Vec::new()) };
    let release = first.release.as_ref();
    let inner: Vec<&Package> = packages.iter().map(|package| &package.package).collect();
    let subjects: Vec<Subject<'_>> = inner
        .iter()
        .enumerate()
        .map(|(package_index, package)| Subject {
            package_index,
            installed: Installed::new(package),
        })
        .collect();
    let mut statements = lookup::statements(&subjects, release, |_| true, database)?;
    let mut advisories = Advisories::new();
    let mut cves = None;
    if let Some(focus) = focus {
        let keys = statements.values().flatten().map(|statement| statement.advisory);
        lookup::add_advisories(&mut advisories, keys, database)?;
        let keys: Vec<PackageKey> = packages.iter().map(|package| package.key).collect();
        cves = focus.narrow(database, &keys, &mut statements, &advisories)?;
    }
    let mut comparison = Comparison {
        database,
        statements: &statements,
        silent,
        named: HashMap::new(),
        found: Vec::new(),
    };
    let mut hits = Vec::new();
    let mut first = 0;
    for (index, subject) in subjects.iter().enumerate() {
        lookup::hits_of(subject, release, &statements, &mut hits);
        if hits.len() < HITS_AT_ONCE && index + 1 < subjects.len() {
            continue;
        }
        let keys = hits.iter().map(|hit| hit.statement.advisory);
        lookup::add_advisories(&mut advisories, keys, database)?;
        let mut rows = row::join(std::mem::take(&mut hits), &advisories, release, &inner);
        if let Some(cves) = &cves {
            rows.retain(|row| cves.contains(row.id));
        }
        comparison.compare_all(packages, first..=index, &rows, cves.as_ref())?;
        first = index + 1;
    }
    Ok(comparison.found)
}

/// The stored findings by package, then by vulnerability; only those of `cves`, if given.
fn stored(
    database: &Database,
    packages: &[StoredPackage],
    cves: Option<&BTreeSet<String>>,
) -> Result<HashMap<PackageKey, BTreeMap<String, StoredFinding>>, StoreError> {
    let keys: Vec<PackageKey> = packages.iter().map(|package| package.key).collect();
    let cves: Option<Vec<&str>> = cves.map(|cves| cves.iter().map(String::as_str).collect());
    let mut stored: HashMap<_, BTreeMap<_, _>> = HashMap::new();
    for finding in database.findings_of(&keys, cves.as_deref())? {
        let own = stored.entry(finding.package).or_default();
        own.insert(finding.vulnerability.clone(), finding);
    }
    Ok(stored)
}

struct Comparison<'a> {
    database: &'a Database,
    statements: &'a Statements,
    silent: &'a BTreeSet<PartId>,
    /// What [`Self::named`] has found, by the names of packages.
    named: HashMap<Vec<String>, Rc<BTreeSet<String>>>,
    found: Vec<Difference>,
}

impl Comparison<'_> {
    /// Compares the rows of some packages, in their order, with the stored findings.
    fn compare_all(
        &mut self,
        packages: &[StoredPackage],
        range: RangeInclusive<usize>,
        rows: &[Row<'_>],
        cves: Option<&BTreeSet<String>>,
    ) -> Result<(), StoreError> {
        let mut stored = stored(self.database, &packages[range.clone()], cves)?;
        let mut rows = rows;
        for package_index in range {
            let count = rows.partition_point(|row| row.package_index <= package_index);
            let (own, rest) = rows.split_at(count);
            rows = rest;
            let package = &packages[package_index];
            self.compare(package, own, stored.remove(&package.key).unwrap_or_default())?;
        }
        Ok(())
    }

    /// Compares the rows of one package with its stored findings.
    fn compare(
        &mut self,
        package: &StoredPackage,
        rows: &[Row<'_>],
        mut stored: BTreeMap<String, StoredFinding>,
    ) -> Result<(), StoreError> {
        let mut added = Vec::new();
        for row in rows {
            let mut new = finding(row, package.key);
            match stored.remove(row.id) {
                None => added.push((row, new)),
                Some(old) => {
                    new.notified = old.notified;
                    if old != new {
                        self.found.push(self.changed(package, row, Some(old), new));
                    }
                }
            }
        }
        let mut renamed = BTreeSet::new();
        for (row, mut new) in added {
            let aliases = row.aliases();
            let old = aliases.iter().find_map(|alias| stored.get(alias)).cloned();
            if let Some(old) = &old {
                new.notified = old.notified;
                renamed.insert(old.vulnerability.clone());
            }
            self.found.push(self.changed(package, row, old, new));
        }
        if !stored.is_empty() {
            self.end(package, stored, &renamed)?;
        }
        Ok(())
    }

    fn changed(
        &self,
        package: &StoredPackage,
        row: &Row<'_>,
        old: Option<StoredFinding>,
        new: StoredFinding,
    ) -> Difference {
        let is_silent = row.voices.iter().any(|voice| self.silent.contains(&voice.published.part))
            || old.as_ref().is_some_and(|old| self.silent.contains(&old.part));
        Difference {
            package: package.clone(),
            vulnerability: new.vulnerability.clone(),
            aliases: row.aliases(),
            end: End::Withdrawn,
            is_silent,
            old,
            new: Some(new),
        }
    }

    /// Takes down the findings that are no longer.
    fn end(
        &mut self,
        package: &StoredPackage,
        gone: BTreeMap<String, StoredFinding>,
        renamed: &BTreeSet<String>,
    ) -> Result<(), StoreError> {
        let named = self.named(package)?;
        for (vulnerability, old) in gone {
            let end = if renamed.contains(&vulnerability) {
                End::Renamed
            } else if named.contains(&vulnerability) {
                End::OtherVersion
            } else {
                End::Withdrawn
            };
            self.found.push(Difference {
                package: package.clone(),
                is_silent: self.silent.contains(&old.part),
                old: Some(old),
                new: None,
                aliases: Vec::new(),
                vulnerability,
                end,
            });
        }
        Ok(())
    }

    /// The ids of all advisories that speak of a package's names, whatever of its versions.
    fn named(&mut self, package: &StoredPackage) -> Result<Rc<BTreeSet<String>>, StoreError> {
        let names: Vec<String> = hit::names(&package.package).map(Cow::into_owned).collect();
        if let Some(ids) = self.named.get(&names) {
            return Ok(Rc::clone(ids));
        }
        let release = package.release.as_ref();
        let naming = lookup::naming(&package.package, release, self.statements);
        let keys: BTreeSet<AdvisoryKey> = naming.flatten().map(|stated| stated.advisory).collect();
        let keys: Vec<AdvisoryKey> = keys.into_iter().collect();
        let mut ids = BTreeSet::new();
        for stored in self.database.advisories(&keys)? {
            ids.extend(stored.advisory.vulnerabilities);
            ids.extend(stored.advisory.aliases);
            ids.insert(stored.advisory.id);
        }
        let ids = Rc::new(ids);
        self.named.insert(names, Rc::clone(&ids));
        Ok(ids)
    }
}

/// What is stored of a row.
fn finding(row: &Row<'_>, package: PackageKey) -> StoredFinding {
    let chosen = &row.voices[0];
    let fixed = chosen.hit.outcome.fixed();
    let voices: Vec<_> = row.voices.iter().map(voice_of).collect();
    StoredFinding {
        package,
        vulnerability: row.id.to_owned(),
        part: chosen.published.part.clone(),
        advisory: chosen.published.advisory.id.clone(),
        status: status(chosen.hit.statement.affected.status, fixed.is_some()),
        severity: rating::published(&voices),
        fixed: fixed.map(str::to_owned),
        suppression: row.suppression,
        unparsable: match &chosen.hit.outcome {
            Outcome::Proven(_) => None,
            Outcome::Doubtful(doubt) => Some(doubt.why.clone()),
        },
        notified: None,
    }
}
