//! `cargo xtask bench`: measures whole processes and rewrites the tables of `docs/benchmarks.md`.
//!
//! Time is the kernel's account of finished processes, as bash's `time` gives it in milliseconds:
//! the minimum of several rounds, and a short command runs many times in a round. Memory is the
//! largest peak that was seen (`/usr/bin/time`, Debian package `time`). Machines differ: what is
//! promised is the ratio to a floor or a peer measured in the same run.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

mod case;
mod fleet;
mod node;
mod page;

/// Rounds of which the minimum counts, after the runs that measure memory and warm the page cache.
const ROUNDS: usize = 5;

/// Runs that measure memory.
const MEMORY_RUNS: usize = 3;

/// A command that is done within this many seconds runs [`REPEATS`] times in a round.
const SHORT_SECONDS: f64 = 0.3;

/// How often a short command runs in a round.
const REPEATS: usize = 20;

/// Runs the command behind the first argument as often as that says.
const TIMED_LOOP: &str = r#"TIMEFORMAT='%R %U %S'; count=$1; shift
time for ((i = 0; i < count; i++)); do "$@" > /dev/null 2>&1; done"#;

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

/// Runs all usual benchmarks, or those whose names are given.
pub(crate) fn run(root: &Path, names: &[&str]) -> Result<(), String> {
    if let Some(unknown) = names.iter().find(|name| !case::NAMES.contains(name)) {
        return Err(format!("bench: unknown: {unknown}; one of {}", case::NAMES.join(", ")));
    }
    let machine = machine();
    build(root)?;
    let folder = env::temp_dir().join(format!("pratique-bench-{}", std::process::id()));
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let outcome = run_in(root, &folder, names, &machine);
    fs::remove_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    outcome
}

fn run_in(root: &Path, folder: &Path, names: &[&str], machine: &str) -> Result<(), String> {
    page::replace(root, "machine", machine)?;
    for name in case::NAMES {
        let is_usual = names.is_empty() && !case::LARGE.contains(name);
        if is_usual || names.contains(name) {
            println!("=== bench {name}");
            let table = case::measure_case(name, root, folder)?;
            println!("{table}");
            page::replace(root, name, &table)?;
        }
    }
    Ok(())
}

/// What the figures were measured on, in a line; asked before anything is built.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let about = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = about.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown", |(_, model)| model);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("unknown");
    format!(
        "Last measured on {cores} cores of: {model}. Load of others when it began: {load}; where \
         that is not small, wall times are those of a crowd."
    )
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

/// What a command costs over several runs; its output is thrown away.
///
/// # Errors
/// The command cannot be started, or ends with an exit code that is not in `expected`.
pub(crate) fn measure(
    program: &Path,
    arguments: &[&str],
    expected: &[i32],
) -> Result<Cost, String> {
    let mut memory_mib = 0_f64;
    let mut seconds = f64::MAX;
    for _ in 0..MEMORY_RUNS {
        let cost = run_once(program, arguments, expected)?;
        memory_mib = memory_mib.max(cost.memory_mib);
        seconds = seconds.min(cost.wall_seconds);
    }
    let repeats = if seconds < SHORT_SECONDS { REPEATS } else { 1 };
    let mut least = Cost { wall_seconds: f64::MAX, cpu_seconds: f64::MAX, memory_mib };
    for _ in 0..ROUNDS {
        let (wall_seconds, cpu_seconds) = run_often(program, arguments, repeats)?;
        least.wall_seconds = least.wall_seconds.min(wall_seconds);
        least.cpu_seconds = least.cpu_seconds.min(cpu_seconds);
    }
    Ok(least)
}

/// Wall and CPU seconds of one run, as the mean of `repeats`.
fn run_often(program: &Path, arguments: &[&str], repeats: usize) -> Result<(f64, f64), String> {
    let output = Command::new("bash")
        .args(["-c", TIMED_LOOP, "bash", &repeats.to_string()])
        .arg(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .stdout(Stdio::null())
        .output()
        .map_err(|e| format!("bash: {e}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    match figures(&text).as_slice() {
        [wall, user, system] => Ok((wall / repeats as f64, (user + system) / repeats as f64)),
        _ => Err(format!("bash said {text:?}")),
    }
}

/// One run under `/usr/bin/time`: exact in memory, to hundredths of a second in time.
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
    match figures(&text).as_slice() {
        [wall, user, system, kilobytes] => Ok(Cost {
            wall_seconds: *wall,
            cpu_seconds: user + system,
            memory_mib: kilobytes / 1024.0,
        }),
        _ => Err(format!("/usr/bin/time said {text:?}")),
    }
}

/// The numbers in the last line.
fn figures(text: &str) -> Vec<f64> {
    let last = text.lines().last().unwrap_or("");
    last.split(' ').filter_map(|figure| figure.parse().ok()).collect()
}
