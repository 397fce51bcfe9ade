//! Undoes the compression of a layer: gzip, zstd, or none, told apart by their first bytes.
//!
//! Media types lie (`docker save` calls plain layers gzip and the other way round), so they are not
//! asked. A gzip stream may have several members and a zstd stream several frames; both are read to
//! the end, because tools that build layers in parallel write them so, and a reader that stops
//! after the first would miss files. The CRC of gzip is left to the caller's digests, which cover
//! the same bytes and more.

use std::io::{self, Read};
use std::sync::{Condvar, Mutex, PoisonError};

use flate2::{Decompress, FlushDecompress, Status};
use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

/// Compressed bytes read at once: large enough that system calls do not count, small enough to stay
/// in a core's cache until they are inflated.
const INPUT_BYTES: usize = 128 * 1024;

/// Bytes of one optional field of a gzip header. The format has no limit for names and comments; no
/// tool writes more than a path.
const GZIP_FIELD_MAX: usize = 64 * 1024;

/// Largest zstd window, as binary logarithm of its bytes: 128 MiB, what the zstd tool itself
/// accepts with `--long`. A window is memory.
const WINDOW_LOG_MAX: u32 = 27;

/// Windows above this many bytes are had by one layer at a time. Level 19 uses 8 MiB.
const WINDOW_SHARED_MAX: u64 = 8 * 1024 * 1024;

/// Longest frame header of zstd with its magic number, from RFC 8878 section 3.1.1.1.
const FRAME_HEADER_MAX: usize = 18;

/// Whether a stream uses a window above [`WINDOW_SHARED_MAX`], and who waits for it to end.
static LARGE_WINDOW: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

/// Why a compressed stream cannot be undone.
#[derive(Debug, thiserror::Error)]
pub enum InflateError {
    /// The bytes cannot be read from where they lie.
    #[error("cannot be read at byte {at}")]
    Read {
        /// Offset in the compressed stream.
        at: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The stream ends too early.
    #[error("{format} stream is cut off after byte {at}")]
    Truncated {
        /// `gzip` or `zstd`.
        format: &'static str,
        /// Length of the compressed stream.
        at: u64,
    },
    /// The stream is damaged.
    #[error("{format} stream is damaged near byte {at}: {problem}")]
    Corrupt {
        /// `gzip` or `zstd`.
        format: &'static str,
        /// Offset in the compressed stream.
        at: u64,
        /// What is wrong.
        problem: String,
    },
    /// A format that images do not use and that is not read.
    #[error("compression {format} is not supported")]
    Unsupported {
        /// `xz` or `bzip2`.
        format: &'static str,
    },
}

/// Undoes the compression of one stream.
pub(crate) struct Unpacker<R> {
    input: Input<R>,
    codec: Codec,
    waits: bool,
}

enum Codec {
    Unknown,
    Plain,
    Gzip(Gzip),
    Zstd(Zstd),
}

struct Gzip {
    inflate: Decompress,
    inside: bool,
    member_bytes: u64,
}

struct Zstd {
    decoder: Decoder<'static>,
    inside: bool,
    waits: bool,
    large_window: Option<LargeWindow>,
}

/// The right to use a large window.
struct LargeWindow;

/// The compressed bytes, buffered.
struct Input<R> {
    source: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    passed: u64,
    ended: bool,
}

impl<R: Read> Unpacker<R> {
    pub(crate) fn new(source: R) -> Self {
        let buffer = vec![0; INPUT_BYTES];
        let input = Input { source, buffer, start: 0, end: 0, passed: 0, ended: false };
        Self { input, codec: Codec::Unknown, waits: true }
    }

    /// As [`Self::new`], for the one stream that lies around all others: it does not wait for its
    /// turn to have a large window, because they wait for it.
    pub(crate) fn without_waiting(source: R) -> Self {
        Self { waits: false, ..Self::new(source) }
    }

    /// Fills `out` with plain bytes and says how many there were; fewer than its length only at
    /// the end of the stream, when all of the source has been read.
    pub(crate) fn fill(&mut self, out: &mut [u8]) -> Result<usize, InflateError> {
        let mut filled = 0;
        while filled < out.len() {
            let Some(room) = out.get_mut(filled..) else { break };
            let count = self.step(room)?;
            match count {
                Some(count) => filled += count,
                None => break,
            }
        }
        Ok(filled)
    }

