//! Leaves a sandbox that keeps failing out for a while, so that it costs the others nothing.
//!
//! Pure: time is passed in. After three failures in a row the circuit opens for a time that
//! doubles with each further failure; then one call is let through, and what becomes of it closes
//! the circuit or opens it for longer.

use std::time::Duration;

use pratique_clockwork::Random;
use tokio::time::Instant;

/// Failures in a row before a sandbox is left out.
const FAILURES_MAX: u32 = 3;
/// How long it is left out at first.
const PAUSE_FIRST: Duration = Duration::from_secs(2);
/// The longest time.
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// The circuit of one sandbox.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    failure_count: u32,
    closed_at: Option<Instant>,
}

impl Breaker {
    /// Whether the sandbox is left out at this time.
    pub(crate) fn is_open(&self, now: Instant) -> bool {
        self.closed_at.is_some_and(|closed_at| now < closed_at)
    }

    /// Whether its last call failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.failure_count > 0
    }

    /// A call succeeded.
    pub(crate) fn succeed(&mut self) {
        *self = Self::default();
    }

    /// A call failed.
    pub(crate) fn fail(&mut self, now: Instant, random: &mut Random) {
        self.failure_count = self.failure_count.saturating_add(1);
        if let Some(doublings) = self.failure_count.checked_sub(FAILURES_MAX) {
            let factor = 2_u32.checked_pow(doublings).unwrap_or(u32::MAX);
            let pause = PAUSE_FIRST.saturating_mul(factor).min(PAUSE_MAX);
            self.closed_at = Some(now + spread(pause, random));
        }
    }
}

/// A tenth more or less, so that many that failed together do not come back together.
fn spread(pause: Duration, random: &mut Random) -> Duration {
    let thousandths = u32::try_from(random.next_number() % 201).unwrap_or(100);
    pause.mul_f64(f64::from(900 + thousandths) / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_sandbox_is_left_out_longer_and_longer_until_it_answers() {
        let seed = 20_261_121;
        let mut random = Random::from_seed(seed);
        let mut breaker = Breaker::default();
        let now = Instant::now();
        for _ in 0..2 {
            breaker.fail(now, &mut random);
            assert!(!breaker.is_open(now));
        }
        for expected in [2_u64, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            breaker.fail(now, &mut random);
            let tenth = Duration::from_millis(expected * 100);
            let pause = Duration::from_secs(expected);
            assert!(breaker.is_open(now + pause - tenth - Duration::from_millis(1)), "seed {seed}");
            assert!(!breaker.is_open(now + pause + tenth), "{expected} s, seed {seed}");
        }
        breaker.succeed();
        assert!(!breaker.is_open(now) && !breaker.has_failed());
        breaker.fail(now, &mut random);
        assert!(!breaker.is_open(now) && breaker.has_failed(), "it counts from one again");
    }
}
