//! The matcher's answer.

use jiff::Timestamp;
use jiff::civil::Date;

use crate::{Cvss, Ecosystem, Epss, KnownExploited, PartId, Release, Severity, Status};

/// One package of one image affected by one vulnerability.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The CVE id, or the publisher's id where there is no CVE.
    pub id: String,
    /// Other ids that are not CVEs, sorted, without `id`.
    pub aliases: Vec<String>,
    /// The index of the package in the index report's packages.
    pub package_index: usize,
    /// The installed version of the binary package, as `packages[].version`.
    pub installed: String,
    /// The version that mends it; `None` if there is none.
    pub fixed: Option<String>,
    /// The publisher's statement: `fixed` when a newer version mends it.
    pub status: Status,
    /// The publisher's own word beside the status.
    pub remark: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// Who says so: a source's name, `ghsa`, `nvd`; `None` when nobody does.
    pub severity_source: Option<String>,
    /// The score shown, by the same order as the severity.
    pub cvss: Option<Cvss>,
    /// Exploit prediction.
    pub epss: Option<Epss>,
    /// Known exploitation.
    pub kev: Option<KnownExploited>,
    /// 0.0–100.0, one decimal; the formula is in `docs/matching.md`.
    pub risk: f64,
    /// Where the statement comes from.
    pub advisory: AdvisoryReference,
    /// Set when the installed version or the advisory's cannot be parsed, so that the verdict is
    /// unknown and the finding is shown to be safe: the parser's message.
    pub unparsable: Option<String>,
    /// Why it is a finding.
    pub explanation: Explanation,
}

/// Where a statement comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdvisoryReference {
    /// The source's name, `debian`.
    pub source: String,
    /// The publisher's id.
    pub id: String,
    /// Where a person reads it.
    pub url: Option<String>,
}

/// The facts that led to a finding, enough to check it by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The name that was looked up and the release it was looked up in.
    pub looked_up: String,
    /// The version that was compared (the source package's, where the advisory speaks of sources).
    pub compared: String,
    /// The range that holds it, in words: `< 1.1.1d-r2`, `>= 2.0, < 2.15.0`, `every version`,
    /// `listed by name`.
    pub range: String,
    /// How the comparison was made.
    pub comparison: Comparison,
    /// The part of the feed.
    pub part: PartId,
    /// The upstream's own date of that part, else the date it was fetched.
    pub as_of: Timestamp,
    /// Why this severity: `debian says unimportant`, `nvd CVSS 3.1 base score 9.8`.
    pub severity: String,
}

/// How a version was held against an advisory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// By the scheme of this ecosystem.
    Ordered(Ecosystem),
    /// By equality with a listed version.
    Listed,
    /// Not at all: the advisory speaks of every version.
    Everything,
    /// The versions could not be compared.
    Unknown,
}

/// Why a finding is not shown by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Suppression {
    /// The publisher says that the package is not affected.
    NotAffected,
    /// Nobody knows whether it is affected.
    Undetermined,
    /// The publisher (Debian) calls it unimportant.
    Unimportant,
    /// The publisher (Ubuntu) ignores it.
    Ignored,
    /// The entry is informational (RustSec).
    Informational,
    /// The publisher took the advisory back.
    Withdrawn,
    /// The advisory is limited to another platform or architecture.
    OtherPlatform,
    /// The user asked not to see findings of this status.
    IgnoredStatus,
    /// The user asked only for findings with a fix.
    NoFix,
    /// The user asked only for findings at or above a severity.
    BelowSeverity,
}

/// A finding that is kept, with the reason why it is not shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Suppressed {
    /// The finding as it would stand.
    pub finding: Finding,
    /// Why it is not shown.
    pub reason: Suppression,
}

/// Packages that no data covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unassessed {
    /// Their ecosystem.
    pub ecosystem: Ecosystem,
    /// The release that no part covers, for distro packages.
    pub release: Option<Release>,
    /// How many packages that leaves without an answer.
    pub package_count: usize,
    /// Why, one clause: `no advisories for debian:10`.
    pub why: String,
}

/// A part of the data that the answer rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataPart {
    /// The part.
    pub part: PartId,
    /// The upstream's own date, else that of the fetch.
    pub as_of: Timestamp,
    /// The number of its last applied change.
    pub generation: u64,
    /// Whether it is older than what was asked for and could not be refreshed.
    pub is_stale: bool,
}

/// All that the matcher says of one image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Assessment {
    /// What is shown, sorted by risk (highest first), then id, then package.
    pub findings: Vec<Finding>,
    /// What is kept but not shown, in the same order.
    pub suppressed: Vec<Suppressed>,
    /// What could not be assessed; never taken for clean.
    pub unassessed: Vec<Unassessed>,
    /// The parts that were asked, sorted.
    pub data: Vec<DataPart>,
    /// The last day of the distribution's security support, if it is over.
    pub end_of_life: Option<Date>,
}

impl Suppression {
    /// All reasons, in the order of their declaration.
    pub const ALL: [Self; 10] = [
        Self::NotAffected,
        Self::Undetermined,
        Self::Unimportant,
        Self::Ignored,
        Self::Informational,
        Self::Withdrawn,
        Self::OtherPlatform,
        Self::IgnoredStatus,
        Self::NoFix,
        Self::BelowSeverity,
    ];

    /// The text form, as `suppressed[].reason` of the report has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotAffected => "not_affected",
            Self::Undetermined => "undetermined",
            Self::Unimportant => "unimportant",
            Self::Ignored => "ignored",
            Self::Informational => "informational",
            Self::Withdrawn => "withdrawn",
            Self::OtherPlatform => "other_platform",
            Self::IgnoredStatus => "ignored_status",
            Self::NoFix => "no_fix",
            Self::BelowSeverity => "below_severity",
        }
    }
}
