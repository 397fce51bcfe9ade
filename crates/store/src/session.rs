//! One way to speak to a database, for SQLite and for PostgreSQL.
//!
//! All SQL of this crate is written once and goes through [`Session`]; what the two databases spell
//! differently is translated by [`dialect`], whose prose lists the words to use. The
//! rules for writers of SQL:
//! - Parameters are `?1`, `?2`, …; numbers are always [`Value::Integer`] (columns are 64 bits
//!   wide), truth is 0 or 1 and is asked as `x <> 0`.
//! - A list is one parameter: `name IN LIST(?1)`, or as a table `FROM TEXTS(?1)` or
//!   `FROM INTEGERS(?1)`, which is called `list` and has one column, `value`. Never one statement
//!   for each item of a long list: with PostgreSQL every statement is a journey.
//! - What is written in numbers goes through [`Session::bulk`] (plain new rows) or
//!   [`Session::batch`] (any statement, many times).
//! - What answers more rows than fit into memory goes through [`Session::stream`].
//! - Upserts are `ON CONFLICT (…) DO UPDATE`; `INSERT OR …` is SQLite's alone. Sums and averages
//!   are cast (`CAST(sum(x) AS BIGINT)`), as PostgreSQL answers a wider type.
//! - Texts are ordered by their bytes in both.
//!
//! What would surprise: U+0000, which PostgreSQL does not store, becomes U+FFFD in every text that
//! is written or asked for, in both databases, so that they stay equal.

pub(crate) mod dialect;
pub(crate) mod postgres;
pub(crate) mod sqlite;

use std::borrow::Cow;

use jiff::Timestamp;

use crate::{StoreError, encoding};

/// A value to be written or compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Integer(i64),
    Real(f64),
    Text(&'a str),
    Blob(&'a [u8]),
    /// A list, for `LIST(?1)` and `INTEGERS(?1)`.
    Integers(&'a [i64]),
    /// A list, for `LIST(?1)` and `TEXTS(?1)`.
    Texts(&'a [&'a str]),
}

/// Makes a list of [`Value`]s from anything that becomes one.
macro_rules! values {
    ($($value:expr),* $(,)?) => { &[$($crate::session::Value::from($value)),*][..] };
}
pub(crate) use values;

/// One row of an answer. Columns are counted from 0; a column that is not what it is asked as is
/// [`StoreError::Damaged`].
pub(crate) enum Row<'a> {
    /// A row of SQLite.
    Sqlite(&'a rusqlite::Row<'a>),
    /// A row of PostgreSQL.
    Postgres(&'a tokio_postgres::Row),
}

/// Takes one row. An error ends the query and is its result.
pub(crate) type EachRow<'a> = dyn FnMut(&Row<'_>) -> Result<(), StoreError> + 'a;

/// Takes one row of the answer to the question of that index.
pub(crate) type EachAnswer<'a> = dyn FnMut(usize, &Row<'_>) -> Result<(), StoreError> + 'a;

/// What a transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// One state of everything, nothing is written.
    Read,
    /// One state of everything; what others changed meanwhile is a conflict and not overwritten.
    Write,
    /// A few statements that wait for a row's lock and must then see what its last holder wrote.
    Brief,
}

