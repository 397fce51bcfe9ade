//! Puts a body aside in a file, hashing and counting it on the way.
//!
//! The file has no name: it is unlinked while it is made, so the system frees it with the last
//! handle, however the process ends. Writing, hashing and undoing a transfer encoding happen on a
//! blocking thread, fed through a short queue.

use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::Path;

use flate2::write::MultiGzDecoder;
use reqwest::Url;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::{Config, FetchError, Fingerprint, fingerprint};

/// How many pieces of a body wait for the disk; pieces are at most some tens of kB.
const QUEUE_PIECES_MAX: usize = 16;

/// How much of a file is read at once for hashing.
const READ_BYTES: usize = 256 << 10;

/// A document on this machine: spooled from a server, or a file in its own place.
#[derive(Debug)]
pub struct Spooled {
    pub(crate) file: File,
    name: String,
    length: u64,
    fingerprint: Fingerprint,
}

/// How a body is wrapped for the transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TransferEncoding {
    Identity,
    Gzip,
}

/// Takes a body in pieces.
pub(crate) struct Spooler {
    pieces: mpsc::Sender<Box<dyn AsRef<[u8]> + Send>>,
    work: JoinHandle<Result<Written, FetchError>>,
}

struct Written {
    file: File,
    sha256: [u8; 32],
    length: u64,
}

/// A file that counts and hashes what is written, up to a limit.
struct Measured {
    file: File,
    hasher: Sha256,
    length: u64,
    bytes_max: u64,
}

/// Where the pieces go.
enum Way {
    Identity(Measured),
    Gzip(Box<MultiGzDecoder<Measured>>),
}

/// More was written than is allowed.
#[derive(Debug, thiserror::Error)]
#[error("too large")]
struct TooLarge;

impl Spooled {
    /// The name of the file, `all.zip`: the last part of the address that was asked for.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its length in bytes, packed as it is.
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// What to remember of it, with its SHA-256.
    pub const fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// Opens and hashes a file in its place. Whoever owns it must not change it until it was
    /// unpacked; a mirror replaces files by renaming.
    pub(crate) fn in_place(path: &Path, name: String) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("not a file"));
        }
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; READ_BYTES];
        let mut length = 0_u64;
        loop {
            let count = match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            hasher.update(buffer.get(..count).unwrap_or_default());
            length += count as u64;
        }
        let sha256 = Some(hasher.finalize().into());
        let last_modified = metadata.modified().ok().and_then(fingerprint::http_date);
        let fingerprint = Fingerprint { sha256, last_modified, ..Fingerprint::default() };
        Ok(Self { file, name, length, fingerprint })
    }
}

/// The beginning of a file, whether it goes on, and its date.
pub(crate) fn head(path: &Path, bytes_max: u64) -> io::Result<(Vec<u8>, bool, Fingerprint)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("not a file"));
    }
    let mut bytes = Vec::new();
    file.take(bytes_max).read_to_end(&mut bytes)?;
    let is_cut = metadata.len() > bytes.len() as u64;
    let last_modified = metadata.modified().ok().and_then(fingerprint::http_date);
    Ok((bytes, is_cut, Fingerprint { last_modified, ..Fingerprint::default() }))
}

impl Spooler {
    /// Starts a thread that waits for pieces.
    pub(crate) fn start(config: &Config, url: &Url, encoding: TransferEncoding) -> Self {
        let (pieces, mut queue) = mpsc::channel::<Box<dyn AsRef<[u8]> + Send>>(QUEUE_PIECES_MAX);
        let folder = config.spool_folder.clone();
        let (bytes_max, url) = (config.body_bytes_max, url.to_string());
        let work = tokio::task::spawn_blocking(move || {
            let spool_error = |source| FetchError::Spool { folder: folder.clone(), source };
            std::fs::create_dir_all(&folder).map_err(spool_error)?;
            let file = tempfile::tempfile_in(&folder).map_err(spool_error)?;
            let mut way = Way::new(encoding, file, bytes_max);
            // A decoder's own complaint comes without a system's error code.
            let write_error = |source: io::Error| {
                if source.get_ref().and_then(|inner| inner.downcast_ref::<TooLarge>()).is_some() {
                    FetchError::TooLarge { url: url.clone(), bytes_max }
                } else if encoding == TransferEncoding::Gzip && source.raw_os_error().is_none() {
                    let encoding = "gzip".to_owned();
                    FetchError::Encoding { url: url.clone(), encoding, source: Some(source) }
                } else {
                    spool_error(source)
                }
            };
            while let Some(piece) = queue.blocking_recv() {
                way.write((*piece).as_ref()).map_err(write_error)?;
            }
            way.finish().map_err(write_error)
        });
        Self { pieces, work }
    }

    /// Hands a piece over; `false` when the thread has stopped with an error.
    pub(crate) async fn take(&mut self, piece: impl AsRef<[u8]> + Send + 'static) -> bool {
        self.pieces.send(Box::new(piece)).await.is_ok()
    }

    /// Waits until everything is written.
    pub(crate) async fn finish(
        self,
        name: &str,
        fingerprint: Fingerprint,
    ) -> Result<Spooled, FetchError> {
        drop(self.pieces);
        let Written { file, sha256, length } =
            self.work.await.expect("writing to a file does not panic")?;
        let fingerprint = Fingerprint { sha256: Some(sha256), ..fingerprint };
        Ok(Spooled { file, name: name.to_owned(), length, fingerprint })
    }
}

impl Way {
    fn new(encoding: TransferEncoding, file: File, bytes_max: u64) -> Self {
        let measured = Measured { file, hasher: Sha256::new(), length: 0, bytes_max };
        match encoding {
            TransferEncoding::Identity => Self::Identity(measured),
            TransferEncoding::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(measured))),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Identity(measured) => measured.write_all(bytes),
            Self::Gzip(decoder) => decoder.write_all(bytes),
        }
    }

    fn finish(self) -> io::Result<Written> {
        let measured = match self {
            Self::Identity(measured) => measured,
            Self::Gzip(decoder) => decoder.finish()?,
        };
        let Measured { file, hasher, length, .. } = measured;
        Ok(Written { file, sha256: hasher.finalize().into(), length })
    }
}

impl Write for Measured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.length.saturating_add(bytes.len() as u64);
        if length > self.bytes_max {
            return Err(io::Error::other(TooLarge));
        }
        self.file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.length = length;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
