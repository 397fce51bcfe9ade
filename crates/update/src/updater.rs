//! The room: looks at every part when it is due, for as long as it runs.
//!
//! The schedule decides ([`crate::state`]); this performs. What the store knows is read again and
//! again, so the work of other processes on the same store moves the schedule as our own does.
//! Stopping has an order: nothing new is begun, the work at hand is told to end and ends by
//! itself, what it had not committed is forgotten, its leases are given back, and only then does
//! [`Updater::run`] return.

mod config;
mod patience;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;

use pratique_clockwork::lease::{LeaseMetrics, Owner};
use pratique_clockwork::{Bell, Clock, Random, Shutdown};
use pratique_feeds::{Part, Source};
use pratique_fetch::Client;
use pratique_model::PartId;
use pratique_store::{LeaseKeeper, PartState, Store};

use self::patience::Patience;
use crate::hosts::{HostPermit, Hosts};
use crate::retention::Retention;
use crate::run::{BEGUN_MAX, Desk, PartResult, Progress, Shared, Visit, chain, visit};
use crate::state::{Ending, Schedule, Terms};
use crate::{Metrics, PlannedPart, Reason, Requests};

pub use config::{Config, ConfigError};

/// How often the store is read although nothing is due: the work of other processes shows.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// How the room ends other than well. It waits for the store as long as it takes, so there is
/// nothing yet that it cannot live with.
#[derive(Debug, thiserror::Error)]
pub enum Error {}

/// What the updater works with.
#[derive(Clone)]
pub struct Links {
    /// Where everything is kept.
    pub store: Store,
    /// What fetches.
    pub client: Client,
    /// The wall clock.
    pub clock: Clock,
    /// The process as the holder of leases.
    pub owner: Owner,
    /// What is told of the updates.
    pub metrics: Metrics,
    /// What is told of leases, shared by all rooms of the process.
    pub lease_metrics: LeaseMetrics,
    /// Rung after each commit that changed something.
    pub bell: Bell,
    /// Wishes from outside.
    pub requests: Requests,
    /// The sources that there are; usually [`pratique_feeds::sources`].
    pub sources: &'static [&'static dyn Source],
}

/// Keeps the vulnerability database fresh. Clones are made to be started anew after a failure.
#[derive(Clone)]
pub struct Updater {
    config: Config,
    links: Links,
}

/// A part that is looked at.
#[derive(Clone)]
struct Watched {
    source: &'static dyn Source,
    part: Part,
}

/// What the loop holds while it runs.
struct Loop {
    config: Config,
    links: Links,
    shared: Arc<Shared>,
    schedule: Arc<Mutex<Schedule>>,
    hosts: Hosts,
    work: JoinSet<(PartId, Ending)>,
    watched: Vec<Watched>,
    patience: Patience,
}

impl Updater {
    /// An updater that has not begun. Opens nothing.
    pub fn new(config: Config, links: Links) -> Self {
        Self { config, links }
    }

    /// Works until `shutdown` is triggered and everything that was begun has ended.
    ///
    /// # Errors
    /// None so far: what goes wrong with a part is that part's failure, and a store that cannot be
    /// reached is waited for.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), Error> {
        let Self { config, links } = self;
        let desk = Desk::start(links.store.clone());
        let keeper = LeaseKeeper::new(
            links.store.clone(),
            links.owner.clone(),
            config.round.lease_times,
            links.lease_metrics.clone(),
        );
        let retention = Retention {
            desk: desk.clone(),
            keeper: keeper.clone(),
            clock: links.clock.clone(),
            metrics: links.metrics.clone(),
            sources: links.sources.iter().map(|source| source.name()).collect(),
        };
        let shared = Arc::new(Shared {
            turns: config.round.turns(),
            config: config.round.clone(),
            client: links.client.clone(),
            clock: links.clock.clone(),
            metrics: links.metrics.clone(),
            progress: Arc::new(|_: Progress| {}),
            desk,
            keeper,
        });
        let work = Loop {
            patience: Patience::new(links.metrics.clone()),
            config,
            links,
            shared,
            schedule: Arc::new(Mutex::new(Schedule::new(Random::from_system()))),
            hosts: Hosts::default(),
            work: JoinSet::new(),
            watched: Vec::new(),
        };
        tokio::join!(work.run(&shutdown), retention.run(&shutdown));
        Ok(())
    }
}

