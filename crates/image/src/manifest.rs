//! From a layout or archive to the one image that was asked for: indexes, manifests, configuration.
//!
//! Knows the OCI layout (image-spec 1.1), the media types of Docker's schema 2 beside it, and
//! `manifest.json` of `docker save`. Media types are not trusted where the documents themselves
//! tell what they are: an index has `manifests`, an image's manifest has `layers`.

use std::collections::{BTreeMap, HashSet};

use pratique_model::{DiffId, Digest, Platform};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::blob::{BlobName, Blobs, read_document, read_json};
use crate::error::ImageError;
use crate::stream::digest;

/// Indexes inside indexes. Builders nest once, for attestations or for mirrored lists.
const INDEX_DEPTH_MAX: usize = 8;

/// Manifests of one layout or index. The largest lists in use have some dozens.
const MANIFESTS_MAX: usize = 10_000;

/// Layers of one image. Overlay file systems refuse more than 500.
const LAYERS_MAX: usize = 4096;

/// A layer as the manifest and the configuration name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The digest of its tar stream.
    pub diff_id: DiffId,
    /// The digest of its blob; `None` in archives that name layers by path.
    pub digest: Option<Digest>,
    /// Length of its blob in bytes; 0 if it is not there.
    pub size: u64,
    /// Whether its blob is not distributed with the image (foreign layers of Windows); it is
    /// skipped when it is not there, and named.
    pub is_foreign: bool,
    pub(crate) name: BlobName,
    pub(crate) offset: u64,
    /// Length of the blob that the manifest claims.
    pub(crate) claimed: Option<u64>,
}

/// An image that was found: what the manifest and the configuration say.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) manifest: Option<Digest>,
    pub(crate) config: Option<Digest>,
    pub(crate) platform: Option<Platform>,
    pub(crate) layers: Vec<Layer>,
}

/// Which image of several is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    /// A tag, a name with tag, or `sha256:…`.
    pub(crate) reference: Option<String>,
    /// `None` takes this machine's, or the only one there is.
    pub(crate) platform: Option<Platform>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: String,
    size: Option<u64>,
    platform: Option<WirePlatform>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Clone, Debug, Deserialize)]
struct WirePlatform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    variant: Option<String>,
}

/// An index or a manifest: told apart by what it has.
#[derive(Debug, Deserialize)]
struct Document {
    manifests: Option<Vec<Descriptor>>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
}

#[derive(Debug, Deserialize)]
struct Config {
    #[serde(flatten)]
    platform: WirePlatform,
    rootfs: Option<RootFs>,
}

#[derive(Debug, Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Vec<String>,
}

/// One image in `manifest.json` of `docker save`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SavedImage {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Option<Vec<String>>,
}

/// A manifest that may be the one: found in an index, not yet chosen.
struct Candidate {
    digest: Digest,
    platform: Option<Platform>,
    config: Descriptor,
    layers: Vec<Descriptor>,
}

/// Finds the image in an OCI layout.
pub(crate) fn find_in_layout(
    blobs: &dyn Blobs,
    selection: &Selection,
) -> Result<Found, ImageError> {
    let index: Document = read_json(blobs, &BlobName::of_path("index.json"))?;
    let invalid = |problem: &str| ImageError::Invalid {
        part: "index.json".to_owned(),
        problem: problem.to_owned(),
    };
    let tops = index.manifests.ok_or_else(|| invalid("it has no `manifests`"))?;
    let mut search = Search { blobs, seen: HashSet::new(), candidates: Vec::new(), missing: None };
    let reference = selection.reference.as_deref();
    let is_named = |top: &&Descriptor| reference.is_none_or(|reference| top.is(reference));
    for top in tops.iter().filter(is_named) {
        search.add(top, 0)?;
    }
    // A digest may also be that of a manifest inside an index.
    let digest = reference.and_then(|reference| reference.parse::<Digest>().ok());
    if let (true, Some(digest)) = (search.candidates.is_empty(), digest) {
        for top in &tops {
            search.add(top, 0)?;
        }
        search.candidates.retain(|candidate| candidate.digest == digest);
    }
    let Search { candidates, missing, .. } = search;
    if candidates.is_empty() {
        return Err(match (reference, missing) {
            (Some(reference), None) => no_reference(reference, tops.iter().map(Descriptor::name)),
            (_, Some(part)) => ImageError::Missing { part },
            (None, None) => invalid("it has no image"),
        });
    }
    finish(blobs, choose(candidates, selection.platform.as_ref())?)
}

