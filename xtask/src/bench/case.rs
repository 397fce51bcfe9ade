//! What is measured: one function a table.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Cost, fleet, measure, node};

/// The names of all benchmarks, in the order of the page.
pub(super) const NAMES: &[&str] = &[
    "scan",
    "short",
    "database",
    "matching",
    "sandboxes",
    "update",
    "large",
    "feeds",
    "impact",
    "readers",
    "watch",
];

/// Those that take minutes and gigabytes: done only when they are named.
pub(super) const LARGE: &[&str] = &["update", "large", "feeds", "impact", "readers", "watch"];

/// Runs one benchmark and gives its table.
pub(super) fn measure_case(name: &str, root: &Path, folder: &Path) -> Result<String, String> {
    let programs = Programs::of(root);
    match name {
        "scan" => scan(&programs, folder),
        "short" => short(&programs, folder),
        "database" => database(&programs, folder),
        "update" => update(&programs, "tracker", &["sqlite", "postgres"]),
        "large" => update(&programs, "large", &["sqlite", "postgres"]),
        "feeds" => fleet::feeds(&programs, folder),
        "impact" => fleet::impact(root, &programs, folder),
        "readers" => fleet::readers(&programs),
        "watch" => node::watch(root, &programs),
        "matching" => matching(&programs, folder),
        _ => sandboxes(&programs),
    }
}

/// Executables of the release build.
pub(super) struct Programs {
    pub(super) pratique: PathBuf,
    image: PathBuf,
    sandboxes: PathBuf,
    update: PathBuf,
    pub(super) mirror: PathBuf,
    pub(super) feeds: PathBuf,
    pub(super) readers: PathBuf,
    pub(super) postgres: PathBuf,
    pub(super) agent: PathBuf,
}

impl Programs {
    fn of(root: &Path) -> Self {
        let target = env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
        let release = target.join("release");
        Self {
            pratique: release.join("pratique"),
            image: release.join("bench-image"),
            sandboxes: release.join("bench-sandboxes"),
            update: release.join("bench-update"),
            mirror: release.join("mirror"),
            feeds: release.join("bench-feeds"),
            readers: release.join("bench-readers"),
            postgres: release.join("private-postgres"),
            agent: release.join("bench-agent"),
        }
    }
}

/// The metric server over fake sandboxes: how many, what they answer, how many of a hundred lie,
/// and how many scrapers come at once.
fn sandboxes(programs: &Programs) -> Result<String, String> {
    let mut table = String::from(
        "| sandboxes | answers | hostile | scrapers | cold ms | p50 ms | p99 ms | CPU ms \
         | peak MiB | files | missing | late |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for case in [
        ["10", "idle", "0", "1"],
        ["100", "idle", "0", "1"],
        ["1000", "idle", "0", "1"],
        ["1000", "idle", "0", "4"],
        ["1000", "idle", "1", "1"],
        ["1000", "idle", "9", "1"],
        ["1000", "idle", "10", "1"],
        ["1000", "idle", "50", "1"],
        ["10000", "idle", "0", "1"],
        ["10000", "idle", "0", "4"],
        ["10000", "idle", "10", "1"],
        ["10000", "idle", "50", "1"],
        ["10", "busy", "0", "1"],
        ["100", "busy", "0", "1"],
        ["100", "busy", "0", "4"],
        ["1000", "busy", "0", "1"],
        ["1000", "busy", "10", "1"],
    ] {
        let output = Command::new(&programs.sandboxes)
            .arg(&programs.pratique)
            .args(case)
            .output()
            .map_err(|e| format!("bench-sandboxes: {e}"))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        table += &String::from_utf8_lossy(&output.stdout);
    }
    Ok(table)
}

