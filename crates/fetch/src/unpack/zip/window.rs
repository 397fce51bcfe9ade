//! Reads a file at any position through a buffer that stays when the position moves within it.
//!
//! A zip is read by jumping, mostly by a few bytes; the standard library's buffer is thrown away
//! with every seek. Positions are this value's own, so several windows share one file.

use std::fs::File;
use std::io::{self, BufRead, Read};
use std::os::unix::fs::FileExt as _;

/// How much of the file is read at once. Compressed records are about 1 kB, so this holds many.
const WINDOW_BYTES: usize = 128 << 10;

/// A position in a file, and what stands around it.
pub(super) struct Window<'a> {
    file: &'a File,
    length: u64,
    position: u64,
    buffer: Vec<u8>,
    start: u64,
}

impl<'a> Window<'a> {
    /// A window at the beginning of a file of `length` bytes.
    pub(super) const fn new(file: &'a File, length: u64) -> Self {
        Self { file, length, position: 0, buffer: Vec::new(), start: 0 }
    }

    /// Where the next byte is read.
    pub(super) const fn position(&self) -> u64 {
        self.position
    }

    /// Moves; a position behind the end is the end.
    pub(super) fn move_to(&mut self, position: u64) {
        self.position = position.min(self.length);
    }

    /// Reads exactly `N` bytes.
    pub(super) fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// The bytes at the position that are in the buffer.
    fn at_hand(&self) -> &[u8] {
        let offset = self.position.checked_sub(self.start);
        let offset = offset.and_then(|offset| usize::try_from(offset).ok());
        offset.and_then(|offset| self.buffer.get(offset..)).unwrap_or_default()
    }
}

impl BufRead for Window<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at_hand().is_empty() {
            self.start = self.position;
            self.buffer.resize(WINDOW_BYTES, 0);
            let count = self.file.read_at(&mut self.buffer, self.position);
            self.buffer.truncate(*count.as_ref().unwrap_or(&0));
            count?;
        }
        Ok(self.at_hand())
    }

    fn consume(&mut self, count: usize) {
        self.position = self.position.saturating_add(count as u64);
    }
}

impl Read for Window<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let mut bytes = self.fill_buf()?;
        let count = bytes.read(target)?;
        self.consume(count);
        Ok(count)
    }
}
