//! What tests of several crates need and no crate ships.

mod feed_server;
pub mod image;

pub use feed_server::{FeedServer, Request, ScriptedAnswer};
