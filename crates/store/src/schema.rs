//! Brings the tables to the form that this program knows, one numbered step after the other.
//!
//! Each step is one transaction and is written down with the hash of its text, so that a file that
//! went another way is noticed. A newer program may add to the schema without locking older ones
//! out: only `min_compatible` decides who may still use the file.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior, params};
use sha2::{Digest as _, Sha256};

use crate::StoreError;
use crate::error::Doing as _;

/// Marks a SQLite file as ours: `prtq` as four ASCII bytes.
const APPLICATION_ID: i64 = 0x7072_7471;

/// The steps, in order; the number of a step is its place, from 1. A step that was released is
/// never edited.
const MIGRATIONS: &[Migration] =
    &[Migration { min_compatible: 1, sql: include_str!("../migrations/0001_advisories.sql") }];

/// The oldest schema that can be read without bringing it forward.
const READABLE_MIN: u32 = 1;

const BOOTSTRAP: &str = "
CREATE TABLE migration (
  version INTEGER PRIMARY KEY,
  checksum TEXT NOT NULL,
  min_compatible INTEGER NOT NULL
) STRICT;";

struct Migration {
    /// The oldest program, named by the newest step it knows, that can use the file after this.
    min_compatible: u32,
    sql: &'static str,
}

/// The newest step that this program knows.
pub(crate) fn known_version() -> u32 {
    u32::try_from(MIGRATIONS.len()).expect("a handful of steps")
}

/// Refuses files that are not ours or too new, and with `may_migrate` takes the missing steps.
pub(crate) fn prepare(
    connection: &mut Connection,
    path: &Path,
    may_migrate: bool,
) -> Result<(), StoreError> {
    let application: i64 = connection
        .query_row("PRAGMA application_id", [], |row| row.get(0))
        .map_err(|source| open_error(path, source))?;
    let mut found = None;
    if application == APPLICATION_ID {
        found = Some(version(connection, path)?);
    } else if application != 0 || !is_empty(connection)? {
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    if may_migrate {
        return migrate(connection, path, found.unwrap_or(0));
    }
    match found {
        Some(found) if found >= READABLE_MIN => Ok(()),
        found => Err(StoreError::Older {
            path: path.to_owned(),
            found: found.unwrap_or(0),
            needed: READABLE_MIN,
        }),
    }
}

/// The driver's refusal, as an operator would say it.
pub(crate) fn open_error(path: &Path, source: rusqlite::Error) -> StoreError {
    match source.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => StoreError::Foreign { path: path.to_owned() },
        _ => StoreError::Open { path: path.to_owned(), source: Box::new(source) },
    }
}

fn is_empty(connection: &Connection) -> Result<bool, StoreError> {
    connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))
        .map(|count| count == 0)
        .doing("reading the schema")
}

fn version(connection: &Connection, path: &Path) -> Result<u32, StoreError> {
    let known = known_version();
    let mut statement = connection
        .prepare("SELECT version, checksum, min_compatible FROM migration ORDER BY version")
        .doing("reading the schema's version")?;
    let rows = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .doing("reading the schema's version")?;
    let mut found = 0;
    for row in rows {
        let (version, checksum, needed): (u32, String, u32) =
            row.doing("reading the schema's version")?;
        if needed > known {
            return Err(StoreError::Newer { path: path.to_owned(), needed, known });
        }
        let own = version.checked_sub(1).and_then(|index| MIGRATIONS.get(index as usize));
        if own.is_some_and(|own| checksum_of(own) != checksum) {
            return Err(StoreError::Migration { path: path.to_owned(), version });
        }
        found = version;
    }
    Ok(found)
}

fn migrate(connection: &mut Connection, path: &Path, found: u32) -> Result<(), StoreError> {
    let doing = "bringing the schema forward";
    for (version, migration) in (1_u32..).zip(MIGRATIONS).skip(found as usize) {
        let tx = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|source| open_error(path, source))?;
        if version == 1 {
            tx.execute_batch(BOOTSTRAP).doing(doing)?;
            tx.pragma_update(None, "application_id", APPLICATION_ID).doing(doing)?;
        }
        tx.execute_batch(migration.sql).doing(doing)?;
        tx.execute(
            "INSERT INTO migration (version, checksum, min_compatible) VALUES (?1, ?2, ?3)",
            params![version, checksum_of(migration), migration.min_compatible],
        )
        .doing(doing)?;
        tx.commit().doing(doing)?;
    }
    Ok(())
}

fn checksum_of(migration: &Migration) -> String {
    use std::fmt::Write as _;
    let digest = Sha256::digest(migration.sql.as_bytes());
    digest.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> Connection {
        Connection::open_in_memory().expect("memory")
    }

    #[test]
    fn preparing_twice_changes_nothing() {
        let mut connection = memory();
        prepare(&mut connection, Path::new("x"), true).expect("new");
        prepare(&mut connection, Path::new("x"), true).expect("again");
        prepare(&mut connection, Path::new("x"), false).expect("reading");
    }

    #[test]
    fn a_newer_schema_is_refused_only_if_it_says_so() {
        let mut connection = memory();
        prepare(&mut connection, Path::new("x"), true).expect("new");
        let newer = known_version() + 1;
        let insert = "INSERT INTO migration VALUES (?1, 'sum', ?2)";
        connection.execute(insert, params![newer, known_version()]).expect("a later step");
        prepare(&mut connection, Path::new("x"), true).expect("still compatible");
        connection.execute(insert, params![newer + 1, newer]).expect("a step that excludes us");
        let error = prepare(&mut connection, Path::new("x"), false).expect_err("too new");
        assert!(matches!(error, StoreError::Newer { needed, .. } if needed == newer), "{error}");
    }

    #[test]
    fn a_step_that_was_edited_is_noticed() {
        let mut connection = memory();
        prepare(&mut connection, Path::new("x"), true).expect("new");
        connection.execute("UPDATE migration SET checksum = 'other'", []).expect("edit");
        let error = prepare(&mut connection, Path::new("x"), true).expect_err("noticed");
        assert!(matches!(error, StoreError::Migration { version: 1, .. }), "{error}");
    }

    #[test]
    fn another_programs_file_is_left_alone() {
        let mut connection = memory();
        connection.execute_batch("CREATE TABLE t (a)").expect("a table");
        let error = prepare(&mut connection, Path::new("x"), true).expect_err("not ours");
        assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
    }

    #[test]
    fn an_empty_file_cannot_be_read_but_can_be_prepared() {
        let mut connection = memory();
        let error = prepare(&mut connection, Path::new("x"), false).expect_err("empty");
        assert!(matches!(error, StoreError::Older { found: 0, .. }), "{error}");
    }
}
