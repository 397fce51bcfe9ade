//! What the store itself costs, without feeds: `cargo bench -p pratique-store --bench advisories`.
//!
//! Advisories are made by number, as many as the measurements in the design were made with, in the
//! proportions of real feeds: a distribution with several releases, language ecosystems with long
//! texts and listed versions. Prints CPU and wall time, peak memory and size. `STORE` (environment)
//! names an empty database of PostgreSQL; otherwise a new file is used.

#![allow(clippy::print_stdout, reason = "a program for people")]
#![allow(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::time::Instant;

use jiff::Timestamp;

use pratique_model::{
    Advisory, Affected, Cvss, Ecosystem, Enrichment, Epss, NameKind, PartId, Range, Release,
    Severity, Status,
};
use pratique_store::{
    Access, CommitOptions, Database, SnapshotFilter, Staging, Store, load_snapshot, write_snapshot,
};

/// As many records as the predecessors' databases were measured with.
const RECORDS: usize = 257_488;

/// How many CVEs have an EPSS score today.
const SCORED: usize = 300_000;

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("db.sqlite");
    let address = std::env::var("STORE").ok();
    let store = match &address {
        Some(address) => Store::parse(address).expect("an address"),
        None => Store::file(&path),
    };
    let mut database = store.open(Access::ReadWrite).expect("a database");
    let mut watch = Watch::start();
    load(&mut database, 0);
    watch.tell("load from empty");
    load(&mut database, 0);
    watch.tell("load the same again");
    load(&mut database, 1);
    watch.tell("load with 0.1 % changed");
    load_epss(&mut database, 0);
    watch.tell("load EPSS from empty");
    load_epss(&mut database, 1);
    watch.tell("load EPSS of the next day");
    println!("{:.1} MB", database.size_bytes().expect("a size") as f64 / 1e6);
    drop(database);
    watch.skip();
    for _ in 0..100 {
        drop(store.open(Access::ReadOnly).expect("a database"));
    }
    watch.tell("open 100 times");
    let database = store.open(Access::ReadOnly).expect("a database");
    ask(&database, &mut watch);
    snapshot(&database, &mut watch);
}

