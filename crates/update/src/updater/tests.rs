//! The room over small feeds of a server on the loopback, with real time and short intervals.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::task::JoinHandle;

use pratique_clockwork::lease::LeaseTimes;
use pratique_fetch::{Config as FetchConfig, Mirror};
use pratique_store::{Access, Acquisition, Database};
use pratique_testkit::{FeedServer, ScriptedAnswer};

use super::*;
use crate::{RoundConfig, Selection};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

const KEV: &str = "/www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json";
const WOLFI: &str = "/packages.wolfi.dev/os/security.json";

/// A folder of feeds, a server over it, and a database.
struct Bench {
    folder: TempDir,
    server: FeedServer,
    /// The PostgreSQL database that is used instead of a file.
    server_url: Option<String>,
}

/// An updater at work.
struct Working {
    shutdown: Shutdown,
    work: JoinHandle<Result<(), Error>>,
    requests: Requests,
    bell: Bell,
    metrics: Metrics,
    leases: LeaseMetrics,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let server = FeedServer::start(folder.path().join("feeds"));
        let bench = Self { folder, server, server_url: None };
        bench.publish(KEV, &kev(&["CVE-2024-0001"]));
        bench.publish(WOLFI, &wolfi(&["CVE-2024-0001"]));
        bench
    }

    fn publish(&self, path: &str, text: &str) {
        let path = self.folder.path().join("feeds").join(&path[1..]);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        let new = path.with_extension("new");
        std::fs::write(&new, text).expect("written");
        std::fs::rename(new, path).expect("renamed");
    }

    fn store(&self) -> Store {
        self.server_url.as_ref().map_or_else(
            || Store::file(&self.database()),
            |url| Store::parse(url).expect("an address"),
        )
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("db.sqlite")
    }

    fn open(&self) -> Database {
        self.store().open(Access::ReadWrite).expect("a database")
    }

    fn config(interval: Duration) -> Config {
        let [ttl, every, after] = [3000, 500, 1500].map(Duration::from_millis);
        let lease_times = LeaseTimes::try_new(ttl, every, after).expect("in order");
        let names = ["kev".to_owned(), "wolfi".to_owned()];
        Config {
            interval: Some(interval),
            selection: Selection::Named(names.into()),
            round: RoundConfig { lease_times, ..RoundConfig::default() },
            ..Config::default()
        }
    }

    fn client(&self, spool: &Path) -> Client {
        let mut config = FetchConfig::new(spool);
        config.mirror = Some(Mirror::parse(&self.server.url("")).expect("a mirror"));
        config.loopback_only = true;
        config.attempts_max = 1;
        Client::try_new(config, Clock::system()).expect("a client")
    }

    fn start(&self, config: Config) -> Working {
        let spool = self.folder.path().join("spool");
        let links = Links {
            store: self.store(),
            client: self.client(&spool),
            clock: Clock::system(),
            owner: Owner::draw(),
            metrics: Metrics::default(),
            lease_metrics: LeaseMetrics::default(),
            bell: Bell::new(),
            requests: Requests::new(),
            sources: pratique_feeds::sources(),
        };
        let shutdown = Shutdown::new();
        Working {
            requests: links.requests.clone(),
            bell: links.bell.clone(),
            metrics: links.metrics.clone(),
            leases: links.lease_metrics.clone(),
            work: tokio::spawn(Updater::new(config, links).run(shutdown.clone())),
            shutdown,
        }
    }

    fn asked(&self, path: &str) -> usize {
        self.server.requests().iter().filter(|request| request.path == path).count()
    }
}

impl Working {
    async fn stop(self) {
        self.shutdown.trigger();
        let ended = tokio::time::timeout(PATIENCE, self.work).await.expect("it stops");
        ended.expect("no panic").expect("no error");
    }
}

