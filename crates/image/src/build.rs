//! Writes small images: for the demonstration, and for tests of everything that reads images.
//!
//! What comes out depends on what goes in alone: times are zero, owners are root, entries come in
//! the order given. Nothing is added: a folder that is not asked for has no entry.

mod entry;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use flate2::{Compression as GzipLevel, GzBuilder};
use pratique_model::{Digest, Platform};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::stream::digest;

pub use entry::LayerBuilder;
#[cfg(test)]
pub(crate) use entry::seal;

/// Level of gzip and of zstd: both quick, and the same bytes on every machine.
const GZIP_LEVEL: u32 = 6;
const ZSTD_LEVEL: i32 = 3;

/// How a layer is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    Plain,
    /// One gzip member.
    #[default]
    Gzip,
    /// One zstd frame.
    Zstd,
}

/// An image in the making: layers from the bottom up, and what its configuration says.
#[derive(Clone, Debug)]
pub struct ImageBuilder {
    platform: Platform,
    layers: Vec<BuiltLayer>,
    annotations: BTreeMap<String, String>,
    command: Vec<String>,
    has_platform_in_index: bool,
}

/// One or more images, to be written as a layout or an archive.
#[derive(Clone, Debug, Default)]
pub struct ArchiveBuilder {
    images: Vec<Named>,
    is_nested: bool,
}

#[derive(Clone, Debug)]
struct Named {
    name: String,
    image: ImageBuilder,
}

#[derive(Clone, Debug)]
struct BuiltLayer {
    plain: Digest,
    blob: Vec<u8>,
    media_type: String,
}

/// The blobs of a layout, by digest, and its `index.json`.
struct Layout {
    blobs: BTreeMap<Digest, Vec<u8>>,
    index: Vec<u8>,
}

impl ImageBuilder {
    /// An image without layers.
    pub fn new(platform: Platform) -> Self {
        Self {
            platform,
            layers: Vec::new(),
            annotations: BTreeMap::new(),
            command: Vec::new(),
            has_platform_in_index: true,
        }
    }

    /// Adds a layer on top.
    #[must_use]
    pub fn layer(self, layer: &LayerBuilder, compression: Compression) -> Self {
        let tar = layer.to_tar();
        let (blob, suffix) = match compression {
            Compression::Plain => (tar.clone(), ""),
            Compression::Gzip => (gzip(&tar), "+gzip"),
            Compression::Zstd => (zstd(&tar), "+zstd"),
        };
        let media_type = format!("application/vnd.oci.image.layer.v1.tar{suffix}");
        self.raw_layer(digest(Sha256::new_with_prefix(&tar)), blob, &media_type)
    }

    /// Adds a layer on top from its blob as it is stored, right or wrong.
    #[must_use]
    pub fn raw_layer(mut self, plain: Digest, blob: Vec<u8>, media_type: &str) -> Self {
        self.layers.push(BuiltLayer { plain, blob, media_type: media_type.to_owned() });
        self
    }

    /// Adds an annotation to the manifest's descriptor.
    #[must_use]
    pub fn annotation(mut self, key: &str, value: &str) -> Self {
        self.annotations.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Leaves the platform to the configuration, as `skopeo copy` does for a single image.
    #[must_use]
    pub fn without_platform_in_index(mut self) -> Self {
        self.has_platform_in_index = false;
        self
    }

    /// What a container made of it runs when nothing else is said.
    #[must_use]
    pub fn command(mut self, words: &[&str]) -> Self {
        self.command = words.iter().map(|&word| word.to_owned()).collect();
        self
    }

    fn config(&self) -> Vec<u8> {
        let diff_ids: Vec<String> =
            self.layers.iter().map(|layer| layer.plain.to_string()).collect();
        let mut config = platform_json(&self.platform);
        if let Value::Object(fields) = &mut config {
            let config = match &*self.command {
                [] => json!({}),
                words => json!({"Cmd": words}),
            };
            fields.insert("config".to_owned(), config);
            fields.insert("rootfs".to_owned(), json!({"type": "layers", "diff_ids": diff_ids}));
        }
        config.to_string().into_bytes()
    }
}

impl ArchiveBuilder {
    /// Without images.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an image under a name, `docker.io/library/demo:1`, or empty for none.
    #[must_use]
    pub fn image(mut self, name: &str, image: ImageBuilder) -> Self {
        self.images.push(Named { name: name.to_owned(), image });
        self
    }

    /// Puts all images beneath one index, which has the first one's name.
    #[must_use]
    pub fn nested(mut self) -> Self {
        self.is_nested = true;
        self
    }

    /// An OCI layout as a tar archive.
    pub fn to_oci_archive(&self) -> Vec<u8> {
        let layout = self.layout();
        let mut tar = LayerBuilder::new().file("oci-layout", LAYOUT.as_bytes());
        for (digest, blob) in &layout.blobs {
            tar = tar.file(&format!("blobs/sha256/{}", digest.to_hex()), blob);
        }
        tar.file("index.json", &layout.index).to_tar()
    }

    /// Writes an OCI layout into a folder, which is made.
    ///
    /// # Errors
    /// Those of writing.
    pub fn write_oci_layout(&self, folder: &Path) -> io::Result<()> {
        let layout = self.layout();
        let blobs = folder.join("blobs/sha256");
        fs::create_dir_all(&blobs)?;
        fs::write(folder.join("oci-layout"), LAYOUT)?;
        fs::write(folder.join("index.json"), &layout.index)?;
        for (digest, blob) in &layout.blobs {
            fs::write(blobs.join(digest.to_hex()), blob)?;
        }
        Ok(())
    }

