//! Gives the files inside a document, one after the other, as bounded streams.
//!
//! Everything runs on the caller's thread and is meant for a blocking one. Memory does not depend
//! on the document: nothing is unpacked to disk or held whole. Surprising: a file whose content
//! was looked at is read to its end even if the visitor stopped earlier, so that its checksum is
//! checked and what is cut is an error; the others are skipped.

mod bounded;
mod tar;
mod zip;

use std::io::{self, BufRead, BufReader, Seek as _, SeekFrom};

use flate2::bufread::MultiGzDecoder;

use self::bounded::{Bounded, Budget};
use crate::Spooled;

/// How much is read, or inflated, at once.
const BUFFER_BYTES: usize = 64 << 10;

/// How a document is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// One file as it is.
    Plain,
    /// One file, gzip, of one or more members.
    Gzip,
    /// A zip of many files.
    Zip,
    /// A gzip tar of many files.
    TarGz,
}

/// How much may come out of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnpackLimits {
    /// All files together, unpacked, in bytes.
    pub total_bytes_max: u64,
    /// One file, unpacked, in bytes.
    pub file_bytes_max: u64,
    /// How many files there may be, also those that nobody wants.
    pub files_max: u64,
    /// How long a path may be, in bytes.
    pub path_bytes_max: usize,
    /// How many bytes may come out of each byte of a compressed document. Applies above
    /// [`UnpackLimits::RATIO_FLOOR_BYTES`]: small documents may be all spaces.
    pub ratio_max: u64,
}

/// What is wrong with a document.
#[derive(Debug, thiserror::Error)]
pub enum UnpackProblem {
    /// It cannot be read or inflated: cut, damaged, or not what it is said to be.
    #[error("cut or damaged")]
    Damaged(#[source] io::Error),
    /// All files together are larger than allowed.
    #[error("unpacks to more than {0} bytes")]
    TotalTooLarge(u64),
    /// One file is larger than allowed.
    #[error("a file in it is larger than {0} bytes")]
    FileTooLarge(u64),
    /// There are more files than allowed.
    #[error("more than {0} files in it")]
    TooManyFiles(u64),
    /// A path is longer than allowed.
    #[error("a path in it is longer than {0} bytes")]
    PathTooLong(usize),
}

/// What is wrong, and with which file.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError<E> {
    /// The document cannot be unpacked. `path` is the file where it was noticed, else the
    /// document.
    #[error("{path}")]
    Document {
        /// The file.
        path: String,
        /// What is wrong.
        #[source]
        problem: UnpackProblem,
    },
    /// The visitor gave up.
    #[error(transparent)]
    Visitor(E),
}

/// One file, while it is visited.
pub struct Entry<'a> {
    path: &'a str,
    content: &'a mut dyn BufRead,
    is_opened: bool,
}

impl UnpackLimits {
    /// Up to this many bytes the ratio is not looked at.
    pub const RATIO_FLOOR_BYTES: u64 = 64 << 20;

    /// The limits for published feeds. Ubuntu's tracker is the one with the most files (60,000)
    /// after npm's zip (250,000, mostly malicious packages); NVD's largest year is the largest
    /// file (200 MB); Red Hat's archive unpacks to the most (10 GB); JSON packs up to 1 : 60.
    pub const FEEDS: Self = Self {
        total_bytes_max: 32 << 30,
        file_bytes_max: 4 << 30,
        files_max: 2_000_000,
        path_bytes_max: 1024,
        ratio_max: 250,
    };
}

impl Default for UnpackLimits {
    fn default() -> Self {
        Self::FEEDS
    }
}

impl Entry<'_> {
    /// The path inside the container; the document's name for a single file.
    pub const fn path(&self) -> &str {
        self.path
    }

    /// The content, unpacked. Not calling this skips the file.
    pub fn content(&mut self) -> &mut dyn BufRead {
        self.is_opened = true;
        self.content
    }
}

impl Spooled {
    /// Calls `visit` for every file, in the order of the document. Folders, links and devices are
    /// passed over. May be called again, and starts from the beginning.
    ///
    /// # Errors
    /// [`UnpackError::Visitor`] with what `visit` gave, at once; [`UnpackError::Document`] when
    /// the document is cut, damaged or beyond `limits`, also if `visit` did not notice. Files that
    /// were visited before are then worth nothing: the document is not what was published.
    pub fn unpack<E>(
        &mut self,
        container: Container,
        limits: &UnpackLimits,
        visit: &mut dyn FnMut(&mut Entry<'_>) -> Result<(), E>,
    ) -> Result<(), UnpackError<E>> {
        let name = self.name().to_owned();
        let damaged = |source| UnpackError::Document {
            path: name.clone(),
            problem: UnpackProblem::Damaged(source),
        };
        self.file.seek(SeekFrom::Start(0)).map_err(damaged)?;
        let mut budget = Budget::new(limits, container, self.length());
        let mut source = BufReader::with_capacity(BUFFER_BYTES, &self.file);
        let inflated = |source| BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(source));
        match container {
            Container::Plain => visit_one(&name, &mut source, &mut budget, visit),
            Container::Gzip => visit_one(&name, &mut inflated(source), &mut budget, visit),
            Container::Zip => zip::unpack(&name, &self.file, &mut budget, visit),
            Container::TarGz => tar::unpack(&name, &mut inflated(source), &mut budget, visit),
        }
    }
}

/// Visits one file and reads it to its end, if it was looked at.
fn visit_one<E>(
    path: &str,
    content: &mut dyn BufRead,
    budget: &mut Budget,
    visit: &mut dyn FnMut(&mut Entry<'_>) -> Result<(), E>,
) -> Result<(), UnpackError<E>> {
    let document = |problem| UnpackError::Document { path: path.to_owned(), problem };
    budget.next_file(path).map_err(document)?;
    let mut bounded = Bounded::new(content, budget);
    let mut entry = Entry { path, content: &mut bounded, is_opened: false };
    visit(&mut entry).map_err(UnpackError::Visitor)?;
    if entry.is_opened {
        bounded.drain().map_err(document)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
