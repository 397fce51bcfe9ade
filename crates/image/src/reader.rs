//! What a caller says about files: which are wanted, and what is kept of each.
//!
//! The crate knows no package database and no binary format; a [`Reader`] does. It sees every
//! regular file once, in the order in which it lies in the layer, and the bytes only pass by: to
//! go back it must have kept them, except where [`Content::as_seek`] offers more.

use std::io::{self, Read, Seek};

use pratique_model::Partial;

/// What a tar header or a directory entry says of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileInfo<'a> {
    /// Path from the image's root without a leading slash, `usr/lib/os-release`. Bytes that are
    /// not UTF-8 stand as U+FFFD. In a layer it is the path as the layer names it; symbolic links
    /// of lower layers (`lib` → `usr/lib`) are followed later, when the layers are joined.
    pub path: &'a str,
    /// Length in bytes.
    pub size: u64,
    /// Permission bits.
    pub mode: u32,
}

impl<'a> FileInfo<'a> {
    /// The last part of the path.
    pub fn name(&self) -> &'a str {
        self.path.rsplit('/').next().unwrap_or(self.path)
    }

    /// Whether any of the three execute bits is set.
    pub fn is_executable(&self) -> bool {
        self.mode & 0o111 != 0
    }
}

/// Decides which files are read, and turns them into values of its own.
///
/// Called for regular files only, concurrently from several threads (one per layer); the value of a
/// file that a later layer removes or replaces is dropped when the layers are joined.
pub trait Reader: Sync {
    /// What is kept of one file.
    type Value: Clone + Send;

    /// Whether the file's content is to be read. Must depend on the arguments alone.
    ///
    /// For a hard link whose file lies in a lower layer the size is not known when the layer is
    /// read; it is asked again with the real one before the content is read.
    fn wants(&self, file: &FileInfo<'_>) -> bool;

    /// Reads one file; `content` need not be read to its end. `None` keeps nothing. A problem worth
    /// telling is pushed to `partial`; its layer is filled in by the caller.
    ///
    /// An error of `content` may be treated as the end of the file: when the stream itself is
    /// broken, the layer fails whatever is returned here.
    fn read(
        &self,
        file: &FileInfo<'_>,
        content: &mut Content<'_>,
        partial: &mut Vec<Partial>,
    ) -> Option<Self::Value>;

    /// Whether two wanted names of the same file give the same value, so that the value of the
    /// first serves a hard link to it. `false` reads the file once more under the second name,
    /// which costs another pass over its layer.
    fn reads_alike(&self, first: &FileInfo<'_>, second: &FileInfo<'_>) -> bool {
        let _ = (first, second);
        true
    }
}

/// The bytes of one file.
///
/// Always [`Read`], from the beginning; [`Content::skip`] passes over bytes without copying them.
/// A file of a folder can also be read in any order, see [`Content::as_seek`].
pub struct Content<'a> {
    source: &'a mut dyn ContentSource,
    position: u64,
    size: u64,
}

/// Bytes that can be read and go back and forth.
pub trait ReadSeek: Read + Seek {}

impl<T: Read + Seek> ReadSeek for T {}

/// Where the bytes of a [`Content`] come from: an entry of a layer, a file, or memory.
pub trait ContentSource: Read {
    /// Passes over up to `count` bytes and says how many there were.
    ///
    /// # Errors
    /// Those of reading.
    fn skip(&mut self, count: u64) -> io::Result<u64>;

    /// The source as one that seeks, if it can.
    fn as_seek(&mut self) -> Option<&mut dyn ReadSeek>;
}

impl<'a> Content<'a> {
    /// Wraps a source that stands at its beginning and holds `size` bytes.
    pub fn new(source: &'a mut dyn ContentSource, size: u64) -> Self {
        Self { source, position: 0, size }
    }

    /// Length of the whole file in bytes, as the header or the file system says.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Number of bytes read or skipped so far. Not kept up by what [`Content::as_seek`] gives.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Passes over up to `count` bytes and says how many there were; fewer means the end.
    ///
    /// # Errors
    /// Those of the stream below.
    pub fn skip(&mut self, count: u64) -> io::Result<u64> {
        let skipped = self.source.skip(count)?;
        self.position = self.position.saturating_add(skipped);
        Ok(skipped)
    }

    /// Goes forward to `offset` from the beginning of the file; `false` if the file ends before
    /// it, or if it has been passed already.
    ///
    /// # Errors
    /// Those of the stream below.
    pub fn skip_to(&mut self, offset: u64) -> io::Result<bool> {
        match offset.checked_sub(self.position) {
            Some(count) => Ok(self.skip(count)? == count),
            None => Ok(false),
        }
    }

    /// The file as one that can be read in any order, where that costs nothing: files of a folder
    /// and bytes in memory, never entries of a layer. Offsets count from the file's beginning.
    pub fn as_seek(&mut self) -> Option<&mut dyn ReadSeek> {
        self.source.as_seek()
    }

    /// Reads the rest of the file, `None` if it is longer than `max` bytes; then nothing more
    /// than `max` bytes and one was read.
    ///
    /// # Errors
    /// Those of the stream below.
    pub fn read_rest(&mut self, max: u64) -> io::Result<Option<Vec<u8>>> {
        let expected = self.size.saturating_sub(self.position).min(max).min(RESERVE_MAX);
        let mut bytes = Vec::with_capacity(usize::try_from(expected).unwrap_or(0));
        self.by_ref().take(max.saturating_add(1)).read_to_end(&mut bytes)?;
        Ok((bytes.len() as u64 <= max).then_some(bytes))
    }
}

/// How many bytes are reserved at most on the word of a header, before they have been seen.
const RESERVE_MAX: u64 = 1024 * 1024;

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.position = self.position.saturating_add(count as u64);
        Ok(count)
    }
}

impl ContentSource for io::Cursor<&[u8]> {
    fn skip(&mut self, count: u64) -> io::Result<u64> {
        let left = (self.get_ref().len() as u64).saturating_sub(self.position());
        let skipped = count.min(left);
        self.set_position(self.position() + skipped);
        Ok(skipped)
    }

    fn as_seek(&mut self) -> Option<&mut dyn ReadSeek> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_goes_forward_only_and_knows_where_it_stands() {
        let mut source = io::Cursor::new(&b"0123456789"[..]);
        let mut content = Content::new(&mut source, 10);
        let mut two = [0; 2];
        content.read_exact(&mut two).expect("two bytes");
        assert_eq!(&two, b"01");
        assert!(content.skip_to(5).expect("skips"));
        assert!(!content.skip_to(4).expect("skips"), "went back");
        assert_eq!(content.position(), 5);
        assert_eq!(content.read_rest(4).expect("reads"), None, "5 bytes are left");
        let mut again = io::Cursor::new(&b"0123456789"[..]);
        let mut content = Content::new(&mut again, 10);
        assert_eq!(content.read_rest(10).expect("reads").as_deref(), Some(&b"0123456789"[..]));
        assert_eq!(content.skip(3).expect("skips"), 0);
    }
}
