//! Reads what a person asks: `CVE-2024-3094`, `deb/xz-utils>=5.6.0`, `debian:12/openssl`.
//!
//! A package is `WHERE/NAME` with an optional range. `WHERE` is an ecosystem (every release of it),
//! a distribution (`debian`), or one release (`debian:12`, `ubuntu:jammy`). `NAME` may hold slashes
//! (`npm/@babel/core`, `go/golang.org/x/net`); it ends where the range begins, since no ecosystem
//! has `<`, `=` or `>` in a name.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use pratique_model::{Distro, Ecosystem, Release, is_cve};
use pratique_version::{Scheme, SortKey};

/// How long a question may be, in bytes: a name and two versions are far below.
const BYTES_MAX: usize = 4_096;

/// How many bounds a range may have; two are usual.
const BOUNDS_MAX: usize = 16;

/// Words for ecosystems beside their own.
const WORDS: [(&str, Ecosystem); 12] = [
    ("dpkg", Ecosystem::Deb),
    ("node", Ecosystem::Npm),
    ("python", Ecosystem::Pypi),
    ("pip", Ecosystem::Pypi),
    ("go", Ecosystem::Golang),
    ("java", Ecosystem::Maven),
    ("ruby", Ecosystem::Gem),
    ("rubygems", Ecosystem::Gem),
    ("rust", Ecosystem::Cargo),
    ("crates.io", Ecosystem::Cargo),
    ("dotnet", Ecosystem::Nuget),
    ("packagist", Ecosystem::Composer),
];

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// A vulnerability, by its CVE id or any publisher's.
    Vulnerability(String),
    /// A package, known to be vulnerable or not.
    Package(PackageQuestion),
}

/// A package and the versions that are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageQuestion {
    /// Where its versions are ordered.
    pub ecosystem: Ecosystem,
    /// Of which releases.
    pub releases: Releases,
    /// Its name, as feeds write it.
    pub name: String,
    /// The versions asked for.
    pub range: VersionRange,
}

/// The releases that a question is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Releases {
    /// Every release, and images that name none.
    All,
    /// Every release of a distribution, by its id.
    Distribution(String),
    /// One release.
    One(Release),
}

/// Versions within bounds, all of which hold; without bounds every version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionRange {
    scheme: Scheme,
    bounds: Vec<Bound>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Bound {
    operator: Operator,
    version: String,
    key: SortKey,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

/// Why a question cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuestionError {
    /// Nothing is asked.
    #[error("empty question")]
    Empty,
    /// It is longer than any name with its versions.
    #[error("question of {0} bytes: at most 4096 are read")]
    TooLong(usize),
    /// It is neither an id nor a package with its ecosystem.
    #[error("neither a vulnerability nor a package of an ecosystem: {0:?}")]
    Unclear(String),
    /// What stands before the slash is no ecosystem and no distribution.
    #[error("unknown ecosystem or distribution: {0:?}")]
    Unplaced(String),
    /// No name stands after the slash.
    #[error("no package is named: {0:?}")]
    Unnamed(String),
    /// The range is not a list of bounds.
    #[error("range {0:?}: expected bounds such as >=1.0,<2.0")]
    Range(String),
    /// A bound is no version of the ecosystem.
    #[error("range: {0}")]
    Version(String),
}

impl QuestionError {
    /// What to do about it; apart from the message.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unclear(_) => Some(
                "name the ecosystem or the release too: deb/xz-utils, debian:12/xz-utils, \
                 npm/lodash; ids of vulnerabilities begin with capitals: CVE-2024-3094",
            ),
            Self::Unplaced(_) => Some(
                "ecosystems are deb, apk, rpm, npm, pypi, go, maven, gem, cargo, nuget, composer, \
                 bitnami, generic; releases are written debian:12",
            ),
            _ => None,
        }
    }
}

impl FromStr for Question {
    type Err = QuestionError;

    fn from_str(text: &str) -> Result<Self, QuestionError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(QuestionError::Empty);
        }
        if text.len() > BYTES_MAX {
            return Err(QuestionError::TooLong(text.len()));
        }
        match text.split_once('/') {
            Some((place, rest)) => package(place.trim(), rest).map(Self::Package),
            None => vulnerability(text)
                .map(Self::Vulnerability)
                .ok_or_else(|| QuestionError::Unclear(text.to_owned())),
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vulnerability(id) => formatter.write_str(id),
            Self::Package(package) => {
                match &package.releases {
                    Releases::All => write!(formatter, "{}", package.ecosystem)?,
                    Releases::Distribution(id) => formatter.write_str(id)?,
                    Releases::One(release) => write!(formatter, "{release}")?,
                }
                write!(formatter, "/{}{}", package.name, package.range)
            }
        }
    }
}

impl Releases {
    /// Whether packages of a release are asked for.
    pub fn hold(&self, release: Option<&Release>) -> bool {
        match self {
            Self::All => true,
            Self::Distribution(id) => release.is_some_and(|release| release.distribution() == id),
            Self::One(one) => release == Some(one),
        }
    }
}

