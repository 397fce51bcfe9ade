//! Holds the packages of an image against the statements that name them.
//!
//! A hit is a statement that concerns a package, also one that will be suppressed. What several
//! hits have in common (one vulnerability, one package) is joined in `row`. Packages that have the
//! same package URL share their rows, so an npm package that lies in ten folders gives one.

use std::collections::HashMap;

use pratique_model::{IndexReport, Package, Suppression};

use pratique_store::StoredAffected;

use crate::installed::Installed;
use crate::suppression;
use crate::verdict::{Doubt, Exemption, Proof, Verdict, verdict};

/// A package to be looked up.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    /// The package whose rows it gives: the first with the same package URL.
    pub(crate) package_index: usize,
    /// The package itself.
    pub(crate) installed: Installed<'a>,
}

/// A statement that concerns a package.
#[derive(Clone, Debug)]
pub(crate) struct Hit<'a> {
    /// The package whose row it is.
    pub(crate) package_index: usize,
    /// The statement.
    pub(crate) statement: &'a StoredAffected,
    /// What it comes to.
    pub(crate) outcome: Outcome<'a>,
    /// Why it is not shown, as far as the statement itself says.
    pub(crate) suppression: Option<Suppression>,
}

/// What a hit rests on.
#[derive(Clone, Debug)]
pub(crate) enum Outcome<'a> {
    /// The version is in what the statement speaks of.
    Proven(Proof<'a>),
    /// Nobody can tell.
    Doubtful(Doubt<'a>),
}

impl<'a> Outcome<'a> {
    /// The version that mends it.
    pub(crate) fn fixed(&self) -> Option<&'a str> {
        match self {
            Self::Proven(proof) => proof.fixed,
            Self::Doubtful(doubt) => doubt.fixed,
        }
    }

    /// Whether nobody can tell.
    pub(crate) fn is_doubtful(&self) -> bool {
        matches!(self, Self::Doubtful(_))
    }
}

/// The packages to be looked up, without those that would say the same as an earlier one.
pub(crate) fn subjects(report: &IndexReport) -> Vec<Subject<'_>> {
    let mut rows: HashMap<_, usize> = HashMap::with_capacity(report.packages.len());
    let mut seen = std::collections::HashSet::with_capacity(report.packages.len());
    let mut subjects = Vec::with_capacity(report.packages.len());
    for (package_index, package) in report.packages.iter().enumerate() {
        if !package.is_matched() {
            continue;
        }
        let url = (package.ecosystem, package.lookup_name(), &package.version, &package.arch);
        let package_index = *rows.entry(url).or_insert(package_index);
        if seen.insert((package_index, &package.source, &package.module, &package.built_for)) {
            subjects.push(Subject { package_index, installed: Installed::new(package) });
        }
    }
    subjects
}

/// The names under which a package may be spoken of: its own, and its source package's.
pub(crate) fn names(package: &Package) -> impl Iterator<Item = std::borrow::Cow<'_, str>> {
    let own = package.lookup_name();
    let source = package.source.as_ref().map(|source| std::borrow::Cow::from(&*source.name));
    let source = source.filter(|source| *source != own);
    std::iter::once(own).chain(source)
}

/// The hits of one package among the statements that its names give.
pub(crate) fn hits<'a>(
    subject: &Subject<'a>,
    statements: &'a [StoredAffected],
    into: &mut Vec<Hit<'a>>,
) {
    for statement in statements {
        let affected = &statement.affected;
        let (outcome, suppression) = match verdict(&subject.installed, affected) {
            Verdict::Affected(proof) => {
                (Outcome::Proven(proof), suppression::of_statement(affected))
            }
            Verdict::Unknown(doubt) => {
                (Outcome::Doubtful(doubt), suppression::of_statement(affected))
            }
            Verdict::NotAffected(Exemption::Stated(proof)) => {
                (Outcome::Proven(proof), Some(Suppression::NotAffected))
            }
            Verdict::NotAffected(Exemption::OtherPlatform(proof)) => {
                (Outcome::Proven(proof), Some(Suppression::OtherPlatform))
            }
            Verdict::NotAffected(Exemption::OtherPackage | Exemption::OtherVersion) => continue,
        };
        into.push(Hit { package_index: subject.package_index, statement, outcome, suppression });
    }
}
