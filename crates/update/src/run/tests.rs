//! Rounds over small feeds in a folder: what each part comes to, whatever the others do.

use std::collections::BTreeSet;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;

use pratique_feeds::{
    Container, Coverage, Document, FeedError, Parser, Part, Sink, Source, SourceKind, Summary,
};
use pratique_fetch::{Config as FetchConfig, Mirror};
use pratique_model::{Advisory, Affected, Ecosystem, Note, Release, Status};
use pratique_store::{Access, Database};

use super::*;
use crate::{Selection, plan};

/// A source whose parts are text files: a line names an advisory; `bad` cannot be read, `fail`
/// spoils the file, `panic` the parser, `wait` makes it wait until it is told to go on.
struct Lines {
    parts: &'static [&'static str],
    version: u32,
    gate: Option<std::sync::Mutex<mpsc::Receiver<()>>>,
    /// How many files are being read now, and how many were at once at most.
    readers: AtomicUsize,
    readers_max: AtomicUsize,
}

impl Lines {
    fn new(parts: &'static [&'static str]) -> Self {
        let (readers, readers_max) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { parts, version: 1, gate: None, readers, readers_max }
    }
}

struct LinesParser {
    source: &'static Lines,
}

impl Source for &'static Lines {
    fn name(&self) -> &'static str {
        "lines"
    }

    fn kind(&self) -> SourceKind {
        SourceKind::Vulnerability
    }

    fn parts(&self, _year: u16) -> Vec<Part> {
        let document = |name: &str, optional| Document {
            url: format!("https://feeds.example/{name}.txt"),
            container: Container::Plain,
            optional,
        };
        let part = |name: &&str| Part {
            id: PartId::new("lines", name),
            documents: vec![document(name, false), document(&format!("{name}-more"), true)],
            covers: Coverage::Release(Release::new("alpine", name)),
            parser_version: self.version,
        };
        self.parts.iter().map(part).collect()
    }

    fn parser(&self, _part: &PartId) -> Box<dyn Parser> {
        Box::new(LinesParser { source: self })
    }
}

impl Parser for LinesParser {
    fn file(
        &mut self,
        path: &str,
        content: &mut dyn BufRead,
        sink: &mut dyn Sink,
    ) -> Result<(), FeedError> {
        let readers = self.source.readers.fetch_add(1, Ordering::SeqCst) + 1;
        self.source.readers_max.fetch_max(readers, Ordering::SeqCst);
        let result = self.lines(path, content, sink);
        self.source.readers.fetch_sub(1, Ordering::SeqCst);
        result
    }

    fn finish(&mut self, _sink: &mut dyn Sink) -> Result<Summary, FeedError> {
        Ok(Summary::default())
    }
}

impl LinesParser {
    fn lines(
        &self,
        path: &str,
        content: &mut dyn BufRead,
        sink: &mut dyn Sink,
    ) -> Result<(), FeedError> {
        for line in content.lines() {
            let line = line.map_err(|source| FeedError::Read { path: path.to_owned(), source })?;
            match &*line {
                "bad" => {
                    sink.quarantine(Note { subject: line, text: "cannot be read".to_owned() });
                }
                "fail" => {
                    let problem = "nonsense".to_owned();
                    return Err(FeedError::Form { path: path.to_owned(), problem });
                }
                "panic" => panic!("a parser's own fault"),
                "wait" => {
                    let gate = self.source.gate.as_ref().expect("a gate");
                    let _ = gate.lock().expect("no panic").recv();
                }
                id => {
                    let release = Some(Release::new("alpine", "1"));
                    let status = Status::Affected;
                    let affected = vec![Affected::new(Ecosystem::Apk, release, "a", status)];
                    let id = id.to_owned();
                    sink.advisory(Advisory { id, affected, ..Advisory::default() });
                }
            }
        }
        Ok(())
    }
}

/// A database, and a folder of feeds beside it.
struct Bench {
    folder: TempDir,
    source: &'static Lines,
    clock: Clock,
}

