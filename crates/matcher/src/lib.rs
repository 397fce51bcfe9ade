//! Joins packages with advisories.
//!
//! [`assess()`] takes an image's inventory and the database and says what is vulnerable, what was
//! suppressed and why, and what could not be assessed. The judgement itself is [`verdict()`]: one
//! package, one statement, no I/O. Every rule has a row in `docs/matching.md`, with the test that
//! fails without it.

mod ask;
mod assess;
mod coverage;
mod filter;
mod finding;
mod hit;
mod impact;
mod installed;
mod lookup;
mod metrics;
mod rating;
mod room;
mod row;
mod suppression;
mod verdict;

use jiff::SignedDuration;

use pratique_store::StoreError;

pub use ask::{
    Answer, AnswerVerdict, AskOptions, ConcernedImage, PackageQuestion, Question, QuestionError,
    Reason, Releases, VersionRange, ask,
};
pub use assess::assess;
pub use filter::{Filters, filter};
pub use impact::{Backlog, Progress, StepLimits, backlog, step};
pub use installed::Installed;
pub use metrics::Metrics;
pub use rating::risk;
pub use room::{Config, LEASE, Matcher, Outcome, run_once};
pub use verdict::{Doubt, Exemption, Proof, Verdict, verdict};

/// The sources that say something about CVEs and nothing about packages.
const ENRICHMENT_SOURCES: [&str; 3] = ["epss", "kev", "nvd"];

/// How an image is assessed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// A part that was not found fresh for longer than this is marked stale; `None` marks none.
    pub max_age: Option<SignedDuration>,
}

/// Why the matcher could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum MatchError {
    /// The database could not be asked.
    #[error("asking the database {asking}")]
    Store {
        /// What was asked, to follow "asking the database".
        asking: &'static str,
        /// What went wrong.
        #[source]
        source: StoreError,
    },
    /// The findings could not be brought up to date.
    #[error("bringing findings up to date")]
    Impact(#[from] StoreError),
    /// The process ends and lets nothing run on blocking threads any more.
    #[error("stopped before its end")]
    Stopped,
}

impl MatchError {
    /// Whether trying again may help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Store { source, .. } | Self::Impact(source) => source.is_transient(),
            Self::Stopped => true,
        }
    }
}
