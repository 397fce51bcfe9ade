//! Every default part from the corpus: loaded from empty, then a round with nothing new.

#![allow(clippy::print_stderr, reason = "a skipped test and what was found are said loudly")]

use std::path::PathBuf;

use pratique_clockwork::Clock;
use pratique_fetch::{Client, Config as FetchConfig, Mirror};
use pratique_store::{Access, Database, PartState, Store};
use pratique_update::{PartOutcome, PartResult, Round, RoundConfig, Selection, plan};

/// The feeds of the corpus; `None`, said loudly, when there is no corpus.
fn feeds() -> Option<PathBuf> {
    let corpus = std::env::var_os("PRATIQUE_CORPUS");
    if corpus.is_none() {
        eprintln!("SKIPPED: PRATIQUE_CORPUS is not set, the real feeds are not read");
    }
    corpus.map(|corpus| PathBuf::from(corpus).join("feeds"))
}

/// One round over all default parts.
fn round(database: &Database, feeds: &std::path::Path) -> Vec<PartOutcome> {
    let clock = Clock::manual("2026-09-01T00:00:00Z".parse().expect("a time"));
    let mut fetching = FetchConfig::new(std::env::temp_dir());
    let mirror = format!("file://{}", feeds.display());
    fetching.mirror = Some(Mirror::parse(&mirror).expect("a mirror"));
    let client = Client::try_new(fetching, clock.clone()).expect("a client");
    let states = database.parts().expect("parts");
    let sources = pratique_feeds::sources();
    let planned = plan(sources, &Selection::All, &states, None, clock.now());
    let round = Round::new(RoundConfig::default(), client, clock);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let store = Store::file(database.path().expect("a file"));
    runtime.block_on(round.run(&store, planned)).expect("a round")
}

#[test]
fn every_part_loads_and_a_second_round_changes_nothing() {
    let Some(feeds) = feeds() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("db.sqlite");
    let database = Database::open(&path, Access::ReadWrite).expect("a new database");
    let outcomes = round(&database, &feeds);
    for outcome in &outcomes {
        let is_good = matches!(outcome.result, PartResult::Changed(_) | PartResult::Absent);
        assert!(is_good, "{outcome:?}");
    }
    let first = database.parts().expect("parts");
    let outcomes = round(&database, &feeds);
    for outcome in &outcomes {
        let is_good = matches!(outcome.result, PartResult::Unchanged { .. } | PartResult::Absent);
        assert!(is_good, "{outcome:?}");
    }
    assert_eq!(database.parts().expect("parts"), first);
    let entries: u64 = first.iter().map(|part| part.entries).sum();
    let loaded: Vec<String> = first
        .iter()
        .filter(|part| PartState::is_loaded(part))
        .map(|part| format!("{} {}", part.id, part.entries))
        .collect();
    eprintln!("{entries} entries, {} bytes: {loaded:?}", database.size_bytes().expect("a size"));
    assert!(entries > 40_000, "{entries} entries");
}