impl Bench {
    fn new(parts: &'static [&'static str]) -> Self {
        let source = Box::leak(Box::new(Lines::new(parts)));
        let clock = Clock::manual("2026-09-01T00:00:00Z".parse().expect("a time"));
        Self { folder: tempfile::tempdir().expect("a folder"), source, clock }
    }

    fn publish(&self, name: &str, lines: &[&str]) {
        let folder = self.folder.path().join("feeds.example");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join(format!("{name}.txt")), lines.join("\n")).expect("written");
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("db.sqlite")
    }

    fn client(&self) -> Client {
        let mut config = FetchConfig::new(self.folder.path());
        let mirror = format!("file://{}", self.folder.path().display());
        config.mirror = Some(Mirror::parse(&mirror).expect("a mirror"));
        Client::try_new(config, self.clock.clone()).expect("a client")
    }

    fn planned(&self, database: &Database) -> Vec<PlannedPart> {
        let source: &'static dyn Source = Box::leak(Box::new(self.source));
        let states = database.parts().expect("parts");
        plan(&[source], &Selection::All, &states, None, self.clock.now())
    }

    fn store(&self) -> Store {
        Store::file(&self.database())
    }

    fn open(&self) -> Database {
        self.store().open(Access::ReadWrite).expect("a database")
    }

    fn round(&self, config: RoundConfig) -> Vec<PartOutcome> {
        let planned = self.planned(&self.open());
        let round = Round::new(config, self.client(), self.clock.clone());
        runtime().block_on(round.run(&self.store(), planned)).expect("a round")
    }

    /// Runs a round and compares what each part came to, by the part's name.
    #[track_caller]
    fn check(&self, expected: &[(&str, &str)]) {
        self.check_with(RoundConfig::default(), expected);
    }

    #[track_caller]
    fn check_with(&self, config: RoundConfig, expected: &[(&str, &str)]) {
        let found: BTreeSet<(String, String)> = self
            .round(config)
            .iter()
            .map(|outcome| (outcome.part.part().to_owned(), words(&outcome.result)))
            .collect();
        let expected: BTreeSet<(String, String)> =
            expected.iter().map(|(part, word)| ((*part).to_owned(), (*word).to_owned())).collect();
        assert_eq!(found, expected);
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime")
}

/// A result as a test writes it: `+2 ~0 -1`, `=`, `absent`, or the error.
fn words(result: &PartResult) -> String {
    match result {
        PartResult::Changed(applied) => {
            format!("+{} ~{} -{}", applied.new, applied.changed, applied.withdrawn)
        }
        PartResult::Unchanged { .. } => "=".to_owned(),
        PartResult::Absent => "absent".to_owned(),
        PartResult::Failed { error, .. } => error.clone(),
        PartResult::Cancelled => "cancelled".to_owned(),
    }
}

#[test]
fn one_part_fails_and_the_others_load() {
    let bench = Bench::new(&["good", "bad", "worse", "none", "other"]);
    bench.publish("good", &["A-1", "A-2"]);
    bench.publish("bad", &["B-1", "fail"]);
    bench.publish("worse", &["panic"]);
    bench.publish("other", &["C-1", "bad"]);
    bench.check(&[
        ("good", "+2 ~0 -0"),
        ("bad", "bad.txt: nonsense"),
        ("worse", "the parser gave up on what it read: a parser's own fault"),
        ("none", "absent"),
        ("other", "+1 ~0 -0"),
    ]);
    let database = Database::open(&bench.database(), Access::ReadOnly).expect("a database");
    let state = |name| database.part(&PartId::new("lines", name)).expect("an answer");
    let bad = state("bad").expect("noted");
    assert_eq!(bad.last_error.as_deref(), Some("bad.txt: nonsense"));
    assert!(!bad.is_loaded());
    assert!(state("none").expect("noted").is_absent);
    assert_eq!(state("other").expect("noted").quarantined, 1);
    assert!(database.covers(&Release::new("alpine", "good")).expect("an answer"));
    assert!(!database.covers(&Release::new("alpine", "bad")).expect("an answer"));
}

#[test]
fn a_second_round_reads_only_what_changed() {
    let bench = Bench::new(&["one", "two"]);
    bench.publish("one", &["A-1"]);
    bench.publish("two", &["B-1", "B-2"]);
    bench.check(&[("one", "+1 ~0 -0"), ("two", "+2 ~0 -0")]);
    bench.publish("two", &["B-2", "B-3"]);
    let outcomes = bench.round(RoundConfig::default());
    let fetched = |name: &str| {
        outcomes.iter().find(|outcome| outcome.part.part() == name).map(|found| found.fetched_bytes)
    };
    assert_eq!((fetched("one"), fetched("two")), (Some(0), Some(7)));
    bench.check(&[("one", "="), ("two", "=")]);
}

