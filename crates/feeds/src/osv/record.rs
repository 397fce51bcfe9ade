//! One record of the OSV schema (1.x), as far as Pratique reads it.
//!
//! Shared by every source that publishes in this form (osv.dev's zips, AlmaLinux, own advisories).
//! It is the wire form only: what an event list means is `super::range`'s work, what a publisher
//! means by a field is the source's. Surprising: fields that publishers fill freely
//! (`database_specific`, `ecosystem_specific`) and dates may hold anything, even a text or a
//! number; what has not the expected form counts as missing there, so that a decoration never
//! costs the record. `id`, `withdrawn` and `affected` are strict, because matching depends on them.

use std::io::{BufRead, Read as _};

use jiff::Timestamp;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use pratique_model::is_cve;

use crate::FeedError;

/// How large one record may be. The largest known are a few MB (kernel records with every version
/// enumerated); the whole record is in memory while it is read.
pub(crate) const RECORD_BYTES_MAX: u64 = 32 << 20;

/// How much of `details` is kept, in bytes: one line of text for records without a `summary`.
const DETAILS_BYTES_MAX: usize = 300;

/// One OSV record.
#[derive(Debug, Deserialize)]
pub(crate) struct Record {
    /// The publisher's id.
    pub(crate) id: String,
    /// When it was last changed.
    #[serde(default, deserialize_with = "lenient_time")]
    pub(crate) modified: Option<Timestamp>,
    /// When it was first published.
    #[serde(default, deserialize_with = "lenient_time")]
    pub(crate) published: Option<Timestamp>,
    /// When the publisher took it back.
    #[serde(default, deserialize_with = "time")]
    pub(crate) withdrawn: Option<Timestamp>,
    /// Ids of the same flaw.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(crate) aliases: Vec<String>,
    /// Ids of other flaws that have to do with it; AlmaLinux puts its CVEs here.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(crate) related: Vec<String>,
    /// Ids of the flaws that it passes on from another publisher.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(crate) upstream: Vec<String>,
    /// One line of text.
    #[serde(default)]
    pub(crate) summary: Option<String>,
    /// The first line of the long text, cut to [`DETAILS_BYTES_MAX`].
    #[serde(default, deserialize_with = "first_line")]
    pub(crate) details: Option<String>,
    /// Scores.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(crate) severity: Vec<Score>,
    /// The packages.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(crate) affected: Vec<AffectedEntry>,
    /// What the publisher adds.
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) database_specific: RecordExtra,
}

/// A score, `{"type": "CVSS_V3", "score": "CVSS:3.1/…"}`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Score {
    /// `CVSS_V2`, `CVSS_V3`, `CVSS_V4`, or a publisher's own (`Ubuntu`, with a word as score).
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The vector or word.
    pub(crate) score: String,
}

/// What publishers add to the whole record.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RecordExtra {
    /// GHSA's `LOW`, `MODERATE`, `HIGH`, `CRITICAL`; Bitnami's `Critical` …
    #[serde(deserialize_with = "lenient")]
    pub(crate) severity: Option<String>,
    /// The advisory's own page (Go).
    #[serde(deserialize_with = "lenient")]
    pub(crate) url: Option<String>,
}

/// One statement about one package.
#[derive(Debug, Deserialize)]
pub(crate) struct AffectedEntry {
    /// The package; missing where only a git repository is named.
    #[serde(default)]
    pub(crate) package: Option<PackageName>,
    /// Scores for this package.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(crate) severity: Vec<Score>,
    /// Version ranges.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(crate) ranges: Vec<EventRange>,
    /// Versions by name.
    #[serde(default)]
    pub(crate) versions: Versions,
    /// What the publisher adds.
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) database_specific: AffectedExtra,
    /// What the ecosystem adds.
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) ecosystem_specific: EcosystemExtra,
}

/// A package within an ecosystem.
#[derive(Debug, Deserialize)]
pub(crate) struct PackageName {
    /// `PyPI`, `AlmaLinux:8`; see [`Self::ecosystem_parts`].
    pub(crate) ecosystem: String,
    /// The name as published.
    pub(crate) name: String,
}

/// A range as a list of events.
#[derive(Debug, Deserialize)]
pub(crate) struct EventRange {
    /// `SEMVER`, `ECOSYSTEM`, `GIT`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The events, in any order.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub(crate) events: Vec<Event>,
}

/// One event of a range; one of the fields is set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Event {
    /// The first version concerned; `0` from the beginning.
    pub(crate) introduced: Option<String>,
    /// The first version no longer concerned.
    pub(crate) fixed: Option<String>,
    /// The last version concerned.
    pub(crate) last_affected: Option<String>,
    /// Nothing from this version on is spoken of.
    pub(crate) limit: Option<String>,
}

/// Versions listed by name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Versions {
    /// The list, perhaps empty.
    Listed(Vec<String>),
    /// Something stands there that is no list of texts.
    Unreadable,
}

/// What publishers add to a package.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AffectedExtra {
    /// RustSec: `unmaintained`, `unsound`, `notice`.
    #[serde(deserialize_with = "lenient")]
    pub(crate) informational: Option<String>,
    /// RustSec: `malicious`, `memory-corruption` …
    #[serde(deserialize_with = "lenient")]
    pub(crate) categories: Vec<String>,
}

