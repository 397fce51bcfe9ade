//! What the matcher tells Prometheus: every name, type and label in one place.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::{Backlog, Progress};

/// Bounds of the histogram, in seconds: a second is what is promised for one advisory.
const DURATION_BOUNDS: [f64; 9] = [0.005, 0.02, 0.05, 0.2, 0.5, 1.0, 3.0, 10.0, 30.0];

/// The matcher's metrics. Clones are the same.
#[derive(Clone, Debug)]
pub struct Metrics {
    duration: Histogram,
    packages: Counter,
    findings: Counter,
    created: Family<ReasonLabels, Counter>,
    errors: Counter,
    behind_parts: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

impl Metrics {
    /// Metrics that nobody reads yet.
    pub fn new() -> Self {
        Self {
            duration: Histogram::new(DURATION_BOUNDS),
            packages: Counter::default(),
            findings: Counter::default(),
            created: Family::default(),
            errors: Counter::default(),
            behind_parts: Gauge::default(),
        }
    }

    /// Adds `pratique_matcher_…` and `pratique_notifier_created_total{reason}`, which is counted
    /// where notifications are created.
    pub fn register(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "pratique_matcher_duration",
            "Time of one step, a transaction: from changes to findings and notifications",
            Unit::Seconds,
            self.duration.clone(),
        );
        registry.register(
            "pratique_matcher_packages",
            "Packages that were held against the statements about them",
            self.packages.clone(),
        );
        registry.register(
            "pratique_matcher_findings_changed",
            "Findings that were written, changed or removed",
            self.findings.clone(),
        );
        registry.register(
            "pratique_matcher_errors",
            "Steps that failed; they are done again",
            self.errors.clone(),
        );
        registry.register(
            "pratique_matcher_behind_parts",
            "Parts that have changed since the matcher read them, when it last looked",
            self.behind_parts.clone(),
        );
        registry.register(
            "pratique_notifier_created",
            "Notifications that were put into the outbox",
            self.created.clone(),
        );
    }

    /// Takes what one step did.
    pub(crate) fn take(&self, progress: &Progress, took: Duration) {
        self.duration.observe(took.as_secs_f64());
        self.packages.inc_by(progress.package_count);
        self.findings.inc_by(progress.written_count + progress.removed_count);
        for (reason, count) in &progress.told {
            let labels = ReasonLabels { reason: reason.as_str() };
            self.created.get_or_create(&labels).inc_by(*count);
        }
    }

    /// Counts a step that failed.
    pub(crate) fn fail(&self) {
        self.errors.inc();
    }

    /// Takes what is left to do.
    pub(crate) fn set_backlog(&self, backlog: Backlog) {
        self.behind_parts.set(i64::try_from(backlog.part_count).unwrap_or(i64::MAX));
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use pratique_store::ChangeKind;

    use super::*;

    #[test]
    fn metrics_have_the_names_of_the_design() {
        let metrics = Metrics::new();
        let told = BTreeMap::from([(ChangeKind::New, 2)]);
        let progress = Progress { package_count: 3, written_count: 1, told, ..Progress::default() };
        metrics.take(&progress, Duration::from_millis(7));
        metrics.set_backlog(Backlog { part_count: 4, has_pending: false });
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).expect("text");
        for line in [
            "pratique_matcher_duration_seconds_count 1",
            "pratique_matcher_packages_total 3",
            "pratique_matcher_findings_changed_total 1",
            "pratique_matcher_errors_total 0",
            "pratique_matcher_behind_parts 4",
            "pratique_notifier_created_total{reason=\"new\"} 2",
        ] {
            assert!(text.lines().any(|one| one == line), "{line} is missing in {text}");
        }
    }
}
