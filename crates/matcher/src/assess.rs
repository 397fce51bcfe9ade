//! Asks the store and puts the answers together.
//!
//! Three questions, each for everything at once: the statements about all names, the advisories of
//! those that hit, the facts about their CVEs. Everything between the questions is pure and lies in
//! the other modules.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use pratique_model::{
    Assessment, DataPart, Distro, Finding, IndexReport, Package, PartId, Release, Suppressed,
    Suppression, Unassessed, vulnerability_year,
};
use pratique_store::{Database, PartState, StoreError};

use crate::coverage::{self, Cover, Scope};
use crate::finding::{Surroundings, finding};
use crate::row::{self, Row};
use crate::{ENRICHMENT_SOURCES, MatchError, Options, hit, lookup, rating};

/// The first year that a CVE id can name.
const FIRST_YEAR: u16 = 1999;

/// Says which packages of an image are vulnerable, and why.
///
/// Findings are sorted by risk (highest first), then id, then package; what is kept but not shown
/// stands in `suppressed`, and what no data speaks of in `unassessed`. `now` dates the answer.
/// One state of the database is asked throughout, so the caller must not hold one itself.
///
/// # Errors
/// [`MatchError::Store`] when the database cannot be asked; [`MatchError::is_transient`] says
/// whether trying again may help.
pub fn assess(
    report: &IndexReport,
    database: &Database,
    options: &Options,
    now: Timestamp,
) -> Result<Assessment, MatchError> {
    let ask = |asking: &'static str| move |source: StoreError| MatchError::Store { asking, source };
    let _state = database.hold().map_err(ask("for one state of all parts"))?;
    let states = database.parts().map_err(ask("which data there is"))?;
    let release = report.distro.as_ref().map(Distro::release);
    let release = release.as_ref();
    let subjects = hit::subjects(report);
    let covering =
        covering(report, release, database).map_err(ask("which data covers the image"))?;
    let is_covered = |scope: &Scope| covering.get(scope).is_some_and(|parts| !parts.is_empty());
    let statements = lookup::statements(&subjects, release, is_covered, database)
        .map_err(ask("for statements about packages"))?;
    let hits = lookup::hits(&subjects, release, &statements);
    let advisories = lookup::advisories(&hits, database).map_err(ask("for advisories"))?;
    let packages: Vec<&Package> = report.packages.iter().collect();
    let rows = row::join(hits, &advisories, release, &packages);
    let cves = cves(&rows);
    let facts = database.facts(&cves).map_err(ask("for facts about CVEs"))?;
    let dates = states.iter().filter_map(|state| Some((state.id.clone(), state.as_of?))).collect();
    let around = Surroundings { packages: &report.packages, facts: &facts, dates: &dates, now };
    let mut findings: Vec<(Finding, Option<Suppression>)> =
        rows.iter().map(|row| (finding(row, &around), row.suppression)).collect();
    rate_by_others(&mut findings, database).map_err(ask("for other severities"))?;
    let data = data_parts(&states, &covering, &cves, options.max_age, now);
    let unassessed = coverage::unassessed(
        report,
        release,
        |scope| cover(&covering[scope], &states),
        |package| lookup::is_named(package, release, &statements),
    );
    Ok(assessment(findings, unassessed, data, report, now))
}

fn assessment(
    all: Vec<(Finding, Option<Suppression>)>,
    unassessed: Vec<Unassessed>,
    data: Vec<DataPart>,
    report: &IndexReport,
    now: Timestamp,
) -> Assessment {
    let mut findings = Vec::with_capacity(all.len());
    let mut suppressed = Vec::new();
    for (finding, suppression) in by_risk(all, |(finding, _)| finding) {
        match suppression {
            Some(reason) => suppressed.push(Suppressed { finding, reason }),
            None => findings.push(finding),
        }
    }
    let today = now.to_zoned(TimeZone::UTC).date();
    let eol = report.distro.as_ref().and_then(|distro| distro.eol);
    let end_of_life = eol.filter(|eol| *eol < today);
    Assessment { findings, suppressed, unassessed, data, end_of_life }
}

