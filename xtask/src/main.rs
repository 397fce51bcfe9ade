//! The project's chores, one word each: `cargo xtask test`, `quick`, `tidy`, `docs`, `bench`,
//! `fuzz`, `fixtures`.
//!
//! Nothing here is shipped. Every chore prints what it runs and how long that took, so that a slow
//! step is seen; what a chore needs from the machine it installs or names.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

mod bench;
mod docs;
mod fixtures;
mod fuzz;
mod machine;
mod step;
mod test_run;
mod tidy;

const USAGE: &str = "\
usage: cargo xtask CHORE
  test [--no-install] [--full]
                        everything that must hold: installs what the tests need, then runs them;
                        full: scenarios with the times of the field, half an hour more
  quick                 the inner loop: formatting, lints, unit tests of the workspace
  tidy                  sizes, arrows between crates, prose, banned words
  docs [--check]        rewrites the generated pages (docs/cli.md), or says that they are old
  bench [NAME…]         measures what docs/benchmarks.md claims and rewrites its tables
  fuzz [--seconds N] [NAME…]
                        throws made-up input at what is read from outside, each for a minute
  fixtures [NAME…]      makes generated test data again (vectors, snapshot)
  fixtures --scale small|baseline|full FOLDER
                        writes feeds in their publishers' forms and sizes: a folder for --mirror";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let root = root();
    let outcome = match words.as_slice() {
        ["test", flags @ ..] => test_run::run(&root, flags),
        ["quick"] => test_run::quick(&root),
        ["tidy"] => tidy::run(&root),
        ["docs", flags @ ..] => docs::run(&root, flags),
        ["bench", names @ ..] => bench::run(&root, names),
        ["fuzz", flags @ ..] => fuzz::run(&root, flags),
        ["fixtures", names @ ..] => fixtures::run(&root, names),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("xtask: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// The workspace's folder: the parent of this crate's.
fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().expect("xtask lies in a folder of the workspace").to_path_buf()
}
