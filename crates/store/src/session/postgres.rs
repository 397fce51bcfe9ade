//! Speaks to PostgreSQL.
//!
//! One connection with a small runtime of its own, so that calls block like SQLite's. Every call
//! has a deadline; one that misses it, or whose connection is lost, leaves the session unusable,
//! and its connection is never used again.
//!
//! What would surprise: answers are read whole before the first row is handed out, since nothing
//! else can be asked on the connection until then; [`Session::stream`] reads by a cursor, some
//! thousand rows at a time.

mod connection;
mod copy;
mod listen;
mod value;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

use tokio_postgres::error::{DbError, Severity, SqlState};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row as PostgresRow, Statement};

use crate::StoreError;
use crate::session::dialect::{Dialect, translate};
use crate::session::{EachAnswer, EachRow, Mode, Row, RowSink, Session, Value};

pub(crate) use self::connection::{Link, Server};
use self::copy::CopySink;
use self::value::OwnedValue;
pub(super) use self::value::{any, blob, integer, real, text};

/// How many rows of a long answer are fetched at a time: one journey for each, a megabyte or less.
const FETCHED_ROWS: usize = 4_000;

/// How many prepared statements a connection keeps; it has fewer than this.
const STATEMENTS_MAX: usize = 512;

/// How many statements of a batch are on their way at a time.
const BATCH_ROWS: usize = 256;

/// A connection while it is used.
pub(crate) struct PostgresSession {
    /// Only [`Drop`] takes it out.
    link: Option<Link>,
    server: Server,
    statements: RefCell<HashMap<Box<str>, Statement>>,
    is_in_transaction: Cell<bool>,
    has_conflict: Cell<bool>,
    is_broken: Cell<bool>,
    cursor_count: Cell<u64>,
}

impl PostgresSession {
    /// Takes a connection from the pool, or makes one.
    pub(crate) fn open(server: &Server) -> Result<Self, StoreError> {
        let mut link = server.link()?;
        let statements = std::mem::take(&mut link.statements);
        Ok(Self {
            link: Some(link),
            server: server.clone(),
            statements: RefCell::new(statements),
            is_in_transaction: Cell::new(false),
            has_conflict: Cell::new(false),
            is_broken: Cell::new(false),
            cursor_count: Cell::new(0),
        })
    }

    fn link(&self) -> &Link {
        self.link.as_ref().expect("it is taken out only when the session is dropped")
    }

