//! How long to wait after the n-th failure in a row.
//!
//! Full jitter: a wait is drawn evenly between nothing and a bound that doubles with each failure,
//! so that many clients that failed together do not come back together (Brooker, "Exponential
//! Backoff And Jitter", AWS Architecture Blog, 2015). Surprising: a later wait may be shorter than
//! an earlier one.

use std::time::Duration;

use crate::Random;

/// The waits of one kind of work. Cannot be invalid once it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    least: Duration,
    first: Duration,
    cap: Duration,
}

/// Bounds that do not make a back-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackoffError {
    /// Without a first bound nothing would ever wait.
    #[error("the first bound of a back-off is zero")]
    Zero,
    /// The bounds are out of order.
    #[error("back-off bounds out of order: least {least:?}, first {first:?}, cap {cap:?}")]
    Order {
        /// The shortest wait.
        least: Duration,
        /// The bound after the first failure.
        first: Duration,
        /// The longest bound.
        cap: Duration,
    },
}

impl Backoff {
    /// Waits between `least` and a bound that is `first` after the first failure and doubles up to
    /// `cap`.
    ///
    /// # Errors
    /// [`BackoffError`] unless `least ≤ first ≤ cap` and `first` is more than zero.
    pub fn try_new(least: Duration, first: Duration, cap: Duration) -> Result<Self, BackoffError> {
        if first.is_zero() {
            return Err(BackoffError::Zero);
        }
        if least > first || first > cap {
            return Err(BackoffError::Order { least, first, cap });
        }
        Ok(Self { least, first, cap })
    }

    /// The longest wait.
    pub const fn cap(&self) -> Duration {
        self.cap
    }

    /// The wait after `failure_count` failures in a row; none have no wait.
    pub fn delay(&self, failure_count: u32, random: &mut Random) -> Duration {
        let Some(doublings) = failure_count.checked_sub(1) else {
            return Duration::ZERO;
        };
        let bound = 2_u32
            .checked_pow(doublings)
            .and_then(|factor| self.first.checked_mul(factor))
            .map_or(self.cap, |bound| bound.min(self.cap));
        let span = u64::try_from((bound - self.least).as_nanos()).unwrap_or(u64::MAX);
        // Multiplying instead of taking the remainder draws evenly from the span.
        let drawn = (u128::from(random.next_number()) * (u128::from(span) + 1)) >> 64;
        self.least + Duration::from_nanos(u64::try_from(drawn).unwrap_or(span))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[track_caller]
    fn check_bounds(failure_count: u32, bound: Duration) {
        let backoff = Backoff::try_new(SECOND, 4 * SECOND, 30 * SECOND).expect("valid");
        let seed = 20_260_101;
        let mut random = Random::from_seed(seed);
        let waits: Vec<Duration> =
            (0..2000).map(|_| backoff.delay(failure_count, &mut random)).collect();
        let (low, high) = (waits.iter().min(), waits.iter().max());
        assert!(low >= Some(&SECOND), "{failure_count} failures, seed {seed}: {low:?}");
        assert!(high <= Some(&bound), "{failure_count} failures, seed {seed}: {high:?}");
        // Evenly drawn: two thousand draws leave no gap of a tenth at either end.
        let tenth = (bound - SECOND) / 10;
        assert!(low < Some(&(SECOND + tenth)) && high > Some(&(bound - tenth)));
    }

    #[test]
    fn bound_doubles_up_to_the_cap() {
        check_bounds(1, 4 * SECOND);
        check_bounds(2, 8 * SECOND);
        check_bounds(3, 16 * SECOND);
        check_bounds(4, 30 * SECOND);
        check_bounds(40, 30 * SECOND);
        check_bounds(u32::MAX, 30 * SECOND);
    }

    #[test]
    fn no_failure_no_wait() {
        let backoff = Backoff::try_new(SECOND, SECOND, SECOND).expect("valid");
        let mut random = Random::from_system();
        assert_eq!(backoff.delay(0, &mut random), Duration::ZERO);
        assert_eq!(backoff.delay(1, &mut random), SECOND);
    }

    #[test]
    fn the_longest_durations_do_not_overflow() {
        let backoff = Backoff::try_new(Duration::ZERO, SECOND, Duration::MAX).expect("valid");
        let mut random = Random::from_seed(1);
        for failure_count in [1, 31, 32, 33, 64, 1000] {
            assert!(backoff.delay(failure_count, &mut random) <= Duration::MAX);
        }
    }

    #[test]
    fn bounds_out_of_order_are_refused() {
        let zero = Duration::ZERO;
        assert_eq!(Backoff::try_new(zero, zero, SECOND), Err(BackoffError::Zero));
        assert!(Backoff::try_new(2 * SECOND, SECOND, 3 * SECOND).is_err());
        assert!(Backoff::try_new(zero, 2 * SECOND, SECOND).is_err());
        assert!(Backoff::try_new(zero, SECOND, SECOND).is_ok());
    }
}