#[test]
fn a_document_that_appears_is_read_together_with_the_one_that_did_not_change() {
    let bench = Bench::new(&["one"]);
    bench.publish("one", &["A-1"]);
    bench.check(&[("one", "+1 ~0 -0")]);
    bench.publish("one-more", &["A-2"]);
    bench.check(&[("one", "+1 ~0 -0")]);
    bench.check(&[("one", "=")]);
    bench.publish("one", &["A-1", "A-3"]);
    bench.check(&[("one", "+1 ~0 -0")]);
}

#[test]
fn a_new_parser_reads_again_what_did_not_change() {
    let mut bench = Bench::new(&["one"]);
    bench.publish("one", &["A-1"]);
    bench.check(&[("one", "+1 ~0 -0")]);
    bench.source = Box::leak(Box::new(Lines { version: 2, ..Lines::new(&["one"]) }));
    let outcomes = bench.round(RoundConfig::default());
    assert!(outcomes[0].fetched_bytes > 0, "{outcomes:?}");
    assert_eq!(words(&outcomes[0].result), "=");
    let outcomes = bench.round(RoundConfig::default());
    assert_eq!(outcomes[0].fetched_bytes, 0, "{outcomes:?}");
}

#[test]
fn force_takes_a_feed_that_shrank() {
    let bench = Bench::new(&["one"]);
    bench.publish("one", &["A-1", "A-2", "A-3", "A-4", "A-5", "A-6"]);
    bench.check(&[("one", "+6 ~0 -0")]);
    bench.publish("one", &["A-1"]);
    bench.check(&[("one", "lines/one: 1 entries where there were 6; the old data is kept")]);
    bench.check_with(RoundConfig { force: true, ..RoundConfig::default() }, &[("one", "+0 ~0 -5")]);
}

#[test]
fn parts_are_taken_in_the_order_of_the_plan_two_of_a_host_at_once() {
    let bench = Bench::new(&["one", "two", "three"]);
    let planned = bench.planned(&bench.open());
    let mut pending: Vec<(usize, PlannedPart)> = planned.into_iter().enumerate().collect();
    let mut hosts = Hosts::default();
    let mut next = || {
        let (index, planned, permit) = take(&mut hosts, &mut pending)?;
        Some((index, planned.part.id.part().to_owned(), permit))
    };
    let (index, name, first) = next().expect("a part");
    assert_eq!((index, &*name), (0, "one"));
    let (index, name, _second) = next().expect("a part");
    assert_eq!((index, &*name), (1, "two"));
    assert!(next().is_none(), "their host is asked for two already");
    drop(first);
    let (index, name, _third) = next().expect("a part");
    assert_eq!((index, &*name), (2, "three"));
}

#[test]
fn a_round_with_one_job_reads_one_part_at_a_time_and_answers_in_the_order_of_the_plan() {
    let names = &["one", "two", "three", "four", "five", "six"];
    let bench = Bench::new(names);
    let ids: Vec<String> = (0..2_000).map(|number| format!("A-{number}")).collect();
    let lines: Vec<&str> = ids.iter().map(String::as_str).collect();
    for name in names {
        bench.publish(name, &lines);
    }
    let outcomes = bench.round(RoundConfig { jobs: 1, ..RoundConfig::default() });
    let found: Vec<(&str, String)> =
        outcomes.iter().map(|it| (it.part.part(), words(&it.result))).collect();
    let expected = names.map(|name| (name, "+2000 ~0 -0".to_owned()));
    assert_eq!(found, expected);
    assert_eq!(bench.source.readers_max.load(Ordering::SeqCst), 1);
}