fn kev(ids: &[&str]) -> String {
    let entry = |id: &&str| format!(r#"{{"cveID": "{id}", "dateAdded": "2024-01-01"}}"#);
    let entries: Vec<String> = ids.iter().map(entry).collect();
    let entries = entries.join(",");
    format!(r#"{{"dateReleased": "2026-08-07T16:45:47Z", "vulnerabilities": [{entries}]}}"#)
}

fn wolfi(ids: &[&str]) -> String {
    let fixed: Vec<String> = ids.iter().map(|id| format!("{id:?}")).collect();
    let fixed = fixed.join(",");
    format!(r#"{{"packages": [{{"pkg": {{"name": "a", "secfixes": {{"1-r1": [{fixed}]}}}}}}]}}"#)
}

/// Waits until something holds.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

fn generation(database: &Database, part: &str) -> u64 {
    let state = database.part(&PartId::new(part, part)).expect("an answer");
    state.map_or(0, |state| state.generation)
}

fn exposed(metrics: &Metrics) -> String {
    let mut registry = prometheus_client::registry::Registry::default();
    metrics.register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).expect("written");
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_are_loaded_and_what_changes_is_noticed_within_the_interval() {
    let bench = Bench::new();
    let working = bench.start(Bench::config(Duration::from_secs(1)));
    let mut rung = working.bell.listen();
    let database = bench.open();
    until("loaded", || generation(&database, "kev") == 1 && generation(&database, "wolfi") == 1)
        .await;
    rung.rung().await;
    bench.publish(WOLFI, &wolfi(&["CVE-2024-0001", "CVE-2024-0002"]));
    until("noticed", || generation(&database, "wolfi") == 2).await;
    assert_eq!(generation(&database, "kev"), 1);
    for series in ["entries{source=\"wolfi\",part=\"wolfi\"} 2", "kind=\"new\"} 1"] {
        until(series, || exposed(&working.metrics).contains(series)).await;
    }
    working.stop().await;
    assert_eq!(bench.open().leases().expect("an answer"), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_is_answered_before_the_interval_is_over() {
    let bench = Bench::new();
    let working = bench.start(Bench::config(Duration::from_hours(1)));
    let database = bench.open();
    until("loaded", || generation(&database, "kev") == 1 && generation(&database, "wolfi") == 1)
        .await;
    bench.publish(KEV, &kev(&["CVE-2024-0001", "CVE-2024-0002"]));
    // A wish that comes while the first run is about to end joins it; so it is repeated.
    until("asked again", || {
        working.requests.ask(Selection::Named(["kev".to_owned()].into()));
        generation(&database, "kev") == 2
    })
    .await;
    assert_eq!(bench.asked(WOLFI), 1, "nobody wished for it");
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_asks_only_for_what_is_due() {
    let bench = Bench::new();
    let working = bench.start(Bench::config(Duration::from_hours(1)));
    let database = bench.open();
    until("loaded", || generation(&database, "kev") == 1 && generation(&database, "wolfi") == 1)
        .await;
    working.stop().await;
    let mut config = Bench::config(Duration::from_hours(1));
    config.intervals.insert("wolfi".to_owned(), Duration::from_secs(1));
    let working = bench.start(config);
    until("asked again", || bench.asked(WOLFI) > 2).await;
    assert_eq!(bench.asked(KEV), 1);
    working.stop().await;
}

/// Five updaters over one store: each part is asked for once in its interval.
async fn check_shared_work(bench: Bench) {
    let mut config = Bench::config(Duration::from_hours(1));
    // A short lease is lost on a busy machine, and its work is done again.
    config.round.lease_times = LeaseTimes::default();
    let all = [(); 5].map(|()| bench.start(config.clone()));
    let mut runs = Vec::new();
    for working in all {
        for part in ["kev", "wolfi"] {
            let series = format!("updater_entries{{source=\"{part}\",part=\"{part}\"}} 1");
            until("it knows", || exposed(&working.metrics).contains(&series)).await;
        }
        assert_eq!(working.leases.lost_count(), 0);
        let text = exposed(&working.metrics);
        let own = text.lines().filter(|line| line.starts_with("pratique_updater_runs_total{"));
        runs.extend(own.map(str::to_owned));
        working.stop().await;
    }
    assert_eq!((bench.asked(KEV), bench.asked(WOLFI)), (1, 1), "{runs:?}");
    let leases = tokio::task::spawn_blocking(move || bench.open().leases());
    assert_eq!(leases.await.expect("no panic").expect("an answer"), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn updaters_of_one_file_share_the_work() {
    check_shared_work(Bench::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn updaters_of_one_server_share_the_work() {
    let made = tokio::task::spawn_blocking(|| {
        pratique_testkit::postgres::fresh_database(|url| {
            let store = Store::parse(url).expect("an address");
            store.open(Access::ReadWrite).expect("a schema");
        })
    });
    let Some(server) = made.await.expect("no panic") else { return };
    let mut bench = Bench::new();
    bench.server_url = Some(server.url());
    check_shared_work(bench).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_held_elsewhere_is_done_when_its_holder_is_gone() {
    let bench = Bench::new();
    let database = bench.open();
    let dead = Owner::draw();
    let ttl = Duration::from_secs(2);
    let held = database.acquire_lease("part/kev", &dead, ttl).expect("an answer");
    assert!(matches!(held, Acquisition::Acquired(_)));
    let working = bench.start(Bench::config(Duration::from_hours(1)));
    until("the other is loaded", || generation(&database, "wolfi") == 1).await;
    until("loaded after the expiry", || generation(&database, "kev") == 1).await;
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stalls_holds_up_neither_others_nor_the_stop() {
    use pratique_testkit::ScriptedAnswer;
    let bench = Bench::new();
    bench.server.script(KEV, ScriptedAnswer::Stall(10));
    let working = bench.start(Bench::config(Duration::from_hours(1)));
    let database = bench.open();
    until("the other is loaded", || generation(&database, "wolfi") == 1).await;
    until("it stalls", || bench.asked(KEV) == 1).await;
    let began_at = tokio::time::Instant::now();
    working.stop().await;
    assert!(began_at.elapsed() < Duration::from_secs(15), "{:?}", began_at.elapsed());
    assert_eq!(generation(&database, "kev"), 0);
    assert_eq!(database.leases().expect("an answer"), [], "its lease was given back");
    let state = database.part(&PartId::new("kev", "kev")).expect("an answer");
    assert_eq!(state.and_then(|state| state.last_error), None, "stopping is no failure");
    let spooled = std::fs::read_dir(bench.folder.path().join("spool")).expect("a folder").count();
    assert_eq!(spooled, 0, "nothing is left behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_lease_ends_the_download_and_is_counted_once() {
    use pratique_testkit::ScriptedAnswer;
    let bench = Bench::new();
    bench.server.script(KEV, ScriptedAnswer::Stall(10));
    let working = bench.start(Bench::config(Duration::from_hours(1)));
    let database = bench.open();
    until("it stalls", || bench.asked(KEV) == 1).await;
    let find = |database: &Database| {
        database.leases().expect("leases").into_iter().find(|lease| lease.name == "part/kev")
    };
    let lease = find(&database).expect("held");
    // Somebody takes it over, as if it had expired while this process was stopped.
    assert!(database.release_lease(&lease).expect("an answer"));
    let other = Owner::draw();
    let taken = database.acquire_lease("part/kev", &other, Duration::from_secs(4));
    assert!(matches!(taken.expect("an answer"), Acquisition::Acquired(_)));
    until("counted", || working.leases.lost_count() == 1).await;
    until("tried again after the other is gone", || generation(&database, "kev") == 1).await;
    assert_eq!(working.leases.lost_count(), 1);
    assert!(exposed(&working.metrics).contains("result=\"cancelled\"} 1"));
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_source_is_tried_again_and_others_go_on() {
    use pratique_testkit::ScriptedAnswer;
    let bench = Bench::new();
    let failing = ScriptedAnswer::Status(503, vec![("Retry-After", "1".to_owned())]);
    bench.server.script(KEV, failing);
    let working = bench.start(Bench::config(Duration::from_secs(1)));
    let database = bench.open();
    until("the other is loaded", || generation(&database, "wolfi") == 1).await;
    until("loaded at last", || generation(&database, "kev") == 1).await;
    assert!(exposed(&working.metrics).contains("errors_total{source=\"kev\"} 1"));
    working.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_be_reached_is_waited_for() {
    let bench = Bench::new();
    std::fs::create_dir(bench.database()).expect("a folder where the file should be");
    let working = bench.start(Bench::config(Duration::from_hours(1)));
    until("counted", || exposed(&working.metrics).contains("store_unreachable_total 1")).await;
    std::fs::remove_dir(bench.database()).expect("removed");
    until("loaded", || bench.database().exists() && generation(&bench.open(), "kev") == 1).await;
    working.stop().await;
}

const PYPI: &str = "/osv-vulnerabilities.storage.googleapis.com/PyPI";

/// A record of osv.dev about a package of PyPI.
fn record(id: &str, hour: u32) -> String {
    format!(
        r#"{{"id": "{id}", "modified": "2026-09-01T{hour:02}:00:00Z", "affected": [{{
            "package": {{"ecosystem": "PyPI", "name": "a"}},
            "ranges": [{{"type": "ECOSYSTEM", "events": [{{"introduced": "0"}}]}}]}}]}}"#
    )
}

/// A zip of records.
fn zipped(records: &[(&str, u32)]) -> Vec<u8> {
    use std::io::Write as _;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (id, hour) in records {
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file(format!("{id}.json"), options).expect("begun");
        zip.write_all(record(id, *hour).as_bytes()).expect("written");
    }
    zip.finish().expect("ended").into_inner()
}

fn list(records: &[(&str, u32)]) -> String {
    let row = |(id, hour): &(&str, u32)| format!("2026-09-01T{hour:02}:00:00Z,{id}\n");
    records.iter().map(row).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_new_entries_saves_the_download_of_the_whole() {
    let bench = Bench::new();
    let (zip, csv) = (format!("{PYPI}/all.zip"), format!("{PYPI}/modified_id.csv"));
    let old = [("GHSA-b", 3), ("GHSA-a", 1)];
    bench.publish(&csv, &list(&old));
    let place = bench.folder.path().join("feeds").join(&zip[1..]);
    std::fs::write(&place, zipped(&old)).expect("written");
    let mut config = Bench::config(Duration::from_secs(1));
    config.selection = Selection::Named(["osv/PyPI".to_owned()].into());
    let working = bench.start(config);
    let database = bench.open();
    let state = |database: &Database| {
        let part = PartId::new("osv", "PyPI");
        database.part(&part).expect("an answer").map(|it| (it.generation, it.entries))
    };
    until("loaded", || state(&database) == Some((1, 2))).await;
    // The zip changes with every new record upstream; it must not be asked for.
    std::fs::write(&place, zipped(&[("GHSA-z", 9)])).expect("written");
    bench.publish(&format!("{PYPI}/GHSA-b.json"), &record("GHSA-b", 3));
    bench.publish(&format!("{PYPI}/GHSA-c.json"), &record("GHSA-c", 5));
    bench.publish(&csv, &list(&[("GHSA-c", 5), ("GHSA-b", 3), ("GHSA-a", 1)]));
    until("noticed", || state(&database) == Some((2, 3))).await;
    let asked = bench.asked(&csv);
    until("nothing new again", || bench.asked(&csv) > asked + 1).await;
    assert_eq!(state(&database), Some((2, 3)));
    assert_eq!((bench.asked(&zip), bench.asked(&format!("{PYPI}/GHSA-c.json"))), (1, 1));
    // A record that cannot be had by itself: the whole tells.
    bench.publish(&csv, &list(&[("GHSA-z", 9)]));
    std::fs::write(&place, zipped(&[("GHSA-c", 5), ("GHSA-b", 3), ("GHSA-z", 9)])).expect("ok");
    until("the whole is read", || state(&database) == Some((3, 3))).await;
    working.stop().await;
}

/// Goal: two hundred entries at a fifth of a second each must not take most of a minute.
#[tokio::test(flavor = "multi_thread")]
async fn new_entries_are_fetched_side_by_side_and_not_all_at_once() {
    let bench = Bench::new();
    let (zip, csv) = (format!("{PYPI}/all.zip"), format!("{PYPI}/modified_id.csv"));
    bench.publish(&csv, &list(&[("GHSA-a", 1)]));
    let place = bench.folder.path().join("feeds").join(&zip[1..]);
    std::fs::write(&place, zipped(&[("GHSA-a", 1)])).expect("written");
    let mut config = Bench::config(Duration::from_secs(1));
    config.selection = Selection::Named(["osv/PyPI".to_owned()].into());
    let working = bench.start(config);
    let (database, part) = (bench.open(), PartId::new("osv", "PyPI"));
    until("loaded", || {
        database.part(&part).expect("an answer").is_some_and(|it| it.generation == 1)
    })
    .await;
    let ids = ["GHSA-h", "GHSA-g", "GHSA-f", "GHSA-e", "GHSA-d", "GHSA-c"];
    let paths = ids.map(|id| format!("{PYPI}/{id}.json"));
    for path in &paths {
        bench.server.script_always(path, ScriptedAnswer::Silence);
    }
    bench.publish(&csv, &list(&ids.map(|id| (id, 5))));
    let asked = || paths.iter().map(|path| bench.asked(path)).sum::<usize>();
    until("four are asked for", || asked() == 4).await;
    bench.server.wait_for_held(4, PATIENCE);
    assert_eq!(asked(), 4, "the others wait for their turn");
    working.stop().await;
}

#[test]
fn settings_that_cannot_be_meant_are_refused() {
    let sources = pratique_feeds::sources();
    let mut config = Config { interval: Some(Duration::from_millis(3)), ..Config::default() };
    assert!(matches!(config.check(sources), Err(ConfigError::Interval { .. })));
    config.interval = Some(Duration::ZERO);
    assert_eq!(config.check(sources), Ok(()));
    config.intervals.insert("debain".to_owned(), Duration::from_mins(5));
    let name = "debain".to_owned();
    assert_eq!(config.check(sources), Err(ConfigError::Source { name }));
    config = Config::default();
    config.intervals.insert("kev".to_owned(), Duration::ZERO);
    let [kev, old, new] = [("kev", "kev"), ("alpine", "v3.19"), ("alpine", "v3.20")]
        .map(|(source, part)| PartId::new(source, part));
    assert_eq!([&kev, &old, &new].map(|part| config.looks_at(part)), [false, true, true]);
    let one_part = Selection::Named(["alpine/v3.20".to_owned()].into());
    config = Config { selection: one_part, ..Config::default() };
    assert_eq!([&kev, &old, &new].map(|part| config.looks_at(part)), [false, false, true]);
}
