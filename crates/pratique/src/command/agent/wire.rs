//! What the agent's HTTP API says, as JSON. Field names are promised in `docs/agent.md`.

use pratique_model::{Container, NodeImage, Notice, NumberedNotice, Pod, Severity};
use serde::{Deserialize, Serialize};

/// One event. What does not apply is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EventRow {
    /// Counts up; numbers may be left out.
    pub(crate) number: u64,
    pub(crate) at: String,
    pub(crate) kind: String,
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub(crate) namespace: String,
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub(crate) id: String,
    pub(crate) source: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) platform: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) pod: Option<PodRow>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) container: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) isolation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) exit_code: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) oom_count: Option<u64>,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub(crate) amended: bool,
}

/// A pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PodRow {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
}

/// One container.
#[derive(Debug, Serialize)]
pub(super) struct ContainerRow {
    namespace: String,
    id: String,
    kind: &'static str,
    state: &'static str,
    isolation: &'static str,
    pod: Option<PodRow>,
    container: Option<String>,
    image: Option<String>,
    image_digest: Option<String>,
    config_digest: Option<String>,
    pid: Option<u32>,
    created_at: Option<String>,
    started_at: Option<String>,
    finished_at: Option<String>,
    exit_code: Option<u32>,
    reason: Option<&'static str>,
    oom_count: u64,
}

/// One name of an image.
#[derive(Debug, Serialize)]
pub(super) struct ImageRow {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) digest: Option<String>,
    /// Whether the node still has it under this name.
    pub(super) present: bool,
    pub(super) indexed_at: Option<String>,
    pub(super) index_error: Option<String>,
    pub(super) packages: Option<usize>,
    pub(super) findings: Option<FindingCounts>,
    pub(super) data_as_of: Option<String>,
}

/// How many findings an image has of each severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct FindingCounts {
    critical: u64,
    high: u64,
    medium: u64,
    low: u64,
    negligible: u64,
    unknown: u64,
}

impl FindingCounts {
    pub(super) fn add(&mut self, severity: Severity) {
        *match severity {
            Severity::Critical => &mut self.critical,
            Severity::High => &mut self.high,
            Severity::Medium => &mut self.medium,
            Severity::Low => &mut self.low,
            Severity::Negligible => &mut self.negligible,
            Severity::Unknown => &mut self.unknown,
        } += 1;
    }
}

impl From<Pod> for PodRow {
    fn from(pod: Pod) -> Self {
        Self { namespace: pod.namespace, name: pod.name, uid: pod.uid }
    }
}

impl From<NumberedNotice> for EventRow {
    fn from(numbered: NumberedNotice) -> Self {
        let NumberedNotice { number, notice } = numbered;
        let Notice { at, kind, namespace, id, source, name, digest, platform, .. } = notice;
        Self {
            number,
            at: at.to_string(),
            kind: kind.as_str().to_owned(),
            namespace,
            id,
            source: source.as_str().to_owned(),
            name,
            digest: digest.map(|digest| digest.to_string()),
            platform: platform.map(|platform| platform.to_string()),
            pod: notice.pod.map(PodRow::from),
            container: notice.container,
            isolation: notice.isolation.map(|isolation| isolation.as_str().to_owned()),
            pid: notice.pid,
            exit_code: notice.exit_code,
            reason: notice.reason.map(|reason| reason.as_str().to_owned()),
            oom_count: notice.oom_count,
            amended: notice.is_amended,
        }
    }
}

impl From<Container> for ContainerRow {
    fn from(container: Container) -> Self {
        Self {
            namespace: container.namespace,
            id: container.id,
            kind: container.kind.as_str(),
            state: container.state.as_str(),
            isolation: container.isolation.as_str(),
            pod: container.pod.map(PodRow::from),
            container: container.name,
            image: container.image,
            image_digest: container.manifest.map(|digest| digest.to_string()),
            config_digest: container.config.map(|digest| digest.to_string()),
            pid: Some(container.pid).filter(|pid| *pid != 0),
            created_at: container.created_at.map(|at| at.to_string()),
            started_at: container.started_at.map(|at| at.to_string()),
            finished_at: container.finished_at.map(|at| at.to_string()),
            exit_code: container.exit_code,
            reason: container.reason.map(pratique_model::ExitReason::as_str),
            oom_count: container.oom_count,
        }
    }
}

impl ImageRow {
    /// An image of which nothing is known but its name.
    pub(super) fn named(image: NodeImage) -> Self {
        Self {
            namespace: image.namespace,
            name: image.name,
            digest: image.digest.map(|digest| digest.to_string()),
            present: true,
            indexed_at: None,
            index_error: None,
            packages: None,
            findings: None,
            data_as_of: None,
        }
    }
}