#[test]
fn a_round_that_is_given_up_writes_nothing_and_lets_go_of_the_database() {
    let mut bench = Bench::new(&["one"]);
    let (open, gate) = mpsc::channel();
    let gate = Some(std::sync::Mutex::new(gate));
    bench.source = Box::leak(Box::new(Lines { gate, ..Lines::new(&["one"]) }));
    bench.publish("one", &["A-1", "wait", "A-2"]);
    let planned = bench.planned(&bench.open());
    let (parsing, is_parsing) = tokio::sync::oneshot::channel();
    let parsing = std::sync::Mutex::new(Some(parsing));
    let round = Round::new(RoundConfig::default(), bench.client(), bench.clock.clone());
    let round = round.with_progress(move |now| {
        if let (Progress::Parsing(_), Some(parsing)) = (now, parsing.lock().expect("ok").take()) {
            let _ = parsing.send(());
        }
    });
    let (runtime, store) = (runtime(), bench.store());
    runtime.block_on(async {
        tokio::select! {
            _ = round.run(&store, planned) => panic!("the parser waits, so nothing is done"),
            _ = is_parsing => {}
        }
    });
    open.send(()).expect("the parser waits");
    runtime.shutdown_timeout(Duration::from_secs(60));
    let database = bench.open();
    assert_eq!(database.parts().expect("parts"), []);
    assert_eq!(files(bench.folder.path()), ["db.sqlite", "db.sqlite.lock", "one.txt"]);
}

/// The names of all files below a folder but those that an open database makes.
fn files(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type().expect("a type").is_dir() {
            names.extend(files(&entry.path()));
        } else if !name.ends_with("-wal") && !name.ends_with("-shm") {
            names.push(name);
        }
    }
    names.sort();
    names
}

#[test]
fn a_round_that_is_told_to_stop_gives_its_leases_back_and_says_what_it_gave_up() {
    let mut bench = Bench::new(&["one", "two"]);
    let (open, gate) = mpsc::channel();
    let gate = Some(std::sync::Mutex::new(gate));
    bench.source = Box::leak(Box::new(Lines { gate, ..Lines::new(&["one", "two"]) }));
    bench.publish("one", &["A-1", "wait", "A-2"]);
    bench.publish("two", &["A-1", "wait", "A-2"]);
    let planned = bench.planned(&bench.open());
    let shutdown = Shutdown::new();
    let (stop, count) = (shutdown.clone(), AtomicUsize::new(0));
    let config = RoundConfig { jobs: 2, ..RoundConfig::default() };
    let round = Round::new(config, bench.client(), bench.clock.clone())
        .with_shutdown(&shutdown)
        .with_progress(move |now| {
            let is_parsing = matches!(now, Progress::Parsing(_));
            if is_parsing && count.fetch_add(1, Ordering::Relaxed) == 1 {
                stop.trigger();
                open.send(()).and_then(|()| open.send(())).expect("the parsers wait");
            }
        });
    let outcomes = runtime().block_on(round.run(&bench.store(), planned)).expect("a round");
    let results: Vec<String> = outcomes.iter().map(|outcome| words(&outcome.result)).collect();
    assert_eq!(results, ["cancelled", "cancelled"]);
    let database = bench.open();
    assert_eq!(database.leases().expect("an answer"), []);
    assert_eq!(database.parts().expect("an answer"), [], "stopping is no failure");
}

#[test]
fn a_round_waits_for_the_process_that_updates_a_part_and_takes_its_work() {
    use pratique_store::Acquisition;
    let bench = Bench::new(&["one"]);
    bench.publish("one", &["A-1"]);
    let mut database = bench.open();
    let (other, ttl) = (Owner::draw(), Duration::from_secs(60));
    let lease = match database.acquire_lease("part/lines/one", &other, ttl).expect("an answer") {
        Acquisition::Acquired(lease) => lease,
        held => panic!("free before: {held:?}"),
    };
    let planned = bench.planned(&database);
    let (waiting, is_waiting) = mpsc::channel();
    let round = Round::new(RoundConfig::default(), bench.client(), bench.clock.clone())
        .with_progress(move |now| {
            if let Progress::Elsewhere(_, owner) = now {
                waiting.send(owner).expect("the test waits");
            }
        });
    let store = bench.store();
    let outcomes = std::thread::scope(|scope| {
        let round = scope.spawn(move || runtime().block_on(round.run(&store, planned)));
        let owner = is_waiting.recv().expect("it waits");
        assert_eq!(owner, other.as_str());
        let part = PartId::new("lines", "one");
        let now = bench.clock.now();
        database.touch_unchanged(&part, now, Some(&lease)).expect("written");
        assert!(database.release_lease(&lease).expect("an answer"));
        round.join().expect("no panic").expect("a round")
    });
    assert_eq!(words(&outcomes[0].result), "=");
    assert_eq!(outcomes[0].fetched_bytes, 0, "the other has done it");
}
