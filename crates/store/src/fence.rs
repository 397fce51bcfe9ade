//! Transactions, and the leases that fence them off.
//!
//! Who holds a lease may write what the lease is for. A holder that was stopped for too long does
//! not know that it is one no more; so the lease is looked at within the transaction, when it
//! begins and once more before it ends.
//!
//! What would surprise: with PostgreSQL the second look is another connection's, because the
//! transaction itself sees the state of its beginning. That connection keeps the row from being
//! changed until the transaction has ended, which takes a moment; were it to look and let go, the
//! lease could change hands in between.

use pratique_clockwork::lease::Lease;

use crate::session::postgres::PostgresSession;
use crate::session::{Mode, Session, values};
use crate::{Database, StoreError};

/// How often a transaction is begun that meets the writes of others: each time one of them has got
/// further.
const TRIES_MAX: u32 = 10;

/// Finds a lease that is still as its holder knows it.
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
    /// `work` sees one state of everything. It is done again, up to ten times, when it meets the
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
        let result = check(&*self.session, HELD_AT_FIRST, fence)
            .map_err(E::from)
            .and_then(|()| work(self))
            .and_then(|value| self.keep(doing, fence).map(|()| value).map_err(E::from));
        if result.is_err() {
            self.session.rollback();
        }
        result
    }

    /// Ends a transaction if its lease is still held.
    fn keep(&self, doing: &'static str, fence: Option<&Lease>) -> Result<(), StoreError> {
        match (fence, &self.server) {
            (Some(_), Some(server)) => {
                let witness = PostgresSession::open(server)?;
                witness.begin(doing, Mode::Brief)?;
                check(&witness, HELD, fence)?;
                let result = self.session.commit(doing);
                witness.rollback();
                result
            }
            _ => {
                check(&*self.session, HELD, fence)?;
                self.session.commit(doing)
            }
        }
    }
}

fn check(session: &dyn Session, held: &str, fence: Option<&Lease>) -> Result<(), StoreError> {
    let Some(Lease { name, owner, token, .. }) = fence else { return Ok(()) };
    let found =
        session.first("checking a lease", held, values![name, owner, *token], |_| Ok(()))?;
    found.ok_or_else(|| StoreError::LeaseLost {
        name: name.clone(),
        owner: owner.clone(),
        token: *token,
    })
}
