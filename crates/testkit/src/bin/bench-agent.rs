//! Measures `pratique agent` beside a real containerd, for `cargo xtask bench watch`, as rows of a
//! table: `bench-agent PROGRAM`.
//!
//! The containerd is a private one with runc, which takes root; without it nothing is measured, and
//! that is said. Every time begins with the start of `ctr` and ends when the agent's API gives the
//! right answer, looked at each hundredth of a second; the longest of several is printed.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that is not shipped")]

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use pratique_clockwork::Random;
use pratique_model::Platform;
use pratique_testkit::containerd::{BUSYBOX, Containerd};
use pratique_testkit::image::{ArchiveBuilder, Compression, ImageBuilder, LayerBuilder};
use pratique_testkit::process::{Process, eventually, get};

/// How long anything may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// Containers that run while memory is looked at.
const CONTAINERS: usize = 200;

/// `ctr` commands that start containers at a time; each has some programs of its own running.
const STARTERS: usize = 4;

/// How often a name is given and taken.
const TAGS: usize = 20;

/// Images that are imported, one after the other.
const IMPORTS: usize = 5;

/// Bytes of an imported image that do not compress: together with the rest Alpine's size.
const IMAGE_BYTES: usize = 3_000_000;

/// The namespace of everything.
const NS: &str = "default";

/// A publisher's feed with one vulnerability, which the imported images have.
const FEED: &str = r#"{"distroversion":"v3.10","reponame":"main","packages":[
    {"pkg":{"name":"musl","secfixes":{"1.1.22-r4":["CVE-2020-28928"]}}}]}"#;

fn main() -> ExitCode {
    let Some(program) = env::args_os().nth(1) else {
        eprintln!("usage: bench-agent PROGRAM");
        return ExitCode::FAILURE;
    };
    match Containerd::start() {
        Some(bed) => measure(&bed, Path::new(&program)),
        None => println!("| beside a real containerd | | not measured: it cannot be run here |"),
    }
    ExitCode::SUCCESS
}

fn measure(bed: &Containerd, program: &Path) {
    let folder = tempfile::tempdir().expect("a folder");
    bed.import_busybox(NS);
    let agent = Agent::start(bed, program, folder.path());
    agent.until_images("the first is indexed", |rows| {
        rows.iter().any(|row| row["name"] == BUSYBOX && row["indexed_at"].is_string())
    });
    tags(bed, &agent);
    imports(bed, &agent, folder.path());
    let before = agent.resident_kib();
    run_containers(bed);
    eventually("all containers are known", DEADLINE, || {
        let rows = agent.list("/api/v1/node/containers");
        rows.iter().filter(|row| row["state"] == "running").count() == CONTAINERS
    });
    let after = agent.resident_kib();
    println!(
        "| resident, `pratique agent` with no container, with {CONTAINERS} of runc | | {:.1} MiB, \
         {:.1} MiB: {:.2} KiB a container |",
        before as f64 / 1024.0,
        after as f64 / 1024.0,
        after.saturating_sub(before) as f64 / CONTAINERS as f64
    );
}

/// From `ctr image tag` and `rm` to the right answer.
fn tags(bed: &Containerd, agent: &Agent) {
    let (mut tagged, mut untagged) = (Vec::new(), Vec::new());
    for number in 0..TAGS {
        let name = format!("localhost/other:{number}");
        let began_at = now();
        bed.ctr(NS, &["images", "tag", BUSYBOX, &name]);
        let is_there = |row: &Value| row["name"] == *name && row["present"] == true;
        agent.until_images("the name is there", |rows| rows.iter().any(is_there));
        tagged.push(began_at.elapsed());
        let began_at = now();
        bed.ctr(NS, &["images", "rm", &name]);
        agent.until_images("the name is gone", |rows| !rows.iter().any(is_there));
        untagged.push(began_at.elapsed());
    }
    let (tagged, untagged) = (longest(&tagged), longest(&untagged));
    println!(
        "| from `ctr image tag`, `ctr image rm` to the view of images being right | 1 s | \
         {tagged:.0?}, {untagged:.0?}, the longest of {TAGS} |"
    );
}

