//! Walks the central directory of a zip.
//!
//! Strict where readers differ: the end record must reach exactly to the end of the file and the
//! directory exactly to the end records, so that there is one way to read a file and no hidden
//! second directory.

use std::io::{self, Read as _};

use super::malformed;
use super::window::Window;

/// Signature and length of the end record, without its comment.
const END: (u32, usize) = (0x0605_4b50, 22);

/// Signature and length of the locator of the long end record.
const LONG_END_LOCATOR: (u32, usize) = (0x0706_4b50, 20);

/// Signature of the long end record.
const LONG_END: u32 = 0x0606_4b50;

/// Signature and length of a header, without name, extra fields and comment.
const HEADER: (u32, usize) = (0x0201_4b50, 46);

/// The extra field with the long sizes and offsets.
const LONG_FIELD: u16 = 1;

/// Stands in a short field whose value is in the long one.
const IN_LONG_FIELD: u32 = u32::MAX;

/// The kind of a file in the upper bits of a Unix mode; none where no Unix wrote it.
const UNIX_KIND: (u32, [u32; 2]) = (0o170_000, [0, 0o100_000]);

/// What the directory says of one file.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) path: String,
    /// Neither a folder nor a link or device.
    pub(super) is_file: bool,
    pub(super) is_encrypted: bool,
    pub(super) method: u16,
    pub(super) crc: u32,
    pub(super) packed_length: u64,
    pub(super) length: u64,
    /// Where its local header stands.
    pub(super) offset: u64,
}

/// The directory, read up to some header.
pub(super) struct Directory<'a> {
    window: Window<'a>,
    start: u64,
    end: u64,
    count: u64,
    left: u64,
}

impl<'a> Directory<'a> {
    /// Finds the directory of a file of `length` bytes.
    pub(super) fn open(mut window: Window<'a>, length: u64) -> io::Result<Self> {
        let (at, end) = find_end(&mut window, length)?;
        let field = |offset| u64::from(number::<4>(&end, offset));
        let [disk, directory_disk] = [4, 6].map(|offset| number::<2>(&end, offset));
        let mut directory = Self {
            start: field(16),
            end: at,
            count: u64::from(number::<2>(&end, 10)),
            left: 0,
            window,
        };
        let mut size = field(12);
        if let Some((long_at, long)) = find_long_end(&mut directory.window, at)? {
            directory.count = long_number(&long, 32);
            size = long_number(&long, 40);
            directory.start = long_number(&long, 48);
            directory.end = long_at;
        } else if disk != 0 || directory_disk != 0 {
            return Err(malformed("a zip in several volumes"));
        }
        if directory.start.checked_add(size) != Some(directory.end) {
            return Err(malformed("the directory does not reach to the end record"));
        }
        if directory.count > size / HEADER.1 as u64 {
            return Err(malformed("more files than the directory has place for"));
        }
        directory.left = directory.count;
        directory.window.move_to(directory.start);
        Ok(directory)
    }

    /// How many files and folders there are.
    pub(super) const fn file_count(&self) -> u64 {
        self.count
    }

    /// Where the directory starts: contents end before it.
    pub(super) const fn start(&self) -> u64 {
        self.start
    }

    /// The next header; `None` after the last one.
    pub(super) fn next_header(&mut self) -> io::Result<Option<Header>> {
        if self.left == 0 {
            let is_at_end = self.window.position() == self.end;
            return is_at_end.then_some(None).ok_or(malformed("more headers than are counted"));
        }
        self.left -= 1;
        let fixed = self.window.array::<{ HEADER.1 }>()?;
        if number::<4>(&fixed, 0) != HEADER.0 {
            return Err(malformed("no header where one is expected"));
        }
        let lengths = [28, 30, 32].map(|offset| u64::from(number::<2>(&fixed, offset)));
        let [path, extra, comment] = lengths;
        let path = self.bytes(path)?;
        let extra = self.bytes(extra)?;
        self.window.move_to(self.window.position().saturating_add(comment));
        if self.window.position() > self.end {
            return Err(malformed("a header goes beyond the directory"));
        }
        let mut header = Header {
            is_file: !path.ends_with(b"/") && is_plain(&fixed),
            path: String::from_utf8_lossy(&path).into_owned(),
            is_encrypted: number::<2>(&fixed, 8) & 1 == 1,
            method: u16::try_from(number::<2>(&fixed, 10)).expect("two bytes"),
            crc: number::<4>(&fixed, 16),
            packed_length: u64::from(number::<4>(&fixed, 20)),
            length: u64::from(number::<4>(&fixed, 24)),
            offset: u64::from(number::<4>(&fixed, 42)),
        };
        header.read_long_field(&extra)?;
        Ok(Some(header))
    }

