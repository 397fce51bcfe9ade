//! Remembers what was found in a layer and in an image, so that neither is read twice.
//!
//! An entry is a file named after the layer's diff id or the manifest's digest, in a folder named
//! after the analyser: when a cataloger learns something, the folder changes and old entries are
//! not seen any more. Entries are written beside their place and renamed into it, and carry their
//! own checksum, so a crash, a full disk or two scans at once leave a whole entry, or none that
//! counts. The cache is a convenience: nothing that goes wrong in it reaches the scan.

mod stored;

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use pratique_image::LayerContent;
use pratique_model::{DiffId, Digest};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::assemble::Inventory;
use crate::cataloger::catalogers;
use crate::layer::FileValue;
use stored::StoredInventory;

/// Raised whenever the form of an entry or the way packages are put together changes. What one
/// cataloger changes is told by [`crate::cataloger::Cataloger::version`].
const FORMAT: u32 = 1;

/// What an entry starts with; the payload's checksum follows, then the payload.
const MAGIC: &[u8; 8] = b"PRATQ-1\n";
const CHECKSUM_BYTES: usize = 32;

/// An entry of a layer of a million files has some 30 MB; a longer file is not ours.
const ENTRY_BYTES_MAX: u64 = 1 << 30;

/// A cache folder of one version of the analyser.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// A cache below `folder`, which need not exist; nothing is opened. The folder can be deleted
    /// at any time, and several processes can share it.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.join(format!("scan-{}", analyser_version())) }
    }

    /// What is known of a layer.
    pub(crate) fn layer(&self, diff_id: DiffId) -> Option<LayerContent<FileValue>> {
        let content: LayerContent<FileValue> = read(&self.layer_path(diff_id))?;
        (content.diff_id() == Some(diff_id)).then_some(content)
    }

    /// Keeps what was found in a layer, if it was read to its end.
    pub(crate) fn keep_layer(&self, content: &LayerContent<FileValue>) {
        if let Some(diff_id) = content.diff_id().filter(|_| content.is_whole()) {
            write(&self.layer_path(diff_id), content);
        }
    }

    /// What is known of the image with a manifest's digest.
    pub(crate) fn image(&self, digest: Digest) -> Option<Inventory> {
        read::<StoredInventory>(&self.image_path(digest))?.into_inventory()
    }

    /// Keeps what an image consists of. An answer that is not whole is not kept: what it lacks may
    /// depend on limits that the next scan does not have.
    pub(crate) fn keep_image(&self, digest: Digest, inventory: &Inventory) {
        if inventory.partial.is_empty() {
            write(&self.image_path(digest), &StoredInventory::of(inventory));
        }
    }

    fn layer_path(&self, diff_id: DiffId) -> PathBuf {
        self.folder.join("layers").join(diff_id.0.to_hex())
    }

    fn image_path(&self, digest: Digest) -> PathBuf {
        self.folder.join("images").join(digest.to_hex())
    }
}

/// A short text that changes with every cataloger and with [`FORMAT`].
fn analyser_version() -> String {
    let mut hasher = Sha256::new();
    hasher.update(FORMAT.to_be_bytes());
    for cataloger in catalogers() {
        hasher.update(cataloger.name());
        hasher.update([0]);
        hasher.update(cataloger.version().to_be_bytes());
    }
    let hash: [u8; 32] = hasher.finalize().into();
    Digest::from_bytes(hash).to_hex()[..16].to_owned()
}

/// Reads an entry; `None` if there is none, or it is damaged.
fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let file = File::open(path).ok()?;
    let mut bytes = Vec::new();
    file.take(ENTRY_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    let (checksum, payload) = bytes.strip_prefix(MAGIC)?.split_at_checked(CHECKSUM_BYTES)?;
    if Sha256::digest(payload)[..] != *checksum {
        return None;
    }
    postcard::from_bytes(payload).ok()
}

/// Writes an entry; nobody hears of an error, since the next scan does the work again and the
/// answer is the same.
fn write(path: &Path, value: &impl Serialize) {
    let _ = try_write(path, value);
}

fn try_write(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let folder = path.parent().expect("an entry lies in the cache's folder");
    fs::create_dir_all(folder)?;
    let file = tempfile::NamedTempFile::new_in(folder)?;
    let mut writer = BufWriter::new(file);
    writer.write_all(MAGIC)?;
    writer.write_all(&[0; CHECKSUM_BYTES])?;
    let hashing = Hashing { writer, hasher: Sha256::new() };
    let Hashing { mut writer, hasher } =
        postcard::to_io(value, hashing).map_err(io::Error::other)?;
    writer.seek(SeekFrom::Start(MAGIC.len() as u64))?;
    writer.write_all(&hasher.finalize())?;
    let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.persist(path)?;
    Ok(())
}

/// Hashes what passes through, so that an entry is never in memory as a whole.
struct Hashing<W> {
    writer: W,
    hasher: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.writer.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

#[cfg(test)]
mod tests;
