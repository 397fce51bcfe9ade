//! The matcher's other half: what a change of advisories means for what is registered.
//!
//! Work is done in steps. A step is one transaction: it reads what changed, looks up the packages
//! concerned, holds them against statements exactly as [`crate::assess()`] does, and writes the
//! findings that differ together with what there is to tell about them and how far it read. So a
//! crash leaves the state before a step or the one after it, and steps that are done again find
//! nothing that differs.
//!
//! What would surprise: notifications come from comparing findings, not from the changes. The
//! changes only say where to look. A change that is read again, or that another change took back,
//! tells nothing; and what two parts say of one package is told once.

mod compare;
mod focus;
mod notice;
mod payload;
mod place;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use pratique_clockwork::lease::Lease;
use pratique_model::{Ecosystem, PartId, Release};
use pratique_store::{
    ChangeKind, ChangedKey, Channel, Database, Impact, PackageKey, StoreError, StoredPackage,
};

use crate::{MatchError, coverage};
use compare::Difference;
use focus::Focus;
use notice::NameKey;
use place::{Place, Standing};

/// How many packages are held against their statements at once. A kernel package has a thousand
/// hits of a hundred bytes and more; this bounds them to some ten megabytes.
const PACKAGES_AT_ONCE: usize = 100;

/// How many findings that differ a step gathers before it is content, though it has looked at fewer
/// packages than it may; some ten megabytes. What there is to tell is never cut.
const FINDINGS_MAX: usize = 50_000;

/// How many packages are looked at before it is asked whether that was enough.
const PACKAGES_BETWEEN: usize = 25;

/// How many names are looked up at once.
const NAMES_AT_ONCE: usize = 500;

/// How much a step does, so that its transaction is short and others get their turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepLimits {
    /// Changes that it reads. What they concern is looked at whole, so that no notification is cut
    /// in half.
    pub changes_max: usize,
    /// Packages that it looks at when there is nothing to tell: newly registered ones, and those
    /// that a part speaks of which was loaded for the first time.
    pub packages_max: usize,
}

/// What a step did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Transactions that were made.
    pub step_count: u64,
    /// Changes that were read.
    pub change_count: u64,
    /// Packages that were held against their statements.
    pub package_count: u64,
    /// Findings that are new or other than before.
    pub written_count: u64,
    /// Findings that are no longer.
    pub removed_count: u64,
    /// What was put into the outbox, by reason.
    pub told: BTreeMap<ChangeKind, u64>,
    /// Since when upstream has shown what was put there, by source: the date that it gives its
    /// data, or the commit of the first of the changes if that is earlier.
    pub shown_since: BTreeMap<String, Timestamp>,
}

/// What is left to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Parts that have changed since they were read.
    pub part_count: usize,
    /// Whether there are packages that were never looked at.
    pub has_pending: bool,
}

impl Default for StepLimits {
    /// The changes of an ordinary update of a source fit into one step; either takes some hundred
    /// milliseconds.
    fn default() -> Self {
        Self { changes_max: 2_000, packages_max: 1_000 }
    }
}

impl Progress {
    /// Adds what another step did.
    pub fn add(&mut self, other: &Self) {
        self.step_count += other.step_count;
        self.change_count += other.change_count;
        self.package_count += other.package_count;
        self.written_count += other.written_count;
        self.removed_count += other.removed_count;
        for (reason, count) in &other.told {
            *self.told.entry(*reason).or_default() += count;
        }
        for (source, at) in &other.shown_since {
            let since = self.shown_since.entry(source.clone()).or_insert(*at);
            *since = (*since).min(*at);
        }
    }

    /// How many notifications were put into the outbox.
    pub fn told_count(&self) -> u64 {
        self.told.values().sum()
    }
}

