//! Hashes a stream while somebody else reads it.

use std::io::{self, BufRead, Read};

use sha2::{Digest as _, Sha256};

/// A stream that hashes what is consumed of it.
pub(super) struct Hashing<'a> {
    content: &'a mut dyn BufRead,
    hasher: Sha256,
}

impl<'a> Hashing<'a> {
    /// Hashes `content`.
    pub(super) fn new(content: &'a mut dyn BufRead) -> Self {
        Self { content, hasher: Sha256::new() }
    }

    /// The SHA-256 of what was consumed.
    pub(super) fn finish(self) -> [u8; 32] {
        self.hasher.finalize().into()
    }
}

impl BufRead for Hashing<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.content.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        // What is consumed stands in the buffer already, so this reads nothing.
        if let Ok(bytes) = self.content.fill_buf() {
            self.hasher.update(bytes.get(..count).unwrap_or(bytes));
        }
        self.content.consume(count);
    }
}

impl Read for Hashing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut bytes = self.fill_buf()?;
        let count = bytes.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}
