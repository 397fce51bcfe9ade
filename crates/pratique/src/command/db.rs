//! `pratique db`: looks after the vulnerability database.

mod carry;
mod changes;
mod search;
mod size;
mod status;
mod update;

use crate::args::{DbArguments, DbCommand};
use crate::exit::{Exit, Failure};

/// Runs the command.
pub(crate) fn run(arguments: &DbArguments) -> Result<Exit, Failure> {
    match &arguments.command {
        DbCommand::Update(arguments) => update::run(arguments),
        DbCommand::Status(arguments) => status::run(arguments),
        DbCommand::Search(arguments) => search::run(arguments),
        DbCommand::Changes(arguments) => changes::run(arguments),
        DbCommand::Size(arguments) => size::run(arguments),
        DbCommand::Backup(arguments) => carry::backup(arguments),
        DbCommand::Restore(arguments) => carry::restore(arguments),
        DbCommand::Move(arguments) => carry::move_database(arguments),
    }
}
