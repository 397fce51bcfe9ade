//! Joins hits to one row per vulnerability and package.
//!
//! Several advisories may speak of the same flaw of the same package: two errata for one CVE, a
//! GitHub advisory beside the Go database's. One of them becomes the row, whole, so that the fixed
//! version, the status and the explanation belong together; the ids of the others become aliases.
//! The order of choice is written down in `docs/matching.md`.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};

use pratique_model::{Ecosystem, Package, Release, Suppression, is_cve};
use pratique_store::{AdvisoryKey, StoredAdvisory};

use crate::hit::Hit;
use crate::suppression;

/// The advisories behind the hits, by key.
pub(crate) type Advisories = HashMap<AdvisoryKey, StoredAdvisory>;

/// All that is said of one vulnerability in one package.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    /// The CVE, or the publisher's id where there is none.
    pub(crate) id: &'a str,
    /// The package.
    pub(crate) package_index: usize,
    /// The hits: the chosen one first, the others by precedence.
    pub(crate) voices: Vec<Spoken<'a>>,
    /// Why it is not shown.
    pub(crate) suppression: Option<Suppression>,
}

/// A hit with its advisory.
#[derive(Clone, Debug)]
pub(crate) struct Spoken<'a> {
    pub(crate) hit: Hit<'a>,
    pub(crate) published: &'a StoredAdvisory,
    /// Why it is not shown, by the statement or by the advisory.
    suppression: Option<Suppression>,
    /// Whose word counts more; less is more.
    rank: u8,
}

impl Row<'_> {
    /// The ids beside `id` under which the flaw is spoken of, sorted; CVE ids are not among them,
    /// because each has a row of its own.
    pub(crate) fn aliases(&self) -> Vec<String> {
        let mut aliases = BTreeSet::new();
        for voice in &self.voices {
            let advisory = &voice.published.advisory;
            aliases.insert(&*advisory.id);
            aliases.extend(advisory.aliases.iter().map(String::as_str));
        }
        let is_alias = |id: &&str| *id != self.id && !is_cve(id);
        aliases.into_iter().filter(is_alias).map(str::to_owned).collect()
    }
}

/// Joins hits to rows, in the order of packages. Hits of advisories that are gone are dropped.
pub(crate) fn join<'a>(
    hits: Vec<Hit<'a>>,
    advisories: &'a Advisories,
    release: Option<&Release>,
    packages: &[&Package],
) -> Vec<Row<'a>> {
    let mut by_package: Vec<Spoken<'a>> = hits
        .into_iter()
        .filter_map(|hit| {
            let published = advisories.get(&hit.statement.advisory)?;
            let suppression = suppression::of_advisory(&published.advisory).or(hit.suppression);
            let rank = rank(published, packages[hit.package_index], release);
            Some(Spoken { hit, published, suppression, rank })
        })
        .collect();
    by_package.sort_by_key(|spoken| spoken.hit.package_index);
    let mut rows = Vec::with_capacity(by_package.len());
    for voices in by_package.chunk_by(|a, b| a.hit.package_index == b.hit.package_index) {
        let package_index = voices[0].hit.package_index;
        let ecosystem = packages[package_index].ecosystem;
        for (id, voices) in by_id(voices) {
            rows.push(row(id, package_index, ecosystem, voices));
        }
    }
    rows
}

/// The hits of one package by the id of their rows, sorted. A hit without a CVE joins the rows that
/// share one of its names, else those hits without a CVE that do.
fn by_id<'a>(hits: &[Spoken<'a>]) -> Vec<(&'a str, Vec<Spoken<'a>>)> {
    let mut keyed: Vec<(&'a str, &Spoken<'a>)> = Vec::with_capacity(hits.len());
    let mut nameless: Vec<&Spoken<'a>> = Vec::new();
    for hit in hits {
        let cves = &hit.published.advisory.vulnerabilities;
        if cves.is_empty() {
            nameless.push(hit);
        }
        keyed.extend(cves.iter().map(|cve| (&**cve, hit)));
    }
    if !nameless.is_empty() {
        let known = std::mem::take(&mut keyed);
        keyed = joined_by_alias(known, nameless);
    }
    keyed.sort_by_key(|(id, _)| *id);
    keyed
        .chunk_by(|a, b| a.0 == b.0)
        .map(|group| (group[0].0, group.iter().map(|(_, hit)| (*hit).clone()).collect()))
        .collect()
}

