//! An archive around an image: a tar file, possibly compressed as a whole.
//!
//! The order of its entries means nothing (`docker save` writes the manifest last), so it is gone
//! through once for the names and offsets. Blobs of a plain archive are then read from their
//! offsets, by any number of threads. A compressed archive cannot be entered in the middle: a
//! blob's stream begins where an earlier one stopped, if there is one, else at the beginning; read
//! in the order of their offsets all blobs cost one pass. Nothing is written to disk.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::blob::{BlobName, Blobs, open_file};
use crate::error::ImageError;
use crate::inflate::{InflateError, Unpacker};
use crate::path::normalise;
use crate::stream::BlobStream;
use crate::tar::{Kind, TarError, TarReader, TarSource};

/// Entries of an archive around an image. The largest have some thousand.
const ENTRIES_MAX: usize = 1_000_000;

/// Bytes of a path in it.
const PATH_BYTES_MAX: usize = 4096;

/// Bytes read at once while looking for headers: contents are skipped, not read.
const HEADER_READ_BYTES: usize = 4096;

/// Bytes inflated at once of a compressed archive.
const CHUNK_BYTES: usize = 256 * 1024;

/// Streams kept for blobs that lie further behind.
const PARKED_MAX: usize = 2;

/// Links followed from one entry to another.
const LINKS_MAX: usize = 8;

/// An archive whose entries are known.
pub(crate) struct Archive {
    file: Arc<File>,
    places: HashMap<Vec<u8>, Place>,
    parked: Option<Arc<Mutex<Vec<Inflating>>>>,
}

#[derive(Clone, Debug)]
enum Place {
    File { offset: u64, length: u64 },
    Link { target: Vec<u8> },
}

impl Archive {
    /// Opens an archive and goes through it.
    pub(crate) fn open(path: &Path) -> Result<Self, ImageError> {
        let shown = path.display().to_string();
        let broken = |source| ImageError::Archive { path: shown.clone(), source };
        let file = open_file(path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => ImageError::NotFound { target: shown.clone() },
            _ => ImageError::Open { path: shown.clone(), source },
        })?;
        let length = file
            .metadata()
            .map_err(|source| ImageError::Open { path: shown.clone(), source })?
            .len();
        let file = Arc::new(file);
        let mut head = [0; 4];
        let is_long = file.read_at(&mut head, 0).is_ok_and(|count| count == head.len());
        let is_compressed =
            is_long && (matches!(head, [0x1f, 0x8b, 8, _]) || head == [0x28, 0xb5, 0x2f, 0xfd]);
        let (places, parked) = if is_compressed {
            let mut inflating = Inflating::new(&file);
            let places = list(&mut inflating).map_err(|error| match inflating.failure.take() {
                Some(source) => ImageError::Inflate { layer: shown.clone(), source },
                None => broken(error),
            })?;
            (places, Some(Arc::default()))
        } else {
            (list(&mut Skipping::new(&file, length)).map_err(broken)?, None)
        };
        Ok(Self { file, places, parked })
    }

    /// Whether the archive has an entry of this name.
    pub(crate) fn contains(&self, path: &str) -> bool {
        self.find(path).is_some()
    }

    /// Offset and length of a file, links followed.
    fn find(&self, path: &str) -> Option<(u64, u64)> {
        let mut name = Vec::new();
        normalise(path.as_bytes(), PATH_BYTES_MAX, &mut name).ok()?;
        for _ in 0..LINKS_MAX {
            match self.places.get(&name)? {
                Place::File { offset, length } => return Some((*offset, *length)),
                Place::Link { target } => name.clone_from(target),
            }
        }
        None
    }
}

impl Blobs for Archive {
    fn open(&self, name: &BlobName) -> Result<Option<BlobStream>, ImageError> {
        let Some((offset, length)) = self.find(&name.path) else { return Ok(None) };
        let Some(parked) = &self.parked else {
            let file = Arc::clone(&self.file);
            return Ok(Some(Box::new(Section { file, offset, end: offset + length })));
        };
        let mut streams = parked.lock().unwrap_or_else(PoisonError::into_inner);
        let behind = |stream: &Inflating| stream.offset <= offset;
        let nearest = (0..streams.len())
            .filter(|&index| streams.get(index).is_some_and(behind))
            .max_by_key(|&index| streams.get(index).map(|stream| stream.offset));
        let inflating = match nearest {
            Some(index) => streams.swap_remove(index),
            None => Inflating::new(&self.file),
        };
        let parked = Arc::clone(parked);
        let part = CompressedPart { inflating: Some(inflating), offset, left: length, parked };
        Ok(Some(Box::new(part)))
    }

    fn is_sequential(&self) -> bool {
        self.parked.is_some()
    }

    fn place(&self, name: &BlobName) -> Option<(u64, u64)> {
        self.find(&name.path)
    }
}

