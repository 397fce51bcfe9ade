//! Speaks to SQLite.
//!
//! Rows are borrowed from SQLite's own memory and nothing is copied on the way, as matching reads
//! tens of thousands of them. One process at a time writes: SQLite sees to that, for each
//! transaction, and a lock file beside the database tells the others who it is.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ErrorCode, ToSql};

use crate::StoreError;
use crate::error::Doing as _;
use crate::lock::WriterLock;
use crate::session::dialect::{Dialect, translate};
use crate::session::{
    EachAnswer, EachRow, Mode, Row, RowSink, Session, Value, storable, unexpected,
};

/// A connection to a file, or to memory.
pub(crate) struct SqliteSession {
    connection: Connection,
    path: Option<PathBuf>,
    /// Says who writes, while a transaction that writes is open.
    lock: RefCell<Option<WriterLock>>,
    texts: RefCell<HashMap<Box<str>, Arc<str>>>,
}

#[cfg(test)]
thread_local! {
    static ASKED: RefCell<std::collections::BTreeSet<(&'static str, Arc<str>)>> =
        RefCell::default();
}

/// What was asked in this thread, and what for.
#[cfg(test)]
pub(crate) fn asked() -> std::collections::BTreeSet<(&'static str, Arc<str>)> {
    ASKED.take()
}

impl SqliteSession {
    /// Takes over a connection to the file at `path`, or to memory.
    pub(crate) fn new(connection: Connection, path: Option<PathBuf>) -> Self {
        Self { connection, path, lock: RefCell::default(), texts: RefCell::default() }
    }

    fn prepare(&self, doing: &'static str, sql: &str) -> Result<CachedStatement<'_>, StoreError> {
        let known = self.texts.borrow().get(sql).cloned();
        let text = known.unwrap_or_else(|| {
            let text: Arc<str> = translate(Dialect::Sqlite, sql).into();
            #[cfg(test)]
            ASKED.with_borrow_mut(|asked| asked.insert((doing, Arc::clone(&text))));
            self.texts.borrow_mut().insert(sql.into(), Arc::clone(&text));
            text
        });
        self.connection.prepare_cached(&text).doing(doing)
    }

    /// Names whoever writes, when that is why a statement cannot be made.
    fn refused(&self, doing: &'static str, error: rusqlite::Error) -> StoreError {
        let is_busy = matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
        );
        match &self.path {
            Some(path) if is_busy => {
                StoreError::Locked { path: path.clone(), holder: WriterLock::holder(path) }
            }
            _ => StoreError::Statement { doing, source: Box::new(error) },
        }
    }
}

impl Session for SqliteSession {
    fn query(
        &self,
        doing: &'static str,
        sql: &str,
        values: &[Value<'_>],
        each: &mut EachRow<'_>,
    ) -> Result<(), StoreError> {
        let mut statement = self.prepare(doing, sql)?;
        bind(&mut statement, values).doing(doing)?;
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(|error| self.refused(doing, error))? {
            each(&Row::Sqlite(row))?;
        }
        Ok(())
    }

    fn stream(
        &self,
        doing: &'static str,
        sql: &str,
        values: &[Value<'_>],
        each: &mut EachRow<'_>,
    ) -> Result<(), StoreError> {
        // SQLite makes its rows while they are taken, and one statement sees one state.
        self.query(doing, sql, values, each)
    }

    fn many(
        &self,
        doing: &'static str,
        sql: &str,
        values: &[Value<'_>],
        width: usize,
        each: &mut EachAnswer<'_>,
    ) -> Result<(), StoreError> {
        let mut statement = self.prepare(doing, sql)?;
        for (index, values) in values.chunks(width).enumerate() {
            bind(&mut statement, values).doing(doing)?;
            let mut rows = statement.raw_query();
            while let Some(row) = rows.next().map_err(|error| self.refused(doing, error))? {
                each(index, &Row::Sqlite(row))?;
            }
        }
        Ok(())
    }

    fn execute(
        &self,
        doing: &'static str,
        sql: &str,
        values: &[Value<'_>],
    ) -> Result<u64, StoreError> {
        let mut statement = self.prepare(doing, sql)?;
        bind(&mut statement, values).doing(doing)?;
        let count = statement.raw_execute().map_err(|error| self.refused(doing, error))?;
        Ok(count as u64)
    }

    fn batch<'a>(
        &'a self,
        doing: &'static str,
        sql: &str,
    ) -> Result<Box<dyn RowSink + 'a>, StoreError> {
        let statement = self.prepare(doing, sql)?;
        Ok(Box::new(SqliteSink { session: self, doing, statement, count: 0 }))
    }

    fn bulk<'a>(
        &'a self,
        doing: &'static str,
        table: &str,
        columns: &str,
    ) -> Result<Box<dyn RowSink + 'a>, StoreError> {
        let places: Vec<String> =
            (1..=columns.split(',').count()).map(|number| format!("?{number}")).collect();
        let places = places.join(", ");
        self.batch(doing, &format!("INSERT INTO {table} ({columns}) VALUES ({places})"))
    }

    fn begin(&self, doing: &'static str, mode: Mode) -> Result<(), StoreError> {
        match mode {
            Mode::Read => {
                self.connection.execute_batch("BEGIN DEFERRED").doing(doing)?;
                // SQLite takes the state at the first read, not at BEGIN.
                let state =
                    self.connection.query_row("SELECT count(*) FROM migration", [], |_| Ok(()));
                if let Err(error) = state {
                    self.rollback();
                    return Err(self.refused(doing, error));
                }
            }
            Mode::Write | Mode::Brief => {
                self.connection
                    .execute_batch("BEGIN IMMEDIATE")
                    .map_err(|error| self.refused(doing, error))?;
                if let Some(path) = &self.path {
                    *self.lock.borrow_mut() = WriterLock::take(path);
                }
            }
        }
        Ok(())
    }

    fn commit(&self, doing: &'static str) -> Result<(), StoreError> {
        let result = self.connection.execute_batch("COMMIT");
        if result.is_err() {
            self.rollback();
        }
        self.lock.borrow_mut().take();
        result.map_err(|error| self.refused(doing, error))
    }

    fn rollback(&self) {
        if !self.connection.is_autocommit() {
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        self.lock.borrow_mut().take();
    }

    fn is_in_transaction(&self) -> bool {
        !self.connection.is_autocommit()
    }

    fn has_conflict(&self) -> bool {
        // Whoever writes has waited for all others before it began.
        false
    }

    fn script(&self, doing: &'static str, sql: &str) -> Result<(), StoreError> {
        self.connection
            .execute_batch(&translate(Dialect::Sqlite, sql))
            .map_err(|error| self.refused(doing, error))
    }

    fn sqlite(&self) -> Option<&Connection> {
        Some(&self.connection)
    }
}

struct SqliteSink<'a> {
    session: &'a SqliteSession,
    doing: &'static str,
    statement: CachedStatement<'a>,
    count: u64,
}

impl RowSink for SqliteSink<'_> {
    fn row(&mut self, values: &[Value<'_>]) -> Result<(), StoreError> {
        bind(&mut self.statement, values).doing(self.doing)?;
        let count = self.statement.raw_execute();
        self.count += count.map_err(|error| self.session.refused(self.doing, error))? as u64;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<u64, StoreError> {
        Ok(self.count)
    }
}

fn bind(statement: &mut CachedStatement<'_>, values: &[Value<'_>]) -> Result<(), rusqlite::Error> {
    for (index, value) in values.iter().enumerate() {
        statement.raw_bind_parameter(index + 1, value)?;
    }
    Ok(())
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>, rusqlite::Error> {
        Ok(match self {
            Self::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Self::Integer(value) => ToSqlOutput::Borrowed(ValueRef::Integer(*value)),
            Self::Real(value) => ToSqlOutput::Borrowed(ValueRef::Real(*value)),
            Self::Text(text) => match storable(text) {
                std::borrow::Cow::Borrowed(text) => {
                    ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes()))
                }
                std::borrow::Cow::Owned(text) => {
                    ToSqlOutput::Owned(rusqlite::types::Value::Text(text))
                }
            },
            Self::Blob(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
            Self::Integers(list) => json_list(list.iter().map(ToString::to_string)),
            Self::Texts(list) => json_list(
                list.iter()
                    .map(|text| serde_json::Value::String(storable(text).into_owned()).to_string()),
            ),
        })
    }
}

