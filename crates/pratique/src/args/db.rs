//! The flags of `pratique db`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{DatabaseArguments, ListArguments, MirrorArguments};

/// Look after the vulnerability database.
#[derive(Debug, Args)]
pub(crate) struct DbArguments {
    #[command(subcommand)]
    pub(crate) command: DbCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DbCommand {
    /// Fetch what is new from the sources, once.
    Update(DbUpdateArguments),
    /// Say which parts there are, how old they are, and what went wrong last.
    Status(DbStatusArguments),
    /// Show what the database says of a vulnerability or a package.
    Search(DbSearchArguments),
    /// Show what changed between generations of the data.
    Changes(DbChangesArguments),
    /// Say how much room the database takes, by table.
    Size(DbSizeArguments),
    /// Write everything to one file, also while the database is in use.
    Backup(DbBackupArguments),
    /// Fill an empty database from a backup.
    Restore(DbRestoreArguments),
    /// Carry everything to an empty database: SQLite to PostgreSQL or back.
    Move(DbMoveArguments),
}

/// Fetch what is new from the sources, once.
#[derive(Debug, Args)]
pub(crate) struct DbUpdateArguments {
    /// Only these sources or parts, comma-separated: debian,alpine/v3.20.
    #[arg(
        long,
        value_name = "SOURCE[/PART]",
        value_delimiter = ',',
        env = "PRATIQUE_UPDATER_SOURCES",
        hide_env_values = true
    )]
    pub(crate) sources: Vec<String>,

    /// Take a feed even though it shrank or many of its entries are broken.
    #[arg(long)]
    pub(crate) force: bool,

    /// How many parts are read and committed at once; default: the number of cores, at most 4.
    #[arg(long, value_name = "N", env = "PRATIQUE_UPDATER_JOBS", hide_env_values = true)]
    pub(crate) jobs: Option<NonZeroUsize>,

    #[command(flatten)]
    pub(crate) database: DatabaseArguments,

    #[command(flatten)]
    pub(crate) mirror: MirrorArguments,
}

/// Say which parts there are, how old they are, and what went wrong last.
#[derive(Debug, Args)]
pub(crate) struct DbStatusArguments {
    #[command(flatten)]
    pub(crate) list: ListArguments,
}

/// Show what the database says of a vulnerability or a package.
#[derive(Debug, Args)]
pub(crate) struct DbSearchArguments {
    /// A CVE or advisory id, or the name of a package.
    pub(crate) text: String,

    #[command(flatten)]
    pub(crate) list: ListArguments,
}

/// Show what changed between generations of the data.
///
/// Changes are kept for 90 days; the first load of a part is one change, `baseline`.
#[derive(Debug, Args)]
pub(crate) struct DbChangesArguments {
    /// Only changes after this: a time (2026-11-20, 2026-11-20T08:00:00Z), how long ago (6h, 7d),
    /// or the number of a generation.
    #[arg(long, value_name = "TIME|GENERATION")]
    pub(crate) since: Option<String>,

    /// Only these sources or parts, comma-separated: debian,alpine/v3.20.
    #[arg(long, value_name = "SOURCE[/PART]", value_delimiter = ',')]
    pub(crate) sources: Vec<String>,

    /// At most this many changes, oldest first; a line on standard error says when there are more.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) limit: usize,

    #[command(flatten)]
    pub(crate) list: ListArguments,
}

/// Say how much room the database takes, by table.
#[derive(Debug, Args)]
pub(crate) struct DbSizeArguments {
    #[command(flatten)]
    pub(crate) list: ListArguments,
}

/// Write everything to one file, also while the database is in use.
#[derive(Debug, Args)]
pub(crate) struct DbBackupArguments {
    /// The file to write; one that exists is replaced when the backup is whole.
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) database: DatabaseArguments,
}

/// Fill an empty database from a backup.
#[derive(Debug, Args)]
pub(crate) struct DbRestoreArguments {
    /// A file that `db backup` wrote.
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) database: DatabaseArguments,
}

/// Carry everything to an empty database: SQLite to PostgreSQL or back.
///
/// What was at FROM stays there.
#[derive(Debug, Args)]
pub(crate) struct DbMoveArguments {
    /// Where everything is: PATH or postgres://USER@HOST/DATABASE.
    pub(crate) from: String,

    /// Where it is to go; empty, or not there yet.
    pub(crate) to: String,
}
