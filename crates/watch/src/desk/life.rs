//! What is done when a container's step is written: waits, later looks, removal.

use pratique_containerd::{Error as RuntimeError, Exit};
use pratique_model::{Container, ContainerState, NoticeSource};
use tracing::debug;

use pratique_clockwork::queue::Taken;

use crate::event::{Event, What, Witness};
use crate::key::Key;
use crate::runtime::Runtime;
use crate::state::{Outcome, SETTLE_AFTER, Then};

use super::delay::Delayed;
use super::{CONFIRM_AFTER, Desk, FORGET_AFTER, WAIT_AGAIN_AFTER};

impl<R: Runtime> Desk<R> {
    pub(super) fn apply(&mut self, taken: &Taken<Key, Event>, outcome: Outcome) {
        let (key, now) = (&taken.key, self.now());
        if outcome.is_conflict {
            self.metrics.conflict();
        }
        match outcome.then {
            Some(Then::Settle) => {
                let mut event = taken.event.clone();
                if let What::Exited { witness, .. } = &mut event.what {
                    *witness = Witness::Settled;
                }
                self.settling.insert(key.clone(), event.clone());
                self.delays.add(now + SETTLE_AFTER, Delayed::Push(key.clone(), event));
            }
            Some(Then::Confirm) => self.confirm(key),
            None => {}
        }
        if let Some(container) = outcome.container {
            self.take_container(key, container);
        }
        self.wait_for(key);
    }

    /// Calls a task that is gone lost after a while, once.
    fn confirm(&mut self, key: &Key) {
        if self.confirming.insert(key.clone()) {
            self.delays.add(self.now() + CONFIRM_AFTER, Delayed::Lost(key.clone()));
        }
    }

    pub(super) fn take_container(&mut self, key: &Key, container: Container) {
        let before = self.container(key);
        let has_ended = before.is_none_or(|before| before.finished_at != container.finished_at);
        if let Some(reason) = container.reason.filter(|_| has_ended) {
            self.metrics.exited(reason);
        }
        let is_over = matches!(container.state, ContainerState::Exited | ContainerState::NotReady);
        if is_over || container.state == ContainerState::Deleted {
            self.settling.remove(key);
        }
        if is_over && self.config.manages(&key.namespace) {
            self.push(key.clone(), NoticeSource::Event, What::Reap);
        }
        if container.state == ContainerState::Deleted {
            self.delays.add(self.now() + FORGET_AFTER, Delayed::Forget(key.clone()));
        }
        self.containers.insert(key.clone(), Box::new(container));
    }

    /// Waits for the end of a container's first process, if one runs, nobody waits yet, and it was
    /// not refused a moment ago.
    pub(super) fn wait_for(&mut self, key: &Key) {
        let Some(container) = self.containers.get(key) else { return };
        let is_due = self.is_connected && !self.is_stopping && container.state.is_alive();
        if !is_due || self.waited.contains(key) || self.resting.contains(key) {
            return;
        }
        self.waited.insert(key.clone());
        let (runtime, key, pid) = (self.runtime.clone(), key.clone(), container.pid);
        self.waits.spawn(async move {
            let result = runtime.wait(&key.namespace, &key.id).await;
            (key, pid, result)
        });
    }

    pub(super) fn take_wait(&mut self, key: &Key, pid: u32, result: Result<Exit, RuntimeError>) {
        self.waited.remove(key);
        match result {
            Ok(exit) => {
                let at = exit.at.unwrap_or_else(|| self.clock.now());
                let what = What::Exited { pid, code: exit.code, witness: Witness::Wait };
                self.queue.push(key.clone(), Event::new(at, NoticeSource::Event, what));
            }
            Err(error) => {
                debug!("{:?} {:?}: waiting ended: {error}", key.namespace, key.id);
                if !error.is_transient() {
                    self.push(key.clone(), NoticeSource::Reconcile, What::Look);
                }
                // Looking waits again, and would be told again at once.
                if self.resting.insert(key.clone()) {
                    self.delays.add(self.now() + WAIT_AGAIN_AFTER, Delayed::Wait(key.clone()));
                }
            }
        }
    }
}
