//! Which packages of an image no data speaks of. They are named, never taken for clean.

use std::collections::BTreeMap;

use pratique_model::{Ecosystem, IndexReport, Package, Release, Unassessed};

/// Whose images are made of another distribution's packages unchanged: Chainguard's of Wolfi's.
const BUILT_FROM: (&str, &str) = ("chainguard", "wolfi");

/// The releases under which packages of a release are looked up: its own, and that of the
/// distribution whose packages it ships unchanged.
fn releases(own: &Release) -> Vec<Release> {
    let mut releases = vec![own.clone()];
    if own.as_str() == BUILT_FROM.0 {
        releases.push(Release::new(BUILT_FROM.1, ""));
    }
    releases
}

/// The releases whose packages are looked up under a release: the reverse of [`scopes`].
pub(crate) fn concerned(release: Option<&Release>) -> Vec<Option<Release>> {
    let mut concerned = vec![release.cloned()];
    if release.is_some_and(|release| release.as_str() == BUILT_FROM.1) {
        concerned.push(Some(Release::new(BUILT_FROM.0, "")));
    }
    concerned
}

/// What is looked up together: packages of one ecosystem in one release.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Scope {
    pub(crate) ecosystem: Ecosystem,
    pub(crate) release: Option<Release>,
}

/// The scopes that a package of an ecosystem is looked up in, when it was found in a release; none
/// for a distro package of an image that names no distribution.
pub(crate) fn scopes(ecosystem: Ecosystem, release: Option<&Release>) -> Vec<Scope> {
    if !ecosystem.is_distro() {
        return vec![Scope { ecosystem, release: None }];
    }
    let releases = release.map(releases).unwrap_or_default();
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
    release: Option<&Release>,
    cover: impl Fn(&Scope) -> Cover,
    is_named: impl Fn(&Package) -> bool,
) -> Vec<Unassessed> {
    let mut packages: BTreeMap<Ecosystem, Vec<&Package>> = BTreeMap::new();
    for package in report.packages.iter().filter(|package| package.is_matched()) {
        packages.entry(package.ecosystem).or_default().push(package);
    }
    let mut unassessed = Vec::new();
    for (ecosystem, packages) in packages {
        let scopes = scopes(ecosystem, release);
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