/// Finds the image in an archive of `docker save` by its `manifest.json`.
pub(crate) fn find_in_saved(blobs: &dyn Blobs, selection: &Selection) -> Result<Found, ImageError> {
    let part = || "manifest.json".to_owned();
    let images: Vec<SavedImage> = read_json(blobs, &BlobName::of_path("manifest.json"))?;
    let names = |image: &SavedImage| image.repo_tags.clone().unwrap_or_default();
    let is_named = |image: &SavedImage| match &selection.reference {
        Some(reference) => {
            let is_config = reference.strip_prefix("sha256:").is_some_and(|hex| {
                digest_of_path(&image.config).is_some_and(|digest| digest.to_hex() == hex)
            });
            is_config || names(image).iter().any(|name| is_name(name, reference))
        }
        None => true,
    };
    let mut found = Vec::new();
    for image in images.iter().filter(|image| is_named(image)) {
        let image = saved_image(blobs, image)?;
        found.push((image.platform.clone(), image));
    }
    match &selection.reference {
        _ if !found.is_empty() => choose_by_platform(found, selection.platform.as_ref()),
        Some(reference) if !images.is_empty() => {
            Err(no_reference(reference, images.iter().flat_map(names)))
        }
        _ => Err(ImageError::Invalid { part: part(), problem: "it has no image".to_owned() }),
    }
}

fn saved_image(blobs: &dyn Blobs, image: &SavedImage) -> Result<Found, ImageError> {
    let part = &image.config;
    let name = BlobName { path: part.clone(), digest: digest_of_path(part) };
    let bytes =
        read_document(blobs, &name)?.ok_or_else(|| ImageError::Missing { part: part.clone() })?;
    let config: Config = serde_json::from_slice(&bytes)
        .map_err(|source| ImageError::Json { part: part.clone(), source })?;
    let paths = image.layers.as_deref().unwrap_or_default();
    let diff_ids = config.diff_ids(&image.config, paths.len())?;
    let mut layers = Vec::with_capacity(paths.len());
    for (path, diff_id) in paths.iter().zip(diff_ids) {
        // In archives of Docker 25 and later the path has the digest, in older ones an identifier.
        let digest = path.starts_with("blobs/").then(|| digest_of_path(path)).flatten();
        let name = BlobName { path: path.clone(), digest };
        layers.push(place_layer(blobs, name, diff_id, None, false));
    }
    let platform = config.platform.platform();
    // The file may have any name; the image id is the digest of its content.
    let config = Some(digest(Sha256::new_with_prefix(&bytes)));
    Ok(Found { manifest: None, config, platform, layers })
}

struct Search<'b> {
    blobs: &'b dyn Blobs,
    seen: HashSet<Digest>,
    candidates: Vec<Candidate>,
    missing: Option<String>,
}

