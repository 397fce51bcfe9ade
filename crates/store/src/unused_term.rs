//! Removes shared texts that nothing uses any more.
//!
//! Nobody counts how often a text is used: that would be a write for every statement. So all that
//! uses any is read in one state, which keeps nobody waiting, once a day at most and only if
//! something was committed since; what is left over goes in slices.
//!
//! What would surprise: who commits may use a text again that was unused when it was looked for.
//! So every commit holds a lock that it shares with other commits, and a slice is removed only
//! while nobody holds it and everything is as it was read; otherwise the rest waits for the next
//! day. With SQLite there is one writer anyway, and only the second is asked.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};

use crate::retention::RETIRED_ROWS_MAX;
use crate::session::{Session, Value, values};
use crate::{Database, StoreError};

/// How often it is looked for texts that nothing uses: it reads every statement, and they are few.
const EVERY: SignedDuration = SignedDuration::from_hours(24);

/// The flag that says when it was looked last, and what was stored then.
const FLAG: &str = "unused_terms";

/// The row of `counter` that commits share, and that a slice has for itself.
const LOCK: &str = "term_use";

const DOING: &str = "removing unused texts";

/// Where texts are used: columns with a number each, and how many they are.
const USES: [(&str, usize); 2] = [
    ("SELECT DISTINCT remark, module, arches, platforms FROM affected", 4),
    ("SELECT DISTINCT informational, url_term FROM advisory", 2),
];

/// The same, with numbers between spaces.
const LISTS: [&str; 2] = [
    "SELECT DISTINCT cvss FROM advisory WHERE cvss IS NOT NULL",
    "SELECT DISTINCT cvss FROM nvd WHERE cvss IS NOT NULL",
];

/// Keeps texts from being removed until the transaction ends. If some were removed after it began,
/// that is a conflict, after which it is tried again.
pub(crate) fn share(session: &dyn Session) -> Result<(), StoreError> {
    let sql = "SELECT value FROM counter WHERE name = ?1 FOR SHARE";
    session.first("sharing texts", sql, values![LOCK], |_| Ok(())).map(|_| ())
}

impl Database {
    /// Removes texts that nothing uses, if it is time to look for them, and gives their number.
    pub(crate) fn retire_terms(&self, now: Timestamp) -> Result<u64, StoreError> {
        let state = state(&*self.session)?;
        let last = self.flag(FLAG)?.map(|flag| flag.value).unwrap_or_default();
        let (last_at, last_state) = last.split_once(' ').unwrap_or(("0", ""));
        let last_at = last_at.parse().unwrap_or(0);
        if last_state == state || now.as_second() - last_at < EVERY.as_secs() {
            return Ok(0);
        }
        let sql = "INSERT INTO counter (name, value) VALUES (?1, 0) ON CONFLICT DO NOTHING";
        if self.session.execute(DOING, sql, values![LOCK])? > 0 && self.server.is_some() {
            // A commit that began before does not hold it. None takes an hour.
            return Ok(0);
        }
        let (state, unused) = self.unused_terms()?;
        self.set_flag(FLAG, &format!("{} {state}", now.as_second()), None)?;
        let mut removed = 0;
        for ids in unused.chunks(RETIRED_ROWS_MAX) {
            match self.take_turn(DOING, |database| database.remove_terms(ids, &state))? {
                Some(count) => removed += count,
                None => break,
            }
        }
        Ok(removed)
    }

