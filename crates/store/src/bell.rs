//! Carries a [`Bell`] from process to process, through the database.
//!
//! Only PostgreSQL can: `NOTIFY` reaches every process that listens, when the transaction that
//! rang is committed. With SQLite nothing happens here; whoever shares a file looks for itself
//! now and then, as everybody does. A ring that is lost costs delay only.

use std::time::Duration;

use pratique_clockwork::{Backoff, Bell, Random, Shutdown};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::session::values;
use crate::{Database, Store, StoreError};

/// How long to wait for a server that is gone, from the design (updater), "Lease".
const RECONNECT_WAIT_MIN: Duration = Duration::from_secs(1);

/// The longest such wait. Same origin.
const RECONNECT_WAIT_MAX: Duration = Duration::from_secs(30);

/// What has happened, for others to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// A part has a new generation.
    Changes,
    /// Packages wait to be assessed.
    Packages,
    /// Notifications wait to be delivered.
    Outbox,
}

impl Channel {
    /// The channel's name in PostgreSQL; a plain word.
    const fn name(self) -> &'static str {
        match self {
            Self::Changes => "pratique_changes",
            Self::Packages => "pratique_packages",
            Self::Outbox => "pratique_outbox",
        }
    }
}

impl Database {
    /// Rings for every process that [listens](Store::listen), this one included; within a
    /// transaction, when it is committed, and not at all when it is rolled back. With SQLite it
    /// does nothing.
    ///
    /// # Errors
    /// [`StoreError::Statement`], which outside a transaction may be ignored.
    pub fn ring(&self, channel: Channel) -> Result<(), StoreError> {
        if self.server.is_none() {
            return Ok(());
        }
        let sql = "SELECT count(*) FROM (SELECT pg_notify(?1, '')) AS notified";
        self.session.one("ringing", sql, values![channel.name()], |_| Ok(()))
    }
}

impl Store {
    /// Rings bells of this process when others [ring](Database::ring), until the shutdown. A lost
    /// connection is made again, with growing waits; then all bells are rung, since something may
    /// have been missed. Returns at once with SQLite.
    pub async fn listen(&self, bells: &[(Channel, Bell)], shutdown: &Shutdown) {
        let Some(server) = self.server() else { return };
        let names: Vec<&str> = bells.iter().map(|(channel, _)| channel.name()).collect();
        let (least, cap) = (RECONNECT_WAIT_MIN, RECONNECT_WAIT_MAX);
        let backoff = Backoff::try_new(least, least, cap).expect("in order");
        let (mut random, mut failure_count) = (Random::from_system(), 0_u32);
        loop {
            let mut lost_after = failure_count;
            let hear = |name: Option<&str>| {
                if name.is_none() && lost_after > 0 {
                    info!("database {self}: listening again");
                }
                if name.is_none() {
                    lost_after = 0;
                }
                for (channel, bell) in bells {
                    if name.is_none_or(|name| name == channel.name()) {
                        bell.ring();
                    }
                }
            };
            let Some(Err(error)) = shutdown.unless_triggered(server.listen(&names, hear)).await
            else {
                return;
            };
            // Once for every loss, not for every try.
            if lost_after == 0 {
                warn!("database {self}: not listening, trying again: {error}");
            }
            failure_count = lost_after.saturating_add(1);
            let wait = backoff.delay(failure_count, &mut random);
            let until = Instant::now() + wait;
            if shutdown.unless_triggered(tokio::time::sleep_until(until)).await.is_none() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Access;
    use crate::conformance::{on_disk, on_server};

    /// Far longer than anything here takes; a test that reaches it fails.
    const DEADLINE: Duration = Duration::from_secs(30);

    async fn rung(listener: &mut pratique_clockwork::Listener) {
        tokio::time::timeout(DEADLINE, listener.rung()).await.expect("rung");
    }

    async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        tokio::task::spawn_blocking(work).await.expect("no panic")
    }

    #[tokio::test]
    async fn a_ring_reaches_others_when_it_is_committed_also_after_a_lost_connection() {
        let Some(place) = blocking(on_server).await else { return };
        let store = place.store.clone().expect("of a server");
        let (changes, outbox, shutdown) = (Bell::new(), Bell::new(), Shutdown::new());
        let (mut heard, mut other) = (changes.listen(), outbox.listen());
        let listening = {
            let (store, shutdown) = (store.clone(), shutdown.clone());
            let bells = [(Channel::Changes, changes), (Channel::Outbox, outbox)];
            tokio::spawn(async move { store.listen(&bells, &shutdown).await })
        };
        // Everything is rung as soon as it listens.
        rung(&mut heard).await;
        rung(&mut other).await;

        let database = blocking(move || {
            let database = store.open(Access::ReadWrite).expect("open");
            let failed = database.transaction(None, |database| {
                database.ring(Channel::Outbox)?;
                Err::<(), _>(StoreError::ReadOnly)
            });
            failed.expect_err("rolled back");
            database.transaction(None, |database| database.ring(Channel::Changes)).expect("rung");
            database
        })
        .await;
        rung(&mut heard).await;
        tokio::time::timeout(Duration::ZERO, other.rung()).await.expect_err("rolled back");

        let database = blocking(move || {
            let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                       WHERE datname = current_database() AND query LIKE 'LISTEN%'";
            let count = database.session.one("ending", sql, &[], |row| row.integer(0));
            assert_eq!(count.expect("an answer"), 1);
            database
        })
        .await;
        rung(&mut heard).await;
        rung(&mut other).await;
        blocking(move || database.ring(Channel::Outbox).expect("rung")).await;
        rung(&mut other).await;

        shutdown.trigger();
        tokio::time::timeout(DEADLINE, listening).await.expect("ends").expect("no panic");
        blocking(move || drop(place)).await;
    }

    #[tokio::test]
    async fn sqlite_rings_nothing() {
        let place = on_disk();
        place.database.ring(Channel::Packages).expect("nothing to do");
        let bell = Bell::new();
        let store = place.store.expect("a file");
        store.listen(&[(Channel::Packages, bell)], &Shutdown::new()).await;
    }
}
