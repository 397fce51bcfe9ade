//! `pratique serve` beside a test.

use std::time::Duration;

use pratique_testkit::process::{Process, eventually, get, metric};

use crate::bed::{Bed, DEADLINE};

/// How long a lease of these services lives without renewal: as short as a busy machine allows,
/// where a real one has a minute.
pub(crate) const LEASE_TTL: &str = "3s";

/// How long stopping may take; from the design (updater, *Shown by*, 7).
pub(crate) const STOP_DEADLINE: Duration = Duration::from_secs(15);

/// A running service and where it answers.
pub(crate) struct Service {
    pub(crate) process: Process,
    address: String,
}

impl Service {
    /// Starts one over these sources, each looked at every second.
    pub(crate) fn start(bed: &Bed, name: &str, sources: &str, rooms: &str) -> Self {
        Self::start_with(bed, name, sources, &["--only", rooms])
    }

    /// The same, with all rooms or those of further flags.
    pub(crate) fn start_with(bed: &Bed, name: &str, sources: &str, flags: &[&str]) -> Self {
        let mut arguments = vec!["serve", "--sources", sources, "--interval", "1s"];
        arguments.extend(["--lease-ttl", LEASE_TTL, "--listen", "127.0.0.1:0"]);
        arguments.extend(flags);
        let process = bed.start(name, &arguments);
        let line = process.wait_for_line("metrics and health at ", DEADLINE);
        let address = line.rsplit("metrics and health at ").next().unwrap_or_default();
        let address = address.split_whitespace().next().unwrap_or_default().to_owned();
        Self { process, address }
    }

    /// The sum of a metric's samples; 0 when it has none.
    pub(crate) fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let (status, text) = get(&self.address, "/metrics").expect("the service answers");
        assert_eq!(status, 200, "{text}");
        metric(&text, name, labels).unwrap_or_default()
    }

    /// Waits until a metric has at least this value.
    pub(crate) fn wait_for_metric(&self, name: &str, labels: &[&str], least: f64) {
        eventually(&format!("{name} is {least}"), DEADLINE, || self.metric(name, labels) >= least);
    }

    /// Stops it with grace: in time, with success, without leftovers.
    pub(crate) fn stop(self, bed: &Bed) {
        let status = self.process.terminate(STOP_DEADLINE);
        assert_eq!(status.code(), Some(0), "{}", self.process.said());
        bed.expect_no_leftovers();
    }
}

/// Waits until a part has this generation.
pub(crate) fn wait_for_generation(bed: &Bed, part: &str, generation: u64) {
    eventually(&format!("{part} has generation {generation}"), DEADLINE, || {
        bed.status(part)["generation"] == generation
    });
}
