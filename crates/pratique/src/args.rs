//! The command line. A doc comment here is the help that the user reads.
//!
//! This file has what commands share, and the flags of `scan`; other groups have a file each.

mod agent;
mod ask;
mod db;
mod images;
mod serve;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use pratique_model::{Platform, Severity, Status};
use pratique_version::Scheme;

use crate::command::metric_server::MetricServerArguments;
use crate::units;

pub(crate) use self::agent::{
    AGENT, AgentArguments, EventFormat, EventsArguments, IndexImageArguments, NodeArguments,
    WatchArguments,
};
pub(crate) use self::ask::AskArguments;
pub(crate) use self::db::{
    DbArguments, DbBackupArguments, DbChangesArguments, DbCommand, DbMoveArguments,
    DbRestoreArguments, DbSearchArguments, DbSizeArguments, DbStatusArguments, DbUpdateArguments,
};
pub(crate) use self::images::{
    ImagesAddArguments, ImagesArguments, ImagesCommand, ImagesListArguments, ImagesRemoveArguments,
    ImagesShowArguments, NotifyArguments, NotifyCommand, NotifyListArguments,
};
pub(crate) use self::serve::{Room, ServeArguments, UpdaterArguments};

/// Tells which of your container images and workloads a vulnerability concerns, and why.
#[derive(Debug, Parser)]
#[command(name = "pratique", version, max_term_width = 100, arg_required_else_help = true)]
pub(crate) struct Arguments {
    /// Say more: what is done (-v), each item (-vv).
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Say nothing but errors.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Read an image, list its packages, say which are vulnerable and why.
    Scan(Box<ScanArguments>),
    /// Look after the images whose packages are watched.
    Images(ImagesArguments),
    /// Ask which registered images hold a vulnerability or a package.
    Ask(AskArguments),
    /// See what there is to tell.
    Notify(NotifyArguments),
    /// Look after the vulnerability database.
    Db(DbArguments),
    /// Run as a service: keep the data fresh and hold every change against the images.
    Serve(Box<ServeArguments>),
    /// Order two versions as an ecosystem's own tool does.
    Compare(CompareArguments),
    /// See the main job done on bundled data; nothing leaves this machine.
    Demo(DemoArguments),
    /// Serve the metrics of the gVisor sandboxes on this machine, none of which is trusted.
    MetricServer(MetricServerArguments),
    /// Follow what runs on this node, and know what is in its images.
    Agent(AgentArguments),
    /// Follow what runs on this node, and remove what containers leave behind.
    Watch(WatchArguments),
    /// Show what happened on this node.
    Events(EventsArguments),
    /// Write the report of one image of this node.
    #[command(hide = true)]
    IndexImage(IndexImageArguments),
}

/// Read an image, list its packages, say which are vulnerable and why.
///
/// Exit codes: 0 clean or below --fail-on; 1 findings at or above --fail-on; 2 wrong usage; 3 the
/// scan failed or is partial; 4 target not found; 5 data missing or older than --max-data-age;
/// 6 end of life with --fail-on-eol; 7 nothing recognised with --fail-on-empty.
#[derive(Debug, Args)]
pub(crate) struct ScanArguments {
    /// What to read: a path, or SCHEME:PATH with one of oci-dir, oci-archive, docker-archive,
    /// rootfs, dir; sbom:FILE (sbom:- for standard input); containerd:[NAMESPACE/]NAME.
    pub(crate) target: String,

    /// Report format and where it goes: FORMAT or FORMAT=FILE; may be given several times. Formats:
    /// table, json, csv.
    #[arg(short, long = "output", value_name = "FORMAT[=FILE]", default_value = "table")]
    pub(crate) outputs: Vec<String>,

    /// Show findings of this severity or worse: critical, high, medium, low, negligible, unknown.
    #[arg(long, value_name = "LEVEL")]
    pub(crate) severity: Option<Severity>,

    /// Show only findings that a newer version mends.
    #[arg(long, visible_alias = "ignore-unfixed")]
    pub(crate) only_fixed: bool,

    /// Leave out findings of these statuses, comma-separated: affected, fixed, will_not_fix,
    /// fix_deferred, end_of_life, under_investigation …
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    pub(crate) ignore_status: Vec<Status>,

    /// Exit 1 if a shown finding is at or above this: a severity, `kev` (known exploited) or `any`.
    #[arg(long, value_name = "LEVEL|kev|any")]
    pub(crate) fail_on: Option<FailOn>,

    /// Exit 6 if the distribution is past its end of life.
    #[arg(long)]
    pub(crate) fail_on_eol: bool,

    /// Exit 7 if no package was recognised.
    #[arg(long)]
    pub(crate) fail_on_empty: bool,

    /// Register the image too, so that later advisories are held against it.
    #[arg(long)]
    pub(crate) register: bool,

    /// Show what is suppressed too, with the reason; JSON always has it.
    #[arg(long)]
    pub(crate) show_suppressed: bool,

    /// Instead of the report, tell on standard output why this is a finding.
    #[arg(long, value_name = "ID[@PACKAGE]")]
    pub(crate) explain: Option<String>,

    /// Which image of a multi-platform one: os/architecture[/variant]; default: this machine's.
    #[arg(long, value_name = "PLATFORM")]
    pub(crate) platform: Option<Platform>,

    /// The socket of the containerd that holds `containerd:` images; default:
    /// /run/containerd/containerd.sock.
    #[arg(long, value_name = "PATH")]
    pub(crate) containerd_address: Option<PathBuf>,

