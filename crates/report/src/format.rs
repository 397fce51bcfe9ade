//! The formats by name.

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use crate::{Answer, csv, json, table};

/// A form in which an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// For people, on a terminal.
    Table,
    /// For programs: `pratique.report/1`.
    Json,
    /// For spreadsheets.
    Csv,
}

/// Writes an answer. Bytes arrive in many small pieces: the writer should be buffered.
type Renderer = fn(&Answer<'_>, &mut dyn Write) -> io::Result<()>;

/// Each format with its name on the command line and its renderer.
const FORMATS: [(Format, &str, Renderer); 3] = [
    (Format::Table, "table", table::write),
    (Format::Json, "json", json::write),
    (Format::Csv, "csv", csv::write),
];

impl Format {
    /// The names of all formats, for help and messages.
    pub fn names() -> impl Iterator<Item = &'static str> {
        FORMATS.iter().map(|(_, name, _)| *name)
    }

    /// The name on the command line.
    pub fn as_str(self) -> &'static str {
        self.entry().1
    }

    fn entry(self) -> &'static (Self, &'static str, Renderer) {
        FORMATS
            .iter()
            .find(|(format, _, _)| *format == self)
            .expect("the table has a line for every format")
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        FORMATS.iter().find(|(_, name, _)| *name == text).map(|(format, _, _)| *format).ok_or_else(
            || {
                let names: Vec<_> = Self::names().collect();
                format!("unknown format: {text:?}; one of {}", names.join(", "))
            },
        )
    }
}

/// Writes an answer in one format, with a line end at its end. The writer should be buffered.
///
/// # Errors
/// Those of the writer.
pub fn render(format: Format, answer: &Answer<'_>, out: &mut dyn Write) -> io::Result<()> {
    (format.entry().2)(answer, out)
}

#[cfg(test)]
mod schema;
#[cfg(test)]
mod tests;
