//! Adds rows by `COPY … FROM STDIN (FORMAT binary)`.
//!
//! Rows are gathered to about a megabyte and then sent as one COPY, so that nothing is open on the
//! connection in between and other statements can be made while rows are gathered.

use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::SinkExt as _;
use tokio_postgres::{CopyInSink, Statement};

use super::PostgresSession;
use crate::StoreError;
use crate::session::{RowSink, Value, storable};

/// How many bytes of rows make one COPY.
const COPY_BYTES: usize = 1 << 20;

/// What begins every copy: signature, no flags, no extension (PostgreSQL manual, *COPY*, *Binary
/// Format*).
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// What ends it, in place of a row's number of fields.
const TRAILER: i16 = -1;

/// Stands for the length of a field that has no value.
const NO_VALUE: i32 = -1;

pub(super) struct CopySink<'a> {
    session: &'a PostgresSession,
    doing: &'static str,
    statement: Statement,
    bytes: BytesMut,
    count: u64,
}

impl<'a> CopySink<'a> {
    pub(super) fn new(
        session: &'a PostgresSession,
        doing: &'static str,
        statement: Statement,
    ) -> Self {
        Self { session, doing, statement, bytes: BytesMut::new(), count: 0 }
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        self.bytes.put_i16(TRAILER);
        let bytes = self.bytes.split().freeze();
        let client = &self.session.link().client;
        let statement = &self.statement;
        self.count += self.session.wait(self.doing, async move {
            let sink: CopyInSink<Bytes> = client.copy_in(statement).await?;
            let mut sink = std::pin::pin!(sink);
            sink.send(bytes).await?;
            sink.finish().await
        })?;
        Ok(())
    }
}

impl RowSink for CopySink<'_> {
    fn row(&mut self, values: &[Value<'_>]) -> Result<(), StoreError> {
        if self.bytes.is_empty() {
            self.bytes.put_slice(HEADER);
        }
        self.bytes.put_i16(i16::try_from(values.len()).expect("a table has few columns"));
        for value in values {
            push(&mut self.bytes, value)?;
        }
        if self.bytes.len() < COPY_BYTES { Ok(()) } else { self.flush() }
    }

    fn finish(mut self: Box<Self>) -> Result<u64, StoreError> {
        self.flush()?;
        Ok(self.count)
    }
}

fn push(bytes: &mut BytesMut, value: &Value<'_>) -> Result<(), StoreError> {
    match value {
        Value::Integer(value) => {
            bytes.put_i32(8);
            bytes.put_i64(*value);
            Ok(())
        }
        Value::Real(value) => {
            bytes.put_i32(8);
            bytes.put_f64(*value);
            Ok(())
        }
        Value::Text(text) => push_bytes(bytes, storable(text).as_bytes()),
        Value::Blob(blob) => push_bytes(bytes, blob),
        Value::Null | Value::Integers(_) | Value::Texts(_) => {
            bytes.put_i32(NO_VALUE);
            Ok(())
        }
    }
}

fn push_bytes(bytes: &mut BytesMut, field: &[u8]) -> Result<(), StoreError> {
    let length = i32::try_from(field.len());
    let length = length.map_err(|_| StoreError::damaged("a value of more than 2 GiB"))?;
    bytes.put_i32(length);
    bytes.put_slice(field);
    Ok(())
}
