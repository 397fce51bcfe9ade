//! The flags of `pratique serve`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use pratique_clockwork::http::Listen;

use super::DatabaseArguments;
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
/// SIGHUP looks at every source now; SIGTERM and SIGINT stop with grace, a second one at once. Exit
/// codes: 0 a clean stop; 2 wrong usage, before anything is opened; 3 the work failed.
#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// Which rooms to run, comma-separated; any number of processes may share a database.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Room::Update, Room::Match])]
    pub(crate) only: Vec<Room>,

    #[command(flatten)]
    pub(crate) database: DatabaseArguments,

    /// Fetch https://HOST/PATH from URL/HOST/PATH instead; http, https or file.
    #[arg(long, value_name = "URL", env = "PRATIQUE_MIRROR")]
    pub(crate) mirror: Option<String>,

    /// How often every source is looked at; default: each as docs/sources.md says.
    #[arg(long, value_name = "DURATION", value_parser = units::duration)]
    pub(crate) interval: Option<Duration>,

    /// Only these sources or parts, comma-separated: debian,alpine/v3.20.
    #[arg(long, value_name = "SOURCE[/PART]", value_delimiter = ',')]
    pub(crate) sources: Vec<String>,

    /// How many parts are read and committed at once; default: the number of cores, at most 4.
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<std::num::NonZeroUsize>,

    /// Where metrics and health are served: host:port, :port, or the absolute path of a socket.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9760")]
    pub(crate) listen: Listen,

    /// How old data may be before /readyz says so.
    #[arg(long, value_name = "DURATION", value_parser = units::duration, default_value = "48h")]
    pub(crate) max_data_age: Duration,

    /// How long a process that died keeps its work from the others.
    #[arg(long, value_name = "DURATION", value_parser = units::duration, default_value = "60s")]
    pub(crate) lease_ttl: Duration,
}
