//! What was found in an image.

use crate::{DiffId, Digest, Distro, Package, Platform};

/// The image that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// How the user named it.
    pub reference: String,
    /// The manifest's digest; `None` where there is no manifest (a folder, an SBOM, an old
    /// `docker save` archive).
    pub digest: Option<Digest>,
    /// The configuration's digest, where there is one.
    pub image_id: Option<Digest>,
    /// The platform that the image says it is for.
    pub platform: Option<Platform>,
    /// The scheme that it was read through: `oci-archive`, `rootfs`, `sbom` …
    pub source: String,
    /// The layers from the bottom up; empty outside images.
    pub layers: Vec<DiffId>,
}

impl Target {
    /// What tells the image from others: the manifest's digest, else the configuration's. `None`
    /// for what has neither (a folder, an SBOM).
    pub fn identity(&self) -> Option<&Digest> {
        self.digest.as_ref().or(self.image_id.as_ref())
    }
}

/// Something that was not read, or not whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Partial {
    /// The layer it lies in, if any.
    pub layer: Option<DiffId>,
    /// The file, if it is about one.
    pub path: Option<String>,
    /// What happened, one clause.
    pub problem: String,
}

/// The inventory of one image: made once, matched for ever after.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IndexReport {
    /// The image.
    pub target: Target,
    /// Its distribution; `None` when it has no os-release or relative.
    pub distro: Option<Distro>,
    /// Its packages, sorted by ecosystem, name, version, then paths.
    pub packages: Vec<Package>,
    /// What could not be read, sorted.
    pub partial: Vec<Partial>,
}
