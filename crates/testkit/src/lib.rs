//! What tests of several crates need and no crate ships.

pub mod component;
pub mod containerd;
pub mod feed;
mod feed_server;
pub mod image;
pub mod mirror;
pub mod postgres;
pub mod process;
pub mod sandbox;
mod small_disk;

pub use feed_server::{FeedServer, Request, ScriptedAnswer, gzip_bomb, zip_bomb};
pub use small_disk::SmallDisk;
