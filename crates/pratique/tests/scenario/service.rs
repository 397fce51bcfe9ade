//! `pratique serve` beside a test.

use std::time::{Duration, Instant};

use pratique_testkit::process::{Process, eventually, get, metric};

use crate::bed::{Bed, DEADLINE};

/// Set by `cargo xtask test --full`: times are those of the field.
const FULL_TIMES: &str = "PRATIQUE_FULL_TIMES";

/// What the updater says when it begins to fetch, to read and to commit, besides all else.
const LOG: &str = "info,pratique_update=debug";

/// How long stopping may take; from the design (updater, *Shown by*, 7).
pub(crate) const STOP_DEADLINE: Duration = Duration::from_secs(15);

/// The times that services here are given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// How long a lease lives without renewal; the program's default is the design's.
    pub(crate) lease_ttl: Duration,
    /// How long a server may stay silent.
    pub(crate) idle_timeout: Duration,
    /// How long a stopped process stays stopped, if that is longer than its lease lives.
    pub(crate) stopped_for: Duration,
}

impl Times {
    /// As short as a busy machine allows, or as in the field.
    pub(crate) fn of_this_run() -> Self {
        let is_full = std::env::var_os(FULL_TIMES).is_some_and(|value| !value.is_empty());
        let [lease_ttl, idle_timeout, stopped_for] =
            if is_full { [60, 45, 90] } else { [3, 2, 5] }.map(Duration::from_secs);
        Self { lease_ttl, idle_timeout, stopped_for }
    }

    /// How long something may take that waits for a lease to expire.
    pub(crate) fn deadline(self) -> Duration {
        DEADLINE + self.lease_ttl
    }
}

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
        let times = Times::of_this_run();
        let [lease_ttl, idle_timeout] =
            [times.lease_ttl, times.idle_timeout].map(|time| format!("{}s", time.as_secs()));
        let mut arguments = vec!["serve", "--sources", sources, "--listen", "127.0.0.1:0"];
        arguments.extend(["--lease-ttl", &lease_ttl, "--idle-timeout", &idle_timeout]);
        if !flags.contains(&"--interval") {
            arguments.extend(["--interval", "1s"]);
        }
        arguments.extend(flags);
        let mut command = bed.command(&arguments);
        command.env("PRATIQUE_LOG", LOG);
        let process = Process::spawn(name, command);
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
        let deadline = Times::of_this_run().deadline();
        eventually(&format!("{name} is {least}"), deadline, || self.metric(name, labels) >= least);
    }

    /// Stops it with grace: in time, with success, without leftovers.
    pub(crate) fn stop(self, bed: &Bed) {
        let status = self.process.terminate(STOP_DEADLINE);
        assert_eq!(status.code(), Some(0), "{}", self.process.said());
        bed.expect_no_leftovers();
    }
}

/// What has passed since something happened to a process.
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        #[expect(clippy::disallowed_methods, reason = "how long a real process is stopped")]
        Self(Instant::now())
    }

    /// Whether it was started between two moments.
    pub(crate) fn is_between(&self, first: Instant, second: Instant) -> bool {
        first <= self.0 && self.0 <= second
    }

    /// Waits until so much has passed.
    pub(crate) fn wait_until(&self, passed: Duration) {
        eventually("the time has passed", passed + DEADLINE, || self.0.elapsed() >= passed);
    }
}

/// Waits until a part has this generation.
pub(crate) fn wait_for_generation(bed: &Bed, part: &str, generation: u64) {
    let deadline = Times::of_this_run().deadline();
    eventually(&format!("{part} has generation {generation}"), deadline, || {
        bed.status(part)["generation"] == generation
    });
}