    /// The source, once it has been read to its end.
    pub(crate) fn into_source(self) -> R {
        self.input.source
    }

    /// Whether the stream turned out not to be compressed.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self.codec, Codec::Plain)
    }

    /// Makes some progress: the number of bytes written, `None` at the end.
    fn step(&mut self, out: &mut [u8]) -> Result<Option<usize>, InflateError> {
        match &mut self.codec {
            Codec::Unknown => {
                self.codec = detect(self.input.at_least(6)?, self.waits)?;
                Ok(Some(0))
            }
            Codec::Plain => {
                let count = self.input.read_plain(out)?;
                Ok((count > 0).then_some(count))
            }
            Codec::Gzip(gzip) => gzip.step(&mut self.input, out),
            Codec::Zstd(zstd) => zstd.step(&mut self.input, out),
        }
    }
}

fn detect(head: &[u8], waits: bool) -> Result<Codec, InflateError> {
    Ok(match head {
        [0x1f, 0x8b, 8, ..] => {
            Codec::Gzip(Gzip { inflate: Decompress::new(false), inside: false, member_bytes: 0 })
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
            let out_of_memory = |source| InflateError::Read { at: 0, source };
            let mut decoder = Decoder::new().map_err(out_of_memory)?;
            decoder
                .set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))
                .map_err(out_of_memory)?;
            Codec::Zstd(Zstd { decoder, inside: false, waits, large_window: None })
        }
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => {
            return Err(InflateError::Unsupported { format: "xz" });
        }
        [b'B', b'Z', b'h', b'1'..=b'9', b'1', b'A', ..] => {
            return Err(InflateError::Unsupported { format: "bzip2" });
        }
        _ => Codec::Plain,
    })
}

impl Gzip {
    const FORMAT: &'static str = "gzip";

    fn step<R: Read>(
        &mut self,
        input: &mut Input<R>,
        out: &mut [u8],
    ) -> Result<Option<usize>, InflateError> {
        if !self.inside {
            if !Self::read_header(input)? {
                return Ok(None);
            }
            self.inflate.reset(false);
            self.member_bytes = 0;
            self.inside = true;
        }
        let at = input.passed;
        let compressed = input.at_least(1)?;
        if compressed.is_empty() {
            return Err(InflateError::Truncated { format: Self::FORMAT, at });
        }
        let (in_before, out_before) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self
            .inflate
            .decompress(compressed, out, FlushDecompress::None)
            .map_err(|error| corrupt(Self::FORMAT, at, error.to_string()))?;
        let (taken, given) = (
            difference(self.inflate.total_in(), in_before),
            difference(self.inflate.total_out(), out_before),
        );
        input.consume(taken);
        self.member_bytes += given as u64;
        if status == Status::StreamEnd {
            self.read_trailer(input)?;
            self.inside = false;
        } else if taken == 0 && given == 0 {
            return Err(corrupt(Self::FORMAT, at, "no progress".to_owned()));
        }
        Ok(Some(given))
    }

    /// Passes over a member's header; `false` if there is none because the stream has ended. Zeros
    /// after the last member are padding, as the gzip tool has it.
    fn read_header<R: Read>(input: &mut Input<R>) -> Result<bool, InflateError> {
        let is_first = input.passed == 0;
        while !is_first && input.at_least(1)?.first() == Some(&0) {
            input.consume(1);
        }
        let at = input.passed;
        let truncated = || InflateError::Truncated { format: Self::FORMAT, at };
        let header = input.at_least(10)?;
        let flags = match *header {
            [] => return Ok(false),
            [0x1f, 0x8b, 8, flags, _, _, _, _, _, _, ..] => flags,
            [0x1f] | [0x1f, 0x8b] | [0x1f, 0x8b, 8, ..] => return Err(truncated()),
            _ => return Err(corrupt(Self::FORMAT, at, "no gzip header".to_owned())),
        };
        if flags & 0xe0 != 0 {
            return Err(corrupt(Self::FORMAT, at, "reserved flags are set".to_owned()));
        }
        input.consume(10);
        if flags & 4 != 0 {
            let [low, high, ..] = *input.at_least(2)? else { return Err(truncated()) };
            input.consume(2);
            let length = usize::from(u16::from_le_bytes([low, high]));
            if input.at_least(length)?.len() < length {
                return Err(truncated());
            }
            input.consume(length);
        }
        for flag in [8, 16] {
            if flags & flag != 0 {
                Self::skip_text(input)?;
            }
        }
        if flags & 2 != 0 {
            if input.at_least(2)?.len() < 2 {
                return Err(truncated());
            }
            input.consume(2);
        }
        Ok(true)
    }

