//! A publisher's statements, in the one form that all feeds are brought to.

use jiff::Timestamp;

use crate::{Cvss, Ecosystem, Release, Severity, Status};

/// What one publisher says of one advisory, with all packages it concerns.
///
/// A source that publishes per vulnerability (the Debian tracker, Alpine's secdb, Ubuntu's tracker)
/// gives one advisory per vulnerability, with the vulnerability's id as `id`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Advisory {
    /// The publisher's id: `ALSA-2022:1988`, `GO-2021-0113`, `GHSA-…`, `CVE-…`; unique in its part.
    pub id: String,
    /// The CVE ids that it is about, sorted; each gives a finding of its own. Empty when it names
    /// no CVE: then `id` is the finding's id.
    pub vulnerabilities: Vec<String>,
    /// Other ids for the same flaw that are not CVEs, sorted.
    pub aliases: Vec<String>,
    /// Where a person reads it.
    pub url: Option<String>,
    /// One line of text, as published.
    pub summary: Option<String>,
    /// When it was first published.
    pub published: Option<Timestamp>,
    /// When it was last changed.
    pub modified: Option<Timestamp>,
    /// Set when the publisher took it back; kept, never matched.
    pub withdrawn: Option<Timestamp>,
    /// The publisher's severity for the whole advisory.
    pub severity: Option<Severity>,
    /// Scores that the publisher gives, in its order.
    pub cvss: Vec<Cvss>,
    /// Why it is no vulnerability although it is in the feed: `unmaintained`, `unsound`, `notice`
    /// (RustSec's informational entries). Its findings are suppressed with that reason.
    pub informational: Option<String>,
    /// The packages concerned; may be empty (the vulnerability is still kept).
    pub affected: Vec<Affected>,
}

/// What [`Affected::package`] is a name of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NameKind {
    /// A binary (installed) package; also every language package.
    #[default]
    Binary,
    /// A source package; all binaries built from it are meant, by the source's version.
    Source,
    /// The feed does not say: a binary of that name, or any binary built from a source of that name
    /// (Mariner's OVAL).
    Either,
}

/// A statement about one package in one release or ecosystem.
#[derive(Clone, Debug, PartialEq)]
pub struct Affected {
    /// How its versions are ordered.
    pub ecosystem: Ecosystem,
    /// The distro release; `None` for language packages.
    pub release: Option<Release>,
    /// The name to look up: as published, but PyPI names by PEP 503, NuGet and Composer names in
    /// lower case; Go module paths keep their case.
    pub package: String,
    /// What the name means.
    pub name_kind: NameKind,
    /// The publisher's statement.
    pub status: Status,
    /// The publisher's own word for the status, where it has more than ours: `no-dsa`,
    /// `unimportant`, `postponed`, `ignored`, `end-of-life`, `needs-triage` …
    pub remark: Option<String>,
    /// Version ranges, any of which suffices. Empty together with `versions`: every version.
    pub ranges: Vec<Range>,
    /// Versions listed by name; they match by equality of text, besides the ranges.
    pub versions: Vec<String>,
    /// The publisher's severity for this package, before the advisory's.
    pub severity: Option<Severity>,
    /// The rpm module stream that the statement is limited to, `nodejs:18`; `*`: the package is
    /// modular, of which stream the publisher does not say, so any stream is meant; `None`: plain
    /// packages only.
    pub module: Option<String>,
    /// Architectures that it is limited to, in the ecosystem's words; empty: all.
    pub arches: Vec<String>,
    /// Platforms that it is limited to, Go's `os` or `os/architecture` words; empty: all.
    pub platforms: Vec<String>,
}

/// Versions from `introduced` on, until `fixed` (not included) or `last_affected` (included).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range {
    /// The first version concerned; `None` from the beginning.
    pub introduced: Option<String>,
    /// The first version no longer concerned; `None` with `last_affected: None`: no end.
    pub fixed: Option<String>,
    /// The last version concerned; never beside `fixed`.
    pub last_affected: Option<String>,
}

impl Affected {
    /// A statement about all versions of a package, to be narrowed by its fields.
    pub fn new(
        ecosystem: Ecosystem,
        release: Option<Release>,
        package: impl Into<String>,
        status: Status,
    ) -> Self {
        Self {
            ecosystem,
            release,
            package: package.into(),
            name_kind: NameKind::default(),
            status,
            remark: None,
            ranges: Vec::new(),
            versions: Vec::new(),
            severity: None,
            module: None,
            arches: Vec::new(),
            platforms: Vec::new(),
        }
    }
}

impl Range {
    /// Everything below `fixed`.
    pub fn below(fixed: impl Into<String>) -> Self {
        Self { fixed: Some(fixed.into()), ..Self::default() }
    }
}
