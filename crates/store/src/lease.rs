//! The rows of leases: who may do a piece of work, and until when.
//!
//! Each operation is one small transaction, and all times are the database's, so processes with
//! different clocks agree. What a lease fences off is in `fence.rs`; when a holder must do what is
//! decided by [`Tenure`](pratique_clockwork::lease::Tenure).

use std::time::Duration;

use jiff::Timestamp;
use pratique_clockwork::lease::{Lease, Owner};

use crate::session::{Mode, Row, values};
use crate::{Database, StoreError};

/// The longest life of a lease. A row that claims more is taken for free: it was written by a
/// machine whose clock was wrong (with SQLite the database's clock is the machine's), and nobody
/// could work until that time has come.
const LIFE_MAX: Duration = Duration::from_hours(1);

/// The answer to [`Database::acquire_lease`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acquisition {
    /// The lease is ours.
    Acquired(Lease),
    /// Somebody has it.
    Held {
        /// The lease as it is.
        lease: Lease,
        /// The time from the database's now to its expiry.
        remaining: Duration,
    },
}

impl Database {
    /// Takes a lease for `ttl` (at most an hour), if it is free or has expired. Its token is one
    /// more than the last holder's. That the same owner has it already makes no difference.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`]; [`StoreError::Locked`] and others that
    /// [`StoreError::is_transient`] knows. After a lost connection the lease may be ours without
    /// our knowing its token; it then expires.
    pub fn acquire_lease(
        &self,
        name: &str,
        owner: &Owner,
        ttl: Duration,
    ) -> Result<Acquisition, StoreError> {
        let doing = "acquiring a lease";
        self.briefly(doing, || {
            let sql = "INSERT INTO lease (name, owner, token, expires_at) \
                       VALUES (?1, ?2, 1, CLOCK() + ?3) \
                       ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, \
                       token = lease.token + 1, expires_at = excluded.expires_at \
                       WHERE lease.expires_at <= CLOCK() OR lease.expires_at > CLOCK() + ?4 \
                       RETURNING name, owner, token, expires_at";
            let values = values![name, owner.as_str(), micros(ttl), micros(LIFE_MAX)];
            if let Some(lease) = self.session.first(doing, sql, values, read)? {
                return Ok(Acquisition::Acquired(lease));
            }
            let sql = "SELECT name, owner, token, expires_at, expires_at - CLOCK() \
                       FROM lease WHERE name = ?1";
            self.session.one(doing, sql, values![name], |row| {
                let remaining = u64::try_from(row.integer(4)?).unwrap_or(0);
                let remaining = Duration::from_micros(remaining);
                Ok(Acquisition::Held { lease: read(row)?, remaining })
            })
        })
    }

    /// Gives a lease that is held `ttl` (at most an hour) from now on.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when it has expired or is another's, even if it is free;
    /// otherwise those of [`Self::acquire_lease`].
    pub fn renew_lease(&self, lease: &Lease, ttl: Duration) -> Result<Lease, StoreError> {
        let doing = "renewing a lease";
        let Lease { name, owner, token, .. } = lease;
        let renewed = self.briefly(doing, || {
            let sql = "UPDATE lease SET expires_at = CLOCK() + ?4 \
                       WHERE name = ?1 AND owner = ?2 AND token = ?3 AND expires_at > CLOCK() \
                       RETURNING name, owner, token, expires_at";
            self.session.first(doing, sql, values![name, owner, *token, micros(ttl)], read)
        })?;
        renewed.ok_or_else(|| StoreError::LeaseLost {
            name: name.clone(),
            owner: owner.clone(),
            token: *token,
        })
    }

    /// Gives a lease back. Says whether it was still ours; when it was not, nothing changes.
    ///
    /// # Errors
    /// Those of [`Self::acquire_lease`]; the lease then expires.
    pub fn release_lease(&self, lease: &Lease) -> Result<bool, StoreError> {
        let doing = "releasing a lease";
        let Lease { name, owner, token, .. } = lease;
        let count = self.briefly(doing, || {
            // The row stays, so that its token goes on growing.
            let sql = "UPDATE lease SET expires_at = 0 \
                       WHERE name = ?1 AND owner = ?2 AND token = ?3 AND expires_at > CLOCK()";
            self.session.execute(doing, sql, values![name, owner, *token])
        })?;
        Ok(count > 0)
    }

    /// The leases that are held now, by name.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub fn leases(&self) -> Result<Vec<Lease>, StoreError> {
        let sql = "SELECT name, owner, token, expires_at FROM lease \
                   WHERE expires_at > CLOCK() AND expires_at <= CLOCK() + ?1 ORDER BY name";
        self.session.all("listing leases", sql, values![micros(LIFE_MAX)], read)
    }

    /// The database's time, which is the same for all who share it; with SQLite the machine's.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub fn now(&self) -> Result<Timestamp, StoreError> {
        self.session.now()
    }

    /// Does a few statements as one transaction that waits for others and sees what they wrote.
    fn briefly<T>(
        &self,
        doing: &'static str,
        work: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.require_writer()?;
        self.session.begin(doing, Mode::Brief)?;
        match work() {
            Ok(value) => self.session.commit(doing).map(|()| value),
            Err(error) => {
                self.session.rollback();
                Err(error)
            }
        }
    }
}

fn read(row: &Row<'_>) -> Result<Lease, StoreError> {
    Ok(Lease {
        name: row.string(0)?,
        owner: row.string(1)?,
        token: row.count(2)?,
        expires_at: crate::encoding::timestamp(row.integer(3)?)?,
    })
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.min(LIFE_MAX).as_micros()).expect("an hour fits")
}

#[cfg(test)]
mod tests;
