//! The lines of a snapshot. Fields that say nothing are left out; unknown fields are an error, so
//! that a newer form is not half understood.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use pratique_model::{
    Advisory, Affected, Cvss, CvssVersion, Ecosystem, Enrichment, Epss, KnownExploited, NameKind,
    NvdScore, PartId, Range, Release, Severity, Status,
};

use crate::{PartState, encoding};

/// One line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    /// The name of the form; the first line.
    Schema(String),
    /// Begins a part; what follows belongs to it.
    Part(PartLine),
    Advisory(Box<AdvisoryLine>),
    /// CVE, score, percentile, date.
    Epss(String, f64, f64, String),
    /// CVE, added, due, used by ransomware.
    Kev(String, String, Option<String>, bool),
    /// CVE, scores, rejected.
    Nvd(String, Vec<ScoreLine>, bool),
    /// How many lines stand before; the last line.
    End(u64),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PartLine {
    pub(super) id: String,
    pub(super) as_of: Option<String>,
    pub(super) read_at: Option<String>,
    pub(super) parser_version: u32,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) is_partial: bool,
    /// Ecosystem and release of everything that the part speaks of; the release is empty for a
    /// language ecosystem.
    pub(super) covers: Vec<(String, String)>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AdvisoryLine {
    id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    vulnerabilities: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    published: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modified: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    withdrawn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cvss: Vec<ScoreLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    informational: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    affected: Vec<AffectedLine>,
}

/// Version of the scoring system, vector, score, who scored.
pub(super) type ScoreLine = (String, String, f64, String);

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AffectedLine {
    ecosystem: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<String>,
    package: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_kind: Option<String>,
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remark: Option<String>,
    /// As in the store: `>=1.0 <1.2|>=2.0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    ranges: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    versions: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    arches: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    platforms: Vec<String>,
}

/// What stands in a line instead of what should.
pub(super) type Problem = String;

impl PartLine {
    pub(super) fn of(state: &PartState) -> Self {
        Self {
            id: state.id.to_string(),
            as_of: state.as_of.map(|time| time.to_string()),
            read_at: state.last_success.map(|time| time.to_string()),
            parser_version: state.parser_version,
            is_partial: state.is_partial,
            covers: Vec::new(),
        }
    }

    pub(super) fn part(&self) -> Result<PartId, Problem> {
        word(&self.id)
    }

    pub(super) fn covers(&self) -> Result<Vec<(Ecosystem, Option<Release>)>, Problem> {
        let scope = |(ecosystem, release): &(String, String)| {
            let release = (!release.is_empty()).then(|| Release::from_text(release));
            Ok((word(ecosystem)?, release))
        };
        self.covers.iter().map(scope).collect()
    }
}

impl AdvisoryLine {
    pub(super) fn of(advisory: Advisory) -> Self {
        let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
        Self {
            id: advisory.id,
            vulnerabilities: advisory.vulnerabilities,
            aliases: advisory.aliases,
            url: advisory.url,
            summary: advisory.summary,
            published: time(advisory.published),
            modified: time(advisory.modified),
            withdrawn: time(advisory.withdrawn),
            severity: advisory.severity.map(|severity| severity.to_string()),
            cvss: advisory.cvss.into_iter().map(score_line).collect(),
            informational: advisory.informational,
            affected: advisory.affected.into_iter().map(AffectedLine::of).collect(),
        }
    }

    pub(super) fn advisory(self) -> Result<Advisory, Problem> {
        Ok(Advisory {
            id: self.id,
            vulnerabilities: self.vulnerabilities,
            aliases: self.aliases,
            url: self.url,
            summary: self.summary,
            published: optional_word(self.published.as_deref())?,
            modified: optional_word(self.modified.as_deref())?,
            withdrawn: optional_word(self.withdrawn.as_deref())?,
            severity: optional_word(self.severity.as_deref())?,
            cvss: self.cvss.into_iter().map(score).collect::<Result<_, _>>()?,
            informational: self.informational,
            affected: self
                .affected
                .into_iter()
                .map(AffectedLine::affected)
                .collect::<Result<_, _>>()?,
        })
    }
}

