//! Values on their way to PostgreSQL and back.

use std::error::Error;

use bytes::BytesMut;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::StoreError;
use crate::session::{Value, storable, unexpected};

/// A value that waits to be sent.
#[derive(Debug)]
pub(super) enum OwnedValue {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

impl OwnedValue {
    /// A copy of a value; a list, which no batch has, counts as nothing.
    pub(super) fn of(value: &Value<'_>) -> Self {
        match value {
            Value::Null | Value::Integers(_) | Value::Texts(_) => Self::Null,
            Value::Integer(value) => Self::Integer(*value),
            Value::Real(value) => Self::Real(*value),
            Value::Text(text) => Self::Text((*text).to_owned()),
            Value::Blob(bytes) => Self::Blob(bytes.to_vec()),
        }
    }

    fn as_value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Integer(value) => Value::Integer(*value),
            Self::Real(value) => Value::Real(*value),
            Self::Text(text) => Value::Text(text),
            Self::Blob(bytes) => Value::Blob(bytes),
        }
    }
}

impl ToSql for OwnedValue {
    fn to_sql(
        &self,
        postgres_type: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.as_value().to_sql(postgres_type, out)
    }

    fn accepts(postgres_type: &Type) -> bool {
        Value::accepts(postgres_type)
    }

    to_sql_checked!();
}

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        postgres_type: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Integer(value) => integer_to_sql(*value, postgres_type, out),
            Self::Real(value) => value.to_sql(postgres_type, out),
            Self::Text(text) => storable(text).as_ref().to_sql(postgres_type, out),
            Self::Blob(bytes) => bytes.to_sql(postgres_type, out),
            Self::Integers(list) => list.to_sql(postgres_type, out),
            Self::Texts(list) => {
                let list: Vec<_> = list.iter().map(|text| storable(text)).collect();
                let list: Vec<&str> = list.iter().map(AsRef::as_ref).collect();
                list.to_sql(postgres_type, out)
            }
        }
    }

    fn accepts(postgres_type: &Type) -> bool {
        [
            Type::INT8,
            Type::INT4,
            Type::INT2,
            Type::BOOL,
            Type::FLOAT8,
            Type::TEXT,
            Type::VARCHAR,
            Type::BYTEA,
            Type::INT8_ARRAY,
            Type::TEXT_ARRAY,
        ]
        .contains(postgres_type)
    }

    to_sql_checked!();
}

/// Sends a number as whatever PostgreSQL has found the parameter to be; a length is an INTEGER, a
/// column of ours a BIGINT.
fn integer_to_sql(
    value: i64,
    postgres_type: &Type,
    out: &mut BytesMut,
) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
    match *postgres_type {
        Type::INT8 => value.to_sql(postgres_type, out),
        Type::INT4 => i32::try_from(value)?.to_sql(postgres_type, out),
        Type::INT2 => i16::try_from(value)?.to_sql(postgres_type, out),
        Type::BOOL => (value != 0).to_sql(postgres_type, out),
        _ => Err(format!("a number where {postgres_type} is wanted").into()),
    }
}

pub(in crate::session) fn integer(row: &Row, column: usize) -> Result<Option<i64>, StoreError> {
    let postgres_type = row.columns().get(column).map(tokio_postgres::Column::type_);
    match postgres_type {
        Some(&Type::BOOL) => Ok(get::<Option<bool>>(row, column)?.map(i64::from)),
        Some(&Type::INT4) => Ok(get::<Option<i32>>(row, column)?.map(i64::from)),
        Some(&Type::INT2) => Ok(get::<Option<i16>>(row, column)?.map(i64::from)),
        _ => get(row, column),
    }
}

pub(in crate::session) fn real(row: &Row, column: usize) -> Result<f64, StoreError> {
    get(row, column)
}

pub(in crate::session) fn text(row: &Row, column: usize) -> Result<Option<&str>, StoreError> {
    get(row, column)
}

pub(in crate::session) fn blob(row: &Row, column: usize) -> Result<Option<&[u8]>, StoreError> {
    get(row, column)
}

pub(in crate::session) fn any(row: &Row, column: usize) -> Result<Value<'_>, StoreError> {
    match row.columns().get(column).map(tokio_postgres::Column::type_) {
        Some(&Type::FLOAT8) => Ok(get::<Option<f64>>(row, column)?.into()),
        Some(&Type::TEXT | &Type::VARCHAR) => Ok(text(row, column)?.into()),
        Some(&Type::BYTEA) => Ok(blob(row, column)?.into()),
        _ => Ok(integer(row, column)?.into()),
    }
}

fn get<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<T, StoreError> {
    row.try_get(column).map_err(|error| unexpected(column, &error.to_string()))
}
