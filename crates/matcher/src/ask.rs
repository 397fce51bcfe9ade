//! Answers a person's question about everything that is registered, whether or not any advisory
//! exists.
//!
//! A yes names images with what they hold; a no says what it rests on: how many images were looked
//! at, how many hold the package outside the range, which could not be read. Everything goes
//! through the reverse index from names to packages to images, so the cost is that of the packages
//! of a name, and images are counted by the sets that they share. What would surprise: a no about
//! a vulnerability rests on the matcher's findings, so while it is behind, nothing is proven.

mod question;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use pratique_model::{Ecosystem, Release, is_cve};
use pratique_store::{
    Database, ImageFilter, ImageKey, PackageKey, Statement, StoreError, StoredFinding, StoredImage,
    StoredPackage,
};

use crate::{Backlog, MatchError, backlog, coverage};

pub use question::{PackageQuestion, Question, QuestionError, Releases, VersionRange};

/// How many statements about one vulnerability are read to find the packages that it is about: the
/// most that is known of a CVE is some hundred.
const STATEMENTS_MAX: usize = 10_000;

/// How many images are named unless somebody asks for more.
const IMAGES_NAMED: usize = 20;

/// How much of an answer is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskOptions {
    /// Images up to and with this one are left out of those that are named.
    pub after: Option<ImageKey>,
    /// How many images are named, and how many unreadable ones.
    pub limit: usize,
}

/// What is known about a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// As it was understood.
    pub question: Question,
    /// Yes or no.
    pub verdict: AnswerVerdict,
    /// How many images it concerns.
    pub image_count: u64,
    /// The first of them after the one asked for, in the order of their keys.
    pub images: Vec<ConcernedImage>,
    /// After which image the next ones follow; `None` if there are no more.
    pub next: Option<ImageKey>,
    /// How many images are watched: all that the answer is about.
    pub watched_count: u64,
    /// Images that hold the package, but no version of it that is concerned.
    pub outside_count: u64,
    /// Images whose packages have findings about the vulnerability that are suppressed, and none
    /// that is shown.
    pub suppressed_count: u64,
    /// Images that hold the package in a version that cannot be compared, and none that is
    /// concerned.
    pub unclear_count: u64,
    /// Images that could not be read whole.
    pub unreadable_count: u64,
    /// The first of those.
    pub unreadable: Vec<StoredImage>,
    /// The ids under which findings about a vulnerability were looked up.
    pub vulnerabilities: Vec<String>,
    /// Whether any source knows the vulnerability; `None` for a package.
    pub is_known: Option<bool>,
    /// What the matcher has not read yet; a question about a package does not depend on it.
    pub backlog: Backlog,
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerVerdict {
    /// Some image is concerned.
    Yes,
    /// None of those that were looked at is.
    No,
    /// None is known to be, and that is not proven: a version could not be compared, or the matcher
    /// is behind.
    Unproven,
}

/// An image that is concerned.
#[derive(Clone, Debug, PartialEq)]
pub struct ConcernedImage {
    /// The image.
    pub image: StoredImage,
    /// Its packages that are concerned.
    pub packages: Vec<Reason>,
}

/// Why an image is concerned.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    /// The package.
    pub package: StoredPackage,
    /// The version that was compared: the package's own, or its source package's where the
    /// question names that.
    pub version: String,
    /// What the matcher found; `None` where a package was asked for.
    pub finding: Option<StoredFinding>,
}

impl Default for AskOptions {
    fn default() -> Self {
        Self { after: None, limit: IMAGES_NAMED }
    }
}

/// Packages by what a question makes of them.
#[derive(Default)]
struct Sorted {
    concerned: BTreeMap<PackageKey, Reason>,
    suppressed: BTreeSet<PackageKey>,
    unclear: BTreeSet<PackageKey>,
    outside: BTreeSet<PackageKey>,
}

