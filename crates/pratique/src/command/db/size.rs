//! `pratique db size`: how much room the database takes.

use serde::Serialize;

use crate::args::{DbSizeArguments, ListFormat};
use crate::columns::Columns;
use crate::database;
use crate::exit::{Exit, Failure};
use crate::json;
use crate::say;
use crate::units::size_words;

/// What `--format json` has.
#[derive(Serialize)]
struct Page {
    size_bytes: u64,
    tables: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    table: String,
    rows: u64,
    size_bytes: u64,
}

/// Runs the command.
pub(super) fn run(arguments: &DbSizeArguments) -> Result<Exit, Failure> {
    let database = arguments.list.database.open_to_read()?;
    let size_bytes = database.size_bytes().map_err(database::failed)?;
    let tables = database.table_sizes().map_err(database::failed)?;
    match arguments.list.format {
        ListFormat::Json => {
            let row = |table: pratique_store::TableSize| Row {
                table: table.name,
                rows: table.row_count,
                size_bytes: table.size_bytes,
            };
            json::print(&Page { size_bytes, tables: tables.into_iter().map(row).collect() })?;
        }
        ListFormat::Table => {
            let mut columns = Columns::new(&["TABLE", "ROWS", "SIZE"]);
            for table in tables {
                let size = size_words(table.size_bytes);
                columns.row(vec![table.name, table.row_count.to_string(), size]);
            }
            columns.row(vec!["all".to_owned(), String::new(), size_words(size_bytes)]);
            say::print(columns.to_text())?;
        }
    }
    Ok(Exit::Clean)
}
