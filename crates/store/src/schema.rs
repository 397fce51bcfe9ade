//! Brings the tables to the form that this program knows, one numbered step after the other.
//!
//! Each step is one transaction and is written down with the hash of its text, so that a database
//! that went another way is noticed. A newer program may add to the schema without locking older
//! ones out: only `min_compatible` decides who may still use it. Steps are written for SQLite;
//! [`postgres_text`] says what they become for PostgreSQL.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::session::{Mode, Row, Session, values};
use crate::{StoreError, roll};

/// Marks a SQLite file as ours: `prtq` as four ASCII bytes.
const APPLICATION_ID: i64 = 0x7072_7471;

/// The steps, in order; the number of a step is its place, from 1. A step that was released is
/// never edited.
const MIGRATIONS: &[Migration] = &[
    Migration::new(1, include_str!("../migrations/0001_advisories.sql")),
    Migration::new(2, include_str!("../migrations/0002_coordination.sql")),
    Migration::new(2, include_str!("../migrations/0003_images.sql")),
    Migration {
        after: Some(roll::make_all),
        ..Migration::new(4, include_str!("../migrations/0004_roll.sql"))
    },
    Migration::new(5, include_str!("../migrations/0005_hashes.sql")),
    Migration::new(5, include_str!("../migrations/0006_runtime.sql")),
    Migration::new(5, include_str!("../migrations/0007_renamed.sql")),
    Migration::new(5, include_str!("../migrations/0008_node_index.sql")),
    Migration::new(5, include_str!("../migrations/0009_change_order.sql")),
];

/// The oldest schema that can be read without bringing it forward: the one with the images, which
/// readers ask for beside the advisories.
const READABLE_MIN: u32 = 3;

const BOOTSTRAP: &str = "
CREATE TABLE migration (
  version INTEGER PRIMARY KEY,
  checksum TEXT NOT NULL,
  min_compatible INTEGER NOT NULL
) STRICT;";

struct Migration {
    /// The oldest program, named by the newest step it knows, that can use the database after this.
    min_compatible: u32,
    sql: &'static str,
    /// What else belongs to the step and cannot be said in SQL.
    after: Option<After>,
}

type After = fn(&dyn Session) -> Result<(), StoreError>;

impl Migration {
    const fn new(min_compatible: u32, sql: &'static str) -> Self {
        Self { min_compatible, sql, after: None }
    }
}

/// The newest step that this program knows.
pub(crate) fn known_version() -> u32 {
    u32::try_from(MIGRATIONS.len()).expect("a handful of steps")
}

/// Refuses databases that are not ours or too new, and with `may_migrate` takes the missing steps.
/// `path` is what errors call the database.
pub(crate) fn prepare(
    session: &dyn Session,
    path: &Path,
    may_migrate: bool,
) -> Result<(), StoreError> {
    let found = version(session, path)?;
    if may_migrate {
        return if found < known_version() { migrate(session, path) } else { Ok(()) };
    }
    if found >= READABLE_MIN {
        return Ok(());
    }
    Err(StoreError::Older { path: path.to_owned(), found, needed: READABLE_MIN })
}

/// The driver's refusal, as an operator would say it.
pub(crate) fn open_error(path: &Path, source: rusqlite::Error) -> StoreError {
    match source.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => StoreError::Foreign { path: path.to_owned() },
        _ => StoreError::Open { path: path.to_owned(), source: Box::new(source) },
    }
}

/// Whether a database is ours; one that holds nothing is nobody's yet, so `false`.
fn is_ours(session: &dyn Session, path: &Path) -> Result<bool, StoreError> {
    let doing = "reading the schema";
    let foreign = || StoreError::Foreign { path: path.to_owned() };
    let count = |sql: &str| session.one(doing, sql, &[], |row| row.integer(0));
    let Some(connection) = session.sqlite() else {
        // One question, as somebody else may be making the tables between two.
        let sql = "SELECT (SELECT count(*) FROM pg_catalog.pg_attribute \
                   WHERE attrelid = to_regclass('migration') \
                   AND attname IN ('version', 'checksum', 'min_compatible')), \
                   (SELECT count(*) FROM pg_catalog.pg_class \
                   WHERE relnamespace = current_schema()::regnamespace \
                   AND relkind IN ('r', 'p'))";
        let counts = |row: &Row<'_>| Ok((row.integer(0)?, row.integer(1)?));
        return match session.one(doing, sql, &[], counts)? {
            (3, _) => Ok(true),
            (_, 0) => Ok(false),
            _ => Err(foreign()),
        };
    };
    let application: i64 = connection
        .query_row("PRAGMA application_id", [], |row| row.get(0))
        .map_err(|source| open_error(path, source))?;
    match application {
        APPLICATION_ID => Ok(true),
        0 if count("SELECT count(*) FROM sqlite_schema")? == 0 => Ok(false),
        _ => Err(foreign()),
    }
}

