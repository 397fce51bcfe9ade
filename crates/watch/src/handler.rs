//! Asks the runtime what one event needs.
//!
//! A handler that is slow gives its place to another one, so that some that hang delay nobody; how
//! many may be slow at a time is bounded too, and beyond that they keep their places.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};

use pratique_clockwork::queue::Taken;
use pratique_containerd::{Error as RuntimeError, TaskStatus};
use pratique_model::Digest;

use crate::digests::DigestCache;
use crate::event::Event;
use crate::facts::{Details, Facts};
use crate::key::Key;
use crate::reap::reap;
use crate::runtime::Runtime;
use crate::state::{Answer, Question};

/// When a handler counts as slow: well above what a healthy runtime takes, and small against the
/// 50 ms within which events of healthy keys are to be handled.
const SLOW_AFTER: Duration = Duration::from_millis(15);

/// How many handlers may be slow at a time.
pub(crate) const SLOW_MAX: usize = 64;

/// What is asked for one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// About a container.
    Container(Question),
    /// What an image's name means.
    Image,
    /// To remove what a container has left.
    Reap,
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Reply {
    Container(Box<Answer>),
    /// `None`: the name means nothing.
    Image(Option<Option<Digest>>),
    Reaped,
}

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandlerError {
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    #[error("not done within {0:?}")]
    Timeout(Duration),
    #[error("what the task left cannot be drained")]
    Fifo(#[source] std::io::Error),
}

/// An event with what was asked for it.
#[derive(Debug)]
pub(crate) struct Handled {
    pub(crate) taken: Taken<Key, Event>,
    pub(crate) reply: Result<Reply, HandlerError>,
    pub(crate) took: Duration,
}

/// Asks for one event.
pub(crate) struct Handler<R> {
    pub(crate) runtime: R,
    pub(crate) cache: DigestCache,
    pub(crate) slow: Arc<Semaphore>,
    pub(crate) timeout: Duration,
}

impl<R: Runtime> Handler<R> {
    pub(crate) async fn run(
        self,
        taken: Taken<Key, Event>,
        ask: Ask,
        place: OwnedSemaphorePermit,
    ) -> Handled {
        let began_at = Instant::now();
        let result = {
            let key = taken.key.clone();
            let mut asking = pin!(timeout(self.timeout, self.ask(&key, ask)));
            tokio::select! {
                result = &mut asking => result,
                () = sleep(SLOW_AFTER) => {
                    let slow_place = Arc::clone(&self.slow).try_acquire_owned();
                    let _place = slow_place.map_err(|_| ()).map_or_else(|()| Some(place), Some);
                    asking.await
                }
            }
        };
        let reply = result.unwrap_or(Err(HandlerError::Timeout(self.timeout)));
        Handled { taken, reply, took: began_at.elapsed() }
    }

    async fn ask(&self, key: &Key, ask: Ask) -> Result<Reply, HandlerError> {
        let (namespace, id) = (&*key.namespace, &*key.id);
        Ok(match ask {
            Ask::Container(question) => {
                Reply::Container(Box::new(self.answer(namespace, id, question).await?))
            }
            Ask::Image => {
                let image = found(self.runtime.image(namespace, id).await)?;
                Reply::Image(image.map(|image| image.target.digest.parse().ok()))
            }
            Ask::Reap => {
                reap(&self.runtime, namespace, id).await?;
                Reply::Reaped
            }
        })
    }

    async fn answer(
        &self,
        namespace: &str,
        id: &str,
        question: Question,
    ) -> Result<Answer, RuntimeError> {
        Ok(match question {
            Question::Nothing => Answer::default(),
            Question::Details => {
                let details = self.details(namespace, id).await?;
                Answer { facts: Some(Facts { details, task: None }), kills: 0 }
            }
            Question::Everything => {
                // The task first: it goes before the container does.
                let task = found(self.runtime.task(namespace, id).await)?;
                let details = self.details(namespace, id).await?;
                let is_over = task.as_ref().is_some_and(|task| task.status == TaskStatus::Stopped);
                let kills = if is_over { self.kills(namespace, id).await } else { 0 };
                Answer { facts: Some(Facts { details, task }), kills }
            }
            Question::Kills => Answer { facts: None, kills: self.kills(namespace, id).await },
        })
    }

    async fn details(&self, namespace: &str, id: &str) -> Result<Option<Details>, RuntimeError> {
        let record = found(self.runtime.container(namespace, id).await)?;
        let Some(record) = record else { return Ok(None) };
        let mut details = Details::from(&record);
        if let Some(name) = &details.image {
            details.digests = self.cache.of_name(&self.runtime, namespace, name).await?;
        }
        Ok(Some(details))
    }

    /// What the cgroup says; often it is gone with the process, and then nobody knows.
    async fn kills(&self, namespace: &str, id: &str) -> u64 {
        self.runtime.oom_kills(namespace, id).await.unwrap_or(0)
    }
}

/// What is not there is an answer too.
fn found<T>(result: Result<T, RuntimeError>) -> Result<Option<T>, RuntimeError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
