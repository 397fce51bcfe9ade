//! What one changed advisory and one question cost:
//! `cargo bench -p pratique-matcher --bench impact`.
//!
//! Works on a store that `cargo bench -p pratique-store --bench images` filled, named by `STORE`:
//! images of 100 packages drawn from 200,000, of which `source-0` is in every image. The first run
//! assesses all packages; each run changes the advisories again. What concerns one advisory is
//! printed as rows of a table: images and packages that hold the name, milliseconds, packages
//! compared, findings written or removed, rows put into the outbox.

#![allow(clippy::print_stdout, reason = "a program for people")]
#![allow(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::time::Instant;

use jiff::Timestamp;

use pratique_matcher::{AskOptions, Progress, Question, StepLimits, ask, step};
use pratique_model::{Advisory, Affected, Ecosystem, NameKind, PartId, Range, Release, Status};
use pratique_store::{Access, CommitOptions, Database, Staging, Store};

/// How many source packages have an advisory of their own all the time.
const ADVISORIES: u64 = 10_000;

fn main() {
    let Ok(address) = std::env::var("STORE") else {
        println!("skipped: STORE names no store that the benchmark `images` filled");
        return;
    };
    let store = Store::parse(&address).expect("an address");
    let mut database = store.open(Access::ReadWrite).expect("a database");
    let run = run_number(&database);
    told("all advisories are committed", || commit(&mut database, run, None));
    told("all that is left is assessed", || format!("{:?}", drain(&database)));
    for source in ["source-of-one-image", "source-of-a-thousand", "source-9000", "source-0"] {
        commit(&mut database, run, Some(source));
        row(&database, source);
        commit(&mut database, run, None);
        drain(&database);
    }
    for question in [
        "deb/source-0>=1:2.3",
        "deb/source-77>=1:2.9",
        "deb/package-18000<1:2.5",
        "debian:12/source-9000>=1:9",
        "npm/lodash",
        "CVE-2026-0000001",
        "CVE-2026-0000078",
        "CVE-2026-7777777",
    ] {
        let asked: Question = question.parse().expect("a question");
        told(question, || {
            let answer = ask(&database, &asked, &AskOptions::default()).expect("an answer");
            format!(
                "{:?}: {} images, {} outside, of {}",
                answer.verdict, answer.image_count, answer.outside_count, answer.watched_count
            )
        });
    }
}

/// A number that no run had before.
fn run_number(database: &Database) -> u64 {
    let part = database.part(&part()).expect("an answer");
    part.map_or(0, |part| part.generation)
}

fn part() -> PartId {
    PartId::new("debian", "debian")
}

/// What one new advisory about all versions of a source package costs, as a row.
fn row(database: &Database, source: &str) {
    let release = Release::new("debian", "12");
    let found = database.packages_named(Ecosystem::Deb, Some(&release), &[source]);
    let keys: Vec<_> = found.expect("packages").iter().map(|package| package.key).collect();
    let reach = database.reach(&keys).expect("a reach");
    let began = Instant::now();
    let progress = drain(database);
    let milliseconds = began.elapsed().as_secs_f64() * 1_000.0;
    let findings = progress.written_count + progress.removed_count;
    let told: u64 = progress.told.values().sum();
    println!(
        "| {source} | {} | {} | {milliseconds:.1} | {} | {findings} | {told} |",
        reach.image_count,
        keys.len(),
        progress.package_count
    );
}

/// Commits one advisory for each of the first sources, and one more about all versions of a source.
fn commit(database: &mut Database, run: u64, one: Option<&str>) -> String {
    let mut staging = Staging::new(part(), None);
    for number in 0..ADVISORIES {
        let id = format!("CVE-2026-{:07}", number + 1);
        staging.advisory(&advisory(&id, &format!("source-{number}"), "1:2.5"));
    }
    if let Some(source) = one {
        let id = format!("CVE-2027-{:07}", run * 100 + source.len() as u64);
        staging.advisory(&advisory(&id, source, "1:3"));
    }
    let options = CommitOptions {
        fingerprint: None,
        parser_version: 1,
        as_of: None,
        now: Timestamp::from_second(1_790_000_000).expect("a time"),
        covers: Vec::new(),
        is_partial: false,
        force: true,
        fence: None,
    };
    let applied = database.commit(staging, &options).expect("a commit");
    format!("{} new, {} changed, {} gone", applied.new, applied.changed, applied.withdrawn)
}

fn advisory(id: &str, source: &str, fixed: &str) -> Advisory {
    let release = Some(Release::new("debian", "12"));
    let mut affected = Affected::new(Ecosystem::Deb, release, source, Status::Fixed);
    affected.name_kind = NameKind::Source;
    affected.ranges.push(Range::below(fixed));
    Advisory {
        id: id.to_owned(),
        vulnerabilities: vec![id.to_owned()],
        affected: vec![affected],
        ..Advisory::default()
    }
}

fn drain(database: &Database) -> Progress {
    let now = Timestamp::from_second(1_790_000_100).expect("a time");
    let mut progress = Progress::default();
    while let Some(more) = step(database, None, StepLimits::default(), now).expect("a step") {
        progress.add(&more);
    }
    progress
}

fn told(what: &str, work: impl FnOnce() -> String) {
    let began = Instant::now();
    let outcome = work();
    println!("{:>9.1} ms  {what}: {outcome}", began.elapsed().as_secs_f64() * 1_000.0);
}
