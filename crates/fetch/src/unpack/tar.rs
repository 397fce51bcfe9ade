//! The regular files of a tar.

use std::io::{self, BufRead, Read as _};

use tar_core::HEADER_SIZE;
use tar_core::parse::{Limits, ParseEvent, Parser};

use super::bounded::Budget;
use super::{Entry, UnpackError, UnpackProblem, visit_one};

/// How large the headers of one file may be, long names and extensions included, in bytes. Git
/// writes one block and a comment.
const HEADERS_BYTES_MAX: u32 = 64 << 10;

/// A header that has been read.
enum Header {
    /// A regular file of this length, padding not included.
    File { path: String, length: u64 },
    /// Something else with this much content, padding included.
    Other { padded_length: u64 },
    /// The end of the archive.
    End,
}

/// Visits the regular files of a tar stream.
pub(super) fn unpack<E>(
    name: &str,
    stream: &mut dyn BufRead,
    budget: &mut Budget,
    visit: &mut dyn FnMut(&mut Entry<'_>) -> Result<(), E>,
) -> Result<(), UnpackError<E>> {
    let document = |path: &str, problem| UnpackError::Document { path: path.to_owned(), problem };
    let mut parser = Parser::new(Limits {
        max_metadata_size: HEADERS_BYTES_MAX,
        max_path_len: u32::try_from(budget.path_bytes_max()).ok(),
        ..Limits::default()
    });
    let mut headers = Vec::new();
    loop {
        let header = next_header(&mut parser, stream, &mut headers)
            .map_err(|error| document(name, UnpackProblem::Damaged(error)))?;
        budget.spend(headers.len() as u64).map_err(|problem| document(name, problem))?;
        match header {
            Header::File { path, length } => {
                let mut content = Exactly { stream: &mut *stream, left: length };
                visit_one(&path, &mut content, budget, visit)?;
                let left = content.left;
                let padding = length.next_multiple_of(HEADER_SIZE as u64) - length;
                skip(stream, left + padding, budget).map_err(|problem| document(&path, problem))?;
            }
            Header::Other { padded_length } => {
                skip(stream, padded_length, budget).map_err(|problem| document(name, problem))?;
            }
            Header::End => break,
        }
    }
    // What follows is padding; reading it has the checksum of the gzip member checked.
    rest(stream, budget).map_err(|problem| document(name, problem))
}

/// Reads up to the content of the next file. `headers` holds the blocks that were read.
fn next_header(
    parser: &mut Parser,
    stream: &mut dyn BufRead,
    headers: &mut Vec<u8>,
) -> io::Result<Header> {
    headers.clear();
    let mut wanted = HEADER_SIZE;
    loop {
        let missing = wanted.saturating_sub(headers.len());
        let count = (&mut *stream).take(missing as u64).read_to_end(headers)?;
        if count < missing {
            // An archive may end without its end mark, but only between two files.
            let is_between = headers.is_empty();
            return is_between.then_some(Header::End).ok_or(io::ErrorKind::UnexpectedEof.into());
        }
        match parser.parse(headers).map_err(io::Error::other)? {
            ParseEvent::NeedData { min_bytes } => {
                if min_bytes <= headers.len() || min_bytes > 2 * HEADERS_BYTES_MAX as usize {
                    return Err(io::Error::other("headers without an end"));
                }
                wanted = min_bytes;
            }
            ParseEvent::GlobalExtensions { consumed, .. } => {
                headers.drain(..consumed);
                wanted = HEADER_SIZE;
            }
            ParseEvent::Entry { entry, .. } => {
                let length = entry.size;
                if length > u64::MAX / 2 {
                    return Err(io::Error::other("a file longer than any file"));
                }
                return Ok(if entry.is_file() {
                    Header::File { path: entry.path_lossy().into_owned(), length }
                } else {
                    Header::Other { padded_length: entry.padded_size() }
                });
            }
            ParseEvent::SparseEntry { entry, .. } => {
                return Ok(Header::Other { padded_length: entry.padded_size() });
            }
            ParseEvent::End { .. } => return Ok(Header::End),
        }
    }
}

/// Passes over `count` bytes, all of which must be there.
fn skip(stream: &mut dyn BufRead, count: u64, budget: &mut Budget) -> Result<(), UnpackProblem> {
    let mut exactly = Exactly { stream, left: count };
    rest(&mut exactly, budget)
}

/// Passes over everything that is left.
fn rest(stream: &mut dyn BufRead, budget: &mut Budget) -> Result<(), UnpackProblem> {
    loop {
        let count = match stream.fill_buf() {
            Ok([]) => return Ok(()),
            Ok(bytes) => bytes.len(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(UnpackProblem::Damaged(error)),
        };
        budget.spend(count as u64)?;
        stream.consume(count);
    }
}

/// So many bytes of a stream; fewer are an error.
struct Exactly<'a> {
    stream: &'a mut dyn BufRead,
    left: u64,
}

impl BufRead for Exactly<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            return Ok(&[]);
        }
        let bytes = self.stream.fill_buf()?;
        if bytes.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        Ok(bytes.get(..count).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.left = self.left.saturating_sub(count as u64);
        self.stream.consume(count);
    }
}

impl io::Read for Exactly<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut bytes = self.fill_buf()?;
        let count = bytes.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}
