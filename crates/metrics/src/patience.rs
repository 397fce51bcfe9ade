//! Gives a sandbox its whole time, also on a machine that is too busy to let us listen.
//!
//! A deadline counts what the clock says, not what the machine let anybody do: where processes
//! wait for a core, an honest sandbox that needs 20 ms may be a second late, or we may be late in
//! reading what it sent long ago. So we measure how late our own timers are during a collection
//! and add that to the time of each call that runs meanwhile; and what has come by the end is read
//! before a sandbox is blamed. A sandbox that stalls on a machine with cores to spare gains
//! nothing.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};

/// How often a timer is set to see how late it comes.
const BEAT: Duration = Duration::from_millis(20);
/// How late timers are anyway: they count in milliseconds.
const BEAT_TOLERANCE: Duration = Duration::from_millis(4);

/// How late timers have been so far.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    late_micros: AtomicU64,
}

impl Patience {
    /// Measures until it is dropped.
    pub(crate) async fn measure(&self) {
        loop {
            let due_at = Instant::now() + BEAT;
            sleep_until(due_at).await;
            let late = due_at.elapsed();
            if late > BEAT_TOLERANCE {
                self.add(late);
            }
        }
    }

    /// What a call comes to within this time; `None` if it was too slow. The call is dropped then.
    pub(crate) async fn wait<T>(
        &self,
        timeout: Duration,
        call: impl Future<Output = T>,
    ) -> Option<T> {
        let mut call = pin!(call);
        let ends_at = Instant::now() + timeout;
        let late_before = self.late();
        let mut deadline = ends_at;
        loop {
            if let Ok(value) = timeout_at(deadline, &mut call).await {
                return Some(value);
            }
            deadline = ends_at + (self.late() - late_before);
            if deadline <= Instant::now() {
                break;
            }
        }
        // Others run, and the runtime hears of all sockets, before the last look.
        tokio::task::yield_now().await;
        let mut last = pin!(tokio::task::unconstrained(call));
        poll_fn(|context| match last.as_mut().poll(context) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    fn late(&self) -> Duration {
        Duration::from_micros(self.late_micros.load(Ordering::Relaxed))
    }

    fn add(&self, late: Duration) {
        let micros = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
        self.late_micros.fetch_add(micros, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(2);

    #[tokio::test(start_paused = true)]
    async fn a_call_that_never_ends_has_its_time_and_no_more() {
        let patience = Patience::default();
        let started_at = Instant::now();
        let stalled = patience.wait(TIMEOUT, std::future::pending::<()>());
        let (outcome, ()) = tokio::select! {
            outcome = stalled => (outcome, ()),
            () = patience.measure() => unreachable!("it measures until it is dropped"),
        };
        assert_eq!(outcome, None);
        let took = started_at.elapsed();
        assert!((TIMEOUT..TIMEOUT + BEAT).contains(&took), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_machine_held_up_is_given_back() {
        let patience = Patience::default();
        let slow = async {
            tokio::time::sleep(TIMEOUT / 2).await;
            patience.add(TIMEOUT);
            tokio::time::sleep(TIMEOUT).await;
            "an answer"
        };
        assert_eq!(patience.wait(TIMEOUT, slow).await, Some("an answer"));
        let slow = tokio::time::sleep(TIMEOUT * 2);
        assert_eq!(patience.wait(TIMEOUT, slow).await, None, "what was before does not count");
    }

    #[tokio::test(start_paused = true)]
    async fn late_timers_are_noticed() {
        let patience = Patience::default();
        let busy = async {
            tokio::time::sleep(BEAT / 2).await;
            tokio::time::advance(TIMEOUT).await;
            tokio::time::sleep(BEAT).await;
        };
        tokio::select! {
            () = busy => {}
            () = patience.measure() => unreachable!("it measures until it is dropped"),
        }
        let late = patience.late();
        assert!((TIMEOUT - BEAT..=TIMEOUT).contains(&late), "{late:?}");
    }
}
