//! What the matcher tells Prometheus: every name, type and label in one place.

use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::{Backlog, Progress};

/// Bounds of the histogram, in seconds: a second is what is promised for one advisory.
const DURATION_BOUNDS: [f64; 9] = [0.005, 0.02, 0.05, 0.2, 0.5, 1.0, 3.0, 10.0, 30.0];

/// Bounds of the lag's histogram, in seconds; a minute is what is promised where a source has a
/// list of what is new.
const LAG_BOUNDS: [f64; 9] = [5.0, 15.0, 30.0, 60.0, 120.0, 600.0, 3600.0, 21_600.0, 86_400.0];

/// The matcher's metrics. Clones are the same.
#[derive(Clone, Debug)]
pub struct Metrics {
    duration: Histogram,
    packages: Counter,
    findings: Counter,
    created: Family<ReasonLabels, Counter>,
    errors: Counter,
    behind_parts: Gauge,
    notice_lag: Family<SourceLabels, Histogram>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabels {
    source: String,
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
            notice_lag: Family::new_with_constructor(|| Histogram::new(LAG_BOUNDS)),
        }
    }

    /// Adds `pratique_matcher_…`, and what is known where notifications are created:
    /// `pratique_notifier_created_total{reason}` and `pratique_notice_lag_seconds{source}`.
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
        registry.register(
            "pratique_notice_lag_seconds",
            "From the date that upstream gives its data to the outbox having what follows",
            self.notice_lag.clone(),
        );
    }

    /// Takes what one step did that was committed at `now`.
    pub(crate) fn take(&self, progress: &Progress, took: Duration, now: Timestamp) {
        self.duration.observe(took.as_secs_f64());
        self.packages.inc_by(progress.package_count);
        self.findings.inc_by(progress.written_count + progress.removed_count);
        for (reason, count) in &progress.told {
            let labels = ReasonLabels { reason: reason.as_str() };
            self.created.get_or_create(&labels).inc_by(*count);
        }
        for (source, at) in &progress.shown_since {
            let labels = SourceLabels { source: source.clone() };
            // A publisher's clock may run ahead of ours.
            let lag = now.duration_since(*at).as_secs_f64().max(0.0);
            self.notice_lag.get_or_create(&labels).observe(lag);
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
        let at = |second| Timestamp::from_second(second).expect("a time");
        let shown_since = BTreeMap::from([("osv".to_owned(), at(1_000))]);
        let progress = Progress {
            package_count: 3,
            written_count: 1,
            told,
            shown_since,
            ..Progress::default()
        };
        metrics.take(&progress, Duration::from_millis(7), at(1_040));
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
            "pratique_notice_lag_seconds_sum{source=\"osv\"} 40.0",
        ] {
            assert!(text.lines().any(|one| one == line), "{line} is missing in {text}");
        }
    }
}
