//! A wake-up without content.
//!
//! Who has written something rings; who waits for it looks again. Several rings before a look
//! count as one. Listening begins when the listener is made, so the order "listen, look, wait"
//! loses nothing: a ring that comes after the look ends the wait. A bell carries no data, and
//! those who listen poll as well, so that a ring which never comes costs delay only.

use tokio::sync::watch;

/// A bell that anybody may ring, from async and from blocking code. Clones are the same bell.
#[derive(Clone, Debug)]
pub struct Bell {
    rings: watch::Sender<()>,
}

/// One who hears a [`Bell`] from now on.
#[derive(Clone, Debug)]
pub struct Listener {
    rings: watch::Receiver<()>,
}

impl Bell {
    /// A bell that nobody listens to yet.
    pub fn new() -> Self {
        Self { rings: watch::Sender::new(()) }
    }

    /// Wakes all listeners; those who do not wait now will not wait the next time.
    pub fn ring(&self) {
        self.rings.send_replace(());
    }

    /// Hears every ring from now on.
    pub fn listen(&self) -> Listener {
        Listener { rings: self.rings.subscribe() }
    }
}

impl Default for Bell {
    fn default() -> Self {
        Self::new()
    }
}

impl Listener {
    /// Waits for a ring since listening began or since this last returned. Cancel-safe: a ring
    /// is not lost when the wait is dropped. Waits for ever when every [`Bell`] is gone.
    pub async fn rung(&mut self) {
        if self.rings.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn is_rung(listener: &mut Listener) -> bool {
        tokio::time::timeout(Duration::ZERO, listener.rung()).await.is_ok()
    }

    #[tokio::test]
    async fn a_ring_between_look_and_wait_is_heard_by_all_once() {
        let bell = Bell::new();
        bell.ring();
        let mut listeners = [bell.listen(), bell.listen()];
        for listener in &mut listeners {
            assert!(!is_rung(listener).await, "rung before it listened");
        }
        bell.ring();
        bell.clone().ring();
        for listener in &mut listeners {
            assert!(is_rung(listener).await);
            assert!(!is_rung(listener).await, "two rings before a look are one");
        }
    }

    #[tokio::test]
    async fn a_blocking_thread_rings_a_task_that_waits() {
        let bell = Bell::new();
        let mut listener = bell.listen();
        let ringing = tokio::task::spawn_blocking(move || bell.ring());
        listener.rung().await;
        ringing.await.expect("no panic");
        assert!(!is_rung(&mut listener).await, "a bell that is gone does not ring");
    }
}
