//! Reads a tar stream, entry by entry, without keeping more than one header.
//!
//! Understands V7, ustar, star's and GNU's variants and PAX. Where these leave room, entries mean
//! what Go's `archive/tar` makes of them, because that is what unpacks images: links, folders and
//! devices have no content whatever their size field says, GNU long names win over PAX, global PAX
//! headers change nothing. Two departures: a lone zero block does not end the archive, and a
//! stream may end without the two zero blocks, as long as it ends between two entries.
//!
//! The crate has its own reader because headers of `tar` are collected without bound, and because
//! a layer of small files is walked at the speed at which it is hashed; see docs/adr/0003.

mod header;
mod pax;
mod sparse;

use std::io::{self, BufRead, Read};

use header::{BLOCK, Header, Kind as HeaderKind};
use pax::PaxRecords;
use sparse::SparseMap;

/// Bytes of one header that extends the next: a long name, a long link, PAX records. Go's limit.
const EXTENSION_BYTES_MAX: u64 = 1024 * 1024;

/// Extending headers before one entry. A name, a link and two kinds of PAX headers make four.
const EXTENSIONS_MAX: u32 = 16;

/// Why a tar stream cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    /// The stream below broke.
    #[error("cannot be read at byte {at}")]
    Read {
        /// Offset in the tar stream.
        at: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The stream ends inside an entry.
    #[error("archive is cut off in entry {entry}, at byte {at}")]
    Truncated {
        /// Number of the entry, from 0.
        entry: u64,
        /// Length of the stream.
        at: u64,
    },
    /// A header is not one.
    #[error("entry {entry}, at byte {at}: {problem}")]
    Header {
        /// Number of the entry, from 0.
        entry: u64,
        /// Offset of the header in the tar stream.
        at: u64,
        /// What is wrong.
        problem: &'static str,
    },
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Folder,
    Symlink,
    HardLink,
    /// A device, a pipe, or something that a later version of the format has.
    Other,
}

/// An entry's header without its names, which [`TarReader::path`] and [`TarReader::link`] give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    /// Length of the file as it would be unpacked, holes included.
    pub(crate) size: u64,
    pub(crate) mode: u32,
    /// Whether the content has holes.
    pub(crate) is_sparse: bool,
}

/// Where a tar stream comes from.
pub(crate) trait TarSource: BufRead {
    /// Passes over up to `count` bytes and says how many there were.
    fn skip(&mut self, count: u64) -> io::Result<u64>;
}

impl<S: TarSource> TarSource for &mut S {
    fn skip(&mut self, count: u64) -> io::Result<u64> {
        (**self).skip(count)
    }
}

/// Reads a tar stream from its beginning to its end.
pub(crate) struct TarReader<S> {
    source: S,
    at: u64,
    entry: u64,
    /// Content of the current entry that has not been read, as stored.
    left: u64,
    padding: u64,
    path: Vec<u8>,
    link: Vec<u8>,
    scratch: Vec<u8>,
    pax: PaxRecords,
    long_path: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
    sparse: Option<SparseMap>,
    logical: u64,
}

impl<S: TarSource> TarReader<S> {
    pub(crate) fn new(source: S) -> Self {
        Self {
            source,
            at: 0,
            entry: 0,
            left: 0,
            padding: 0,
            path: Vec::new(),
            link: Vec::new(),
            scratch: Vec::new(),
            pax: PaxRecords::default(),
            long_path: None,
            long_link: None,
            sparse: None,
            logical: 0,
        }
    }

    /// Goes to the next entry, `None` at the end of the archive. What is left of the current one
    /// is passed over.
    pub(crate) fn advance(&mut self) -> Result<Option<Entry>, TarError> {
        self.skip_stored(self.left)?;
        self.skip_stored(self.padding)?;
        (self.left, self.padding) = (0, 0);
        self.pax.clear();
        (self.long_path, self.long_link, self.sparse) = (None, None, None);
        let mut extensions = 0;
        loop {
            let Some(header) = self.read_header()? else { return Ok(None) };
            match header.kind {
                HeaderKind::GlobalPax => {
                    self.skip_stored(padded(header.size))?;
                    continue;
                }
                HeaderKind::Pax => {
                    self.read_extension(header.size)?;
                    let scratch = std::mem::take(&mut self.scratch);
                    let parsed = self.pax.parse(&scratch);
                    self.scratch = scratch;
                    parsed.map_err(|problem| self.header_error(problem))?;
                }
                HeaderKind::LongPath => self.long_path = Some(self.read_long_text(header.size)?),
                HeaderKind::LongLink => self.long_link = Some(self.read_long_text(header.size)?),
                HeaderKind::Entry(kind) => {
                    let entry = self.finish_entry(&header, kind)?;
                    self.entry += 1;
                    return Ok(Some(entry));
                }
            }
            extensions += 1;
            if extensions > EXTENSIONS_MAX {
                return Err(self.header_error("too many headers before one entry"));
            }
        }
    }