impl Backlog {
    /// Whether nothing is left to do.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What the matcher has not read yet.
///
/// # Errors
/// [`MatchError::Impact`] when the database cannot be asked.
pub fn backlog(database: &Database) -> Result<Backlog, MatchError> {
    let parts = Standing::all(database)?;
    let part_count = parts.iter().filter(|part| part.is_behind()).count();
    Ok(Backlog { part_count, has_pending: !database.pending_packages(1)?.is_empty() })
}

/// Does the next piece of work, if there is any: changes first, then packages that were never
/// looked at, then what parts that were loaded for the first time say. `fence` is the lease
/// `matcher`; `now` dates the notifications.
///
/// # Errors
/// [`MatchError::Impact`]; nothing was written then, and [`MatchError::is_transient`] says whether
/// trying again may help.
pub fn step(
    database: &Database,
    fence: Option<&Lease>,
    limits: StepLimits,
    now: Timestamp,
) -> Result<Option<Progress>, MatchError> {
    // Looking needs no turn at writing; most of the time there is nothing to do.
    if backlog(database)?.is_empty() {
        return Ok(None);
    }
    Ok(database.transaction(fence, |database| work(database, limits, now))?)
}

fn work(
    database: &Database,
    limits: StepLimits,
    now: Timestamp,
) -> Result<Option<Progress>, StoreError> {
    let parts = Standing::all(database)?;
    let silent = parts.iter().filter(|part| part.is_silent()).map(|part| part.id.clone());
    let mut round = Round {
        database,
        limits,
        silent: silent.collect(),
        focus: None,
        impact: Impact::default(),
        progress: Progress { step_count: 1, ..Progress::default() },
    };
    let behind: Vec<&Standing> = parts.iter().filter(|part| part.is_behind()).collect();
    if let Some(part) = behind.iter().find(|part| !part.is_silent()) {
        let generations = parts.iter().map(|part| (&part.id, part.generation)).collect();
        round.read_changes(part, &generations)?;
    } else if !round.assess_pending()? {
        if behind.is_empty() {
            return Ok(None);
        }
        round.catch_up(&behind)?;
    }
    database.write_impact(&round.impact, now)?;
    if !round.impact.notifications.is_empty() {
        database.ring(Channel::Outbox)?;
    }
    Ok(Some(round.progress))
}

/// One step under way.
struct Round<'a> {
    database: &'a Database,
    limits: StepLimits,
    /// Parts whose first load was not read to its end: what rests on them is not told.
    silent: BTreeSet<PartId>,
    /// What is looked at of packages; `None`: everything.
    focus: Option<Focus>,
    impact: Impact,
    progress: Progress,
}

