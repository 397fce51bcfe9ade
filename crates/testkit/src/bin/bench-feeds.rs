//! What `cargo xtask bench` measures of whole mirrors, as rows of a table:
//! `bench-feeds PROGRAM NAME MIRROR STORE…`.
//!
//! `db update` of every source into an empty store, then once more with nothing new. Wall time, CPU
//! and the peak of memory are the kernel's account of our process (`/usr/bin/time`); PostgreSQL is
//! a private one that syncs to disk, and its own costs are not counted. What the second round wrote
//! is counted by the server in rows, and in SQLite by the pages of the file that differ.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that is not shipped")]

use std::env;
use std::error::Error;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use pratique_testkit::postgres::{Cluster, Durability, TestDatabase};
use serde_json::Value;

/// A page of a SQLite file, in bytes.
const PAGE_BYTES: usize = 4096;

/// Rows that transactions of ours have inserted, changed or removed.
const ROWS_WRITTEN: &str = "SELECT pg_stat_force_next_flush(); SELECT \
    coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0) FROM pg_stat_user_tables";

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let rows = match arguments.as_slice() {
        [program, name, mirror, stores @ ..] if !stores.is_empty() => {
            stores.iter().try_for_each(|store| bench(program, name, mirror, store))
        }
        _ => Err("usage: bench-feeds PROGRAM NAME MIRROR sqlite|postgres…".into()),
    };
    match rows {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-feeds: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(program: &str, name: &str, mirror: &str, store: &str) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let cluster = match store {
        "sqlite" => None,
        _ => Some(Cluster::start(Durability::Full).ok_or("PostgreSQL is not installed")?),
    };
    let server = cluster.as_ref().map(Cluster::empty_database);
    let file = folder.path().join("db.sqlite");
    let place = server.as_ref().map_or(file.display().to_string(), TestDatabase::url);
    let first = update(program, &place, mirror, folder.path())?;
    let entries = entries(program, &place)?;
    let size = size_mib(program, &place)?;
    let speed = entries as f64 / first.wall_seconds;
    println!("| {name} | {store} | from empty | {entries} | {first} | {size:.0} | {speed:.0} | |");
    let before = State::of(server.as_ref(), &file, folder.path())?;
    let again = update(program, &place, mirror, folder.path())?;
    let wrote = before.difference(server.as_ref(), &file)?;
    println!("| {name} | {store} | nothing new | | {again} | | | {wrote} |");
    Ok(())
}

/// What one process cost.
struct Cost {
    wall_seconds: f64,
    cpu_seconds: f64,
    memory_mib: f64,
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { wall_seconds, cpu_seconds, memory_mib } = self;
        write!(f, "{wall_seconds:.2} | {cpu_seconds:.2} | {memory_mib:.0}")
    }
}

/// One round, as a process of its own.
fn update(program: &str, place: &str, mirror: &str, folder: &Path) -> Outcome<Cost> {
    let output = Command::new("/usr/bin/time")
        .args(["--quiet", "--format", "%e %U %S %M", program, "db", "update"])
        .args(["--mirror", mirror, "--db", place])
        .env("TMPDIR", folder)
        .stdout(Stdio::null())
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.trim_end().lines().last().unwrap_or_default();
    let figures: Vec<f64> = last.split(' ').filter_map(|word| word.parse().ok()).collect();
    match figures.as_slice() {
        [wall, user, system, kilobytes] if output.status.success() => Ok(Cost {
            wall_seconds: *wall,
            cpu_seconds: user + system,
            memory_mib: kilobytes / 1024.0,
        }),
        _ => Err(said.into()),
    }
}

/// What the store held before a round.
enum State {
    Rows(u64),
    File(std::path::PathBuf),
}

impl State {
    fn of(server: Option<&TestDatabase<'_>>, file: &Path, folder: &Path) -> Outcome<Self> {
        if let Some(server) = server {
            return Ok(Self::Rows(rows_written(server)?));
        }
        let copy = folder.join("before.sqlite");
        fs::copy(file, &copy)?;
        Ok(Self::File(copy))
    }

    /// What was written since, in words.
    fn difference(&self, server: Option<&TestDatabase<'_>>, file: &Path) -> Outcome<String> {
        match (self, server) {
            (Self::Rows(before), Some(server)) => {
                Ok(format!("{} rows", rows_written(server)? - before))
            }
            (Self::File(before), _) => Ok(format!("{} pages", pages_that_differ(before, file)?)),
            (Self::Rows(_), None) => Err("a server that has gone".into()),
        }
    }
}

fn rows_written(server: &TestDatabase<'_>) -> Outcome<u64> {
    Ok(server.execute(ROWS_WRITTEN).lines().last().unwrap_or_default().trim().parse()?)
}

fn pages_that_differ(one: &Path, other: &Path) -> Outcome<u64> {
    let [mut one, mut other] =
        [BufReader::new(File::open(one)?), BufReader::new(File::open(other)?)];
    let [mut page, mut other_page] = [[0_u8; PAGE_BYTES]; 2];
    let mut count = 0;
    loop {
        let (read, other_read) = (fill(&mut one, &mut page)?, fill(&mut other, &mut other_page)?);
        count += u64::from(page[..read] != other_page[..other_read]);
        if read.max(other_read) == 0 {
            return Ok(count);
        }
    }
}

/// Reads a page, or what is left of the file.
fn fill(file: &mut impl Read, page: &mut [u8]) -> Outcome<usize> {
    let mut read = 0;
    while read < page.len() {
        match file.read(&mut page[read..])? {
            0 => break,
            more => read += more,
        }
    }
    Ok(read)
}

fn entries(program: &str, place: &str) -> Outcome<u64> {
    let parts: Value =
        serde_json::from_str(&said(program, &["db", "status", "--format", "json"], place)?)?;
    let parts = parts.as_array().ok_or("no list of parts")?;
    Ok(parts.iter().filter_map(|part| part["entries"].as_u64()).sum())
}

fn size_mib(program: &str, place: &str) -> Outcome<f64> {
    let text = said(program, &["db", "size", "--format", "json"], place)?;
    let size: Value = serde_json::from_str(&text)?;
    let bytes = size["size_bytes"].as_f64().ok_or_else(|| format!("no size in {text}"))?;
    Ok(bytes / f64::from(1 << 20))
}

fn said(program: &str, arguments: &[&str], place: &str) -> Outcome<String> {
    let output = Command::new(program).args(arguments).args(["--db", place]).output()?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?);
    }
    Err(String::from_utf8_lossy(&output.stderr).into())
}
