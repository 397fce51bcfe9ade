//! An image in the content store of a containerd on this machine: read where it lies, no pull.
//!
//! Looks like an OCI layout with one image, whose `index.json` is made here from what containerd
//! says a name stands for; everything else is read by digest and verified as anywhere. containerd
//! is asked asynchronously, images are read by threads that wait, so each opened image has a small
//! runtime of its own. Surprising: a name may stand for an index of which only one platform was
//! pulled; the others are missing and passed over.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use pratique_containerd::{Client, ContentStream, Descriptor, Error};
use pratique_model::Digest;
use serde_json::json;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::blob::{BlobName, Blobs};
use crate::error::ImageError;
use crate::stream::BlobStream;

/// Where containerd listens when it is not told otherwise.
pub const CONTAINERD_ADDRESS: &str = "/run/containerd/containerd.sock";

/// The namespace of `ctr` and nerdctl when they are not told otherwise.
const DEFAULT_NAMESPACE: &str = "default";

/// What a target's reference means in containerd.
pub(crate) struct ContainerdImage {
    index: Bytes,
    namespace: String,
    client: Client,
    runtime: Option<Runtime>,
}

impl ContainerdImage {
    /// Finds the image of `[NAMESPACE/]NAME`.
    ///
    /// The whole is looked up in the namespace `default`; when it is not there, and what stands
    /// before the first `/` is a namespace, the rest is looked up in that. In place of a name the
    /// digest of a manifest or an index will do.
    ///
    /// # Errors
    /// [`ImageError::NotInContainerd`] when no such image is there, [`ImageError::Containerd`] when
    /// it cannot be asked.
    pub(crate) fn open(address: Option<&Path>, reference: &str) -> Result<Self, ImageError> {
        let address = address.unwrap_or(Path::new(CONTAINERD_ADDRESS));
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("containerd")
            .enable_all()
            .build()
            .map_err(|source| ImageError::Open { path: address.display().to_string(), source })?;
        let (client, found) = runtime.block_on(async {
            let client = Client::connect(PathBuf::from(address));
            let found = find(&client, reference).await;
            (client, found)
        });
        let (namespace, target) = found.map_err(|source| asked(source, reference))?;
        let index = json!({
            "schemaVersion": 2,
            "manifests": [{
                "mediaType": target.media_type,
                "digest": target.digest,
                "size": target.size_bytes,
            }],
        });
        let index = Bytes::from(index.to_string());
        Ok(Self { index, namespace, client, runtime: Some(runtime) })
    }

    fn handle(&self) -> &Handle {
        self.runtime.as_ref().expect("it is taken only when this is dropped").handle()
    }
}

/// The namespace in which the reference is found, and what it stands for there.
async fn find(client: &Client, reference: &str) -> Result<(String, Descriptor), Error> {
    let missing = match find_in(client, DEFAULT_NAMESPACE, reference).await {
        Ok(target) => return Ok((DEFAULT_NAMESPACE.to_owned(), target)),
        Err(error) if error.is_not_found() => error,
        Err(error) => return Err(error),
    };
    let Some((namespace, name)) = reference.split_once('/') else { return Err(missing) };
    if !client.namespaces().await?.iter().any(|known| known == namespace) {
        return Err(missing);
    }
    Ok((namespace.to_owned(), find_in(client, namespace, name).await?))
}

async fn find_in(client: &Client, namespace: &str, name: &str) -> Result<Descriptor, Error> {
    let missing = match client.image(namespace, name).await {
        Ok(image) => return Ok(image.target),
        Err(error) if error.is_not_found() => error,
        Err(error) => return Err(error),
    };
    if name.parse::<Digest>().is_err() {
        return Err(missing);
    }
    let info = client.content_info(namespace, name).await?;
    Ok(Descriptor { digest: info.digest, size_bytes: info.size_bytes, ..Descriptor::default() })
}

fn asked(source: Error, reference: &str) -> ImageError {
    if source.is_not_found() {
        let namespace = source.call().namespace.clone();
        ImageError::NotInContainerd { reference: reference.to_owned(), namespace }
    } else {
        ImageError::Containerd { source: Box::new(source) }
    }
}

impl Blobs for ContainerdImage {
    fn open(&self, name: &BlobName) -> Result<Option<BlobStream>, ImageError> {
        let Some(digest) = name.digest else {
            return Ok((name.path == "index.json")
                .then(|| Box::new(io::Cursor::new(self.index.clone())) as BlobStream));
        };
        let digest = digest.to_string();
        let reading = self.client.read_content(&self.namespace, &digest, 0);
        let opened = self.handle().block_on(async {
            let mut stream = reading.await?;
            // containerd says with the first bytes only that it does not have it.
            let ready = stream.next().await?.unwrap_or_default();
            Ok(ContentReader { handle: self.handle().clone(), stream, ready })
        });
        match opened {
            Ok(reader) => Ok(Some(Box::new(reader))),
            Err(error) if Error::is_not_found(&error) => Ok(None),
            Err(source) => Err(ImageError::Containerd { source: Box::new(source) }),
        }
    }

    fn place(&self, name: &BlobName) -> Option<(u64, u64)> {
        let digest = name.digest?.to_string();
        let info = self.client.content_info(&self.namespace, &digest);
        Some((0, self.handle().block_on(info).ok()?.size_bytes))
    }
}

impl Drop for ContainerdImage {
    fn drop(&mut self) {
        // Does not wait, and so may be done anywhere.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A blob's bytes as they come.
struct ContentReader {
    handle: Handle,
    stream: ContentStream,
    ready: Bytes,
}

impl Read for ContentReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.ready.is_empty() {
            let next = self.handle.block_on(self.stream.next()).map_err(io::Error::other)?;
            self.ready = next.unwrap_or_default();
        }
        let count = out.len().min(self.ready.len());
        out.get_mut(..count).unwrap_or_default().copy_from_slice(&self.ready.split_to(count));
        Ok(count)
    }
}
