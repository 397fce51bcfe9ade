//! CVSS vectors and their base scores.

use std::fmt;

/// Version of the Common Vulnerability Scoring System.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CvssVersion {
    /// Version 2.0.
    V2,
    /// Version 3.0.
    V3_0,
    /// Version 3.1.
    V3_1,
    /// Version 4.0.
    V4,
}

/// A CVSS vector with its base score.
#[derive(Clone, Debug, PartialEq)]
pub struct Cvss {
    /// Which version the vector is written in.
    pub version: CvssVersion,
    /// The vector, normalised: `CVSS:3.1/AV:N/…`; v2 vectors have no prefix and no parentheses.
    pub vector: String,
    /// The base score computed from the vector, 0.0–10.0.
    pub score: f64,
    /// Who scored it: `nvd`, `ghsa`, the domain of a numbering authority.
    pub source: String,
}

/// A vector that cannot be scored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("CVSS vector {vector:?}: {problem}")]
pub struct CvssError {
    /// The text as given, at most 200 characters.
    pub vector: String,
    /// What is wrong with it.
    pub problem: String,
}

impl CvssVersion {
    /// `2.0`, `3.0`, `3.1`, `4.0`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2 => "2.0",
            Self::V3_0 => "3.0",
            Self::V3_1 => "3.1",
            Self::V4 => "4.0",
        }
    }
}

impl fmt::Display for CvssVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Cvss {
    /// Reads a vector of any version and computes its base score.
    ///
    /// Parentheses around v2 vectors and the prefix `CVSS:2.0/` are dropped, as feeds use both.
    ///
    /// # Errors
    /// [`CvssError`] when the version is unknown, a metric is unknown, doubled or missing.
    pub fn parse(text: &str, source: &str) -> Result<Self, CvssError> {
        let error =
            |problem: String| CvssError { vector: text.chars().take(200).collect(), problem };
        let trimmed = text.trim().trim_start_matches('(').trim_end_matches(')');
        let (version, vector) = match trimmed.strip_prefix("CVSS:") {
            None => (CvssVersion::V2, trimmed),
            Some(rest) => match rest.split_once('/') {
                Some(("2.0", vector)) => (CvssVersion::V2, vector),
                Some(("3.0", _)) => (CvssVersion::V3_0, trimmed),
                Some(("3.1", _)) => (CvssVersion::V3_1, trimmed),
                Some(("4.0", _)) => (CvssVersion::V4, trimmed),
                _ => return Err(error("unknown version".to_owned())),
            },
        };
        let score = match version {
            CvssVersion::V2 => {
                require(vector, &["AV", "AC", "Au", "C", "I", "A"]).map_err(error)?;
                vector
                    .parse::<cvss::v2::Vector>()
                    .map_err(|problem| error(problem.to_string()))?
                    .score()
                    .value()
            }
            CvssVersion::V3_0 | CvssVersion::V3_1 => {
                require(vector, &["AV", "AC", "PR", "UI", "S", "C", "I", "A"]).map_err(error)?;
                vector
                    .parse::<cvss::v3::Vector>()
                    .map_err(|problem| error(problem.to_string()))?
                    .base_score()
                    .value()
            }
            CvssVersion::V4 => vector
                .parse::<cvss::v4::Vector>()
                .map_err(|problem| error(problem.to_string()))?
                .score()
                .value(),
        };
        Ok(Self { version, vector: vector.to_owned(), score, source: source.to_owned() })
    }
}

fn require(vector: &str, metrics: &[&str]) -> Result<(), String> {
    for metric in metrics {
        let named = vector
            .split('/')
            .filter(|part| part.split_once(':').is_some_and(|(name, _)| name == *metric))
            .count();
        if named != 1 {
            return Err(format!("metric {metric} stands {named} times"));
        }
    }
    Ok(())
}