/// Answers a question. One state of the database is asked throughout, so the caller must not hold
/// one itself.
///
/// # Errors
/// [`MatchError::Store`] when the database cannot be asked.
pub fn ask(
    database: &Database,
    question: &Question,
    options: &AskOptions,
) -> Result<Answer, MatchError> {
    let asking = |source| MatchError::Store { asking: "a person's question", source };
    let _state = database.hold().map_err(asking)?;
    let mut vulnerabilities = Vec::new();
    let mut is_known = None;
    let (sorted, unread) = match question {
        Question::Package(package) => {
            (of_package(database, package).map_err(asking)?, Backlog::default())
        }
        Question::Vulnerability(id) => {
            let statements = database.search(id, STATEMENTS_MAX).map_err(asking)?;
            let known =
                !statements.is_empty() || !database.facts(&[id]).map_err(asking)?.is_empty();
            is_known = Some(known);
            vulnerabilities = ids(id, &statements);
            let sorted =
                of_vulnerability(database, &vulnerabilities, &statements).map_err(asking)?;
            (sorted, backlog(database)?)
        }
    };
    let mut answer = counted(database, question, options, &sorted).map_err(asking)?;
    let is_unproven = !unread.is_empty() || answer.unclear_count > 0;
    answer.verdict = match answer.image_count {
        0 if is_unproven => AnswerVerdict::Unproven,
        0 => AnswerVerdict::No,
        _ => AnswerVerdict::Yes,
    };
    Ok(Answer { vulnerabilities, is_known, backlog: unread, ..answer })
}

/// The packages of a name, by whether their version is asked for.
fn of_package(database: &Database, question: &PackageQuestion) -> Result<Sorted, StoreError> {
    let mut sorted = Sorted::default();
    let mut known: HashMap<String, Result<bool, String>> = HashMap::new();
    for release in database.releases_of(question.ecosystem)? {
        if !question.releases.hold(release.as_ref()) {
            continue;
        }
        let names = [&*question.name];
        for package in database.packages_named(question.ecosystem, release.as_ref(), &names)? {
            let is_own = package.package.lookup_name() == question.name;
            let version = match is_own {
                true => &*package.package.version,
                false => package.package.source_version(),
            };
            let version = version.to_owned();
            let holds = known.entry(version.clone());
            match holds.or_insert_with(|| question.range.holds(&version)) {
                Ok(true) => {
                    let reason = Reason { version, finding: None, package };
                    sorted.concerned.insert(reason.package.key, reason);
                }
                Ok(false) => drop(sorted.outside.insert(package.key)),
                Err(_) => drop(sorted.unclear.insert(package.key)),
            }
        }
    }
    Ok(sorted)
}

/// The packages with findings about a vulnerability, and those that statements about it name.
fn of_vulnerability(
    database: &Database,
    ids: &[String],
    statements: &[Statement],
) -> Result<Sorted, StoreError> {
    let mut sorted = Sorted::default();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let findings = database.findings_about(&ids)?;
    let (shown, suppressed): (Vec<_>, Vec<_>) =
        findings.into_iter().partition(|finding| finding.suppression.is_none());
    let keys: BTreeSet<PackageKey> = shown.iter().map(|finding| finding.package).collect();
    let keys: Vec<PackageKey> = keys.into_iter().collect();
    let packages = database.packages(&keys)?;
    let packages: HashMap<PackageKey, StoredPackage> =
        packages.into_iter().map(|package| (package.key, package)).collect();
    for finding in shown {
        if let Some(package) = packages.get(&finding.package).cloned() {
            let version = package.package.source_version().to_owned();
            let reason = Reason { version, finding: Some(finding), package };
            sorted.concerned.entry(reason.package.key).or_insert(reason);
        }
    }
    sorted.suppressed = suppressed.into_iter().map(|finding| finding.package).collect();
    sorted.suppressed.retain(|key| !sorted.concerned.contains_key(key));
    for ((ecosystem, release), names) in stated(statements) {
        let names: Vec<&str> = names.into_iter().collect();
        for release in coverage::concerned(release) {
            let named = database.packages_named(ecosystem, release.as_ref(), &names)?;
            sorted.outside.extend(named.into_iter().map(|package| package.key));
        }
    }
    let Sorted { concerned, suppressed, outside, .. } = &mut sorted;
    outside.retain(|key| !concerned.contains_key(key) && !suppressed.contains(key));
    Ok(sorted)
}

