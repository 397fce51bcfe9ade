//! Reads Go's build information out of a program that passes by.
//!
//! It begins with a mark of 14 bytes on an address divisible by 16, in the writable data or a
//! section of its own. Since Go 1.18 two texts with their lengths follow; before, two pointers.
//! Form: `debug/buildinfo/buildinfo.go` of Go. Pointers are followed through `strings` and the
//! writable data, of which the last [`DATA_BYTES_MAX`] bytes are kept.

use super::layout::{Layout, Numbers};
use super::overlap;
use super::strings::{LIST_BYTES_MAX, Strings, VERSION_BYTES_MAX};

/// What build information begins with.
const MARK: &[u8; 14] = b"\xff Go buildinf:";

/// The alignment of the mark.
const ALIGNMENT: usize = 16;

/// Mark, size of pointers, flags, and two pointers or nothing.
const HEADER_BYTES: usize = 32;

/// How much of the writable data is kept for following pointers. Only programs built before Go 1.18
/// (2022) need it, and the largest of them have some 5 MiB.
const DATA_BYTES_MAX: usize = 16 << 20;

/// What a program says of its build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct GoProgram {
    /// The version of Go, `go1.22.1`; `None` when it could not be followed.
    pub(super) version: Option<String>,
    /// The lines about modules and settings; empty for programs built without modules.
    pub(super) modules: String,
}

/// Looks for build information.
pub(super) struct BuildInfo<'l> {
    layout: &'l Layout,
    /// Pieces of the writable data, with their places.
    kept: Vec<(u64, Vec<u8>)>,
    /// How far the last piece was searched for the mark.
    searched: usize,
    strings: Strings,
    end_seen: u64,
    state: State,
}

enum State {
    /// No mark yet.
    Searching,
    /// The texts follow the header, which is at this place of the last piece.
    Inline(usize),
    /// The header of the older form.
    Pointers(Box<[u8; HEADER_BYTES]>),
    Done(Option<GoProgram>),
}

impl<'l> BuildInfo<'l> {
    /// Starts before the program's first byte.
    pub(super) fn new(layout: &'l Layout) -> Self {
        let state = match layout.data.is_empty() {
            true => State::Done(None),
            false => State::Searching,
        };
        let strings = Strings::default();
        Self { layout, kept: Vec::new(), searched: 0, strings, end_seen: 0, state }
    }

    /// The next place that has to be read, at or after `position`; `None` when all is known.
    pub(super) fn next(&self, position: u64) -> Option<u64> {
        let end = self.layout.data_end();
        match self.state {
            State::Done(_) => None,
            _ if position >= end => None,
            _ if self.needs_strings() => Some(position),
            _ => {
                let ranges = self.layout.data.iter().filter(|range| range.end > position);
                ranges.map(|range| range.start.max(position)).min()
            }
        }
    }

    /// Takes the bytes at `position`; later calls are for later places.
    pub(super) fn take(&mut self, position: u64, bytes: &[u8]) {
        if matches!(self.state, State::Done(_)) {
            return;
        }
        if self.needs_strings() {
            let before = 0..self.layout.data_end();
            if let Some((at, part)) = overlap(position, bytes, &before) {
                self.strings.take(at, part);
                self.end_seen = at + part.len() as u64;
            }
        }
        for range in &self.layout.data {
            if let Some((at, part)) = overlap(position, bytes, range) {
                self.take_data(at, part);
            }
        }
    }

    /// What was found; `None` when it is no Go program.
    pub(super) fn finish(mut self, layout: &Layout) -> Option<GoProgram> {
        self.strings.finish(self.end_seen);
        match &self.state {
            State::Done(program) => program.clone(),
            State::Searching | State::Inline(_) => None,
            State::Pointers(header) => Some(self.follow(header, layout)),
        }
    }

    /// Whether what is pointed at may be needed. A section of its own that is longer than its
    /// header holds the texts itself.
    fn needs_strings(&self) -> bool {
        let is_inline = self.layout.is_exact
            && self
                .layout
                .data
                .iter()
                .all(|range| range.end.saturating_sub(range.start) > HEADER_BYTES as u64);
        !is_inline
    }

    fn take_data(&mut self, position: u64, bytes: &[u8]) {
        match self.kept.last_mut() {
            Some((start, piece)) if *start + piece.len() as u64 == position => {
                piece.extend_from_slice(bytes);
            }
            _ => {
                if let State::Inline(_) = self.state {
                    self.state = State::Searching;
                }
                self.kept.push((position, bytes.to_vec()));
                self.searched = 0;
            }
        }
        self.search();
        self.forget();
    }

    /// Looks for the mark in what is new, and reads on behind it.
    fn search(&mut self) {
        let Some((start, piece)) = self.kept.last() else { return };
        loop {
            match &self.state {
                State::Searching => {
                    let Some(at) = find_mark(*start, piece, self.searched) else {
                        self.searched = piece.len().saturating_sub(HEADER_BYTES + ALIGNMENT);
                        return;
                    };
                    let header = piece[at..].first_chunk().expect("the mark has a whole header");
                    self.state = match header[15] & 2 {
                        2 => State::Inline(at),
                        _ => State::Pointers(Box::new(*header)),
                    };
                    self.searched = at + ALIGNMENT;
                }
                State::Inline(at) => match inline(&piece[at + HEADER_BYTES..]) {
                    Texts::Whole(program) => {
                        self.state = State::Done(Some(program));
                        self.kept.clear();
                        return;
                    }
                    Texts::Cut => return,
                    Texts::Wrong => self.state = State::Searching,
                },
                State::Pointers(_) | State::Done(_) => return,
            }
        }
    }

