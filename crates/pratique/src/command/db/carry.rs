//! `pratique db backup`, `restore` and `move`: everything from one place to another.

use pratique_store::{Store, StoreError, TableCount};

use crate::args::{DbBackupArguments, DbMoveArguments, DbRestoreArguments};
use crate::database;
use crate::exit::{Exit, Failure};
use crate::say::say;

/// Writes a backup.
pub(super) fn backup(arguments: &DbBackupArguments) -> Result<Exit, Failure> {
    let from = arguments.database.store()?;
    let counts = pratique_store::backup(&from, &arguments.file)
        .map_err(|error| database::failure(error, &from))?;
    tell(&counts, &arguments.file.display().to_string())
}

/// Fills an empty database from a backup.
pub(super) fn restore(arguments: &DbRestoreArguments) -> Result<Exit, Failure> {
    let to = arguments.database.store()?;
    let counts =
        pratique_store::restore(&arguments.file, &to).map_err(|error| refused(error, &to))?;
    tell(&counts, &to.to_string())
}

/// Carries everything to an empty database.
pub(super) fn move_database(arguments: &DbMoveArguments) -> Result<Exit, Failure> {
    let (from, to) = (database::parse(&arguments.from)?, database::parse(&arguments.to)?);
    let counts = pratique_store::move_database(&from, &to).map_err(|error| match &error {
        StoreError::Missing { .. } | StoreError::Older { .. } => database::failure(error, &from),
        _ => refused(error, &to),
    })?;
    tell(&counts, &to.to_string())
}

/// A target that holds something is a mistake of the command line, found before anything changed.
fn refused(error: StoreError, to: &Store) -> Failure {
    match error {
        StoreError::NotEmpty { .. } => Failure::new(Exit::Usage, error)
            .hint("name a database that is empty, or is not there yet"),
        error => database::failure(error, to),
    }
}

fn tell(counts: &[TableCount], place: &str) -> Result<Exit, Failure> {
    let rows: u64 = counts.iter().map(|table| table.row_count).sum();
    say!("{place}: {rows} rows of {} tables", counts.len());
    Ok(Exit::Clean)
}
