//! Where the parts of an image come from: a layout's folder, or an archive around it.
//!
//! This is the seam for registries and runtimes: what can open a blob as a stream can carry an
//! image. Everything above it asks by name and believes nothing it is given.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use pratique_model::Digest;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::error::ImageError;
use crate::stream::{BlobStream, digest};

/// Bytes of a manifest, an index or a configuration. Registries refuse manifests above 4 MiB;
/// configurations with long histories reach some hundred KiB.
const DOCUMENT_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// `O_NONBLOCK` where it is 0o4000, which is everywhere but on MIPS, SPARC and Alpha: opening a
/// pipe must not wait for a writer.
#[cfg(not(any(target_arch = "mips", target_arch = "mips64", target_arch = "sparc64")))]
const OPEN_NONBLOCKING: i32 = 0o4000;
#[cfg(any(target_arch = "mips", target_arch = "mips64", target_arch = "sparc64"))]
const OPEN_NONBLOCKING: i32 = 0;

/// Names a part of an image: by digest, or in old archives by path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BlobName {
    /// Where it lies in a layout or archive, `blobs/sha256/ab…` or `ab…/layer.tar`.
    pub(crate) path: String,
    /// The digest of its bytes; `None` if nothing says it.
    pub(crate) digest: Option<Digest>,
}

/// Opens the parts of one image.
pub(crate) trait Blobs: Send + Sync {
    /// Opens a part from its beginning; `None` if it is not there.
    fn open(&self, name: &BlobName) -> Result<Option<BlobStream>, ImageError>;

    /// Whether parts are best read one after the other in the order of `offset`.
    fn is_sequential(&self) -> bool {
        false
    }

    /// Where a part lies among the others, and its length in bytes; `None` if it is not there.
    fn place(&self, name: &BlobName) -> Option<(u64, u64)>;
}

impl BlobName {
    pub(crate) fn of_digest(digest: Digest) -> Self {
        Self { path: format!("blobs/sha256/{}", digest.to_hex()), digest: Some(digest) }
    }

    pub(crate) fn of_path(path: &str) -> Self {
        Self { path: path.to_owned(), digest: None }
    }
}

/// Reads a document whole and checks its digest; `None` if it is not there.
pub(crate) fn read_document(
    blobs: &dyn Blobs,
    name: &BlobName,
) -> Result<Option<Vec<u8>>, ImageError> {
    let Some(stream) = blobs.open(name)? else { return Ok(None) };
    let mut bytes = Vec::new();
    stream
        .take(DOCUMENT_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| ImageError::Read { part: name.path.clone(), source })?;
    if bytes.len() as u64 > DOCUMENT_BYTES_MAX {
        let problem = format!("larger than {DOCUMENT_BYTES_MAX} bytes");
        return Err(ImageError::Invalid { part: name.path.clone(), problem });
    }
    if let Some(expected) = name.digest {
        let got = digest(Sha256::new_with_prefix(&bytes));
        if got != expected {
            return Err(ImageError::Digest { part: name.path.clone(), expected, got });
        }
    }
    Ok(Some(bytes))
}

/// Reads a JSON document, which must be there.
pub(crate) fn read_json<T: DeserializeOwned>(
    blobs: &dyn Blobs,
    name: &BlobName,
) -> Result<T, ImageError> {
    let bytes = read_document(blobs, name)?
        .ok_or_else(|| ImageError::Missing { part: name.path.clone() })?;
    serde_json::from_slice(&bytes)
        .map_err(|source| ImageError::Json { part: name.path.clone(), source })
}

/// Opens a regular file, without waiting for anything that is none.
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    let file = File::options().read(true).custom_flags(OPEN_NONBLOCKING).open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("it is not a regular file"))
    }
}

/// An OCI layout in a folder. Blobs may be symbolic links, as build systems lay them out; what
/// they lead to is used only if it has the digest it is named by.
pub(crate) struct LayoutFolder {
    root: PathBuf,
}

impl LayoutFolder {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    fn path(&self, name: &BlobName) -> PathBuf {
        self.root.join(&name.path)
    }
}

impl Blobs for LayoutFolder {
    fn open(&self, name: &BlobName) -> Result<Option<BlobStream>, ImageError> {
        match open_file(&self.path(name)) {
            Ok(file) => Ok(Some(Box::new(file))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(ImageError::Read { part: name.path.clone(), source }),
        }
    }

    fn place(&self, name: &BlobName) -> Option<(u64, u64)> {
        let length = self.path(name).metadata().ok()?.len();
        Some((0, length))
    }
}
