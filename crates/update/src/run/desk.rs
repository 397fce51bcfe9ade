//! The one thread that speaks with the store.
//!
//! What is asked of it is done in turn, so that several parts never wait for one another's locks
//! within this process. A database is opened when it is first needed, and anew after an error that
//! may have cost the connection. The thread ends when nobody can ask any more.

use tokio::sync::{mpsc, oneshot};

use pratique_store::{Access, Database, Store, StoreError};

/// How many questions wait; there are no more parts at work than this, and each waits for its own.
const QUEUE_MAX: usize = 16;

type Question = Box<dyn FnOnce(&mut Option<Database>, &Store) + Send>;

/// Asks the thread. Clones ask the same one.
#[derive(Clone)]
pub(crate) struct Desk {
    questions: mpsc::Sender<Question>,
}

impl Desk {
    /// Starts the thread.
    pub(crate) fn start(store: Store) -> Self {
        let (questions, queue) = mpsc::channel(QUEUE_MAX);
        tokio::task::spawn_blocking(move || serve(&store, queue));
        Self { questions }
    }

    /// Has `work` done with the database. Who does not wait for the answer any more when its turn
    /// comes is passed over; what has begun is finished.
    ///
    /// # Errors
    /// Those of [`Store::open`], and what `work` gives.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Database) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let question: Question = Box::new(move |database, store| {
            if !answer.is_closed() {
                // Who has gone meanwhile needs no answer.
                let _ = answer.send(attend(database, store, work));
            }
        });
        let sent = self.questions.send(question).await;
        assert!(sent.is_ok(), "the thread lives as long as its desk");
        answered.await.expect("the thread answers every question")
    }
}

fn serve(store: &Store, mut queue: mpsc::Receiver<Question>) {
    let mut database = None;
    while let Some(question) = queue.blocking_recv() {
        question(&mut database, store);
    }
}

fn attend<T>(
    database: &mut Option<Database>,
    store: &Store,
    work: impl FnOnce(&mut Database) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let mut open = match database.take() {
        Some(open) => open,
        None => store.open(Access::ReadWrite)?,
    };
    let result = work(&mut open);
    if !result.as_ref().is_err_and(StoreError::is_transient) {
        *database = Some(open);
    }
    result
}