/// What ecosystems add to a package.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct EcosystemExtra {
    /// Go: the packages of the module that hold the flaw.
    #[serde(deserialize_with = "lenient")]
    pub(crate) imports: Vec<GoImport>,
    /// Go: ranges over versions that are not Go module versions.
    #[serde(deserialize_with = "lenient")]
    pub(crate) custom_ranges: Vec<EventRange>,
    /// Rust: what it is limited to.
    #[serde(deserialize_with = "lenient")]
    pub(crate) affects: RustLimits,
}

/// A package of a Go module.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct GoImport {
    /// Operating systems it is limited to; empty: all.
    #[serde(deserialize_with = "null_is_empty")]
    pub(crate) goos: Vec<String>,
    /// Architectures it is limited to; empty: all.
    #[serde(deserialize_with = "null_is_empty")]
    pub(crate) goarch: Vec<String>,
}

/// RustSec's `affects`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RustLimits {
    /// Architectures in Rust's words; empty: all.
    #[serde(deserialize_with = "null_is_empty")]
    pub(crate) arch: Vec<String>,
    /// Operating systems in Rust's words; empty: all.
    #[serde(deserialize_with = "null_is_empty")]
    pub(crate) os: Vec<String>,
}

impl Record {
    /// Reads one record from a file that holds nothing else. The inner result is the record, or in
    /// words why it is none: that is for the quarantine.
    ///
    /// # Errors
    /// [`FeedError::Read`] when the stream breaks: then the part fails.
    pub(crate) fn read(
        path: &str,
        content: &mut dyn BufRead,
    ) -> Result<Result<Self, String>, FeedError> {
        let mut bytes = Vec::new();
        content
            .take(RECORD_BYTES_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(|source| FeedError::Read { path: path.to_owned(), source })?;
        if bytes.len() as u64 > RECORD_BYTES_MAX {
            return Ok(Err(format!("larger than {RECORD_BYTES_MAX} bytes")));
        }
        Ok(Self::parse(&bytes))
    }

    /// Reads one record from JSON text; the error says in words what is wrong.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let record: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if record.id.is_empty() {
            return Err("the id is empty".to_owned());
        }
        Ok(record)
    }

    /// The CVE ids among `id`, `aliases` and `upstream`, sorted, once each. `related` is another
    /// flaw for most publishers and is left out; AlmaLinux, for which it is the same, adds it.
    pub(crate) fn cves(&self) -> Vec<String> {
        sorted_cves(std::iter::once(&self.id).chain(&self.aliases).chain(&self.upstream))
    }

    /// The ids among `aliases` and `upstream` that are not CVEs, sorted, once each.
    pub(crate) fn other_ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = self
            .aliases
            .iter()
            .chain(&self.upstream)
            .filter(|id| !is_cve(id) && !id.is_empty() && **id != self.id)
            .cloned()
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// The one line of text: `summary`, else the first line of `details`.
    pub(crate) fn one_line(&self) -> Option<String> {
        let text = self.summary.as_deref().map(str::trim).filter(|text| !text.is_empty());
        text.map(str::to_owned).or_else(|| self.details.clone())
    }
}

impl PackageName {
    /// The ecosystem before the first colon and what follows it: `("AlmaLinux", "8")`,
    /// `("Ubuntu", "Pro:18.04:LTS")`, `("PyPI", "")`.
    pub(crate) fn ecosystem_parts(&self) -> (&str, &str) {
        self.ecosystem.split_once(':').unwrap_or((&self.ecosystem, ""))
    }
}

impl Default for Versions {
    fn default() -> Self {
        Self::Listed(Vec::new())
    }
}

impl<'de> Deserialize<'de> for Versions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(match serde_json::from_str::<Option<Vec<String>>>(raw.get()) {
            Ok(versions) => Self::Listed(versions.unwrap_or_default()),
            Err(_) => Self::Unreadable,
        })
    }
}

/// The CVE ids among `ids`, sorted, once each.
pub(crate) fn sorted_cves<'a>(ids: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut cves: Vec<String> = ids.filter(|id| is_cve(id)).cloned().collect();
    cves.sort_unstable();
    cves.dedup();
    cves
}

/// `null` as the empty list; Go's encoders write it for a list without elements.
fn null_is_empty<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    Ok(Option::<Vec<T>>::deserialize(deserializer)?.unwrap_or_default())
}

/// Anything that has not the expected form as the default.
fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(raw.get()).unwrap_or_default())
}

/// A date, or none where something else stands.
fn lenient_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text: Option<String> = lenient(deserializer)?;
    Ok(text.and_then(|text| text.parse().ok()))
}

/// A date or `null`.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
}

fn first_line<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text: Option<String> = lenient(deserializer)?;
    Ok(text.and_then(|text| {
        let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
        Some(cut(line, DETAILS_BYTES_MAX).to_owned())
    }))
}

/// The longest beginning of `text` that is at most `length` bytes and ends at a character.
fn cut(text: &str, length: usize) -> &str {
    text.get(..text.floor_char_boundary(length)).unwrap_or(text)
}

#[cfg(test)]
mod tests;
