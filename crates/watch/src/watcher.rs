//! The room: opens the store, ties connection, desk and writer together, and runs them.

use tokio::sync::mpsc::channel;
use tracing::info;

use pratique_clockwork::{Bell, Clock, Shutdown};
use pratique_model::{Container, NodeImage};
use pratique_store::{Access, Database, RuntimeWriter, Store, StoreError};

use crate::config::Config;
use crate::desk::{Desk, INPUTS_MAX, Parts};
use crate::digests::DigestCache;
use crate::error::Error;
use crate::health::Health;
use crate::link::Link;
use crate::metrics::Metrics;
use crate::runtime::Runtime;
use crate::writer::Writer;

/// Namespaces whose tasks others remove: Kubernetes' and Docker's.
const TAKEN_NAMESPACES: [(&str, &str); 2] =
    [("k8s.io", "it is Kubernetes'"), ("moby", "it is Docker's")];

/// Follows a node's container runtime. It runs once; a clone is a new one.
#[derive(Clone, Debug)]
pub struct Watcher<R> {
    /// The runtime.
    pub runtime: R,
    /// Where containers, images and notices are kept: the node's own file.
    pub store: Store,
    /// Dates what bears no time.
    pub clock: Clock,
    /// Rung when notices were written.
    pub bell: Bell,
    /// Says whether the runtime is followed.
    pub health: Health,
    /// How it works.
    pub config: Config,
    /// What it tells Prometheus.
    pub metrics: Metrics,
}

impl<R: Runtime> Watcher<R> {
    /// Works until the shutdown. A runtime that is not there, or goes away, is waited for.
    ///
    /// # Errors
    /// [`Error::Refused`] at once, or as soon as it is seen, when a namespace must not be managed;
    /// [`Error::Store`] when what is remembered cannot be read; [`Error::Superseded`] when another
    /// watcher was started on the same store.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), Error> {
        refuse_taken(&self.config)?;
        let store = self.store.clone();
        let opening = tokio::task::spawn_blocking(move || read(&store)).await;
        let Remembered { database, writer, containers, images } =
            opening.map_err(|_| Error::Writer)?.map_err(Error::Store)?;
        info!("{} containers and {} images are known", containers.len(), images.len());
        let writer = Writer::start(database, writer, self.clock.clone());
        let (inputs, incoming) = channel(4 * INPUTS_MAX);
        let (cache, relist) = (DigestCache::default(), Bell::new());
        let link = Link {
            runtime: self.runtime.clone(),
            config: self.config.clone(),
            cache: cache.clone(),
            inputs,
            relist: relist.clone(),
            health: self.health,
        };
        let desk = Desk::new(Parts {
            runtime: self.runtime,
            config: self.config,
            clock: self.clock,
            metrics: self.metrics,
            cache,
            bell: self.bell,
            relist,
            writer,
            containers,
            images,
        });
        tokio::select! {
            result = desk.run(incoming, &shutdown) => result,
            () = async {
                shutdown.unless_triggered(link.run()).await;
                std::future::pending::<()>().await;
            } => Ok(()),
        }
    }
}

/// The rules of a manager that need no runtime.
fn refuse_taken(config: &Config) -> Result<(), Error> {
    let taken = TAKEN_NAMESPACES.iter().find(|(name, _)| config.manages(name));
    match taken {
        Some((name, reason)) => Err(Error::Refused { namespace: (*name).to_owned(), reason }),
        None => Ok(()),
    }
}

/// What the last watcher left.
struct Remembered {
    database: Database,
    writer: RuntimeWriter,
    containers: Vec<Container>,
    images: Vec<NodeImage>,
}

fn read(store: &Store) -> Result<Remembered, StoreError> {
    let database = store.open(Access::ReadWrite)?;
    // First, so that an earlier watcher's thread changes nothing after it was read.
    let writer = database.take_over_runtime()?;
    let containers = database.containers(false)?;
    let images = database.node_images()?;
    Ok(Remembered { database, writer, containers, images })
}
