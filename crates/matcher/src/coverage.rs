//! Which packages of an image no data speaks of. They are named, never taken for clean.

use std::collections::BTreeMap;

use pratique_model::{Distro, Ecosystem, IndexReport, Release, Unassessed};

use crate::hit::is_matched;

/// The releases under which a distribution's packages are looked up: its own, and that of the
/// distribution whose packages it ships unchanged (Chainguard's images are made of Wolfi's).
pub(crate) fn releases(distro: &Distro) -> Vec<Release> {
    let own = distro.release();
    match distro.id.as_str() {
        "chainguard" => vec![own, Release::new("wolfi", "")],
        _ => vec![own],
    }
}

/// What is looked up together: packages of one ecosystem in one release.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Scope {
    pub(crate) ecosystem: Ecosystem,
    pub(crate) release: Option<Release>,
}

/// The scopes that a package of an ecosystem is looked up in; empty for a distro package of an
/// image that names no distribution.
pub(crate) fn scopes(ecosystem: Ecosystem, distro: Option<&Distro>) -> Vec<Scope> {
    if !ecosystem.is_distro() {
        return vec![Scope { ecosystem, release: None }];
    }
    let releases = distro.map(releases).unwrap_or_default();
    releases.into_iter().map(|release| Scope { ecosystem, release: Some(release) }).collect()
}

/// The packages of each ecosystem that none of its scopes covers.
pub(crate) fn unassessed(
    report: &IndexReport,
    is_covered: impl Fn(&Scope) -> bool,
) -> Vec<Unassessed> {
    let mut counts: BTreeMap<Ecosystem, usize> = BTreeMap::new();
    for package in report.packages.iter().filter(|package| is_matched(package)) {
        *counts.entry(package.ecosystem).or_default() += 1;
    }
    let mut unassessed = Vec::new();
    for (ecosystem, package_count) in counts {
        let scopes = scopes(ecosystem, report.distro.as_ref());
        if scopes.iter().any(&is_covered) {
            continue;
        }
        let release = scopes.into_iter().next().and_then(|scope| scope.release);
        let why = match (&release, ecosystem.is_distro()) {
            (Some(release), _) => format!("no advisories for {ecosystem} packages of {release}"),
            (None, true) => "the image does not say which distribution it is".to_owned(),
            (None, false) => format!("no advisories for {ecosystem} packages"),
        };
        unassessed.push(Unassessed { ecosystem, release, package_count, why });
    }
    unassessed
}
