//! Transactions, and the leases that fence them off.
//!
//! Who holds a lease may write what the lease is for. A holder that was stopped for too long does
//! not know that it is one no more; so the lease is looked at within the transaction, when it
//! begins and once more before it ends.
//!
//! What would surprise: with SQLite there is no second look. Nobody can take a lease over while a
//! transaction writes, nor renew one; so the time of the transaction does not count, and its end
//! moves the lease's expiry by as much. With PostgreSQL the second look is another connection's,
//! because the transaction itself sees the state of its beginning. That connection keeps the row
//! from being changed until the transaction has ended, which takes a moment; were it to look and
//! let go, the lease could change hands in between.

use jiff::Timestamp;
use pratique_clockwork::lease::Lease;

use crate::session::postgres::PostgresSession;
use crate::session::{Mode, Session, values};
use crate::{Database, StoreError};

/// How often a transaction is begun that meets the writes of others. Each time one of them has got
/// further, and of three that write all the time any has a chance of a third: to lose as often as
/// this is as likely as one in six hundred million.
const TRIES_MAX: u32 = 50;

/// Finds a lease that is still as its holder knows it, and keeps it so.
const HELD: &str = "SELECT token FROM lease \
                    WHERE name = ?1 AND owner = ?2 AND token = ?3 AND expires_at > CLOCK() \
                    FOR SHARE";

/// The same, in a transaction that must not wait for a renewal.
const HELD_AT_FIRST: &str = "SELECT token FROM lease \
                             WHERE name = ?1 AND owner = ?2 AND token = ?3 \
                             AND expires_at > CLOCK()";

impl Database {
    /// Does several things as one: all of what `work` writes is kept, or nothing.
    ///
    /// `work` sees one state of everything. It is done again, up to fifty times, when it meets the
    /// writes of somebody else, so it must leave nothing behind outside the database. With a
    /// `fence`, that lease must be held from beginning to end. Within a transaction it is part of
    /// that one.
    ///
    /// # Errors
    /// What `work` gives; [`StoreError::LeaseLost`], after which the work is somebody else's;
    /// [`StoreError::Locked`] and others that [`StoreError::is_transient`] knows, after which
    /// nothing was written, unless the connection was lost while the transaction ended.
    pub fn transaction<T, E: From<StoreError>>(
        &self,
        fence: Option<&Lease>,
        work: impl FnMut(&Self) -> Result<T, E>,
    ) -> Result<T, E> {
        self.in_transaction("writing", fence, work)
    }

    /// [`Self::transaction`], which says in errors what was being done.
    pub(crate) fn in_transaction<T, E: From<StoreError>>(
        &self,
        doing: &'static str,
        fence: Option<&Lease>,
        mut work: impl FnMut(&Self) -> Result<T, E>,
    ) -> Result<T, E> {
        self.require_writer()?;
        if self.session.is_in_transaction() {
            check(&*self.session, HELD_AT_FIRST, fence)?;
            return work(self);
        }
        let mut tries = 1;
        loop {
            let result = self.attempt(doing, fence, &mut work);
            if result.is_err() {
                self.terms.borrow_mut().clear();
            }
            if result.is_ok() || !self.session.has_conflict() || tries == TRIES_MAX {
                return result;
            }
            tries += 1;
        }
    }

    fn attempt<T, E: From<StoreError>>(
        &self,
        doing: &'static str,
        fence: Option<&Lease>,
        work: &mut impl FnMut(&Self) -> Result<T, E>,
    ) -> Result<T, E> {
        self.session.begin(doing, Mode::Write)?;
        let result = self
            .enter(fence)
            .map_err(E::from)
            .and_then(|began_at| Ok((began_at, work(self)?)))
            .and_then(|(began_at, value)| {
                self.keep(doing, fence, began_at).map(|()| value).map_err(E::from)
            });
        if result.is_err() {
            self.session.rollback();
        }
        result
    }

    /// Checks the lease of a transaction that has just begun, and says when that was.
    fn enter(&self, fence: Option<&Lease>) -> Result<Option<Timestamp>, StoreError> {
        if fence.is_none() {
            return Ok(None);
        }
        let began_at = self.session.now()?;
        check(&*self.session, HELD_AT_FIRST, fence)?;
        Ok(Some(began_at))
    }

    /// Ends a transaction if its lease is still held.
    fn keep(
        &self,
        doing: &'static str,
        fence: Option<&Lease>,
        began_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        match (fence, &self.server) {
            (Some(_), Some(server)) => {
                let witness = PostgresSession::open(server)?;
                witness.begin(doing, Mode::Brief)?;
                check(&witness, HELD, fence)?;
                let result = self.session.commit(doing);
                witness.rollback();
                result
            }
            (Some(lease), None) => {
                prolong(&*self.session, lease, began_at)?;
                self.session.commit(doing)
            }
            (None, _) => self.session.commit(doing),
        }
    }
}

/// Gives a lease back the time that a transaction of SQLite took.
fn prolong(
    session: &dyn Session,
    lease: &Lease,
    began_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    let Lease { name, owner, token, .. } = lease;
    let sql = "UPDATE lease SET expires_at = expires_at + max(CLOCK() - ?4, 0) \
               WHERE name = ?1 AND owner = ?2 AND token = ?3";
    match session.execute("prolonging a lease", sql, values![name, owner, *token, began_at])? {
        0 => Err(lost(lease)),
        _ => Ok(()),
    }
}

fn check(session: &dyn Session, held: &str, fence: Option<&Lease>) -> Result<(), StoreError> {
    let Some(lease) = fence else { return Ok(()) };
    let Lease { name, owner, token, .. } = lease;
    let found =
        session.first("checking a lease", held, values![name, owner, *token], |_| Ok(()))?;
    found.ok_or_else(|| lost(lease))
}

fn lost(lease: &Lease) -> StoreError {
    StoreError::LeaseLost {
        name: lease.name.clone(),
        owner: lease.owner.clone(),
        token: lease.token,
    }
}