/// Cold scans of generated images, held against the floor.
fn scan(programs: &Programs, folder: &Path) -> Result<String, String> {
    let mut table = String::from(
        "| image | wall s | CPU s | memory MiB | floor CPU s | CPU / floor | wall / CPU |\n\
         |---|---|---|---|---|---|---|\n",
    );
    let database = folder.join("empty.sqlite");
    let database = text(&database);
    make_empty(programs, folder, &database)?;
    for (shape, title) in [
        ("small", "3 MB gzip, one layer (Alpine's size)"),
        ("one", "300 MB gzip, one layer"),
        ("many", "300 MB gzip, five layers"),
        ("plain", "300 MB, five plain layers"),
    ] {
        let archive = write(programs, folder, shape)?;
        let scan = ["scan", &archive, "--offline", "--db", &database, "--cache-dir", "/dev/null/x"];
        let ours = measure(&programs.pratique, &scan, &[0, 5])?;
        let floor = measure(&programs.image, &["floor", &archive], &[0])?;
        row(&mut table, title, ours, floor);
        fs::remove_file(&archive).map_err(|e| format!("{archive}: {e}"))?;
    }
    Ok(table)
}

/// Writes a generated image, or folder, and gives its path.
fn write(programs: &Programs, folder: &Path, shape: &str) -> Result<String, String> {
    let path = text(&folder.join(format!("{shape}.image")));
    call(Command::new(&programs.image).args(["write", shape, &path]))?;
    Ok(path)
}

/// What has to be quick: starting, an image that is known, a folder.
fn short(programs: &Programs, folder: &Path) -> Result<String, String> {
    let database = text(&folder.join("empty.sqlite"));
    make_empty(programs, folder, &database)?;
    let cache = text(&folder.join("cache"));
    let known = write(programs, folder, "many")?;
    let root = format!("rootfs:{}", write(programs, folder, "folder")?);
    let mut table = String::from("| what | wall ms | CPU ms | memory MiB |\n|---|---|---|---|\n");
    let scan = |target: &str, cache: &str| {
        let arguments = ["scan", target, "--offline", "--db", &database, "--cache-dir", cache];
        measure(&programs.pratique, &arguments, &[0, 5])
    };
    // The first scan fills the cache, and is none of those that count.
    scan(&known, &cache)?;
    for (title, cost) in [
        ("start (`--version`)", measure(&programs.pratique, &["--version"], &[0])?),
        ("the image of five gzip layers, all known", scan(&known, &cache)?),
        ("a root of 57,000 files", scan(&root, "/dev/null/x")?),
    ] {
        let (wall, cpu) = (cost.wall_seconds * 1000.0, cost.cpu_seconds * 1000.0);
        writeln!(table, "| {title} | {wall:.1} | {cpu:.1} | {:.0} |", cost.memory_mib)
            .expect("writing to a string cannot fail");
    }
    Ok(table)
}

fn row(table: &mut String, title: &str, ours: Cost, floor: Cost) {
    writeln!(
        table,
        "| {title} | {:.3} | {:.3} | {:.0} | {:.3} | {:.2} | {:.2} |",
        ours.wall_seconds,
        ours.cpu_seconds,
        ours.memory_mib,
        floor.cpu_seconds,
        ours.cpu_seconds / floor.cpu_seconds.max(0.001),
        ours.wall_seconds / ours.cpu_seconds.max(0.001),
    )
    .expect("writing to a string cannot fail");
}

/// A database that has been updated from nowhere: it holds no part.
fn make_empty(programs: &Programs, folder: &Path, database: &str) -> Result<(), String> {
    let feeds = folder.join("feeds/www.cisa.gov/sites/default/files/feeds");
    fs::create_dir_all(&feeds).map_err(|e| format!("{}: {e}", feeds.display()))?;
    let kev =
        r#"{"catalogVersion":"1","dateReleased":"2026-01-01T00:00:00Z","vulnerabilities":[]}"#;
    let file = feeds.join("known_exploited_vulnerabilities.json");
    fs::write(&file, kev).map_err(|e| format!("{}: {e}", file.display()))?;
    let mirror = format!("file://{}", folder.join("feeds").display());
    call(Command::new(&programs.pratique).args([
        "db",
        "update",
        "--sources",
        "kev",
        "--mirror",
        &mirror,
        "--db",
        database,
    ]))
}

