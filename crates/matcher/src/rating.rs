//! How bad a finding is: severity, score and risk, each with who says so.
//!
//! The order is that of `docs/matching.md`: the publisher whose statement matched, then GitHub
//! where it names the flaw, then NVD, then any other publisher. The score shown is chosen by the
//! same order on its own, because many publishers give a word and no score.

use pratique_model::{Advisory, Affected, Cvss, Finding, Severity};
use pratique_store::{Facts, VendorSeverity};

/// Probability that stands for "it is being exploited".
const PROBABILITY_IF_EXPLOITED: f64 = 0.9;

/// Probability below which no vulnerability is taken to be, so that one without a prediction does
/// not vanish.
const PROBABILITY_MIN: f64 = 0.02;

/// A publisher's advisory with the statement that matched.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Voice<'a> {
    /// The source's name.
    pub(crate) source: &'a str,
    /// The advisory.
    pub(crate) advisory: &'a Advisory,
    /// The statement.
    pub(crate) affected: &'a Affected,
}

/// The severity, score and risk of a finding.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rating {
    pub(crate) severity: Severity,
    pub(crate) severity_source: Option<String>,
    pub(crate) cvss: Option<Cvss>,
    pub(crate) risk: f64,
    /// Why this severity, for the explanation.
    pub(crate) why: String,
}

impl Voice<'_> {
    /// Who speaks: GitHub's advisories are `ghsa` through whichever feed they came.
    fn name(&self) -> &str {
        if self.is_ghsa() { "ghsa" } else { self.source }
    }

    fn is_ghsa(&self) -> bool {
        self.advisory.id.starts_with("GHSA-")
    }

    fn severity(&self) -> Option<Severity> {
        self.affected.severity.or(self.advisory.severity).filter(|word| *word != Severity::Unknown)
    }
}

