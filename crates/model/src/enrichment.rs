//! Facts about a vulnerability that are not about a package.

use jiff::civil::Date;

use crate::Cvss;

/// One fact about one vulnerability (a CVE id), from an enrichment source.
#[derive(Clone, Debug, PartialEq)]
pub enum Enrichment {
    /// FIRST's exploit prediction.
    Epss(Epss),
    /// CISA's catalogue of known exploited vulnerabilities.
    KnownExploited(KnownExploited),
    /// NVD's scores.
    Nvd(NvdScore),
}

/// Exploit prediction of one CVE.
#[derive(Clone, Debug, PartialEq)]
pub struct Epss {
    /// The CVE id.
    pub vulnerability: String,
    /// Probability of exploitation in the next 30 days, 0–1.
    pub score: f64,
    /// Share of all CVEs with the same or a lower score, 0–1.
    pub percentile: f64,
    /// The day of the model's run.
    pub date: Date,
}

/// An entry of the catalogue of known exploited vulnerabilities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownExploited {
    /// The CVE id.
    pub vulnerability: String,
    /// When it was added.
    pub added: Date,
    /// By when US agencies must have mended it.
    pub due: Option<Date>,
    /// Whether ransomware campaigns use it.
    pub ransomware: bool,
}

/// What NVD says of one CVE.
#[derive(Clone, Debug, PartialEq)]
pub struct NvdScore {
    /// The CVE id.
    pub vulnerability: String,
    /// NVD's own scores first, then those of the numbering authority; newest version first.
    pub cvss: Vec<Cvss>,
    /// Whether the record was rejected or withdrawn.
    pub is_rejected: bool,
    /// The English description, as published.
    pub description: Option<String>,
}
