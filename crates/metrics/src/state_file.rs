//! Reads what runsc wrote down about one container: its file's name and the JSON within.
//!
//! Pure: bytes in, [`Container`] out; opening, locking and remembering are
//! [`crate::discovery`]'s. The file is runsc's, not the sandbox's, but a container engine's user
//! may choose ids, annotations and labels, so nothing here becomes a name or path unchecked.
//! Members that are not known are passed over. Surprising: the registration, most of the file, is
//! equal for all sandboxes of a runtime, so it comes back as text for the caller to share.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The end of a state file's name, from gVisor's `runsc/container`.
pub(crate) const STATE_SUFFIX: &str = ".state";
/// What stands between the two ids.
const MIDDLE: &str = "_sandbox:";
/// Annotations that tell the root container of a pod from the others: containerd's and CRI-O's.
const TYPE_ANNOTATIONS: [&str; 2] =
    ["io.kubernetes.cri.container-type", "io.kubernetes.cri-o.ContainerType"];
/// Annotations that ask for devices, from gVisor's `runsc/specutils`.
const NVPROXY_ANNOTATION: &str = "dev.gvisor.internal.nvproxy";
const TPUPROXY_ANNOTATION: &str = "dev.gvisor.internal.tpuproxy";
/// Names of Linux capabilities by number, without `CAP_` (`linux/capability.h`).
pub(crate) const CAPABILITIES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// Which container a state file is about, by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ContainerName {
    /// The sandbox that it runs in.
    pub(crate) sandbox: Box<str>,
    /// The container.
    pub(crate) container: Box<str>,
}

/// What one state file says.
#[derive(Debug)]
pub(crate) struct Container {
    /// Whether it is the one that its sandbox was started for.
    pub(crate) is_root: bool,
    /// When it was created.
    pub(crate) created_at: Timestamp,
    /// One bit for each capability in any of its sets.
    pub(crate) capabilities: u64,
    /// Whether its process starts as user 0.
    pub(crate) is_root_user: bool,
    /// The version of the OCI runtime specification.
    pub(crate) oci_version: Box<str>,
    /// Whether it may use NVIDIA devices.
    pub(crate) has_nvproxy: bool,
    /// Whether it may use TPUs.
    pub(crate) has_tpuproxy: bool,
    /// What it says about its sandbox; a copy stands in every container's file.
    pub(crate) sandbox: SandboxState,
}

/// What a state file says about the sandbox.
#[derive(Debug)]
pub(crate) struct SandboxState {
    /// The pod's name; empty outside Kubernetes.
    pub(crate) pod_name: Box<str>,
    /// The pod's namespace; may be empty.
    pub(crate) namespace: Box<str>,
    /// The process; `None` when it has ended.
    pub(crate) pid: Option<i32>,
    /// Where it wants its metrics served; empty: nowhere.
    pub(crate) metric_server_address: Box<str>,
    /// The socket where it answers; may be empty.
    pub(crate) control_socket_path: Box<str>,
    /// Words about its configuration, by name.
    pub(crate) metadata: BTreeMap<String, String>,
    /// Whether it was checkpointed.
    pub(crate) is_checkpointed: bool,
    /// Whether it was restored.
    pub(crate) is_restored: bool,
    /// What the restore saved, in nanoseconds.
    pub(crate) cpu_time_saved: i64,
    /// What the restore saved on the wall's clock, in nanoseconds.
    pub(crate) wall_time_saved: i64,
}

/// A state file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateError {
    #[error("the state is not what runsc writes")]
    Json(#[from] serde_json::Error),
    #[error("the time of creation is no time")]
    Time,
    #[error("the ids within are not those of the file's name")]
    Name,
}

impl ContainerName {
    /// Reads `<container>_sandbox:<sandbox>.state`; `None` for every other name.
    pub(crate) fn parse(file_name: &str) -> Option<Self> {
        let (container, sandbox) = file_name.strip_suffix(STATE_SUFFIX)?.split_once(MIDDLE)?;
        let is_named = is_id(container) && is_id(sandbox);
        is_named.then(|| Self { sandbox: sandbox.into(), container: container.into() })
    }

    /// The file's name with another ending.
    pub(crate) fn file_name(&self, suffix: &str) -> String {
        format!("{}{MIDDLE}{}{suffix}", self.container, self.sandbox)
    }
}

