//! `pratique serve`: the rooms of a service, and what they have in common.
//!
//! Settings first, then objects: whatever is wrong with the command line is known before anything
//! is opened. The rooms run under a supervisor; the HTTP server is bound before them, so that an
//! address that cannot be had ends the program instead of a room. A store that cannot be reached
//! is waited for, one that is not ours is an error at once.

mod health;

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use pratique_clockwork::http::{self, Limits, Listen, Server};
use pratique_clockwork::lease::{LeaseMetrics, LeaseTimes, Owner};
use pratique_clockwork::{Backoff, Bell, Clock, Shutdown, Signals, Supervisor, SupervisorMetrics};
use pratique_fetch::{Client, Mirror};
use pratique_matcher::Matcher;
use pratique_store::{Access, Channel, LeaseKeeper, Store};
use pratique_update::{Links, Requests, RoundConfig, Selection, Updater};
use prometheus_client::registry::Registry;
use tracing::{info, warn};

use self::health::Health;
use crate::args::{Room, ServeArguments};
use crate::database;
use crate::exit::{Exit, Failure};
use crate::refresh;

/// How long stopping may take: 15 s from the signal are promised, and the last part of them is for
/// leases that are given back.
const GRACE: Duration = Duration::from_secs(12);

/// How long threads that hang may keep the process from ending after that.
const THREADS_GRACE: Duration = Duration::from_secs(1);

/// How long a room that failed waits before it is made anew; at first, and at most.
const RESTART_WAIT: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];

/// All that the command line says, checked.
struct Settings {
    rooms: Vec<Room>,
    store: Store,
    client: pratique_fetch::Config,
    update: pratique_update::Config,
    listen: Listen,
}

/// What the rooms share.
struct House {
    settings: Settings,
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
    let settings = settings(arguments)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    let result = runtime.block_on(serve(settings));
    runtime.shutdown_timeout(THREADS_GRACE);
    result
}

fn settings(arguments: &ServeArguments) -> Result<Settings, Failure> {
    let usage = |error: anyhow::Error| Failure::new(Exit::Usage, error);
    let sources = pratique_feeds::sources();
    let year = refresh::year(Clock::system().now());
    let selection = match &*arguments.sources {
        [] => Selection::All,
        names => Selection::parse(&names.join(","), sources, year).map_err(|e| usage(e.into()))?,
    };
    let ttl = arguments.lease_ttl;
    let times = LeaseTimes::try_new(ttl, ttl / 3, ttl * 2 / 3).map_err(|e| usage(e.into()))?;
    let mut round = RoundConfig { lease_times: times, ..RoundConfig::default() };
    if let Some(jobs) = arguments.jobs {
        round.jobs = jobs.get();
    }
    let update = pratique_update::Config {
        interval: arguments.interval,
        selection,
        max_age: SignedDuration::try_from(arguments.max_data_age).unwrap_or(SignedDuration::MAX),
        round,
        ..pratique_update::Config::default()
    };
    update.check(sources).map_err(|error| usage(error.into()))?;
    let mut client = pratique_fetch::Config::new(std::env::temp_dir());
    client.mirror = arguments
        .mirror
        .as_deref()
        .map(Mirror::parse)
        .transpose()
        .map_err(|error| usage(error.into()))?;
    Ok(Settings {
        rooms: arguments.only.clone(),
        store: arguments.database.store()?,
        client,
        update,
        listen: arguments.listen.clone(),
    })
}

async fn serve(settings: Settings) -> Result<Exit, Failure> {
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
    let client = Client::try_new(settings.client.clone(), Clock::system())
        .map_err(|error| failed(error.into()))?;
    let mut house = House {
        settings,
        owner,
        shutdown: Shutdown::new(),
        lease_metrics: LeaseMetrics::default(),
        registry: Registry::default(),
        changes: Bell::new(),
        outbox: Bell::new(),
        requests: Requests::new(),
    };
    let supervisor = house.rooms(client)?;
    let health = Health::new(
        house.settings.store.clone(),
        house.settings.update.switched_off(pratique_feeds::sources()),
        house.settings.update.max_age,
        &mut house.registry,
    );
    let (shutdown, requests) = (house.shutdown.clone(), house.requests.clone());
    let answers = serve_health(server, health, house.registry, shutdown.clone());
    let answers = tokio::spawn(answers);
    let reload = Bell::new();
    tokio::spawn(pass_on_wishes(reload.clone(), requests));
    tokio::spawn(signals.run(shutdown.clone(), reload));
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

/// A signal to look again is a wish for everything.
async fn pass_on_wishes(reload: Bell, requests: Requests) {
    let mut listener = reload.listen();
    loop {
        listener.rung().await;
        requests.ask(Selection::All);
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
    fn rooms(&mut self, client: Client) -> Result<Supervisor, Failure> {
        let [first, most] = RESTART_WAIT;
        let backoff = Backoff::try_new(first, first, most).expect("in order");
        let metrics = SupervisorMetrics::default();
        metrics.register(&mut self.registry);
        self.lease_metrics.register(&mut self.registry);
        let mut supervisor = Supervisor::new(self.shutdown.clone(), backoff, metrics);
        if self.settings.rooms.contains(&Room::Update) {
            self.update(&mut supervisor, client);
        }
        if self.settings.rooms.contains(&Room::Match) {
            self.matching(&mut supervisor);
        }
        self.listen(&mut supervisor);
        Ok(supervisor)
    }

    fn update(&mut self, supervisor: &mut Supervisor, client: Client) {
        let metrics = pratique_update::Metrics::default();
        metrics.register(&mut self.registry);
        let links = Links {
            store: self.settings.store.clone(),
            client,
            clock: Clock::system(),
            owner: self.owner.clone(),
            metrics,
            lease_metrics: self.lease_metrics.clone(),
            bell: self.changes.clone(),
            requests: self.requests.clone(),
            sources: pratique_feeds::sources(),
        };
        let updater = Updater::new(self.settings.update.clone(), links);
        let shutdown = self.shutdown.clone();
        supervisor.spawn("update", move || {
            let (updater, shutdown) = (updater.clone(), shutdown.clone());
            async move { Ok(updater.run(shutdown).await?) }
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