    /// An archive as `docker save` wrote it before version 25: layers in folders of their own,
    /// `manifest.json` last. Layers are stored as they were compressed.
    pub fn to_docker_archive(&self) -> Vec<u8> {
        let mut tar = LayerBuilder::new();
        let mut manifest = Vec::new();
        for Named { name, image } in &self.images {
            let config = image.config();
            let config_name = format!("{}.json", digest(Sha256::new_with_prefix(&config)).to_hex());
            tar = tar.file(&config_name, &config);
            let mut paths = Vec::new();
            for (index, layer) in image.layers.iter().enumerate() {
                let path = format!("{}-{index}/layer.tar", layer.plain.to_hex());
                tar = tar.file(&path, &layer.blob);
                paths.push(path);
            }
            manifest.push(saved(&config_name, name, &paths));
        }
        tar.file("manifest.json", Value::Array(manifest).to_string().as_bytes()).to_tar()
    }

    /// An archive as `docker save` writes it since version 25: an OCI layout with a
    /// `manifest.json` beside it.
    pub fn to_mixed_archive(&self) -> Vec<u8> {
        let layout = self.layout();
        let mut manifest = Vec::new();
        let path = |bytes: &[u8]| {
            format!("blobs/sha256/{}", digest(Sha256::new_with_prefix(bytes)).to_hex())
        };
        for Named { name, image } in &self.images {
            let paths: Vec<String> = image.layers.iter().map(|layer| path(&layer.blob)).collect();
            manifest.push(saved(&path(&image.config()), name, &paths));
        }
        let mut tar = LayerBuilder::new();
        for (digest, blob) in &layout.blobs {
            tar = tar.file(&format!("blobs/sha256/{}", digest.to_hex()), blob);
        }
        let manifest = Value::Array(manifest).to_string();
        tar.file("index.json", &layout.index)
            .file("manifest.json", manifest.as_bytes())
            .file("oci-layout", LAYOUT.as_bytes())
            .to_tar()
    }

    fn layout(&self) -> Layout {
        let mut blobs = BTreeMap::new();
        let mut keep = |bytes: Vec<u8>| {
            let digest = digest(Sha256::new_with_prefix(&bytes));
            let length = bytes.len();
            blobs.insert(digest, bytes);
            (digest, length)
        };
        let mut manifests = Vec::new();
        for Named { name, image } in &self.images {
            let (config, config_bytes) = keep(image.config());
            let mut layers = Vec::new();
            for layer in &image.layers {
                let (digest, size) = keep(layer.blob.clone());
                layers.push(descriptor(&layer.media_type, digest, size));
            }
            let manifest = json!({
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": descriptor(CONFIG, config, config_bytes),
                "layers": layers,
            });
            let (digest, size) = keep(manifest.to_string().into_bytes());
            let mut descriptor = descriptor(MANIFEST, digest, size);
            if image.has_platform_in_index {
                descriptor["platform"] = platform_json(&image.platform);
            }
            let mut annotations = image.annotations.clone();
            if !self.is_nested {
                annotations.extend(annotations_of(name));
            }
            if !annotations.is_empty() {
                descriptor["annotations"] = json!(annotations);
            }
            manifests.push(descriptor);
        }
        if self.is_nested {
            let (digest, size) = keep(index_json(&manifests).into_bytes());
            let mut descriptor = descriptor(INDEX, digest, size);
            let name = self.images.first().map_or("", |named| &named.name);
            descriptor["annotations"] = json!(annotations_of(name));
            manifests = vec![descriptor];
        }
        Layout { blobs, index: index_json(&manifests).into_bytes() }
    }
}

const LAYOUT: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

fn index_json(manifests: &[Value]) -> String {
    json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).to_string()
}

fn descriptor(media_type: &str, digest: Digest, size: usize) -> Value {
    json!({"mediaType": media_type, "digest": digest.to_string(), "size": size})
}

fn platform_json(platform: &Platform) -> Value {
    let mut value = json!({"architecture": platform.architecture, "os": platform.os});
    if let Some(variant) = &platform.variant {
        value["variant"] = json!(variant);
    }
    value
}

/// The tag and the whole name, as Docker and containerd annotate them.
fn annotations_of(name: &str) -> BTreeMap<String, String> {
    let mut annotations = BTreeMap::new();
    if !name.is_empty() {
        let tag = name.rsplit_once(':').map_or(name, |(_, tag)| tag);
        annotations.insert("org.opencontainers.image.ref.name".to_owned(), tag.to_owned());
        annotations.insert("io.containerd.image.name".to_owned(), name.to_owned());
    }
    annotations
}

fn saved(config: &str, name: &str, layers: &[String]) -> Value {
    let names: Vec<&str> = if name.is_empty() { vec![] } else { vec![name] };
    json!({"Config": config, "RepoTags": names, "Layers": layers})
}

/// One gzip member without a time.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = GzBuilder::new().mtime(0).write(Vec::new(), GzipLevel::new(GZIP_LEVEL));
    writer.write_all(bytes).and_then(|()| writer.finish()).expect("memory takes all bytes")
}

/// One zstd frame.
pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, ZSTD_LEVEL).expect("memory takes all bytes")
}