impl Round<'_> {
    /// Reads the next changes of a part. `generations` has that of each part.
    fn read_changes(
        &mut self,
        part: &Standing,
        generations: &BTreeMap<&PartId, u64>,
    ) -> Result<(), StoreError> {
        let keys = self.database.changed_keys(&part.id, part.changes(), self.limits.changes_max)?;
        let place = match keys.last() {
            Some(last) if keys.len() == self.limits.changes_max => Place::Changes(last.cursor),
            _ => Place::Whole(part.generation),
        };
        self.progress.change_count = keys.len() as u64;
        self.impact.cursors.push(place.cursor(&part.id));
        self.focus = Focus::of(&keys, part.generation);
        let mut differences = self.differences(&keys)?;
        let mut notices = notice::of_facts(self.database, &keys)?;
        notices.add(notice::of_differences(self.database, &mut differences, generations)?);
        for new in notices.finish(self.database)? {
            *self.progress.told.entry(new.reason).or_default() += 1;
            self.impact.notifications.push(new);
        }
        let committed_at = keys.first().map(|key| key.at);
        let shown_at = committed_at.into_iter().chain(part.as_of).min();
        if let Some(shown_at) = shown_at.filter(|_| !self.impact.notifications.is_empty()) {
            self.progress.shown_since.insert(part.id.source().to_owned(), shown_at);
        }
        self.take(differences);
        Ok(())
    }

    /// What differs in the packages that changes are about. A package that was never looked at
    /// waits for its turn, in which nothing is told; what has come since it is held is news all
    /// the same.
    fn differences(&mut self, keys: &[ChangedKey]) -> Result<Vec<Difference>, StoreError> {
        let came = came(keys);
        let mut differences = Vec::new();
        let mut seen = BTreeSet::new();
        for ((ecosystem, release), names) in names(keys) {
            let names: Vec<&str> = names.into_iter().collect();
            for release in coverage::concerned(release) {
                for names in names.chunks(NAMES_AT_ONCE) {
                    let mut named = self.packages(ecosystem, release.as_ref(), names)?;
                    named.retain(|package| seen.insert(package.key));
                    let (waiting, known) = self.split(named)?;
                    differences.extend(self.compare(known)?);
                    differences.extend(self.news(waiting, &came)?);
                }
            }
        }
        Ok(differences)
    }

    /// The packages of these names, each with all others that are spoken of under its name: what is
    /// told of a name is told of all of them at once.
    fn packages(
        &self,
        ecosystem: Ecosystem,
        release: Option<&Release>,
        names: &[&str],
    ) -> Result<Vec<StoredPackage>, StoreError> {
        let mut packages = self.database.packages_named(ecosystem, release, names)?;
        let sources: BTreeSet<String> =
            packages.iter().map(|package| NameKey::of(package).name).collect();
        let others = sources.iter().map(String::as_str).filter(|name| !names.contains(name));
        let others: Vec<&str> = others.collect();
        if !others.is_empty() {
            let mut more = self.database.packages_named(ecosystem, release, &others)?;
            more.retain(|package| sources.contains(&NameKey::of(package).name));
            packages.extend(more);
        }
        Ok(packages)
    }

    /// Looks at packages that were never looked at; says whether there were any.
    fn assess_pending(&mut self) -> Result<bool, StoreError> {
        let packages = self.database.pending_packages(self.limits.packages_max)?;
        let is_some = !packages.is_empty();
        let count = self.look_at(&packages)?;
        self.impact.assessed = packages[..count].iter().map(|package| package.key).collect();
        Ok(is_some)
    }

    /// Looks at the packages that parts speak of which were loaded for the first time.
    fn catch_up(&mut self, parts: &[&Standing]) -> Result<(), StoreError> {
        let mut left = self.limits.packages_max;
        for part in parts {
            let id = &part.id;
            let (target, after) = part.packages();
            let mut scopes = Vec::new();
            for (ecosystem, release) in self.database.covered_by(id)? {
                let releases = coverage::concerned(release.as_ref());
                scopes.extend(releases.into_iter().map(|release| (ecosystem, release)));
            }
            let packages = self.database.packages_of(&scopes, after, left)?;
            let count = self.look_at(&packages)?;
            let is_cut = count < packages.len();
            if is_cut && count == 0 {
                break;
            }
            let reached = packages[..count].last().filter(|_| is_cut || count == left);
            let place = match reached {
                Some(last) => Place::Packages { target, after: last.key },
                None => Place::Whole(target),
            };
            left -= count;
            self.impact.cursors.push(place.cursor(id));
            if left == 0 || is_cut {
                break;
            }
        }
        Ok(())
    }

    /// Brings the findings of packages up to date and tells nobody. Gives how many of them it
    /// looked at: all, or those until there was enough to write.
    fn look_at(&mut self, packages: &[StoredPackage]) -> Result<usize, StoreError> {
        let mut count = 0;
        for packages in packages.chunks(PACKAGES_BETWEEN) {
            if self.impact.findings.len() + self.impact.removals.len() >= FINDINGS_MAX {
                break;
            }
            let differences = self.compare(packages.to_vec())?;
            self.take(differences);
            count += packages.len();
        }
        Ok(count)
    }

    /// Packages that were never looked at, and the others.
    fn split(
        &self,
        packages: Vec<StoredPackage>,
    ) -> Result<(Vec<StoredPackage>, Vec<StoredPackage>), StoreError> {
        let keys: Vec<PackageKey> = packages.iter().map(|package| package.key).collect();
        let pending = self.database.pending_among(&keys)?;
        let is_pending = |package: &StoredPackage| pending.binary_search(&package.key).is_ok();
        Ok(packages.into_iter().partition(is_pending))
    }

    /// What is news of packages that were never looked at: vulnerabilities that came after an image
    /// with them was registered, and what became of those. The packages go on waiting.
    fn news(
        &mut self,
        waiting: Vec<StoredPackage>,
        came: &BTreeMap<&str, Vec<&ChangedKey>>,
    ) -> Result<Vec<Difference>, StoreError> {
        let keys: Vec<PackageKey> = waiting.iter().map(|package| package.key).collect();
        let since: BTreeMap<_, _> = self.database.held_since(&keys)?.into_iter().collect();
        let mut differences = self.compare(waiting)?;
        let is_news = |difference: &Difference| {
            let Some(since) = since.get(&difference.package.key) else { return false };
            let came = came.get(&*difference.vulnerability).into_iter().flatten();
            came.into_iter().any(|key| key.at > *since && speaks_of(key, &difference.package))
        };
        differences.retain(|difference| difference.old.is_some() || is_news(difference));
        Ok(differences)
    }

    fn compare(&mut self, mut packages: Vec<StoredPackage>) -> Result<Vec<Difference>, StoreError> {
        packages.retain(|package| package.package.is_matched());
        packages.sort_by(|a, b| (&a.release, a.key).cmp(&(&b.release, b.key)));
        self.progress.package_count += packages.len() as u64;
        let mut differences = Vec::new();
        for group in packages.chunk_by(|a, b| a.release == b.release) {
            for packages in group.chunks(PACKAGES_AT_ONCE) {
                let focus = self.focus.as_ref();
                let found = compare::differences(self.database, packages, &self.silent, focus)?;
                differences.extend(found);
            }
        }
        Ok(differences)
    }

    /// Takes differences over into what is written.
    fn take(&mut self, differences: Vec<Difference>) {
        for difference in differences {
            match difference.new {
                Some(finding) => self.impact.findings.push(finding),
                None => {
                    let key = difference.package.key;
                    self.impact.removals.push((key, difference.vulnerability));
                }
            }
        }
        self.progress.written_count = self.impact.findings.len() as u64;
        self.progress.removed_count = self.impact.removals.len() as u64;
    }
}

