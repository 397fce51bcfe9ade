//! What the updater tells Prometheus: every name, type and label in one place. Those of leases are
//! in `clockwork::lease`.
//!
//! Labels come from the registered sources and from enums, so their number is bounded. Surprising:
//! a part that upstream does not have counts as updated here, since asking again gives nothing
//! better; and the gauges of a part follow the store, so every replica shows the work of all.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use pratique_clockwork::Clock;
use pratique_model::PartId;
use pratique_store::{ChangeKind, PartState};

/// Bounds of the phases' histogram, in seconds: from a 304 to a feed of gigabytes.
const PHASE_BOUNDS: [f64; 10] = [0.05, 0.2, 1.0, 3.0, 10.0, 30.0, 60.0, 120.0, 300.0, 1800.0];

/// Bounds of the lag's histogram, in seconds; a minute is what is promised where there is a tip.
const LAG_BOUNDS: [f64; 9] = [5.0, 15.0, 30.0, 60.0, 120.0, 600.0, 3600.0, 21_600.0, 86_400.0];

/// The updater's metrics. Clones are the same.
#[derive(Clone, Debug)]
pub struct Metrics {
    last_success: Family<PartLabels, Gauge<f64, AtomicU64>>,
    last_attempt: Family<PartLabels, Gauge<f64, AtomicU64>>,
    entries: Family<PartLabels, Gauge>,
    notes: Family<PartLabels, Gauge>,
    runs: Family<RunLabels, Counter>,
    errors: Family<SourceLabels, Counter>,
    duration: Family<PhaseLabels, Histogram>,
    changes: Family<ChangeLabels, Counter>,
    quarantined: Family<SourceLabels, Counter>,
    fetched_bytes: Family<SourceLabels, Counter>,
    lag: Family<SourceLabels, Histogram>,
    retention_deleted: Family<RetentionLabels, Counter>,
    store_unreachable: Counter,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RunResult {
    Changed,
    Unchanged,
    Failed,
    Cancelled,
}

/// A stretch of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    Fetch,
    Parse,
    Apply,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PartLabels {
    source: String,
    part: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabels {
    source: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RunLabels {
    source: String,
    part: String,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PhaseLabels {
    source: String,
    phase: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ChangeLabels {
    source: String,
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RetentionLabels {
    what: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            last_success: Family::default(),
            last_attempt: Family::default(),
            entries: Family::default(),
            notes: Family::default(),
            runs: Family::default(),
            errors: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(PHASE_BOUNDS)),
            changes: Family::default(),
            quarantined: Family::default(),
            fetched_bytes: Family::default(),
            lag: Family::new_with_constructor(|| Histogram::new(LAG_BOUNDS)),
            retention_deleted: Family::default(),
            store_unreachable: Counter::default(),
        }
    }
}

impl Metrics {
    /// Adds all metrics to a registry.
    pub fn register(&self, registry: &mut Registry) {
        let updater = registry.sub_registry_with_prefix("pratique_updater");
        let mut add = |name: &str, help: &str, metric: &dyn Registered| {
            metric.add_to(updater, name, help);
        };
        add(
            "last_success_timestamp_seconds",
            "When a part was last found or made fresh, or found absent upstream",
            &self.last_success,
        );
        add("last_attempt_timestamp_seconds", "When a part was last tried", &self.last_attempt);
        add("entries", "Advisories or facts that a part holds", &self.entries);
        add("notes", "Remarks for the operator on a part's last reading", &self.notes);
        add("runs", "Runs of a part by how they ended", &self.runs);
        add("errors", "Runs that failed", &self.errors);
        add("duration_seconds", "How long the stretches of a run took", &self.duration);
        add("changes", "Changes that were recorded, by kind", &self.changes);
        add("quarantined", "Entries that could not be read and were put aside", &self.quarantined);
        add("fetched_bytes", "Bytes of documents that were fetched", &self.fetched_bytes);
        add("retention_deleted", "Rows that retention removed", &self.retention_deleted);
        add(
            "lag_seconds",
            "From the date that upstream gives a change to its being stored",
            &self.lag,
        );
        add(
            "store_unreachable",
            "Times that the store could not be reached",
            &self.store_unreachable,
        );
    }

    /// Shows what the store knows of a part.
    pub(crate) fn state(&self, state: &PartState) {
        let labels = PartLabels::of(&state.id);
        let seconds = |at: jiff::Timestamp| at.as_second() as f64;
        if let Some(at) = state.last_attempt {
            self.last_attempt.get_or_create(&labels).set(seconds(at));
        }
        let answered = if state.is_absent { state.last_attempt } else { state.last_success };
        if let Some(at) = answered {
            self.last_success.get_or_create(&labels).set(seconds(at));
        }
        self.entries.get_or_create(&labels).set(state.entries.cast_signed());
    }

    /// Takes the gauges of a part away that is not looked at any more.
    pub(crate) fn forget(&self, part: &PartId) {
        let labels = PartLabels::of(part);
        self.last_success.remove(&labels);
        self.last_attempt.remove(&labels);
        self.entries.remove(&labels);
        self.notes.remove(&labels);
    }

    pub(crate) fn run(&self, part: &PartId, result: RunResult) {
        let PartLabels { source, part } = PartLabels::of(part);
        if result == RunResult::Failed {
            self.errors.get_or_create(&SourceLabels { source: source.clone() }).inc();
        }
        let result = result.label();
        self.runs.get_or_create(&RunLabels { source, part, result }).inc();
    }

    pub(crate) fn phase(&self, part: &PartId, phase: Phase, took: Duration) {
        let labels = PhaseLabels { source: part.source().to_owned(), phase: phase.label() };
        self.duration.get_or_create(&labels).observe(took.as_secs_f64());
    }

    pub(crate) fn changes(&self, part: &PartId, counts: &[(ChangeKind, u64)]) {
        for (kind, count) in counts {
            let source = part.source().to_owned();
            self.changes
                .get_or_create(&ChangeLabels { source, kind: kind.as_str() })
                .inc_by(*count);
        }
    }

    pub(crate) fn notes(&self, part: &PartId, count: u64) {
        self.notes.get_or_create(&PartLabels::of(part)).set(count.cast_signed());
    }

    pub(crate) fn quarantined(&self, part: &PartId, count: u64) {
        self.quarantined.get_or_create(&SourceLabels::of(part)).inc_by(count);
    }

    pub(crate) fn fetched(&self, part: &PartId, bytes: u64) {
        self.fetched_bytes.get_or_create(&SourceLabels::of(part)).inc_by(bytes);
    }

    /// Observes how long after its date a change is stored; a date to come counts as now.
    pub(crate) fn noticed(&self, part: &PartId, dated: jiff::Timestamp, clock: &Clock) {
        let lag = clock.now().duration_since(dated).as_secs_f64().max(0.0);
        self.lag.get_or_create(&SourceLabels::of(part)).observe(lag);
    }

    pub(crate) fn retention(&self, what: &'static str, count: u64) {
        self.retention_deleted.get_or_create(&RetentionLabels { what }).inc_by(count);
    }

    pub(crate) fn store_unreachable(&self) {
        self.store_unreachable.inc();
    }
}

impl RunResult {
    const fn label(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Phase {
    const fn label(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Parse => "parse",
            Self::Apply => "apply",
        }
    }
}

impl PartLabels {
    fn of(part: &PartId) -> Self {
        Self { source: part.source().to_owned(), part: part.part().to_owned() }
    }
}

impl SourceLabels {
    fn of(part: &PartId) -> Self {
        Self { source: part.source().to_owned() }
    }
}

/// A metric that can be added to a registry while it is borrowed.
trait Registered {
    fn add_to(&self, registry: &mut Registry, name: &str, help: &str);
}

impl<M: prometheus_client::registry::Metric + Clone> Registered for M {
    fn add_to(&self, registry: &mut Registry, name: &str, help: &str) {
        registry.register(name, help, self.clone());
    }
}

#[cfg(test)]
mod tests;
