//! Managers of one containerd take turns when they delete tasks.
//!
//! Two deletions of one task at the same time leave its shim behind, in every containerd from 1.6
//! to 2.2 (`shimTask.delete` in its `runtime/v2/shim.go`): the shim tells the second that the task
//! is gone a moment before it has forgotten it; asked to end by the second it refuses, and then the
//! second closes the connection over which the first would have asked again. So whoever deletes
//! holds a lock on the folder of containerd's socket: all who reach this containerd see it, it
//! takes no right to write, and a process that dies gives it up. Surprising: a client of another
//! kind takes no turn, so against `ctr task delete` at the same moment this does not help.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use tokio::time::sleep;

/// How often to look whether it is our turn: a deletion takes some tens of milliseconds.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// Held while a task is deleted.
#[derive(Debug)]
pub(crate) struct Turn {
    _folder: File,
}

impl Turn {
    /// Waits, without limit, until nobody else deletes; dropping it gives the place up. `None`
    /// where the folder cannot be locked: a shim left behind is better than a task that stays.
    pub(crate) async fn take(socket: &Path) -> Option<Self> {
        let folder = File::open(socket.parent()?).ok()?;
        loop {
            match folder.try_lock() {
                Ok(()) => return Some(Self { _folder: folder }),
                Err(TryLockError::WouldBlock) => sleep(LOOK_INTERVAL).await,
                Err(TryLockError::Error(_)) => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    #[tokio::test]
    async fn one_waits_until_the_other_is_done() {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("c.sock");
        let first = Turn::take(&socket).await.expect("nobody else is there");
        let mut second = pin!(Turn::take(&socket));
        let patience = 5 * LOOK_INTERVAL;
        assert!(tokio::time::timeout(patience, &mut second).await.is_err());
        drop(first);
        assert!(second.await.is_some());
    }

    #[tokio::test]
    async fn a_folder_that_is_not_there_keeps_nobody_waiting() {
        assert!(Turn::take(Path::new("/nowhere/at/all/c.sock")).await.is_none());
    }
}
