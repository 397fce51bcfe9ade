//! What `cargo xtask bench` measures of those who read while an update writes, as rows of a table:
//! `bench-readers PROGRAM STORE…`.
//!
//! Readers are whole processes: a scan of a known image, of an SBOM, a question, two searches. Each
//! is run many times alone, and by turns while `db update` brings in a feed of 100,000 entries of
//! which every one is another than before, again and again. Times are medians, and beside them the
//! twentieth part that took longest. PostgreSQL is a private one that syncs to disk.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that is not shipped")]

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use pratique_model::Platform;
use pratique_testkit::image::{ArchiveBuilder, Compression, ImageBuilder, LayerBuilder};
use pratique_testkit::mirror::{self, Scale, package_name};
use pratique_testkit::postgres::{Cluster, Durability, TestDatabase};

/// Entries of the feed that is brought in again and again.
const ENTRIES: u64 = 100_000;

/// Packages of the image: as many as a Debian image with an application has.
const PACKAGES: u64 = 250;

/// Which packages of the tracker those are, which lists them by how many entries they have: of the
/// first twenty an image has none or the kernel's headers, of the others it has some of each sort.
const PACKAGE_FIRST: u64 = 20;
const PACKAGE_STRIDE: u64 = 28;

/// Runs of each command at least, alone and beside an update.
const RUNS: usize = 40;

/// Updates that readers go on beside: from the first download to the last match.
const UPDATES: u64 = 2;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let rows = match arguments.as_slice() {
        [program, stores @ ..] if !stores.is_empty() => {
            stores.iter().try_for_each(|store| bench(Path::new(program), store))
        }
        _ => Err("usage: bench-readers PROGRAM sqlite|postgres…".into()),
    };
    match rows {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-readers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(program: &Path, store: &str) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let cluster = match store {
        "sqlite" => None,
        _ => Some(Cluster::start(Durability::Full).ok_or("PostgreSQL is not installed")?),
    };
    let server = cluster.as_ref().map(Cluster::empty_database);
    let file = folder.path().join("db.sqlite").display().to_string();
    let setting = Setting {
        program: program.to_owned(),
        place: server.as_ref().map_or(file, TestDatabase::url),
        folder: folder.path().to_owned(),
    };
    let readers = setting.prepare()?;
    let alone = setting.times(&readers, || true)?;
    let updating = Updating::start(&setting);
    let beside = setting.times(&readers, || updating.rounds() >= UPDATES || updating.has_failed());
    let rounds = updating.stop()?;
    for ((reader, alone), beside) in readers.iter().zip(alone).zip(beside?) {
        println!(
            "| {store} | {} | {:.1} | {:.1} | {:.1} | {:.1} | {:.2} | {rounds} |",
            reader.title,
            alone.median_ms,
            alone.worst_ms,
            beside.median_ms,
            beside.worst_ms,
            beside.median_ms / alone.median_ms
        );
    }
    Ok(())
}

/// A command that reads.
struct Reader {
    title: &'static str,
    arguments: Vec<String>,
}

/// How long runs of a command took.
struct Times {
    median_ms: f64,
    /// Nineteen of twenty took less.
    worst_ms: f64,
}

/// The program, its store, and a folder for everything else.
#[derive(Clone)]
struct Setting {
    program: PathBuf,
    place: String,
    folder: PathBuf,
}

impl Setting {
    /// Fills the store, registers an image, and gives the commands that read.
    fn prepare(&self) -> Outcome<Vec<Reader>> {
        for (seed, name) in [(1, "one"), (2, "other")] {
            let folder = self.folder.join(name);
            mirror::write(Scale::Small, mirror::SEED, &folder)?;
            mirror::write_debian(ENTRIES, seed, &folder)?;
        }
        let image = self.folder.join("image.tar");
        let builder = ImageBuilder::new(Platform::host()).layer(&layer(), Compression::Gzip);
        let archive = ArchiveBuilder::new().image("registry.example/app:1", builder);
        fs::write(&image, archive.to_oci_archive())?;
        let (image, report) = (image.display().to_string(), self.folder.join("report.json"));
        self.run(&self.update("one"))?;
        let output = format!("json={}", report.display());
        self.run(&["scan", &image, "--offline", "--register", "-o", &output].map(str::to_owned))?;
        let (sbom, name) = (format!("sbom:{}", report.display()), package(3));
        let asked = format!("debian:12/{name}>=0");
        Ok(vec![
            reader("scan, known image", &["scan", &image, "--offline"]),
            reader("scan, SBOM", &["scan", &sbom, "--offline"]),
            reader("ask", &["ask", &asked]),
            reader("db search, package", &["db", "search", &name]),
            reader("db search, CVE", &["db", "search", "CVE-2021-1000"]),
        ])
    }

