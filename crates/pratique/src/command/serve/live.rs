//! Settings that change while the service runs.
//!
//! SIGHUP has the settings read again. What the updater goes by is handed to it by ending the one
//! that runs, in order, and beginning another: what is due follows from the store, so nothing is
//! lost but downloads under way. Settings that cannot be are told and leave everything as it was.

use std::time::Duration;

use pratique_clockwork::{Bell, Clock, Shutdown};
use pratique_fetch::{Client, Mirror};
use pratique_update::{Config, Links, Requests, Selection, Updater};
use tokio::sync::watch;
use tracing::{info, warn};

use super::settings::ServiceSettings;
use crate::args::ServeArguments;
use crate::exit::{Exit, Failure};

/// What the running updater goes by.
#[derive(Clone)]
pub(super) struct Live {
    pub(super) update: Config,
    pub(super) client: Client,
    mirror: Option<Mirror>,
    idle_timeout: Option<Duration>,
}

impl Live {
    /// Makes the client that goes with the settings.
    pub(super) fn new(settings: &ServiceSettings) -> Result<Self, Failure> {
        let mut client = pratique_fetch::Config::new(std::env::temp_dir());
        client.mirror.clone_from(&settings.mirror);
        client.idle_timeout = settings.idle_timeout.unwrap_or(client.idle_timeout);
        let client = Client::try_new(client, Clock::system())
            .map_err(|error| Failure::new(Exit::Failed, error))?;
        Ok(Self {
            update: settings.update.clone(),
            client,
            mirror: settings.mirror.clone(),
            idle_timeout: settings.idle_timeout,
        })
    }
}

/// Reads the settings again whenever a signal asks for it, and has every source looked at.
pub(super) struct Reloading {
    pub(super) arguments: ServeArguments,
    /// Those that the service was started with.
    pub(super) first: ServiceSettings,
    pub(super) live: watch::Sender<Live>,
    pub(super) requests: Requests,
}

impl Reloading {
    /// Works for as long as the process runs.
    pub(super) async fn run(self, asked: Bell) {
        let mut listener = asked.listen();
        loop {
            listener.rung().await;
            let arguments = self.arguments.clone();
            let read = tokio::task::spawn_blocking(move || ServiceSettings::read(&arguments));
            match read.await {
                Ok(Ok(read)) => self.take(read),
                Ok(Err(failure)) => keep(&failure),
                Err(error) => warn!("the settings stay as they are: {error}"),
            }
            self.requests.ask(Selection::All);
        }
    }

    fn take(&self, mut read: ServiceSettings) {
        let fixed = self.first.fixed_differences(&read);
        if !fixed.is_empty() {
            let names = fixed.join(", ");
            warn!("settings that only a start reads have changed: {names}");
        }
        read.update.round.lease_times = self.first.update.round.lease_times;
        let is_same = {
            let live = self.live.borrow();
            live.update == read.update
                && live.mirror == read.mirror
                && live.idle_timeout == read.idle_timeout
        };
        if is_same {
            info!("the settings say what they said");
            return;
        }
        match Live::new(&read) {
            Ok(live) => {
                info!("the settings have changed");
                self.live.send_replace(live);
            }
            Err(failure) => keep(&failure),
        }
    }
}

fn keep(failure: &Failure) {
    warn!("the settings stay as they are: {:#}", failure.error);
}

/// The updater under settings that change.
#[derive(Clone)]
pub(super) struct LiveUpdater {
    /// What it works with; the client is that of [`Self::live`].
    pub(super) links: Links,
    pub(super) live: watch::Receiver<Live>,
    pub(super) shutdown: Shutdown,
}

impl LiveUpdater {
    /// Works until the shutdown.
    pub(super) async fn run(mut self) -> anyhow::Result<()> {
        while !self.shutdown.is_triggered() {
            let Live { update, client, .. } = self.live.borrow_and_update().clone();
            let links = Links { client, ..self.links.clone() };
            let stop = self.shutdown.child();
            let work = Updater::new(update, links).run(stop.clone());
            tokio::pin!(work);
            tokio::select! {
                ended = &mut work => return Ok(ended?),
                Ok(()) = self.live.changed() => {}
            }
            stop.trigger();
            work.await?;
            // The wish that came with the settings may have been taken by the one that has ended.
            self.links.requests.ask(Selection::All);
        }
        Ok(())
    }
}
