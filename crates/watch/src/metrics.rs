//! What the watcher tells Prometheus: every name, type and label in one place.
//!
//! Labels are words of ours: a topic that is not known counts as `other`.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use pratique_clockwork::queue::QueueCounts;
use pratique_model::ExitReason;

/// Bounds of a handler's histogram, in seconds: ten are its limit.
const HANDLER_BOUNDS: [f64; 8] = [0.001, 0.005, 0.02, 0.05, 0.2, 1.0, 5.0, 10.0];

/// Bounds of the lag's histogram, in seconds; 50 ms is what is promised for healthy keys.
const LAG_BOUNDS: [f64; 9] = [0.005, 0.02, 0.05, 0.2, 0.5, 1.0, 5.0, 30.0, 300.0];

/// The topics that are counted by name.
const TOPICS: [&str; 14] = [
    "/tasks/create",
    "/tasks/start",
    "/tasks/exit",
    "/tasks/delete",
    "/tasks/oom",
    "/tasks/paused",
    "/tasks/resumed",
    "/tasks/exec-added",
    "/containers/create",
    "/containers/update",
    "/containers/delete",
    "/images/create",
    "/images/update",
    "/images/delete",
];

/// The watcher's metrics. Clones are the same.
#[derive(Clone, Debug)]
pub struct Metrics {
    events: Family<TopicLabels, Counter>,
    backoff_keys: Gauge,
    backoff_events: Gauge,
    gap_seconds: Counter<f64, AtomicU64>,
    reconcile: Family<OutcomeLabels, Counter>,
    handler: Histogram,
    dropped: Family<ReasonLabels, Counter>,
    exits: Family<ReasonLabels, Counter>,
    conflicts: Counter,
    lag: Histogram,
}

/// Why an event was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dropped {
    /// It could not be read.
    Undecodable,
    /// There was no room; everything is looked at again.
    Full,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TopicLabels {
    topic: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

impl Metrics {
    /// Metrics that nobody reads yet.
    pub fn new() -> Self {
        Self {
            events: Family::default(),
            backoff_keys: Gauge::default(),
            backoff_events: Gauge::default(),
            gap_seconds: Counter::default(),
            reconcile: Family::default(),
            handler: Histogram::new(HANDLER_BOUNDS),
            dropped: Family::default(),
            exits: Family::default(),
            conflicts: Counter::default(),
            lag: Histogram::new(LAG_BOUNDS),
        }
    }

    /// Adds `pratique_runtime_…`.
    pub fn register(&self, registry: &mut Registry) {
        let events = "Events that the runtime told";
        registry.register("pratique_runtime_events", events, self.events.clone());
        let keys = "Containers and images that wait after a failure";
        registry.register("pratique_runtime_backoff_keys", keys, self.backoff_keys.clone());
        let waiting = "Events of containers and images that wait after a failure";
        registry.register("pratique_runtime_backoff_events", waiting, self.backoff_events.clone());
        registry.register_with_unit(
            "pratique_runtime_gap",
            "Time in which events may have been missed",
            Unit::Seconds,
            self.gap_seconds.clone(),
        );
        let reconcile = "Things that were listed, by whether they were as known";
        registry.register("pratique_runtime_reconcile", reconcile, self.reconcile.clone());
        registry.register_with_unit(
            "pratique_runtime_handler",
            "Time that asking the runtime for one event took",
            Unit::Seconds,
            self.handler.clone(),
        );
        let dropped = "Events that were lost";
        registry.register("pratique_runtime_dropped", dropped, self.dropped.clone());
        let exits = "Ends of containers that were written";
        registry.register("pratique_runtime_exits", exits, self.exits.clone());
        let conflicts = "Ends of which two witnesses told different codes; the first holds";
        registry.register("pratique_runtime_exit_conflicts", conflicts, self.conflicts.clone());
        registry.register_with_unit(
            "pratique_runtime_lag",
            "Time from an event to its notice",
            Unit::Seconds,
            self.lag.clone(),
        );
    }

    pub(crate) fn take_event(&self, topic: &str) {
        let topic = TOPICS.iter().find(|known| **known == topic).copied().unwrap_or("other");
        self.events.get_or_create(&TopicLabels { topic }).inc();
    }

    pub(crate) fn set_queue(&self, counts: QueueCounts) {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.backoff_keys.set(number(counts.backoff_key_count));
        self.backoff_events.set(number(counts.backoff_event_count));
    }

    pub(crate) fn end_gap(&self, after: Duration) {
        self.gap_seconds.inc_by(after.as_secs_f64());
    }

    pub(crate) fn reconcile(&self, is_agreed: bool) {
        let outcome = if is_agreed { "agreed" } else { "repaired" };
        self.reconcile.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    pub(crate) fn handled(&self, took: Duration) {
        self.handler.observe(took.as_secs_f64());
    }

    pub(crate) fn drop_events(&self, why: Dropped, count: u64) {
        let reason = match why {
            Dropped::Undecodable => "undecodable",
            Dropped::Full => "full",
        };
        self.dropped.get_or_create(&ReasonLabels { reason }).inc_by(count);
    }

    pub(crate) fn exited(&self, reason: ExitReason) {
        self.exits.get_or_create(&ReasonLabels { reason: reason.as_str() }).inc();
    }

    pub(crate) fn conflict(&self) {
        self.conflicts.inc();
    }

    pub(crate) fn told(&self, lag: Duration) {
        self.lag.observe(lag.as_secs_f64());
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_have_the_names_of_the_design() {
        let metrics = Metrics::new();
        metrics.take_event("/tasks/oom");
        metrics.take_event("/tasks/made-up");
        let counts = QueueCounts { backoff_key_count: 1, backoff_event_count: 2, ..<_>::default() };
        metrics.set_queue(counts);
        metrics.end_gap(Duration::from_millis(1_500));
        metrics.reconcile(true);
        metrics.handled(Duration::from_millis(3));
        metrics.drop_events(Dropped::Full, 4);
        metrics.exited(ExitReason::OomKilled);
        metrics.conflict();
        metrics.told(Duration::from_millis(3));
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).expect("text");
        for line in [
            "pratique_runtime_events_total{topic=\"/tasks/oom\"} 1",
            "pratique_runtime_events_total{topic=\"other\"} 1",
            "pratique_runtime_backoff_keys 1",
            "pratique_runtime_backoff_events 2",
            "pratique_runtime_gap_seconds_total 1.5",
            "pratique_runtime_reconcile_total{outcome=\"agreed\"} 1",
            "pratique_runtime_handler_seconds_count 1",
            "pratique_runtime_dropped_total{reason=\"full\"} 4",
            "pratique_runtime_exits_total{reason=\"OOMKilled\"} 1",
            "pratique_runtime_exit_conflicts_total 1",
            "pratique_runtime_lag_seconds_count 1",
        ] {
            assert!(text.lines().any(|one| one == line), "{line} is missing in {text}");
        }
    }
}
