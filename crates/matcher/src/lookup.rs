//! Looks packages up: which statements are about them, which of those concern them, and whose they
//! are.
//!
//! All packages of one call were found in one release. Whether they come from an image's report or
//! from the store makes no difference here, so a stored finding and the answer about an image rest
//! on the same code.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use pratique_model::{Package, Release};
use pratique_store::{AdvisoryKey, Database, StoreError, StoredAffected};

use crate::coverage::{self, Scope};
use crate::hit::{self, Hit, Subject};
use crate::row::Advisories;

/// The statements about the packages of each scope, sorted by name.
pub(crate) type Statements = BTreeMap<Scope, Vec<StoredAffected>>;

/// All statements about the subjects' names, one question a scope. A scope that is not covered is
/// not asked about.
pub(crate) fn statements(
    subjects: &[Subject<'_>],
    release: Option<&Release>,
    is_covered: impl Fn(&Scope) -> bool,
    database: &Database,
) -> Result<Statements, StoreError> {
    let mut asked: BTreeMap<Scope, Vec<Cow<'_, str>>> = BTreeMap::new();
    for subject in subjects {
        let package = subject.installed.package();
        for scope in coverage::scopes(package.ecosystem, release) {
            if is_covered(&scope) {
                asked.entry(scope).or_default().extend(hit::names(package));
            }
        }
    }
    let mut statements = Statements::new();
    for (scope, names) in asked {
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        let found = database.affected(scope.ecosystem, scope.release.as_ref(), &names)?;
        debug_assert!(found.is_sorted_by_key(|stored| &stored.affected.package));
        statements.insert(scope, found);
    }
    Ok(statements)
}

/// The statements that concern the subjects.
pub(crate) fn hits<'a>(
    subjects: &[Subject<'a>],
    release: Option<&Release>,
    statements: &'a Statements,
) -> Vec<Hit<'a>> {
    let mut hits = Vec::new();
    for subject in subjects {
        hits_of(subject, release, statements, &mut hits);
    }
    hits
}

/// Adds the statements that concern one subject.
pub(crate) fn hits_of<'a>(
    subject: &Subject<'a>,
    release: Option<&Release>,
    statements: &'a Statements,
    into: &mut Vec<Hit<'a>>,
) {
    for statements in naming(subject.installed.package(), release, statements) {
        hit::hits(subject, statements, into);
    }
}

/// The advisories behind the hits.
pub(crate) fn advisories(hits: &[Hit<'_>], database: &Database) -> Result<Advisories, StoreError> {
    let mut advisories = Advisories::new();
    let keys = hits.iter().map(|hit| hit.statement.advisory);
    add_advisories(&mut advisories, keys, database)?;
    Ok(advisories)
}

/// Reads those advisories that are not there yet.
pub(crate) fn add_advisories(
    advisories: &mut Advisories,
    keys: impl Iterator<Item = AdvisoryKey>,
    database: &Database,
) -> Result<(), StoreError> {
    let keys: BTreeSet<AdvisoryKey> = keys.filter(|key| !advisories.contains_key(key)).collect();
    let keys: Vec<AdvisoryKey> = keys.into_iter().collect();
    if keys.is_empty() {
        return Ok(());
    }
    let stored = database.advisories(&keys)?;
    advisories.extend(stored.into_iter().map(|stored| (stored.key, stored)));
    Ok(())
}

/// Whether any statement is about a package of this name.
pub(crate) fn is_named(
    package: &Package,
    release: Option<&Release>,
    statements: &Statements,
) -> bool {
    naming(package, release, statements).any(|statements| !statements.is_empty())
}

/// The statements about each name of a package in each of its scopes.
pub(crate) fn naming<'a>(
    package: &Package,
    release: Option<&Release>,
    statements: &'a Statements,
) -> impl Iterator<Item = &'a [StoredAffected]> {
    let scopes = coverage::scopes(package.ecosystem, release);
    scopes
        .into_iter()
        .filter_map(|scope| statements.get(&scope))
        .flat_map(move |sorted| hit::names(package).map(move |name| about(sorted, &name)))
}

/// The statements about one name, among those of a scope.
fn about<'a>(sorted: &'a [StoredAffected], name: &str) -> &'a [StoredAffected] {
    let start = sorted.partition_point(|stored| *stored.affected.package < *name);
    let count = sorted[start..].partition_point(|stored| *stored.affected.package == *name);
    &sorted[start..start + count]
}
