//! The flags of `pratique serve`.

use std::num::NonZeroUsize;
use std::time::Duration;

use clap::{Args, ValueEnum};
use pratique_clockwork::http::Listen;

use super::{DatabaseArguments, MirrorArguments};
use crate::units;

/// A room that a service may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Room {
    /// Keeps the data fresh.
    Update,
    /// Holds changes against images and fills the outbox.
    Match,
}

/// Run as a service: keep the data fresh and hold every change against the images.
///
/// SIGHUP reads the settings again and looks at every source now; SIGTERM and SIGINT stop with
/// grace, a second one at once. Exit codes: 0 a clean stop; 2 wrong usage, before anything is
/// opened; 3 the work failed.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServeArguments {
    /// Which rooms to run, comma-separated; any number of processes may share a database.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Room::Update, Room::Match])]
    pub(crate) only: Vec<Room>,

    #[command(flatten)]
    pub(crate) database: DatabaseArguments,

    #[command(flatten)]
    pub(crate) mirror: MirrorArguments,

    #[command(flatten)]
    pub(crate) updater: UpdaterArguments,

    /// Where metrics and health are served: host:port, :port, or the absolute path of a socket
    /// [default: 127.0.0.1:9760].
    #[arg(long, value_name = "ADDRESS", env = "PRATIQUE_UPDATER_LISTEN", hide_env_values = true)]
    pub(crate) listen: Option<Listen>,
}

/// What `[updater]` of the settings says too.
#[derive(Clone, Debug, Args)]
pub(crate) struct UpdaterArguments {
    /// How often every source is looked at; default: each as docs/sources.md says.
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = units::duration,
        env = "PRATIQUE_UPDATER_INTERVAL",
        hide_env_values = true
    )]
    pub(crate) interval: Option<Duration>,

    /// Only these sources or parts, comma-separated: debian,alpine/v3.20.
    #[arg(
        long,
        value_name = "SOURCE[/PART]",
        value_delimiter = ',',
        env = "PRATIQUE_UPDATER_SOURCES",
        hide_env_values = true
    )]
    pub(crate) sources: Vec<String>,

    /// How many parts are read and committed at once; default: the number of cores, at most 4.
    #[arg(long, value_name = "N", env = "PRATIQUE_UPDATER_JOBS", hide_env_values = true)]
    pub(crate) jobs: Option<NonZeroUsize>,

    /// How old data may be before /readyz says so [default: 48h].
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = units::duration,
        env = "PRATIQUE_UPDATER_MAX_DATA_AGE",
        hide_env_values = true
    )]
    pub(crate) max_data_age: Option<Duration>,

    /// How long a process that died keeps its work from the others [default: 60s].
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = units::duration,
        env = "PRATIQUE_UPDATER_LEASE_TTL",
        hide_env_values = true
    )]
    pub(crate) lease_ttl: Option<Duration>,

    /// How long a server of feeds may stay silent before it is asked again, four times in all
    /// [default: 45s].
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = units::duration,
        env = "PRATIQUE_UPDATER_IDLE_TIMEOUT",
        hide_env_values = true
    )]
    pub(crate) idle_timeout: Option<Duration>,
}