/// From `ctr image import` to an image that is indexed with its findings.
fn imports(bed: &Containerd, agent: &Agent, folder: &Path) {
    let mut times = Vec::new();
    for number in 0..IMPORTS {
        let name = format!("localhost/alpine:{number}");
        let path = folder.join("alpine.tar");
        fs::write(&path, alpine_archive(&name, number as u64)).expect("the folder is ours");
        let began_at = now();
        bed.import(NS, &path);
        let has_findings = |row: &Value| {
            let findings = row["findings"].as_object();
            row["name"] == *name && findings.is_some_and(|counts| counts.values().any(|n| *n != 0))
        };
        agent.until_images("its findings", |rows| rows.iter().any(has_findings));
        times.push(began_at.elapsed());
    }
    println!(
        "| from `ctr image import` of an image of Alpine's size to its findings | 5 s | {:.0?}, \
         the longest of {IMPORTS} |",
        longest(&times)
    );
}

/// An image with one known vulnerability, and bytes that no other seed gives.
fn alpine_archive(name: &str, seed: u64) -> Vec<u8> {
    let mut random = Random::from_seed(seed);
    let words = std::iter::repeat_with(|| random.next_number().to_le_bytes());
    let noise: Vec<u8> = words.take(IMAGE_BYTES / 8).flatten().collect();
    let layer = LayerBuilder::new()
        .file("etc/os-release", b"NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=3.10.3\n")
        .file("lib/apk/db/installed", b"P:musl\nV:1.1.22-r3\nA:x86_64\no:musl\n\n")
        .file("usr/lib/noise", &noise);
    let image = ImageBuilder::new(Platform::host()).layer(&layer, Compression::Gzip);
    ArchiveBuilder::new().image(name, image).to_oci_archive()
}

fn run_containers(bed: &Containerd) {
    thread::scope(|scope| {
        for starter in 0..STARTERS {
            scope.spawn(move || {
                for number in (starter..CONTAINERS).step_by(STARTERS) {
                    bed.run_container(NS, &format!("{number:064x}"), &[], &["sleep", "100000"]);
                }
            });
        }
    });
}

/// The program that is measured.
struct Agent {
    process: Process,
    address: String,
}

impl Agent {
    fn start(bed: &Containerd, program: &Path, folder: &Path) -> Self {
        let feed = folder.join("feeds/secdb.alpinelinux.org/v3.10/main.json");
        fs::create_dir_all(feed.parent().expect("it has one")).expect("the folder is ours");
        fs::write(&feed, FEED).expect("the folder is ours");
        let text = |name: &str| folder.join(name).display().to_string();
        let (db, mirror) = (text("db.sqlite"), format!("file://{}", text("feeds")));
        let update = ["db", "update", "--sources", "alpine", "--mirror", &mirror, "--db", &db];
        let output = Command::new(program).args(update).output().expect("the program");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut command = Command::new(program);
        command.args(["agent", "--listen", "127.0.0.1:0", "--db", &db]);
        command.args(["--state-dir", &text("state")]);
        command.arg("--containerd-address").arg(bed.socket());
        let process = Process::spawn("agent", command);
        let line = process.wait_for_line("answering at ", DEADLINE);
        let (_, rest) = line.split_once("answering at ").expect("it was waited for");
        let address = rest.split_whitespace().next().expect("an address").to_owned();
        Self { process, address }
    }

    fn list(&self, path: &str) -> Vec<Value> {
        let (status, body) = get(&self.address, path).expect("it answers");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).expect("a list")
    }

    /// Waits until what the agent says of images is so.
    fn until_images(&self, what: &str, is_so: impl Fn(&[Value]) -> bool) {
        eventually(what, DEADLINE, || is_so(&self.list("/api/v1/node/images")));
    }

    fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        let status = status.expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

fn longest(times: &[Duration]) -> Duration {
    times.iter().copied().max().unwrap_or_default()
}

#[expect(clippy::disallowed_methods, reason = "what real processes take is measured")]
fn now() -> Instant {
    Instant::now()
}
