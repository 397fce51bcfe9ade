//! A lock that expires: who may do a piece of work, among processes that share a store.
//!
//! The row of a lease lies in the store, which alone measures its life: `expires_at` is by the
//! database's clock and is never compared with a local one. What a holder must do and by when is
//! decided by [`Tenure`], with monotonic time passed in; calling the store is its driver's work.
//! Surprising: a holder stops working well before its row expires, because it counts from the
//! *start* of the last renewal that succeeded. That is a courtesy which keeps work from being
//! done twice. What keeps writes apart is the fence: every commit checks owner and token in its
//! own transaction.

mod metrics;
mod tenure;

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use crate::Random;

pub use metrics::LeaseMetrics;
pub use tenure::{Action, CancelReason, Event, Tenure};

/// One holding of a lease, as the store wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What is leased: the name of a piece of work, such as `matcher` or `part/debian`.
    pub name: String,
    /// Who holds it: the text of an [`Owner`].
    pub owner: String,
    /// The number of this holding. It grows by one each time the lease changes hands, so a
    /// holder whose row has been taken over is told from its successor even under the same owner.
    pub token: u64,
    /// When it ends unless it is renewed, by the database's clock.
    pub expires_at: Timestamp,
}

/// How long a lease lives and how it is kept. Cannot be out of order once it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseTimes {
    ttl: Duration,
    renew_every: Duration,
    give_up_after: Duration,
}

/// Times of a lease that would let two holders work at once, or never renew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "lease times out of order: renewed every {renew_every:?}, given up after {give_up_after:?}, \
     expired after {ttl:?}"
)]
pub struct LeaseTimesError {
    /// How long a row lives without a renewal.
    pub ttl: Duration,
    /// How long after the start of a renewal the next one starts.
    pub renew_every: Duration,
    /// How long after the start of the last successful renewal the work is cancelled.
    pub give_up_after: Duration,
}

impl LeaseTimes {
    /// How long a crashed holder keeps others out at most. From the design (updater), "Lease".
    pub const TTL: Duration = Duration::from_secs(60);
    /// Leaves room for one failed renewal before the work is given up. Same origin.
    pub const RENEW_EVERY: Duration = Duration::from_secs(20);
    /// Leaves the work a third of the row's life to notice that it is cancelled. Same origin.
    pub const GIVE_UP_AFTER: Duration = Duration::from_secs(40);

    /// A lease that lives for `ttl`, is renewed every `renew_every`, and whose work is cancelled
    /// when `give_up_after` passes without a successful renewal.
    ///
    /// # Errors
    /// [`LeaseTimesError`] unless `0 < renew_every < give_up_after < ttl`.
    pub fn try_new(
        ttl: Duration,
        renew_every: Duration,
        give_up_after: Duration,
    ) -> Result<Self, LeaseTimesError> {
        if renew_every.is_zero() || renew_every >= give_up_after || give_up_after >= ttl {
            return Err(LeaseTimesError { ttl, renew_every, give_up_after });
        }
        Ok(Self { ttl, renew_every, give_up_after })
    }

    /// How long a row lives without a renewal.
    pub const fn ttl(&self) -> Duration {
        self.ttl
    }

    /// How long after the start of a renewal the next one starts.
    pub const fn renew_every(&self) -> Duration {
        self.renew_every
    }

    /// How long after the start of the last successful renewal the work is cancelled.
    pub const fn give_up_after(&self) -> Duration {
        self.give_up_after
    }
}

impl Default for LeaseTimes {
    fn default() -> Self {
        Self { ttl: Self::TTL, renew_every: Self::RENEW_EVERY, give_up_after: Self::GIVE_UP_AFTER }
    }
}

/// One process as the holder of leases: `host:pid:id`.
///
/// The id is drawn when the owner is made, so that a process which comes back with the number of
/// a dead one (in a container it is always 1) is somebody else. Shown wherever a lease is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    text: String,
}

impl Owner {
    /// This process, under a new id. The program draws one at its start and logs it.
    pub fn draw() -> Self {
        let host = rustix::system::uname();
        let host = host.nodename().to_string_lossy();
        let id = Random::from_system().next_number();
        Self { text: format!("{host}:{}:{id:016x}", std::process::id()) }
    }

    /// The text that stands in a [`Lease`].
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_out_of_order_are_refused() {
        let [one, two, three] = [1, 2, 3].map(Duration::from_secs);
        assert!(LeaseTimes::try_new(three, one, two).is_ok());
        for (ttl, renew_every, give_up_after) in [
            (three, Duration::ZERO, two),
            (three, two, two),
            (three, two, one),
            (three, one, three),
            (two, one, three),
        ] {
            assert!(
                LeaseTimes::try_new(ttl, renew_every, give_up_after).is_err(),
                "{ttl:?} {renew_every:?} {give_up_after:?}"
            );
        }
        let default = LeaseTimes::default();
        let remade =
            LeaseTimes::try_new(default.ttl(), default.renew_every(), default.give_up_after());
        assert_eq!(remade, Ok(default));
    }

    #[test]
    fn an_owner_names_host_and_process_and_is_drawn_anew() {
        let (one, other) = (Owner::draw(), Owner::draw());
        assert_ne!(one, other);
        let mut parts = one.as_str().rsplitn(3, ':');
        assert_eq!(parts.next().map(str::len), Some(16));
        assert_eq!(parts.next(), Some(&*std::process::id().to_string()));
        assert!(parts.next().is_some_and(|host| !host.is_empty()));
    }
}
