//! Writes to the store, on a thread of its own: one batch at a time, each one transaction.

use std::time::Duration;

use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::Instant;
use tracing::warn;

use pratique_clockwork::Clock;
use pratique_store::{Database, RuntimeChanges, RuntimeWriter, StoreError};

/// Between two looks for what is old.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// The way to the thread. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Writer {
    changes: Sender<RuntimeChanges>,
    results: Receiver<Result<(), StoreError>>,
}

impl Writer {
    /// Starts the thread.
    pub(crate) fn start(database: Database, writer: RuntimeWriter, clock: Clock) -> Self {
        let (changes, incoming) = channel(1);
        let (outgoing, results) = channel(1);
        tokio::task::spawn_blocking(move || work(&database, writer, &clock, incoming, &outgoing));
        Self { changes, results }
    }

    /// Gives a batch; the one before has been written. `false` when the thread is gone.
    pub(crate) fn give(&self, changes: RuntimeChanges) -> bool {
        self.changes.try_send(changes).is_ok()
    }

    /// What became of the batch; `None` when the thread is gone. Cancel-safe.
    pub(crate) async fn written(&mut self) -> Option<Result<(), StoreError>> {
        self.results.recv().await
    }
}

fn work(
    database: &Database,
    writer: RuntimeWriter,
    clock: &Clock,
    mut incoming: Receiver<RuntimeChanges>,
    outgoing: &Sender<Result<(), StoreError>>,
) {
    let mut swept_at = Instant::now();
    while let Some(changes) = incoming.blocking_recv() {
        let result = database.write_runtime(writer, &changes).map(|_| ());
        if outgoing.blocking_send(result).is_err() {
            return;
        }
        if swept_at.elapsed() >= SWEEP_INTERVAL {
            swept_at = Instant::now();
            if let Err(error) = database.sweep_runtime(clock.now()) {
                warn!("what is old of the node could not be removed: {error}");
            }
        }
    }
}
