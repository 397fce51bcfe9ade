//! Carries a whole database elsewhere: from SQLite to PostgreSQL and back, into a backup, out of
//! one.
//!
//! Everything is read in one state and written in one transaction; rows keep their numbers, are
//! counted on both sides, and who reads the target sees all of them or none. Leases stay behind:
//! nobody holds anything in the new place.
//!
//! A backup is a SQLite file under zstd with its checksum, of either database: the schema says its
//! version, a damaged one is refused by zstd before a row is read, and one that was unpacked by
//! hand can be opened like any other. PostgreSQL's is made by carrying it into such a file,
//! SQLite's by SQLite's own online backup.
//!
//! What would surprise: what is written to the old place while or after it is carried stays there.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;

use rusqlite::Connection;
use rusqlite::backup::Backup;

use crate::error::Doing as _;
use crate::session::{Mode, Session, values};
use crate::{Access, Database, Store, StoreError, schema};

/// Tables that are not carried: the schema's own, which the target has, and who holds what.
const LEFT_BEHIND: [&str; 2] = ["migration", "lease"];

/// Tables that have rows in an empty database; they are replaced.
const SEEDED: &str = "counter";

/// How hard a backup is compressed: a third of the size at the speed of a disk.
const COMPRESSION_LEVEL: i32 = 3;

/// What a zstd frame begins with (RFC 8878, section 3.1.1).
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// How many rows a table has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableCount {
    /// The table.
    pub name: String,
    /// Its rows.
    pub row_count: u64,
}

/// How large a table is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSize {
    /// The table.
    pub name: String,
    /// Its rows.
    pub row_count: u64,
    /// What it takes with its indexes, in bytes; pages that are free for reuse are nobody's.
    pub size_bytes: u64,
}

/// A table with its columns, those of its key first in the order of the key.
struct Table {
    name: String,
    columns: Vec<String>,
    key: Vec<String>,
}

impl Database {
    /// Every table with its size, the largest first. Counts all rows, so it takes a while on a
    /// large database.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub fn table_sizes(&self) -> Result<Vec<TableSize>, StoreError> {
        let doing = "measuring";
        let sql = if self.session.sqlite().is_some() {
            "SELECT coalesce(CAST(sum(pgsize) AS INTEGER), 0) FROM dbstat \
             JOIN sqlite_schema ON sqlite_schema.name = dbstat.name \
             WHERE tbl_name = ?1 AND aggregate = TRUE"
        } else {
            "SELECT pg_total_relation_size(CAST(CAST(?1 AS TEXT) AS regclass))"
        };
        let mut sizes = Vec::new();
        for Table { name, .. } in tables()? {
            let row_count = count(&*self.session, &name)?;
            let size_bytes = self.session.one(doing, sql, values![&name], |row| row.count(0))?;
            sizes.push(TableSize { name, row_count, size_bytes });
        }
        sizes.sort_by(|left, right| {
            right.size_bytes.cmp(&left.size_bytes).then_with(|| left.name.cmp(&right.name))
        });
        Ok(sizes)
    }
}

/// Carries everything from one place to another, which must be empty and is made if it is missing.
/// The old place is not changed. Gives the rows of each table.
///
/// # Errors
/// [`StoreError::NotEmpty`] when the target holds anything; [`StoreError::Older`] when the old
/// place was never opened for writing by this program, so that it lacks tables;
/// [`StoreError::Incomplete`] when rows were lost on the way. The target is then as it was. Those
/// of [`Store::open`] and [`StoreError::Statement`].
pub fn move_database(from: &Store, to: &Store) -> Result<Vec<TableCount>, StoreError> {
    let source = from.open(Access::ReadOnly)?;
    let target = to.open(Access::ReadWrite)?;
    carry(&source, &target, &to.to_string())
}

