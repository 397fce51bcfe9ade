//! Removes what nobody needs any more, now and then and a little at a time.
//!
//! One process does it for all, under a lease. Between two slices others have their turn to write;
//! readers never wait.

use std::time::Duration;

use pratique_clockwork::{Clock, Shutdown};
use pratique_store::{Attempt, HeldLease, LeaseKeeper, SWEEP_ROWS_MAX, StoreError};

use crate::Metrics;
use crate::run::{Desk, chain};

/// How often it is looked for what can go: rows go after months, so an hour more is nothing.
const EVERY: Duration = Duration::from_hours(1);

/// How soon after the start the first look is: the updates come first.
const FIRST_AFTER: Duration = Duration::from_mins(1);

/// How long others have their turn between two slices.
const PAUSE: Duration = Duration::from_millis(200);

/// How many slices one look makes at most; what is left has time.
const SLICES_MAX: usize = 200;

/// The lease under which it is done.
const LEASE: &str = "retention";

/// What retention needs.
pub(crate) struct Retention {
    pub(crate) desk: Desk,
    pub(crate) keeper: LeaseKeeper,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
    /// The sources that there are, switched off or not.
    pub(crate) sources: Vec<&'static str>,
}

impl Retention {
    /// Looks now and then until it is told to stop.
    pub(crate) async fn run(self, shutdown: &Shutdown) {
        let mut wait = FIRST_AFTER;
        while shutdown.unless_triggered(tokio::time::sleep(wait)).await.is_some() {
            wait = EVERY;
            let attempt = self.keeper.try_hold(LEASE, shutdown, |held| self.look(held)).await;
            let result = match attempt {
                Ok(Attempt::Done(result)) => result,
                Ok(Attempt::Held { .. } | Attempt::Stopped) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = result {
                tracing::warn!("old rows stay for now: {}", chain(&error));
            }
        }
    }

    /// Removes all that can go now, slice by slice.
    async fn look(&self, held: HeldLease) -> Result<(), StoreError> {
        for _ in 0..SLICES_MAX {
            let (now, fence, sources) = (self.clock.now(), held.lease(), self.sources.clone());
            let (retired, swept) = self
                .desk
                .ask(move |database| {
                    let retired = database.retire(now, &sources, Some(&fence))?;
                    Ok((retired, database.sweep_images(now, SWEEP_ROWS_MAX)?))
                })
                .await
                .inspect_err(|error| {
                    if matches!(error, StoreError::LeaseLost { .. }) {
                        held.report_lost();
                    }
                })?;
            for (what, count) in retired.counts().into_iter().chain(swept.counts()) {
                self.metrics.retention(what, count);
            }
            let pause = held.shutdown().unless_triggered(tokio::time::sleep(PAUSE));
            if (retired.is_empty() && swept.is_empty()) || pause.await.is_none() {
                break;
            }
        }
        Ok(())
    }
}
