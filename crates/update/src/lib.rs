//! Keeps the vulnerability database fresh.
//!
//! [`plan()`] decides, without doing anything, which parts of which feeds are to be looked at and
//! in which order; [`Round`] fetches, parses and commits them, several at a time, each by itself:
//! one part's failure is that part's result and nothing else. When to do a round is left to others.

mod fingerprint;
mod plan;
mod run;

pub use plan::{Need, PlannedPart, Reason, Selection, SelectionError, plan};
pub use run::{Config, PartOutcome, PartResult, Progress, Round};
