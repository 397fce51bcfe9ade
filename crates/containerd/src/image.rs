//! Names of images and what they stand for.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::client::Client;
use crate::connection::Method;
use crate::error::Error;
use crate::time::timestamp;
use crate::wire;

const LIST: Method =
    Method { name: "images.List", path: "/containerd.services.images.v1.Images/List" };
const GET: Method =
    Method { name: "images.Get", path: "/containerd.services.images.v1.Images/Get" };

/// A name and the image it stands for. CRI gives every image several: its tag, its digest, and its
/// id (`sha256:…`, the configuration's digest).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// Any text; mostly a full reference, `docker.io/library/alpine:3.20`.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// What it stands for: an index or a manifest.
    pub target: Descriptor,
    /// When the name was first given.
    pub created_at: Option<Timestamp>,
    /// When it was last changed.
    pub updated_at: Option<Timestamp>,
}

/// Says which document, by its digest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Descriptor {
    /// The document's media type.
    pub media_type: String,
    /// `sha256:…`, as containerd wrote it.
    pub digest: String,
    /// Its size; 0 when containerd's is negative.
    pub size_bytes: u64,
}

impl Client {
    /// All names in a namespace. An answer of more than 16 MiB, some thirty thousand names, is
    /// refused by containerd.
    ///
    /// # Errors
    /// See [`Client`].
    pub async fn images(&self, namespace: &str) -> Result<Vec<Image>, Error> {
        let answer: wire::Images =
            self.ask(LIST, namespace, "").unary(wire::Filters::default()).await?;
        Ok(answer.images.into_iter().map(Image::from).collect())
    }

    /// What a name stands for now.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the name is not there; see [`Client`].
    pub async fn image(&self, namespace: &str, name: &str) -> Result<Image, Error> {
        let answer: wire::OneImage =
            self.ask(GET, namespace, name).unary(wire::ById { id: name.to_owned() }).await?;
        Ok(answer.image.unwrap_or_default().into())
    }
}

impl From<wire::Image> for Image {
    fn from(image: wire::Image) -> Self {
        let target = image.target.unwrap_or_default();
        Self {
            name: image.name,
            labels: image.labels.into_iter().collect(),
            target: Descriptor {
                media_type: target.media_type,
                digest: target.digest,
                size_bytes: u64::try_from(target.size).unwrap_or(0),
            },
            created_at: timestamp(image.created_at),
            updated_at: timestamp(image.updated_at),
        }
    }
}
