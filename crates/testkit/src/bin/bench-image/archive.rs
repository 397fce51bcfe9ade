//! Writes an OCI archive in one go: a layer's blob first, its header when its digest is known.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use flate2::{Compression, GzBuilder, write::GzEncoder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::content::Sink;

/// Unit of a tar stream.
const BLOCK: usize = 512;

/// Level that `docker build` and most other tools use.
const GZIP_LEVEL: u32 = 6;

/// An OCI archive in the making.
pub(crate) struct Archive {
    file: BufWriter<File>,
    layers: Vec<Value>,
    diff_ids: Vec<String>,
}

/// A layer in the making; files go in as into any [`Sink`].
pub(crate) struct Layer {
    codec: Codec,
    plain: Sha256,
    start: u64,
}

enum Codec {
    Plain(Tally),
    Gzip(Box<GzEncoder<Tally>>),
}

/// Hashes and counts what goes into the file.
struct Tally {
    file: BufWriter<File>,
    hash: Sha256,
    bytes: u64,
}

impl Archive {
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let mut file = BufWriter::new(File::create(path)?);
        write_entry(&mut file, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        Ok(Self { file, layers: Vec::new(), diff_ids: Vec::new() })
    }

    /// Begins a layer; [`Self::end_layer`] takes it.
    pub(crate) fn begin_layer(&mut self, is_gzip: bool) -> io::Result<Layer> {
        let start = self.file.stream_position()?;
        self.file.write_all(&[0; BLOCK])?;
        self.file.flush()?;
        let file = BufWriter::new(self.file.get_ref().try_clone()?);
        let tally = Tally { file, hash: Sha256::new(), bytes: 0 };
        let codec = if is_gzip {
            let level = Compression::new(GZIP_LEVEL);
            Codec::Gzip(Box::new(GzBuilder::new().write(tally, level)))
        } else {
            Codec::Plain(tally)
        };
        Ok(Layer { codec, plain: Sha256::new(), start })
    }

    /// Ends a layer, and the blob gets its header.
    pub(crate) fn end_layer(&mut self, mut layer: Layer) -> io::Result<()> {
        layer.write(&[0; 2 * BLOCK])?;
        let (mut tally, suffix) = match layer.codec {
            Codec::Plain(tally) => (tally, ""),
            Codec::Gzip(encoder) => (encoder.finish()?, "+gzip"),
        };
        tally.file.flush()?;
        drop(tally.file);
        let digest = hex(tally.hash);
        self.file.seek(SeekFrom::Start(layer.start))?;
        self.file.write_all(&header(&format!("blobs/sha256/{digest}"), tally.bytes, 0o644))?;
        self.file.seek(SeekFrom::End(0))?;
        pad(&mut self.file, tally.bytes)?;
        self.layers.push(json!({
            "mediaType": format!("application/vnd.oci.image.layer.v1.tar{suffix}"),
            "digest": format!("sha256:{digest}"),
            "size": tally.bytes,
        }));
        self.diff_ids.push(format!("sha256:{}", hex(layer.plain)));
        Ok(())
    }

    /// Writes what names the layers.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        let config = json!({
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": self.diff_ids},
        });
        let config = self.blob("application/vnd.oci.image.config.v1+json", &config)?;
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let layers = std::mem::take(&mut self.layers);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": config,
            "layers": layers,
        });
        let mut manifest = self.blob(media_type, &manifest)?;
        manifest["platform"] = json!({"architecture": "amd64", "os": "linux"});
        let index = json!({"schemaVersion": 2, "manifests": [manifest]}).to_string();
        write_entry(&mut self.file, "index.json", index.as_bytes())?;
        self.file.write_all(&[0; 2 * BLOCK])?;
        self.file.flush()
    }

    /// Writes a blob and gives its descriptor.
    fn blob(&mut self, media_type: &str, value: &Value) -> io::Result<Value> {
        let bytes = value.to_string().into_bytes();
        let digest = hex(Sha256::new_with_prefix(&bytes));
        write_entry(&mut self.file, &format!("blobs/sha256/{digest}"), &bytes)?;
        let digest = format!("sha256:{digest}");
        Ok(json!({"mediaType": media_type, "digest": digest, "size": bytes.len()}))
    }
}

impl Layer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.plain.update(bytes);
        match &mut self.codec {
            Codec::Plain(tally) => tally.write_all(bytes),
            Codec::Gzip(encoder) => encoder.write_all(bytes),
        }
    }
}

impl Sink for Layer {
    fn file(&mut self, path: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        self.write(&header(path, content.len() as u64, mode))?;
        self.write(content)?;
        let padding = content.len().next_multiple_of(BLOCK) - content.len();
        self.write(&[0; BLOCK][..padding])
    }

    fn stored_bytes(&self) -> u64 {
        match &self.codec {
            Codec::Plain(tally) => tally.bytes,
            Codec::Gzip(encoder) => encoder.get_ref().bytes,
        }
    }
}

impl Write for Tally {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn write_entry(file: &mut BufWriter<File>, path: &str, content: &[u8]) -> io::Result<()> {
    file.write_all(&header(path, content.len() as u64, 0o644))?;
    file.write_all(content)?;
    pad(file, content.len() as u64)
}

fn pad(file: &mut BufWriter<File>, length: u64) -> io::Result<()> {
    let padding = length.next_multiple_of(BLOCK as u64) - length;
    io::copy(&mut io::Read::take(io::repeat(0), padding), file).map(drop)
}

/// The header of a regular file, in the form of POSIX.1-1988.
fn header(path: &str, size: u64, mode: u32) -> [u8; BLOCK] {
    let mut header = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    assert!(path.len() <= 100, "{path}: the name field has 100 bytes");
    put(0, path.as_bytes());
    put(100, format!("{mode:07o}\0{:07o}\0{:07o}\0", 0, 0).as_bytes());
    put(124, format!("{size:011o}\0{:011o}\0", 0).as_bytes());
    put(148, b"        0");
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().copied().map(u32::from).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
