//! Opens an image wherever it lies and reads its layers safely.
//!
//! [`open()`] finds the image that a target names; [`Image::read_all`] streams its layers once, all
//! digests verified, shows every file to a [`Reader`] and lays what the reader kept over one
//! another as a [`View`]. Nothing is unpacked, written or executed. What packages are is left to
//! the `scan` crate, registries to a later version: they will be another way to open a blob.
//!
//! What would surprise: a file that the view does not know may exist all the same. Only files that
//! the reader wanted, and links, are remembered.

mod archive;
mod blob;
pub mod build;
mod containerd;
mod error;
mod folder;
mod image;
mod inflate;
mod join;
mod layer;
mod limits;
mod link;
mod manifest;
mod open;
mod path;
mod reader;
mod stream;
mod tar;
mod walk;

pub use containerd::CONTAINERD_ADDRESS;
pub use error::{ErrorKind, ImageError};
pub use image::{Image, LayerCache, NoCache, ReadOptions};
pub use inflate::InflateError;
pub use join::{View, join};
pub use layer::LayerContent;
pub use limits::{Budget, ENTRIES_MAX, EXPANDED_BYTES_MAX, FILE_BYTES_MAX, Limits, PATH_BYTES_MAX};
pub use manifest::Layer;
pub use open::{OpenOptions, open};
pub use reader::{Content, ContentSource, FileInfo, ReadSeek, Reader};
pub use tar::TarError;