impl Search<'_> {
    /// Adds a manifest, or all beneath an index. What is not there is passed over: layouts may
    /// hold some platforms of an index only.
    fn add(&mut self, given: &Descriptor, depth: usize) -> Result<(), ImageError> {
        if given.is_attestation() {
            return Ok(());
        }
        let digest = given.digest("a manifest")?;
        if !self.seen.insert(digest) {
            return Ok(());
        }
        let part = || format!("manifest {digest}");
        let invalid =
            |problem: &str| ImageError::Invalid { part: part(), problem: problem.to_owned() };
        if depth > INDEX_DEPTH_MAX {
            return Err(invalid("indexes are nested too deeply"));
        }
        if self.seen.len() > MANIFESTS_MAX {
            return Err(invalid("there are too many manifests"));
        }
        let Some(bytes) = read_document(self.blobs, &BlobName::of_digest(digest))? else {
            self.missing.get_or_insert(part());
            return Ok(());
        };
        let document: Document = serde_json::from_slice(&bytes)
            .map_err(|source| ImageError::Json { part: part(), source })?;
        match document {
            Document { manifests: Some(manifests), .. } => {
                for descriptor in &manifests {
                    self.add(descriptor, depth + 1)?;
                }
                Ok(())
            }
            Document { config: Some(config), layers: Some(layers), .. } => {
                let named = given.platform.as_ref().and_then(WirePlatform::platform);
                let platform = match named {
                    Some(platform) => Some(platform),
                    None => self.platform_of_config(&config)?,
                };
                self.candidates.push(Candidate { digest, platform, config, layers });
                Ok(())
            }
            _ => Err(invalid("it is neither an index nor an image's manifest")),
        }
    }

    fn platform_of_config(&self, config: &Descriptor) -> Result<Option<Platform>, ImageError> {
        let digest = config.digest("a configuration")?;
        match read_document(self.blobs, &BlobName::of_digest(digest))? {
            Some(bytes) => {
                let config = serde_json::from_slice::<Config>(&bytes);
                Ok(config.ok().and_then(|config| config.platform.platform()))
            }
            None => Ok(None),
        }
    }
}

/// Chooses the first that the platform accepts, by default this machine's; when none was asked for,
/// the only one even if it is for another.
fn choose_by_platform<T>(
    mut offered: Vec<(Option<Platform>, T)>,
    asked: Option<&Platform>,
) -> Result<T, ImageError> {
    let host = Platform::host();
    let wanted = asked.unwrap_or(&host);
    let is_accepted =
        |platform: &Option<Platform>| platform.as_ref().is_some_and(|one| wanted.accepts(one));
    let chosen = match offered.iter().position(|(platform, _)| is_accepted(platform)) {
        None if asked.is_none() && offered.len() == 1 => Some(0),
        chosen => chosen,
    };
    match chosen {
        Some(chosen) => Ok(offered.swap_remove(chosen).1),
        None => {
            let names = offered.iter().map(|(platform, _)| match platform {
                Some(platform) => platform.to_string(),
                None => "unknown".to_owned(),
            });
            let mut names: Vec<String> = names.collect();
            names.dedup();
            Err(ImageError::NoPlatform { wanted: wanted.to_string(), offered: list(names) })
        }
    }
}

fn choose(candidates: Vec<Candidate>, asked: Option<&Platform>) -> Result<Candidate, ImageError> {
    let offered = candidates.into_iter().map(|one| (one.platform.clone(), one)).collect();
    choose_by_platform(offered, asked)
}

/// Reads the configuration of the chosen manifest and pairs layers with diff ids.
fn finish(blobs: &dyn Blobs, chosen: Candidate) -> Result<Found, ImageError> {
    let config_digest = chosen.config.digest("the configuration")?;
    let config: Config = read_json(blobs, &BlobName::of_digest(config_digest))?;
    let part = format!("configuration {config_digest}");
    let diff_ids = config.diff_ids(&part, chosen.layers.len())?;
    let mut layers = Vec::with_capacity(diff_ids.len());
    for (descriptor, diff_id) in chosen.layers.iter().zip(diff_ids) {
        let digest = descriptor.digest("a layer")?;
        let name = BlobName::of_digest(digest);
        let is_foreign = descriptor.media_type.contains("nondistributable")
            || descriptor.media_type.contains("foreign");
        layers.push(place_layer(blobs, name, diff_id, descriptor.size, is_foreign));
    }
    Ok(Found {
        manifest: Some(chosen.digest),
        config: Some(config_digest),
        platform: chosen.platform.or_else(|| config.platform.platform()),
        layers,
    })
}

fn place_layer(
    blobs: &dyn Blobs,
    name: BlobName,
    diff_id: DiffId,
    claimed: Option<u64>,
    is_foreign: bool,
) -> Layer {
    let (offset, size) = blobs.place(&name).unwrap_or((0, 0));
    Layer { diff_id, digest: name.digest, size, is_foreign, name, offset, claimed }
}

impl Descriptor {
    /// Annotation with the tag, from the OCI image specification.
    const REF_NAME: &'static str = "org.opencontainers.image.ref.name";

