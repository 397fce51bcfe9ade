//! Keeps texts that old Go programs point at, before it is known that they will be pointed at.
//!
//! Until Go 1.17 the build information was two pointers to string headers, which in turn point into
//! the read-only data, and that lies *before* the pointers in the file. A stream cannot go back, so
//! everything that looks like one of the two texts is noted with its place as it passes: a version
//! begins with `go1.` or `devel `, and the list of modules stands between two fixed marks
//! (`infoStart`, `infoEnd` of Go's `cmd/go/internal/modload`).

use memchr::memmem::{Finder, find};

/// What stands before the list of modules.
const LIST_START: [u8; 16] = [
    0x30, 0x77, 0xaf, 0x0c, 0x92, 0x74, 0x08, 0x02, 0x41, 0xe1, 0xc1, 0x07, 0xe6, 0xd6, 0x18, 0xe6,
];

/// What stands after it.
const LIST_END: [u8; 16] = [
    0xf9, 0x32, 0x43, 0x31, 0x86, 0x18, 0x20, 0x72, 0x00, 0x82, 0x42, 0x10, 0x41, 0x16, 0xd8, 0xf2,
];

/// How long a version may be, in bytes; `devel +0123456789 Mon Jan 2 …` has 50.
pub(super) const VERSION_BYTES_MAX: usize = 256;

/// How long a list of modules may be, in bytes; a thousand modules take 150 KiB.
pub(super) const LIST_BYTES_MAX: usize = 16 << 20;

/// How many possible versions are noted; a Go program has a few dozen.
const VERSIONS_MAX: usize = 4096;

/// How many lists are noted. Programs that read other programs may hold one in a test.
const LISTS_MAX: usize = 8;

/// The texts noted so far.
#[derive(Debug, Default)]
pub(super) struct Strings {
    /// The end of what was seen, kept for texts that go on in the next piece.
    carried: Vec<u8>,
    /// Place and beginning of what may be a version.
    versions: Vec<(u64, Vec<u8>)>,
    /// Place and text of lists, with their marks.
    lists: Vec<(u64, Vec<u8>)>,
    /// Whether the last list has not ended yet.
    is_open: bool,
}

impl Strings {
    /// Looks through the next bytes of the file.
    pub(super) fn take(&mut self, position: u64, bytes: &[u8]) {
        let mut bytes = bytes;
        let mut position = position;
        if self.is_open {
            let used = self.extend(bytes);
            bytes = &bytes[used..];
            position += used as u64;
        }
        let start = position - self.carried.len() as u64;
        let mut joined = std::mem::take(&mut self.carried);
        joined.extend_from_slice(bytes);
        let complete = joined.len().saturating_sub(VERSION_BYTES_MAX);
        self.look(start, &joined, complete);
        if !self.is_open {
            joined.drain(..complete);
            self.carried = joined;
        }
    }

    /// Looks through what was carried to the end.
    pub(super) fn finish(&mut self, end: u64) {
        let joined = std::mem::take(&mut self.carried);
        self.look(end - joined.len() as u64, &joined, joined.len());
    }

    /// The version of `length` bytes at a place of the file.
    pub(super) fn version(&self, position: u64, length: u64) -> Option<&[u8]> {
        let (_, text) = self.versions.iter().find(|(at, _)| *at == position)?;
        text.get(..usize::try_from(length).ok()?)
    }

    /// The list, with its marks, of `length` bytes at a place of the file.
    pub(super) fn list(&self, position: u64, length: u64) -> Option<&[u8]> {
        let (_, text) = self.lists.iter().find(|(at, _)| *at == position)?;
        (text.len() as u64 == length).then_some(text)
    }

    /// The only list there is.
    pub(super) fn only_list(&self) -> Option<&[u8]> {
        match &self.lists[..] {
            [(_, text)] => Some(text),
            _ => None,
        }
    }

    /// Notes what begins in the first `complete` bytes of `joined`.
    fn look(&mut self, start: u64, joined: &[u8], complete: usize) {
        for needle in [&b"go1."[..], b"devel "] {
            let finder = Finder::new(needle);
            for at in finder.find_iter(joined).take_while(|at| *at < complete) {
                if self.versions.len() >= VERSIONS_MAX {
                    break;
                }
                let end = joined.len().min(at + VERSION_BYTES_MAX);
                self.versions.push((start + at as u64, joined[at..end].to_vec()));
            }
        }
        let mut from = 0;
        while let Some(found) = joined.get(from..complete.max(from)).and_then(|part| {
            // A mark may go on behind `complete`, since that many bytes more are there.
            let end = joined.len().min(complete + LIST_START.len() - 1).max(from);
            find(&joined[from..end], &LIST_START).filter(|_| !part.is_empty())
        }) {
            let at = from + found;
            if at >= complete || self.lists.len() >= LISTS_MAX {
                break;
            }
            self.lists.push((start + at as u64, Vec::new()));
            let used = self.extend(&joined[at..]);
            if self.is_open {
                break;
            }
            from = at + used;
        }
    }

    /// Adds bytes to the last list up to its end; returns how many belong to it.
    fn extend(&mut self, bytes: &[u8]) -> usize {
        let Some((_, list)) = self.lists.last_mut() else { return 0 };
        let before = list.len();
        let from = before.saturating_sub(LIST_END.len() - 1);
        list.extend_from_slice(bytes);
        if let Some(at) = find(&list[from..], &LIST_END) {
            list.truncate(from + at + LIST_END.len());
            self.is_open = false;
        } else {
            self.is_open = list.len() < LIST_BYTES_MAX;
        }
        list.len() - before
    }
}
