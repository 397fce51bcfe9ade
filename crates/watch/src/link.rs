//! The connection to the runtime: subscribes, makes sure that it hears, lists, and follows.
//!
//! The order is what makes nothing go missing: first the stream, then proof that it is heard (the
//! barrier: an event of our own comes back), then the lists. Whatever comes on the stream meanwhile
//! goes to the desk before the lists do. When the stream ends, or two probes in a row do not come
//! back, all of it is done again.

use std::collections::HashMap;
use std::pin::pin;
use std::time::Duration;

use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};
use tracing::{debug, info, warn};

use pratique_clockwork::{Backoff, Bell, Listener, Random};
use pratique_containerd::{Container as Record, Envelope, Error as RuntimeError, Image};
use pratique_model::Digest;

use crate::config::Config;
use crate::digests::DigestCache;
use crate::error::Error;
use crate::facts::{Details, Facts, is_cri};
use crate::health::Health;
use crate::key::Key;
use crate::runtime::{Events, Runtime};

/// The first wait for a runtime that is not there. From the design (watch), "Starting, and gaps".
const RECONNECT_WAIT_MIN: Duration = Duration::from_millis(100);

/// The longest such wait. Same origin.
const RECONNECT_WAIT_MAX: Duration = Duration::from_secs(30);

/// How long an event of our own may take to come back before another one is published.
const BARRIER_WAIT: Duration = Duration::from_secs(1);

/// How many are published before the stream is given up.
const BARRIER_TRIES: u32 = 10;

/// How long to wait instead where nothing may be published. From the design (watch).
const GRACE: Duration = Duration::from_secs(1);

/// How many probes in a row may be missing. Same origin.
const PROBES_MISSED_MAX: u32 = 2;

/// Between two lists that were asked for because events were dropped.
const RELIST_INTERVAL: Duration = Duration::from_secs(5);

/// What comes from the runtime.
#[derive(Debug)]
pub(crate) enum Input {
    /// An event.
    Told(Envelope),
    /// Everything there is.
    Listed(Listing),
    /// The stream is gone; events may be missed from now on.
    Lost,
    /// What must not be done.
    Refused(Error),
}

/// Everything there was at one time.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) containers: Vec<(Key, Facts)>,
    pub(crate) images: Vec<(Key, Option<Digest>)>,
}

/// Holds the connection.
pub(crate) struct Link<R> {
    pub(crate) runtime: R,
    pub(crate) config: Config,
    pub(crate) cache: DigestCache,
    pub(crate) inputs: Sender<Input>,
    /// Rung when everything is to be listed again.
    pub(crate) relist: Bell,
    /// Says whether the runtime is followed.
    pub(crate) health: Health,
}

/// Why a connection was given up.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    #[error("events of our own do not come back")]
    Deaf,
    #[error("the watcher has ended")]
    Ended,
    #[error(transparent)]
    Refused(Error),
}

/// A connection and what is known of its life.
struct Session<'a, R: Runtime> {
    link: &'a Link<R>,
    stream: R::Events,
    /// Begins the topics of this connection's probes.
    topic: String,
    /// Whether probes may be published.
    probes: bool,
    probe_count: u32,
    missed_count: u32,
}

impl<R: Runtime> Link<R> {
    /// Connects and follows, again and again, until the desk ends.
    pub(crate) async fn run(self) {
        let cap = RECONNECT_WAIT_MAX;
        let backoff = Backoff::try_new(RECONNECT_WAIT_MIN, RECONNECT_WAIT_MIN, cap);
        let backoff = backoff.expect("in order");
        let (mut random, mut failure_count) = (Random::from_system(), 0_u32);
        let mut relist = self.relist.listen();
        loop {
            let mut was_up = false;
            let broken = self.follow(&mut relist, &mut random, &mut was_up).await;
            self.health.set(Some(broken.to_string()));
            match broken {
                Broken::Ended => return,
                Broken::Refused(error) => {
                    let _ = self.inputs.send(Input::Refused(error)).await;
                    return;
                }
                _ if was_up => {
                    failure_count = 0;
                    warn!("container runtime: connection lost: {broken}");
                    if self.inputs.send(Input::Lost).await.is_err() {
                        return;
                    }
                }
                _ if failure_count == 0 => {
                    info!("container runtime: not there yet, waiting for it: {broken}");
                }
                _ => debug!("container runtime: still not there: {broken}"),
            }
            failure_count = failure_count.saturating_add(1);
            sleep(backoff.delay(failure_count, &mut random)).await;
        }
    }

    /// One connection, from its beginning to its end.
    async fn follow(
        &self,
        relist: &mut Listener,
        random: &mut Random,
        was_up: &mut bool,
    ) -> Broken {
        let version = match self.runtime.version().await {
            Ok(version) => version,
            Err(error) => return error.into(),
        };
        let mut session = Session {
            link: self,
            stream: self.runtime.subscribe(),
            topic: format!("/pratique/probe-{:016x}-", random.next_number()),
            probes: self.config.probe,
            probe_count: 0,
            missed_count: 0,
        };
        if let Err(broken) = session.begin().await {
            return broken;
        }
        *was_up = true;
        self.health.set(None);
        info!(runtime.version = %version, "container runtime: following it, version {version:?}");
        match session.go_on(relist).await {
            Ok(()) => Broken::Ended,
            Err(broken) => broken,
        }
    }

    async fn send(&self, input: Input) -> Result<(), Broken> {
        self.inputs.send(input).await.map_err(|_| Broken::Ended)
    }

