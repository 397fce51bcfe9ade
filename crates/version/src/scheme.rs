//! The schemes by name, and what each does with a version.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use crate::key::KeyWriter;
use crate::{apk, composer, deb, gem, golang, maven, npm, nuget, pypi, rpm, semver};

/// Longer texts are refused, in bytes. The longest version known in any feed has about 120; the
/// limit only bounds what a hostile file can cost.
pub const VERSION_BYTES_MAX: usize = 64 * 1024;

/// How much of a refused text an error repeats, in characters.
pub(crate) const QUOTED_CHARACTERS_MAX: usize = 200;

/// How versions are written and ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// dpkg.
    Deb,
    /// apk-tools.
    Apk,
    /// rpm.
    Rpm,
    /// PEP 440.
    Pypi,
    /// Semantic versioning 2.0.0; also Cargo's.
    Semver,
    /// node-semver.
    Npm,
    /// Go modules, and Go itself.
    Golang,
    /// Maven's ComparableVersion.
    Maven,
    /// RubyGems.
    Gem,
    /// NuGet.
    Nuget,
    /// Composer.
    Composer,
}

/// A version text that the scheme does not know how to order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionError {
    /// The scheme that refused it.
    pub scheme: Scheme,
    /// The text as given, at most 200 characters.
    pub version: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// A name that is no scheme's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownScheme(
    /// The text as given.
    pub String,
);

/// A key whose bytewise order is the order of versions; equal versions have equal keys. Keys of
/// different schemes do not compare.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SortKey(Vec<u8>);

impl fmt::Display for VersionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} version {:?}: {}", self.scheme.as_str(), self.version, self.problem)
    }
}

impl std::error::Error for VersionError {}

impl fmt::Display for UnknownScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown version scheme: {:?}; one of cargo", self.0)?;
        Scheme::ALL.iter().try_for_each(|scheme| write!(f, ", {scheme}"))
    }
}

impl std::error::Error for UnknownScheme {}

impl SortKey {
    /// The bytes, to be stored and compared by memcmp.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, to be kept.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Runs an expression for the module that knows the scheme.
macro_rules! with_module {
    ($scheme:expr, $module:ident => $body:expr) => {
        match $scheme {
            Scheme::Deb => {
                use deb as $module;
                $body
            }
            Scheme::Apk => {
                use apk as $module;
                $body
            }
            Scheme::Rpm => {
                use rpm as $module;
                $body
            }
            Scheme::Pypi => {
                use pypi as $module;
                $body
            }
            Scheme::Semver => {
                use semver as $module;
                $body
            }
            Scheme::Npm => {
                use npm as $module;
                $body
            }
            Scheme::Golang => {
                use golang as $module;
                $body
            }
            Scheme::Maven => {
                use maven as $module;
                $body
            }
            Scheme::Gem => {
                use gem as $module;
                $body
            }
            Scheme::Nuget => {
                use nuget as $module;
                $body
            }
            Scheme::Composer => {
                use composer as $module;
                $body
            }
        }
    };
}

impl Scheme {
    /// All schemes, in the order of their declaration.
    pub const ALL: [Self; 11] = [
        Self::Deb,
        Self::Apk,
        Self::Rpm,
        Self::Pypi,
        Self::Semver,
        Self::Npm,
        Self::Golang,
        Self::Maven,
        Self::Gem,
        Self::Nuget,
        Self::Composer,
    ];

    /// The name on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Apk => "apk",
            Self::Rpm => "rpm",
            Self::Pypi => "pypi",
            Self::Semver => "semver",
            Self::Npm => "npm",
            Self::Golang => "golang",
            Self::Maven => "maven",
            Self::Gem => "gem",
            Self::Nuget => "nuget",
            Self::Composer => "composer",
        }
    }

    /// Orders two versions.
    ///
    /// # Errors
    /// [`VersionError`] names the first of the two that the scheme's own tool refuses.
    pub fn compare(self, left: &str, right: &str) -> Result<Ordering, VersionError> {
        // Reading is most of the work where a version is only known to be valid at its end.
        if self == Self::Apk
            && let (Ok(left), Ok(right)) = (checked(left), checked(right))
            && let Some(order) = apk::compare_unchecked(left.as_bytes(), right.as_bytes())
        {
            return Ok(order);
        }
        with_module!(self, module => {
            let refused = |version, problem| self.error(version, problem);
            let left_parts = checked(left)
                .and_then(module::parse)
                .map_err(|problem| refused(left, problem))?;
            let right_parts = checked(right)
                .and_then(module::parse)
                .map_err(|problem| refused(right, problem))?;
            Ok(module::compare(&left_parts, &right_parts))
        })
    }

    /// The sort key of a version.
    ///
    /// # Errors
    /// [`VersionError`] when the scheme's own tool refuses the text.
    pub fn key(self, version: &str) -> Result<SortKey, VersionError> {
        with_module!(self, module => {
            let parts = checked(version)
                .and_then(module::parse)
                .map_err(|problem| self.error(version, problem))?;
            let mut key = KeyWriter::new(version.len());
            module::write_key(&parts, &mut key);
            Ok(SortKey(key.into_bytes()))
        })
    }

    /// Whether the scheme's own tool accepts the text.
    ///
    /// # Errors
    /// [`VersionError`] when it does not, with the reason.
    pub fn check(self, version: &str) -> Result<(), VersionError> {
        with_module!(self, module => {
            match checked(version).and_then(module::parse) {
                Ok(_) => Ok(()),
                Err(problem) => Err(self.error(version, problem)),
            }
        })
    }

    pub(crate) fn error(self, version: &str, problem: &'static str) -> VersionError {
        let version = version.chars().take(QUOTED_CHARACTERS_MAX).collect();
        VersionError { scheme: self, version, problem }
    }
}

/// What no scheme takes.
pub(crate) fn checked(version: &str) -> Result<&str, &'static str> {
    if version.is_empty() {
        Err("it is empty")
    } else if version.len() > VERSION_BYTES_MAX {
        Err("it is longer than 65536 bytes")
    } else {
        Ok(version)
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Scheme {
    type Err = UnknownScheme;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = if text == "cargo" { "semver" } else { text };
        Self::ALL
            .into_iter()
            .find(|scheme| scheme.as_str() == name)
            .ok_or_else(|| UnknownScheme(text.to_owned()))
    }
}

#[cfg(test)]
mod tests;
