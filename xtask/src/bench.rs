//! `cargo xtask bench`: measures whole processes and rewrites the tables of `docs/benchmarks.md`.
//!
//! Each figure is the minimum of several runs, as the kernel accounts a finished process (through
//! `/usr/bin/time`, Debian package `time`). Machines differ: what is promised is the ratio to a
//! floor or a peer measured in the same run.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

mod case;
mod page;

/// Runs of which the minimum counts, after one that warms the page cache.
const RUNS: usize = 5;

/// What one process cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// Wall-clock seconds.
    pub(crate) wall_seconds: f64,
    /// User and system seconds over all threads.
    pub(crate) cpu_seconds: f64,
    /// Peak resident memory in MiB.
    pub(crate) memory_mib: f64,
}

/// Runs all benchmarks, or those whose names are given.
pub(crate) fn run(root: &Path, names: &[&str]) -> Result<(), String> {
    if let Some(unknown) = names.iter().find(|name| !case::NAMES.contains(name)) {
        return Err(format!("bench: unknown: {unknown}; one of {}", case::NAMES.join(", ")));
    }
    build(root)?;
    let folder = env::temp_dir().join(format!("pratique-bench-{}", std::process::id()));
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let outcome = run_in(root, &folder, names);
    fs::remove_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    outcome
}

fn run_in(root: &Path, folder: &Path, names: &[&str]) -> Result<(), String> {
    for name in case::NAMES {
        if names.is_empty() || names.contains(name) {
            println!("=== bench {name}");
            let table = case::measure_case(name, root, folder)?;
            println!("{table}");
            page::replace(root, name, &table)?;
        }
    }
    Ok(())
}

fn build(root: &Path) -> Result<(), String> {
    let packages = ["--package", "pratique", "--package", "pratique-testkit"];
    let status = Command::new("cargo")
        .current_dir(root)
        .args(["build", "--release", "--bins"])
        .args(packages)
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        other => Err(format!("cargo build --release: {other:?}")),
    }
}

/// The least that a command costs over several runs; its output is thrown away.
///
/// # Errors
/// The command cannot be started, or ends with an exit code that is not in `expected`.
pub(crate) fn measure(
    program: &Path,
    arguments: &[&str],
    expected: &[i32],
) -> Result<Cost, String> {
    let mut least = Cost { wall_seconds: f64::MAX, cpu_seconds: f64::MAX, memory_mib: f64::MAX };
    for _ in 0..=RUNS {
        let cost = run_once(program, arguments, expected)?;
        least.wall_seconds = least.wall_seconds.min(cost.wall_seconds);
        least.cpu_seconds = least.cpu_seconds.min(cost.cpu_seconds);
        least.memory_mib = least.memory_mib.min(cost.memory_mib);
    }
    Ok(least)
}

fn run_once(program: &Path, arguments: &[&str], expected: &[i32]) -> Result<Cost, String> {
    let output = Command::new("/usr/bin/time")
        .args(["--quiet", "--format", "%e %U %S %M"])
        .arg(program)
        .args(arguments)
        .stdout(Stdio::null())
        .output()
        .map_err(|e| format!("/usr/bin/time (Debian package `time`): {e}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    let code = output.status.code().unwrap_or(-1);
    if !expected.contains(&code) {
        return Err(format!("{} {}: exit {code}: {text}", program.display(), arguments.join(" ")));
    }
    let last = text.lines().last().unwrap_or("");
    let figures: Vec<f64> = last.split(' ').filter_map(|figure| figure.parse().ok()).collect();
    match figures.as_slice() {
        [wall, user, system, kilobytes] => Ok(Cost {
            wall_seconds: *wall,
            cpu_seconds: user + system,
            memory_mib: kilobytes / 1024.0,
        }),
        _ => Err(format!("/usr/bin/time said {last:?}")),
    }
}
