//! `cargo xtask test`, which is all that CI calls, and `cargo xtask quick`.

use std::env;
use std::path::Path;
use std::process::Command;

use crate::docs;
use crate::fuzz;
use crate::machine;
use crate::step::{self, Tally};

/// Set where scenarios are to take the times of the field (a lease of a minute, a server's silence
/// of 45 s) instead of the shortest that a busy machine allows.
const FULL_TIMES: &str = "PRATIQUE_FULL_TIMES";

/// Runs everything; the last line is `N passed, N failed`.
pub(crate) fn run(root: &Path, flags: &[&str]) -> Result<(), String> {
    let (mut is_installing, mut is_full) = (true, false);
    for flag in flags {
        match *flag {
            "--no-install" => is_installing = false,
            "--full" => is_full = true,
            _ => return Err(format!("test: unknown flag: {flag}")),
        }
    }
    let mut tally = Tally::default();
    if is_installing {
        tally.add(machine::install());
        tally.add(machine::runsc());
        tally.add(machine::witness(root));
        tally.add(machine::second_containerd());
    }
    tally.add(formatting(root));
    tally.add(lints(root));
    let mut tests = cargo(root);
    tests.args(["test", "--workspace", "--no-fail-fast", "--quiet"]);
    if is_full {
        tests.env(FULL_TIMES, "1");
    }
    if is_installing && env::var_os("PRATIQUE_REQUIRE").is_none() {
        tests.env("PRATIQUE_REQUIRE", machine::REQUIRED);
    }
    tally.add(step::tests("tests", &mut tests));
    tally.add(documentation(root));
    tally.add(generated_pages(root));
    if is_installing {
        tally.add(licences(root));
        tally.add(step::call("fuzz targets", || fuzz::check(root)));
    }
    println!("{} passed, {} failed", tally.passed, tally.failed);
    if tally.failed == 0 { Ok(()) } else { Err("not everything passed".to_owned()) }
}

/// Formatting, lints and the tests that need no corpus; under two minutes when warm.
pub(crate) fn quick(root: &Path) -> Result<(), String> {
    let mut tally = formatting(root);
    tally.add(lints(root));
    tally.add(step::tests(
        "unit tests",
        cargo(root)
            .args(["test", "--workspace", "--lib", "--bins", "--quiet"])
            .env_remove("PRATIQUE_CORPUS"),
    ));
    println!("{} passed, {} failed", tally.passed, tally.failed);
    if tally.failed == 0 { Ok(()) } else { Err("not everything passed".to_owned()) }
}

fn formatting(root: &Path) -> Tally {
    step::check("formatting", cargo(root).args(["fmt", "--all", "--check"]))
}

fn lints(root: &Path) -> Tally {
    step::check(
        "lints",
        cargo(root).args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    )
}

/// The pages that `cargo xtask docs` makes are those of this program.
fn generated_pages(root: &Path) -> Tally {
    step::call("generated pages", || docs::run(root, &["--check"]))
}

fn documentation(root: &Path) -> Tally {
    step::check(
        "documentation",
        cargo(root)
            .args(["doc", "--workspace", "--no-deps", "--document-private-items", "--quiet"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )
}

fn licences(root: &Path) -> Tally {
    let (mut tally, mut deny) = machine::cargo_deny();
    let arguments = ["--all-features", "check", "bans", "licenses", "sources"];
    tally.add(step::check("cargo deny", deny.current_dir(root).args(arguments)));
    tally
}

fn cargo(root: &Path) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root);
    command
}
