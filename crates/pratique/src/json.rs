//! Lists for machines, on standard output.

use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::say;

/// Prints a value as indented JSON with a line end.
pub(crate) fn print(value: &impl Serialize) -> Result<(), Failure> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(|error| Failure::new(Exit::Failed, anyhow::Error::from(error)))?;
    text.push(b'\n');
    say::bytes(&text)
}
