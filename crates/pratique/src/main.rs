//! Continuous vulnerability surveillance for container fleets: the program.
//!
//! This file chooses the command and turns what went wrong into an exit code, in one place each;
//! what a command does is in its module under `command`.
// Messages go to standard error: this is the program.
#![allow(clippy::print_stderr)]

mod args;
mod bundled;
mod columns;
mod command;
mod data;
mod database;
mod exit;
mod interrupt;
mod json;
mod logging;
mod matching;
mod paths;
mod progress;
mod refresh;
mod say;
mod settings;
mod units;

use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;

use crate::args::{Arguments, Command};
use crate::exit::Exit;

fn main() -> ExitCode {
    let words = command::metric_server::normalize(std::env::args_os().collect());
    let arguments = match Arguments::try_parse_from(words) {
        Ok(arguments) => arguments,
        Err(error) => {
            let is_asked =
                matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            // Nothing can be done when even the message cannot be written.
            let _ = error.print();
            return if is_asked { ExitCode::SUCCESS } else { Exit::Usage.into() };
        }
    };
    // A service has nothing to print but its log.
    let is_service = matches!(
        arguments.command,
        Command::MetricServer(_) | Command::Serve(_) | Command::Agent(_) | Command::Watch(_)
    );
    logging::start(arguments.verbose.max(u8::from(is_service)), arguments.quiet);
    match run(&arguments.command) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            exit::explain(&failure);
            failure.exit.into()
        }
    }
}

fn run(command: &Command) -> Result<Exit, exit::Failure> {
    match command {
        Command::Scan(arguments) => command::scan::run(arguments),
        Command::Images(arguments) => command::images::run(arguments),
        Command::Ask(arguments) => command::ask::run(arguments),
        Command::Notify(arguments) => command::notify::run(arguments),
        Command::Db(arguments) => command::db::run(arguments),
        Command::Serve(arguments) => command::serve::run(arguments),
        Command::Compare(arguments) => command::compare::run(arguments),
        Command::Demo(arguments) => command::demo::run(arguments),
        Command::MetricServer(arguments) => command::metric_server::run(arguments),
        Command::Agent(arguments) => command::agent::run(arguments),
        Command::Watch(arguments) => command::watch::run(arguments),
        Command::Events(arguments) => command::events::run(arguments),
        Command::IndexImage(arguments) => command::index_image::run(arguments),
    }
}