/// The vulnerabilities that are new by these changes, with the changes that say so.
fn came(keys: &[ChangedKey]) -> BTreeMap<&str, Vec<&ChangedKey>> {
    let mut came: BTreeMap<&str, Vec<&ChangedKey>> = BTreeMap::new();
    for key in keys.iter().filter(|key| key.kind == ChangeKind::New) {
        let own = key.advisory.as_ref().filter(|_| key.vulnerabilities.is_empty());
        for id in key.vulnerabilities.iter().chain(own) {
            came.entry(id).or_default().push(key);
        }
    }
    came
}

/// Whether a change is about a package, by its own name or its source's.
fn speaks_of(key: &ChangedKey, package: &StoredPackage) -> bool {
    let package = &package.package;
    let (own, source) = (package.lookup_name(), package.source_name());
    key.packages.iter().any(|(ecosystem, _, name)| {
        *ecosystem == package.ecosystem && (*name == own || *name == source)
    })
}

/// The packages that changes are about, by where their names mean something. A fact about a CVE
/// changes no finding.
fn names(keys: &[ChangedKey]) -> BTreeMap<(Ecosystem, Option<&Release>), BTreeSet<&str>> {
    let mut names: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
    for key in keys.iter().filter(|key| key.advisory.is_some()) {
        for (ecosystem, release, name) in &key.packages {
            names.entry((*ecosystem, release.as_ref())).or_default().insert(name);
        }
    }
    names
}
