//! Version requirements of Cargo: `^1.2`, `>=1.0, <1.5`, `~1.2.3`, `1.*`.
//!
//! Read and applied as the crate `semver` does for Cargo; RustSec writes its patched versions so.
//! What surprises: a bare version means `^`, and a pre-release is taken only if a bound is a
//! pre-release of the very same version.

use std::cmp::Ordering;

use super::{
    LeadingZeros, Version, are_identifiers, compare, parse as parse_version, split_at_byte,
};
use crate::bound::Operator;
use crate::decimal;
use crate::requirement::Prereleases;

/// Comparators that must all hold; none takes every release.
#[derive(Clone, Debug)]
pub(crate) struct VersionReq {
    comparators: Vec<Comparator>,
}

#[derive(Clone, Debug)]
struct Comparator {
    kind: Kind,
    /// One to three numbers, in digits.
    numbers: Vec<String>,
    prerelease: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Compare(Operator),
    Caret,
    Tilde,
    /// `1.*` or `1.2.*`.
    Wildcard,
}

/// Reads comparators separated by commas, or `*`.
pub(crate) fn parse(text: &str) -> Result<VersionReq, &'static str> {
    let text = text.trim();
    if matches!(text, "*" | "x" | "X") {
        return Ok(VersionReq { comparators: Vec::new() });
    }
    let comparators = text.split(',').map(parse_one).collect::<Result<_, _>>()?;
    Ok(VersionReq { comparators })
}

fn parse_one(text: &str) -> Result<Comparator, &'static str> {
    let text = text.trim();
    let (kind, rest) = match text.as_bytes().first() {
        Some(b'^') => (Some(Kind::Caret), &text[1..]),
        Some(b'~') => (Some(Kind::Tilde), &text[1..]),
        _ => {
            let (operator, rest) = Operator::split(text);
            (operator.map(Kind::Compare), rest)
        }
    };
    let (rest, build) = split_at_byte(rest.trim_start().as_bytes(), b'+');
    if build.is_some_and(|build| !are_identifiers(build, LeadingZeros::Allowed)) {
        return Err("the build metadata are not identifiers separated by dots");
    }
    let (release, prerelease) = split_at_byte(rest, b'-');
    let mut numbers = Vec::new();
    let mut is_open = false;
    for part in release.split(|&byte| byte == b'.') {
        let is_wildcard = matches!(part, b"*" | b"x" | b"X");
        let is_plain = part.len() == 1 || part.first() != Some(&b'0');
        if is_wildcard && !numbers.is_empty() {
            is_open = true;
        } else if is_open || !decimal::is_number(part) || !is_plain {
            return Err("it is not up to three numbers separated by dots");
        } else {
            numbers.push(String::from_utf8_lossy(part).into_owned());
        }
    }
    if release.split(|&byte| byte == b'.').count() > 3 {
        return Err("it has more than three numbers");
    }
    if build.is_some() && numbers.len() < 3 {
        return Err("build metadata need three numbers");
    }
    let prerelease = match prerelease {
        None => None,
        Some(_) if numbers.len() < 3 => return Err("a pre-release needs three numbers"),
        Some(text) if are_identifiers(text, LeadingZeros::Refused) => {
            Some(String::from_utf8_lossy(text).into_owned())
        }
        Some(_) => return Err("the pre-release is not identifiers separated by dots"),
    };
    let kind = kind.unwrap_or(if is_open { Kind::Wildcard } else { Kind::Caret });
    Ok(Comparator { kind, numbers, prerelease })
}

impl VersionReq {
    /// Whether all comparators take a version.
    pub(crate) fn matches(
        &self,
        text: &str,
        prereleases: Prereleases,
    ) -> Result<bool, &'static str> {
        let version = parse_version(text)?;
        let is_named = version.prerelease.is_none()
            || prereleases == Prereleases::Included
            || self.comparators.iter().any(|comparator| comparator.names(&version));
        // Cargo takes no pre-release for a part of what a partial version means, but of `^`.
        let leaves_out = |comparator: &Comparator| {
            prereleases != Prereleases::Included
                && version.prerelease.is_some()
                && comparator.kind != Kind::Caret
                && comparator.is_beginning_of(&version)
        };
        let takes = |comparator| !leaves_out(comparator) && comparator.matches(&version);
        Ok(is_named && self.comparators.iter().all(takes))
    }
}

impl Comparator {
    /// Whether it is a pre-release of the version's own release.
    fn names(&self, version: &Version<'_>) -> bool {
        self.prerelease.is_some() && self.shared_count(version) == 3
    }

    /// How many of its numbers, from the first on, are the version's.
    fn shared_count(&self, version: &Version<'_>) -> usize {
        let pairs = self.numbers.iter().zip(&version.numbers);
        pairs.take_while(|(left, right)| decimal::compare(left.as_bytes(), right).is_eq()).count()
    }

    /// Whether it is partial, and the version begins with it.
    fn is_beginning_of(&self, version: &Version<'_>) -> bool {
        self.numbers.len() < 3 && self.shared_count(version) == self.numbers.len()
    }

    /// How the version compares to the first version that begins with the numbers.
    fn compare(&self, version: &Version<'_>) -> Ordering {
        let number = |index: usize| self.numbers.get(index).map_or(&b"0"[..], |n| n.as_bytes());
        let bound = Version {
            numbers: [number(0), number(1), number(2)],
            prerelease: self.prerelease.as_deref().map(str::as_bytes),
        };
        compare(version, &bound)
    }

    fn matches(&self, version: &Version<'_>) -> bool {
        let shared_count = self.shared_count(version);
        // All versions that begin with a partial version are equal to it.
        let order =
            if self.is_beginning_of(version) { Ordering::Equal } else { self.compare(version) };
        match self.kind {
            Kind::Compare(operator) => operator.holds(order),
            Kind::Wildcard => shared_count == self.numbers.len(),
            Kind::Tilde => order.is_ge() && shared_count >= self.numbers.len().min(2),
            Kind::Caret => {
                let is_zero = |number: &String| decimal::trim(number.as_bytes()).is_empty();
                let zeros = self.numbers.iter().take_while(|number| is_zero(number)).count();
                order.is_ge() && shared_count >= (zeros + 1).min(self.numbers.len())
            }
        }
    }
}