/// A list as `json_each` takes one.
fn json_list(items: impl Iterator<Item = String>) -> ToSqlOutput<'static> {
    let mut list = "[".to_owned();
    for item in items {
        if list.len() > 1 {
            list.push(',');
        }
        list.push_str(&item);
    }
    list.push(']');
    ToSqlOutput::Owned(rusqlite::types::Value::Text(list))
}

pub(super) fn integer(row: &rusqlite::Row<'_>, column: usize) -> Result<Option<i64>, StoreError> {
    match value(row, column)? {
        ValueRef::Null => Ok(None),
        ValueRef::Integer(value) => Ok(Some(value)),
        _ => Err(unexpected(column, "no number")),
    }
}

pub(super) fn real(row: &rusqlite::Row<'_>, column: usize) -> Result<f64, StoreError> {
    match value(row, column)? {
        ValueRef::Real(value) => Ok(value),
        _ => Err(unexpected(column, "no number with a fraction")),
    }
}

pub(super) fn text<'a>(
    row: &'a rusqlite::Row<'_>,
    column: usize,
) -> Result<Option<&'a str>, StoreError> {
    match value(row, column)? {
        ValueRef::Null => Ok(None),
        ValueRef::Text(bytes) => {
            let text = std::str::from_utf8(bytes);
            text.map(Some).map_err(|_| unexpected(column, "a text that is not UTF-8"))
        }
        _ => Err(unexpected(column, "no text")),
    }
}

pub(super) fn blob<'a>(
    row: &'a rusqlite::Row<'_>,
    column: usize,
) -> Result<Option<&'a [u8]>, StoreError> {
    match value(row, column)? {
        ValueRef::Null => Ok(None),
        ValueRef::Blob(bytes) => Ok(Some(bytes)),
        _ => Err(unexpected(column, "no bytes")),
    }
}

pub(super) fn any<'a>(row: &'a rusqlite::Row<'_>, column: usize) -> Result<Value<'a>, StoreError> {
    Ok(match value(row, column)? {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => Value::Integer(value),
        ValueRef::Real(value) => Value::Real(value),
        ValueRef::Text(_) => text(row, column)?.map_or(Value::Null, Value::Text),
        ValueRef::Blob(bytes) => Value::Blob(bytes),
    })
}

fn value<'a>(row: &'a rusqlite::Row<'_>, column: usize) -> Result<ValueRef<'a>, StoreError> {
    row.get_ref(column).doing("reading a row")
}
