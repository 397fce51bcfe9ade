//! What the server counts about itself, from its start.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::refusal::Reason;

/// Upper bounds of `pratique_sandbox_scrape_seconds`, in milliseconds: from a small node's scrape
/// to the longest.
pub(crate) const SCRAPE_BOUNDS_MS: [u64; 10] =
    [5, 10, 25, 50, 100, 250, 1_000, 2_500, 10_000, 30_000];

/// Counts that only rise.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    failures: [AtomicU64; Reason::ALL.len()],
    scrapes: [AtomicU64; SCRAPE_BOUNDS_MS.len() + 1],
    scrape_micros: AtomicU64,
}

impl Counters {
    /// An answer, or a series of one, was refused.
    pub(crate) fn failed(&self, reason: Reason) {
        self.failures[reason.index()].fetch_add(1, Ordering::Relaxed);
    }

    /// A collection ended after this time.
    pub(crate) fn scraped(&self, after: Duration) {
        let bucket = SCRAPE_BOUNDS_MS
            .iter()
            .position(|bound| after <= Duration::from_millis(*bound))
            .unwrap_or(SCRAPE_BOUNDS_MS.len());
        self.scrapes[bucket].fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(after.as_micros()).unwrap_or(u64::MAX);
        self.scrape_micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// Refusals with this reason.
    pub(crate) fn failures(&self, reason: Reason) -> u64 {
        self.failures[reason.index()].load(Ordering::Relaxed)
    }

    /// Collections by duration, not added up, and the sum of their durations in seconds.
    pub(crate) fn scrapes(&self) -> ([u64; SCRAPE_BOUNDS_MS.len() + 1], f64) {
        let counts = std::array::from_fn(|index| self.scrapes[index].load(Ordering::Relaxed));
        let sum = Duration::from_micros(self.scrape_micros.load(Ordering::Relaxed));
        (counts, sum.as_secs_f64())
    }
}