impl VersionRange {
    /// Reads bounds with commas or spaces between.
    fn parse(scheme: Scheme, text: &str) -> Result<Self, QuestionError> {
        let error = || QuestionError::Range(text.to_owned());
        let mut bounds = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let (operator, after) = Operator::split(rest).ok_or_else(error)?;
            let after = after.trim_start();
            let end = after.find([',', ' ', '<', '>', '=']).unwrap_or(after.len());
            let version = &after[..end];
            if version.is_empty() || bounds.len() == BOUNDS_MAX {
                return Err(error());
            }
            let key = scheme.key(version);
            let key = key.map_err(|error| QuestionError::Version(error.to_string()))?;
            bounds.push(Bound { operator, version: version.to_owned(), key });
            let next = after[end..].trim_start();
            rest = match next.strip_prefix(',') {
                Some(next) if next.trim().is_empty() => return Err(error()),
                Some(next) => next.trim_start(),
                None => next,
            };
        }
        Ok(Self { scheme, bounds })
    }

    /// Whether a version lies within all bounds; without bounds every text does.
    ///
    /// # Errors
    /// The version parser's message when it has to be compared and cannot be read.
    pub fn holds(&self, version: &str) -> Result<bool, String> {
        if self.bounds.is_empty() {
            return Ok(true);
        }
        let key = self.scheme.key(version).map_err(|error| error.to_string())?;
        Ok(self.bounds.iter().all(|bound| bound.operator.holds(key.cmp(&bound.key))))
    }

    /// Whether it has no bounds.
    pub fn is_everything(&self) -> bool {
        self.bounds.is_empty()
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, bound) in self.bounds.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(formatter, "{comma}{}{}", bound.operator.as_str(), bound.version)?;
        }
        Ok(())
    }
}

impl Operator {
    /// Splits an operator off the start of a text.
    fn split(text: &str) -> Option<(Self, &str)> {
        [
            ("<=", Self::LessOrEqual),
            (">=", Self::GreaterOrEqual),
            ("==", Self::Equal),
            ("<", Self::Less),
            (">", Self::Greater),
            ("=", Self::Equal),
        ]
        .into_iter()
        .find_map(|(sign, operator)| Some((operator, text.strip_prefix(sign)?)))
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Equal => "=",
            Self::GreaterOrEqual => ">=",
            Self::Greater => ">",
        }
    }

    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Equal => order.is_eq(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Greater => order.is_gt(),
        }
    }
}

/// An id in the case that publishers write it: a CVE or GHSA in any case, others as they are, with
/// capitals before the first hyphen and a digit behind it.
fn vulnerability(text: &str) -> Option<String> {
    let upper = text.to_ascii_uppercase();
    if is_cve(&upper) {
        return Some(upper);
    }
    let (publisher, number) = text.split_once('-')?;
    if publisher.eq_ignore_ascii_case("CVE") {
        return None;
    }
    if publisher.eq_ignore_ascii_case("GHSA") && !number.is_empty() {
        return Some(format!("GHSA-{}", number.to_ascii_lowercase()));
    }
    let is_publisher = publisher.len() > 1
        && publisher.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let is_number = number.bytes().any(|byte| byte.is_ascii_digit())
        && number.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte));
    (is_publisher && is_number).then(|| text.to_owned())
}

fn package(place: &str, rest: &str) -> Result<PackageQuestion, QuestionError> {
    let (ecosystem, releases) = placed(place)?;
    let end = rest.find(['<', '>', '=']).unwrap_or(rest.len());
    let name = rest[..end].trim();
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err(QuestionError::Unnamed(format!("{place}/{rest}")));
    }
    let range = VersionRange::parse(ecosystem.scheme(), &rest[end..])?;
    Ok(PackageQuestion { ecosystem, releases, name: ecosystem.lookup_name(name).into(), range })
}

/// What the word before the slash stands for.
fn placed(place: &str) -> Result<(Ecosystem, Releases), QuestionError> {
    let word = place.to_ascii_lowercase();
    let named = WORDS.iter().find(|(known, _)| *known == word).map(|(_, ecosystem)| *ecosystem);
    if let Some(ecosystem) = named.or_else(|| word.parse().ok()) {
        return Ok((ecosystem, Releases::All));
    }
    let (id, version) = word.split_once(':').unwrap_or((&*word, ""));
    let distro = Distro { id: id.to_owned(), version: version.to_owned(), ..Distro::default() };
    let unplaced = || QuestionError::Unplaced(place.to_owned());
    let ecosystem = distro.ecosystem().ok_or_else(unplaced)?;
    let releases = match id {
        _ if version.is_empty() => Releases::Distribution(id.to_owned()),
        "debian" => Releases::One(Release::debian(version).unwrap_or_else(|| distro.release())),
        "ubuntu" => Releases::One(Release::ubuntu(version).unwrap_or_else(|| distro.release())),
        _ => Releases::One(distro.release()),
    };
    Ok((ecosystem, releases))
}

#[cfg(test)]
mod tests;
