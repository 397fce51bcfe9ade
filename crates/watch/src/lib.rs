//! Follows the node's container runtime: what runs, what it was made from, how it ended, which
//! images are there.
//!
//! [`Watcher`] is the room. A [`Runtime`] tells and answers; each event goes through a queue of its
//! container or image (`pratique_clockwork::queue`), a pure step makes of it what the container is
//! now and what there is to tell, and both are written in one transaction. Nothing that happens on
//! either side, the watcher's own end included, makes an end told twice or not at all: whatever was
//! missed is found by listing everything when the connection is made again.
//!
//! It looks only, unless namespaces are given to it to manage: there it removes what has ended.

mod config;
mod desk;
mod digests;
mod error;
mod event;
mod facts;
mod handler;
mod health;
mod key;
mod link;
mod metrics;
mod reap;
mod runtime;
mod state;
mod turn;
mod watcher;
mod writer;

pub use config::Config;
pub use error::Error;
pub use health::Health;
pub use metrics::Metrics;
pub use runtime::{Events, Runtime};
pub use watcher::Watcher;
