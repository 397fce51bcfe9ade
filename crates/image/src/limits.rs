//! How much of an image is read before reading stops.
//!
//! The numbers are those of the scan's flags. A limit cuts, it does not fail: what it cut is named
//! as a [`Partial`], and the caller decides what a partial answer is worth.

use std::sync::atomic::{AtomicU64, Ordering};

use pratique_model::{DiffId, Partial};

/// Bytes of all layers after decompression, holes of sparse files that were read included. The
/// largest images in use (CUDA, Windows-like desktops) stay under 40 GiB.
pub const EXPANDED_BYTES_MAX: u64 = 64 * 1024 * 1024 * 1024;

/// Entries of all layers together, or files of a folder. The largest images in use hold 2 million.
pub const ENTRIES_MAX: u64 = 20_000_000;

/// Bytes of one path, as `PATH_MAX` of Linux.
pub const PATH_BYTES_MAX: usize = 4096;

/// Bytes of one file whose content is wanted.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Bytes of names that are kept to join the layers (folders, links, whiteouts), each with
/// [`NAME_OVERHEAD`]. The largest images in use need 60 MB; it is not a flag, because an image that
/// passes it is made to.
const NAME_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// What a kept name costs besides its bytes: a row in two or three tables.
const NAME_OVERHEAD: u64 = 64;

/// Problems kept per layer. A layer with more is broken in one way a thousand times over.
const PROBLEMS_MAX: usize = 1000;

/// The limits of one reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// See [`EXPANDED_BYTES_MAX`]. What comes after is not read.
    pub expanded_bytes_max: u64,
    /// See [`ENTRIES_MAX`]. What comes after is not read.
    pub entries_max: u64,
    /// See [`PATH_BYTES_MAX`]. An entry with a longer path is skipped.
    pub path_bytes_max: usize,
    /// See [`FILE_BYTES_MAX`]. A longer file is not read, though it still hides others.
    pub file_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            expanded_bytes_max: EXPANDED_BYTES_MAX,
            entries_max: ENTRIES_MAX,
            path_bytes_max: PATH_BYTES_MAX,
            file_bytes_max: FILE_BYTES_MAX,
        }
    }
}

/// What is left of the limits that count over all layers; shared by the threads that read them.
#[derive(Debug)]
pub struct Budget {
    limits: Limits,
    expanded_bytes: AtomicU64,
    entries: AtomicU64,
    name_bytes: AtomicU64,
}

impl Budget {
    /// A budget of which nothing is spent.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            expanded_bytes: AtomicU64::new(0),
            entries: AtomicU64::new(0),
            name_bytes: AtomicU64::new(0),
        }
    }

    /// The limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Takes `count` bytes; `false` if that is more than was left.
    pub(crate) fn take_bytes(&self, count: u64) -> bool {
        let before = self.expanded_bytes.fetch_add(count, Ordering::Relaxed);
        before.saturating_add(count) <= self.limits.expanded_bytes_max
    }

    /// Takes room for a name of `length` bytes; `false` if there was none.
    pub(crate) fn take_name(&self, length: usize) -> bool {
        let count = NAME_OVERHEAD.saturating_add(length as u64);
        let before = self.name_bytes.fetch_add(count, Ordering::Relaxed);
        before.saturating_add(count) <= NAME_BYTES_MAX
    }

    /// Takes one entry; `false` if none was left.
    pub(crate) fn take_entry(&self) -> bool {
        self.entries.fetch_add(1, Ordering::Relaxed) < self.limits.entries_max
    }
}

/// The problems met in one layer: at most a thousand, and the number of the rest.
#[derive(Debug)]
pub(crate) struct Problems {
    layer: Option<DiffId>,
    list: Vec<Partial>,
    more: u64,
}

impl Problems {
    pub(crate) fn new(layer: Option<DiffId>) -> Self {
        Self { layer, list: Vec::new(), more: 0 }
    }

    /// The layer that the problems are of.
    pub(crate) fn layer(&self) -> Option<DiffId> {
        self.layer
    }

    /// Notes a problem, of one file or of the layer.
    pub(crate) fn push(&mut self, path: Option<&str>, problem: impl Into<String>) {
        if self.list.len() < PROBLEMS_MAX {
            let (path, problem) = (path.map(str::to_owned), problem.into());
            self.list.push(Partial { layer: self.layer, path, problem });
        } else {
            self.more += 1;
        }
    }

    /// Takes over what a reader noted, in this layer's name.
    pub(crate) fn extend(&mut self, noted: &mut Vec<Partial>) {
        for partial in noted.drain(..) {
            self.push(partial.path.as_deref(), partial.problem);
        }
    }

    /// The problems, the number of those that were not kept as the last one.
    pub(crate) fn into_list(mut self) -> Vec<Partial> {
        if self.more > 0 {
            let problem = format!("{} more problems in this layer", self.more);
            self.list.push(Partial { layer: self.layer, path: None, problem });
        }
        self.list
    }
}