/// Writes a backup of everything to a file, which is replaced only when the backup is whole.
/// Others may write meanwhile; the backup has the state of its beginning.
///
/// # Errors
/// [`StoreError::File`] when the file cannot be written; those of [`move_database`].
pub fn backup(from: &Store, file: &Path) -> Result<Vec<TableCount>, StoreError> {
    let folder = temporary_beside(file)?;
    let plain = folder.path().join("backup.sqlite");
    let source = from.open(Access::ReadOnly)?;
    let counts = match source.session.sqlite() {
        Some(connection) => {
            let mut copy = Connection::open(&plain).doing("making a backup")?;
            // All pages in one step are of one state, and writers go on in the log.
            let copied = Backup::new(connection, &mut copy).and_then(|backup| backup.step(-1));
            copied.doing("making a backup")?;
            copy.pragma_update(None, "journal_mode", "DELETE").doing("making a backup")?;
            drop(copy);
            counts(&*Database::open(&plain, Access::ReadOnly)?.session)?
        }
        None => {
            let target = Database::open(&plain, Access::ReadWrite)?;
            let counts = carry(&source, &target, &plain.display().to_string())?;
            let merge = "PRAGMA journal_mode = DELETE";
            target.session.query("making a backup", merge, &[], &mut |_| Ok(()))?;
            counts
        }
    };
    let packed = folder.path().join("backup.zst");
    pack(&plain, &packed).and_then(|()| std::fs::rename(&packed, file)).map_err(unwritten(file))?;
    Ok(counts)
}

/// Fills an empty place from a backup (or from a plain SQLite file of ours).
///
/// # Errors
/// [`StoreError::File`] when the file cannot be read or is damaged; those of [`move_database`].
pub fn restore(file: &Path, to: &Store) -> Result<Vec<TableCount>, StoreError> {
    let mut input = File::open(file).map(BufReader::new).map_err(unwritten(file))?;
    let mut magic = [0; 4];
    let is_packed = input.read_exact(&mut magic).is_ok() && magic == ZSTD_MAGIC;
    if !is_packed {
        return move_database(&Store::file(file), to);
    }
    let folder = tempfile::tempdir().map_err(unwritten(file))?;
    let plain = folder.path().join("backup.sqlite");
    unpack(file, &plain).map_err(unwritten(file))?;
    move_database(&Store::file(&plain), to)
}

fn pack(plain: &Path, packed: &Path) -> std::io::Result<()> {
    let mut encoder = zstd::Encoder::new(BufWriter::new(File::create(packed)?), COMPRESSION_LEVEL)?;
    encoder.include_checksum(true)?;
    std::io::copy(&mut File::open(plain)?, &mut encoder)?;
    let mut output = encoder.finish()?;
    output.flush()?;
    output.get_ref().sync_all()
}

fn unpack(packed: &Path, plain: &Path) -> std::io::Result<()> {
    let mut decoder = zstd::Decoder::new(File::open(packed)?)?;
    std::io::copy(&mut decoder, &mut File::create(plain)?).map(|_| ())
}

/// Writes all rows of one database into another, in one transaction.
fn carry(source: &Database, target: &Database, shown: &str) -> Result<Vec<TableCount>, StoreError> {
    let doing = "carrying a database";
    let version = schema::version(&*source.session, Path::new("the source"))?;
    if version < schema::known_version() {
        let needed = schema::known_version();
        return Err(StoreError::Older { path: shown.into(), found: version, needed });
    }
    let _hold = source.hold()?;
    target.session.begin(doing, Mode::Write)?;
    let result = carry_tables(&*source.session, &*target.session, shown)
        .and_then(|counts| target.session.commit(doing).map(|()| counts));
    if result.is_err() {
        target.session.rollback();
    }
    result
}