/// Goes through an archive and notes where its files lie. The last of several of one name counts.
fn list(source: &mut impl TarSource) -> Result<HashMap<Vec<u8>, Place>, TarError> {
    let mut places = HashMap::new();
    let mut tar = TarReader::new(source);
    let mut path = Vec::new();
    while let Some(entry) = tar.advance()? {
        if normalise(tar.path(), PATH_BYTES_MAX, &mut path).is_err() || entry.is_sparse {
            continue;
        }
        let place = match entry.kind {
            Kind::File => Place::File { offset: tar.offset(), length: entry.size },
            Kind::Symlink | Kind::HardLink => {
                let mut target = Vec::new();
                let link = match (entry.kind, path.iter().rposition(|&byte| byte == b'/')) {
                    (Kind::Symlink, Some(slash)) => [&path[..=slash], tar.link()].concat(),
                    _ => tar.link().to_vec(),
                };
                if normalise(&link, PATH_BYTES_MAX, &mut target).is_err() {
                    continue;
                }
                Place::Link { target }
            }
            Kind::Folder | Kind::Other => continue,
        };
        if places.len() >= ENTRIES_MAX {
            let problem = "too many entries for an archive around an image";
            return Err(TarError::Header { entry: ENTRIES_MAX as u64, at: tar.offset(), problem });
        }
        places.insert(path.clone(), place);
    }
    Ok(places)
}

/// A part of a file.
struct Section {
    file: Arc<File>,
    offset: u64,
    end: u64,
}

impl Read for Section {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.offset).unwrap_or(usize::MAX);
        let room = out.len().min(left);
        let count = self.file.read_at(out.get_mut(..room).unwrap_or_default(), self.offset)?;
        self.offset += count as u64;
        Ok(count)
    }
}

/// A file of which only headers are read.
struct Skipping<'f> {
    file: &'f File,
    length: u64,
    buffer: Vec<u8>,
    position: usize,
    /// Offset in the file of the buffer's end.
    offset: u64,
}

impl<'f> Skipping<'f> {
    fn new(file: &'f File, length: u64) -> Self {
        Self { file, length, buffer: Vec::new(), position: 0, offset: 0 }
    }
}

impl BufRead for Skipping<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.position == self.buffer.len() {
            self.buffer.resize(HEADER_READ_BYTES, 0);
            let result = self.file.read_at(&mut self.buffer, self.offset);
            self.buffer.truncate(*result.as_ref().unwrap_or(&0));
            self.offset += result? as u64;
            self.position = 0;
        }
        Ok(self.buffer.get(self.position..).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.position = self.buffer.len().min(self.position + count);
    }
}

impl Read for Skipping<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

impl TarSource for Skipping<'_> {
    fn skip(&mut self, count: u64) -> io::Result<u64> {
        let buffered = (self.buffer.len() - self.position) as u64;
        if count <= buffered {
            self.consume(usize::try_from(count).expect("it is at most the buffer's length"));
            return Ok(count);
        }
        let position = self.offset - buffered;
        let passed = count.min(self.length.saturating_sub(position));
        self.buffer.clear();
        self.position = 0;
        self.offset = position + passed;
        Ok(passed)
    }
}

/// A compressed archive, inflated from its beginning.
struct Inflating {
    unpacker: Unpacker<Section>,
    buffer: Vec<u8>,
    position: usize,
    /// Offset in the plain archive of what is read next.
    offset: u64,
    failure: Option<InflateError>,
}

impl Inflating {
    fn new(file: &Arc<File>) -> Self {
        let section = Section { file: Arc::clone(file), offset: 0, end: u64::MAX };
        let unpacker = Unpacker::without_waiting(section);
        Self { unpacker, buffer: Vec::new(), position: 0, offset: 0, failure: None }
    }

    fn pass(&mut self, count: u64) -> io::Result<u64> {
        let mut left = count;
        while left > 0 {
            let there = self.fill_buf()?.len();
            if there == 0 {
                break;
            }
            let passed = there.min(usize::try_from(left).unwrap_or(usize::MAX));
            self.consume(passed);
            left -= passed as u64;
        }
        Ok(count - left)
    }
}

impl BufRead for Inflating {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.position == self.buffer.len() {
            self.buffer.resize(CHUNK_BYTES, 0);
            let result = self.unpacker.fill(&mut self.buffer);
            self.buffer.truncate(*result.as_ref().unwrap_or(&0));
            self.position = 0;
            if let Err(error) = result {
                let text = error.to_string();
                self.failure = Some(error);
                return Err(io::Error::other(text));
            }
        }
        Ok(self.buffer.get(self.position..).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        let passed = count.min(self.buffer.len() - self.position);
        self.position += passed;
        self.offset += passed as u64;
    }
}

impl Read for Inflating {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

impl TarSource for Inflating {
    fn skip(&mut self, count: u64) -> io::Result<u64> {
        self.pass(count)
    }
}

/// A blob in a compressed archive; leaves its stream to the next one.
struct CompressedPart {
    inflating: Option<Inflating>,
    offset: u64,
    left: u64,
    parked: Arc<Mutex<Vec<Inflating>>>,
}

impl Read for CompressedPart {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let inflating = self.inflating.as_mut().expect("it is given away only at the end");
        if inflating.offset < self.offset {
            inflating.pass(self.offset - inflating.offset)?;
            self.offset = inflating.offset;
        }
        let room = out.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let count = inflating.read(out.get_mut(..room).unwrap_or_default())?;
        self.left -= count as u64;
        Ok(count)
    }
}

impl Drop for CompressedPart {
    fn drop(&mut self) {
        let Some(inflating) = self.inflating.take() else { return };
        let mut streams = self.parked.lock().unwrap_or_else(PoisonError::into_inner);
        if inflating.failure.is_none() && streams.len() < PARKED_MAX {
            streams.push(inflating);
        }
    }
}
