//! The matcher as a service: keeps findings up to date while images and advisories come in.
//!
//! One process does it at a time, by the lease `matcher`; others wait for their turn. It looks when
//! a bell rings and every few seconds besides, so a lost ring costs that delay. A store that cannot
//! be asked is waited for. Commands that want findings at once use [`run_once`], which leaves the
//! work to a service that has the lease.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::{error, info, warn};

use pratique_clockwork::lease::{Lease, LeaseTimes, Owner};
use pratique_clockwork::{Backoff, Bell, Clock, Random, Shutdown};
use pratique_store::{Access, Acquisition, Database, HeldLease, LeaseKeeper, Store, StoreError};

use crate::{MatchError, Metrics, Progress, StepLimits, backlog, step};

/// The name of the lease under which findings are written.
pub const LEASE: &str = "matcher";

/// How long a change waits at most when its bell was lost: far below the minute that is promised
/// from a source to the outbox.
const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// How long to wait for a store that cannot be asked, from the design (updater), "Lease".
const UNREACHABLE_WAIT_MIN: Duration = Duration::from_secs(1);

/// The longest such wait. Same origin.
const UNREACHABLE_WAIT_MAX: Duration = Duration::from_secs(30);

/// How the matcher works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// How often it looks though no bell rang.
    pub poll_interval: Duration,
    /// How much it does in one transaction.
    pub limits: StepLimits,
}

impl Default for Config {
    fn default() -> Self {
        Self { poll_interval: POLL_INTERVAL, limits: StepLimits::default() }
    }
}

/// The service.
#[derive(Debug)]
pub struct Matcher {
    /// Where everything is kept.
    pub store: Store,
    /// Takes the lease.
    pub keeper: LeaseKeeper,
    /// Dates notifications.
    pub clock: Clock,
    /// Rung when there is something to look at: new generations, new packages.
    pub bell: Bell,
    /// Rung when notifications were written.
    pub outbox: Bell,
    /// How it works.
    pub config: Config,
    /// What it tells Prometheus.
    pub metrics: Metrics,
}

/// What became of [`run_once`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing is left to do.
    Done(Progress),
    /// Somebody else is at it and goes on: nothing was done here.
    Held(Lease),
    /// A stop was asked for first; this much was done, and the rest waits for the next one.
    Stopped(Progress),
}

/// Does all that is left to do under the lease, for commands. Blocks. When `stop` is triggered,
/// what was begun is finished, which takes less than a second, and the lease is given back.
///
/// # Errors
/// [`MatchError::Impact`]; what earlier steps wrote stays, and the rest is done the next time.
pub fn run_once(
    database: &Database,
    owner: &Owner,
    clock: &Clock,
    stop: &Shutdown,
) -> Result<Outcome, MatchError> {
    if backlog(database)?.is_empty() {
        return Ok(Outcome::Done(Progress::default()));
    }
    let times = LeaseTimes::default();
    let mut lease = match database.acquire_lease(LEASE, owner, times.ttl())? {
        Acquisition::Acquired(lease) => lease,
        Acquisition::Held { lease, .. } => return Ok(Outcome::Held(lease)),
    };
    let result = drain_renewing(database, &mut lease, &times, clock, stop);
    // One that cannot be given back expires.
    let _ = database.release_lease(&lease);
    result
}

fn drain_renewing(
    database: &Database,
    lease: &mut Lease,
    times: &LeaseTimes,
    clock: &Clock,
    stop: &Shutdown,
) -> Result<Outcome, MatchError> {
    let mut progress = Progress::default();
    let mut renewed_at = Instant::now();
    while !stop.is_triggered() {
        let more = step(database, Some(lease), StepLimits::default(), clock.now())?;
        let Some(more) = more else { return Ok(Outcome::Done(progress)) };
        progress.add(&more);
        if renewed_at.elapsed() >= times.renew_every() {
            renewed_at = Instant::now();
            *lease = database.renew_lease(lease, times.ttl())?;
        }
    }
    Ok(Outcome::Stopped(progress))
}

impl Matcher {
    /// Works until the shutdown.
    ///
    /// # Errors
    /// What trying again does not help against.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), MatchError> {
        while !shutdown.is_triggered() {
            let work = |held| self.work(held);
            match self.keeper.hold(LEASE, &shutdown, work).await {
                Some(result) => result?,
                None => break,
            }
        }
        Ok(())
    }

    /// Works under the lease until that ends.
    async fn work(&self, held: HeldLease) -> Result<(), MatchError> {
        let least = UNREACHABLE_WAIT_MIN;
        let backoff = Backoff::try_new(least, least, UNREACHABLE_WAIT_MAX).expect("in order");
        let (mut random, mut failure_count) = (Random::from_system(), 0_u32);
        let mut listener = self.bell.listen();
        let mut database = None;
        while !held.shutdown().is_triggered() {
            let wait = match self.drain(database.take(), &held).await {
                Ok(kept) => {
                    database = Some(kept);
                    if failure_count > 0 {
                        info!(failure_count, "matcher: works again");
                    }
                    failure_count = 0;
                    self.config.poll_interval
                }
                Err(MatchError::Impact(StoreError::LeaseLost { .. })) => {
                    held.report_lost();
                    return Ok(());
                }
                Err(error) if error.is_transient() => {
                    self.metrics.fail();
                    if failure_count == 0 {
                        let chain = chain(&error);
                        warn!(error = %chain, "matcher: tries again until it can: {chain}");
                    }
                    failure_count += 1;
                    backoff.delay(failure_count, &mut random)
                }
                Err(error) => {
                    self.metrics.fail();
                    let chain = chain(&error);
                    error!(error = %chain, "matcher: {chain}");
                    return Err(error);
                }
            };
            tokio::select! {
                () = listener.rung(), if failure_count == 0 => {}
                () = sleep(wait) => {}
                () = held.shutdown().triggered() => {}
            }
        }
        Ok(())
    }

    /// Takes steps until nothing is left to do or the lease ends, and gives the database back.
    async fn drain(
        &self,
        database: Option<Database>,
        held: &HeldLease,
    ) -> Result<Database, MatchError> {
        let (store, clock, limits) = (self.store.clone(), self.clock.clone(), self.config.limits);
        let (metrics, outbox, held) = (self.metrics.clone(), self.outbox.clone(), held.clone());
        let work = move || {
            let database = match database {
                Some(database) => database,
                None => store.open(Access::ReadWrite)?,
            };
            while !held.shutdown().is_triggered() {
                metrics.set_backlog(backlog(&database)?);
                let (began, lease) = (Instant::now(), held.lease());
                let Some(done) = step(&database, Some(&lease), limits, clock.now())? else { break };
                metrics.take(&done, began.elapsed(), clock.now());
                log(&done);
                if done.told_count() > 0 {
                    outbox.ring();
                }
            }
            Ok(database)
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(MatchError::Stopped),
            },
        }
    }
}

fn log(done: &Progress) {
    let Progress { change_count, package_count, written_count, removed_count, .. } = done;
    let told_count = done.told_count();
    info!(
        change_count,
        package_count,
        written_count,
        removed_count,
        told_count,
        "matcher: {change_count} changes, {package_count} packages looked at, \
         {written_count} findings written, {removed_count} removed, {told_count} notifications"
    );
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
