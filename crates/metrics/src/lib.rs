//! One Prometheus endpoint per node over many gVisor sandboxes, none of which is trusted.
//!
//! A sandbox may be run by an attacker: it may stall, lie, flood or answer as another. What it says
//! is read within a budget (`reply`), held against what was registered before its containers
//! started (`resolve`) and against what it said last (`verifier`), and only then shown
//! (`exposition`). No sandbox can change another one's series or stop the server. Serves
//! unmodified runsc sandboxes, and keeps the names and labels of runsc's own metric server.

mod breaker;
mod collect;
mod discovery;
mod exposition;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod http;
mod json;
mod metrics;
mod number;
mod patience;
mod process;
mod profile;
mod query;
mod refusal;
mod registration;
mod render;
mod reply;
mod resolve;
mod sandbox;
mod savings;
mod server;
mod snapshot;
mod state_file;
mod urpc;
mod verifier;
mod watch;
mod web;

pub use exposition::Timestamps;
pub use resolve::Mode;
pub use server::{Config, Error, MetricServer};
pub use web::WebError;
