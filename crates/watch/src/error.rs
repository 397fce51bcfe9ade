//! What ends the watcher.

use pratique_store::StoreError;

/// Why the watcher ended before it was asked to. A runtime that is not there is waited for and is
/// no error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What is remembered cannot be read. Trying again may help.
    #[error("reading what is remembered of the node")]
    Store(#[source] StoreError),
    /// Another watcher was started on the same store; one of them is one too many.
    #[error("another watcher has taken over the store")]
    Superseded,
    /// A namespace belongs to another manager, so its tasks must not be removed.
    #[error("namespace {namespace:?} cannot be managed: {reason}")]
    Refused {
        /// The namespace.
        namespace: String,
        /// To whom it belongs.
        reason: &'static str,
    },
    /// The thread that writes to the store is gone, by a bug.
    #[error("the thread that writes to the store ended")]
    Writer,
}

impl Error {
    /// Whether running it again may help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) => error.is_transient(),
            Self::Superseded | Self::Refused { .. } => false,
            Self::Writer => true,
        }
    }
}
