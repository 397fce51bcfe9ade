//! What `cargo xtask bench` measures of updates, as a table: `bench-update PROGRAM SHAPE STORE…`.
//!
//! A generated feed goes into an empty database, then the same with one entry in a thousand
//! changed, then the same once more. The program is run as `serve`, because its metrics tell
//! fetching, parsing and applying apart; memory is the kernel's account of its peak. PostgreSQL is
//! a private one that syncs to disk; its own memory is not counted.

use std::env;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use pratique_testkit::postgres::{Cluster, Durability, TestDatabase};
use pratique_testkit::process::{Process, eventually, get, metric};

mod feed;

/// How long a round may take.
const DEADLINE: Duration = Duration::from_mins(15);

type Outcome<T> = Result<T, Box<dyn Error>>;

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that is not shipped")]
fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let table = match arguments.as_slice() {
        [program, shape, stores @ ..] if !stores.is_empty() => bench(program, shape, stores),
        _ => Err("usage: bench-update PROGRAM small|tracker|large sqlite|postgres…".into()),
    };
    match table {
        Ok(table) => {
            print!("{table}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench-update: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(program: &str, shape: &str, stores: &[String]) -> Outcome<String> {
    let mut table = String::from(
        "| store | feed MB | round | fetch s | parse s | apply s | entries/s | memory MiB | \
         store MiB |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    for store in stores {
        let folder = tempfile::tempdir()?;
        let cluster = match &**store {
            "sqlite" => None,
            _ => Some(Cluster::start(Durability::Full).ok_or("PostgreSQL is not installed")?),
        };
        let server = cluster.as_ref().map(Cluster::empty_database);
        let file = folder.path().join("db.sqlite").display().to_string();
        let place = server.as_ref().map_or(file, TestDatabase::url);
        for (round, edition) in [("from empty", 1), ("0.1 % changed", 2), ("nothing new", 2)] {
            let bytes = feed::write(shape, folder.path(), edition)?;
            let row = measure(program, &place, folder.path())?;
            table.push_str(&format!("| {store} | {:.0} | {round} | {row} |\n", bytes as f64 / 1e6));
        }
    }
    Ok(table)
}

/// One round, as the last cells of a row.
fn measure(program: &str, place: &str, folder: &Path) -> Outcome<String> {
    let mut command = Command::new(program);
    command
        .args(["serve", "--only", "update", "--sources", "debian", "--interval", "1s"])
        .args(["--listen", "127.0.0.1:0", "--db", place])
        .arg("--mirror")
        .arg(format!("file://{}", folder.display()))
        .env("TMPDIR", folder);
    let process = Process::spawn("serve", command);
    let line = process.wait_for_line("metrics and health at ", DEADLINE);
    // Fields may follow the sentence.
    let address = line.rsplit("metrics and health at ").next().unwrap_or_default();
    let address = address.split_whitespace().next().unwrap_or_default().to_owned();
    let read = || get(&address, "/metrics").map(|(_, text)| text).unwrap_or_default();
    let runs = |text: &str| metric(text, "pratique_updater_runs_total", &[]).unwrap_or_default();
    let entries = |text: &str| metric(text, "pratique_updater_entries", &[]).unwrap_or_default();
    let failed = |text: &str| {
        metric(text, "pratique_updater_runs_total", &["failed"]).unwrap_or_default() > 0.0
    };
    // What the part holds is told with the look after the round.
    let is_done = |text: &str| failed(text) || (runs(text) >= 1.0 && entries(text) > 0.0);
    eventually("a round is done", DEADLINE, || is_done(&read()));
    let text = read();
    if failed(&text) {
        return Err(process.said().into());
    }
    let memory = peak_mib(process.id())?;
    let phase = |name: &str| {
        let label = format!("phase=\"{name}\"");
        metric(&text, "pratique_updater_duration_seconds_sum", &[&label]).unwrap_or_default()
    };
    let (fetch, parse, apply) = (phase("fetch"), phase("parse"), phase("apply"));
    let speed = if apply > 0.0 { entries(&text) / (parse + apply) } else { 0.0 };
    let size = metric(&text, "pratique_store_size_bytes", &[]).unwrap_or_default();
    process.terminate(DEADLINE);
    Ok(format!(
        "{fetch:.2} | {parse:.2} | {apply:.2} | {speed:.0} | {memory:.0} | {:.0}",
        size / f64::from(1 << 20)
    ))
}

/// The most memory that a process had, in MiB.
fn peak_mib(id: u32) -> Outcome<f64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kilobytes / 1024.0)
}