    /// Everything there is in the namespaces that are watched.
    async fn list(&self) -> Result<Listing, Broken> {
        let mut listing = Listing::default();
        for namespace in self.runtime.namespaces().await? {
            if self.config.watches(&namespace) {
                self.list_namespace(&namespace, &mut listing).await?;
            }
        }
        Ok(listing)
    }

    async fn list_namespace(&self, namespace: &str, listing: &mut Listing) -> Result<(), Broken> {
        let records = self.runtime.containers(namespace).await?;
        if self.config.manages(namespace) && records.iter().any(is_cri) {
            let reason = "it holds containers of Kubernetes";
            return Err(Broken::Refused(Error::Refused { namespace: namespace.into(), reason }));
        }
        let tasks = self.runtime.tasks(namespace).await?;
        let mut tasks: HashMap<String, _> =
            tasks.into_iter().map(|task| (task.id.clone(), task)).collect();
        let images = self.runtime.images(namespace).await?;
        let by_name: HashMap<&str, &Image> =
            images.iter().map(|image| (&*image.name, image)).collect();
        for record in &records {
            let details = self.details(namespace, record, &by_name).await?;
            let facts = Facts { details: Some(details), task: tasks.remove(&record.id) };
            listing.containers.push((Key::container(namespace, &record.id), facts));
        }
        let images = images.iter().map(|image| {
            (Key::image(namespace, &image.name), image.target.digest.parse::<Digest>().ok())
        });
        listing.images.extend(images);
        listing.containers.retain(|(key, _)| key.is_sound());
        listing.images.retain(|(key, _)| key.is_sound());
        Ok(())
    }

    async fn details(
        &self,
        namespace: &str,
        record: &Record,
        images: &HashMap<&str, &Image>,
    ) -> Result<Details, RuntimeError> {
        let mut details = Details::from(record);
        if let Some(image) = images.get(&*record.image) {
            let target = image.target.clone();
            details.digests = self.cache.of_target(&self.runtime, namespace, target).await?;
        }
        Ok(details)
    }
}

impl<R: Runtime> Session<'_, R> {
    /// Makes sure that the stream is heard, then lists.
    async fn begin(&mut self) -> Result<(), Broken> {
        if self.probes {
            self.barrier().await?;
        }
        if !self.probes {
            self.drain_while(sleep(GRACE)).await?;
        }
        self.list().await?;
        if !self.probes {
            self.drain_while(sleep(GRACE)).await?;
            self.list().await?;
        }
        Ok(())
    }

    /// Publishes until an event of our own comes back.
    async fn barrier(&mut self) -> Result<(), Broken> {
        for _ in 0..BARRIER_TRIES {
            match self.probe().await? {
                Ok(()) => {}
                Err(error) if error.is_transient() => return Err(error.into()),
                Err(error) => {
                    warn!("container runtime: events cannot be published, going without: {error}");
                    self.probes = false;
                    return Ok(());
                }
            }
            let mut patience = pin!(sleep(BARRIER_WAIT));
            while self.missed_count > 0 {
                tokio::select! {
                    envelope = self.stream.next() => self.take(envelope?).await?,
                    () = &mut patience => break,
                }
            }
            if self.missed_count == 0 {
                return Ok(());
            }
        }
        Err(Broken::Deaf)
    }

    /// Follows the stream until it ends.
    async fn go_on(&mut self, relist: &mut Listener) -> Result<(), Broken> {
        let every = self.link.config.probe_interval;
        let mut ticks = interval_at(Instant::now() + every, every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut listed_at = Instant::now();
        loop {
            tokio::select! {
                envelope = self.stream.next() => self.take(envelope?).await?,
                _ = ticks.tick(), if self.probes => {
                    if self.missed_count >= PROBES_MISSED_MAX {
                        return Err(Broken::Deaf);
                    }
                    // One that could not be published is as one that did not come back.
                    if let Err(error) = self.probe().await? {
                        debug!("container runtime: a probe could not be published: {error}");
                    }
                }
                () = relist.rung() => {
                    self.drain_while(tokio::time::sleep_until(listed_at + RELIST_INTERVAL)).await?;
                    self.list().await?;
                    listed_at = Instant::now();
                }
            }
        }
    }

    async fn list(&mut self) -> Result<(), Broken> {
        let link = self.link;
        let listing = self.drain_while(link.list()).await??;
        link.send(Input::Listed(listing)).await
    }

    async fn probe(&mut self) -> Result<Result<(), RuntimeError>, Broken> {
        self.probe_count += 1;
        self.missed_count += 1;
        let topic = format!("{}{}", self.topic, self.probe_count);
        let link = self.link;
        self.drain_while(link.runtime.probe(&topic)).await
    }

    /// Does something while the stream goes on being read.
    async fn drain_while<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Broken> {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                result = &mut work => return Ok(result),
                envelope = self.stream.next() => self.take(envelope?).await?,
            }
        }
    }

    /// Takes one event: our own are counted, the others go to the desk.
    async fn take(&mut self, envelope: Envelope) -> Result<(), Broken> {
        if envelope.topic.starts_with("/pratique/") {
            if envelope.topic.starts_with(&self.topic) {
                self.missed_count = 0;
            }
            return Ok(());
        }
        if !self.link.config.watches(&envelope.namespace) {
            return Ok(());
        }
        self.link.send(Input::Told(envelope)).await
    }
}