/// All sources of the corpus into an empty database, then a round with nothing new.
fn database(programs: &Programs, folder: &Path) -> Result<String, String> {
    let Some(mirror) = corpus_mirror() else {
        return Ok("PRATIQUE_CORPUS was not set: not measured.\n".to_owned());
    };
    let path = folder.join("corpus.sqlite");
    let update = ["db", "update", "--mirror", &mirror, "--db", &text(&path)];
    let mut first: Option<Cost> = None;
    for _ in 0..3 {
        for suffix in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(folder.join(format!("corpus.sqlite{suffix}")));
        }
        let cost = super::run_once(&programs.pratique, &update, &[0])?;
        if first.is_none_or(|least| cost.cpu_seconds < least.cpu_seconds) {
            first = Some(cost);
        }
    }
    let first = first.expect("it ran three times");
    let again = measure(&programs.pratique, &update, &[0])?;
    let bytes = fs::metadata(&path).map_err(|e| format!("{}: {e}", path.display()))?.len();
    Ok(format!(
        "| round | wall s | CPU s | memory MiB | on disk MiB |\n|---|---|---|---|---|\n\
         | from empty | {:.2} | {:.2} | {:.0} | {:.0} |\n\
         | nothing new | {:.2} | {:.2} | {:.0} | |\n",
        first.wall_seconds,
        first.cpu_seconds,
        first.memory_mib,
        bytes as f64 / f64::from(1 << 20),
        again.wall_seconds,
        again.cpu_seconds,
        again.memory_mib,
    ))
}

/// A generated feed into each store: from empty, with a thousandth changed, and once more.
fn update(programs: &Programs, shape: &str, stores: &[&str]) -> Result<String, String> {
    let mut command = Command::new(&programs.update);
    command.arg(&programs.pratique).arg(shape).args(stores);
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// From an SBOM to findings, as a whole process.
fn matching(programs: &Programs, folder: &Path) -> Result<String, String> {
    let (Some(mirror), Ok(corpus)) = (corpus_mirror(), env::var("PRATIQUE_CORPUS")) else {
        return Ok("PRATIQUE_CORPUS was not set: not measured.\n".to_owned());
    };
    let path = text(&folder.join("matching.sqlite"));
    call(
        Command::new(&programs.pratique).args(["db", "update", "--mirror", &mirror, "--db", &path]),
    )?;
    let mut table = String::from(
        "| image | packages | findings | wall s | CPU s | memory MiB |\n\
         |---|---|---|---|---|---|\n",
    );
    for image in ["debian-bookworm-dpkgonly", "debian-bullseye-app", "cbl-mariner-2.0-rpmdb"] {
        let archive = format!("{corpus}/images/{image}.oci.tar");
        let report = folder.join(format!("{image}.json"));
        let output = format!("json={}", report.display());
        call(Command::new(&programs.pratique).args([
            "scan",
            &archive,
            "--offline",
            "--db",
            &path,
            "--platform",
            "linux/amd64",
            "-o",
            &output,
        ]))?;
        let written = fs::read_to_string(&report).map_err(|e| format!("{image}: {e}"))?;
        let count = |key: &str| written.matches(key).count();
        let sbom = format!("sbom:{}", report.display());
        let cost =
            measure(&programs.pratique, &["scan", &sbom, "--offline", "--db", &path], &[0, 5])?;
        writeln!(
            table,
            "| {image} | {} | {} | {:.3} | {:.3} | {:.0} |",
            count("\"owned_by\""),
            count("\"explain\""),
            cost.wall_seconds,
            cost.cpu_seconds,
            cost.memory_mib
        )
        .expect("writing to a string cannot fail");
    }
    Ok(table)
}

pub(super) fn corpus_mirror() -> Option<String> {
    let corpus = env::var_os("PRATIQUE_CORPUS")?;
    let feeds = fs::canonicalize(Path::new(&corpus).join("feeds")).ok()?;
    Some(format!("file://{}", feeds.display()))
}

pub(super) fn call(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    if matches!(output.status.code(), Some(0 | 5)) {
        return Ok(());
    }
    Err(format!("{command:?}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr)))
}

pub(super) fn text(path: &Path) -> String {
    path.display().to_string()
}
