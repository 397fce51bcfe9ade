//! The one thread that writes to the database during a round.
//!
//! It ends when nobody can ask it for anything any more, and gives the database back.

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use jiff::Timestamp;

use pratique_clockwork::Clock;
use pratique_model::PartId;
use pratique_store::{Applied, CommitOptions, Database, Staging, StoreError};

/// How many requests wait; there are no more parts at work than this, and each waits for its own.
const QUEUE_MAX: usize = 16;

/// Asks the writing thread.
pub(super) struct Writer {
    requests: mpsc::Sender<Request>,
}

type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

enum Request {
    Commit(Box<(Staging, CommitOptions)>, Answer<Applied>),
    Unchanged(PartId, Answer<()>),
    Absent(PartId, Answer<()>),
    Failure(PartId, String, Answer<()>),
}

impl Writer {
    /// Starts the thread; it gives the database back when the writer is dropped.
    pub(super) fn start(database: Database, clock: Clock) -> (Self, JoinHandle<Database>) {
        let (requests, queue) = mpsc::channel(QUEUE_MAX);
        (Self { requests }, tokio::task::spawn_blocking(move || serve(database, &clock, queue)))
    }

    pub(super) async fn commit(
        &self,
        staging: Staging,
        options: CommitOptions,
    ) -> Result<Applied, StoreError> {
        self.ask(|answer| Request::Commit(Box::new((staging, options)), answer)).await
    }

    pub(super) async fn unchanged(&self, part: PartId) -> Result<(), StoreError> {
        self.ask(|answer| Request::Unchanged(part, answer)).await
    }

    pub(super) async fn absent(&self, part: PartId) -> Result<(), StoreError> {
        self.ask(|answer| Request::Absent(part, answer)).await
    }

    pub(super) async fn failure(&self, part: PartId, error: String) -> Result<(), StoreError> {
        self.ask(|answer| Request::Failure(part, error, answer)).await
    }

    async fn ask<T>(&self, request: impl FnOnce(Answer<T>) -> Request) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let sent = self.requests.send(request(answer)).await;
        sent.expect("the writing thread lives as long as its writer");
        answered.await.expect("the writing thread answers every request")
    }
}

/// Answers until every writer is gone. Who does not wait for an answer any more gets none.
fn serve(mut database: Database, clock: &Clock, mut queue: mpsc::Receiver<Request>) -> Database {
    while let Some(request) = queue.blocking_recv() {
        let now: Timestamp = clock.now();
        match request {
            Request::Commit(work, answer) => {
                let (staging, options) = *work;
                // A round that was given up while this waited must not write.
                if !answer.is_closed() {
                    let _ = answer.send(database.commit(staging, &options));
                }
            }
            Request::Unchanged(part, answer) => {
                let _ = answer.send(database.touch_unchanged(&part, now, None));
            }
            Request::Absent(part, answer) => {
                let _ = answer.send(database.record_absent(&part, now, None));
            }
            Request::Failure(part, error, answer) => {
                let _ = answer.send(database.record_failure(&part, &error, now, None));
            }
        }
    }
    database
}