/// The newest step that was taken, 0 in an empty database.
pub(crate) fn version(session: &dyn Session, path: &Path) -> Result<u32, StoreError> {
    if !is_ours(session, path)? {
        return Ok(0);
    }
    let known = known_version();
    let mut found = 0;
    let doing = "reading the schema's version";
    let sql = "SELECT version, checksum, min_compatible FROM migration ORDER BY version";
    session.query(doing, sql, &[], &mut |row| {
        let number = |column| {
            let number = row.integer(column)?;
            u32::try_from(number).map_err(|_| StoreError::damaged(format!("version {number}")))
        };
        let (version, needed) = (number(0)?, number(2)?);
        if needed > known {
            return Err(StoreError::Newer { path: path.to_owned(), needed, known });
        }
        let own = version.checked_sub(1).and_then(|index| MIGRATIONS.get(index as usize));
        let checksum = row.text(1)?;
        if own.is_some_and(|own| checksum_of(&text_for(session, own.sql)) != checksum) {
            return Err(StoreError::Migration { path: path.to_owned(), version });
        }
        found = version;
        Ok(())
    })?;
    Ok(found)
}

/// Takes the missing steps. Whoever else wants to waits, and then finds them taken.
fn migrate(session: &dyn Session, path: &Path) -> Result<(), StoreError> {
    let doing = "bringing the schema forward";
    loop {
        session.begin(doing, Mode::Brief)?;
        match step(session, path) {
            Ok(is_last) => {
                session.commit(doing)?;
                if is_last {
                    return Ok(());
                }
            }
            Err(error) => {
                session.rollback();
                return Err(error);
            }
        }
    }
}

/// Takes one step and says whether there is no other.
fn step(session: &dyn Session, path: &Path) -> Result<bool, StoreError> {
    let doing = "bringing the schema forward";
    if session.sqlite().is_none() {
        // For this transaction only. The number is ours by convention and means nothing.
        session.script(doing, &format!("SELECT pg_advisory_xact_lock({APPLICATION_ID})"))?;
    }
    let found = version(session, path)?;
    let Some(migration) = MIGRATIONS.get(found as usize) else { return Ok(true) };
    if found == 0 {
        session.script(doing, &text_for(session, BOOTSTRAP))?;
        if session.sqlite().is_some() {
            session.script(doing, &format!("PRAGMA application_id = {APPLICATION_ID}"))?;
        }
    }
    let text = text_for(session, migration.sql);
    session.script(doing, &text)?;
    if let Some(after) = migration.after {
        after(session)?;
    }
    session.execute(
        doing,
        "INSERT INTO migration (version, checksum, min_compatible) VALUES (?1, ?2, ?3)",
        values![found + 1, &checksum_of(&text), migration.min_compatible],
    )?;
    Ok(found + 1 == known_version())
}

fn text_for(session: &dyn Session, sql: &str) -> String {
    if session.sqlite().is_some() { sql.to_owned() } else { postgres_text(sql) }
}

/// A step's text for PostgreSQL: 64-bit columns, texts ordered by their bytes, numbers given to
/// rows that come without, and no foreign keys, which SQLite's driver does not check either: they
/// would lock the shared rows that every commit refers to.
fn postgres_text(sql: &str) -> String {
    let mut text = String::new();
    for line in sql.lines().filter(|line| !line.trim_start().starts_with("--")) {
        let line = match line.split_once(" REFERENCES ") {
            Some((before, after)) => {
                let rest = after.split_once(')').map_or("", |(_, rest)| rest);
                format!("{before}{rest}")
            }
            None => line.to_owned(),
        };
        text.push_str(&line);
        text.push('\n');
    }
    let words = [
        (") STRICT, WITHOUT ROWID;", ");"),
        (") STRICT;", ");"),
        // A unique index holds no text of more than 2,700 bytes; see `term.rs` for what keeps
        // these unique.
        (
            "text TEXT NOT NULL UNIQUE\n);",
            "text TEXT NOT NULL\n);\nCREATE INDEX term_text ON term USING hash (text);",
        ),
        (" INTEGER PRIMARY KEY", " BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"),
        (" INTEGER", " BIGINT"),
        (" TEXT", " TEXT COLLATE \"C\""),
        (" REAL", " DOUBLE PRECISION"),
        (" BLOB", " BYTEA"),
    ];
    for (word, meaning) in words {
        text = text.replace(word, meaning);
    }
    text
}

