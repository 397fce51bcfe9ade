//! Which parts of a sparse file are stored; the rest reads as zeros.

use super::header::{BLOCK, number};
use super::pax::{PAIRS_MAX, decimal};

/// Data of a sparse file, in order, without overlap.
#[derive(Clone, Debug, Default)]
pub(super) struct SparseMap {
    /// Offset and length of each stored part.
    parts: Vec<(u64, u64)>,
    size: u64,
    /// Index of the part that was looked at last.
    current: usize,
}

/// A run of bytes that are all stored or all absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) is_hole: bool,
    pub(super) length: u64,
}

impl SparseMap {
    pub(super) fn new(size: u64) -> Self {
        Self { parts: Vec::new(), size, current: 0 }
    }

    pub(super) fn from_pairs(pairs: &[(u64, u64)], size: u64) -> Result<Self, &'static str> {
        let mut map = Self { parts: pairs.to_vec(), size, current: 0 };
        map.finish()?;
        Ok(map)
    }

    /// Takes entries of 24 bytes, offset and length, up to the first empty one.
    pub(super) fn push_gnu_entries(&mut self, entries: &[u8]) -> Result<(), &'static str> {
        const NUMBER: &str = "the map of a sparse file is malformed";
        for entry in entries.chunks_exact(24) {
            if entry[0] == 0 || entry[12] == 0 {
                break;
            }
            let offset = number(&entry[..12]).ok_or(NUMBER)?;
            let length = number(&entry[12..]).ok_or(NUMBER)?;
            if self.parts.len() >= PAIRS_MAX {
                return Err("the map of a sparse file is too long");
            }
            self.parts.push((offset, length));
        }
        Ok(())
    }

    /// Takes a block of 21 entries; tells whether another block follows.
    pub(super) fn push_gnu_block(&mut self, block: &[u8; BLOCK]) -> Result<bool, &'static str> {
        self.push_gnu_entries(&block[..504])?;
        Ok(block[504] != 0)
    }

    /// Checks the order of the parts, and that they lie in the file.
    pub(super) fn finish(&mut self) -> Result<(), &'static str> {
        self.parts.retain(|&(_, length)| length > 0);
        let mut end = 0_u64;
        for &(offset, length) in &self.parts {
            let next = offset.checked_add(length).filter(|&next| next <= self.size);
            match next {
                Some(next) if offset >= end => end = next,
                _ => return Err("the map of a sparse file is out of order"),
            }
        }
        Ok(())
    }

    /// Length of the whole file.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Number of bytes that are stored.
    pub(super) fn data_bytes(&self) -> u64 {
        self.parts.iter().map(|&(_, length)| length).sum()
    }

    /// The run that begins at `offset`, which must not go back from call to call; of length 0 at
    /// the end of the file.
    pub(super) fn piece(&mut self, offset: u64) -> Piece {
        while let Some(&(start, length)) = self.parts.get(self.current) {
            if offset < start {
                return Piece { is_hole: true, length: start - offset };
            }
            if offset < start + length {
                return Piece { is_hole: false, length: start + length - offset };
            }
            self.current += 1;
        }
        Piece { is_hole: true, length: self.size.saturating_sub(offset) }
    }
}

/// Reads the map of version 1.0: decimal numbers, one a line, the first the number of pairs,
/// filled up to a whole block.
#[derive(Debug, Default)]
pub(super) struct MapText {
    line: Vec<u8>,
    pairs: Vec<(u64, u64)>,
    count: Option<usize>,
    offset: Option<u64>,
}

impl MapText {
    pub(super) fn is_complete(&self) -> bool {
        self.count.is_some_and(|count| self.pairs.len() >= count)
    }

    pub(super) fn pairs(&self) -> &[(u64, u64)] {
        &self.pairs
    }

    pub(super) fn push(&mut self, block: &[u8; BLOCK]) -> Result<(), &'static str> {
        const MALFORMED: &str = "the map of a sparse file is malformed";
        for &byte in block {
            if self.is_complete() {
                break;
            }
            if byte != b'\n' {
                self.line.push(byte);
                if self.line.len() > 20 {
                    return Err(MALFORMED);
                }
                continue;
            }
            let value = decimal(&self.line).ok_or(MALFORMED)?;
            self.line.clear();
            match (self.count, self.offset.take()) {
                (None, _) => {
                    let count = usize::try_from(value).ok().filter(|&count| count <= PAIRS_MAX);
                    self.count = Some(count.ok_or("the map of a sparse file is too long")?);
                }
                (Some(_), None) => self.offset = Some(value),
                (Some(_), Some(offset)) => self.pairs.push((offset, value)),
            }
        }
        Ok(())
    }
}