    /// Waits for an answer, at most as long as an answer may take.
    fn wait<T>(
        &self,
        doing: &'static str,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, StoreError> {
        if self.is_broken.get() {
            let lost = std::io::Error::new(
                std::io::ErrorKind::ConnectionAborted,
                "the connection was lost before",
            );
            return Err(StoreError::Statement { doing, source: Box::new(lost) });
        }
        match self.link().wait(answer) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                // Stays until the next transaction: after a conflict all else is refused.
                self.has_conflict.set(self.has_conflict.get() || is_conflict(&error));
                if is_fatal(&error) || self.link().client.is_closed() {
                    self.is_broken.set(true);
                }
                Err(StoreError::Statement { doing, source: Box::new(error) })
            }
            Err(late) => {
                self.is_broken.set(true);
                Err(StoreError::Statement { doing, source: Box::new(late) })
            }
        }
    }

    fn prepare(&self, doing: &'static str, sql: &str) -> Result<Statement, StoreError> {
        if let Some(statement) = self.statements.borrow().get(sql) {
            return Ok(statement.clone());
        }
        let text = translate(Dialect::Postgres, sql);
        let statement = self.wait(doing, self.link().client.prepare(&text))?;
        let mut statements = self.statements.borrow_mut();
        if statements.len() >= STATEMENTS_MAX {
            statements.clear();
        }
        statements.insert(sql.into(), statement.clone());
        Ok(statement)
    }

    fn rows(
        &self,
        doing: &'static str,
        sql: &str,
        values: &[Value<'_>],
    ) -> Result<Vec<PostgresRow>, StoreError> {
        let statement = self.prepare(doing, sql)?;
        self.wait(doing, self.link().client.query(&statement, &parameters(values)))
    }

    fn simple(&self, doing: &'static str, sql: &str) -> Result<(), StoreError> {
        self.wait(doing, self.link().client.batch_execute(sql))
    }

    /// Reads an answer by a cursor, which lives no longer than the transaction.
    fn fetch(
        &self,
        doing: &'static str,
        sql: &str,
        values: &[Value<'_>],
        each: &mut EachRow<'_>,
    ) -> Result<(), StoreError> {
        let number = self.cursor_count.get();
        self.cursor_count.set(number + 1);
        let question = translate(Dialect::Postgres, sql);
        let declare = format!("DECLARE cursor_{number} NO SCROLL CURSOR FOR {question}");
        let client = &self.link().client;
        self.wait(doing, client.execute(&declare, &parameters(values)))?;
        let fetch = format!("FETCH {FETCHED_ROWS} FROM cursor_{number}");
        let fetch = self.wait(doing, client.prepare(&fetch))?;
        loop {
            let rows = self.wait(doing, client.query(&fetch, &[]))?;
            for row in &rows {
                each(&Row::Postgres(row))?;
            }
            if rows.len() < FETCHED_ROWS {
                return self.simple(doing, &format!("CLOSE cursor_{number}"));
            }
        }
    }
}

impl Session for PostgresSession {
    fn query(
        &self,
        doing: &'static str,
        sql: &str,
        values: &[Value<'_>],
        each: &mut EachRow<'_>,
    ) -> Result<(), StoreError> {
        for row in &self.rows(doing, sql, values)? {
            each(&Row::Postgres(row))?;
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
        if self.is_in_transaction() {
            return self.fetch(doing, sql, values, each);
        }
        self.begin(doing, Mode::Read)?;
        let result = self.fetch(doing, sql, values, each);
        self.rollback();
        result
    }

    fn many(
        &self,
        doing: &'static str,
        sql: &str,
        values: &[Value<'_>],
        width: usize,
        each: &mut EachAnswer<'_>,
    ) -> Result<(), StoreError> {
        let statement = &self.prepare(doing, sql)?;
        let client = &self.link().client;
        let mut first = 0;
        for values in values.chunks(width * BATCH_ROWS) {
            let questions = values
                .chunks(width)
                .map(|values| async move { client.query(statement, &parameters(values)).await });
            let answers = self.wait(doing, in_order(questions.collect()))?;
            for (index, rows) in (first..).zip(&answers) {
                for row in rows {
                    each(index, &Row::Postgres(row))?;
                }
            }
            first += answers.len();
        }
        Ok(())
    }

    fn execute(
        &self,
        doing: &'static str,
        sql: &str,
        values: &[Value<'_>],
    ) -> Result<u64, StoreError> {
        let statement = self.prepare(doing, sql)?;
        self.wait(doing, self.link().client.execute(&statement, &parameters(values)))
    }

    fn batch<'a>(
        &'a self,
        doing: &'static str,
        sql: &str,
    ) -> Result<Box<dyn RowSink + 'a>, StoreError> {
        let statement = self.prepare(doing, sql)?;
        Ok(Box::new(BatchSink { session: self, doing, statement, waiting: Vec::new(), count: 0 }))
    }

    fn bulk<'a>(
        &'a self,
        doing: &'static str,
        table: &str,
        columns: &str,
    ) -> Result<Box<dyn RowSink + 'a>, StoreError> {
        let sql = format!("COPY {table} ({columns}) FROM STDIN (FORMAT binary)");
        Ok(Box::new(CopySink::new(self, doing, self.prepare(doing, &sql)?)))
    }

    fn begin(&self, doing: &'static str, mode: Mode) -> Result<(), StoreError> {
        if self.is_in_transaction() {
            let nested = std::io::Error::other("a transaction is open already");
            return Err(StoreError::Statement { doing, source: Box::new(nested) });
        }
        self.has_conflict.set(false);
        let sql = match mode {
            // It takes the state at the first question, which this is.
            Mode::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1",
            Mode::Write => "BEGIN ISOLATION LEVEL REPEATABLE READ",
            Mode::Brief => "BEGIN ISOLATION LEVEL READ COMMITTED",
        };
        self.is_in_transaction.set(true);
        let result = self.simple(doing, sql);
        if result.is_err() {
            self.rollback();
        }
        result
    }

    fn commit(&self, doing: &'static str) -> Result<(), StoreError> {
        let result = self.simple(doing, "COMMIT");
        if result.is_err() {
            self.rollback();
        }
        self.is_in_transaction.set(false);
        result
    }

    fn rollback(&self) {
        let is_open = self.is_in_transaction.replace(false) && !self.is_broken.get();
        if is_open && self.simple("taking back", "ROLLBACK").is_err() {
            self.is_broken.set(true);
        }
    }

    fn is_in_transaction(&self) -> bool {
        self.is_in_transaction.get()
    }

    fn has_conflict(&self) -> bool {
        self.has_conflict.get()
    }

    fn script(&self, doing: &'static str, sql: &str) -> Result<(), StoreError> {
        self.simple(doing, &translate(Dialect::Postgres, sql))
    }
}

impl Drop for PostgresSession {
    fn drop(&mut self) {
        let Some(mut link) = self.link.take() else { return };
        // A transaction that is open still ends with its connection: waiting is not for a drop,
        // which may happen on a thread that must not wait.
        if !self.is_broken.get() && !self.is_in_transaction() {
            link.statements = self.statements.take();
            self.server.give_back(link);
        }
    }
}

/// Makes one statement many times; several are on their way at once.
struct BatchSink<'a> {
    session: &'a PostgresSession,
    doing: &'static str,
    statement: Statement,
    waiting: Vec<Vec<OwnedValue>>,
    count: u64,
}

