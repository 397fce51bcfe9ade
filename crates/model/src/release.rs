//! A release of a distribution, as advisories name it.

use std::fmt;

/// Debian's codenames and numbers, from `distro-info-data` and the release notes. The last ones are
/// not released yet: their images say only the codename.
const DEBIAN_CODENAMES: [(&str, &str); 13] = [
    ("sarge", "3.1"),
    ("etch", "4"),
    ("lenny", "5"),
    ("squeeze", "6"),
    ("wheezy", "7"),
    ("jessie", "8"),
    ("stretch", "9"),
    ("buster", "10"),
    ("bullseye", "11"),
    ("bookworm", "12"),
    ("trixie", "13"),
    ("forky", "14"),
    ("duke", "15"),
];

/// Ubuntu's codenames (the first word, as the tracker writes them) and numbers.
const UBUNTU_CODENAMES: [(&str, &str); 44] = [
    ("warty", "4.10"),
    ("hoary", "5.04"),
    ("breezy", "5.10"),
    ("dapper", "6.06"),
    ("edgy", "6.10"),
    ("feisty", "7.04"),
    ("gutsy", "7.10"),
    ("hardy", "8.04"),
    ("intrepid", "8.10"),
    ("jaunty", "9.04"),
    ("karmic", "9.10"),
    ("lucid", "10.04"),
    ("maverick", "10.10"),
    ("natty", "11.04"),
    ("oneiric", "11.10"),
    ("precise", "12.04"),
    ("quantal", "12.10"),
    ("raring", "13.04"),
    ("saucy", "13.10"),
    ("trusty", "14.04"),
    ("utopic", "14.10"),
    ("vivid", "15.04"),
    ("wily", "15.10"),
    ("xenial", "16.04"),
    ("yakkety", "16.10"),
    ("zesty", "17.04"),
    ("artful", "17.10"),
    ("bionic", "18.04"),
    ("cosmic", "18.10"),
    ("disco", "19.04"),
    ("eoan", "19.10"),
    ("focal", "20.04"),
    ("groovy", "20.10"),
    ("hirsute", "21.04"),
    ("impish", "21.10"),
    ("jammy", "22.04"),
    ("kinetic", "22.10"),
    ("lunar", "23.04"),
    ("mantic", "23.10"),
    ("noble", "24.04"),
    ("oracular", "24.10"),
    ("plucky", "25.04"),
    ("questing", "25.10"),
    ("resolute", "26.04"),
];

/// A distro release, `debian:12`, `ubuntu:18.04`, `alpine:3.10`, `alpine:edge`, `almalinux:8`,
/// `mariner:2.0`, `azurelinux:3.0`; a rolling distribution is its bare id, `wolfi`, `chainguard`.
///
/// This is the granularity at which the publisher makes statements: AlmaLinux speaks of `8`,
/// never of `8.5`; [`crate::Distro::release`] does that cut.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Release(String);

impl Release {
    /// Wraps `id` and `version` (empty for a rolling distribution), both lower-cased.
    pub fn new(id: &str, version: &str) -> Self {
        let mut text = id.to_ascii_lowercase();
        if !version.is_empty() {
            text.push(':');
            text.push_str(&version.to_ascii_lowercase());
        }
        Self(text)
    }

    /// Wraps the text form, `id` or `id:version`, as [`Self::as_str`] gives it.
    pub fn from_text(text: &str) -> Self {
        Self(text.to_ascii_lowercase())
    }

    /// The Debian release of a codename, `trixie` → `debian:13`; `sid` and `unstable` are
    /// `debian:sid`. `None` for a codename that we do not know.
    pub fn debian(codename: &str) -> Option<Self> {
        if matches!(codename, "sid" | "unstable") {
            return Some(Self::new("debian", "sid"));
        }
        number(&DEBIAN_CODENAMES, codename).map(|version| Self::new("debian", version))
    }

    /// The Ubuntu release of a codename, `jammy` → `ubuntu:22.04`. `None` for one that we do not
    /// know.
    pub fn ubuntu(codename: &str) -> Option<Self> {
        number(&UBUNTU_CODENAMES, codename).map(|version| Self::new("ubuntu", version))
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The distribution's id, `debian`.
    pub fn distribution(&self) -> &str {
        self.0.split_once(':').map_or(&*self.0, |(id, _)| id)
    }

    /// The version within the distribution; empty for a rolling one.
    pub fn version(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, version)| version)
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn number(table: &[(&str, &'static str)], codename: &str) -> Option<&'static str> {
    table.iter().find(|(name, _)| *name == codename).map(|(_, version)| *version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codenames_have_their_numbers() {
        let debian = |name| Release::debian(name).map(|release| release.to_string());
        let ubuntu = |name| Release::ubuntu(name).map(|release| release.to_string());
        assert_eq!(debian("buster").as_deref(), Some("debian:10"));
        assert_eq!(debian("forky").as_deref(), Some("debian:14"));
        assert_eq!(debian("sid").as_deref(), Some("debian:sid"));
        assert_eq!(debian("bionic"), None);
        assert_eq!(ubuntu("bionic").as_deref(), Some("ubuntu:18.04"));
        assert_eq!(ubuntu("devel"), None);
    }
}
