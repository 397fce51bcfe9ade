//! A second connection, for what must not wait for the end of a transaction.
//!
//! Numbers of rows, releases and parts are shared by all who write. Were they made within a
//! part's transaction, whoever needed the same one would wait until it has ended. With PostgreSQL
//! they are made by a connection of their own and are there at once; if the transaction is then
//! given up, a number or a release that nothing refers to is left over. SQLite has one writer at a
//! time, who does it all in one transaction.

use crate::session::postgres::PostgresSession;
use crate::session::{Session, values};
use crate::{Database, StoreError};

/// Where shared rows are made.
pub(crate) enum Aside<'a> {
    /// In the transaction itself.
    Within(&'a dyn Session),
    /// By another connection.
    Apart(Box<PostgresSession>),
}

impl Aside<'_> {
    pub(crate) fn session(&self) -> &dyn Session {
        match self {
            Self::Within(session) => *session,
            Self::Apart(session) => &**session,
        }
    }
}

impl Database {
    /// Where rows are made that all writers share.
    pub(crate) fn aside(&self) -> Result<Aside<'_>, StoreError> {
        Ok(match &self.server {
            Some(server) => Aside::Apart(Box::new(PostgresSession::open(server)?)),
            None => Aside::Within(&*self.session),
        })
    }
}

/// Gives numbers to rows of one table, which are taken from its counter in blocks.
pub(crate) struct Numbers {
    table: &'static str,
    next: i64,
    end: i64,
}

/// How many numbers are taken at a time; what is left of a block is lost.
const BLOCK: i64 = 1_000;

impl Numbers {
    /// Of a table that has a row in `counter`.
    pub(crate) fn of(table: &'static str) -> Self {
        Self { table, next: 0, end: 0 }
    }

    /// A number that no row has.
    pub(crate) fn take(&mut self, aside: &Aside<'_>) -> Result<i64, StoreError> {
        if self.next == self.end {
            let sql = "UPDATE counter SET value = value + ?2 WHERE name = ?1 RETURNING value";
            let values = values![self.table, BLOCK];
            let last = aside.session().one("numbering rows", sql, values, |row| row.integer(0))?;
            self.end = last + 1;
            self.next = self.end - BLOCK;
        }
        self.next += 1;
        Ok(self.next - 1)
    }
}
