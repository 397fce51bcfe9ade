//! The containers that feeds come in: gzip, gzip tar, zip.

use std::io::{self, Seek, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A block of a tar.
const BLOCK_BYTES: usize = 512;

/// A gzip stream, packed for speed.
pub(super) fn gzip<W: Write>(target: W) -> GzEncoder<W> {
    GzEncoder::new(target, Compression::fast())
}

/// A tar that is written file by file.
pub(super) struct Tar<W: Write>(GzEncoder<W>);

impl<W: Write> Tar<W> {
    pub(super) fn new(target: W) -> Self {
        Self(gzip(target))
    }

    /// Adds a file; its name has at most 100 bytes.
    pub(super) fn add(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        let mut header = [0_u8; BLOCK_BYTES];
        let mut set = |at: usize, text: &str| {
            header[at..at + text.len()].copy_from_slice(text.as_bytes());
        };
        // Fields as in POSIX's ustar: name, mode, owner, group, size, time, checksum, kind, magic.
        set(0, name);
        set(100, "0000644\0");
        set(108, "0000000\0");
        set(116, "0000000\0");
        set(124, &format!("{:011o}\0", content.len()));
        set(136, "15042500000\0");
        set(148, "        ");
        set(156, "0");
        set(257, "ustar\x0000");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.0.write_all(&header)?;
        self.0.write_all(content)?;
        let rest = content.len() % BLOCK_BYTES;
        if rest > 0 {
            self.0.write_all(&vec![0; BLOCK_BYTES - rest])?;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.0.write_all(&[0; 2 * BLOCK_BYTES])?;
        self.0.finish()?;
        Ok(())
    }
}

/// A zip of small files.
pub(super) struct Zip<W: Write + Seek>(ZipWriter<W>);

impl<W: Write + Seek> Zip<W> {
    pub(super) fn new(target: W) -> Self {
        Self(ZipWriter::new(target))
    }

    pub(super) fn add(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        let options = SimpleFileOptions::default().compression_level(Some(1));
        self.0.start_file(name, options)?;
        self.0.write_all(content)
    }

    pub(super) fn finish(self) -> io::Result<()> {
        self.0.finish()?.flush()
    }
}