    /// Keeps the memory within its limit: the oldest data goes first.
    fn forget(&mut self) {
        if matches!(self.state, State::Inline(_)) {
            return;
        }
        let mut total: usize = self.kept.iter().map(|(_, piece)| piece.len()).sum();
        while total > DATA_BYTES_MAX && self.kept.len() > 1 {
            total -= self.kept.remove(0).1.len();
        }
        if total > DATA_BYTES_MAX
            && let Some((start, piece)) = self.kept.last_mut()
        {
            // In big steps, since what is left is moved.
            let gone = (total - DATA_BYTES_MAX / 2) & !(ALIGNMENT - 1);
            piece.drain(..gone);
            *start += gone as u64;
            self.searched = self.searched.saturating_sub(gone);
        }
    }

    fn follow(&self, header: &[u8; HEADER_BYTES], layout: &Layout) -> GoProgram {
        let numbers = Numbers { is_big: header[15] & 1 == 1, is_wide: header[14] == 8 };
        let width = if numbers.is_wide { 8 } else { 4 };
        let text = |index: usize, limit: usize| {
            let (at, length) =
                self.string_at(numbers.word(header, 16 + index * width)?, numbers)?;
            let (at, left) = layout.file_offset(at)?;
            let is_possible = length <= left && length <= limit as u64 && length > 0;
            is_possible.then_some((at, length))
        };
        let version = text(0, VERSION_BYTES_MAX).and_then(|(at, length)| {
            let text = self.strings.version(at, length).or_else(|| self.data_at(at, length))?;
            let text = str::from_utf8(text).ok()?;
            (text.starts_with("go") || text.starts_with("devel")).then(|| text.to_owned())
        });
        let modules = text(1, LIST_BYTES_MAX)
            .and_then(|(at, length)| {
                self.strings.list(at, length).or_else(|| self.data_at(at, length))
            })
            // Pointers of a position-independent program may be filled in only when it is loaded.
            .or_else(|| self.strings.only_list());
        GoProgram { version, modules: modules.map_or_else(String::new, without_marks) }
    }

    /// Address and length of the string whose header is at an address.
    fn string_at(&self, address: u64, numbers: Numbers) -> Option<(u64, u64)> {
        let width = if numbers.is_wide { 8 } else { 4 };
        let (at, _) = self.layout.file_offset(address)?;
        let header = self.data_at(at, 2 * width)?;
        let half = usize::try_from(width).ok()?;
        Some((numbers.word(header, 0)?, numbers.word(header, half)?))
    }

    /// Bytes of the writable data by their place in the file.
    fn data_at(&self, position: u64, length: u64) -> Option<&[u8]> {
        self.kept.iter().find_map(|(start, piece)| {
            let from = usize::try_from(position.checked_sub(*start)?).ok()?;
            let to = from.checked_add(usize::try_from(length).ok()?)?;
            piece.get(from..to)
        })
    }
}

/// The place of a mark with a whole header behind it, in a piece that lies at `start` of the file,
/// from `searched` on. Places in the file are as aligned as addresses are, since segments are.
fn find_mark(start: u64, piece: &[u8], searched: usize) -> Option<usize> {
    let misaligned = usize::try_from((start + searched as u64) % ALIGNMENT as u64).ok()?;
    let first = searched + (ALIGNMENT - misaligned) % ALIGNMENT;
    let last = piece.len().checked_sub(HEADER_BYTES)?;
    (first..=last).step_by(ALIGNMENT).find(|&at| piece[at..].starts_with(MARK))
}

enum Texts {
    Whole(GoProgram),
    /// More bytes are needed.
    Cut,
    Wrong,
}

/// Reads version and list, each behind its length as a varint.
fn inline(bytes: &[u8]) -> Texts {
    let mut rest = bytes;
    let mut texts = [&b""[..]; 2];
    for (text, limit) in texts.iter_mut().zip([VERSION_BYTES_MAX, LIST_BYTES_MAX]) {
        let mut length = 0_u64;
        let mut shift = 0;
        loop {
            let Some((&byte, after)) = rest.split_first() else { return Texts::Cut };
            rest = after;
            length |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
            if shift > 28 {
                return Texts::Wrong;
            }
        }
        let Some(length) = usize::try_from(length).ok().filter(|length| *length <= limit) else {
            return Texts::Wrong;
        };
        let Some((whole, after)) = rest.split_at_checked(length) else { return Texts::Cut };
        *text = whole;
        rest = after;
    }
    match str::from_utf8(texts[0]) {
        Ok(version) if !version.is_empty() => Texts::Whole(GoProgram {
            version: Some(version.to_owned()),
            modules: without_marks(texts[1]),
        }),
        _ => Texts::Wrong,
    }
}

/// The list without the 16 bytes before and after it. Go itself tells a list by the line break at
/// its end.
fn without_marks(list: &[u8]) -> String {
    let Some(end) = list.len().checked_sub(16).filter(|end| *end > 16) else {
        return String::new();
    };
    match list[end - 1] {
        b'\n' => String::from_utf8_lossy(&list[16..end]).into_owned(),
        _ => String::new(),
    }
}
