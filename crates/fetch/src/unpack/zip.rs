//! The files of a zip, in the order of its directory.
//!
//! The directory is walked entry by entry, so memory does not depend on how many there are.
//! Surprising: nothing says that entries do not overlap, so one small deflate stream can be
//! listed a million times; the limits on what comes out of the whole document stop that.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt as _;

use ::zip::ZipReadOptions;
use ::zip::read::Config;
use ::zip::result::ZipError;
use ::zip::unstable::read::ZipIterable;

use super::bounded::Budget;
use super::{BUFFER_BYTES, Entry, UnpackError, UnpackProblem, visit_one};

/// How much of the file is read at once. Records are a few kB, so this holds many.
const WINDOW_BYTES: usize = 256 << 10;

/// Visits the files of `file`.
pub(super) fn unpack<E>(
    name: &str,
    file: &File,
    budget: &mut Budget,
    visit: &mut dyn FnMut(&mut Entry<'_>) -> Result<(), E>,
) -> Result<(), UnpackError<E>> {
    let document = |path: &str, problem| UnpackError::Document { path: path.to_owned(), problem };
    let damaged = |path: &str, error| document(path, UnpackProblem::Damaged(into_io(error)));
    let length = file.metadata().map_err(|error| damaged(name, error.into()))?.len();
    let mut archive = ZipIterable::try_new(Window::new(file, length), Config::default())
        .map_err(|error| damaged(name, error))?;
    if archive.len() as u64 > budget.files_max() {
        return Err(document(name, UnpackProblem::TooManyFiles(budget.files_max())));
    }
    let mut body = Window::new(file, length);
    for entry in archive.files().map_err(|error| damaged(name, error))? {
        let entry = entry.map_err(|error| damaged(name, error))?;
        if !entry.is_file() {
            continue;
        }
        let path = entry.name().map_err(|error| damaged(name, error))?.into_owned();
        let content = entry
            .with_reader(&mut body, ZipReadOptions::new())
            .map_err(|error| damaged(&path, error))?;
        let mut content = BufReader::with_capacity(BUFFER_BYTES, content);
        visit_one(&path, &mut content, budget, visit)?;
    }
    Ok(())
}

fn into_io(error: ZipError) -> io::Error {
    match error {
        ZipError::Io(error) => error,
        other => io::Error::other(other),
    }
}

/// Reads a file through a window that stays when the position moves within it; the standard
/// library's buffer is thrown away with every seek, and a zip is read by seeking.
struct Window<'a> {
    file: &'a File,
    length: u64,
    position: u64,
    buffer: Vec<u8>,
    start: u64,
}

impl<'a> Window<'a> {
    const fn new(file: &'a File, length: u64) -> Self {
        Self { file, length, position: 0, buffer: Vec::new(), start: 0 }
    }

    /// The bytes at the position that are in the window.
    fn at_hand(&self) -> &[u8] {
        let offset = self.position.checked_sub(self.start);
        let offset = offset.and_then(|offset| usize::try_from(offset).ok());
        offset.and_then(|offset| self.buffer.get(offset..)).unwrap_or_default()
    }
}

impl Read for Window<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        if self.at_hand().is_empty() {
            self.buffer.resize(WINDOW_BYTES, 0);
            self.start = self.position;
            let count = self.file.read_at(&mut self.buffer, self.position);
            self.buffer.truncate(*count.as_ref().unwrap_or(&0));
            count?;
        }
        let count = self.at_hand().read(target)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Window<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(offset) => self.length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "seek out of range"))?;
        Ok(self.position)
    }
}