    /// Passes over a text that ends with a zero byte.
    fn skip_text<R: Read>(input: &mut Input<R>) -> Result<(), InflateError> {
        let at = input.passed;
        let bytes = input.at_least(GZIP_FIELD_MAX)?;
        let (length, is_short) = (bytes.iter().position(|&byte| byte == 0), bytes.len());
        match length {
            Some(length) => {
                input.consume(length + 1);
                Ok(())
            }
            None if is_short < GZIP_FIELD_MAX => {
                Err(InflateError::Truncated { format: Self::FORMAT, at })
            }
            None => Err(corrupt(Self::FORMAT, at, "a header field does not end".to_owned())),
        }
    }

    fn read_trailer<R: Read>(&self, input: &mut Input<R>) -> Result<(), InflateError> {
        let at = input.passed;
        let [_, _, _, _, a, b, c, d, ..] = *input.at_least(8)? else {
            return Err(InflateError::Truncated { format: Self::FORMAT, at });
        };
        input.consume(8);
        let length = u32::from_le_bytes([a, b, c, d]);
        if u64::from(length) != self.member_bytes & u64::from(u32::MAX) {
            return Err(corrupt(Self::FORMAT, at, "the length does not fit".to_owned()));
        }
        Ok(())
    }
}

impl Zstd {
    const FORMAT: &'static str = "zstd";

    fn step<R: Read>(
        &mut self,
        input: &mut Input<R>,
        out: &mut [u8],
    ) -> Result<Option<usize>, InflateError> {
        let at = input.passed;
        if !self.inside && !self.start_frame(input)? {
            return Ok(None);
        }
        let compressed = input.at_least(1)?;
        let is_ended = compressed.is_empty();
        let mut source = InBuffer::around(compressed);
        let mut target = OutBuffer::around(out);
        let hint = self
            .decoder
            .run(&mut source, &mut target)
            .map_err(|error| corrupt(Self::FORMAT, at, error.to_string()))?;
        let (taken, given) = (source.pos(), target.pos());
        input.consume(taken);
        if hint == 0 {
            self.inside = false;
        } else if given == 0 && is_ended {
            return Err(InflateError::Truncated { format: Self::FORMAT, at });
        }
        Ok(Some(given))
    }

    /// Passes over skippable frames and looks at the next one's window; `false` at the end of the
    /// stream.
    fn start_frame<R: Read>(&mut self, input: &mut Input<R>) -> Result<bool, InflateError> {
        loop {
            let at = input.passed;
            let truncated = || InflateError::Truncated { format: Self::FORMAT, at };
            match *input.at_least(FRAME_HEADER_MAX)? {
                [] => return Ok(false),
                [0x50..=0x5f, 0x2a, 0x4d, 0x18, a, b, c, d, ..] => {
                    input.consume(8);
                    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
                    if !input.skip(length)? {
                        return Err(truncated());
                    }
                }
                [0x28, 0xb5, 0x2f, 0xfd, ref header @ ..] => {
                    let window = window_bytes(header).ok_or_else(truncated)?;
                    if window > 1 << WINDOW_LOG_MAX {
                        let problem = format!("it needs a window of {window} bytes");
                        return Err(corrupt(Self::FORMAT, at, problem));
                    }
                    if self.waits && window > WINDOW_SHARED_MAX && self.large_window.is_none() {
                        self.large_window = Some(LargeWindow::wait());
                    }
                    self.inside = true;
                    return Ok(true);
                }
                ref head if head.len() < 4 => return Err(truncated()),
                _ => return Err(corrupt(Self::FORMAT, at, "no zstd frame".to_owned())),
            }
        }
    }
}

