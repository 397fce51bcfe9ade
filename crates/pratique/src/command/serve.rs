//! `pratique serve`: the rooms of a service, and what they have in common.
//!
//! Settings first, then objects: whatever is wrong with them is known before anything is opened.
//! The rooms run under a supervisor; the HTTP server is bound before them, so that an address that
//! cannot be had ends the program instead of a room. A store that cannot be reached is waited for,
//! one that is not ours is an error at once.

mod health;
mod live;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use pratique_clockwork::http::{self, Limits, Server};
use pratique_clockwork::lease::{LeaseMetrics, Owner};
use pratique_clockwork::{Backoff, Bell, Clock, Shutdown, Signals, Supervisor, SupervisorMetrics};
use pratique_matcher::Matcher;
use pratique_store::{Access, Channel, LeaseKeeper, Store};
use pratique_update::{Links, Requests};
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tracing::{info, warn};

use self::health::Health;
use self::live::{Live, LiveUpdater, Reloading};
use self::settings::ServiceSettings;
use crate::args::{Room, ServeArguments};
use crate::database;
use crate::exit::{Exit, Failure};

/// How long stopping may take: 15 s from the signal are promised, and the last part of them is for
/// leases that are given back.
const GRACE: Duration = Duration::from_secs(12);

/// How long threads that hang may keep the process from ending after that.
const THREADS_GRACE: Duration = Duration::from_secs(1);

/// How long a room that failed waits before it is made anew; at first, and at most.
const RESTART_WAIT: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];

/// What the rooms share.
struct House {
    settings: ServiceSettings,
    live: watch::Receiver<Live>,
    owner: Owner,
    shutdown: Shutdown,
    lease_metrics: LeaseMetrics,
    registry: Registry,
    /// Rung when there is something for the matcher.
    changes: Bell,
    /// Rung when there is something to deliver.
    outbox: Bell,
    requests: Requests,
}

/// Runs the command.
pub(crate) fn run(arguments: &ServeArguments) -> Result<Exit, Failure> {
    let settings = ServiceSettings::read(arguments)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    let result = runtime.block_on(serve(arguments.clone(), settings));
    runtime.shutdown_timeout(THREADS_GRACE);
    result
}

