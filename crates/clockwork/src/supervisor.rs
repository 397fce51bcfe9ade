//! Runs the named tasks of a service until it is asked to stop.
//!
//! A task that panics or returns an error is logged, counted and made anew after a wait that
//! grows; one that returns `Ok` is over. At the end every task gets the grace period together,
//! and what has not stopped by then is dropped and named. Surprising: only async code can be
//! dropped. A blocking thread that hangs is named as well, but goes on until the process ends.

mod metrics;

use std::any::Any;
use std::collections::HashMap;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::task::{Id, JoinSet};
use tokio::time::Instant;
use tracing::{debug, error};

use crate::{Backoff, Random, Shutdown};

pub use metrics::SupervisorMetrics;
use metrics::{Failure, FailureKind};

/// How much of a panic's text is logged, in characters: it may quote foreign input.
const PANIC_TEXT_MAX: usize = 300;

/// What a task returns: `Ok` when it is over, an error when it is to be made anew.
pub type TaskResult = Result<(), Box<dyn Error + Send + Sync>>;

/// The tasks of one service.
#[derive(Debug)]
pub struct Supervisor {
    shutdown: Shutdown,
    backoff: Backoff,
    metrics: SupervisorMetrics,
    tasks: JoinSet<()>,
    names: HashMap<Id, &'static str>,
}

impl Supervisor {
    /// A supervisor whose tasks stop at `shutdown`; a task that failed is made anew after the
    /// waits of `backoff`. A task that ran for longer than its longest wait starts counting
    /// again.
    pub fn new(shutdown: Shutdown, backoff: Backoff, metrics: SupervisorMetrics) -> Self {
        Self { shutdown, backoff, metrics, tasks: JoinSet::new(), names: HashMap::new() }
    }

    /// Starts a task inside the present runtime. `make` makes it, and makes it anew after a
    /// failure; the task watches the shutdown itself. `name` appears in logs and as a label.
    pub fn spawn<M, F>(&mut self, name: &'static str, make: M)
    where
        M: FnMut() -> F + Send + 'static,
        F: Future<Output = TaskResult> + Send + 'static,
    {
        let keeper = Keeper {
            name,
            shutdown: self.shutdown.clone(),
            backoff: self.backoff,
            metrics: self.metrics.clone(),
        };
        let handle = self.tasks.spawn(keeper.run(make));
        self.names.insert(handle.id(), name);
    }

    /// Waits until every task is over or a stop is asked for, then up to `grace` for the rest.
    ///
    /// Asks for the stop itself when all tasks are over, so that what is not supervised ends too.
    /// Returns the names of what had to be dropped, sorted; empty after a clean stop. A hurried
    /// shutdown cuts the grace period short.
    pub async fn run(mut self, grace: Duration) -> Vec<&'static str> {
        let shutdown = self.shutdown.clone();
        if shutdown.unless_triggered(self.join_all()).await.is_some() {
            shutdown.trigger();
            return Vec::new();
        }
        tokio::select! {
            () = self.join_all() => {}
            () = tokio::time::sleep(grace) => {}
            () = shutdown.hurried() => {}
        }
        let mut unfinished: Vec<_> = self.names.values().copied().collect();
        unfinished.sort_unstable();
        for name in &unfinished {
            error!(task.name = name, "{name} did not stop within {grace:?} and is dropped");
        }
        unfinished
    }

    async fn join_all(&mut self) {
        while let Some(joined) = self.tasks.join_next_with_id().await {
            let id = match joined {
                Ok((id, ())) => id,
                Err(error) => error.id(),
            };
            self.names.remove(&id);
        }
    }
}

/// Keeps one task running.
struct Keeper {
    name: &'static str,
    shutdown: Shutdown,
    backoff: Backoff,
    metrics: SupervisorMetrics,
}

impl Keeper {
    async fn run<M, F>(self, mut make: M)
    where
        M: FnMut() -> F,
        F: Future<Output = TaskResult>,
    {
        let name = self.name;
        let mut random = Random::from_system();
        let mut failure_count = 0_u32;
        loop {
            let began_at = Instant::now();
            let (kind, text) = match run_caught(&mut make).await {
                Ok(Ok(())) => return debug!(task.name = name, "{name} is over"),
                Ok(Err(error)) => (FailureKind::Error, chain(&*error)),
                Err(panic) => (FailureKind::Panic, panic_text(&*panic)),
            };
            self.metrics.failures.get_or_create(&Failure { task: name, kind }).inc();
            if self.shutdown.is_triggered() {
                return error!(task.name = name, "{name}: {text}");
            }
            if began_at.elapsed() > self.backoff.cap() {
                failure_count = 0;
            }
            failure_count = failure_count.saturating_add(1);
            let wait = self.backoff.delay(failure_count, &mut random);
            error!(task.name = name, "{name} starts anew in {wait:.1?}: {text}");
            if self.shutdown.unless_triggered(tokio::time::sleep(wait)).await.is_none() {
                return;
            }
        }
    }
}

/// Makes a task and runs it to its end, or to its panic.
async fn run_caught<M, F>(make: &mut M) -> Result<TaskResult, Box<dyn Any + Send>>
where
    M: FnMut() -> F,
    F: Future<Output = TaskResult>,
{
    // What a panic leaves half done stays inside the task, which is dropped whole.
    let task = catch_unwind(AssertUnwindSafe(make))?;
    let mut task = pin!(task);
    std::future::poll_fn(move |context| {
        match catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(context))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(result)) => Poll::Ready(Ok(result)),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await
}

/// An error and its causes as one line.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("of no text");
    let text: String = text.chars().take(PANIC_TEXT_MAX).collect();
    format!("panic: {text:?}")
}

#[cfg(test)]
mod tests;
