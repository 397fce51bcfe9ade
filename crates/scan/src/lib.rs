//! Finds the packages of an image.
//!
//! Files go in, a [`pratique_model::IndexReport`] comes out. What one file proves is found by the
//! catalogers, one file at a time, and cached per layer; what an image's packages are, after its
//! layers are laid over each other, is put together afterwards ([`scan()`] does both).
//!
//! [`indexer`] does it for the images of a node, each in a process of its own.
//!
//! Opening an image and the order of its layers are `pratique-image`'s; what the packages mean for
//! anybody's safety is the matcher's.

mod assemble;
mod cache;
mod cataloger;
mod distro;
pub mod indexer;
mod language;
mod layer;
mod os;
mod scan;

pub use cache::Cache;
pub use distro::end_of_life::date as end_of_life;
pub use scan::{ScanError, ScanOptions, scan};