impl BatchSink<'_> {
    fn flush(&mut self) -> Result<(), StoreError> {
        let client = &self.session.link().client;
        let statement = &self.statement;
        let waiting = std::mem::take(&mut self.waiting);
        let answers = waiting
            .into_iter()
            .map(|values| async move { client.execute_raw(statement, values.iter()).await });
        let counts = self.session.wait(self.doing, in_order(answers.collect()))?;
        self.count += counts.into_iter().sum::<u64>();
        Ok(())
    }
}

impl RowSink for BatchSink<'_> {
    fn row(&mut self, values: &[Value<'_>]) -> Result<(), StoreError> {
        self.waiting.push(values.iter().map(OwnedValue::of).collect());
        if self.waiting.len() < BATCH_ROWS { Ok(()) } else { self.flush() }
    }

    fn finish(mut self: Box<Self>) -> Result<u64, StoreError> {
        self.flush()?;
        Ok(self.count)
    }
}

/// Sends all requests in order, then takes their answers in order: the server works on one while
/// the next is on its way. The first error is the result.
async fn in_order<T, E, F: Future<Output = Result<T, E>>>(requests: Vec<F>) -> Result<Vec<T>, E> {
    let mut requests: Vec<Pin<Box<F>>> = requests.into_iter().map(Box::pin).collect();
    let mut answers: Vec<Option<Result<T, E>>> = requests.iter().map(|_| None).collect();
    let mut next = 0;
    std::future::poll_fn(|context| {
        // A request is sent when it is first polled.
        for (request, answer) in requests.iter_mut().zip(&mut answers).skip(next) {
            if answer.is_none()
                && let Poll::Ready(ready) = request.as_mut().poll(context)
            {
                *answer = Some(ready);
            }
        }
        while answers.get(next).is_some_and(Option::is_some) {
            next += 1;
        }
        if next == answers.len() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    answers.into_iter().flatten().collect()
}

fn parameters<'a>(values: &'a [Value<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

/// Whether the connection is gone with an error: the server has ended it, or cannot be read.
fn is_fatal(error: &tokio_postgres::Error) -> bool {
    let severity = error.as_db_error().and_then(DbError::parsed_severity);
    error.as_db_error().is_none_or(|_| matches!(severity, Some(Severity::Fatal | Severity::Panic)))
}

fn is_conflict(error: &tokio_postgres::Error) -> bool {
    matches!(
        error.code(),
        Some(&SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED)
    )
}
