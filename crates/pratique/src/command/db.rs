//! `pratique db`: looks after the vulnerability database.

mod search;
mod status;
mod update;

use std::path::PathBuf;

use pratique_store::{Access, Database};

use crate::args::{DbArguments, DbCommand};
use crate::exit::{Exit, Failure};
use crate::paths;

/// Runs the command.
pub(crate) fn run(arguments: &DbArguments) -> Result<Exit, Failure> {
    match &arguments.command {
        DbCommand::Update(arguments) => update::run(arguments),
        DbCommand::Status(arguments) => status::run(arguments),
        DbCommand::Search(arguments) => search::run(arguments),
    }
}

/// Opens the database that was named, or the default one, for reading.
fn open_to_read(named: Option<&str>) -> Result<Database, Failure> {
    let path = path(named)?;
    Database::open(&path, Access::ReadOnly).map_err(|error| store_failure(error, &path))
}

/// The file that was named, or the default one.
pub(crate) fn path(named: Option<&str>) -> Result<PathBuf, Failure> {
    match named {
        Some(url) if url.contains("://") => Err(Failure::usage(format!(
            "--db {url}: not a file; this version keeps its data in SQLite files only"
        ))),
        Some(path) => Ok(PathBuf::from(path)),
        None => paths::default_database().ok_or_else(|| {
            Failure::usage("no place for the database: neither XDG_DATA_HOME nor HOME is set")
                .hint("name a file with --db")
        }),
    }
}

/// A database that cannot be used, with what to do about it.
pub(crate) fn store_failure(error: pratique_store::StoreError, path: &std::path::Path) -> Failure {
    use pratique_store::StoreError;
    let path = path.display();
    let (exit, hint) = match &error {
        StoreError::Missing { .. } => {
            (Exit::Data, Some(format!("make it with `pratique db update --db {path}`")))
        }
        StoreError::Foreign { .. } => (Exit::Usage, None),
        StoreError::Older { .. } => {
            (Exit::Data, Some(format!("run `pratique db update --db {path}`")))
        }
        StoreError::Newer { .. } => (Exit::Data, Some("use a newer pratique".to_owned())),
        _ => (Exit::Failed, None),
    };
    let failure = Failure::new(exit, error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