/// Rates a finding. `voices` has the matched statement first, then the others of the same
/// vulnerability and package.
pub(crate) fn rate(voices: &[Voice<'_>], facts: &Facts) -> Rating {
    let cvss = score(voices, facts);
    let (severity, severity_source, why) = severity(voices, facts);
    let epss = facts.epss.as_ref().map(|epss| epss.score);
    let risk = risk(cvss.map(|cvss| cvss.score), severity, epss, facts.kev.is_some());
    Rating { severity, severity_source, cvss: cvss.cloned(), risk, why }
}

/// How bad publishers rate a finding, without what enrichment sources and publishers of other
/// packages say. In the order of [`rate`]; `None` when none of them does.
pub(crate) fn published(voices: &[Voice<'_>]) -> Option<Severity> {
    let ghsa = voices.iter().find(|voice| voice.is_ghsa());
    voices.first().into_iter().chain(ghsa).chain(voices).find_map(|voice| {
        let scored = || newest(&voice.advisory.cvss).map(|cvss| Severity::from_score(cvss.score));
        voice.severity().or_else(scored)
    })
}

/// Rates a finding that nobody asked so far rates, by what the publishers of other releases and
/// ecosystems say: the first of them that says anything, in the order given.
pub(crate) fn by_others(finding: &mut Finding, others: &[VendorSeverity]) {
    let name = |other: &VendorSeverity| {
        if other.advisory.starts_with("GHSA-") { "ghsa".to_owned() } else { other.source.clone() }
    };
    if finding.cvss.is_none() {
        finding.cvss = others.iter().find_map(|other| newest(&other.cvss)).cloned();
    }
    for other in others {
        let word = other.severity.filter(|severity| *severity != Severity::Unknown);
        let scored = newest(&other.cvss);
        let (severity, why) = match (word, scored) {
            (Some(severity), _) => (severity, format!("{} says {severity}", name(other))),
            (None, Some(cvss)) => (
                Severity::from_score(cvss.score),
                format!("{} CVSS {} base score {:.1}", name(other), cvss.version, cvss.score),
            ),
            (None, None) => continue,
        };
        finding.severity = severity;
        finding.severity_source = Some(name(other));
        finding.explanation.severity = format!("{why}, of {}", other.advisory);
        break;
    }
    finding.risk = risk(
        finding.cvss.as_ref().map(|cvss| cvss.score),
        finding.severity,
        finding.epss.as_ref().map(|epss| epss.score),
        finding.kev.is_some(),
    );
}

/// `100 × min(1, max(epss, 0.9 if known exploited else 0.02)) × cvss/10`, one decimal. Without a
/// score the severity stands for one: critical 9.5, high 8, medium 5.5, low 2.5, negligible 0.5,
/// unknown 5.
pub fn risk(cvss: Option<f64>, severity: Severity, epss: Option<f64>, is_exploited: bool) -> f64 {
    let floor = if is_exploited { PROBABILITY_IF_EXPLOITED } else { PROBABILITY_MIN };
    let probability = epss.unwrap_or(0.0).max(floor).min(1.0);
    let score = cvss.unwrap_or(match severity {
        Severity::Critical => 9.5,
        Severity::High => 8.0,
        Severity::Medium => 5.5,
        Severity::Low => 2.5,
        Severity::Negligible => 0.5,
        Severity::Unknown => 5.0,
    });
    // The addend mends what binary fractions lose: 0.02 × 7.75 must not fall below its half.
    let tenths = probability * score * 100.0 + 1e-9;
    tenths.round() / 10.0
}

fn severity(voices: &[Voice<'_>], facts: &Facts) -> (Severity, Option<String>, String) {
    let said = |name: &str, severity: Severity| {
        (severity, Some(name.to_owned()), format!("{name} says {severity}"))
    };
    let scored = |cvss: &Cvss, name: &str| {
        let why = format!("{name} CVSS {} base score {:.1}", cvss.version, cvss.score);
        (Severity::from_score(cvss.score), Some(name.to_owned()), why)
    };
    let own = voices.first();
    let ghsa = voices.iter().find(|voice| voice.is_ghsa());
    for voice in own.into_iter().chain(ghsa) {
        if let Some(severity) = voice.severity() {
            return said(voice.name(), severity);
        }
        if let Some(cvss) = newest(&voice.advisory.cvss) {
            return scored(cvss, voice.name());
        }
    }
    if let Some(cvss) = nvd_score(facts) {
        return scored(cvss, &cvss.source);
    }
    for voice in voices {
        if let Some(severity) = voice.severity() {
            return said(voice.name(), severity);
        }
        if let Some(cvss) = newest(&voice.advisory.cvss) {
            return scored(cvss, voice.name());
        }
    }
    (Severity::Unknown, None, "nobody rates it".to_owned())
}

fn score<'a>(voices: &[Voice<'a>], facts: &'a Facts) -> Option<&'a Cvss> {
    let of = |voice: &Voice<'a>| newest(&voice.advisory.cvss);
    let ghsa = voices.iter().find(|voice| voice.is_ghsa());
    voices
        .first()
        .and_then(of)
        .or_else(|| ghsa.and_then(of))
        .or_else(|| nvd_score(facts))
        .or_else(|| voices.iter().find_map(of))
}

/// The score in the newest version of CVSS; of several in that version the first, since publishers
/// put their own first.
fn newest(scores: &[Cvss]) -> Option<&Cvss> {
    let version = scores.iter().map(|score| score.version).max()?;
    scores.iter().find(|score| score.version == version)
}

/// NVD's own newest score, else the newest of those that it passes on from numbering authorities;
/// none of a CVE that NVD rejected.
fn nvd_score(facts: &Facts) -> Option<&Cvss> {
    if facts.nvd_rejected {
        return None;
    }
    let own: Vec<&Cvss> = facts.cvss.iter().filter(|score| score.source == "nvd").collect();
    match own.iter().map(|score| score.version).max() {
        Some(version) => own.into_iter().find(|score| score.version == version),
        None => newest(&facts.cvss),
    }
}

#[cfg(test)]
mod tests;
