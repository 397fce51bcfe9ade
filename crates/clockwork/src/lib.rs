//! Time as the other crates see it: the wall clock, how long to wait after a failure, and locks
//! that expire.
//!
//! Nothing here sleeps or spawns. Durations are measured with tokio's time by whoever waits;
//! `Instant::now` and `SystemTime::now` are banned outside this crate, so that everything that
//! depends on the time of day can be run at a chosen time.

mod backoff;
mod clock;
pub mod lease;
mod random;

pub use backoff::{Backoff, BackoffError};
pub use clock::Clock;
pub use random::Random;