/// Counts images, and names the first.
fn counted(
    database: &Database,
    question: &Question,
    options: &AskOptions,
    sorted: &Sorted,
) -> Result<Answer, StoreError> {
    let mut keys: Vec<PackageKey> = sorted.concerned.keys().copied().collect();
    let mut reached = reach(database, &keys)?;
    let image_count = reached;
    let (images, next) = named(database, options, &keys, sorted)?;
    let mut more = |others: &BTreeSet<PackageKey>| -> Result<u64, StoreError> {
        if others.is_empty() {
            return Ok(0);
        }
        keys.extend(others);
        let before = reached;
        reached = reach(database, &keys)?;
        Ok(reached.saturating_sub(before))
    };
    let suppressed_count = more(&sorted.suppressed)?;
    let unclear_count = more(&sorted.unclear)?;
    let outside_count = more(&sorted.outside)?;
    let counts = database.image_counts()?;
    let filter = ImageFilter { has_problems: true, ..ImageFilter::default() };
    Ok(Answer {
        question: question.clone(),
        verdict: AnswerVerdict::No,
        image_count,
        images,
        next,
        watched_count: counts.watched,
        outside_count,
        suppressed_count,
        unclear_count,
        unreadable_count: counts.with_problems,
        unreadable: database.images(&filter, None, options.limit)?,
        vulnerabilities: Vec::new(),
        is_known: None,
        backlog: Backlog::default(),
    })
}

fn reach(database: &Database, packages: &[PackageKey]) -> Result<u64, StoreError> {
    if packages.is_empty() {
        return Ok(0);
    }
    Ok(database.reach(packages)?.image_count)
}

/// The first images that are concerned, and after which one the next follow.
fn named(
    database: &Database,
    options: &AskOptions,
    keys: &[PackageKey],
    sorted: &Sorted,
) -> Result<(Vec<ConcernedImage>, Option<ImageKey>), StoreError> {
    if keys.is_empty() || options.limit == 0 {
        return Ok((Vec::new(), None));
    }
    // One more than wanted tells whether there are more.
    let mut holders = database.images_holding(keys, options.after, options.limit + 1)?;
    let has_more = holders.len() > options.limit;
    holders.truncate(options.limit);
    let next = holders.last().filter(|_| has_more).map(|holder| holder.image.key);
    let concerned = holders.into_iter().map(|holder| {
        let reasons = holder.packages.iter().filter_map(|key| sorted.concerned.get(key));
        ConcernedImage { packages: reasons.cloned().collect(), image: holder.image }
    });
    Ok((concerned.collect(), next))
}

/// The ids under which findings about a vulnerability stand: a CVE's own; of another id, also the
/// CVEs of its advisories and the ids of those that have it as an alias.
fn ids(id: &str, statements: &[Statement]) -> Vec<String> {
    let mut ids = BTreeSet::from([id.to_owned()]);
    if !is_cve(id) {
        for statement in statements {
            ids.extend(statement.vulnerabilities.iter().cloned());
            ids.insert(statement.id.clone());
        }
    }
    ids.into_iter().collect()
}

/// The packages that statements name, by where their names mean something.
fn stated(statements: &[Statement]) -> BTreeMap<(Ecosystem, Option<&Release>), BTreeSet<&str>> {
    let mut stated: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
    for package in statements.iter().filter_map(|statement| statement.package.as_ref()) {
        let scope = (package.ecosystem, package.release.as_ref());
        stated.entry(scope).or_default().insert(&package.name);
    }
    stated
}