fn checksum_of(text: &str) -> String {
    use std::fmt::Write as _;
    let mut checksum = String::new();
    for byte in Sha256::digest(text.as_bytes()) {
        write!(checksum, "{byte:02x}").expect("writing to a string cannot fail");
    }
    checksum
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use crate::session::sqlite::SqliteSession;

    use super::*;

    fn memory() -> SqliteSession {
        SqliteSession::new(Connection::open_in_memory().expect("memory"), None)
    }

    #[test]
    fn preparing_twice_changes_nothing() {
        let session = memory();
        prepare(&session, Path::new("x"), true).expect("new");
        prepare(&session, Path::new("x"), true).expect("again");
        prepare(&session, Path::new("x"), false).expect("reading");
    }

    #[test]
    fn a_newer_schema_is_refused_only_if_it_says_so() {
        let session = memory();
        prepare(&session, Path::new("x"), true).expect("new");
        let newer = known_version() + 1;
        let add = |version: u32, needed: u32| {
            let insert = "INSERT INTO migration VALUES (?1, 'sum', ?2)";
            session.execute("adding", insert, values![version, needed]).expect("a step");
        };
        add(newer, known_version());
        prepare(&session, Path::new("x"), true).expect("still compatible");
        add(newer + 1, newer);
        let error = prepare(&session, Path::new("x"), false).expect_err("too new");
        assert!(matches!(error, StoreError::Newer { needed, .. } if needed == newer), "{error}");
    }

    #[test]
    fn advisories_of_before_there_were_rolls_are_on_them() {
        let session = memory();
        let path = Path::new("x");
        while version(&session, path).expect("a version") < 3 {
            assert!(!step(&session, path).expect("a step"));
        }
        let sql = "INSERT INTO source VALUES (1, 's'); INSERT INTO part (id, source, name) \
                   VALUES (1, 1, 'p'); INSERT INTO advisory (id, part, name, state, match_hash, \
                   text_hash) VALUES (1, 1, 'A', 0, 10, 11), (2, 1, 'B', 1, 20, 21), \
                   (3, 1, 'C', 2, 30, 31)";
        session.script("adding", sql).expect("advisories");
        prepare(&session, path, true).expect("brought forward");
        let mut found = Vec::new();
        let take = |listed: roll::Listed| {
            found.push((listed.id, listed.hashes.matching, listed.hashes.text));
            Ok(())
        };
        roll::Roll::of(&session, 1).expect("a roll").each(take).expect("entries");
        found.sort_unstable();
        assert_eq!(found, [(1, 10, 11), (2, 20, 21)], "only what the feed has");
    }

    #[test]
    fn a_step_that_was_edited_is_noticed() {
        let session = memory();
        prepare(&session, Path::new("x"), true).expect("new");
        session.script("editing", "UPDATE migration SET checksum = 'other'").expect("edit");
        let error = prepare(&session, Path::new("x"), true).expect_err("noticed");
        assert!(matches!(error, StoreError::Migration { version: 1, .. }), "{error}");
    }

    #[test]
    fn another_programs_file_is_left_alone() {
        let session = memory();
        session.script("making", "CREATE TABLE t (a)").expect("a table");
        let error = prepare(&session, Path::new("x"), true).expect_err("not ours");
        assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
    }

    #[test]
    fn an_empty_file_cannot_be_read_but_can_be_prepared() {
        let session = memory();
        let error = prepare(&session, Path::new("x"), false).expect_err("empty");
        assert!(matches!(error, StoreError::Older { found: 0, .. }), "{error}");
    }

    #[test]
    fn a_step_becomes_one_for_postgresql() {
        let sql = "-- A comment.\nCREATE TABLE t (\n  id INTEGER PRIMARY KEY,\n  \
                   part INTEGER NOT NULL REFERENCES part (id),\n  name TEXT,\n  b BLOB\n\
                   ) STRICT, WITHOUT ROWID;\n";
        let expected = "CREATE TABLE t (\n  id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY \
                        KEY,\n  part BIGINT NOT NULL,\n  name TEXT COLLATE \"C\",\n  b BYTEA\n);\n";
        assert_eq!(postgres_text(sql), expected);
    }
}
