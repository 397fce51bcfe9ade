//! A sandbox as its state files describe it, and what is remembered between its answers.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use crate::breaker::Breaker;
use crate::exposition::Label;
use crate::process::Process;
use crate::registration::Registration;
use crate::savings::Savings;
use crate::state_file::{Container, SandboxState};
use crate::verifier::Verifier;

/// What `ociversion` says when containers of a sandbox differ; from gVisor's `containermetrics`.
const INCONSISTENT: &str = "INCONSISTENT";

/// One sandbox; does not change, but is replaced when a state file of it does.
#[derive(Debug)]
pub(crate) struct Sandbox {
    /// Its id.
    pub(crate) id: Box<str>,
    /// Where its root folder stands among ours.
    pub(crate) root_index: usize,
    /// When its root container was created; with the id, its identity.
    pub(crate) created_at: Timestamp,
    /// Labels of all its series, sorted.
    pub(crate) labels: Vec<Label>,
    /// Capabilities of all its containers, one bit each.
    pub(crate) capabilities: u64,
    /// Labels of `sandbox_metadata`, sorted.
    pub(crate) metadata: Vec<Label>,
    /// Labels of `spec_metadata`, sorted.
    pub(crate) spec: Vec<Label>,
    /// Whether it was checkpointed.
    pub(crate) is_checkpointed: bool,
    /// Whether it was restored.
    pub(crate) is_restored: bool,
    /// What the restore saved, if its state says so.
    savings: Savings,
    /// Its process.
    pub(crate) process: Process,
    /// Where it may answer; the first that exists counts.
    pub(crate) sockets: Vec<PathBuf>,
    /// What it registered.
    pub(crate) registration: Arc<Registration>,
    /// What outlives a change of its state files.
    pub(crate) memory: Arc<Memory>,
}

/// What is remembered of a sandbox from one call to the next.
#[derive(Debug)]
pub(crate) struct Memory {
    /// One call at a time.
    pub(crate) turn: Semaphore,
    state: Mutex<MemoryState>,
}

/// What [`Memory`] guards.
#[derive(Debug, Default)]
pub(crate) struct MemoryState {
    /// What it said last.
    pub(crate) verifier: Verifier,
    /// Whether it is left out.
    pub(crate) breaker: Breaker,
    /// What its restore saved, once it has been asked.
    pub(crate) savings: Option<Savings>,
}

impl Memory {
    /// Nothing is known yet.
    pub(crate) fn new() -> Self {
        Self { turn: Semaphore::new(1), state: Mutex::default() }
    }

    /// Locks what is remembered. A panic elsewhere leaves it usable: every change is complete
    /// before anything can fail.
    pub(crate) fn lock(&self) -> MutexGuard<'_, MemoryState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The parts of a sandbox that discovery finds out itself.
pub(crate) struct Found {
    /// Its id.
    pub(crate) id: Box<str>,
    /// Where its root folder stands among ours.
    pub(crate) root_index: usize,
    /// Its process.
    pub(crate) process: Process,
    /// What it registered.
    pub(crate) registration: Arc<Registration>,
    /// What is remembered of it.
    pub(crate) memory: Arc<Memory>,
}

impl Sandbox {
    /// Puts a sandbox together from all its containers. `root` is the one it was started for,
    /// `runtime_root` the label of its folder if there are several.
    pub(crate) fn new(
        found: Found,
        root: &Container,
        containers: &[Arc<Container>],
        folder: &Path,
        runtime_root: Option<&str>,
    ) -> Self {
        let Found { id, root_index, process, registration, memory } = found;
        let state = &root.sandbox;
        let fallback = folder.join(format!("runsc-{id}.sock"));
        let mut sockets = vec![fallback];
        if !state.control_socket_path.is_empty() {
            sockets.insert(0, PathBuf::from(&*state.control_socket_path));
        }
        Self {
            labels: identity_labels(&id, root.created_at, state, runtime_root),
            capabilities: containers.iter().fold(0, |bits, one| bits | one.capabilities),
            metadata: metadata_labels(state),
            spec: spec_labels(containers),
            is_checkpointed: state.is_checkpointed,
            is_restored: state.is_restored,
            savings: Savings::from_nanoseconds(state.cpu_time_saved, state.wall_time_saved),
            created_at: root.created_at,
            id,
            root_index,
            process,
            sockets,
            registration,
            memory,
        }
    }
}

impl Sandbox {
    /// What its restore saved; nothing if it was not restored, or has not said so yet.
    pub(crate) fn savings(&self) -> Savings {
        if self.savings == Savings::default() {
            self.memory.lock().savings.unwrap_or_default()
        } else {
            self.savings
        }
    }

