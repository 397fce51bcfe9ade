//! What the supervisor counts.

use std::fmt::{self, Write};

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// The failures of supervised tasks. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct SupervisorMetrics {
    /// `pratique_task_failures_total{task,kind=panic|error}`.
    pub(super) failures: Family<Failure, Counter>,
}

/// Which task failed, and how.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Failure {
    pub(super) task: &'static str,
    pub(super) kind: FailureKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum FailureKind {
    Panic,
    Error,
}

impl EncodeLabelValue for FailureKind {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(match self {
            Self::Panic => "panic",
            Self::Error => "error",
        })
    }
}

impl SupervisorMetrics {
    /// Adds the metrics to a registry without a prefix.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "pratique_task_failures",
            "Tasks that panicked or returned an error and were started anew",
            self.failures.clone(),
        );
    }
}