    /// The texts that nothing uses, with the state in which that is so.
    fn unused_terms(&self) -> Result<(String, Vec<i64>), StoreError> {
        let _hold = self.hold()?;
        let session = &*self.session;
        let mut used = HashSet::new();
        for (sql, column_count) in USES {
            session.stream(DOING, sql, &[], &mut |row| {
                for column in 0..column_count {
                    used.extend(row.optional_integer(column)?);
                }
                Ok(())
            })?;
        }
        for sql in LISTS {
            session.stream(DOING, sql, &[], &mut |row| {
                for id in row.text(0)?.split(' ') {
                    let id = id.parse::<i64>();
                    used.insert(id.map_err(|_| StoreError::damaged("scores of an advisory"))?);
                }
                Ok(())
            })?;
        }
        let mut unused = Vec::new();
        session.stream(DOING, "SELECT id FROM term ORDER BY id", &[], &mut |row| {
            unused.push(row.integer(0)?);
            Ok(())
        })?;
        unused.retain(|id| !used.contains(id));
        Ok((state(session)?, unused))
    }

    /// Removes texts, unless anything was committed since `before` or may be now.
    fn remove_terms(&self, ids: &[i64], before: &str) -> Result<Option<u64>, StoreError> {
        let session = &*self.session;
        let sql = "SELECT value FROM counter WHERE name = ?1 FOR UPDATE SKIP LOCKED";
        let lock = session.first(DOING, sql, values![LOCK], |_| Ok(()))?;
        if lock.is_none() || state(session)? != before {
            return Ok(None);
        }
        // Changes the row, so that who saw it before it was locked has a conflict.
        let sql = "UPDATE counter SET value = value + 1 WHERE name = ?1";
        session.execute(DOING, sql, values![LOCK])?;
        let sql = "DELETE FROM term WHERE id IN LIST(?1)";
        session.execute(DOING, sql, &[Value::Integers(ids)]).map(Some)
    }
}

/// Tells whether anything was committed between two looks.
fn state(session: &dyn Session) -> Result<String, StoreError> {
    let sql = "SELECT count(*), CAST(coalesce(sum(generation), 0) AS BIGINT) FROM part";
    session.one(DOING, sql, &[], |row| Ok(format!("{}.{}", row.integer(0)?, row.integer(1)?)))
}

#[cfg(test)]
mod tests {
    use pratique_model::PartId;

    use super::*;
    use crate::Access;
    use crate::conformance::on_server;
    use crate::conformance::sample::{advisory, at, commit, part};

    fn with_remark(remark: &str) -> pratique_model::Advisory {
        let mut advisory = advisory("CVE-2024-0001", "a", None);
        advisory.affected[0].remark = Some(remark.to_owned());
        advisory
    }

    fn remarks(database: &Database) -> Vec<String> {
        let sql = "SELECT text FROM term WHERE text LIKE 'remark %' ORDER BY text";
        database.session.all("listing", sql, &[], |row| row.string(0)).expect("texts")
    }

    #[test]
    fn a_text_is_not_removed_while_a_commit_may_use_it_again() {
        let Some(mut place) = on_server() else { return };
        let store = place.store.as_ref().expect("an address");
        let mut other = store.open(Access::ReadWrite).expect("another writer");
        let database = &mut place.database;
        commit(database, &part(), 1, &[with_remark("remark a")]).expect("a commit");
        commit(database, &part(), 2, &[with_remark("remark b")]).expect("a commit");
        assert_eq!(database.retire_terms(at(100)).expect("the lock is made"), 0);
        let parts = PartId::new("ubuntu", "ubuntu");
        commit(database, &parts, 3, &[]).expect("a part");
        other.session.begin("committing", crate::session::Mode::Write).expect("begun");
        let mut staging = crate::Staging::new(parts.clone(), None);
        staging.advisory(&with_remark("remark a"));
        let options = crate::conformance::sample::options(4);
        staging.finish().expect("staged");
        other.commit_finished(&mut staging, &options).expect("not yet committed");
        assert_eq!(database.retire_terms(at(100)).expect("a look"), 0, "somebody commits");
        other.session.commit("committing").expect("committed");
        assert_eq!(remarks(database), ["remark a", "remark b"]);
        commit(&mut other, &parts, 5, &[with_remark("remark c")]).expect("a commit");
        assert!(database.retire_terms(at(200)).expect("a look") > 0);
        assert_eq!(remarks(database), ["remark b", "remark c"]);
    }
}
