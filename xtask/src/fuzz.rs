//! `cargo xtask fuzz`: throws made-up input at what is read from outside.
//!
//! libFuzzer, steered by the coverage counters that the stable compiler can put into a program:
//! nothing is found here that needs a sanitizer, because no crate of ours may contain `unsafe`.
//! The folder `fuzz` is laid out as cargo-fuzz wants it, so `cargo fuzz run NAME` works as well.
//! Surprising: it is no member of the workspace (its programs have no `main` of their own), so
//! the workspace's lock file is copied there to fuzz what is shipped.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How long each target runs unless another time is asked for, in seconds.
const SECONDS: &str = "60";
/// Inputs that each target is tried with by [`check`].
const CHECKED_INPUTS: u32 = 50_000;
/// Longer inputs find nothing that shorter ones do not: limits are tested by example.
const INPUT_BYTES_MAX: u32 = 16 * 1024;
/// One input may take so long, in seconds; then it counts as a hang.
const INPUT_SECONDS_MAX: u32 = 10;
/// Memory of a target, in MiB; more counts as a fault.
const MEMORY_MIB_MAX: u32 = 1_024;

/// What makes the compiler count which edges are taken and what is compared; the flags of
/// cargo-fuzz.
const FLAGS: &[&str] = &[
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
];

/// How a target is run.
enum Effort<'a> {
    /// New inputs for so many seconds, beginning with what earlier runs found worth keeping.
    Seconds(&'a str),
    /// The same inputs each time.
    Fixed,
}

/// Runs the targets that are named, or all, on new inputs. The first one that finds something
/// ends it.
pub(crate) fn run(root: &Path, arguments: &[&str]) -> Result<(), String> {
    let (seconds, names) = match arguments {
        ["--seconds", seconds, names @ ..] => (*seconds, names),
        names => (SECONDS, names),
    };
    seconds.parse::<u32>().map_err(|_| format!("fuzz: {seconds:?} is no number of seconds"))?;
    let all = targets(root)?;
    if let Some(unknown) = names.iter().find(|name| !all.iter().any(|target| target == *name)) {
        return Err(format!("fuzz: {unknown:?} is none of {}", all.join(", ")));
    }
    let built = build(root)?;
    for target in all.iter().filter(|target| names.is_empty() || names.contains(&&***target)) {
        fuzz(root, &built, target, &Effort::Seconds(seconds))?;
    }
    Ok(())
}

/// Runs all targets on made-up inputs that are the same for the same program: a commit passes
/// always or never.
pub(crate) fn check(root: &Path) -> Result<(), String> {
    let built = build(root)?;
    for target in targets(root)? {
        fuzz(root, &built, &target, &Effort::Fixed)?;
    }
    Ok(())
}

/// The names of all targets, sorted.
fn targets(root: &Path) -> Result<Vec<String>, String> {
    let folder = root.join("fuzz/fuzz_targets");
    let entries = fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    Ok(names)
}

/// Builds all targets; gives the folder that they and what they find lie in.
fn build(root: &Path) -> Result<PathBuf, String> {
    let lock = root.join("fuzz/Cargo.lock");
    fs::copy(root.join("Cargo.lock"), &lock).map_err(|e| format!("{}: {e}", lock.display()))?;
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let folder = target.join("fuzz");
    let host = host()?;
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root.join("fuzz"));
    // Naming the target keeps the flags away from build scripts and macros.
    cargo.args(["build", "--release", "--bins", "--target", &host]);
    cargo.env("CARGO_TARGET_DIR", &folder).env("CARGO_INCREMENTAL", "0");
    cargo.env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\u{1f}"));
    succeed(&mut cargo, "the fuzz targets do not build")?;
    Ok(folder)
}

fn fuzz(root: &Path, folder: &Path, target: &str, effort: &Effort<'_>) -> Result<(), String> {
    // What is worth keeping goes to the first folder; a fixed effort begins with none.
    let corpus = match effort {
        Effort::Seconds(_) => folder.join("corpus").join(target),
        Effort::Fixed => folder.join("checked").join(target),
    };
    let artifacts = folder.join("artifacts").join(target);
    if matches!(effort, Effort::Fixed) && corpus.exists() {
        fs::remove_dir_all(&corpus).map_err(|e| format!("{}: {e}", corpus.display()))?;
    }
    for path in [&corpus, &artifacts] {
        fs::create_dir_all(path).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    let mut program = Command::new(folder.join(host()?).join("release").join(target));
    program.arg(format!("-timeout={INPUT_SECONDS_MAX}"));
    program.arg(format!("-max_len={INPUT_BYTES_MAX}"));
    program.arg(format!("-rss_limit_mb={MEMORY_MIB_MAX}"));
    program.arg(format!("-artifact_prefix={}/", artifacts.display()));
    program.args(["-verbosity=0", "-print_final_stats=1"]);
    match effort {
        Effort::Seconds(seconds) => program.arg(format!("-max_total_time={seconds}")),
        Effort::Fixed => program.args([&format!("-runs={CHECKED_INPUTS}"), "-seed=1"]),
    };
    program.arg(corpus).arg(root.join("fuzz/seeds").join(target));
    println!("--- {target}");
    let found = format!("{target}: an input breaks a promise, see {}", artifacts.display());
    succeed(&mut program, &found)
}

/// The name of the machine's own target.
fn host() -> Result<String, String> {
    let output = Command::new("rustc").arg("-vV").output().map_err(|e| format!("rustc: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| format!("rustc does not say its host: {text}"))
}

fn succeed(command: &mut Command, problem: &str) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(problem.to_owned()),
        Err(error) => Err(format!("{problem}: {error}")),
    }
}
