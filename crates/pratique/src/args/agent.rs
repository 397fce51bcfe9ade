//! The flags of `pratique agent`, `watch` and `events`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use pratique_clockwork::http::Listen;

use super::DatabaseArguments;
use crate::units;

/// Where an agent listens by default.
pub(crate) const AGENT: &str = "/run/pratique/agent.sock";

/// Follow the container runtime of this node: what runs, how it ends, which images are there and
/// what is known of them. Looks only; changes nothing in the runtime.
///
/// SIGTERM and SIGINT stop with grace. Exit codes: 0 a clean stop; 2 wrong usage; 3 the work
/// failed.
#[derive(Debug, Args)]
pub(crate) struct AgentArguments {
    #[command(flatten)]
    pub(crate) node: NodeArguments,
}

/// Follow the container runtime as `agent` does, and remove the tasks of containers that ended in
/// the namespaces named.
///
/// For namespaces whose clients leave behind what they started, such as ctr and nerdctl when they
/// crash. Refused for k8s.io, moby and namespaces with containers of Kubernetes.
#[derive(Debug, Args)]
pub(crate) struct WatchArguments {
    /// The namespaces in which tasks that ended are removed.
    #[arg(long, value_name = "NAMESPACE", num_args = 1.., value_delimiter = ',')]
    pub(crate) manage: Vec<String>,

    #[command(flatten)]
    pub(crate) node: NodeArguments,
}

/// What every program on a node is told.
#[derive(Clone, Debug, Args)]
pub(crate) struct NodeArguments {
    /// containerd's socket; it is waited for when it is not there yet. Default:
    /// /run/containerd/containerd.sock.
    #[arg(long, value_name = "PATH", env = "PRATIQUE_AGENT_CONTAINERD_ADDRESS")]
    pub(crate) containerd_address: Option<PathBuf>,

    /// Only these namespaces, comma-separated; default: all, also those made later.
    #[arg(long, value_name = "NAMESPACE", value_delimiter = ',')]
    #[arg(env = "PRATIQUE_AGENT_NAMESPACES")]
    pub(crate) namespaces: Vec<String>,

    /// Where the node's own state is kept. Default: /var/lib/pratique.
    #[arg(long, value_name = "DIR", env = "PRATIQUE_AGENT_STATE_DIR")]
    pub(crate) state_dir: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) database: DatabaseArguments,

    /// Where to answer: host:port, :port, or the absolute path of a unix socket (mode 0660).
    /// Default: /run/pratique/agent.sock.
    #[arg(long, value_name = "ADDR|PATH", env = "PRATIQUE_AGENT_LISTEN")]
    pub(crate) listen: Option<Listen>,

    /// Do not look into the node's images.
    #[arg(long)]
    pub(crate) no_index: bool,

    /// Publish no events of our own in the namespace pratique to see that the stream lives.
    #[arg(long)]
    pub(crate) no_probe: bool,
}

/// Show what happened on this node, as its agent tells it.
#[derive(Debug, Args)]
pub(crate) struct EventsArguments {
    /// Where the agent answers.
    #[arg(long, value_name = "ADDR|PATH", default_value = AGENT, env = "PRATIQUE_AGENT_LISTEN")]
    pub(crate) address: Listen,

    /// Go on with what happens from now on.
    #[arg(short, long)]
    pub(crate) follow: bool,

    /// Only what happened since then: a time (2026-11-20T12:00Z) or an age (2h, 7d).
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,

    /// Only what comes after the event of this number, to go on where a reader stopped.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(crate) after: u64,

    /// A line for people or an object for machines, one each.
    #[arg(long, value_enum, default_value_t = EventFormat::Line)]
    pub(crate) format: EventFormat,
}

/// How events are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EventFormat {
    /// A line.
    Line,
    /// A JSON object.
    Json,
}

/// Write the report of one image of the node; what an agent starts for each.
#[derive(Debug, Args)]
pub(crate) struct IndexImageArguments {
    /// containerd's socket.
    #[arg(long, value_name = "PATH", default_value = pratique_image::CONTAINERD_ADDRESS)]
    pub(crate) containerd_address: PathBuf,

    /// How much memory it may take for data; it ends itself beyond that.
    #[arg(long, value_name = "SIZE", value_parser = units::size_bytes, default_value = "512MiB")]
    pub(crate) memory_max: u64,

    /// NAMESPACE/DIGEST, or NAMESPACE/NAME.
    pub(crate) image: String,
}
