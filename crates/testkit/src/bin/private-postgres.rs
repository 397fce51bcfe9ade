//! Runs a private PostgreSQL that syncs to disk, for a benchmark of several programs: prints the
//! URL of an empty database, and ends when its standard input does.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that is not shipped")]

use std::io::{self, Read as _};
use std::process::ExitCode;

use pratique_testkit::postgres::{Cluster, Durability};

fn main() -> ExitCode {
    let Some(cluster) = Cluster::start(Durability::Full) else {
        eprintln!("private-postgres: PostgreSQL is not installed");
        return ExitCode::FAILURE;
    };
    println!("{}", cluster.url("postgres"));
    // Nothing is expected: what counts is the end.
    let _ = io::stdin().read_to_end(&mut Vec::new());
    ExitCode::SUCCESS
}
