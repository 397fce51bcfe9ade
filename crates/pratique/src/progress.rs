//! One line of progress on a terminal; nothing anywhere else.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Mutex;

/// A line on standard error that is overwritten, and gone when the work is done.
#[derive(Debug)]
pub(crate) struct Progress {
    shown: Option<Mutex<usize>>,
}

impl Progress {
    /// A line if standard error is a terminal, else nothing.
    pub(crate) fn new() -> Self {
        Self { shown: std::io::stderr().is_terminal().then(Mutex::default) }
    }

    /// Shows `text` in place of what was shown before.
    pub(crate) fn show(&self, text: &str) {
        let Some(shown) = &self.shown else { return };
        let Ok(mut width) = shown.lock() else { return };
        let padding = width.saturating_sub(text.chars().count());
        // A terminal that went away is no reason to stop the work.
        let _ = write!(std::io::stderr(), "\r{text}{:padding$}", "");
        let _ = std::io::stderr().flush();
        *width = text.chars().count();
    }

    /// Takes the line away.
    pub(crate) fn clear(&self) {
        self.show("");
        if self.shown.is_some() {
            let _ = write!(std::io::stderr(), "\r");
        }
    }
}
