//! The bytes of one file, as a cataloger gets them.
//!
//! Content comes out of a layer's stream and is gone when it has been read: there is no seeking
//! back. A cataloger either takes the whole file up to a limit ([`Content::bytes`]) or reads along
//! ([`Content::skip`] passes over what it does not need without keeping it).

use std::io::{self, Read};

use pratique_image::ContentSource;

use super::CatalogError;

/// How much is reserved before anything was read, so that a lying length costs nothing.
const RESERVED_BYTES_MAX: u64 = 4 << 20;

/// One file's content, read once from its beginning.
pub(crate) struct Content<'a> {
    size: u64,
    source: &'a mut dyn ContentSource,
}

impl<'a> Content<'a> {
    /// Wraps a source that ends after `size` bytes.
    pub(crate) fn new(size: u64, source: &'a mut dyn ContentSource) -> Self {
        Self { size, source }
    }

    /// The file's length in bytes, as its header says.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// All that has not been read yet.
    ///
    /// # Errors
    /// [`CatalogError::TooLarge`] when the file is longer than `limit` bytes, found out without
    /// reading it; [`CatalogError::Read`] when the layer's stream breaks.
    pub(crate) fn bytes(self, limit: u64) -> Result<Vec<u8>, CatalogError> {
        if self.size > limit {
            return Err(CatalogError::TooLarge { size: self.size, limit });
        }
        let reserved =
            usize::try_from(self.size.min(RESERVED_BYTES_MAX)).expect("the reserve is a few MiB");
        let mut bytes = Vec::with_capacity(reserved);
        self.source.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Passes over `count` bytes; reaching the end early is no error.
    ///
    /// # Errors
    /// When the layer's stream breaks.
    pub(crate) fn skip(&mut self, count: u64) -> io::Result<()> {
        self.source.skip(count)?;
        Ok(())
    }
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.source.read(buffer)
    }
}