    fn bytes(&mut self, count: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let found = (&mut self.window).take(count).read_to_end(&mut bytes)?;
        if (found as u64) < count {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(bytes)
    }
}

impl Header {
    /// Takes lengths and offset from the long field where the short ones are full.
    fn read_long_field(&mut self, extra: &[u8]) -> io::Result<()> {
        let values = [&mut self.length, &mut self.packed_length, &mut self.offset];
        let mut wanted = values.into_iter().filter(|it| **it == u64::from(IN_LONG_FIELD));
        let Some(first) = wanted.next() else { return Ok(()) };
        let missing = || malformed("a length is missing");
        let mut rest = long_field(extra).ok_or_else(missing)?;
        for value in std::iter::once(first).chain(wanted) {
            let (bytes, after) = rest.split_first_chunk::<8>().ok_or_else(missing)?;
            *value = u64::from_le_bytes(*bytes);
            rest = after;
        }
        Ok(())
    }
}

/// The content of the long field among extra fields.
fn long_field(mut extra: &[u8]) -> Option<&[u8]> {
    loop {
        let (head, rest) = extra.split_first_chunk::<4>()?;
        let [id_low, id_high, length_low, length_high] = *head;
        let length = usize::from(u16::from_le_bytes([length_low, length_high]));
        let field = rest.get(..length)?;
        if u16::from_le_bytes([id_low, id_high]) == LONG_FIELD {
            return Some(field);
        }
        extra = rest.get(length..)?;
    }
}

/// Whether a header is that of a plain file, as far as a Unix wrote it.
fn is_plain(header: &[u8]) -> bool {
    const UNIX: u32 = 3;
    let (mask, plain) = UNIX_KIND;
    let mode = number::<4>(header, 38) >> 16;
    number::<2>(header, 4) >> 8 != UNIX || plain.contains(&(mode & mask))
}

/// Where the end record is, and its text: the last place whose comment reaches to the end.
fn find_end(window: &mut Window<'_>, length: u64) -> io::Result<(u64, Vec<u8>)> {
    let start = length.saturating_sub(END.1 as u64 + u64::from(u16::MAX));
    window.move_to(start);
    let mut tail = Vec::new();
    window.read_to_end(&mut tail)?;
    let places = tail.len().checked_sub(END.1).ok_or(malformed("too short for a zip"))?;
    for place in (0..=places).rev() {
        let bytes = tail.get(place..).unwrap_or_default();
        let comment = bytes.len() - END.1;
        if number::<4>(bytes, 0) == END.0 && number::<2>(bytes, 20) as usize == comment {
            return Ok((start + place as u64, bytes.to_vec()));
        }
    }
    Err(malformed("no end record: cut, or not a zip"))
}

/// Where the long end record is, if the file has one, and its text.
fn find_long_end(window: &mut Window<'_>, end: u64) -> io::Result<Option<(u64, [u8; 56])>> {
    let Some(locator_at) = end.checked_sub(LONG_END_LOCATOR.1 as u64) else { return Ok(None) };
    window.move_to(locator_at);
    let locator = window.array::<{ LONG_END_LOCATOR.1 }>()?;
    if number::<4>(&locator, 0) != LONG_END_LOCATOR.0 {
        return Ok(None);
    }
    let at = long_number(&locator, 8);
    window.move_to(at);
    let long = window.array::<56>()?;
    if number::<4>(&long, 0) != LONG_END || at >= locator_at {
        return Err(malformed("the long end record is not where it is said to be"));
    }
    Ok(Some((at, long)))
}

/// A little-endian number of `N` bytes, at most 4; nothing counts as 0.
fn number<const N: usize>(bytes: &[u8], offset: usize) -> u32 {
    let field = bytes.get(offset..offset + N).unwrap_or_default();
    field.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// A little-endian number of 8 bytes.
fn long_number(bytes: &[u8], offset: usize) -> u64 {
    u64::from(number::<4>(bytes, offset + 4)) << 32 | u64::from(number::<4>(bytes, offset))
}
