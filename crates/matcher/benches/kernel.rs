//! What one change costs for a source that everybody speaks of, in many versions:
//! `cargo bench -p pratique-matcher --bench kernel`.
//!
//! As Debian's kernel is, and larger: 10,000 statements about one source package, of which 200
//! versions are installed somewhere; most statements are mended in half of them. `STORE=postgres`
//! takes a private server, otherwise a new SQLite file.

#![allow(clippy::print_stdout, reason = "a program for people")]
#![allow(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::time::Instant;

use jiff::Timestamp;

use pratique_matcher::{Progress, StepLimits, step};
use pratique_model::{
    Advisory, Affected, Digest, Distro, Ecosystem, IndexReport, NameKind, Package, PartId, Range,
    Release, SourcePackage, Status, Target,
};
use pratique_store::{Access, CommitOptions, Database, Staging, Store};
use pratique_testkit::postgres::{Cluster, Durability, TestDatabase};

const STATEMENTS: u64 = 10_000;
const VERSIONS: u64 = 200;

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let cluster = (std::env::var("STORE").as_deref() == Ok("postgres"))
        .then(|| Cluster::start(Durability::Full).expect("PostgreSQL is installed"));
    let server = cluster.as_ref().map(Cluster::empty_database);
    let file = folder.path().join("db.sqlite").display().to_string();
    let address = server.as_ref().map_or(file, TestDatabase::url);
    let store = Store::parse(&address).expect("an address");
    let mut database = store.open(Access::ReadWrite).expect("a database");
    told("all statements are committed", || commit(&mut database, "1:90", STATEMENTS));
    told("all versions are registered", || register(&mut database));
    told("all versions are assessed", || drain(&database));
    commit(&mut database, "1:110", STATEMENTS);
    told("impact of one other fixed version", || drain(&database));
    commit(&mut database, "1:110", STATEMENTS - 1);
    told("impact of one statement withdrawn", || drain(&database));
    commit(&mut database, "1:110", STATEMENTS);
    told("impact of one statement that is new", || drain(&database));
    println!("{} MiB at most", peak_mib());
}

/// Commits all statements; the first is mended in `first`.
fn commit(database: &mut Database, first: &str, count: u64) -> String {
    let mut staging = Staging::new(PartId::new("debian", "debian"), None);
    for number in 0..count {
        let fixed = format!("1:{}", 50 + number % 100);
        let fixed = if number == 0 { first } else { &fixed };
        staging.advisory(&advisory(&format!("CVE-2026-{number:05}"), fixed));
    }
    let options = CommitOptions {
        fingerprint: None,
        parser_version: 1,
        as_of: None,
        now: now(),
        covers: Vec::new(),
        is_partial: false,
        force: true,
        fence: None,
    };
    let applied = database.commit(staging, &options).expect("a commit");
    format!("{} new, {} changed, {} gone", applied.new, applied.changed, applied.withdrawn)
}

fn advisory(id: &str, fixed: &str) -> Advisory {
    let release = Some(Release::new("debian", "12"));
    let mut affected = Affected::new(Ecosystem::Deb, release, "linux", Status::Fixed);
    affected.name_kind = NameKind::Source;
    affected.ranges.push(Range::below(fixed));
    Advisory {
        id: id.to_owned(),
        vulnerabilities: vec![id.to_owned()],
        affected: vec![affected],
        ..Advisory::default()
    }
}

fn register(database: &mut Database) -> String {
    let packages = (0..VERSIONS).map(|version| Package {
        ecosystem: Ecosystem::Deb,
        name: "linux-image-amd64".to_owned(),
        version: format!("1:{version}"),
        arch: Some("amd64".to_owned()),
        source: Some(SourcePackage { name: "linux".to_owned(), version: format!("1:{version}") }),
        module: None,
        vendor: None,
        layer: None,
        paths: vec!["/var/lib/dpkg/status".to_owned()],
        owned_by: None,
        built_for: None,
        cataloger: "bench",
    });
    let digest: Digest = format!("sha256:{:064x}", 1).parse().expect("a digest");
    let report = IndexReport {
        target: Target {
            reference: "registry.example/app:1".to_owned(),
            digest: Some(digest),
            image_id: None,
            platform: None,
            source: "registry".to_owned(),
            layers: Vec::new(),
        },
        distro: Some(Distro {
            id: "debian".to_owned(),
            version: "12".to_owned(),
            name: "Debian GNU/Linux 12 (bookworm)".to_owned(),
            ..Distro::default()
        }),
        packages: packages.collect(),
        partial: Vec::new(),
    };
    format!("{:?}", database.register_image(&report, &[], now()).expect("registered"))
}

fn drain(database: &Database) -> String {
    let mut progress = Progress::default();
    while let Some(more) = step(database, None, StepLimits::default(), now()).expect("a step") {
        progress.add(&more);
    }
    format!("{progress:?}")
}

fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_100).expect("a time")
}

/// The most memory that this process had, in MiB.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").trim().parse().expect("a number");
    kilobytes / 1024
}

fn told(what: &str, work: impl FnOnce() -> String) {
    let began = Instant::now();
    let outcome = work();
    println!("{:>9.1} ms  {what}: {outcome}", began.elapsed().as_secs_f64() * 1_000.0);
}