    /// Whether it must be asked for what its restore saved.
    pub(crate) fn owes_savings(&self) -> bool {
        self.is_restored
            && self.savings == Savings::default()
            && self.memory.lock().savings.is_none()
    }
}

fn identity_labels(
    id: &str,
    created_at: Timestamp,
    state: &SandboxState,
    runtime_root: Option<&str>,
) -> Vec<Label> {
    let iteration = iteration(id, created_at);
    let pairs = [
        ("iteration", &*iteration),
        ("namespace_name", &*state.namespace),
        ("pod_name", &*state.pod_name),
        ("runtime_root", runtime_root.unwrap_or_default()),
        ("sandbox", id),
    ];
    let named = pairs.into_iter().filter(|(_, value)| !value.is_empty());
    named.map(|(name, value)| Label::new(name, value)).collect()
}

/// Tells two sandboxes with the same id apart: base 36 of the first eight bytes of SHA-256 over id
/// and creation time, as gVisor's `containermetrics` has it.
fn iteration(id: &str, created_at: Timestamp) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{id}:{}", go_time(created_at)));
    let digest = hash.finalize();
    let mut number =
        digest.iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    let mut digits = Vec::new();
    loop {
        let digit = u32::try_from(number % 36).ok().and_then(|digit| char::from_digit(digit, 36));
        digits.extend(digit);
        number /= 36;
        if number == 0 {
            return digits.iter().rev().collect();
        }
    }
}

/// A time as Go's `Time.String` prints it in UTC: the fraction without trailing zeros.
fn go_time(at: Timestamp) -> String {
    let zoned = at.to_zoned(TimeZone::UTC);
    let fraction = format!(".{:09}", zoned.subsec_nanosecond());
    let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
    format!("{}{fraction} +0000 UTC", zoned.strftime("%Y-%m-%d %H:%M:%S"))
}

/// Words about the configuration. A name that is no label's, or is one of the sandbox's own, is
/// left out.
fn metadata_labels(state: &SandboxState) -> Vec<Label> {
    let is_named = |name: &str| {
        let is_start = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
        name.bytes().next().is_some_and(is_start)
            && name.bytes().all(|byte| is_start(byte) || byte.is_ascii_digit())
            && !name.starts_with("__")
            && !["iteration", "namespace_name", "pod_name", "runtime_root", "sandbox"]
                .contains(&name)
    };
    let named = state.metadata.iter().filter(|(name, _)| is_named(name));
    named.map(|(name, value)| Label::new(name, value)).collect()
}

fn spec_labels(containers: &[Arc<Container>]) -> Vec<Label> {
    let any = |holds: fn(&Container) -> bool| containers.iter().any(|one| holds(one)).to_string();
    let version = match containers {
        [first, rest @ ..] if rest.iter().all(|one| one.oci_version == first.oci_version) => {
            &*first.oci_version
        }
        _ => INCONSISTENT,
    };
    vec![
        Label::new("hasuid0", &any(|one| one.is_root_user)),
        Label::new("nvproxy", &any(|one| one.has_nvproxy)),
        Label::new("ociversion", version),
        Label::new("tpuproxy", &any(|one| one.has_tpuproxy)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_iteration(id: &str, created_at: &str, expected: &str) {
        let created_at = created_at.parse().expect("a time");
        assert_eq!(iteration(id, created_at), expected, "{}", go_time(created_at));
    }

    #[test]
    fn iterations_are_those_of_runsc() {
        // Made by `runsc export-metrics`.
        check_iteration("sb1", "2026-11-20T23:27:49.930795749Z", "1lu9jbm2c4y7l");
        check_iteration("sb2", "2026-11-20T23:27:50.282851581Z", "2au3e0acr6d45");
        check_iteration("sb1", "2026-11-21T04:57:26.521087632Z", "tk60lxonjgu2");
    }

    #[test]
    fn times_are_printed_as_go_prints_them() {
        let time = |text: &str| go_time(text.parse().expect("a time"));
        assert_eq!(time("2026-11-20T23:27:49.93Z"), "2026-11-20 23:27:49.93 +0000 UTC");
        assert_eq!(time("2026-11-20T23:00:00Z"), "2026-11-20 23:00:00 +0000 UTC");
        assert_eq!(time("2026-11-20T23:00:10+01:00"), "2026-11-20 22:00:10 +0000 UTC");
    }
}
