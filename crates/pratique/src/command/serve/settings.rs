//! What a service is to do: flags, environment, file and defaults made into one.

use std::time::Duration;

use jiff::SignedDuration;
use pratique_clockwork::http::Listen;
use pratique_clockwork::lease::LeaseTimes;
use pratique_fetch::Mirror;
use pratique_store::Store;
use pratique_update::Config;

use crate::args::{Room, ServeArguments, UpdaterArguments};
use crate::exit::{Exit, Failure};
use crate::refresh;
use crate::settings::UpdaterSettings;

/// Where metrics and health are served unless told otherwise: this machine only, from the design
/// (updater, *Interfaces*).
const LISTEN: &str = "127.0.0.1:9760";

/// How old data may be before `/readyz` says so: publishers change their feeds daily.
const MAX_DATA_AGE: Duration = Duration::from_hours(48);

/// All that was said, checked. Reading it opens nothing.
#[derive(Clone)]
pub(super) struct ServiceSettings {
    pub(super) rooms: Vec<Room>,
    pub(super) store: Store,
    pub(super) listen: Listen,
    pub(super) update: Config,
    pub(super) mirror: Option<Mirror>,
    /// How long a server may stay silent; `None`: the client's own limit.
    pub(super) idle_timeout: Option<Duration>,
}

impl ServiceSettings {
    /// Makes one of all.
    ///
    /// # Errors
    /// A wrong use.
    pub(super) fn read(arguments: &ServeArguments) -> Result<Self, Failure> {
        let usage = |error: anyhow::Error| Failure::new(Exit::Usage, error);
        let settings = arguments.database.settings()?;
        let file = &settings.updater;
        let update = update(&arguments.updater, file)?;
        update.check(pratique_feeds::sources()).map_err(|error| usage(error.into()))?;
        let idle_timeout = arguments.updater.idle_timeout.or(file.idle_timeout);
        if idle_timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Err(Failure::usage("idle_timeout: 0 leaves no server time to answer"));
        }
        let listen = arguments.listen.clone().or_else(|| file.listen.clone());
        Ok(Self {
            rooms: arguments.only.clone(),
            store: arguments.database.store_of(&settings)?,
            listen: listen.unwrap_or_else(|| LISTEN.parse().expect("an address")),
            update,
            mirror: arguments.mirror.parse(&settings)?,
            idle_timeout,
        })
    }

    /// The names of the settings in which `other` differs and which only a start reads.
    pub(super) fn fixed_differences(&self, other: &Self) -> Vec<&'static str> {
        let lease_times = |settings: &Self| settings.update.round.lease_times;
        let differences = [
            ("db", self.store.to_string() != other.store.to_string()),
            ("listen", self.listen != other.listen),
            ("lease_ttl", lease_times(self) != lease_times(other)),
        ];
        differences.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect()
    }
}

fn update(flags: &UpdaterArguments, file: &UpdaterSettings) -> Result<Config, Failure> {
    let mut config = file.config()?;
    if let Some(interval) = flags.interval {
        // Whoever gives one interval by a flag means it for all.
        config.interval = Some(interval);
        config.intervals.clear();
    }
    if !flags.sources.is_empty() {
        config.selection = refresh::selection(&flags.sources)?;
    }
    if let Some(jobs) = flags.jobs {
        config.round.jobs = jobs.get();
    }
    if let Some(ttl) = flags.lease_ttl.or(file.lease_ttl) {
        config.round.lease_times = LeaseTimes::try_new(ttl, ttl / 3, ttl * 2 / 3)
            .map_err(|error| Failure::new(Exit::Usage, error))?;
    }
    let max_age = flags.max_data_age.or(file.max_data_age).unwrap_or(MAX_DATA_AGE);
    config.max_age = SignedDuration::try_from(max_age).unwrap_or(SignedDuration::MAX);
    Ok(config)
}
