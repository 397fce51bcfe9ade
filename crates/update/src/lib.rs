//! Keeps the vulnerability database fresh.
//!
//! [`Updater`] is the room: it looks at every part when it is due, for as long as it runs.
//! [`Round`] does the same work once, over the parts that [`plan()`] chooses. Both fetch, parse and
//! commit each part by itself, under that part's lease: one part's failure is that part's result
//! and nothing else. What changed is matched with images elsewhere, after a [`Bell`] was rung.
//!
//! [`Bell`]: pratique_clockwork::Bell

mod fingerprint;
mod hosts;
mod metrics;
mod plan;
mod requests;
mod retention;
mod run;
mod state;
mod status;
mod tip;
mod updater;

pub use metrics::Metrics;
pub use plan::{Need, PlannedPart, Reason, Selection, SelectionError, plan};
pub use requests::Requests;
pub use run::{PartOutcome, PartResult, Progress, Round, RoundConfig};
pub use status::{PartStatus, status};
pub use updater::{Config, ConfigError, Error, Links, Updater};