/// Adds the hits without a CVE to the keyed ones. Names are followed from hit to hit until nothing
/// new turns up, so the outcome does not depend on the order of advisories.
fn joined_by_alias<'a, 'b>(
    mut keyed: Vec<(&'a str, &'b Spoken<'a>)>,
    mut nameless: Vec<&'b Spoken<'a>>,
) -> Vec<(&'a str, &'b Spoken<'a>)> {
    let mut ids_of: HashMap<&'a str, BTreeSet<&'a str>> = HashMap::new();
    for (id, hit) in &keyed {
        for name in names(hit) {
            ids_of.entry(name).or_default().insert(id);
        }
    }
    nameless.sort_by_key(|hit| (hit.rank, &hit.published.advisory.id));
    loop {
        let mut left = Vec::new();
        let before = nameless.len();
        for hit in nameless {
            let ids: BTreeSet<&'a str> =
                names(hit).filter_map(|name| ids_of.get(name)).flatten().copied().collect();
            if ids.is_empty() {
                left.push(hit);
                continue;
            }
            for name in names(hit) {
                ids_of.entry(name).or_default().extend(&ids);
            }
            keyed.extend(ids.into_iter().map(|id| (id, hit)));
        }
        nameless = left;
        if nameless.is_empty() {
            return keyed;
        }
        if nameless.len() == before {
            // Nothing joins: the best of them gives a row of its own.
            let first = nameless.remove(0);
            let id = &*first.published.advisory.id;
            for name in names(first) {
                ids_of.entry(name).or_default().insert(id);
            }
            keyed.push((id, first));
            if nameless.is_empty() {
                return keyed;
            }
        }
    }
}

/// The advisory's id and its aliases.
fn names<'a>(hit: &Spoken<'a>) -> impl Iterator<Item = &'a str> {
    let advisory = &hit.published.advisory;
    std::iter::once(&*advisory.id).chain(advisory.aliases.iter().map(String::as_str))
}

/// Puts the hit first that becomes the row.
fn row<'a>(
    id: &'a str,
    package_index: usize,
    ecosystem: Ecosystem,
    mut voices: Vec<Spoken<'a>>,
) -> Row<'a> {
    if voices.len() > 1 {
        voices.sort_by(|a, b| by_rank(a).cmp(&by_rank(b)));
        let chosen = choose(&voices, ecosystem);
        voices[..=chosen].rotate_right(1);
    }
    let suppression = voices[0].suppression;
    Row { id, package_index, voices, suppression }
}

fn by_rank<'b>(voice: &'b Spoken<'_>) -> (u8, &'b str, &'b pratique_model::PartId) {
    (voice.rank, &voice.published.advisory.id, &voice.published.part)
}

/// The index of the hit that becomes the row, among hits sorted by rank.
///
/// What says nothing (withdrawn, informational, undetermined) counts only if there is nothing else.
/// If the most trusted publisher rules the package out, the row is suppressed with its reason;
/// otherwise the shown hit with the greatest fixed version is chosen, because only that version
/// satisfies all of them.
fn choose(voices: &[Spoken<'_>], ecosystem: Ecosystem) -> usize {
    let is_strong = |voice: &&Spoken<'_>| {
        !matches!(
            voice.suppression,
            Some(Suppression::Withdrawn | Suppression::Informational | Suppression::Undetermined)
        )
    };
    let Some(best_rank) = voices.iter().filter(is_strong).map(|voice| voice.rank).min() else {
        return 0;
    };
    let is_shown = |voice: &Spoken<'_>| voice.suppression.is_none();
    let of_best = |voice: &&Spoken<'_>| voice.rank == best_rank && is_strong(voice);
    if !voices.iter().filter(of_best).any(is_shown) {
        return voices.iter().position(|voice| of_best(&voice)).unwrap_or(0);
    }
    let mut chosen: Option<usize> = None;
    for (index, voice) in voices.iter().enumerate().filter(|(_, voice)| is_shown(voice)) {
        let is_better = chosen.is_none_or(|best| is_preferred(voice, &voices[best], ecosystem));
        if is_better {
            chosen = Some(index);
        }
    }
    chosen.unwrap_or(0)
}

/// Whether a hit outranks one that stands before it: certain before doubtful, with a fix before
/// without, the greater fixed version before the smaller.
fn is_preferred(voice: &Spoken<'_>, best: &Spoken<'_>, ecosystem: Ecosystem) -> bool {
    let (outcome, best) = (&voice.hit.outcome, &best.hit.outcome);
    match best.is_doubtful().cmp(&outcome.is_doubtful()) {
        Ordering::Greater => return true,
        Ordering::Less => return false,
        Ordering::Equal => {}
    }
    match (outcome.fixed(), best.fixed()) {
        (Some(_), None) => true,
        (Some(fixed), Some(best)) => {
            ecosystem.scheme().compare(fixed, best) == Ok(Ordering::Greater)
        }
        (None, _) => false,
    }
}

/// Whose word counts more. Distro packages: the distribution's own advisories before those of the
/// one that it is built from. Language packages: the ecosystem's own database (it knows platforms
/// and symbols), then GitHub's, then others.
fn rank(published: &StoredAdvisory, package: &Package, release: Option<&Release>) -> u8 {
    if package.ecosystem.is_distro() {
        let source = published.part.source();
        let is_own = release.is_some_and(|release| release.distribution() == source);
        return u8::from(!is_own);
    }
    let prefix = match package.ecosystem {
        Ecosystem::Golang => "GO-",
        Ecosystem::Pypi => "PYSEC-",
        Ecosystem::Cargo => "RUSTSEC-",
        Ecosystem::Bitnami => "BIT-",
        _ => "GHSA-",
    };
    let id = &published.advisory.id;
    if id.starts_with(prefix) {
        0
    } else if id.starts_with("GHSA-") {
        1
    } else {
        2
    }
}
