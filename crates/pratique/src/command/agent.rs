//! `pratique agent`: what runs on this node and what is in its images.
//!
//! Rooms: the watcher, the indexer, and an HTTP server that reads what they write. They share a
//! store of the node's own; the vulnerability database is another one, which this only reads. The
//! program `watch --manage` is the same with another role of the watcher.

mod api;
mod images;
mod plan;
mod wire;

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use pratique_clockwork::http::{Limits, Server};
use pratique_clockwork::{Backoff, Bell, Clock, Shutdown, Signals, Supervisor, SupervisorMetrics};
use pratique_containerd::Client;
use pratique_scan::indexer::{self, Indexer};
use pratique_store::{Access, Store};
use pratique_watch::{Health, Watcher};
use prometheus_client::registry::Registry;
use tracing::info;

use crate::args::AgentArguments;
use crate::database;
use crate::exit::{Exit, Failure};

use self::api::Api;
use self::images::Images;

pub(crate) use self::plan::Plan;
pub(crate) use self::wire::EventRow;

/// How long stopping may take: handlers that run get 10 s.
const GRACE: Duration = Duration::from_secs(12);

/// How long threads that hang may keep the process from ending after that.
const THREADS_GRACE: Duration = Duration::from_secs(1);

/// How long a room that failed waits before it is made anew; at first, and at most.
const RESTART_WAIT: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];

/// The node's store in the state folder.
const NODE_STORE: &str = "node.db";

/// Runs the command.
pub(crate) fn run(arguments: &AgentArguments) -> Result<Exit, Failure> {
    let settings = arguments.node.database.settings()?;
    follow(&Plan::of(&arguments.node, &settings, &settings.agent)?, &[])
}

/// Follows the runtime until a signal comes; in `managed` namespaces what ended is removed.
pub(crate) fn follow(plan: &Plan, managed: &[String]) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    let result = runtime.block_on(serve(plan, managed));
    runtime.shutdown_timeout(THREADS_GRACE);
    result
}

async fn serve(plan: &Plan, managed: &[String]) -> Result<Exit, Failure> {
    let failed = |error: anyhow::Error| Failure::new(Exit::Failed, error);
    let signals = Signals::try_new().map_err(|error| failed(error.into()))?;
    let node = open_state(plan).await?;
    let server =
        Server::bind(&plan.listen, Limits::default()).await.map_err(|e| failed(e.into()))?;
    let address = server.address();
    let (shutdown, notices, health) = (Shutdown::new(), Bell::new(), Health::new());
    let mut registry = Registry::default();
    let [first, most] = RESTART_WAIT;
    let backoff = Backoff::try_new(first, first, most).expect("in order");
    let metrics = SupervisorMetrics::default();
    metrics.register(&mut registry);
    let mut supervisor = Supervisor::new(shutdown.clone(), backoff, metrics);
    let watcher = watcher(plan, managed, &node, &notices, &health, &mut registry);
    let stop = shutdown.clone();
    supervisor.spawn("watch", move || {
        let (watcher, shutdown) = (watcher.clone(), stop.clone());
        async move { Ok(watcher.run(shutdown).await?) }
    });
    if plan.indexes {
        let indexer = indexer(plan, &node, &notices, &mut registry)?;
        let stop = shutdown.clone();
        supervisor.spawn("index", move || {
            let (indexer, shutdown) = (indexer.clone(), stop.clone());
            async move { Ok(indexer.run(shutdown).await?) }
        });
    }
    let images = Arc::new(Images::new(node.clone(), plan.advisories.clone()));
    let api = Arc::new(Api { node, images, health, registry, notices, shutdown: shutdown.clone() });
    let answers = tokio::spawn(server.run(shutdown.clone(), move |request| {
        let api = Arc::clone(&api);
        async move { api.answer(request).await }
    }));
    tokio::spawn(signals.run(shutdown.clone(), Bell::new()));
    info!(listen.address = %address, "answering at {address}");
    let unfinished = supervisor.run(GRACE).await;
    shutdown.trigger();
    // It has a limit of its own, and nothing to give back.
    let _ = tokio::time::timeout(THREADS_GRACE, answers).await;
    if unfinished.is_empty() {
        info!("stopped");
        return Ok(Exit::Clean);
    }
    Err(failed(anyhow::anyhow!("did not stop in time: {}", unfinished.join(", "))))
}

/// Makes the state folder and the store in it.
async fn open_state(plan: &Plan) -> Result<Store, Failure> {
    let failed = |error: anyhow::Error| Failure::new(Exit::Failed, error);
    let folder = &plan.state_dir;
    std::fs::create_dir_all(folder)
        .with_context(|| format!("making {}", folder.display()))
        .map_err(failed)?;
    if let pratique_clockwork::http::Listen::Unix(socket) = &plan.listen
        && let Some(folder) = socket.parent()
    {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("making {}", folder.display()))
            .map_err(failed)?;
    }
    let store = Store::file(&folder.join(NODE_STORE));
    let opened = store.clone();
    let outcome = tokio::task::spawn_blocking(move || opened.open(Access::ReadWrite).map(drop));
    let outcome = outcome.await.map_err(|error| failed(error.into()))?;
    outcome.map_err(|error| database::failure(error, &store))?;
    Ok(store)
}

fn watcher(
    plan: &Plan,
    managed: &[String],
    node: &Store,
    notices: &Bell,
    health: &Health,
    registry: &mut Registry,
) -> Watcher<Client> {
    let metrics = pratique_watch::Metrics::new();
    metrics.register(registry);
    let config = pratique_watch::Config {
        namespaces: plan.namespaces.clone(),
        manage: managed.to_vec(),
        probe: plan.probes,
        ..pratique_watch::Config::default()
    };
    Watcher {
        runtime: Client::connect(&plan.containerd_address),
        store: node.clone(),
        clock: Clock::system(),
        bell: notices.clone(),
        health: health.clone(),
        config,
        metrics,
    }
}

fn indexer(
    plan: &Plan,
    node: &Store,
    notices: &Bell,
    registry: &mut Registry,
) -> Result<Indexer, Failure> {
    let program = std::env::current_exe()
        .context("finding this program, which reads images in a process of its own")
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    let command: Vec<OsString> = vec![
        program.into(),
        "index-image".into(),
        "--containerd-address".into(),
        plan.containerd_address.clone().into(),
    ];
    let read = |bytes: &[u8]| {
        pratique_report::parse_report(bytes)
            .map_err(|error| format!("{:#}", anyhow::Error::from(error)))
    };
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let metrics = indexer::Metrics::default();
    metrics.register(registry);
    Ok(Indexer {
        store: node.clone(),
        clock: Clock::system(),
        bell: notices.clone(),
        config: indexer::Config::new(command, read, version),
        metrics,
    })
}
