//! Published feeds and the parts they are updated by.

use std::fmt;
use std::str::FromStr;

/// The unit of atomicity inside a source: `debian`, `alpine/v3.20`, `osv/PyPI`, `nvd/2026`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartId {
    source: String,
    part: String,
}

/// A text that is not a part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("part {0:?}: expected SOURCE or SOURCE/PART")]
pub struct PartIdError(
    /// The text as given.
    pub String,
);

impl PartId {
    /// A part of a source; a source of one part repeats its own name as `part`.
    pub fn new(source: &str, part: &str) -> Self {
        Self { source: source.to_owned(), part: part.to_owned() }
    }

    /// The source's name, `alpine`.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The part's name within the source, `v3.20`; the source's own name if it has one part only.
    pub fn part(&self) -> &str {
        &self.part
    }
}

impl fmt::Display for PartId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.source == self.part {
            f.write_str(&self.source)
        } else {
            write!(f, "{}/{}", self.source, self.part)
        }
    }
}

impl FromStr for PartId {
    type Err = PartIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (source, part) = text.split_once('/').unwrap_or((text, text));
        if source.is_empty() || part.is_empty() {
            return Err(PartIdError(text.to_owned()));
        }
        Ok(Self::new(source, part))
    }
}

/// A remark for the operator, made while a source was parsed: a release we do not know, an entry
/// that was put aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What the remark is about: an advisory id, a file of the feed, a release.
    pub subject: String,
    /// The remark, one sentence.
    pub text: String,
}
