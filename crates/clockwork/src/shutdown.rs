//! How everything learns that it is time to stop.
//!
//! One value is made at the start, cloned into every task and triggered once, by whatever decides
//! (a signal, an error, a test). What stopping means is each task's affair; how long it may take
//! is the [`crate::Supervisor`]'s. A [`Shutdown::child`] stops with its parent and also alone:
//! work under a lease gets one, because it ends when the lease is lost.

use tokio_util::sync::CancellationToken;

/// A request to stop. Clones are the same request.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    triggered: CancellationToken,
    /// Patience has ended too: what still runs may be dropped.
    hurried: CancellationToken,
}

impl Shutdown {
    /// Nobody has asked yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One that is triggered when this one is, and can be triggered without it.
    pub fn child(&self) -> Self {
        Self { triggered: self.triggered.child_token(), hurried: self.hurried.child_token() }
    }

    /// Asks everybody to stop. Asking again changes nothing.
    pub fn trigger(&self) {
        self.triggered.cancel();
    }

    /// Asks everybody to stop and nobody to wait any longer: the second Ctrl-C.
    pub fn hurry(&self) {
        self.triggered.cancel();
        self.hurried.cancel();
    }

    /// Whether somebody asked. For loops on blocking threads, which look now and then.
    pub fn is_triggered(&self) -> bool {
        self.triggered.is_cancelled()
    }

    /// Waits until somebody asks; at once when somebody has. Cancel-safe.
    pub async fn triggered(&self) {
        self.triggered.cancelled().await;
    }

    /// Waits until patience has ended, see [`Shutdown::hurry`]. Cancel-safe.
    pub async fn hurried(&self) {
        self.hurried.cancelled().await;
    }

    /// The outcome of `work`, or `None` when a stop was asked for first; the work is then dropped
    /// where it was waiting, so it must be safe to drop there.
    pub async fn unless_triggered<F: Future>(&self, work: F) -> Option<F::Output> {
        self.triggered.run_until_cancelled(work).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_child_stops_with_its_parent_and_alone() {
        let parent = Shutdown::new();
        let (one, other) = (parent.child(), parent.child());
        one.trigger();
        one.triggered().await;
        assert!(one.is_triggered() && !other.is_triggered() && !parent.is_triggered());
        parent.trigger();
        other.triggered().await;
        assert!(other.is_triggered() && parent.clone().is_triggered());
    }

    #[tokio::test]
    async fn work_is_dropped_at_the_request() {
        let shutdown = Shutdown::new();
        assert_eq!(shutdown.unless_triggered(async { 1 }).await, Some(1));
        let trigger = async {
            shutdown.hurry();
            std::future::pending::<()>().await;
        };
        assert_eq!(shutdown.unless_triggered(trigger).await, None);
        shutdown.hurried().await;
    }
}
