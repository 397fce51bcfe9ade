//! Version specifiers of PEP 440: `>=1.0,!=1.3.*,<2`.
//!
//! Read and applied as `packaging.specifiers.SpecifierSet` (26) does. What surprises: `>1.0` leaves
//! out the post-releases of 1.0 and `<1.0` its pre-releases; a local version counts only if the
//! specifier names one; and a single pre-release is taken, since `packaging` 26 prefers it to
//! nothing.

use std::cmp::Ordering;

use super::{Phase, Version, compare, compare_public, is_space, parse as parse_version};
use crate::bound::Operator;
use crate::decimal;
use crate::requirement::Prereleases;

/// Specifiers that must all hold; none takes everything.
#[derive(Clone, Debug)]
pub(crate) struct SpecifierSet {
    specifiers: Vec<Specifier>,
}

#[derive(Clone, Debug)]
struct Specifier {
    kind: Kind,
    /// The version; of a prefix, without the `.*`.
    version: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Compare(Operator),
    /// `==1.2.*`.
    Prefix,
    /// `!=1.2.*`.
    NotPrefix,
    /// `~=`.
    Compatible,
    /// `===`.
    Text,
}

/// Reads specifiers separated by commas.
pub(crate) fn parse(text: &str) -> Result<SpecifierSet, &'static str> {
    let parts = text.split(',').map(|part| part.trim_matches(is_space));
    let specifiers = parts.filter(|part| !part.is_empty()).map(parse_one).collect::<Result<_, _>>();
    Ok(SpecifierSet { specifiers: specifiers? })
}

fn parse_one(text: &str) -> Result<Specifier, &'static str> {
    if let Some(version) = text.strip_prefix("===") {
        let version = version.trim_matches(is_space);
        if version.contains(|c| is_space(c) || matches!(c, ';' | ')')) {
            return Err("what follows `===` has a space, `;` or `)` inside");
        }
        return Ok(Specifier { kind: Kind::Text, version: version.to_owned() });
    }
    let (kind, version) = if let Some(version) = text.strip_prefix("~=") {
        (Kind::Compatible, version)
    } else if let Some(version) = text.strip_prefix("==") {
        (Kind::Compare(Operator::Equal), version)
    } else if let Some(version) = text.strip_prefix("!=") {
        (Kind::Compare(Operator::NotEqual), version)
    } else {
        match Operator::split(text) {
            (None | Some(Operator::Equal), _) => return Err("it has no operator of PEP 440"),
            (Some(operator), version) => (Kind::Compare(operator), version),
        }
    };
    let version = version.trim_matches(is_space);
    let (kind, version) = match (kind, version.strip_suffix(".*")) {
        (Kind::Compare(Operator::Equal), Some(prefix)) => (Kind::Prefix, prefix),
        (Kind::Compare(Operator::NotEqual), Some(prefix)) => (Kind::NotPrefix, prefix),
        _ => (kind, version),
    };
    let parsed = parse_version(version)?;
    check_bound(kind, &parsed)?;
    Ok(Specifier { kind, version: version.to_owned() })
}

fn check_bound(kind: Kind, version: &Version<'_>) -> Result<(), &'static str> {
    let is_plain = version.phase == Phase::Final && version.post.is_none();
    match kind {
        Kind::Prefix | Kind::NotPrefix if !is_plain || version.local.is_some() => {
            Err("only release numbers can stand before `.*`")
        }
        Kind::Compatible if !version.release.contains(&b'.') => {
            Err("`~=` needs at least two release numbers")
        }
        Kind::Compare(Operator::Equal | Operator::NotEqual) => Ok(()),
        _ if version.local.is_some() => Err("only `==` and `!=` can have a local version"),
        _ => Ok(()),
    }
}

impl SpecifierSet {
    /// The answer for a text that is no version, if the set gives one: only `===` can take it.
    pub(crate) fn matches_text(&self, version: &str) -> Option<bool> {
        let has_text = self.specifiers.iter().any(|specifier| specifier.kind == Kind::Text);
        (has_text && parse_version(version).is_err()).then(|| {
            let mut specifiers = self.specifiers.iter();
            specifiers.all(|specifier| specifier.kind == Kind::Text && specifier.is_text(version))
        })
    }

    /// Whether all specifiers take the version.
    pub(crate) fn matches(
        &self,
        text: &str,
        prereleases: Prereleases,
    ) -> Result<bool, &'static str> {
        let version = parse_version(text)?;
        let is_prerelease = version.phase != Phase::Final || version.dev.is_some();
        if is_prerelease && prereleases == Prereleases::Excluded {
            return Ok(false);
        }
        for specifier in &self.specifiers {
            if !specifier.matches(text, &version)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Specifier {
    fn is_text(&self, version: &str) -> bool {
        self.version.to_lowercase() == version.to_lowercase()
    }

    fn matches(&self, text: &str, version: &Version<'_>) -> Result<bool, &'static str> {
        if self.kind == Kind::Text {
            return Ok(self.is_text(text));
        }
        let bound = parse_version(&self.version)?;
        Ok(match self.kind {
            Kind::Prefix => has_prefix(version, &bound, bound.release),
            Kind::NotPrefix => !has_prefix(version, &bound, bound.release),
            Kind::Compatible => {
                let last_dot = bound.release.iter().rposition(|&byte| byte == b'.');
                let prefix = &bound.release[..last_dot.unwrap_or(bound.release.len())];
                compare(version, &bound).is_ge() && has_prefix(version, &bound, prefix)
            }
            Kind::Compare(operator) => compare_with_bound(operator, version, &bound),
            Kind::Text => false,
        })
    }
}

/// Whether the version is of the bound's epoch and its release starts with these numbers, missing
/// ones being zero.
fn has_prefix(version: &Version<'_>, bound: &Version<'_>, prefix: &[u8]) -> bool {
    let mut release = version.release.split(|&byte| byte == b'.');
    decimal::compare(version.epoch, bound.epoch).is_eq()
        && prefix
            .split(|&byte| byte == b'.')
            .all(|number| decimal::compare(release.next().unwrap_or_default(), number).is_eq())
}

fn compare_with_bound(operator: Operator, version: &Version<'_>, bound: &Version<'_>) -> bool {
    match operator {
        Operator::GreaterOrEqual => compare(version, bound).is_ge(),
        Operator::Less => compare(version, &first_development(bound)).is_lt(),
        Operator::Greater => {
            compare_public(version, bound).is_gt() && !is_post_release(version, bound)
        }
        Operator::Equal | Operator::NotEqual if bound.local.is_some() => {
            operator.holds(compare(version, bound))
        }
        _ => operator.holds(compare_public(version, bound)),
    }
}

/// The bound of `<`: before a release come its pre-releases, which are left out too.
fn first_development<'a>(bound: &Version<'a>) -> Version<'a> {
    if bound.phase != Phase::Final || bound.dev.is_some() {
        return *bound;
    }
    let phase = if bound.post.is_none() { Phase::Development } else { bound.phase };
    Version { phase, dev: Some(b"0"), ..*bound }
}

/// Whether the version is a post-release of a bound that is none itself.
fn is_post_release(version: &Version<'_>, bound: &Version<'_>) -> bool {
    bound.post.is_none()
        && bound.dev.is_none()
        && version.post.is_some()
        && compare_public(&Version { post: None, dev: None, ..*version }, bound) == Ordering::Equal
}