impl LargeWindow {
    /// Waits until no other stream uses one. Streams never wait for one another while they hold
    /// it, so this ends.
    fn wait() -> Self {
        let (in_use, freed) = &LARGE_WINDOW;
        let guard = in_use.lock().unwrap_or_else(PoisonError::into_inner);
        let mut guard =
            freed.wait_while(guard, |in_use| *in_use).unwrap_or_else(PoisonError::into_inner);
        *guard = true;
        Self
    }
}

impl Drop for LargeWindow {
    fn drop(&mut self) {
        let (in_use, freed) = &LARGE_WINDOW;
        *in_use.lock().unwrap_or_else(PoisonError::into_inner) = false;
        freed.notify_one();
    }
}

/// The window that a frame asks for, from the header after its magic number (RFC 8878 section
/// 3.1.1.1); `None` if the header is cut.
fn window_bytes(header: &[u8]) -> Option<u64> {
    let descriptor = *header.first()?;
    if descriptor & 0x20 == 0 {
        let window = *header.get(1)?;
        let base = 1_u64 << (10 + u32::from(window >> 3));
        return Some(base + base / 8 * u64::from(window & 7));
    }
    let dictionary_bytes = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let size_bytes = [1, 2, 4, 8][usize::from(descriptor >> 6)];
    let field = header.get(1 + dictionary_bytes..)?.get(..size_bytes)?;
    let size = field.iter().rev().fold(0_u64, |size, &byte| size << 8 | u64::from(byte));
    Some(if size_bytes == 2 { size + 256 } else { size })
}

fn corrupt(format: &'static str, at: u64, problem: String) -> InflateError {
    InflateError::Corrupt { format, at, problem }
}

fn difference(after: u64, before: u64) -> usize {
    usize::try_from(after - before).expect("both lie in buffers that fit into memory")
}

impl<R: Read> Input<R> {
    /// The bytes that are there, at least `count` of them unless the source ends before.
    fn at_least(&mut self, count: usize) -> Result<&[u8], InflateError> {
        if self.end - self.start < count && !self.ended {
            self.refill(count)?;
        }
        Ok(self.buffer.get(self.start..self.end).expect("start never passes end"))
    }

    fn refill(&mut self, count: usize) -> Result<(), InflateError> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.buffer.len() < count {
            self.buffer.resize(count, 0);
        }
        while self.end < count && !self.ended {
            let room = self.buffer.get_mut(self.end..).expect("end lies in the buffer");
            let read = read_retrying(&mut self.source, room)
                .map_err(|source| InflateError::Read { at: self.passed, source })?;
            self.end += read;
            self.ended = read == 0;
        }
        Ok(())
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
        self.passed += count as u64;
    }

    /// Passes over `count` bytes; `false` if the source ends before.
    fn skip(&mut self, mut count: u64) -> Result<bool, InflateError> {
        while count > 0 {
            let there = self.at_least(1)?.len();
            if there == 0 {
                return Ok(false);
            }
            let passed = there.min(usize::try_from(count).unwrap_or(usize::MAX));
            self.consume(passed);
            count -= passed as u64;
        }
        Ok(true)
    }

    /// Copies what is buffered, or reads past the buffer.
    fn read_plain(&mut self, out: &mut [u8]) -> Result<usize, InflateError> {
        let there = self.buffer.get(self.start..self.end).expect("start never passes end");
        let count = if there.is_empty() {
            read_retrying(&mut self.source, out)
                .map_err(|source| InflateError::Read { at: self.passed, source })?
        } else {
            let count = there.len().min(out.len());
            out[..count].copy_from_slice(&there[..count]);
            self.start += count;
            count
        };
        self.passed += count as u64;
        Ok(count)
    }
}

/// Reads once, and again when a signal came between.
pub(crate) fn read_retrying(source: &mut impl Read, out: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(out) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
