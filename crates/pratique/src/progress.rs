//! One line of progress on a terminal; nothing anywhere else.

use std::io::{self, IsTerminal as _, Write as _};

/// How many columns a line has when the terminal does not say.
const COLUMNS_DEFAULT: usize = 80;

/// Back to the beginning of the line, and everything in it away (ECMA-48, EL 2).
const ERASE_LINE: &str = "\r\u{1b}[2K";

/// A line on standard error that is overwritten, and gone when the work is done.
#[derive(Debug)]
pub(crate) struct Progress {
    /// The width of the terminal; `None` when there is none.
    columns: Option<usize>,
}

impl Progress {
    /// A line if standard error is a terminal, else nothing.
    pub(crate) fn new() -> Self {
        let columns = io::stderr().is_terminal().then(|| {
            terminal_size::terminal_size_of(io::stderr())
                .map_or(COLUMNS_DEFAULT, |(width, _)| usize::from(width.0))
        });
        Self { columns }
    }

    /// Shows `text` in place of what was shown before, cut to one line.
    pub(crate) fn show(&self, text: &str) {
        let Some(columns) = self.columns else { return };
        let line: String = text.chars().take(columns.saturating_sub(1)).collect();
        // A terminal that went away is no reason to stop the work.
        let _ = write!(io::stderr(), "{ERASE_LINE}{line}").and_then(|()| io::stderr().flush());
    }

    /// Takes the line away.
    pub(crate) fn clear(&self) {
        self.show("");
    }
}
