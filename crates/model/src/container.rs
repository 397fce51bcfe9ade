//! A container as a node's runtime has it, from its creation to its end.

use jiff::Timestamp;

use crate::Digest;

/// Gives an enum of plain words all its values, a text form and a way back.
macro_rules! words {
    ($name:ident { $($variant:ident = $word:literal),* $(,)? }) => {
        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word, as events and the API have it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            /// The value of a word; `None` when there is none.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == word)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use words;

/// A container, named by `namespace` and `id`. Everything is as the runtime says it: all texts are
/// foreign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// The runtime's namespace.
    pub namespace: String,
    /// Its id there.
    pub id: String,
    /// Whether it holds a pod together.
    pub kind: ContainerKind,
    /// How far its life has gone.
    pub state: ContainerState,
    /// What stands between it and the node's kernel.
    pub isolation: Isolation,
    /// The pod it belongs to; none outside Kubernetes.
    pub pod: Option<Pod>,
    /// Its name within the pod.
    pub name: Option<String>,
    /// The image's name when it was created; the name may mean another image by now.
    pub image: Option<String>,
    /// What that name meant: the manifest of this node's platform.
    pub manifest: Option<Digest>,
    /// The image's configuration.
    pub config: Option<Digest>,
    /// Its first process on the node; 0 when none runs.
    pub pid: u32,
    /// When it was created; unknown when only its end was seen.
    pub created_at: Option<Timestamp>,
    /// When its first process was started.
    pub started_at: Option<Timestamp>,
    /// When that ended; written once for a start.
    pub finished_at: Option<Timestamp>,
    /// With what that ended.
    pub exit_code: Option<u32>,
    /// Why that ended.
    pub reason: Option<ExitReason>,
    /// How often the kernel ended one of its processes for want of memory since it was started.
    pub oom_count: u64,
    /// When it was removed.
    pub deleted_at: Option<Timestamp>,
}

/// The pod of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    /// Its Kubernetes namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its unique id.
    pub uid: String,
}

/// What a container is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ContainerKind {
    /// It runs something of the user's.
    #[default]
    Container,
    /// It holds a pod's namespaces.
    Sandbox,
}

words!(ContainerKind { Container = "container", Sandbox = "sandbox" });

/// How far a container's life has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContainerState {
    /// It is there and nothing runs.
    Created,
    /// Its first process runs.
    Running,
    /// Its processes are held.
    Paused,
    /// The runtime does not know; only its end can follow.
    Unknown,
    /// Its first process has ended.
    Exited,
    /// The same of a sandbox.
    NotReady,
    /// It was removed.
    Deleted,
}

words!(ContainerState {
    Created = "created",
    Running = "running",
    Paused = "paused",
    Unknown = "unknown",
    Exited = "exited",
    NotReady = "not_ready",
    Deleted = "deleted",
});

impl ContainerState {
    /// Whether a process runs, or may.
    pub const fn is_alive(self) -> bool {
        matches!(self, Self::Running | Self::Paused | Self::Unknown)
    }
}

/// Why a container's first process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExitReason {
    /// With code 0.
    Completed,
    /// With another code.
    Error,
    /// The kernel ended it for want of memory.
    OomKilled,
    /// Nobody saw the end; its code is 255.
    Unknown,
}

words!(ExitReason {
    Completed = "Completed",
    Error = "Error",
    OomKilled = "OOMKilled",
    Unknown = "Unknown",
});

/// What stands between a container and the node's kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Isolation {
    /// Namespaces and cgroups: runc and its like.
    Runc,
    /// gVisor.
    Runsc,
    /// A virtual machine of Kata Containers.
    Kata,
    /// A runtime that we do not know.
    #[default]
    Other,
}

words!(Isolation { Runc = "runc", Runsc = "runsc", Kata = "kata", Other = "other" });

impl Isolation {
    /// What a runtime's name says: `io.containerd.runc.v2`, `io.containerd.runsc.v1`,
    /// `io.containerd.kata-qemu.v2`, or a path to such a shim.
    pub fn from_runtime(name: &str) -> Self {
        let name = name.rsplit('/').next().unwrap_or(name);
        let mut words = name.split(['.', '-']);
        words
            .find_map(|word| match word {
                "runc" | "crun" | "youki" => Some(Self::Runc),
                "runsc" | "gvisor" => Some(Self::Runsc),
                "kata" => Some(Self::Kata),
                _ => None,
            })
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtimes_name_says_how_it_isolates() {
        for (name, isolation) in [
            ("io.containerd.runc.v2", Isolation::Runc),
            ("io.containerd.runsc.v1", Isolation::Runsc),
            ("io.containerd.kata-qemu.v2", Isolation::Kata),
            ("/usr/local/bin/containerd-shim-runsc-v1", Isolation::Runsc),
            ("io.containerd.wasmtime.v1", Isolation::Other),
            ("", Isolation::Other),
        ] {
            assert_eq!(Isolation::from_runtime(name), isolation, "{name}");
        }
    }

    #[test]
    fn every_word_leads_back() {
        for state in ContainerState::ALL {
            assert_eq!(ContainerState::from_word(state.as_str()), Some(*state));
        }
        assert_eq!(ExitReason::from_word("OOMKilled"), Some(ExitReason::OomKilled));
        assert_eq!(ExitReason::from_word("oomkilled"), None);
    }
}