    /// The current entry's path as it is written there.
    pub(crate) fn path(&self) -> &[u8] {
        &self.path
    }

    /// What the current entry links to; empty if it does not.
    pub(crate) fn link(&self) -> &[u8] {
        &self.link
    }

    /// Offset in the stream of what is read next; after [`Self::advance`] that of the content.
    pub(crate) fn offset(&self) -> u64 {
        self.at
    }

    /// The stream below.
    pub(crate) fn source(&mut self) -> &mut S {
        &mut self.source
    }

    /// Passes over up to `count` bytes of the current entry's content and says how many there were.
    pub(crate) fn skip_content(&mut self, count: u64) -> io::Result<u64> {
        let Some(sparse) = &self.sparse else {
            let skipped = self.source.skip(count.min(self.left))?;
            self.at += skipped;
            self.left -= skipped;
            return Ok(skipped);
        };
        let mut skipped = 0;
        let count = count.min(sparse.size().saturating_sub(self.logical));
        while skipped < count {
            let sparse = self.sparse.as_mut().expect("it was there before the loop");
            let piece = sparse.piece(self.logical);
            let length = piece.length.min(count - skipped);
            if !piece.is_hole {
                let there = self.source.skip(length.min(self.left))?;
                self.at += there;
                self.left -= there;
                if there < length {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            self.logical += length;
            skipped += length;
        }
        Ok(skipped)
    }

    /// The number of bytes of a hole that the next read of at most `length` would give.
    pub(crate) fn hole_ahead(&mut self, length: usize) -> u64 {
        match &mut self.sparse {
            Some(sparse) => {
                let piece = sparse.piece(self.logical);
                if piece.is_hole { piece.length.min(length as u64) } else { 0 }
            }
            None => 0,
        }
    }

    fn finish_entry(&mut self, header: &Header, kind: Kind) -> Result<Entry, TarError> {
        let stored = match (kind, self.pax.size) {
            (Kind::File, Some(size)) => size,
            (Kind::File, None) => header.size,
            (Kind::Other, _) if header.has_content => self.pax.size.unwrap_or(header.size),
            _ => 0,
        };
        self.left = stored;
        self.padding = padded(stored) - stored;
        take_name(&mut self.path, self.long_path.take(), self.pax.path.take());
        take_name(&mut self.link, self.long_link.take(), self.pax.link.take());
        let mut size = stored;
        if kind == Kind::File {
            self.sparse = self.read_sparse_map(header)?;
            if let Some(sparse) = &self.sparse {
                if sparse.data_bytes() > self.left {
                    return Err(self.header_error("the map of a sparse file exceeds its data"));
                }
                size = sparse.size();
            }
            if let Some(name) = self.pax.sparse_path.take() {
                self.path = name;
            }
            self.logical = 0;
        }
        let is_folder_by_name = header.is_v7 && kind == Kind::File && self.path.ends_with(b"/");
        let kind = if is_folder_by_name { Kind::Folder } else { kind };
        Ok(Entry { kind, size, mode: header.mode, is_sparse: self.sparse.is_some() })
    }

    fn read_sparse_map(&mut self, header: &Header) -> Result<Option<SparseMap>, TarError> {
        if let Some(sparse) = &header.sparse {
            let mut map = sparse.clone();
            let mut is_extended = header.is_sparse_extended;
            while is_extended {
                let block = self.read_block()?.ok_or_else(|| self.truncated())?;
                is_extended =
                    map.push_gnu_block(&block).map_err(|problem| self.header_error(problem))?;
            }
            map.finish().map_err(|problem| self.header_error(problem))?;
            return Ok(Some(map));
        }
        let Some(version) = self.pax.sparse_version() else { return Ok(None) };
        let map = match version {
            pax::SparseVersion::InHeader => {
                SparseMap::from_pairs(&self.pax.sparse_pairs, self.pax.sparse_size.unwrap_or(0))
            }
            pax::SparseVersion::InData => {
                let mut text = sparse::MapText::default();
                while !text.is_complete() {
                    if self.left < BLOCK as u64 {
                        return Err(self.header_error("the map of a sparse file is cut off"));
                    }
                    let block = self.read_block()?.ok_or_else(|| self.truncated())?;
                    self.left -= BLOCK as u64;
                    text.push(&block).map_err(|problem| self.header_error(problem))?;
                }
                SparseMap::from_pairs(text.pairs(), self.pax.sparse_size.unwrap_or(0))
            }
        };
        map.map(Some).map_err(|problem| self.header_error(problem))
    }

    /// Reads the next header block that is not zero, `None` at the end.
    fn read_header(&mut self) -> Result<Option<Header>, TarError> {
        let mut zero_blocks = 0;
        while let Some(block) = self.read_block()? {
            if block.iter().all(|&byte| byte == 0) {
                zero_blocks += 1;
                if zero_blocks == 2 {
                    return Ok(None);
                }
                continue;
            }
            let header = Header::parse(&block, &mut self.path, &mut self.link);
            return header.map(Some).map_err(|problem| self.header_error(problem));
        }
        Ok(None)
    }

    /// Reads one block; `None` if the stream ends before it, an error if it ends in it.
    fn read_block(&mut self) -> Result<Option<[u8; BLOCK]>, TarError> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            let at = self.at;
            let there = self.source.fill_buf().map_err(|source| TarError::Read { at, source })?;
            if there.is_empty() {
                return if filled == 0 { Ok(None) } else { Err(self.truncated()) };
            }
            let count = there.len().min(BLOCK - filled);
            block[filled..filled + count].copy_from_slice(&there[..count]);
            self.source.consume(count);
            self.at += count as u64;
            filled += count;
        }
        Ok(Some(block))
    }

