//! What happened on a node, as others are told of it.

use jiff::Timestamp;

use crate::container::words;
use crate::{Digest, ExitReason, Isolation, Platform, Pod};

/// Something that happened to a container or an image of a node, or to our view of them. What does
/// not apply to its kind is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// When it happened, by the runtime's clock; for what was found out later, when that was.
    pub at: Timestamp,
    /// What happened.
    pub kind: NoticeKind,
    /// The runtime's namespace; empty for gaps.
    pub namespace: String,
    /// The container's id or the image's name; empty for gaps.
    pub id: String,
    /// How we know.
    pub source: NoticeSource,
    /// The image's name.
    pub name: Option<String>,
    /// What that name means: for a container the manifest of this node's platform, for an image
    /// what it points to, which may be an index.
    pub digest: Option<Digest>,
    /// The platform of that manifest, where it was looked at.
    pub platform: Option<Platform>,
    /// The container's pod.
    pub pod: Option<Pod>,
    /// The container's name within the pod.
    pub container: Option<String>,
    /// How the container is isolated.
    pub isolation: Option<Isolation>,
    /// The container's first process.
    pub pid: Option<u32>,
    /// With what that ended.
    pub exit_code: Option<u32>,
    /// Why that ended.
    pub reason: Option<ExitReason>,
    /// How often the kernel ended a process of the container for want of memory.
    pub oom_count: Option<u64>,
    /// Whether this says better what an earlier notice said.
    pub is_amended: bool,
}

/// A notice with its place in the order in which they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberedNotice {
    /// Counts from 1 and never comes again; numbers may be left out.
    pub number: u64,
    /// The notice.
    pub notice: Notice,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoticeKind {
    /// A container is there.
    ContainerCreated,
    /// Its first process runs.
    ContainerStarted,
    /// Its first process ended: once for each start, but for an amendment.
    ContainerExited,
    /// It was removed.
    ContainerDeleted,
    /// The kernel ended one of its processes for want of memory.
    ContainerOom,
    /// A pod's sandbox ended.
    SandboxExited,
    /// A name means this image now.
    ImagePresent,
    /// A name means no image any more.
    ImageGone,
    /// From here on events may be missed.
    GapBegin,
    /// All is seen again; what was missed has been told as far as it could be found out.
    GapEnd,
}

words!(NoticeKind {
    ContainerCreated = "container_created",
    ContainerStarted = "container_started",
    ContainerExited = "container_exited",
    ContainerDeleted = "container_deleted",
    ContainerOom = "container_oom",
    SandboxExited = "sandbox_exited",
    ImagePresent = "image_present",
    ImageGone = "image_gone",
    GapBegin = "gap_begin",
    GapEnd = "gap_end",
});

/// How we know what happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoticeSource {
    /// The runtime said so when it happened.
    Event,
    /// We compared what is there with what we knew.
    Reconcile,
}

words!(NoticeSource { Event = "event", Reconcile = "reconcile" });

impl Notice {
    /// A notice of which nothing else is known.
    pub fn new(kind: NoticeKind, at: Timestamp, source: NoticeSource) -> Self {
        Self {
            at,
            kind,
            namespace: String::new(),
            id: String::new(),
            source,
            name: None,
            digest: None,
            platform: None,
            pod: None,
            container: None,
            isolation: None,
            pid: None,
            exit_code: None,
            reason: None,
            oom_count: None,
            is_amended: false,
        }
    }
}
