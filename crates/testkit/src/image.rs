//! Images: small ones by hand, and large ones by a seed for benchmarks.
//!
//! The builders are those of `pratique_image::build`. A large image looks to a decompressor like
//! a real one: half of its bytes are text, half are like machine code, small files beside large
//! ones, about 2 to 1 under gzip.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use flate2::{Compression as GzipLevel, GzBuilder};
use pratique_model::{Digest, Platform};
use sha2::{Digest as _, Sha256};

pub use pratique_image::build::{ArchiveBuilder, Compression, ImageBuilder, LayerBuilder};

/// Words of a generated text.
const WORDS: usize = 4096;

/// Files in one folder.
const FILES_PER_FOLDER: usize = 40;

/// What a large image is made of.
#[derive(Clone, Copy, Debug)]
pub struct LargeImage {
    /// Everything follows from it.
    pub seed: u64,
    /// Number of layers, all of the same size.
    pub layer_count: usize,
    /// Bytes of one layer's files; about twice the size of its blob.
    pub layer_bytes: usize,
    /// Bytes of a file on average. Images of distributions have about 20 KB.
    pub file_bytes: usize,
    /// How layers are compressed.
    pub compression: Compression,
}

impl LargeImage {
    /// Writes the image as an OCI layout into a folder.
    ///
    /// # Errors
    /// Those of writing.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let mut image = ImageBuilder::new(Platform::host());
        let mut numbers = Numbers(self.seed | 1);
        let words = words(&mut numbers);
        for index in 0..self.layer_count {
            image = image.layer(&self.layer(index, &mut numbers, &words), self.compression);
        }
        ArchiveBuilder::new().image("large:1", image).write_oci_layout(folder)
    }

    fn layer(&self, index: usize, numbers: &mut Numbers, words: &[Vec<u8>]) -> LayerBuilder {
        let (mut layer, mut bytes, mut count) = (LayerBuilder::new(), 0, 0_usize);
        while bytes < self.layer_bytes {
            let folder = format!("usr/lib/part{index}/group{}", count / FILES_PER_FOLDER);
            if count.is_multiple_of(FILES_PER_FOLDER) {
                layer = layer.folder(&folder);
            }
            // One file in sixteen is large and holds half of the bytes.
            let is_large = numbers.below(16) == 0;
            let most = if is_large { self.file_bytes * 16 } else { self.file_bytes };
            let length = numbers.below(most.max(1)).min(self.layer_bytes - bytes) + 1;
            let path = format!("{folder}/file{count}");
            let content =
                if is_large { code(numbers, length) } else { text(numbers, words, length) };
            layer = layer.file_with_mode(&path, &content, if is_large { 0o755 } else { 0o644 });
            bytes += length;
            count += 1;
        }
        layer
    }
}

/// Writes an image of `count` empty files, in folders of forty, as an OCI layout: its tar stream is
/// large, its blob is not, and whoever remembers files remembers many.
///
/// # Errors
/// Those of writing.
pub fn write_empty_files(folder: &Path, count: usize) -> io::Result<()> {
    let mut blob = GzBuilder::new().mtime(0).write(Vec::new(), GzipLevel::fast());
    let mut hash = Sha256::new();
    for group in 0..count.div_ceil(FILES_PER_FOLDER) {
        let path = format!("srv/group{group}");
        let first = group * FILES_PER_FOLDER;
        let files = first..count.min(first + FILES_PER_FOLDER);
        let layer = files.fold(LayerBuilder::new().folder(&path), |layer, file| {
            layer.file(&format!("{path}/file{file}"), b"")
        });
        let tar = layer.to_open_tar();
        hash.update(&tar);
        blob.write_all(&tar)?;
    }
    let plain = Digest::from_bytes(hash.finalize().into());
    let media_type = "application/vnd.oci.image.layer.v1.tar+gzip";
    let image = ImageBuilder::new(Platform::host()).raw_layer(plain, blob.finish()?, media_type);
    ArchiveBuilder::new().image("many:1", image).write_oci_layout(folder)
}

/// Writes `count` small files into a folder as they lie in a root file system, forty a folder.
///
/// # Errors
/// Those of writing.
pub fn write_small_files(folder: &Path, count: usize) -> io::Result<()> {
    for file in 0..count {
        let group = folder.join(format!("usr/share/group{}", file / FILES_PER_FOLDER));
        if file.is_multiple_of(FILES_PER_FOLDER) {
            fs::create_dir_all(&group)?;
        }
        fs::write(group.join(format!("file{file}")), b"small")?;
    }
    Ok(())
}

/// Numbers that only look random (xorshift64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        let limit = limit as u64;
        usize::try_from((self.next() >> 11) % limit.max(1)).expect("it is below a usize")
    }

    /// A number below `limit` that is more often small, as words and instructions are.
    fn skewed(&mut self, limit: usize) -> usize {
        let (one, other) = (self.below(limit), self.below(limit));
        self.below(one.min(other) + 1)
    }
}

fn words(numbers: &mut Numbers) -> Vec<Vec<u8>> {
    let letters = b"etaoinshrdlucmfwypvbgkqjxz";
    let word = |numbers: &mut Numbers| {
        (0..2 + numbers.below(9)).map(|_| letters[numbers.skewed(letters.len())]).collect()
    };
    (0..WORDS).map(|_| word(numbers)).collect()
}

fn text(numbers: &mut Numbers, words: &[Vec<u8>], length: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(length + 16);
    while text.len() < length {
        text.extend_from_slice(&words[numbers.skewed(words.len())]);
        text.push(if numbers.below(12) == 0 { b'\n' } else { b' ' });
    }
    text.truncate(length);
    text
}

/// Operation codes from a small set, with operands that are short, or now and then an address.
fn code(numbers: &mut Numbers, length: usize) -> Vec<u8> {
    let mut code = Vec::with_capacity(length + 16);
    while code.len() < length {
        let operation = numbers.skewed(200);
        code.extend([0x48, u8::try_from(operation).expect("below 200")]);
        match numbers.below(4) {
            0 => code.extend(u32::try_from(numbers.below(1 << 20)).expect("small").to_le_bytes()),
            1 => code.push(u8::try_from(numbers.skewed(64)).expect("below 64")),
            _ => code.extend([0x24, u8::try_from(8 * numbers.skewed(16)).expect("below 128")]),
        }
    }
    code.truncate(length);
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_image() {
        let write = |seed| {
            let folder = tempfile::tempdir().expect("a folder");
            let image = LargeImage {
                seed,
                layer_count: 2,
                layer_bytes: 50_000,
                file_bytes: 2_000,
                compression: Compression::Gzip,
            };
            image.write(folder.path()).expect("writes");
            std::fs::read(folder.path().join("index.json")).expect("reads")
        };
        assert_eq!(write(1), write(1));
        assert_ne!(write(1), write(2));
    }
}