async fn serve(arguments: ServeArguments, settings: ServiceSettings) -> Result<Exit, Failure> {
    let failed = |error: anyhow::Error| Failure::new(Exit::Failed, error);
    let signals = Signals::try_new().map_err(|error| failed(error.into()))?;
    let owner = Owner::draw();
    info!(owner.id = %owner, store = %settings.store, "this is {owner}, working on {}", {
        &settings.store
    });
    prepare(&settings.store).await?;
    let server =
        Server::bind(&settings.listen, Limits::default()).await.map_err(|e| failed(e.into()))?;
    let address = server.address();
    let (live, seen) = watch::channel(Live::new(&settings)?);
    let mut house = House {
        settings: settings.clone(),
        live: seen,
        owner,
        shutdown: Shutdown::new(),
        lease_metrics: LeaseMetrics::default(),
        registry: Registry::default(),
        changes: Bell::new(),
        outbox: Bell::new(),
        requests: Requests::new(),
    };
    let supervisor = house.rooms();
    let health = Health::new(settings.store.clone(), house.live.clone(), &mut house.registry);
    let (shutdown, requests) = (house.shutdown.clone(), house.requests.clone());
    let answers = serve_health(server, health, house.registry, shutdown.clone());
    let answers = tokio::spawn(answers);
    let asked = Bell::new();
    let reloading = Reloading { arguments, first: settings, live, requests };
    tokio::spawn(reloading.run(asked.clone()));
    tokio::spawn(signals.run(shutdown.clone(), asked));
    info!(listen.address = %address, "metrics and health at {address}");
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

/// Brings the schema forward, and refuses a database that is not ours. A store that cannot be
/// reached now may be later.
async fn prepare(store: &Store) -> Result<(), Failure> {
    let opened = store.clone();
    let outcome = tokio::task::spawn_blocking(move || opened.open(Access::ReadWrite).map(drop));
    match outcome.await.map_err(|error| Failure::new(Exit::Failed, error))? {
        Ok(()) => Ok(()),
        Err(error) if error.is_transient() => {
            warn!("the store cannot be used yet and is waited for: {error}");
            Ok(())
        }
        Err(error) => Err(database::failure(error, store)),
    }
}

async fn serve_health(server: Server, health: Health, registry: Registry, shutdown: Shutdown) {
    let (health, registry) = (Arc::new(health), Arc::new(registry));
    let answer = move |request: http::Request| {
        let (health, registry) = (Arc::clone(&health), Arc::clone(&registry));
        async move {
            match (request.method(), request.uri().path()) {
                (&http::Method::GET | &http::Method::HEAD, "/healthz") => {
                    http::text(http::StatusCode::OK, "ok\n")
                }
                (&http::Method::GET | &http::Method::HEAD, "/readyz") => health.ready().await,
                (&http::Method::GET | &http::Method::HEAD, "/metrics") => {
                    health.measure().await;
                    http::exposition(&registry)
                }
                (&http::Method::GET | &http::Method::HEAD, _) => http::text(
                    http::StatusCode::NOT_FOUND,
                    "there are /metrics, /healthz and /readyz\n",
                ),
                _ => http::text(http::StatusCode::METHOD_NOT_ALLOWED, "only GET\n"),
            }
        }
    };
    server.run(shutdown, answer).await;
}

impl House {
    /// Makes the rooms and starts them.
    fn rooms(&mut self) -> Supervisor {
        let [first, most] = RESTART_WAIT;
        let backoff = Backoff::try_new(first, first, most).expect("in order");
        let metrics = SupervisorMetrics::default();
        metrics.register(&mut self.registry);
        self.lease_metrics.register(&mut self.registry);
        let mut supervisor = Supervisor::new(self.shutdown.clone(), backoff, metrics);
        if self.settings.rooms.contains(&Room::Update) {
            self.update(&mut supervisor);
        }
        if self.settings.rooms.contains(&Room::Match) {
            self.matching(&mut supervisor);
        }
        self.listen(&mut supervisor);
        supervisor
    }

    fn update(&mut self, supervisor: &mut Supervisor) {
        let metrics = pratique_update::Metrics::default();
        metrics.register(&mut self.registry);
        let links = Links {
            store: self.settings.store.clone(),
            client: self.live.borrow().client.clone(),
            clock: Clock::system(),
            owner: self.owner.clone(),
            metrics,
            lease_metrics: self.lease_metrics.clone(),
            bell: self.changes.clone(),
            requests: self.requests.clone(),
            sources: pratique_feeds::sources(),
        };
        let (live, shutdown) = (self.live.clone(), self.shutdown.clone());
        let updater = LiveUpdater { links, live, shutdown };
        supervisor.spawn("update", move || {
            let updater = updater.clone();
            async move { Ok(updater.run().await?) }
        });
    }

    fn matching(&mut self, supervisor: &mut Supervisor) {
        let metrics = pratique_matcher::Metrics::new();
        metrics.register(&mut self.registry);
        let keeper = LeaseKeeper::new(
            self.settings.store.clone(),
            self.owner.clone(),
            self.settings.update.round.lease_times,
            self.lease_metrics.clone(),
        );
        let store = self.settings.store.clone();
        let (changes, outbox) = (self.changes.clone(), self.outbox.clone());
        let shutdown = self.shutdown.clone();
        supervisor.spawn("match", move || {
            let matcher = Matcher {
                store: store.clone(),
                keeper: keeper.clone(),
                clock: Clock::system(),
                bell: changes.clone(),
                outbox: outbox.clone(),
                config: pratique_matcher::Config::default(),
                metrics: metrics.clone(),
            };
            let shutdown = shutdown.clone();
            async move { Ok(matcher.run(shutdown).await?) }
        });
    }

    /// Has other processes' rings heard here. With SQLite there are none to hear.
    fn listen(&self, supervisor: &mut Supervisor) {
        let store = self.settings.store.clone();
        let bells = [
            (Channel::Changes, self.changes.clone()),
            (Channel::Packages, self.changes.clone()),
            (Channel::Outbox, self.outbox.clone()),
        ];
        let shutdown = self.shutdown.clone();
        supervisor.spawn("listen", move || {
            let (store, bells, shutdown) = (store.clone(), bells.clone(), shutdown.clone());
            async move {
                store.listen(&bells, &shutdown).await;
                Ok(())
            }
        });
    }
}
