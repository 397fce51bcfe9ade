//! The verdict on one package and one statement. Pure, and the only place where versions are held
//! against advisories.
//!
//! A bound that cannot be read makes only what depends on it unknown: a version below `introduced`
//! is outside a range whatever stands in `fixed`. Versions listed by name are looked at first,
//! because they need no parsing. What a statement's status means for the report (shown or
//! suppressed) is decided in `suppression`, not here.

use std::cmp::Ordering;

use pratique_model::{Affected, Comparison, Ecosystem, NameKind, Package, Range, Status};
use pratique_version::Scheme;

use crate::installed::{Installed, Side};

/// In [`Affected::module`]: any stream is meant.
const ANY_STREAM: &str = "*";

/// What a statement means for an installed package.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict<'a> {
    /// The statement speaks of this package and its version. What it says (`affected`, `fixed`,
    /// `will_not_fix` …) is the statement's status.
    Affected(Proof<'a>),
    /// It does not.
    NotAffected(Exemption<'a>),
    /// It might: a version could not be read, or the image does not say enough.
    Unknown(Doubt<'a>),
}

/// Why a version is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof<'a> {
    /// The version that was compared: the package's own or its source package's.
    pub compared: &'a str,
    /// The range that holds it; `None` when it is listed by name or every version is meant.
    pub range: Option<&'a Range>,
    /// The version that mends it: the end of the range that holds the installed one.
    pub fixed: Option<&'a str>,
    /// How the comparison was made.
    pub comparison: Comparison,
}

/// Why a statement does not concern a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exemption<'a> {
    /// It speaks of another package: another name, or another module stream.
    OtherPackage,
    /// The version lies outside what it speaks of.
    OtherVersion,
    /// It would concern this version, on another platform or architecture.
    OtherPlatform(Proof<'a>),
    /// The publisher says that this version is not affected.
    Stated(Proof<'a>),
}

/// Why nobody can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt<'a> {
    /// The version that was to be compared.
    pub compared: &'a str,
    /// The range in question; `None` if it is not about one range.
    pub range: Option<&'a Range>,
    /// The end of that range.
    pub fixed: Option<&'a str>,
    /// One clause: the version parser's message.
    pub why: String,
}

/// Whether the version is in what a statement speaks of.
enum Reach<'a> {
    Inside(Proof<'a>),
    Outside,
    Unclear(Doubt<'a>),
}

/// Whether a package is of the module stream that a statement is limited to.
enum Stream {
    Same,
    Other,
    /// The package is modular, and the image does not say of which stream.
    NotRecorded,
}

/// Says what a statement means for an installed package.
///
/// The statement is taken to be of the package's own release; `affected.package` may be the
/// package's name or its source package's, as `affected.name_kind` says.
pub fn verdict<'a>(installed: &Installed<'a>, affected: &'a Affected) -> Verdict<'a> {
    let package = installed.package();
    let Some(side) = side(installed, affected) else {
        return Verdict::NotAffected(Exemption::OtherPackage);
    };
    let stream = stream(package, affected.module.as_deref());
    if matches!(stream, Stream::Other) {
        return Verdict::NotAffected(Exemption::OtherPackage);
    }
    match reach(package.ecosystem, side, affected) {
        Reach::Outside => Verdict::NotAffected(Exemption::OtherVersion),
        Reach::Unclear(_) if affected.status == Status::NotAffected => {
            Verdict::NotAffected(Exemption::OtherVersion)
        }
        Reach::Unclear(doubt) => Verdict::Unknown(doubt),
        Reach::Inside(proof) if affected.status == Status::NotAffected => {
            Verdict::NotAffected(Exemption::Stated(proof))
        }
        Reach::Inside(proof) if !is_on_platform(package, affected) => {
            Verdict::NotAffected(Exemption::OtherPlatform(proof))
        }
        Reach::Inside(proof) if matches!(stream, Stream::NotRecorded) => Verdict::Unknown(Doubt {
            compared: proof.compared,
            range: proof.range,
            fixed: proof.fixed,
            why: "the image does not say which module stream the package is of".to_owned(),
        }),
        Reach::Inside(proof) => Verdict::Affected(proof),
    }
}

/// The version that the statement speaks of; `None` if it is about another package.
fn side<'a, 'b>(installed: &'b Installed<'a>, affected: &Affected) -> Option<&'b Side<'a>> {
    let package = installed.package();
    let is_binary = || is_named(package, &affected.package);
    let is_source = || package.source_name() == affected.package;
    match affected.name_kind {
        NameKind::Binary => is_binary().then(|| installed.binary()),
        NameKind::Source => is_source().then(|| installed.source()),
        NameKind::Either if is_binary() => Some(installed.binary()),
        NameKind::Either => is_source().then(|| installed.source()),
    }
}

/// Whether a package's name is `name`, which is written as feeds write names of its ecosystem.
fn is_named(package: &Package, name: &str) -> bool {
    package.name == name || *package.lookup_name() == *name
}

fn stream(package: &Package, wanted: Option<&str>) -> Stream {
    let label = package.module.as_deref();
    let is_modular = label.is_some() || is_built_by_module(package);
    match (wanted, label) {
        (None, _) if is_modular => Stream::Other,
        (None, _) => Stream::Same,
        (Some(ANY_STREAM), _) if is_modular => Stream::Same,
        (Some(_), None) if is_modular => Stream::NotRecorded,
        (Some(_), None) => Stream::Other,
        (Some(wanted), Some(label)) => {
            let rest = label.strip_prefix(wanted);
            match rest {
                Some(rest) if rest.is_empty() || rest.starts_with(':') => Stream::Same,
                _ => Stream::Other,
            }
        }
    }
}

/// Whether an rpm's release says that it was built in a module; old databases have the label of
/// only some packages.
fn is_built_by_module(package: &Package) -> bool {
    package.ecosystem == Ecosystem::Rpm
        && (package.version.contains(".module_") || package.version.contains(".module+"))
}

/// Whether a package may be on one of the statement's platforms and architectures. What the image
/// does not say limits nothing; `noarch` and `all` are every architecture.
fn is_on_platform(package: &Package, affected: &Affected) -> bool {
    let any = |arch: &str| matches!(arch, "noarch" | "all");
    let is_arch = match package.arch.as_deref() {
        _ if affected.arches.is_empty() => true,
        None => true,
        Some(arch) => any(arch) || affected.arches.iter().any(|one| one == arch || any(one)),
    };
    let is_platform = match package.built_for.as_deref() {
        _ if affected.platforms.is_empty() => true,
        None => true,
        Some(built_for) => {
            let system = built_for.split('/').next().unwrap_or(built_for);
            affected.platforms.iter().any(|one| one == built_for || one == system)
        }
    };
    is_arch && is_platform
}

fn reach<'a>(ecosystem: Ecosystem, side: &Side<'a>, affected: &'a Affected) -> Reach<'a> {
    let compared = side.text();
    if affected.ranges.is_empty() && affected.versions.is_empty() {
        return Reach::Inside(Proof {
            compared,
            range: None,
            fixed: None,
            comparison: Comparison::Everything,
        });
    }
    if is_listed(ecosystem, side, &affected.versions) {
        let fixed = next_fix(side, &affected.ranges);
        let comparison = Comparison::Listed;
        return Reach::Inside(Proof { compared, range: None, fixed, comparison });
    }
    let mut inside: Option<&Range> = None;
    let mut unclear = None;
    for range in &affected.ranges {
        match holds(side, range) {
            Ok(true) if inside.is_none_or(|best| ends_after(side, range, best)) => {
                inside = Some(range);
            }
            Ok(_) => {}
            Err(why) => {
                let fixed = range.fixed.as_deref();
                unclear.get_or_insert(Doubt { compared, range: Some(range), fixed, why });
            }
        }
    }
    match (inside, unclear) {
        (Some(range), _) => Reach::Inside(Proof {
            compared,
            range: Some(range),
            fixed: range.fixed.as_deref(),
            comparison: if *range == Range::default() {
                Comparison::Everything
            } else {
                Comparison::Ordered(ecosystem)
            },
        }),
        (None, Some(doubt)) => Reach::Unclear(doubt),
        (None, None) => Reach::Outside,
    }
}

/// Whether one range that holds a version goes on for longer than another that does: only beyond
/// both is the version mended.
fn ends_after(side: &Side<'_>, range: &Range, other: &Range) -> bool {
    let end = |range: &Range| range.fixed.as_ref().or(range.last_affected.as_ref()).cloned();
    match (end(range), end(other)) {
        (Some(end), Some(other)) => side.scheme().compare(&end, &other) == Ok(Ordering::Greater),
        (None, Some(_)) => true,
        (_, None) => false,
    }
}

/// Whether a range holds a version; an end that can be read and rules it out decides.
fn holds(side: &Side<'_>, range: &Range) -> Result<bool, String> {
    let after = match range.introduced.as_deref() {
        // OSV's word for "from the beginning"; some schemes order versions below it.
        None | Some("0") => Ok(true),
        Some(introduced) => side.order(introduced).map(Ordering::is_ge),
    };
    if after == Ok(false) {
        return after;
    }
    let before = match (range.fixed.as_deref(), range.last_affected.as_deref()) {
        (Some(fixed), _) => side.order(fixed).map(Ordering::is_lt),
        (None, Some(last)) => side.order(last).map(Ordering::is_le),
        (None, None) => Ok(true),
    };
    if before == Ok(false) {
        return before;
    }
    after.and(before)
}

/// Whether a version is one of those listed: by text, which needs no parsing, or because its
/// ecosystem calls the two equal (`1.0` and `1.0.0` on PyPI).
fn is_listed(ecosystem: Ecosystem, side: &Side<'_>, versions: &[String]) -> bool {
    if versions.iter().any(|version| version == side.text()) {
        return true;
    }
    versions.iter().any(|version| side.order(version) == Ok(Ordering::Equal))
        || (ecosystem.scheme() == Scheme::Pypi && is_listed_without_local(side, versions))
}

/// PEP 440 "version matching": a local label of the installed version is ignored where the
/// version it is held against has none, so `1.13.1+cu117` is a build of `1.13.1`.
fn is_listed_without_local(side: &Side<'_>, versions: &[String]) -> bool {
    let Some((public, _)) = side.text().split_once('+') else { return false };
    let public = Side::new(Scheme::Pypi, public);
    versions
        .iter()
        .any(|version| version == public.text() || public.order(version) == Ok(Ordering::Equal))
}

/// For a version listed by name: the smallest of the ranges' ends above it; where nothing can be
/// compared, the only end there is.
fn next_fix<'a>(side: &Side<'_>, ranges: &'a [Range]) -> Option<&'a str> {
    let ends: Vec<&str> = ranges.iter().filter_map(|range| range.fixed.as_deref()).collect();
    let mut best: Option<&str> = None;
    for end in &ends {
        match side.order(end) {
            Ok(Ordering::Less) => {}
            Ok(_) => continue,
            Err(_) => return if let [only] = ends[..] { Some(only) } else { None },
        }
        let is_better =
            best.is_none_or(|best| side.scheme().compare(end, best) == Ok(Ordering::Less));
        if is_better {
            best = Some(end);
        }
    }
    best
}

#[cfg(test)]
mod tests;
