//! What makes a service tick: time, waiting, stopping, and answering over HTTP.
//!
//! The wall clock and how long to wait after a failure; a request to stop, the tasks it stops and
//! the signals that cause it; a wake-up without content; locks that expire; a queue of many keys;
//! the HTTP server.
//! Nothing here knows vulnerabilities. `Instant::now` and `SystemTime::now` are banned outside
//! this crate, so that everything that depends on the time of day can be run at a chosen time.

mod backoff;
mod bell;
mod clock;
pub mod http;
pub mod lease;
pub mod queue;
mod random;
mod shutdown;
mod signals;
mod supervisor;

pub use backoff::{Backoff, BackoffError};
pub use bell::{Bell, Listener};
pub use clock::Clock;
pub use random::Random;
pub use shutdown::Shutdown;
pub use signals::Signals;
pub use supervisor::{Supervisor, SupervisorMetrics, TaskResult};
