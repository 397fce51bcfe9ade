//! Why an answer of a sandbox, a registration or a state file is not believed.

use std::fmt;

/// How much of a stranger's text a message repeats, in characters.
const QUOTED_MAX: usize = 80;

/// The kinds of failure that are counted; each is a label value of
/// `pratique_sandbox_scrape_failures_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Reason {
    /// The socket could not be reached, or another process answers on it.
    Connect,
    /// The sandbox answered that it will not.
    Refused,
    /// The deadline came first.
    Timeout,
    /// The answer is longer than any honest one.
    TooLarge,
    /// The answer is not the JSON that was agreed on.
    Decode,
    /// The snapshot is old, or older than the one before.
    Stale,
    /// The snapshot claims a time that has not come.
    Future,
    /// A metric was never registered.
    UnknownMetric,
    /// A metric is described otherwise than it was registered.
    Definition,
    /// Labels or their values were not registered.
    Labels,
    /// A series stands there twice.
    Duplicate,
    /// A value is not of the kind that was registered.
    Value,
    /// What may only grow fell.
    Decrease,
    /// A part of the answer is larger than any honest one.
    Budget,
    /// Reading the answer met a fault of ours.
    Panic,
}

impl Reason {
    /// Every reason, in the order of the numbers of [`Reason::index`].
    pub(crate) const ALL: [Self; 15] = [
        Self::Connect,
        Self::Refused,
        Self::Timeout,
        Self::TooLarge,
        Self::Decode,
        Self::Stale,
        Self::Future,
        Self::UnknownMetric,
        Self::Definition,
        Self::Labels,
        Self::Duplicate,
        Self::Value,
        Self::Decrease,
        Self::Budget,
        Self::Panic,
    ];

    /// The label value.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Refused => "refused",
            Self::Timeout => "timeout",
            Self::TooLarge => "too_large",
            Self::Decode => "decode",
            Self::Stale => "stale",
            Self::Future => "future",
            Self::UnknownMetric => "unknown_metric",
            Self::Definition => "definition",
            Self::Labels => "labels",
            Self::Duplicate => "duplicate",
            Self::Value => "value",
            Self::Decrease => "decrease",
            Self::Budget => "budget",
            Self::Panic => "panic",
        }
    }

    /// Its place in [`Reason::ALL`].
    pub(crate) fn index(self) -> usize {
        self as usize
    }
}

/// One refusal: a countable reason and a sentence for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", reason.as_str())]
pub(crate) struct Refusal {
    /// What kind.
    pub reason: Reason,
    /// What exactly; text of a stranger within is quoted and cut.
    pub detail: String,
}

impl Refusal {
    /// A refusal with its sentence.
    pub(crate) fn new(reason: Reason, detail: impl fmt::Display) -> Self {
        Self { reason, detail: detail.to_string() }
    }
}

/// A stranger's text, quoted, escaped and cut, fit for a log.
pub(crate) fn quoted(text: &str) -> String {
    let mut end = text.len().min(QUOTED_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let rest = text.len() - end;
    if rest == 0 {
        format!("{text:?}")
    } else {
        format!("{:?} and {rest} bytes more", &text[..end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_know_their_place() {
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason.index(), index, "{}", reason.as_str());
        }
    }

    #[test]
    fn a_strangers_text_is_escaped_and_cut_between_characters() {
        assert_eq!(quoted("a\u{1b}[0m"), "\"a\\u{1b}[0m\"");
        let long = "é".repeat(50);
        assert_eq!(quoted(&long), format!("{:?} and 20 bytes more", "é".repeat(40)));
    }
}
