//! Takes a profile of this very process: where its processor time goes.
//!
//! The `pprof` crate interrupts whatever runs a hundred times in a second of processor time and
//! writes down its stack; the answer is what `go tool pprof` reads, as that of runsc's server is.
//! Only where profiling is allowed, because interrupting a process at any place is a risk.
//! Surprising: one profile at a time, since there is one timer in a process.

mod encode;

use std::time::Duration;

use pprof::ProfilerGuardBuilder;
use pratique_clockwork::Shutdown;
use tokio::sync::Semaphore;

/// How often the process is interrupted in a second of processor time; Go's.
const FREQUENCY_HZ: u16 = 100;
/// The longest profile, and its length where none is asked for: an answer may take 60 s, and
/// finding the names of functions takes some of them. runsc's server watches for 59.75 s.
const DURATION_MAX: Duration = Duration::from_secs(50);
/// What is not interrupted: unwinding through these may wait for a lock that they hold.
const BLOCKLIST: [&str; 4] = ["libc", "libgcc", "pthread", "vdso"];

/// One profile at a time.
static TURN: Semaphore = Semaphore::const_new(1);

/// Why there is no profile. Trying again helps when another one was being taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProfileError {
    /// There is one timer.
    #[error("another profile is being taken")]
    Busy,
    /// The timer or the signal cannot be had, or what was gathered not be read.
    #[error("no profile: {0}")]
    Profiler(pprof::Error),
    /// A fault of ours.
    #[error("the profile could not be written")]
    Written,
}

/// How long to watch, by the text of `seconds`; what is no number, or too many, is the most.
pub(crate) fn duration(seconds: &str) -> Duration {
    let asked = seconds.parse().map(Duration::from_secs).unwrap_or(DURATION_MAX);
    asked.min(DURATION_MAX)
}

/// Watches the process for a while, or until it stops, and gives the profile, packed with gzip as
/// Go's are.
///
/// # Errors
/// [`ProfileError`].
pub(crate) async fn cpu(duration: Duration, shutdown: &Shutdown) -> Result<Vec<u8>, ProfileError> {
    let _turn = TURN.try_acquire().map_err(|_| ProfileError::Busy)?;
    let watching = ProfilerGuardBuilder::default()
        .frequency(i32::from(FREQUENCY_HZ))
        .blocklist(&BLOCKLIST)
        .build()
        .map_err(ProfileError::Profiler)?;
    let _ = shutdown.unless_triggered(tokio::time::sleep(duration)).await;
    let writing = tokio::task::spawn_blocking(move || {
        let report = watching.report().build().map_err(ProfileError::Profiler)?;
        drop(watching);
        encode::gzip(&encode::profile(&report, FREQUENCY_HZ)).ok_or(ProfileError::Written)
    });
    writing.await.unwrap_or(Err(ProfileError::Written))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_long_as_was_asked_for_and_not_too_long() {
        assert_eq!(duration("5"), Duration::from_secs(5));
        for text in ["", "60", "-1", "x", "99999999999999999999"] {
            assert_eq!(duration(text), DURATION_MAX, "{text:?}");
        }
    }
}
