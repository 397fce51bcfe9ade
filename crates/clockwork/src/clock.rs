//! The time of day, from the system or as it is set.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// A wall clock. Clones show the same time.
///
/// A clock that is set by hand serves reports that must come out the same on another day
/// (`--reproducible`), reading stored data as of a date, and tests.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// The time that was set; `None`: the system's.
    set: Option<Arc<Mutex<Timestamp>>>,
}

impl Clock {
    /// The system's clock.
    pub const fn system() -> Self {
        Self { set: None }
    }

    /// A clock that stands at `at` until it is moved.
    pub fn manual(at: Timestamp) -> Self {
        Self { set: Some(Arc::new(Mutex::new(at))) }
    }

    /// The time now, UTC. Two calls may show the same time, and the system's clock may go back.
    pub fn now(&self) -> Timestamp {
        match &self.set {
            Some(at) => *at.lock().unwrap_or_else(PoisonError::into_inner),
            None => system_now(),
        }
    }

    /// Moves a manual clock, also backwards; at the ends of representable time it stops. Says
    /// whether it moved: the system's clock does not.
    pub fn advance(&self, by: SignedDuration) -> bool {
        let Some(at) = &self.set else {
            return false;
        };
        let mut at = at.lock().unwrap_or_else(PoisonError::into_inner);
        *at = at.saturating_add(by).expect("a signed duration has no calendar units");
        true
    }
}

#[allow(clippy::disallowed_methods, reason = "the one place where the system's clock is read")]
fn system_now() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_stands_until_it_is_moved_and_clones_follow() {
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().expect("valid");
        let clock = Clock::manual(start);
        let clone = clock.clone();
        assert_eq!(clock.now(), start);
        assert!(clock.advance(SignedDuration::from_secs(90)));
        assert_eq!(clone.now().to_string(), "2026-01-01T00:01:30Z");
        assert!(clone.advance(SignedDuration::MAX));
        assert_eq!(clock.now(), Timestamp::MAX);
    }

    #[test]
    fn the_systems_clock_is_not_moved() {
        let clock = Clock::system();
        let before = clock.now();
        assert!(!clock.advance(SignedDuration::from_hours(-1_000_000)));
        assert!(clock.now() > before - SignedDuration::from_hours(24));
    }
}
