//! Whether the runtime is followed at the moment, for whoever asks from outside.

use std::sync::{Arc, Mutex};

/// Whether the runtime is followed. Clones are the same.
#[derive(Clone, Debug)]
pub struct Health {
    problem: Arc<Mutex<Option<String>>>,
}

impl Health {
    /// Of a watcher that has not begun.
    pub fn new() -> Self {
        let problem = Some("not connected yet".to_owned());
        Self { problem: Arc::new(Mutex::new(problem)) }
    }

    /// Why the runtime is not followed, as one line; `None` when it is.
    pub fn problem(&self) -> Option<String> {
        self.problem.lock().expect("nothing panics while it is held").clone()
    }

    /// The runtime is followed from now on, or is not for this reason.
    pub(crate) fn set(&self, problem: Option<String>) {
        *self.problem.lock().expect("nothing panics while it is held") = problem;
    }
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}
