//! Carries a blob's bytes from where it lies to the tar reader, hashing them on both sides of the
//! decompression.
//!
//! A layer is read either on one thread, or piped: one thread reads and hashes the compressed
//! bytes, one inflates, and the caller's hashes and walks the plain ones. Piping costs a few
//! context switches and is for a layer that is so large that the other cores would stand idle.
//! Buffers go in circles, so memory does not depend on the layer.

use std::io::{self, BufRead, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{self, ScopedJoinHandle};

use pratique_model::Digest;
use sha2::{Digest as _, Sha256};

use crate::inflate::{InflateError, Unpacker, read_retrying};
use crate::limits::Budget;

/// Plain bytes that are inflated, hashed and walked at once: they stay in a core's second-level
/// cache from one step to the next.
const CHUNK_BYTES: usize = 256 * 1024;

/// Compressed bytes that are read and handed over at once when piped.
const RAW_BYTES: usize = 128 * 1024;

/// Buffers under way between two threads: enough that neither waits for a hiccup of the other.
const CHUNKS_UNDER_WAY: usize = 4;

/// A blob, opened for reading from its beginning to its end.
pub(crate) type BlobStream = Box<dyn Read + Send>;

/// How a blob is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Whether the digest of the compressed bytes is wanted.
    pub(crate) hashes_blob: bool,
    /// Whether reading and inflating get threads of their own.
    pub(crate) is_piped: bool,
}

/// What a blob turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Digests {
    /// Of the bytes as stored; `None` if it was not asked for.
    pub(crate) blob: Option<Digest>,
    /// Of the bytes after decompression.
    pub(crate) plain: Digest,
    /// Number of the bytes as stored.
    pub(crate) blob_bytes: u64,
}

/// Why a stream ended before its end.
#[derive(Debug)]
pub(crate) enum StreamFailure {
    Inflate(InflateError),
    /// [`crate::Limits::expanded_bytes_max`] was reached.
    ExpandedBytes,
}

/// The plain bytes of a blob, hashed as they come.
///
/// An error is kept, and is told by [`read_stream`]; readers in between may forget it.
pub(crate) struct PlainStream<'a> {
    source: Source,
    chunk: Vec<u8>,
    position: usize,
    hash: Sha256,
    budget: &'a Budget,
    failure: Option<StreamFailure>,
    is_ended: bool,
    is_hashed_before: bool,
}

enum Source {
    Here { unpacker: Box<Unpacker<Tally>>, hashes_blob: bool },
    Piped { chunks: Receiver<Result<Chunk, InflateError>>, used: Sender<Vec<u8>> },
}

/// Plain bytes on their way between threads.
struct Chunk {
    bytes: Vec<u8>,
    is_plain: bool,
}

/// Hashes and counts what is read through it.
struct Tally {
    blob: BlobStream,
    hash: Option<Sha256>,
    bytes: u64,
}

