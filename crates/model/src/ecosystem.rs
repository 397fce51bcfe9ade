//! Where versions are ordered one way.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use pratique_version::Scheme;

/// A family of packages whose versions are ordered one way. The text form is the package URL type
/// (`deb`, `npm`, `golang` …), which is also `packages[].type` of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ecosystem {
    /// Debian, Ubuntu and kin.
    Deb,
    /// Alpine, Wolfi, Chainguard and kin.
    Apk,
    /// Red Hat, SUSE, Mariner and kin.
    Rpm,
    /// JavaScript.
    Npm,
    /// Python.
    Pypi,
    /// Go modules and the Go standard library.
    Golang,
    /// Java; names are `group:artifact`.
    Maven,
    /// Ruby.
    Gem,
    /// Rust.
    Cargo,
    /// .NET.
    Nuget,
    /// PHP; names are `vendor/package`.
    Composer,
    /// Bitnami's builds.
    Bitnami,
    /// Programs that no package manager knows.
    Generic,
}

/// A text that names no ecosystem.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown ecosystem: {0:?}")]
pub struct UnknownEcosystem(
    /// The text as given.
    pub String,
);

impl Ecosystem {
    /// All ecosystems, in the order of their declaration.
    pub const ALL: [Self; 13] = [
        Self::Deb,
        Self::Apk,
        Self::Rpm,
        Self::Npm,
        Self::Pypi,
        Self::Golang,
        Self::Maven,
        Self::Gem,
        Self::Cargo,
        Self::Nuget,
        Self::Composer,
        Self::Bitnami,
        Self::Generic,
    ];

    /// The package URL type.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Apk => "apk",
            Self::Rpm => "rpm",
            Self::Npm => "npm",
            Self::Pypi => "pypi",
            Self::Golang => "golang",
            Self::Maven => "maven",
            Self::Gem => "gem",
            Self::Cargo => "cargo",
            Self::Nuget => "nuget",
            Self::Composer => "composer",
            Self::Bitnami => "bitnami",
            Self::Generic => "generic",
        }
    }

    /// How versions of this ecosystem are ordered. Bitnami and generic programs follow semver.
    pub const fn scheme(self) -> Scheme {
        match self {
            Self::Deb => Scheme::Deb,
            Self::Apk => Scheme::Apk,
            Self::Rpm => Scheme::Rpm,
            Self::Npm => Scheme::Npm,
            Self::Pypi => Scheme::Pypi,
            Self::Golang => Scheme::Golang,
            Self::Maven => Scheme::Maven,
            Self::Gem => Scheme::Gem,
            Self::Nuget => Scheme::Nuget,
            Self::Composer => Scheme::Composer,
            Self::Cargo | Self::Bitnami | Self::Generic => Scheme::Semver,
        }
    }

    /// Whether packages come from a distribution, so that advisories are per release.
    pub const fn is_distro(self) -> bool {
        matches!(self, Self::Deb | Self::Apk | Self::Rpm)
    }

    /// A package's name as feeds write it: PyPI's by PEP 503, NuGet's and Composer's in lower case,
    /// all others as they are (Go module paths are case-sensitive).
    pub fn lookup_name(self, name: &str) -> Cow<'_, str> {
        match self {
            Self::Pypi => {
                let mut normal = String::with_capacity(name.len());
                for letter in name.chars() {
                    if !matches!(letter, '-' | '_' | '.') {
                        normal.extend(letter.to_lowercase());
                    } else if !normal.ends_with('-') {
                        normal.push('-');
                    }
                }
                normal.into()
            }
            Self::Nuget | Self::Composer => name.to_lowercase().into(),
            _ => name.into(),
        }
    }
}

impl fmt::Display for Ecosystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Ecosystem {
    type Err = UnknownEcosystem;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|ecosystem| ecosystem.as_str() == text)
            .ok_or_else(|| UnknownEcosystem(text.to_owned()))
    }
}