impl Loop {
    async fn run(mut self, shutdown: &Shutdown) {
        self.name_disabled();
        self.forget_unwanted();
        let mut wishes = self.links.requests.listen();
        while let Some(states) = self.states(shutdown).await {
            self.observe(&states);
            self.take_wishes();
            while self.work.len() < BEGUN_MAX {
                let Some((watched, permit)) = self.next() else { break };
                self.begin(watched, permit, shutdown);
            }
            let wait = self.wait();
            tokio::select! {
                () = shutdown.triggered() => break,
                Some(ended) = self.work.join_next() => self.ended(ended),
                () = self.hosts.freed() => {}
                () = wishes.rung() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        // Everybody was told to end by the same shutdown; a panic was somebody's fault already.
        while let Some(ended) = self.work.join_next().await {
            if let Ok((part, _)) = ended {
                tracing::debug!(part.name = %part, "part {part}: ended");
            }
        }
    }

    /// What the store knows of all parts; `None` when a stop was asked for first.
    async fn states(&mut self, shutdown: &Shutdown) -> Option<Vec<PartState>> {
        loop {
            if shutdown.is_triggered() {
                return None;
            }
            let error = match self.shared.desk.ask(|database| database.parts()).await {
                Ok(states) => {
                    self.patience.reached();
                    return Some(states);
                }
                Err(error) => error,
            };
            let wait = self.patience.unreachable(&chain(&error));
            shutdown.unless_triggered(tokio::time::sleep(wait)).await?;
        }
    }

    /// Tells the schedule and the metrics what there is. A new year can bring new parts.
    fn observe(&mut self, states: &[PartState]) {
        let now = self.links.clock.now();
        self.watched = self.config.watched(self.links.sources, now);
        let year = config::year(now);
        let mut schedule = lock(&self.schedule);
        let mut names = BTreeSet::new();
        for watched in &self.watched {
            let id = &watched.part.id;
            let state = states.iter().find(|state| state.id == *id);
            let interval = self.config.interval(watched.source, id, year, state);
            if interval.is_zero() {
                self.links.metrics.forget(id);
            } else if let Some(state) = state {
                self.links.metrics.state(state);
            }
            let host = watched.planned().host().to_owned();
            schedule.observe(id, Terms { interval, host }, state, now);
            names.insert(id);
        }
        schedule.retain(|part| names.contains(part));
    }

    fn take_wishes(&self) {
        let now = self.links.clock.now();
        for wish in self.links.requests.take() {
            let wants = |id: &PartId| {
                self.watched.iter().any(|it| it.part.id == *id && wish.wants(&it.part))
            };
            let requested = lock(&self.schedule).request(wants, now);
            tracing::info!(
                requested.due,
                requested.joined,
                "asked to update: {} parts are due, {} are being updated already",
                requested.due,
                requested.joined
            );
        }
    }

    /// The next part to begin with, and leave to ask its host.
    fn next(&mut self) -> Option<(Watched, HostPermit)> {
        let now = self.links.clock.now();
        let (hosts, mut permit) = (&mut self.hosts, None);
        let part = lock(&self.schedule).start(now, |_, host| {
            permit = hosts.permit(host);
            permit.is_some()
        })?;
        let watched = self.watched.iter().find(|watched| watched.part.id == part)?;
        Some((watched.clone(), permit?))
    }

    fn begin(&mut self, watched: Watched, permit: HostPermit, shutdown: &Shutdown) {
        let (shared, schedule) = (Arc::clone(&self.shared), Arc::clone(&self.schedule));
        let (bell, shutdown) = (self.links.bell.clone(), shutdown.clone());
        self.work.spawn(async move {
            let id = watched.part.id.clone();
            let mut permit = Some(permit);
            let is_due = |state: Option<&PartState>| {
                lock(&schedule).is_still_due(&id, state, shared.clock.now())
            };
            let visit = visit(&shared, watched.planned(), &mut permit, &shutdown, is_due).await;
            if matches!(&visit, Visit::Done(done) if matches!(done.result, PartResult::Changed(_)))
            {
                bell.ring();
            }
            let ending = ending(&visit);
            lock(&schedule).ended(&id, ending, shared.clock.now());
            (id, ending)
        });
    }

    fn ended(&self, ended: Result<(PartId, Ending), tokio::task::JoinError>) {
        match ended {
            Ok((part, ending)) => {
                tracing::debug!(part.name = %part, "part {part}: {ending:?}");
            }
            // The supervisor counts it, and starts the room anew.
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => {}
        }
    }

    fn wait(&self) -> Duration {
        let now = self.links.clock.now();
        let wakes_at = lock(&self.schedule).wakes_at();
        let wait =
            wakes_at.map(|at| Duration::try_from(at.duration_since(now)).unwrap_or_default());
        // What is due and waits for its turn or its host is begun when something ends.
        let is_waiting = wait.is_some_and(|wait| wait.is_zero());
        wait.filter(|_| !is_waiting).unwrap_or(LOOK_EVERY).min(LOOK_EVERY)
    }

    fn name_disabled(&self) {
        let names = self.config.disabled(self.links.sources);
        if !names.is_empty() {
            let names = names.join(", ");
            tracing::info!("sources that are switched off: {names}; their data stay as they are");
        }
    }

    /// Takes away the gauges of parts that an updater before this one looked at, by other settings.
    fn forget_unwanted(&self) {
        let year = config::year(self.links.clock.now());
        let parts = self.links.sources.iter().flat_map(|source| source.parts(year));
        for part in parts.filter(|part| !self.config.selection.wants(part)) {
            self.links.metrics.forget(&part.id);
        }
    }
}

impl Watched {
    fn planned(&self) -> PlannedPart {
        PlannedPart { source: self.source, part: self.part.clone(), reason: Reason::Old }
    }
}

/// What a visit means for the schedule. A store that cannot be asked is not the part's fault, but
/// one that can be read and not written must not be asked every second.
fn ending(visit: &Visit) -> Ending {
    match visit {
        Visit::Done(outcome) => match &outcome.result {
            PartResult::Changed(_) | PartResult::Unchanged { .. } | PartResult::Absent => {
                Ending::Answered
            }
            PartResult::Failed { retry_after, .. } => Ending::Failed { retry_after: *retry_after },
            PartResult::Cancelled => Ending::Cancelled,
        },
        Visit::Held { remaining, .. } => Ending::Held { remaining: *remaining },
        Visit::NotDue(_) => Ending::NotDue,
        Visit::Stopped => Ending::Cancelled,
        Visit::Unreachable(error) => {
            tracing::debug!("the store could not be asked: {}", chain(error));
            Ending::Failed { retry_after: None }
        }
    }
}

fn lock(schedule: &Mutex<Schedule>) -> MutexGuard<'_, Schedule> {
    schedule.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
