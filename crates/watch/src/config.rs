//! How the watcher works: plain values; nothing is opened here.

use std::time::Duration;

use serde::Deserialize;

/// How many handlers work at a time. From the design (watch), "Order, fairness, bounds".
const WORKERS: usize = 4;

/// Between two probes. Same origin, "Starting, and gaps".
const PROBE_INTERVAL: Duration = Duration::from_secs(10);

/// How long one step of a handler may take. From containerd's CRI plugin, `events.go`,
/// `handleEventTimeout`.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);

/// How long running handlers get when the watcher stops. From the design (watch), "Stop".
const STOP_GRACE: Duration = Duration::from_secs(10);

/// How the watcher works.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The namespaces that are watched; `None`: all, also those made later.
    pub namespaces: Option<Vec<String>>,
    /// Namespaces in which tasks that have ended are removed. Empty: only look, never touch.
    pub manage: Vec<String>,
    /// Whether events of our own are published to see that the stream lives.
    pub probe: bool,
    /// How many handlers work at a time; one that hangs makes room for another.
    pub workers: usize,
    /// Between two probes; two missed ones are a gap.
    #[serde(skip)]
    pub probe_interval: Duration,
    /// How long one step of a handler may take.
    #[serde(skip)]
    pub step_timeout: Duration,
    /// How long running handlers get when the watcher stops.
    #[serde(skip)]
    pub stop_grace: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            namespaces: None,
            manage: Vec::new(),
            probe: true,
            workers: WORKERS,
            probe_interval: PROBE_INTERVAL,
            step_timeout: STEP_TIMEOUT,
            stop_grace: STOP_GRACE,
        }
    }
}

impl Config {
    /// Whether a namespace is watched. One that is managed is.
    pub(crate) fn watches(&self, namespace: &str) -> bool {
        let is_listed = |names: &Vec<String>| names.iter().any(|name| name == namespace);
        self.namespaces.as_ref().is_none_or(is_listed) || self.manages(namespace)
    }

    /// Whether tasks that have ended are removed in a namespace.
    pub(crate) fn manages(&self, namespace: &str) -> bool {
        self.manage.iter().any(|name| name == namespace)
    }
}
