//! A watcher that runs over a scripted runtime, for the benchmarks.

#![allow(dead_code, reason = "each of its users uses another part of it")]

#[path = "../../tests/scripted/mod.rs"]
pub(crate) mod scripted;

use std::time::Duration;

use pratique_clockwork::{Bell, Clock, Shutdown};
use pratique_store::{Access, Database, Store};
use pratique_watch::{Config, Error, Health, Metrics, Watcher};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use scripted::Scripted;

/// The namespace of all containers.
pub(crate) const NS: &str = "default";

/// How many things happen in the runtime before the watcher gets its turn.
pub(crate) const TURN: u32 = 50;

/// A watcher that runs.
pub(crate) struct Bed {
    pub(crate) runtime: Scripted,
    folder: TempDir,
    shutdown: Shutdown,
    running: JoinHandle<Result<(), Error>>,
}

impl Bed {
    pub(crate) async fn start(runtime: Scripted) -> Self {
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

    pub(crate) fn database(&self) -> Database {
        let store = Store::file(&self.folder.path().join("node.db"));
        store.open(Access::ReadOnly).expect("a store")
    }

    pub(crate) async fn until(&self, is_so: impl Fn(&Database) -> bool) {
        let database = self.database();
        while !is_so(&database) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Runs so many containers, and waits until their creations and starts are written and
    /// somebody waits for the end of each.
    pub(crate) async fn run_containers(&self, count: u32) {
        for number in 0..count {
            self.runtime.run(NS, &id(number), number + 1);
            if number % TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
        let all = u64::from(count) * 2;
        self.until(|database| database.last_notice().expect("an answer") >= all).await;
        while self.runtime.wait_count() < count as usize {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn stop(self) {
        self.shutdown.trigger();
        self.running.await.expect("no panic").expect("no error");
    }
}

/// An id as long as those that nodes give.
pub(crate) fn id(number: u32) -> String {
    format!("{number:064x}")
}