    fn update(&self, name: &str) -> Vec<String> {
        let mirror = format!("file://{}", self.folder.join(name).display());
        ["db", "update", "--mirror", &mirror].map(str::to_owned).to_vec()
    }

    fn run(&self, arguments: &[String]) -> Outcome<()> {
        let output = Command::new(&self.program)
            .args(arguments)
            .args(["--db", &self.place])
            .env("XDG_CACHE_HOME", self.folder.join("cache"))
            .env("TMPDIR", &self.folder)
            .stdin(Stdio::null())
            .output()?;
        // 1: `ask` says yes; 5: data are old.
        if matches!(output.status.code(), Some(0 | 1 | 5)) {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("{arguments:?}: {}: {said}", output.status).into())
    }

    /// Runs the commands by turns until each has run often enough and `is_enough`.
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
    fn times(&self, readers: &[Reader], is_enough: impl Fn() -> bool) -> Outcome<Vec<Times>> {
        let mut milliseconds = vec![Vec::new(); readers.len()];
        while milliseconds[0].len() < RUNS || !is_enough() {
            for (reader, milliseconds) in readers.iter().zip(&mut milliseconds) {
                let began = Instant::now();
                self.run(&reader.arguments)?;
                milliseconds.push(began.elapsed().as_secs_f64() * 1_000.0);
            }
        }
        Ok(milliseconds.into_iter().map(Times::of).collect())
    }
}

impl Times {
    fn of(mut milliseconds: Vec<f64>) -> Self {
        milliseconds.sort_by(f64::total_cmp);
        let count = milliseconds.len();
        Self { median_ms: milliseconds[count / 2], worst_ms: milliseconds[count * 19 / 20] }
    }
}

fn reader(title: &'static str, arguments: &[&str]) -> Reader {
    let arguments = arguments.iter().map(|word| (*word).to_owned()).collect();
    Reader { title, arguments }
}

/// The name of one of the image's packages.
fn package(number: u64) -> String {
    package_name(PACKAGE_FIRST + number * PACKAGE_STRIDE)
}

/// A Debian 12 with some packages of the generated tracker.
fn layer() -> LayerBuilder {
    let mut status = String::new();
    for number in 0..PACKAGES {
        let name = package(number);
        status.push_str(&format!(
            "Package: {name}\nStatus: install ok installed\nArchitecture: amd64\n\
             Version: 1.2.{number}-1\n\n"
        ));
    }
    LayerBuilder::new()
        .file("etc/os-release", b"ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n")
        .file("var/lib/dpkg/status", status.as_bytes())
}

/// Updates that follow one another until they are stopped.
struct Updating {
    is_stopped: Arc<AtomicBool>,
    rounds: Arc<AtomicU64>,
    thread: thread::JoinHandle<Result<(), String>>,
}

impl Updating {
    fn start(setting: &Setting) -> Self {
        let is_stopped = Arc::new(AtomicBool::new(false));
        let rounds = Arc::new(AtomicU64::new(0));
        let (stop, count, setting) =
            (Arc::clone(&is_stopped), Arc::clone(&rounds), setting.clone());
        let thread = thread::spawn(move || {
            for name in ["other", "one"].into_iter().cycle() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let mut arguments = setting.update(name);
                arguments.extend(["--sources", "debian"].map(str::to_owned));
                setting.run(&arguments).map_err(|error| error.to_string())?;
                count.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        });
        Self { is_stopped, rounds, thread }
    }

    /// Updates that are done.
    fn rounds(&self) -> u64 {
        self.rounds.load(Ordering::Relaxed)
    }

    /// Whether no update will follow, though nobody stopped them.
    fn has_failed(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for the last update; gives how many there were.
    fn stop(self) -> Outcome<u64> {
        self.is_stopped.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| "updating panicked")??;
        Ok(self.rounds.load(Ordering::Relaxed))
    }
}
