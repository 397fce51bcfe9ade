//! Standard output for people.
//!
//! `println!` panics when the reader goes away (`pratique db status | head`); this does not.

use std::fmt::Display;
use std::io::{self, Write as _};

use crate::exit::{Exit, Failure};

/// Prints a text as it is. A reader that went away has read enough.
pub(crate) fn print(text: impl Display) -> Result<(), Failure> {
    bytes(text.to_string().as_bytes())
}

/// Prints bytes as they are.
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    match output.write_all(bytes).and_then(|()| output.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => {
            let error = anyhow::Error::from(error).context("standard output: writing");
            Err(Failure::new(Exit::Failed, error))
        }
        Ok(()) => Ok(()),
    }
}

/// Prints a line as `println!` does, and returns the error from the function around it.
macro_rules! say {
    ($($argument:tt)*) => {
        $crate::say::print(format_args!("{}\n", format_args!($($argument)*)))?
    };
}

pub(crate) use say;