/// Opens the stream of `blob` for `walk`, reads what `walk` leaves, and tells the digests.
///
/// `walk` runs on the calling thread.
pub(crate) fn read_stream<T>(
    blob: BlobStream,
    plan: Plan,
    budget: &Budget,
    walk: impl FnOnce(&mut PlainStream<'_>) -> T,
) -> (T, Result<Digests, StreamFailure>) {
    let (blob, is_piped) = if plan.is_piped { look_at(blob) } else { (blob, false) };
    let tally = Tally { blob, hash: plan.hashes_blob.then(Sha256::new), bytes: 0 };
    if !is_piped {
        let unpacker = Box::new(Unpacker::new(tally));
        let source = Source::Here { unpacker, hashes_blob: plan.hashes_blob };
        let mut stream = PlainStream::new(source, budget);
        let answer = walk(&mut stream);
        return (answer, stream.finish(None));
    }
    thread::scope(|scope| {
        let (raw_sender, raw) = sync_channel(CHUNKS_UNDER_WAY);
        let (raw_used_sender, raw_used) = channel();
        let (chunk_sender, chunks) = sync_channel(CHUNKS_UNDER_WAY);
        let (used, chunks_used) = channel();
        let hashes_blob = plan.hashes_blob;
        let reading = scope.spawn(move || read_raw(tally, &raw_sender, &raw_used));
        scope.spawn(move || {
            let raw = RawReader { raw, used: raw_used_sender, bytes: Vec::new(), position: 0 };
            unpack(Unpacker::new(raw), hashes_blob, &chunk_sender, &chunks_used);
        });
        let mut stream = PlainStream::new(Source::Piped { chunks, used }, budget);
        let answer = walk(&mut stream);
        let digests = stream.finish(Some(reading));
        (answer, digests)
    })
}

/// Looks at the first bytes of a blob: one that is not compressed has nothing to gain from threads.
/// An error of reading is left for later, when it is met again or the blob proves too short.
fn look_at(mut blob: BlobStream) -> (BlobStream, bool) {
    let mut head = Vec::with_capacity(2);
    let result = blob.by_ref().take(2).read_to_end(&mut head);
    let is_compressed =
        result.is_ok() && matches!(head[..], [0x1f, 0x8b] | [0x28, 0xb5] | [0x50..=0x5f, 0x2a]);
    (Box::new(io::Cursor::new(head).chain(blob)), is_compressed)
}

/// Reads the blob to its end, or until nobody wants it any more.
fn read_raw(
    mut tally: Tally,
    raw: &SyncSender<io::Result<Vec<u8>>>,
    used: &Receiver<Vec<u8>>,
) -> Tally {
    loop {
        let mut bytes = used.try_recv().unwrap_or_default();
        bytes.resize(RAW_BYTES, 0);
        let result = read_retrying(&mut tally, &mut bytes);
        let is_last = !matches!(result, Ok(1..));
        let message = result.map(|count| {
            bytes.truncate(count);
            bytes
        });
        if raw.send(message).is_err() || is_last {
            return tally;
        }
    }
}

fn unpack(
    mut unpacker: Unpacker<RawReader>,
    hashes_blob: bool,
    chunks: &SyncSender<Result<Chunk, InflateError>>,
    used: &Receiver<Vec<u8>>,
) {
    loop {
        let mut bytes = used.try_recv().unwrap_or_default();
        bytes.resize(CHUNK_BYTES, 0);
        let message = unpacker.fill(&mut bytes).map(|count| {
            bytes.truncate(count);
            Chunk { bytes, is_plain: unpacker.is_plain() && hashes_blob }
        });
        let is_last = !matches!(&message, Ok(chunk) if !chunk.bytes.is_empty());
        if chunks.send(message).is_err() || is_last {
            return;
        }
    }
}

impl<'a> PlainStream<'a> {
    fn new(source: Source, budget: &'a Budget) -> Self {
        Self {
            source,
            chunk: Vec::new(),
            position: 0,
            hash: Sha256::new(),
            budget,
            failure: None,
            is_ended: false,
            is_hashed_before: false,
        }
    }

    /// Whether the stream broke or hit a limit.
    pub(crate) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// The budget that this stream spends.
    pub(crate) fn budget(&self) -> &'a Budget {
        self.budget
    }

    /// Passes over up to `count` bytes and says how many there were.
    pub(crate) fn skip(&mut self, count: u64) -> io::Result<u64> {
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

    /// Takes the next chunk, which is empty at the end.
    fn advance(&mut self) -> Result<(), StreamFailure> {
        let is_plain = match &mut self.source {
            Source::Here { unpacker, hashes_blob } => {
                self.chunk.resize(CHUNK_BYTES, 0);
                let count = unpacker.fill(&mut self.chunk).map_err(StreamFailure::Inflate)?;
                self.chunk.truncate(count);
                unpacker.is_plain() && *hashes_blob
            }
            Source::Piped { chunks, used } => {
                let next = chunks.recv().expect("the last message is empty or an error");
                let next = next.map_err(StreamFailure::Inflate)?;
                // Nobody takes buffers back once the last byte is inflated.
                let _ = used.send(std::mem::replace(&mut self.chunk, next.bytes));
                next.is_plain
            }
        };
        self.position = 0;
        self.is_ended = self.chunk.is_empty();
        if is_plain {
            self.is_hashed_before = true;
        } else {
            self.hash.update(&self.chunk);
        }
        if self.budget.take_bytes(self.chunk.len() as u64) {
            Ok(())
        } else {
            Err(StreamFailure::ExpandedBytes)
        }
    }

    /// Reads to the end; an error is kept.
    fn drain(&mut self) -> io::Result<()> {
        while !self.fill_buf()?.is_empty() {
            self.position = self.chunk.len();
        }
        Ok(())
    }

    /// Reads what is left. On failure the threads of a piped stream end by themselves, because
    /// the channels are closed when `self` goes.
    fn finish(
        mut self,
        reading: Option<ScopedJoinHandle<'_, Tally>>,
    ) -> Result<Digests, StreamFailure> {
        // The error is kept in `failure`.
        let _ = self.drain();
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let tally = match (self.source, reading) {
            (Source::Here { unpacker, .. }, _) => unpacker.into_source(),
            (_, reading) => reading
                .expect("a piped stream has a thread that reads")
                .join()
                .expect("reading and hashing do not panic"),
        };
        Ok(tally.into_digests((!self.is_hashed_before).then_some(self.hash)))
    }
}

impl BufRead for PlainStream<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.failure.is_some() {
            return Err(io::Error::other("the stream is broken"));
        }
        if self.position == self.chunk.len()
            && !self.is_ended
            && let Err(failure) = self.advance()
        {
            self.failure = Some(failure);
            return Err(io::Error::other("the stream is broken"));
        }
        Ok(self.chunk.get(self.position..).expect("the position lies in the chunk"))
    }

    fn consume(&mut self, count: usize) {
        self.position = self.chunk.len().min(self.position + count);
    }
}

impl Read for PlainStream<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(out)?;
        self.consume(count);
        Ok(count)
    }
}

impl Tally {
    /// `plain` is the hash of the plain bytes, `None` if they are the blob's own.
    fn into_digests(self, plain: Option<Sha256>) -> Digests {
        let blob = self.hash.map(digest);
        let plain = plain.map(digest).or(blob).expect("one of the two was hashed");
        Digests { blob, plain, blob_bytes: self.bytes }
    }
}

impl Read for Tally {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.blob.read(out)?;
        if let Some(hash) = &mut self.hash {
            hash.update(out.get(..count).unwrap_or_default());
        }
        self.bytes += count as u64;
        Ok(count)
    }
}

/// The finished hash as a digest.
pub(crate) fn digest(hash: Sha256) -> Digest {
    Digest::from_bytes(hash.finalize().into())
}

/// The reading end of the raw bytes' channel.
struct RawReader {
    raw: Receiver<io::Result<Vec<u8>>>,
    used: Sender<Vec<u8>>,
    bytes: Vec<u8>,
    position: usize,
}

impl Read for RawReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.position == self.bytes.len() {
            let Ok(next) = self.raw.recv() else { return Ok(0) };
            // Nobody takes buffers back once the last byte is read.
            let _ = self.used.send(std::mem::replace(&mut self.bytes, next?));
            self.position = 0;
        }
        let count = self.bytes.get(self.position..).unwrap_or_default().read(out)?;
        self.position += count;
        Ok(count)
    }
}
