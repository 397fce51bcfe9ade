//! Ranges of versions in the ecosystems' own syntax.
//!
//! Advisories, lock files and manifests write `>=1.0,<2`, `^1.2 || ~3.4`, `[1.0,2.0)`. Each scheme
//! that has such a syntax reads it as its own tool does; distributions have none. Whether a range
//! takes pre-releases is the tool's rule and can be changed, since an installed pre-release is as
//! vulnerable as the release that it became.

use std::fmt;

use crate::scheme::{QUOTED_CHARACTERS_MAX, VERSION_BYTES_MAX, checked};
use crate::{Scheme, VersionError};
use crate::{composer, gem, maven, npm, nuget, pypi, semver};

/// Which versions a range takes besides releases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prereleases {
    /// What the scheme's tool does when it is told nothing.
    #[default]
    Native,
    /// All pre-releases that lie within the bounds.
    Included,
    /// None. npm and Cargo have no such mode and do what they do natively.
    Excluded,
}

/// How to read a range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequirementOptions {
    /// Which versions it takes besides releases. Only npm, PyPI and Cargo have a rule to change.
    pub prereleases: Prereleases,
    /// npm only: take versions and ranges as node-semver does when it is `loose`.
    pub loose: bool,
}

/// A range of versions.
#[derive(Clone, Debug)]
pub struct Requirement {
    scheme: Scheme,
    options: RequirementOptions,
    set: Set,
}

/// A text that is no range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequirementError {
    /// The scheme that refused it.
    pub scheme: Scheme,
    /// The text as given, at most 200 characters.
    pub text: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

#[derive(Clone, Debug)]
enum Set {
    Pypi(pypi::specifier::SpecifierSet),
    Npm(npm::range::Range),
    Cargo(semver::requirement::VersionReq),
    Maven(maven::range::VersionRange),
    Gem(gem::requirement::Requirement),
    Nuget(nuget::range::VersionRange),
    Composer(composer::constraint::Constraint),
}

impl fmt::Display for RequirementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} range {:?}: {}", self.scheme, self.text, self.problem)
    }
}

impl std::error::Error for RequirementError {}

impl Requirement {
    /// Reads a range as the scheme's tool does when it is told nothing.
    ///
    /// # Errors
    /// [`RequirementError`] when the tool refuses the text, or the scheme has no ranges (`deb`,
    /// `apk`, `rpm`, `golang`).
    pub fn parse(scheme: Scheme, text: &str) -> Result<Self, RequirementError> {
        Self::parse_with(scheme, text, RequirementOptions::default())
    }

    /// Reads a range.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_with(
        scheme: Scheme,
        text: &str,
        options: RequirementOptions,
    ) -> Result<Self, RequirementError> {
        let error = |problem| RequirementError {
            scheme,
            text: text.chars().take(QUOTED_CHARACTERS_MAX).collect(),
            problem,
        };
        if text.len() > VERSION_BYTES_MAX {
            return Err(error("it is longer than 65536 bytes"));
        }
        let set = match scheme {
            Scheme::Pypi => pypi::specifier::parse(text).map(Set::Pypi),
            Scheme::Npm => npm::range::parse(text, options).map(Set::Npm),
            Scheme::Semver => semver::requirement::parse(text).map(Set::Cargo),
            Scheme::Maven => maven::range::parse(text).map(Set::Maven),
            Scheme::Gem => gem::requirement::parse(text).map(Set::Gem),
            Scheme::Nuget => nuget::range::parse(text).map(Set::Nuget),
            Scheme::Composer => composer::constraint::parse(text).map(Set::Composer),
            Scheme::Deb | Scheme::Apk | Scheme::Rpm | Scheme::Golang => {
                Err("the scheme has no ranges")
            }
        };
        Ok(Self { scheme, options, set: set.map_err(error)? })
    }

    /// The scheme it is written in.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Whether a version lies in the range.
    ///
    /// # Errors
    /// [`VersionError`] when the scheme refuses the version.
    pub fn matches(&self, version: &str) -> Result<bool, VersionError> {
        if let Set::Pypi(set) = &self.set
            && let Some(matched) = set.matches_text(version)
        {
            return Ok(matched);
        }
        let matched = checked(version).and_then(|version| self.set.matches(version, self.options));
        matched.map_err(|problem| self.scheme.error(version, problem))
    }
}

impl Set {
    fn matches(&self, version: &str, options: RequirementOptions) -> Result<bool, &'static str> {
        match self {
            Self::Pypi(set) => set.matches(version, options.prereleases),
            Self::Npm(range) => range.matches(version, options),
            Self::Cargo(set) => set.matches(version, options.prereleases),
            Self::Maven(range) => range.matches(version),
            Self::Gem(requirement) => requirement.matches(version),
            Self::Nuget(range) => range.matches(version),
            Self::Composer(constraint) => constraint.matches(version),
        }
    }
}

#[cfg(test)]
mod tests;
