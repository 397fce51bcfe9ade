//! How long matching and writing take, for three images of the sizes in the design's table.
//!
//! `cargo bench -p pratique-matcher` prints the mean of many runs: the CPU's time for opening the
//! database and assessing, and for writing the report as JSON and as a table. Packages, advisories
//! and facts are made up; their numbers and shapes are those of the real images.

use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use pratique_matcher::{Options, assess};
use pratique_model::{
    Advisory, Affected, Cvss, Distro, Ecosystem, Enrichment, Epss, IndexReport, NameKind, NvdScore,
    Package, PartId, Range, Release, SourcePackage, Status,
};
use pratique_report::{Answer, Format, render};
use pratique_store::{Access, CommitOptions, Database, Staging};

/// How often each measure is taken; Linux counts a thread's time in steps of milliseconds.
const RUNS: u32 = 50;

/// One image: how many packages of what, and how many statements there are for each.
struct Case {
    name: &'static str,
    ecosystem: Ecosystem,
    packages: usize,
    /// How many binary packages share a source.
    binaries: usize,
    /// Statements per source or package.
    statements: usize,
    /// One of how many statements is a hit.
    hit_every: usize,
}

const CASES: [Case; 3] = [
    Case {
        name: "deb12",
        ecosystem: Ecosystem::Deb,
        packages: 88,
        binaries: 1,
        statements: 40,
        hit_every: 4,
    },
    Case {
        name: "app",
        ecosystem: Ecosystem::Npm,
        packages: 2_480,
        binaries: 1,
        statements: 2,
        hit_every: 3,
    },
    Case {
        name: "fat",
        ecosystem: Ecosystem::Deb,
        packages: 835,
        binaries: 2,
        statements: 45,
        hit_every: 4,
    },
];

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut out = std::io::stdout().lock();
    for case in &CASES {
        let path = folder.path().join(case.name);
        write_database(case, &path);
        let report = inventory(case);
        let options = Options::default();
        let written = pratique_report::Options { now: Some(now()), ..Default::default() };
        let mut assessment = None;
        let assessing = mean(|| {
            let database = Database::open(&path, Access::ReadOnly).expect("the database opens");
            let answer = assess(&report, &database, &options, now()).expect("an answer");
            assessment = Some(answer);
        });
        let assessment = assessment.expect("it was assessed");
        let writing = |format| {
            mean(|| {
                let answer = Answer::new(&report, &assessment, &written);
                let mut bytes = Vec::new();
                render(format, &answer, &mut bytes).expect("writing to memory");
                black_box(bytes);
            })
        };
        let (json, table) = (writing(Format::Json), writing(Format::Table));
        writeln!(
            out,
            "{:<6} {:>5} packages {:>6} findings: assess {assessing:>8.2?}, json {json:>8.2?}, \
             table {table:>8.2?}",
            case.name,
            case.packages,
            assessment.findings.len()
        )
        .expect("standard output");
    }
}

/// The mean time on a CPU of several runs.
fn mean(mut work: impl FnMut()) -> Duration {
    let start = cpu_time();
    for _ in 0..RUNS {
        work();
    }
    cpu_time().saturating_sub(start) / RUNS
}

/// How long this thread has been on a CPU: the first number of Linux's `schedstat`, in nanoseconds.
fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux's statistics");
    let first = text.split(' ').next().and_then(|number| number.parse().ok());
    Duration::from_nanos(first.expect("a number of nanoseconds"))
}

fn now() -> Timestamp {
    "2026-11-21T00:00:00Z".parse().expect("a time")
}

fn name(case: &Case, source: usize) -> String {
    match case.ecosystem {
        Ecosystem::Deb => format!("libsource{source}"),
        _ => format!("@scope/module-{source}"),
    }
}

/// The version that is installed; statements lie around it.
fn version(case: &Case, patch: usize) -> String {
    match case.ecosystem {
        Ecosystem::Deb => format!("1:2.{patch}.1+dfsg-3+deb12u2"),
        _ => format!("2.{patch}.1"),
    }
}

fn inventory(case: &Case) -> IndexReport {
    let package = |index: usize| {
        let source = name(case, index / case.binaries);
        let is_distro = case.ecosystem.is_distro();
        Package {
            ecosystem: case.ecosystem,
            name: if is_distro { format!("{source}-{index}") } else { source.clone() },
            version: version(case, 50),
            arch: is_distro.then(|| "amd64".to_owned()),
            source: is_distro.then(|| SourcePackage { name: source, version: version(case, 50) }),
            module: None,
            vendor: None,
            layer: None,
            paths: vec!["/var/lib/dpkg/status".to_owned()],
            owned_by: None,
            built_for: None,
            cataloger: "bench",
        }
    };
    let distro = Distro { id: "debian".to_owned(), version: "12".to_owned(), ..Distro::default() };
    IndexReport {
        distro: Some(distro),
        packages: (0..case.packages).map(package).collect(),
        ..IndexReport::default()
    }
}

fn write_database(case: &Case, path: &Path) {
    let mut database = Database::open(path, Access::ReadWrite).expect("the database opens");
    let part = match case.ecosystem {
        Ecosystem::Deb => "debian",
        _ => "osv/npm",
    };
    let mut advisories = Staging::new(part.parse().expect("a part"), None);
    let mut nvd = Staging::new(PartId::new("nvd", "2024"), None);
    let mut epss = Staging::new(PartId::new("epss", "epss"), None);
    for source in 0..case.packages.div_ceil(case.binaries) {
        for number in 0..case.statements {
            let cve = format!("CVE-2024-{}", 10_000 + source * case.statements + number);
            advisories.advisory(&advisory(case, source, number, &cve));
            nvd.enrichment(&score(&cve));
            epss.enrichment(&prediction(&cve));
        }
    }
    for staging in [advisories, nvd, epss] {
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
        database.commit(staging, &options).expect("the part is committed");
    }
}

fn advisory(case: &Case, source: usize, number: usize, cve: &str) -> Advisory {
    let is_distro = case.ecosystem.is_distro();
    let release = is_distro.then(|| Release::new("debian", "12"));
    let mut affected = Affected::new(case.ecosystem, release, name(case, source), Status::Fixed);
    if is_distro {
        affected.name_kind = NameKind::Source;
    }
    let patch = if number.is_multiple_of(case.hit_every) { 51 + number } else { number.min(49) };
    affected.ranges = vec![Range::below(version(case, patch))];
    Advisory {
        id: cve.to_owned(),
        vulnerabilities: vec![cve.to_owned()],
        url: Some(format!("https://tracker.example/{cve}")),
        affected: vec![affected],
        ..Advisory::default()
    }
}

fn score(cve: &str) -> Enrichment {
    let vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
    Enrichment::Nvd(NvdScore {
        vulnerability: cve.to_owned(),
        cvss: vec![Cvss::parse(vector, "nvd").expect("a vector")],
        is_rejected: false,
        description: None,
    })
}

fn prediction(cve: &str) -> Enrichment {
    Enrichment::Epss(Epss {
        vulnerability: cve.to_owned(),
        score: 0.0123,
        percentile: 0.5,
        date: "2026-11-20".parse().expect("a date"),
    })
}