    /// Reads the content of an extending header into `scratch`.
    fn read_extension(&mut self, size: u64) -> Result<(), TarError> {
        if size > EXTENSION_BYTES_MAX {
            return Err(self.header_error("an extended header is larger than 1 MiB"));
        }
        self.scratch.clear();
        let at = self.at;
        let count = self
            .source
            .by_ref()
            .take(size)
            .read_to_end(&mut self.scratch)
            .map_err(|source| TarError::Read { at, source })?;
        self.at += count as u64;
        if (count as u64) < size {
            return Err(self.truncated());
        }
        self.skip_stored(padded(size) - size)
    }

    fn read_long_text(&mut self, size: u64) -> Result<Vec<u8>, TarError> {
        self.read_extension(size)?;
        let length = self.scratch.iter().position(|&byte| byte == 0);
        Ok(self.scratch[..length.unwrap_or(self.scratch.len())].to_vec())
    }

    fn skip_stored(&mut self, count: u64) -> Result<(), TarError> {
        let at = self.at;
        let skipped = self.source.skip(count).map_err(|source| TarError::Read { at, source })?;
        self.at += skipped;
        if skipped < count { Err(self.truncated()) } else { Ok(()) }
    }

    fn truncated(&self) -> TarError {
        // The entry's header has been counted once its content is being passed over.
        TarError::Truncated {
            entry: self.entry.saturating_sub(u64::from(self.left > 0)),
            at: self.at,
        }
    }

    fn header_error(&self, problem: &'static str) -> TarError {
        TarError::Header { entry: self.entry, at: self.at.saturating_sub(BLOCK as u64), problem }
    }
}

impl<S: TarSource> Read for TarReader<S> {
    /// Reads the current entry's content, holes as zeros.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut room = out.len() as u64;
        if let Some(sparse) = &mut self.sparse {
            let piece = sparse.piece(self.logical);
            room = room.min(piece.length);
            if piece.is_hole {
                let count = usize::try_from(room).expect("it is at most the buffer's length");
                out[..count].fill(0);
                self.logical += room;
                return Ok(count);
            }
        }
        let room = usize::try_from(room.min(self.left)).expect("it is at most the buffer's length");
        if room == 0 {
            return Ok(0);
        }
        let count = self.source.read(&mut out[..room])?;
        self.at += count as u64;
        self.left -= count as u64;
        self.logical += count as u64;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(count)
    }
}

/// Puts the name that counts into `name`, which holds the header's own.
fn take_name(name: &mut Vec<u8>, long: Option<Vec<u8>>, pax: Option<Vec<u8>>) {
    if let Some(text) = long.or(pax) {
        *name = text;
    }
}

fn padded(size: u64) -> u64 {
    size.div_ceil(BLOCK as u64).saturating_mul(BLOCK as u64)
}

#[cfg(test)]
mod tests;