/// Reads the JSON of a state file with this name. Beside the container comes the text of the
/// metrics that its sandbox registered; `None`: it asked for none.
///
/// # Errors
/// [`StateError`]; a file that is being written can be read a moment later.
pub(crate) fn parse<'text>(
    name: &ContainerName,
    text: &'text [u8],
) -> Result<(Container, Option<&'text str>), StateError> {
    let wire: WireContainer<'text> = serde_json::from_slice(text)?;
    let sandbox = wire.sandbox;
    if *wire.id != *name.container || *sandbox.id != *name.sandbox {
        return Err(StateError::Name);
    }
    let is_same = name.container == name.sandbox;
    let spec = wire.spec.unwrap_or_default();
    let annotations = spec.annotations.unwrap_or_default();
    let kind = TYPE_ANNOTATIONS.iter().find_map(|key| annotations.get(*key));
    let is_root = match kind.map(String::as_str) {
        Some("sandbox") => true,
        Some("container") => false,
        _ => is_same,
    };
    let process = spec.process.unwrap_or_default();
    let is_asked = |key: &str| annotations.get(key).is_some_and(|value| value == "true");
    let container = Container {
        is_root,
        created_at: wire.created_at.parse().map_err(|_| StateError::Time)?,
        capabilities: process.capabilities.map_or(0, |sets| sets.bits()),
        is_root_user: process.user.unwrap_or_default().uid == 0,
        oci_version: spec.oci_version.into(),
        has_nvproxy: is_asked(NVPROXY_ANNOTATION),
        has_tpuproxy: is_asked(TPUPROXY_ANNOTATION),
        sandbox: SandboxState {
            pod_name: sandbox.pod_name.into(),
            namespace: sandbox.namespace.into(),
            pid: i32::try_from(sandbox.pid).ok().filter(|pid| *pid > 0),
            metric_server_address: sandbox.metric_server_address.into(),
            control_socket_path: sandbox.control_socket_path.into(),
            metadata: sandbox.metric_metadata.unwrap_or_default(),
            is_checkpointed: sandbox.checkpointed,
            is_restored: sandbox.restored,
            cpu_time_saved: sandbox.cpu_time_saved,
            wall_time_saved: sandbox.wall_time_saved,
        },
    };
    let registered = sandbox.registered_metrics.map(RawValue::get);
    Ok((container, registered.filter(|text| *text != "null")))
}

/// An id as runsc takes it: `^[\w+.-]+$`.
fn is_id(text: &str) -> bool {
    let is_part =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'+' | b'.' | b'-');
    !text.is_empty() && text.bytes().all(is_part)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireContainer<'text> {
    id: String,
    created_at: String,
    spec: Option<WireSpec>,
    #[serde(borrow)]
    sandbox: WireSandbox<'text>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireSpec {
    oci_version: String,
    annotations: Option<BTreeMap<String, String>>,
    process: Option<WireProcess>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireProcess {
    user: Option<WireUser>,
    capabilities: Option<WireCapabilities>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireUser {
    uid: u32,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireCapabilities {
    bounding: Option<Vec<String>>,
    effective: Option<Vec<String>>,
    inheritable: Option<Vec<String>>,
    permitted: Option<Vec<String>>,
    ambient: Option<Vec<String>>,
}

impl WireCapabilities {
    fn bits(&self) -> u64 {
        let sets =
            [&self.bounding, &self.effective, &self.inheritable, &self.permitted, &self.ambient];
        let names = sets.into_iter().flatten().flatten();
        names
            .filter_map(|name| {
                let name = name.strip_prefix("CAP_")?;
                CAPABILITIES.iter().position(|known| *known == name)
            })
            .fold(0, |bits, number| bits | (1 << number))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireSandbox<'text> {
    id: String,
    #[serde(default)]
    pod_name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    pid: i64,
    #[serde(borrow, default)]
    registered_metrics: Option<&'text RawValue>,
    #[serde(default)]
    metric_metadata: Option<BTreeMap<String, String>>,
    #[serde(default)]
    metric_server_address: String,
    #[serde(default)]
    control_socket_path: String,
    #[serde(default)]
    checkpointed: bool,
    #[serde(default)]
    restored: bool,
    #[serde(default)]
    cpu_time_saved: i64,
    #[serde(default)]
    wall_time_saved: i64,
}

#[cfg(test)]
mod tests;
