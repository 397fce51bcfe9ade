//! Which packages of an image no data speaks of. They are named, never taken for clean.

use std::collections::BTreeMap;

use pratique_model::{Distro, Ecosystem, IndexReport, Package, Release, Unassessed};

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

/// How far the data at hand speaks of a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cover {
    /// Not at all.
    None,
    /// By a choice of advisories: what it does not name is not known to be clean.
    Choice,
    /// By all that the publisher says.
    Whole,
}

/// The packages that no data speaks of: those of an ecosystem none of whose scopes is covered, and
/// those that a mere choice of advisories does not name.
pub(crate) fn unassessed(
    report: &IndexReport,
    cover: impl Fn(&Scope) -> Cover,
    is_named: impl Fn(&Package) -> bool,
) -> Vec<Unassessed> {
    let mut packages: BTreeMap<Ecosystem, Vec<&Package>> = BTreeMap::new();
    for package in report.packages.iter().filter(|package| package.is_matched()) {
        packages.entry(package.ecosystem).or_default().push(package);
    }
    let mut unassessed = Vec::new();
    for (ecosystem, packages) in packages {
        let scopes = scopes(ecosystem, report.distro.as_ref());
        let best = scopes.iter().map(&cover).max().unwrap_or(Cover::None);
        let package_count = match best {
            Cover::Whole => 0,
            Cover::Choice => packages.iter().filter(|package| !is_named(package)).count(),
            Cover::None => packages.len(),
        };
        if package_count == 0 {
            continue;
        }
        let release = scopes.into_iter().next().and_then(|scope| scope.release);
        let why = match (best, &release) {
            (Cover::Choice, _) => {
                "the data at hand is a choice of advisories that does not name them".to_owned()
            }
            (_, Some(release)) => format!("no advisories for {ecosystem} packages of {release}"),
            (_, None) if ecosystem.is_distro() => {
                "the image does not say which distribution it is".to_owned()
            }
            (_, None) => format!("no advisories for {ecosystem} packages"),
        };
        unassessed.push(Unassessed { ecosystem, release, package_count, why });
    }
    unassessed
}
