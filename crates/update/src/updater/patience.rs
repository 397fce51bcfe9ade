//! Waits for a store that cannot be reached; says so once at the beginning and once at the end.

use std::time::Duration;

use pratique_clockwork::{Backoff, Random};

use crate::Metrics;

/// The shortest and the longest wait; from the design (updater, *Retention*).
const WAITS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(30)];

/// How long the store has not been reached.
pub(super) struct Patience {
    metrics: Metrics,
    random: Random,
    failure_count: u32,
}

impl Patience {
    pub(super) fn new(metrics: Metrics) -> Self {
        Self { metrics, random: Random::from_system(), failure_count: 0 }
    }

    /// The store was not reached; how long to wait before it is tried again.
    pub(super) fn unreachable(&mut self, error: &str) -> Duration {
        if self.failure_count == 0 {
            tracing::warn!("the store cannot be reached, waiting for it: {error}");
        }
        self.metrics.store_unreachable();
        self.failure_count = self.failure_count.saturating_add(1);
        let [least, cap] = WAITS;
        let backoff = Backoff::try_new(least, least, cap).expect("the bounds are in order");
        backoff.delay(self.failure_count, &mut self.random)
    }

    /// The store was reached.
    pub(super) fn reached(&mut self) {
        if self.failure_count > 0 {
            tracing::info!("the store can be reached again, after {} tries", self.failure_count);
            self.failure_count = 0;
        }
    }
}
