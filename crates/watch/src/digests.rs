//! What an image's name means on this node: from its target to manifest and configuration.
//!
//! Documents are taken from the runtime's content store as they are; what they say is an
//! attribution, and whoever reads the image itself verifies it. What was found is kept, since a
//! digest always means the same.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;

use pratique_containerd::{Descriptor, Error};
use pratique_model::{Digest, Platform};

use crate::facts::Digests;
use crate::runtime::Runtime;

/// Indexes inside indexes that are followed.
const DEPTH_MAX: usize = 3;

/// How many images are kept in mind; a node seldom has more.
const IMAGES_MAX: usize = 2_000;

/// What was found out of images, by the digest of their target. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct DigestCache {
    known: Arc<Mutex<HashMap<String, Digests>>>,
}

#[derive(Debug, Deserialize)]
struct Document {
    manifests: Option<Vec<Listed>>,
    config: Option<Listed>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    #[serde(default)]
    media_type: String,
    digest: String,
    platform: Option<WirePlatform>,
}

#[derive(Debug, Deserialize)]
struct WirePlatform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

impl DigestCache {
    /// What an image's name means; empty where nothing can be found out.
    pub(crate) async fn of_name<R: Runtime>(
        &self,
        runtime: &R,
        namespace: &str,
        name: &str,
    ) -> Result<Digests, Error> {
        match runtime.image(namespace, name).await {
            Ok(image) => self.of_target(runtime, namespace, image.target).await,
            Err(error) if error.is_not_found() => Ok(Digests::default()),
            Err(error) => Err(error),
        }
    }

    /// The same of what the name points to.
    pub(crate) async fn of_target<R: Runtime>(
        &self,
        runtime: &R,
        namespace: &str,
        target: Descriptor,
    ) -> Result<Digests, Error> {
        if let Some(digests) = self.lock().get(&target.digest) {
            return Ok(digests.clone());
        }
        let key = target.digest.clone();
        let digests = find(runtime, namespace, target).await?;
        // What is not there yet may come: a pull writes the index first.
        if digests.config.is_some() {
            let mut known = self.lock();
            if known.len() >= IMAGES_MAX {
                known.clear();
            }
            known.insert(key, digests.clone());
        }
        Ok(digests)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Digests>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn find<R: Runtime>(
    runtime: &R,
    namespace: &str,
    target: Descriptor,
) -> Result<Digests, Error> {
    let host = Platform::host();
    let (mut at, mut platform) = (target, None);
    for _ in 0..=DEPTH_MAX {
        let Some(bytes) = runtime.document(namespace, &at).await? else { break };
        let Ok(document) = serde_json::from_slice::<Document>(&bytes) else { break };
        if let Some(config) = document.config {
            return Ok(Digests {
                manifest: at.digest.parse::<Digest>().ok(),
                config: config.digest.parse().ok(),
                platform,
            });
        }
        let Some(next) = choose(document.manifests.unwrap_or_default(), &host) else { break };
        platform = next.platform.as_ref().and_then(WirePlatform::parse).or(platform);
        at = Descriptor { media_type: next.media_type, digest: next.digest, size_bytes: 0 };
    }
    Ok(Digests::default())
}

/// The manifest for a platform, or the only one there is.
fn choose(mut manifests: Vec<Listed>, host: &Platform) -> Option<Listed> {
    let fits = |listed: &Listed| {
        let platform = listed.platform.as_ref().and_then(WirePlatform::parse);
        platform.is_some_and(|platform| host.accepts(&platform))
    };
    let index = manifests.iter().position(fits);
    match index {
        Some(index) => Some(manifests.swap_remove(index)),
        None if manifests.len() == 1 => manifests.pop(),
        None => None,
    }
}

impl WirePlatform {
    fn parse(&self) -> Option<Platform> {
        let variant = self.variant.as_ref().filter(|variant| !variant.is_empty());
        let variant = variant.map_or_else(String::new, |variant| format!("/{variant}"));
        format!("{}/{}{variant}", self.os, self.architecture).parse().ok()
    }
}