/// Sorts findings, or what holds them: by risk, highest first, then id, then package. Their order
/// is found first and each is moved once, since a finding is several hundred bytes long.
pub(crate) fn by_risk<T>(items: Vec<T>, finding: impl Fn(&T) -> &Finding) -> Vec<T> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_unstable_by(|a, b| {
        let (a, b) = (finding(&items[*a]), finding(&items[*b]));
        b.risk
            .total_cmp(&a.risk)
            .then_with(|| a.id.cmp(&b.id))
            .then_with(|| a.package_index.cmp(&b.package_index))
    });
    let mut items: Vec<Option<T>> = items.into_iter().map(Some).collect();
    order.into_iter().filter_map(|index| items[index].take()).collect()
}

/// The parts that cover each scope of the image.
fn covering(
    report: &IndexReport,
    release: Option<&Release>,
    database: &Database,
) -> Result<BTreeMap<Scope, Vec<PartId>>, StoreError> {
    let mut covering = BTreeMap::new();
    let packages = report.packages.iter().filter(|package| package.is_matched());
    let ecosystems: BTreeSet<_> = packages.map(|package| package.ecosystem).collect();
    for ecosystem in ecosystems {
        for scope in coverage::scopes(ecosystem, release) {
            let parts = database.parts_covering(ecosystem, scope.release.as_ref())?;
            covering.insert(scope, parts);
        }
    }
    Ok(covering)
}

/// How far parts speak of the scope that they cover.
fn cover(parts: &[PartId], states: &[PartState]) -> Cover {
    let is_choice = |id: &PartId| {
        states.iter().find(|state| state.id == *id).is_some_and(|state| state.is_partial)
    };
    match parts {
        [] => Cover::None,
        parts if parts.iter().all(is_choice) => Cover::Choice,
        _ => Cover::Whole,
    }
}

fn cves<'a>(rows: &[Row<'a>]) -> Vec<&'a str> {
    let mut cves: Vec<&str> = rows.iter().map(|row| row.id).collect();
    cves.sort_unstable();
    cves.dedup();
    cves
}

/// Gives a severity to what neither the matched publisher nor GitHub nor NVD rates.
fn rate_by_others(
    findings: &mut [(Finding, Option<Suppression>)],
    database: &Database,
) -> Result<(), StoreError> {
    let unrated: BTreeSet<String> = findings
        .iter()
        .filter(|(finding, _)| finding.severity_source.is_none())
        .map(|(finding, _)| finding.id.clone())
        .collect();
    if unrated.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = unrated.iter().map(String::as_str).collect();
    let severities = database.severities_of(&ids)?;
    for (finding, _) in findings {
        if finding.severity_source.is_none()
            && let Some(others) = severities.get(&finding.id)
        {
            rating::by_others(finding, others);
        }
    }
    Ok(())
}

/// The parts that the answer rests on: those that cover the image, and those that were asked about
/// its CVEs.
fn data_parts(
    states: &[PartState],
    covering: &BTreeMap<Scope, Vec<PartId>>,
    cves: &[&str],
    max_age: Option<SignedDuration>,
    now: Timestamp,
) -> Vec<DataPart> {
    let covering: BTreeSet<&PartId> = covering.values().flatten().collect();
    let years: BTreeSet<u16> = cves.iter().filter_map(|id| vulnerability_year(id)).collect();
    let is_asked = |id: &PartId| {
        covering.contains(id)
            || (ENRICHMENT_SOURCES.contains(&id.source()) && speaks_of(id, &years))
    };
    states
        .iter()
        .filter(|state| state.is_loaded() && is_asked(&state.id))
        .map(|state| DataPart {
            part: state.id.clone(),
            as_of: state.as_of.or(state.last_success).unwrap_or(now),
            generation: state.generation,
            is_stale: max_age.is_some_and(|max_age| is_older(state, max_age, now)),
        })
        .collect()
}

/// Whether an enrichment part can know CVEs of these years. A part named after a year speaks of
/// that year; NVD's of 2002 also of all before it.
fn speaks_of(id: &PartId, years: &BTreeSet<u16>) -> bool {
    match id.part().parse::<u16>() {
        Ok(2002) => years.range(FIRST_YEAR..=2002).next().is_some(),
        Ok(year) => years.contains(&year),
        Err(_) => !years.is_empty(),
    }
}

fn is_older(state: &PartState, max_age: SignedDuration, now: Timestamp) -> bool {
    state.last_success.is_none_or(|at| now.duration_since(at) > max_age)
}
