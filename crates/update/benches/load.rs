//! What loading real feeds costs: `cargo bench -p pratique-update --bench load`, with the corpus
//! where `PRATIQUE_CORPUS` points. Prints CPU seconds, peak memory and size for all default parts
//! from empty, then for a round with nothing new.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

use std::path::Path;

use pratique_clockwork::Clock;
use pratique_fetch::{Client, Config as FetchConfig, Mirror};
use pratique_store::{Access, Database, Store};
use pratique_update::{PartResult, Round, RoundConfig, Selection, plan};

fn main() {
    let Some(corpus) = std::env::var_os("PRATIQUE_CORPUS") else {
        eprintln!("SKIPPED: PRATIQUE_CORPUS is not set");
        return;
    };
    let feeds = Path::new(&corpus).join("feeds");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("db.sqlite");
    let clock = Clock::system();
    let mut before = cpu_seconds();
    for name in ["from empty", "nothing new"] {
        let database = Database::open(&path, Access::ReadWrite).expect("a database");
        let mut fetching = FetchConfig::new(folder.path());
        let mirror = format!("file://{}", feeds.display());
        fetching.mirror = Some(Mirror::parse(&mirror).expect("a mirror"));
        let client = Client::try_new(fetching, clock.clone()).expect("a client");
        let states = database.parts().expect("parts");
        let planned = plan(pratique_feeds::sources(), &Selection::All, &states, None, clock.now());
        let round = Round::new(RoundConfig::default(), client, clock.clone());
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let store = Store::file(&path);
        let outcomes = runtime.block_on(round.run(&store, planned)).expect("a round");
        let failed = outcomes
            .iter()
            .filter(|outcome| matches!(outcome.result, PartResult::Failed { .. }))
            .count();
        let entries: u64 = database.parts().expect("parts").iter().map(|part| part.entries).sum();
        drop(database);
        let size = std::fs::metadata(&path).expect("a file").len();
        let now = cpu_seconds();
        let (cpu, peak, size) = (now - before, peak_kib() / 1024, size as f64 / 1e6);
        println!("{name}: {entries} entries, {failed} parts failed");
        println!("{name}: {cpu:.2} CPU s, {peak} MB of memory at most, {size:.1} MB on disk");
        before = now;
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
