//! What following a runtime costs, over a scripted one: `cargo bench -p pratique-watch`. Prints
//! events a second from stream to store, how soon events of healthy containers are written while
//! others wait and hang, and the memory of many containers. One thread works besides the store's.

#![allow(clippy::print_stdout, reason = "a program for people")]

#[path = "../tests/scripted/mod.rs"]
mod scripted;

use std::path::Path;
use std::time::Duration;

use pratique_clockwork::{Bell, Clock, Shutdown};
use pratique_model::ContainerState;
use pratique_store::{Access, Database, NoticeFilter, Store};
use pratique_watch::{Config, Error, Health, Metrics, Watcher};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use scripted::Scripted;

const NS: &str = "default";

/// A watcher that runs.
struct Bed {
    runtime: Scripted,
    folder: TempDir,
    shutdown: Shutdown,
    running: JoinHandle<Result<(), Error>>,
}

impl Bed {
    async fn start(runtime: Scripted) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (shutdown, config) =
            (Shutdown::new(), Config { stop_grace: Duration::ZERO, ..Config::default() });
        let watcher = Watcher {
            runtime: runtime.clone(),
            store: Store::file(&folder.path().join("node.db")),
            clock: Clock::system(),
            bell: Bell::new(),
            health: Health::new(),
            config,
            metrics: Metrics::new(),
        };
        let running = tokio::spawn(watcher.run(shutdown.clone()));
        while runtime.subscription_count() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Self { runtime, folder, shutdown, running }
    }

    fn database(&self) -> Database {
        let store = Store::file(&self.folder.path().join("node.db"));
        store.open(Access::ReadOnly).expect("a store")
    }

    async fn until(&self, is_so: impl Fn(&Database) -> bool) {
        let database = self.database();
        while !is_so(&database) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn stop(self) {
        self.shutdown.trigger();
        self.running.await.expect("no panic").expect("no error");
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    match std::env::args().skip_while(|argument| argument != "memory").nth(1) {
        Some(count) => runtime.block_on(memory(count.parse().expect("a count"))),
        None => {
            runtime.block_on(throughput());
            runtime.block_on(latency());
            for count in [1_000, 10_000] {
                in_a_process_of_its_own(count);
            }
        }
    }
}

/// 5,000 containers live and end: four events each, all at once.
async fn throughput() {
    const COUNT: u32 = 5_000;
    let bed = Bed::start(Scripted::new()).await;
    let (began_at, cpu) = (Instant::now(), cpu_seconds());
    for number in 0..COUNT {
        let id = format!("{number:064x}");
        bed.runtime.run(NS, &id, number + 1);
        bed.runtime.exit(NS, &id, number % 200);
        bed.runtime.remove(NS, &id);
        if number % 50 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let all = u64::from(COUNT) * 4;
    bed.until(|database| database.last_notice().expect("an answer") >= all).await;
    let (took, cpu) = (began_at.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    // The stream has one event more for each container: its task's removal.
    let events = f64::from(COUNT) * 5.0;
    println!(
        "throughput: {events:.0} events in {took:.2} s and {cpu:.2} CPU s: {:.0} events/s, {:.0} \
         events per CPU second",
        events / took,
        events / cpu
    );
    bed.stop().await;
}

/// 1,000 keys in back-off, 4 handlers that hang, and a healthy container every millisecond.
async fn latency() {
    let bed = Bed::start(Scripted::new()).await;
    for number in 0..1_000 {
        let id = format!("failing-{number}");
        bed.runtime.set_failing(&id, true);
        bed.runtime.create(NS, &id);
    }
    for number in 0..4 {
        let id = format!("hanging-{number}");
        bed.runtime.set_hanging(&id);
        bed.runtime.create(NS, &id);
    }
    let mut lags = Vec::new();
    let database = bed.database();
    for number in 0..1_000 {
        let id = format!("healthy-{number}");
        let began_at = Instant::now();
        bed.runtime.run(NS, &id, number + 1);
        let is_running = |database: &Database| {
            let container = database.container(NS, &id).expect("an answer");
            container.is_some_and(|container| container.state == ContainerState::Running)
        };
        while !is_running(&database) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        lags.push(began_at.elapsed());
    }
    lags.sort_unstable();
    println!(
        "latency of healthy containers, creation and start: median {:.1?}, 99 % within {:.1?}, \
         worst {:.1?}",
        lags[500], lags[990], lags[999]
    );
    bed.stop().await;
}

/// That many running containers; nothing but the watcher and its runtime in this process.
async fn memory(count: u32) {
    let runtime = Scripted::new();
    let bed = Bed::start(runtime).await;
    let before = resident_kib();
    let ids: Vec<String> = (0..count).map(|number| format!("{number:064x}")).collect();
    for (id, number) in ids.iter().zip(0..) {
        bed.runtime.run(NS, id, number + 1);
        if number % 50 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let all = u64::from(count) * 2;
    bed.until(|database| database.last_notice().expect("an answer") >= all).await;
    let scripted = resident_of_a_script(count).await;
    let after = resident_kib();
    println!(
        "memory of {count} containers: {:.1} MiB, {:.2} KiB a container with the scripted \
         runtime's own of {scripted:.2} KiB; {} notices",
        after as f64 / 1024.0,
        (after - before) as f64 / f64::from(count),
        bed.database().notices(&NoticeFilter::default(), usize::MAX).expect("notices").len()
    );
    bed.stop().await;
}

/// What the scripted runtime keeps of a container, in KiB.
async fn resident_of_a_script(count: u32) -> f64 {
    let before = resident_kib();
    let runtime = Scripted::new();
    for number in 0..count {
        runtime.run(NS, &format!("{number:064x}"), number + 1);
    }
    let after = resident_kib();
    drop(runtime);
    after.saturating_sub(before) as f64 / f64::from(count)
}

fn in_a_process_of_its_own(count: u32) {
    let program = std::env::current_exe().expect("this program");
    let arguments = ["memory".to_owned(), count.to_string()];
    let status = std::process::Command::new(program).args(arguments).status();
    assert!(status.expect("started").success());
}

/// User and system time of this process so far, in seconds; Linux counts in hundredths.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string(Path::new("/proc/self/stat")).expect("Linux");
    let fields = text.rsplit_once(") ").expect("a name in parentheses").1;
    let ticks = fields.split(' ').skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

/// The memory this process has now, in KiB.
fn resident_kib() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
