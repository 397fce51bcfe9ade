//! The content of one file of a zip after the other, inflated and checked.
//!
//! One decoder and one buffer serve all files: making them anew costs more than inflating a record
//! of a few kB. Surprising: the local header is opened only when the content is first asked for,
//! so a file that nobody wants costs nothing but its line in the directory.

use std::io::{self, BufRead, Read};

use flate2::Crc;
use flate2::bufread::DeflateDecoder;

use super::directory::Header;
use super::malformed;
use super::window::Window;
use crate::unpack::BUFFER_BYTES;

/// Signature and length of a local header, without name and extra fields.
const LOCAL_HEADER: (u32, usize) = (0x0403_4b50, 30);

/// Methods of compression.
const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// The content of the present file.
pub(super) struct Content<'a> {
    decoder: DeflateDecoder<Section<'a>>,
    /// What is to be opened; `None` once it is.
    waiting: Option<Waiting>,
    is_stored: bool,
    buffer: Vec<u8>,
    filled: usize,
    taken: usize,
    /// How many bytes are still to come, and what they are to come to.
    left: u64,
    crc: Crc,
    expected_crc: u32,
}

/// A file that was not opened yet.
struct Waiting {
    offset: u64,
    packed_length: u64,
    /// Where contents have to end.
    end: u64,
    refusal: Option<&'static str>,
}

/// So many bytes of a file.
struct Section<'a> {
    window: Window<'a>,
    left: u64,
}

impl<'a> Content<'a> {
    /// Reads through `window`.
    pub(super) fn new(window: Window<'a>) -> Self {
        Self {
            decoder: DeflateDecoder::new(Section { window, left: 0 }),
            waiting: None,
            is_stored: true,
            buffer: Vec::new(),
            filled: 0,
            taken: 0,
            left: 0,
            crc: Crc::new(),
            expected_crc: 0,
        }
    }

    /// Goes to the file that `header` speaks of; contents end before `end`.
    pub(super) fn start(&mut self, header: &Header, end: u64) {
        let refusal = match header.method {
            _ if header.is_encrypted => Some("encrypted"),
            STORED if header.length != header.packed_length => Some("stored in another length"),
            STORED | DEFLATED => None,
            _ => Some("compressed in a way that is not read"),
        };
        let (offset, packed_length) = (header.offset, header.packed_length);
        self.waiting = Some(Waiting { offset, packed_length, end, refusal });
        self.is_stored = header.method == STORED;
        self.filled = 0;
        self.taken = 0;
        self.left = header.length;
        self.crc.reset();
        self.expected_crc = header.crc;
    }

    /// Opens the local header.
    fn open(&mut self, waiting: &Waiting) -> io::Result<()> {
        if let Some(refusal) = waiting.refusal {
            return Err(malformed(refusal));
        }
        let window = &mut self.decoder.get_mut().window;
        window.move_to(waiting.offset);
        let header = window.array::<{ LOCAL_HEADER.1 }>()?;
        let [signature @ .., _, _] = header.first_chunk::<6>().expect("thirty bytes");
        if u32::from_le_bytes(*signature) != LOCAL_HEADER.0 {
            return Err(malformed("no local header where the directory says"));
        }
        let [.., a, b, c, d] = header;
        let names = u64::from(u16::from_le_bytes([a, b])) + u64::from(u16::from_le_bytes([c, d]));
        let start = window.position() + names;
        if start.checked_add(waiting.packed_length).is_none_or(|stop| stop > waiting.end) {
            return Err(malformed("a content goes into the directory"));
        }
        window.move_to(start);
        self.decoder.get_mut().left = waiting.packed_length;
        self.decoder.reset_data();
        Ok(())
    }

    /// Fills the buffer, and checks the whole when nothing more comes.
    fn refill(&mut self) -> io::Result<()> {
        if let Some(waiting) = self.waiting.take() {
            self.open(&waiting)?;
        }
        self.buffer.resize(BUFFER_BYTES, 0);
        self.taken = 0;
        self.filled = 0;
        let count = if self.is_stored {
            self.decoder.get_mut().read(&mut self.buffer)?
        } else {
            self.decoder.read(&mut self.buffer)?
        };
        let bytes = self.buffer.get(..count).unwrap_or_default();
        self.crc.update(bytes);
        self.left =
            self.left.checked_sub(count as u64).ok_or(malformed("longer than announced"))?;
        if count == 0 && self.left > 0 {
            return Err(malformed("shorter than announced"));
        }
        if count == 0 && self.crc.sum() != self.expected_crc {
            return Err(malformed("wrong checksum"));
        }
        self.filled = count;
        Ok(())
    }
}

impl BufRead for Content<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.taken >= self.filled {
            self.refill()?;
        }
        Ok(self.buffer.get(self.taken..self.filled).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.taken = self.taken.saturating_add(count).min(self.filled);
    }
}

impl Read for Content<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let mut bytes = self.fill_buf()?;
        let count = bytes.read(target)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Section<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            return Ok(&[]);
        }
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        let bytes = self.window.fill_buf()?;
        Ok(bytes.get(..left).unwrap_or(bytes))
    }

    fn consume(&mut self, count: usize) {
        self.left = self.left.saturating_sub(count as u64);
        self.window.consume(count);
    }
}

impl Read for Section<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let mut bytes = self.fill_buf()?;
        let count = bytes.read(target)?;
        self.consume(count);
        Ok(count)
    }
}