    /// How many layers are read at once; default: the number of cores.
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,

    /// Write the same bytes for the same image and data: without the times of this run.
    #[arg(long)]
    pub(crate) reproducible: bool,

    /// Exit 0 even though a part of the image could not be read; the report names it.
    #[arg(long)]
    pub(crate) allow_partial: bool,

    /// Exit 5 if data that the answer rests on are older than this: 24h, 7d.
    #[arg(long, value_name = "DURATION", value_parser = units::duration)]
    pub(crate) max_data_age: Option<Duration>,

    /// Bring data that this image needs up to date first if they are older than this.
    #[arg(long, value_name = "DURATION", value_parser = units::duration, default_value = "6h")]
    pub(crate) max_age: Duration,

    #[command(flatten)]
    pub(crate) data: DataArguments,

    #[command(flatten)]
    pub(crate) limits: LimitArguments,
}

/// Where the database is, and the file that may say so.
#[derive(Clone, Debug, Args)]
pub(crate) struct DatabaseArguments {
    /// The database: a SQLite file, or postgres://USER@HOST/DATABASE. Default: `db` of the
    /// settings, else $XDG_DATA_HOME/pratique/db.sqlite.
    #[arg(long, value_name = "PATH|URL", env = "PRATIQUE_DB", hide_env_values = true)]
    pub(crate) db: Option<String>,

    /// The file of settings. Default: $XDG_CONFIG_HOME/pratique/pratique.toml, if it is there.
    #[arg(long, value_name = "FILE", env = "PRATIQUE_CONFIG", hide_env_values = true)]
    pub(crate) config: Option<PathBuf>,
}

/// What commands have in common that read the database and print a list.
#[derive(Clone, Debug, Args)]
pub(crate) struct ListArguments {
    /// How to write it.
    #[arg(long, value_enum, default_value_t = ListFormat::Table)]
    pub(crate) format: ListFormat,

    #[command(flatten)]
    pub(crate) database: DatabaseArguments,
}

/// From where data are fetched.
#[derive(Clone, Debug, Args)]
pub(crate) struct MirrorArguments {
    /// Fetch https://HOST/PATH from URL/HOST/PATH instead; http, https or file.
    #[arg(long, value_name = "URL", env = "PRATIQUE_MIRROR", hide_env_values = true)]
    pub(crate) mirror: Option<String>,
}

/// Where data come from.
#[derive(Clone, Debug, Args)]
pub(crate) struct DataArguments {
    #[command(flatten)]
    pub(crate) database: DatabaseArguments,

    /// Fetch nothing; use the database as it is.
    #[arg(long)]
    pub(crate) offline: bool,

    #[command(flatten)]
    pub(crate) mirror: MirrorArguments,

    /// Where results of layers are kept; may be deleted at any time. Default:
    /// $XDG_CACHE_HOME/pratique.
    #[arg(long, value_name = "FOLDER", env = "PRATIQUE_CACHE_DIR")]
    pub(crate) cache_dir: Option<PathBuf>,
}

/// What a hostile image may cost.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitArguments {
    /// Bytes that all layers may have when expanded.
    #[arg(long, value_name = "SIZE", value_parser = units::size_bytes, default_value = "64GiB")]
    pub(crate) max_expanded_size: u64,

    /// Entries that all layers may have.
    #[arg(long, value_name = "N", default_value_t = 20_000_000)]
    pub(crate) max_entries: u64,

    /// Bytes of a path.
    #[arg(long, value_name = "SIZE", value_parser = units::size_bytes, default_value = "4096")]
    pub(crate) max_path_bytes: u64,

    /// Bytes of one file that is looked into.
    #[arg(long, value_name = "SIZE", value_parser = units::size_bytes, default_value = "1GiB")]
    pub(crate) max_file_size: u64,
}

/// When findings make the scan fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailOn {
    /// Any finding.
    Any,
    /// A known exploited one.
    KnownExploited,
    /// One of this severity or worse.
    Severity(Severity),
}

impl std::str::FromStr for FailOn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "any" => Ok(Self::Any),
            "kev" => Ok(Self::KnownExploited),
            _ => text
                .parse()
                .map(Self::Severity)
                .map_err(|_| format!("{text:?} is neither a severity nor `kev` nor `any`")),
        }
    }
}

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// For people.
    Table,
    /// For machines.
    Json,
}

/// Order two versions as an ecosystem's own tool does.
///
/// With `-` instead of two versions, reads lines `A OP B` (OP one of <, =, >) from standard input,
/// prints those that do not hold, then `N passed, M failed`; exit 1 if any failed.
#[derive(Debug, Args)]
pub(crate) struct CompareArguments {
    /// One of deb, apk, rpm, pypi, semver, npm, golang, maven, gem, nuget, composer, cargo.
    #[arg(value_parser = scheme)]
    pub(crate) scheme: Scheme,

    /// The first version, or `-`.
    #[arg(allow_hyphen_values = true)]
    pub(crate) left: String,

    /// The second version.
    #[arg(allow_hyphen_values = true)]
    pub(crate) right: Option<String>,
}

fn scheme(text: &str) -> Result<Scheme, String> {
    text.parse().map_err(|_| {
        format!(
            "unknown scheme: {text:?}; one of deb, apk, rpm, pypi, semver, npm, golang, maven, \
             gem, nuget, composer, cargo"
        )
    })
}

/// See the main job done on bundled data; nothing leaves this machine.
#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// Leave out the scan of this machine's own root.
    #[arg(long)]
    pub(crate) skip_host: bool,
}