/// The questions of one large image: 2,500 names, half of them known.
fn ask(database: &Database, watch: &mut Watch) {
    let release = Release::new("debian", "12");
    let names: Vec<String> = (0..2_500).map(|index| format!("package-{}", index * 2)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for round in ["first", "second"] {
        let found = database.affected(Ecosystem::Deb, Some(&release), &names).expect("an answer");
        watch.tell(&format!("{round}: 2,500 names, {} statements", found.len()));
        let keys: Vec<_> = found.iter().map(|found| found.advisory).collect();
        let advisories = database.advisories(&keys).expect("an answer");
        watch.tell(&format!("{round}: {} advisories", advisories.len()));
        let cves: Vec<&str> = advisories
            .iter()
            .flat_map(|stored| stored.advisory.vulnerabilities.iter().map(String::as_str))
            .collect();
        let facts = database.facts(&cves).expect("an answer");
        watch.tell(&format!("{round}: facts of {} CVEs", facts.len()));
        let severities = database.severities_of(&cves).expect("an answer");
        watch.tell(&format!("{round}: severities of {} CVEs", severities.len()));
    }
}

/// A snapshot of some ten thousand advisories, as the program carries one.
fn snapshot(database: &Database, watch: &mut Watch) {
    let packages = (0..1_500).map(|index| (Ecosystem::Deb, format!("package-{index}")));
    let filter = SnapshotFilter { packages: packages.collect(), ..SnapshotFilter::default() };
    let mut bytes = Vec::new();
    write_snapshot(database, &filter, &mut bytes).expect("written");
    watch.tell(&format!("write a snapshot of {} kB", bytes.len() / 1000));
    let mut copy = Database::in_memory().expect("memory");
    load_snapshot(&*bytes, &mut copy).expect("loaded");
    let entries: u64 = copy.parts().expect("parts").iter().map(|part| part.entries).sum();
    watch.tell(&format!("load it into memory, {entries} entries"));
}

fn load(database: &mut Database, day: usize) {
    let parts = [("debian", "debian", 0), ("osv", "PyPI", 1), ("osv", "npm", 2)];
    for (source, part, share) in parts {
        let mut staging = Staging::new(PartId::new(source, part), None);
        for index in (share..RECORDS).step_by(parts.len()) {
            let change = if index % 1_000 == share { day } else { 0 };
            let advisory =
                if share == 0 { of_debian(index, change) } else { of_osv(index, share, change) };
            staging.advisory(&advisory);
        }
        database.commit(staging, &options()).expect("a commit");
    }
}

fn options() -> CommitOptions {
    CommitOptions {
        fingerprint: Some("sha256 00".to_owned()),
        parser_version: 1,
        as_of: None,
        now: Timestamp::UNIX_EPOCH,
        covers: Vec::new(),
        is_partial: false,
        force: false,
        fence: None,
    }
}

fn cve(index: usize) -> String {
    format!("CVE-{}-{:04}", 2000 + index % 26, index / 26)
}

fn of_debian(index: usize, change: usize) -> Advisory {
    let id = cve(index);
    let affected = [10, 11, 12, 13].map(|release| Affected {
        name_kind: NameKind::Source,
        remark: index.is_multiple_of(5).then(|| "no-dsa".to_owned()),
        ranges: vec![Range::below(format!("1:2.{}.{}-{release}", index % 50, change))],
        ..Affected::new(
            Ecosystem::Deb,
            Some(Release::new("debian", &release.to_string())),
            format!("package-{}", index % 20_011),
            Status::Fixed,
        )
    });
    Advisory {
        url: Some(format!("https://security-tracker.debian.org/tracker/{id}")),
        vulnerabilities: vec![id.clone()],
        id,
        affected: affected.into(),
        ..Advisory::default()
    }
}

fn of_osv(index: usize, share: usize, change: usize) -> Advisory {
    let ecosystem = if share == 1 { Ecosystem::Pypi } else { Ecosystem::Npm };
    let id = format!("GHSA-{:04x}-{:04x}-{:04x}", index % 7919, index % 6007, index);
    let letters = ["N", "L", "H"];
    let letter = |shift: usize| letters[index / shift % 3];
    let vector = format!(
        "CVSS:3.1/AV:N/AC:L/PR:{}/UI:N/S:U/C:{}/I:{}/A:{}",
        letter(1),
        letter(3),
        letter(9),
        letter(27)
    );
    let versions = if share == 1 { index % 60 } else { 0 };
    let mut affected = Affected {
        ranges: vec![Range {
            introduced: Some(format!("1.{}.0", index % 7)),
            fixed: Some(format!("2.{}.{change}", index % 90)),
            last_affected: None,
        }],
        ..Affected::new(ecosystem, None, format!("library-{}", index % 30_011), Status::Fixed)
    };
    affected.versions = (0..versions).map(|minor| format!("1.{}.{minor}", index % 7)).collect();
    Advisory {
        url: Some(format!("https://osv.dev/vulnerability/{id}")),
        vulnerabilities: vec![cve(index)],
        aliases: vec![format!("PYSEC-2024-{index}")],
        summary: Some(format!("library-{} lets a stranger in through door {index}", index % 7)),
        published: Some(Timestamp::UNIX_EPOCH),
        modified: Some(Timestamp::UNIX_EPOCH),
        severity: Some(Severity::High),
        cvss: vec![Cvss::parse(&vector, "ghsa").expect("a vector")],
        id,
        affected: vec![affected],
        ..Advisory::default()
    }
}

fn load_epss(database: &mut Database, day: usize) {
    let mut staging = Staging::new(PartId::new("epss", "epss"), None);
    for index in 0..SCORED {
        let share = ((index + day) % 100_000) as f64 / 100_000.0;
        staging.enrichment(&Enrichment::Epss(Epss {
            vulnerability: cve(index),
            score: share / 2.0,
            percentile: share,
            date: jiff::civil::date(2026, 8, 16),
        }));
    }
    database.commit(staging, &options()).expect("a commit");
}

/// Tells what every step cost.
struct Watch {
    wall: Instant,
    cpu: f64,
}

impl Watch {
    fn start() -> Self {
        Self { wall: Instant::now(), cpu: cpu_seconds() }
    }

    fn tell(&mut self, step: &str) {
        let cpu = cpu_seconds() - self.cpu;
        let wall = self.wall.elapsed().as_secs_f64();
        println!("{step}: {wall:.4} s, {cpu:.2} CPU s, {} MB at most", peak_kib() / 1024);
        self.skip();
    }

    fn skip(&mut self) {
        *self = Self::start();
    }
}

/// User and system time of this process so far, in seconds; Linux counts in hundredths.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields = text.rsplit_once(") ").expect("a name in parentheses").1;
    let ticks = fields.split(' ').skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

/// The most memory this process had, in KiB.
fn peak_kib() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").trim().parse().expect("a number")
}