fn carry_tables(
    source: &dyn Session,
    target: &dyn Session,
    shown: &str,
) -> Result<Vec<TableCount>, StoreError> {
    let doing = "carrying a table";
    let tables = tables()?;
    for Table { name, .. } in tables.iter().filter(|table| table.name != SEEDED) {
        if count(target, name)? > 0 {
            return Err(StoreError::NotEmpty { store: shown.to_owned(), table: name.clone() });
        }
    }
    target.execute(doing, &format!("DELETE FROM {SEEDED}"), &[])?;
    let mut counts = Vec::new();
    for Table { name, columns, key } in tables {
        let list = columns.join(", ");
        let select = format!("SELECT {list} FROM {name} ORDER BY {}", key.join(", "));
        let mut rows = target.bulk(doing, &name, &list)?;
        source.stream(doing, &select, &[], &mut |row| {
            let mut values = Vec::with_capacity(columns.len());
            for column in 0..columns.len() {
                values.push(row.value(column)?);
            }
            rows.row(&values)
        })?;
        rows.finish()?;
        let (expected, row_count) = (count(source, &name)?, count(target, &name)?);
        if expected != row_count {
            return Err(StoreError::Incomplete { table: name, expected, found: row_count });
        }
        if target.sqlite().is_none() && columns.iter().any(|column| column == "\"id\"") {
            go_on_after(target, &name)?;
        }
        counts.push(TableCount { name, row_count });
    }
    Ok(counts)
}

/// Lets PostgreSQL give numbers after those that were carried, where it gives any.
fn go_on_after(target: &dyn Session, table: &str) -> Result<(), StoreError> {
    let doing = "numbering rows";
    let sql = "SELECT pg_get_serial_sequence(?1, 'id') IS NOT NULL";
    if !target.one(doing, sql, values![table], |row| row.flag(0))? {
        return Ok(());
    }
    let sql = format!(
        "SELECT setval(pg_get_serial_sequence('{table}', 'id'), \
         (SELECT coalesce(max(id), 0) + 1 FROM {table}), false)"
    );
    target.one(doing, &sql, &[], |_| Ok(()))
}

/// All tables that are carried, as an empty database of this program has them.
fn tables() -> Result<Vec<Table>, StoreError> {
    let empty = Database::in_memory()?;
    let doing = "reading the schema";
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    let names = empty.session.all(doing, sql, &[], |row| row.string(0))?;
    let mut tables = Vec::new();
    for name in names {
        if LEFT_BEHIND.contains(&&*name) || name.starts_with("sqlite_") {
            continue;
        }
        let sql = "SELECT '\"' || name || '\"', pk FROM pragma_table_info(?1) ORDER BY cid";
        let columns = empty
            .session
            .all(doing, sql, values![&name], |row| Ok((row.string(0)?, row.integer(1)?)))?;
        let mut key: Vec<_> = columns.iter().filter(|(_, place)| *place > 0).collect();
        key.sort_by_key(|(_, place)| *place);
        let key = key.into_iter().map(|(column, _)| column.clone()).collect();
        let columns = columns.into_iter().map(|(column, _)| column).collect();
        tables.push(Table { name, columns, key });
    }
    Ok(tables)
}

fn counts(session: &dyn Session) -> Result<Vec<TableCount>, StoreError> {
    let mut counts = Vec::new();
    for Table { name, .. } in tables()? {
        counts.push(TableCount { row_count: count(session, &name)?, name });
    }
    Ok(counts)
}

fn count(session: &dyn Session, table: &str) -> Result<u64, StoreError> {
    session.one("counting rows", &format!("SELECT count(*) FROM {table}"), &[], |row| row.count(0))
}

/// A folder for what is not whole yet, on the same disk as the file that it becomes.
fn temporary_beside(file: &Path) -> Result<tempfile::TempDir, StoreError> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    tempfile::Builder::new().prefix(".backup-").tempdir_in(folder).map_err(unwritten(file))
}

fn unwritten(file: &Path) -> impl Fn(std::io::Error) -> StoreError + '_ {
    |source| StoreError::File { path: file.to_owned(), source }
}

#[cfg(test)]
mod tests;
