//! Which images there are.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::archive::Archive;
use crate::content::{self, Sink};
use crate::noise::Noise;

/// Everything that is written follows from it.
const SEED: u64 = 3;

/// Stored bytes of an application's image, all layers together.
const LARGE_BYTES: u64 = 300_000_000;

/// Stored bytes of an image as small as Alpine's.
const SMALL_BYTES: u64 = 3_000_000;

/// Packages of a small image's distribution.
const SMALL_PACKAGES: usize = 20;

/// Layers of an image that has several, all about as large.
const LAYERS: u64 = 5;

/// Groups of files in a folder: about 57,000 files, as a large distribution's root has.
const FOLDER_GROUPS: usize = 490;

/// Writes the image, or folder, of a shape.
///
/// # Errors
/// The shape is unknown, or writing fails.
pub(crate) fn write(shape: &str, path: &Path) -> io::Result<()> {
    match shape {
        "small" => image(path, 1, SMALL_BYTES, true),
        "one" => image(path, 1, LARGE_BYTES, true),
        "many" => image(path, LAYERS, LARGE_BYTES, true),
        "plain" => image(path, LAYERS, LARGE_BYTES, false),
        "folder" => folder(path),
        _ => Err(io::Error::other(format!("no shape is called {shape}"))),
    }
}

fn image(path: &Path, layers: u64, bytes: u64, is_gzip: bool) -> io::Result<()> {
    let mut noise = Noise::new(SEED);
    let mut archive = Archive::create(path)?;
    let mut group = 0;
    for number in 0..layers {
        let mut layer = archive.begin_layer(is_gzip)?;
        match (number, bytes) {
            (0, SMALL_BYTES) => content::distribution(&mut noise, SMALL_PACKAGES, &mut layer)?,
            (0, _) => content::large_distribution(&mut noise, &mut layer)?,
            _ => {}
        }
        if number + 1 == layers && bytes > SMALL_BYTES {
            content::application(&mut noise, &mut layer)?;
        }
        while layer.stored_bytes() < bytes / layers {
            content::group(&mut noise, group, &mut layer)?;
            group += 1;
        }
        archive.end_layer(layer)?;
    }
    archive.finish()
}

fn folder(path: &Path) -> io::Result<()> {
    let mut noise = Noise::new(SEED);
    let mut folder = Folder { root: path.to_path_buf(), bytes: 0 };
    content::large_distribution(&mut noise, &mut folder)?;
    content::application(&mut noise, &mut folder)?;
    (0..FOLDER_GROUPS).try_for_each(|group| content::group(&mut noise, group, &mut folder))
}

/// A folder on disk as a sink.
struct Folder {
    root: PathBuf,
    bytes: u64,
}

impl Sink for Folder {
    fn file(&mut self, path: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&self.root))?;
        fs::write(&path, content)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        self.bytes += content.len() as u64;
        Ok(())
    }

    fn stored_bytes(&self) -> u64 {
        self.bytes
    }
}