/// Takes many rows; they are written when it is finished, or before.
pub(crate) trait RowSink {
    /// Takes one row. An error may be of an earlier one.
    fn row(&mut self, values: &[Value<'_>]) -> Result<(), StoreError>;

    /// Writes what still waits and gives the number of rows written or changed.
    fn finish(self: Box<Self>) -> Result<u64, StoreError>;
}

/// A connection to one of the databases.
///
/// `doing` says in errors what was being done (`reading a part`). Statements are prepared once and
/// kept, so their texts must be few: never put a value into one.
pub(crate) trait Session: Send {
    /// Asks a question with a bounded answer. Other statements may be made while rows are taken.
    fn query(
        &self,
        doing: &'static str,
        sql: &str,
        values: &[Value<'_>],
        each: &mut EachRow<'_>,
    ) -> Result<(), StoreError>;

    /// Asks a question whose answer may be larger than memory. Other statements may be made while
    /// rows are taken. Outside a transaction it sees one state, as a transaction of its own.
    fn stream(
        &self,
        doing: &'static str,
        sql: &str,
        values: &[Value<'_>],
        each: &mut EachRow<'_>,
    ) -> Result<(), StoreError>;

    /// Asks one question many times, each with the next `width` of the values, and takes the
    /// answers in order; all of them go on one journey. For keys of several columns: those of one
    /// go through a list.
    fn many(
        &self,
        doing: &'static str,
        sql: &str,
        values: &[Value<'_>],
        width: usize,
        each: &mut EachAnswer<'_>,
    ) -> Result<(), StoreError>;

    /// Makes a statement and gives the number of rows that it touched.
    fn execute(
        &self,
        doing: &'static str,
        sql: &str,
        values: &[Value<'_>],
    ) -> Result<u64, StoreError>;

    /// Makes one statement for each row of values, in order; no lists.
    fn batch<'a>(
        &'a self,
        doing: &'static str,
        sql: &str,
    ) -> Result<Box<dyn RowSink + 'a>, StoreError>;

    /// Adds rows to a table; `columns` are their names with commas between. A row that is there
    /// already is an error. Other statements may be made before it is finished, but need not see
    /// its rows.
    fn bulk<'a>(
        &'a self,
        doing: &'static str,
        table: &str,
        columns: &str,
    ) -> Result<Box<dyn RowSink + 'a>, StoreError>;

    /// Begins a transaction.
    fn begin(&self, doing: &'static str, mode: Mode) -> Result<(), StoreError>;

    /// Ends a transaction and keeps what it wrote. After an error it is as after
    /// [`Session::rollback`], except that a lost connection leaves open which it was.
    fn commit(&self, doing: &'static str) -> Result<(), StoreError>;

    /// Ends a transaction and forgets what it wrote. Errors are not told: the connection is of no
    /// use then, and its next statement says so.
    fn rollback(&self);

    /// Whether a transaction is open.
    fn is_in_transaction(&self) -> bool;

    /// Whether the last error was a conflict with another writer, so that the same transaction may
    /// pass when it is tried again.
    fn has_conflict(&self) -> bool;

    /// Makes several statements without parameters, translated.
    fn script(&self, doing: &'static str, sql: &str) -> Result<(), StoreError>;

    /// The driver's own connection, if this is SQLite.
    fn sqlite(&self) -> Option<&rusqlite::Connection> {
        None
    }
}

impl dyn Session + '_ {
    /// The first row of an answer, made into a value; `None` when there is no row.
    pub(crate) fn first<T>(
        &self,
        doing: &'static str,
        sql: &str,
        values: &[Value<'_>],
        mut make: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let mut first = None;
        self.query(doing, sql, values, &mut |row| {
            if first.is_none() {
                first = Some(make(row)?);
            }
            Ok(())
        })?;
        Ok(first)
    }

    /// The only row of an answer that always has one, such as a count.
    pub(crate) fn one<T>(
        &self,
        doing: &'static str,
        sql: &str,
        values: &[Value<'_>],
        make: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let first = self.first(doing, sql, values, make)?;
        first.ok_or_else(|| StoreError::damaged(format!("{doing}: no row")))
    }

    /// All rows of an answer, each made into a value.
    pub(crate) fn all<T>(
        &self,
        doing: &'static str,
        sql: &str,
        values: &[Value<'_>],
        mut make: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut all = Vec::new();
        self.query(doing, sql, values, &mut |row| {
            all.push(make(row)?);
            Ok(())
        })?;
        Ok(all)
    }

    /// The database's time, which is the same for all who share it; in SQLite the machine's.
    pub(crate) fn now(&self) -> Result<Timestamp, StoreError> {
        let now = self.one("asking the time", "SELECT CLOCK()", &[], |row| row.integer(0))?;
        encoding::timestamp(now)
    }
}

impl<'a> Row<'a> {
    /// A number; truth counts as 0 or 1.
    pub(crate) fn integer(&self, column: usize) -> Result<i64, StoreError> {
        self.optional_integer(column)?.ok_or_else(|| unexpected(column, "no value"))
    }

    /// A number, if there is one.
    pub(crate) fn optional_integer(&self, column: usize) -> Result<Option<i64>, StoreError> {
        match self {
            Self::Sqlite(row) => sqlite::integer(row, column),
            Self::Postgres(row) => postgres::integer(row, column),
        }
    }

    /// A number that counts something.
    pub(crate) fn count(&self, column: usize) -> Result<u64, StoreError> {
        u64::try_from(self.integer(column)?).map_err(|_| unexpected(column, "a negative count"))
    }

    /// Whether a number is not 0.
    pub(crate) fn flag(&self, column: usize) -> Result<bool, StoreError> {
        Ok(self.integer(column)? != 0)
    }

    /// A time as microseconds since 1970 UTC, if there is one.
    pub(crate) fn optional_time(&self, column: usize) -> Result<Option<Timestamp>, StoreError> {
        self.optional_integer(column)?.map(encoding::timestamp).transpose()
    }

    /// Whatever there is.
    pub(crate) fn value(&self, column: usize) -> Result<Value<'a>, StoreError> {
        match self {
            Self::Sqlite(row) => sqlite::any(row, column),
            Self::Postgres(row) => postgres::any(row, column),
        }
    }

    /// A number with a fraction.
    pub(crate) fn real(&self, column: usize) -> Result<f64, StoreError> {
        match self {
            Self::Sqlite(row) => sqlite::real(row, column),
            Self::Postgres(row) => postgres::real(row, column),
        }
    }

    /// A text.
    pub(crate) fn text(&self, column: usize) -> Result<&'a str, StoreError> {
        self.optional_text(column)?.ok_or_else(|| unexpected(column, "no value"))
    }

    /// A text, if there is one.
    pub(crate) fn optional_text(&self, column: usize) -> Result<Option<&'a str>, StoreError> {
        match self {
            Self::Sqlite(row) => sqlite::text(row, column),
            Self::Postgres(row) => postgres::text(row, column),
        }
    }

    /// A text of one's own.
    pub(crate) fn string(&self, column: usize) -> Result<String, StoreError> {
        self.text(column).map(str::to_owned)
    }

    /// A text of one's own, if there is one.
    pub(crate) fn optional_string(&self, column: usize) -> Result<Option<String>, StoreError> {
        Ok(self.optional_text(column)?.map(str::to_owned))
    }

    /// Bytes.
    pub(crate) fn blob(&self, column: usize) -> Result<&'a [u8], StoreError> {
        self.optional_blob(column)?.ok_or_else(|| unexpected(column, "no value"))
    }

    /// Bytes, if there are any.
    pub(crate) fn optional_blob(&self, column: usize) -> Result<Option<&'a [u8]>, StoreError> {
        match self {
            Self::Sqlite(row) => sqlite::blob(row, column),
            Self::Postgres(row) => postgres::blob(row, column),
        }
    }
}

/// What a column holds instead of what was asked for.
fn unexpected(column: usize, what: &str) -> StoreError {
    StoreError::damaged(format!("column {column} of an answer: {what}"))
}

/// A text as both databases keep it: U+FFFD for U+0000.
pub(crate) fn storable(text: &str) -> Cow<'_, str> {
    if text.as_bytes().contains(&0) {
        Cow::Owned(text.replace('\0', "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

impl From<i64> for Value<'_> {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<u64> for Value<'_> {
    fn from(value: u64) -> Self {
        Self::Integer(value.cast_signed())
    }
}

impl From<u32> for Value<'_> {
    fn from(value: u32) -> Self {
        Self::Integer(value.into())
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Integer(value.into())
    }
}

impl From<f64> for Value<'_> {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<Timestamp> for Value<'_> {
    fn from(value: Timestamp) -> Self {
        Self::Integer(value.as_microsecond())
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(value)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(value: &'a [u8]) -> Self {
        Self::Blob(value)
    }
}

impl<'a> From<&'a [i64]> for Value<'a> {
    fn from(value: &'a [i64]) -> Self {
        Self::Integers(value)
    }
}

impl<'a> From<&'a [&'a str]> for Value<'a> {
    fn from(value: &'a [&'a str]) -> Self {
        Self::Texts(value)
    }
}

impl<'a, T> From<Option<T>> for Value<'a>
where
    Self: From<T>,
{
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Self::from)
    }
}

#[cfg(test)]
mod tests;
