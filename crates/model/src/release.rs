//! A release of a distribution, as advisories name it.

use std::fmt;

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
