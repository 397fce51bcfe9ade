//! Small facts that outlive a process: what a room must know of its last life.

use jiff::Timestamp;
use pratique_clockwork::lease::Lease;

use crate::session::values;
use crate::{Database, StoreError};

/// A fact as it was last set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// What was set.
    pub value: String,
    /// When, by the database's clock.
    pub updated_at: Timestamp,
}

impl Database {
    /// The fact of this name; `None` when it was never set.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub fn flag(&self, name: &str) -> Result<Option<Flag>, StoreError> {
        let sql = "SELECT value, updated_at FROM flag WHERE name = ?1";
        self.session.first("reading a flag", sql, values![name], |row| {
            let updated_at = crate::encoding::timestamp(row.integer(1)?)?;
            Ok(Flag { value: row.string(0)?, updated_at })
        })
    }

    /// Sets a fact; within a transaction it is part of that one.
    ///
    /// # Errors
    /// Those of [`Self::transaction`]; [`StoreError::LeaseLost`] when there is a `fence` and its
    /// lease is not held.
    pub fn set_flag(
        &self,
        name: &str,
        value: &str,
        fence: Option<&Lease>,
    ) -> Result<(), StoreError> {
        let doing = "setting a flag";
        self.in_transaction(doing, fence, |database| {
            let sql = "INSERT INTO flag (name, value, updated_at) VALUES (?1, ?2, CLOCK()) \
                       ON CONFLICT (name) DO UPDATE SET value = excluded.value, \
                       updated_at = excluded.updated_at";
            database.session.execute(doing, sql, values![name, value]).map(|_| ())
        })
    }
}
