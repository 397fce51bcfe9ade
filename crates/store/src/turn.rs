//! Writers of images take turns.
//!
//! What images share (packages, sets, counts of sets) is looked up and then written; two that did
//! so at once would make the same package twice, or give a set to an image while it is being
//! removed.
//! On SQLite there is one writer anyway. On PostgreSQL a turn begins with the lock of one row, and
//! every statement after it sees what the turn before wrote. Readers, and whoever writes advisories
//! or findings, do not wait.

use crate::session::{Mode, values};
use crate::{Database, StoreError};

/// How often a turn is taken when the database ends it for the sake of another transaction, as it
/// may when a schema is brought forward meanwhile.
const TRIES_MAX: u32 = 5;

impl Database {
    /// Does several things as one, while nobody else writes images.
    pub(crate) fn take_turn<T>(
        &self,
        doing: &'static str,
        work: impl Fn(&Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut tries = 1;
        loop {
            self.session.begin(doing, Mode::Brief)?;
            let result = self.lock_turn(doing).and_then(|()| work(self));
            let result = match result {
                Ok(value) => self.session.commit(doing).map(|()| value),
                Err(error) => {
                    self.session.rollback();
                    Err(error)
                }
            };
            if result.is_ok() || !self.session.has_conflict() || tries == TRIES_MAX {
                return result;
            }
            tries += 1;
        }
    }

    fn lock_turn(&self, doing: &'static str) -> Result<(), StoreError> {
        let sql = "SELECT value FROM counter WHERE name = 'image' FOR UPDATE";
        self.session.one(doing, sql, &[], |_| Ok(()))
    }

    /// The first of `count` new numbers for rows of a table that is written in turns.
    pub(crate) fn numbers_from(&self, table: &str, count: usize) -> Result<i64, StoreError> {
        let doing = "numbering rows";
        let sql = "UPDATE counter SET value = value + ?2 WHERE name = ?1";
        self.session.execute(doing, sql, values![table, count as u64])?;
        let sql = "SELECT value FROM counter WHERE name = ?1";
        let last = self.session.one(doing, sql, values![table], |row| row.integer(0))?;
        Ok(last - count as i64 + 1)
    }
}
