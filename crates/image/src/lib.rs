//! Opens an image wherever it lies and reads its layers safely.

use std::io::Read;

use pratique_model::{DiffId, Partial};

/// What a tar header or a directory entry says of a file.
#[derive(Clone, Copy, Debug)]
pub struct FileInfo<'a> {
    /// Path from the image's root without a leading slash, `usr/lib/os-release`.
    pub path: &'a str,
    /// Length in bytes.
    pub size: u64,
    /// Permission bits.
    pub mode: u32,
}

/// Decides which files are read, and turns them into values of its own.
///
/// Called for regular files only, concurrently from several threads (one per layer); the value of a
/// file that a later layer removes or replaces is dropped when the layers are joined.
pub trait Reader: Sync {
    /// What is kept of one file.
    type Value: Clone + Send;

    /// Whether the file's content is to be read. Must depend on the arguments alone.
    fn wants(&self, file: &FileInfo<'_>) -> bool;

    /// Reads one file; `content` need not be read to its end. `None` keeps nothing. A problem worth
    /// telling is pushed to `partial`.
    fn read(
        &self,
        file: &FileInfo<'_>,
        content: &mut dyn Read,
        partial: &mut Vec<Partial>,
    ) -> Option<Self::Value>;
}

/// A layer's contribution to the joined view, or the diff id of a layer that was not read.
#[derive(Clone, Debug)]
pub struct LayerName(
    /// The layer.
    pub DiffId,
);
