//! What indexing on a node tells Prometheus.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Bounds in seconds: a small image takes a tenth, a large one a minute at the lowest priority.
const BOUNDS: [f64; 9] = [0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 180.0, 600.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByResult {
    result: &'static str,
}

/// Counts of what became of the node's images. Cheap to clone; clones count together.
#[derive(Clone, Debug)]
pub struct Metrics {
    runs: Family<ByResult, Counter>,
    seconds: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { runs: Family::default(), seconds: Histogram::new(BOUNDS) }
    }
}

impl Metrics {
    /// Makes them seen.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "pratique_index_runs",
            "Images of the node that were indexed, by what came of it",
            self.runs.clone(),
        );
        registry.register(
            "pratique_index_seconds",
            "How long indexing an image of the node took",
            self.seconds.clone(),
        );
    }

    pub(super) fn count(&self, result: &'static str, took: Duration) {
        self.runs.get_or_create(&ByResult { result }).inc();
        self.seconds.observe(took.as_secs_f64());
    }
}
