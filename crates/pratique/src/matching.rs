//! Brings findings up to date from a command, so that the next one already sees them.

use pratique_clockwork::Clock;
use pratique_clockwork::lease::Owner;
use pratique_matcher::{Outcome, Progress};
use pratique_report::counted;
use pratique_store::{Channel, Database};

use crate::exit::{Exit, Failure};
use crate::interrupt;

/// Runs the matcher once; what it did, or `None` when a service is at it and goes on. Ctrl-C ends
/// it between two steps, with its lease given back; that is a failure.
pub(crate) fn run_once(database: &Database) -> Result<Option<Progress>, Failure> {
    let hold = interrupt::hold();
    let (owner, clock) = (Owner::draw(), Clock::system());
    let outcome = pratique_matcher::run_once(database, &owner, &clock, hold.stop())
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    Ok(match outcome {
        Outcome::Done(progress) => Some(progress),
        Outcome::Stopped(_) => {
            let error = anyhow::anyhow!("stopped before all findings were up to date");
            return Err(Failure::new(Exit::Failed, error)
                .hint("the next `pratique db update`, or a service, goes on from there"));
        }
        Outcome::Held(_) => {
            // It looks by itself in a few seconds; a ring only makes it sooner.
            let _ = database.ring(Channel::Packages);
            None
        }
    })
}

/// What the matcher did, as one line; `None` when there was nothing to do.
pub(crate) fn words(progress: Option<&Progress>) -> Option<String> {
    let Some(progress) = progress else {
        return Some("findings are brought up to date by the running service".to_owned());
    };
    if progress.step_count == 0 {
        return None;
    }
    let count = |number: u64, noun: &str| counted(usize::try_from(number).unwrap_or(0), noun);
    Some(format!(
        "matched: {} looked at, {} written, {} gone, {} in the outbox",
        count(progress.package_count, "package"),
        count(progress.written_count, "finding"),
        progress.removed_count,
        count(progress.told_count(), "notification"),
    ))
}