    /// Annotation with the whole name, written by containerd and Docker.
    const IMAGE_NAME: &'static str = "io.containerd.image.name";

    fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.as_ref()?.get(key).map(String::as_str)
    }

    /// Whether `reference` names it: by digest, by tag, or by name.
    fn is(&self, reference: &str) -> bool {
        self.digest == reference
            || self.annotation(Self::REF_NAME).is_some_and(|name| is_name(name, reference))
            || self.annotation(Self::IMAGE_NAME).is_some_and(|name| is_name(name, reference))
    }

    /// How a user may name it.
    fn name(&self) -> String {
        let name = self.annotation(Self::IMAGE_NAME).or_else(|| self.annotation(Self::REF_NAME));
        name.unwrap_or(&self.digest).to_owned()
    }

    /// Whether it is an attestation, which BuildKit lays beside images as if it were one.
    fn is_attestation(&self) -> bool {
        let is_unknown = self
            .platform
            .as_ref()
            .is_some_and(|platform| platform.os == "unknown" && platform.architecture == "unknown");
        is_unknown || self.annotation("vnd.docker.reference.type").is_some()
    }

    fn digest(&self, part: &str) -> Result<Digest, ImageError> {
        self.digest.parse().map_err(|error: pratique_model::DigestError| ImageError::Invalid {
            part: part.to_owned(),
            problem: error.to_string(),
        })
    }
}

impl WirePlatform {
    fn platform(&self) -> Option<Platform> {
        if self.os.is_empty() || self.architecture.is_empty() {
            return None;
        }
        let variant = self.variant.clone().filter(|variant| !variant.is_empty());
        Some(Platform { os: self.os.clone(), architecture: self.architecture.clone(), variant })
    }
}

impl Config {
    /// The diff ids, of which there must be `count`.
    fn diff_ids(&self, part: &str, count: usize) -> Result<Vec<DiffId>, ImageError> {
        let invalid = |problem: String| ImageError::Invalid { part: part.to_owned(), problem };
        let texts = self.rootfs.as_ref().map_or(&[][..], |rootfs| &rootfs.diff_ids);
        if texts.len() != count {
            let problem = format!("it names {} layers and the manifest {count}", texts.len());
            return Err(invalid(problem));
        }
        if count > LAYERS_MAX {
            return Err(invalid(format!("more than {LAYERS_MAX} layers")));
        }
        texts
            .iter()
            .map(|text| text.parse::<DiffId>().map_err(|error| invalid(error.to_string())))
            .collect()
    }
}

/// Whether a name that an image has is what was asked for: the same, or its tag, or the same
/// without Docker's default registry and `library/`.
fn is_name(name: &str, asked: &str) -> bool {
    fn familiar(name: &str) -> &str {
        let name = name.strip_prefix("docker.io/").unwrap_or(name);
        name.strip_prefix("library/").unwrap_or(name)
    }
    let tag = name.rsplit_once(':').map(|(_, tag)| tag).filter(|tag| !tag.contains('/'));
    name == asked || familiar(name) == familiar(asked) || tag == Some(asked)
}

/// The digest in a path that ends with its digits: `blobs/sha256/ab…`, `ab….json`, `sha256:ab…`.
fn digest_of_path(path: &str) -> Option<Digest> {
    let name = path.rsplit('/').next()?;
    let name = name.strip_prefix("sha256:").unwrap_or(name);
    let hex = name.strip_suffix(".json").unwrap_or(name);
    format!("sha256:{hex}").parse().ok()
}

fn no_reference(wanted: &str, offered: impl Iterator<Item = String>) -> ImageError {
    ImageError::NoReference { wanted: wanted.to_owned(), offered: list(offered) }
}

/// At most twenty names, separated by commas.
fn list(names: impl IntoIterator<Item = String>) -> String {
    let names: Vec<String> = names.into_iter().collect();
    let shown = names.iter().take(20).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(20) {
        Some(more @ 1..) => format!("{shown} and {more} more"),
        _ if names.is_empty() => "none".to_owned(),
        _ => shown,
    }
}

#[cfg(test)]
mod tests;