impl AffectedLine {
    fn of(affected: Affected) -> Self {
        let name_kind = match affected.name_kind {
            NameKind::Binary => None,
            NameKind::Source => Some("source".to_owned()),
            NameKind::Either => Some("either".to_owned()),
        };
        Self {
            ecosystem: affected.ecosystem.to_string(),
            release: affected.release.map(|release| release.to_string()),
            package: affected.package,
            name_kind,
            status: affected.status.to_string(),
            remark: affected.remark,
            ranges: encoding::ranges_text(&affected.ranges),
            versions: affected.versions,
            severity: affected.severity.map(|severity| severity.to_string()),
            module: affected.module,
            arches: affected.arches,
            platforms: affected.platforms,
        }
    }

    fn affected(self) -> Result<Affected, Problem> {
        Ok(Affected {
            ecosystem: word(&self.ecosystem)?,
            release: self.release.as_deref().map(Release::from_text),
            package: self.package,
            name_kind: match self.name_kind.as_deref() {
                None => NameKind::Binary,
                Some("source") => NameKind::Source,
                Some("either") => NameKind::Either,
                Some(other) => return Err(format!("unknown kind of name: {other:?}")),
            },
            status: word::<Status>(&self.status)?,
            remark: self.remark,
            ranges: ranges(self.ranges.as_deref())?,
            versions: self.versions,
            severity: optional_word::<Severity>(self.severity.as_deref())?,
            module: self.module,
            arches: self.arches,
            platforms: self.platforms,
        })
    }
}

impl Line {
    pub(super) fn of_fact(fact: &Enrichment) -> Self {
        match fact {
            Enrichment::Epss(epss) => Self::Epss(
                epss.vulnerability.clone(),
                epss.score,
                epss.percentile,
                epss.date.to_string(),
            ),
            Enrichment::KnownExploited(kev) => Self::Kev(
                kev.vulnerability.clone(),
                kev.added.to_string(),
                kev.due.map(|due| due.to_string()),
                kev.ransomware,
            ),
            Enrichment::Nvd(nvd) => Self::Nvd(
                nvd.vulnerability.clone(),
                nvd.cvss.iter().cloned().map(score_line).collect(),
                nvd.is_rejected,
            ),
        }
    }
}

pub(super) fn epss(line: (String, f64, f64, String)) -> Result<Enrichment, Problem> {
    let (vulnerability, score, percentile, date) = line;
    Ok(Enrichment::Epss(Epss { vulnerability, score, percentile, date: word(&date)? }))
}

pub(super) fn kev(line: (String, String, Option<String>, bool)) -> Result<Enrichment, Problem> {
    let (vulnerability, added, due, ransomware) = line;
    let due = optional_word::<Date>(due.as_deref())?;
    let kev = KnownExploited { vulnerability, added: word(&added)?, due, ransomware };
    Ok(Enrichment::KnownExploited(kev))
}

pub(super) fn nvd(line: (String, Vec<ScoreLine>, bool)) -> Result<Enrichment, Problem> {
    let (vulnerability, scores, is_rejected) = line;
    let cvss = scores.into_iter().map(score).collect::<Result<_, _>>()?;
    Ok(Enrichment::Nvd(NvdScore { vulnerability, cvss, is_rejected, description: None }))
}

pub(super) fn word<T: std::str::FromStr>(text: &str) -> Result<T, Problem>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| error.to_string())
}

pub(super) fn optional_word<T: std::str::FromStr>(text: Option<&str>) -> Result<Option<T>, Problem>
where
    T::Err: std::fmt::Display,
{
    text.map(word).transpose()
}

fn ranges(text: Option<&str>) -> Result<Vec<Range>, Problem> {
    encoding::ranges(text).map_err(|error| error.to_string())
}

fn score_line(cvss: Cvss) -> ScoreLine {
    (cvss.version.as_str().to_owned(), cvss.vector, cvss.score, cvss.source)
}

fn score((version, vector, score, source): ScoreLine) -> Result<Cvss, Problem> {
    let version = [CvssVersion::V2, CvssVersion::V3_0, CvssVersion::V3_1, CvssVersion::V4]
        .into_iter()
        .find(|known| known.as_str() == version)
        .ok_or_else(|| format!("unknown version of CVSS: {version:?}"))?;
    Ok(Cvss { version, vector, score, source })
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for this signature")]
fn is_false(value: &bool) -> bool {
    !*value
}
