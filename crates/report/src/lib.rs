//! A scan's answer in each format, and reading such answers back.
//!
//! Pure: what goes in are the inventory and the assessment, what comes out is written to whatever
//! the caller gives; no clock, no terminal, no files. One format is one file and one line in
//! [`Format`]. What comes from an image is text of a stranger: every format escapes it in its own
//! way, so that it can neither move a terminal's cursor nor start a formula in a spreadsheet.

mod answer;
mod counted;
mod csv;
mod escape;
mod explain;
#[cfg(test)]
mod fixture;
mod format;
mod json;
mod sbom;
mod table;

pub use answer::{Answer, Options, Summary};
pub use counted::counted;
pub use explain::explain;
pub use format::{Format, render};
pub use sbom::{SBOM_BYTES_MAX, SbomError, parse_report, parse_sbom};
