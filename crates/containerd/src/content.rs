//! Blobs of images: manifests, configurations, layers.
//!
//! Nothing is verified here: whoever reads a blob holds it against its digest.

use std::collections::BTreeMap;

use bytes::Bytes;
use tonic::Streaming;

use crate::client::Client;
use crate::connection::Method;
use crate::error::{Call, Error};
use crate::wire;

const INFO: Method =
    Method { name: "content.Info", path: "/containerd.services.content.v1.Content/Info" };
const READ: Method =
    Method { name: "content.Read", path: "/containerd.services.content.v1.Content/Read" };

/// What is known of a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentInfo {
    /// Its digest, `sha256:…`.
    pub digest: String,
    /// Its length.
    pub size_bytes: u64,
    /// Its labels, such as which blobs it keeps from being collected.
    pub labels: BTreeMap<String, String>,
}

/// A blob's bytes as they come.
#[derive(Debug)]
pub struct ContentStream {
    call: Call,
    timeout: std::time::Duration,
    offset: u64,
    stream: Streaming<wire::ReadContentResponse>,
}

impl Client {
    /// What is known of a blob; whether it is there.
    ///
    /// # Errors
    /// [`Error::NotFound`] when this namespace does not have it; see [`Client`].
    pub async fn content_info(&self, namespace: &str, digest: &str) -> Result<ContentInfo, Error> {
        let message = wire::ById { id: digest.to_owned() };
        let answer: wire::OneContentInfo = self.ask(INFO, namespace, digest).unary(message).await?;
        let info = answer.info.unwrap_or_default();
        Ok(ContentInfo {
            digest: info.digest,
            size_bytes: u64::try_from(info.size).unwrap_or(0),
            labels: info.labels.into_iter().collect(),
        })
    }

    /// Reads a blob from an offset in bytes to its end.
    ///
    /// # Errors
    /// [`Error::NotFound`] when this namespace does not have it, [`Error::Other`] when the offset
    /// lies behind its end; see [`Client`].
    pub async fn read_content(
        &self,
        namespace: &str,
        digest: &str,
        offset: u64,
    ) -> Result<ContentStream, Error> {
        let asking = || self.ask_for_content(READ, namespace, digest);
        let start = i64::try_from(offset).unwrap_or(i64::MAX);
        let message = wire::ReadContentRequest { digest: digest.to_owned(), offset: start };
        let stream = asking().stream(message).await?;
        // containerd counts from where the reading began.
        Ok(ContentStream { call: asking().call(), timeout: self.timeout(), offset: 0, stream })
    }
}

impl ContentStream {
    /// The next bytes, in order and without gaps; `None` at the end. Each part has the client's
    /// deadline.
    ///
    /// # Errors
    /// See [`Client`]. The rest can be asked for again from the offset that was reached.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let next = tokio::time::timeout(self.timeout, self.stream.message()).await;
            let next = next
                .map_err(|_| Error::Deadline { call: self.call.clone(), after: self.timeout })?
                .map_err(|status| Error::of(self.call.clone(), &status, self.timeout))?;
            let Some(part) = next else { return Ok(None) };
            if u64::try_from(part.offset) != Ok(self.offset) {
                let status = tonic::Status::data_loss(format!(
                    "bytes from {} were expected, bytes from {} came",
                    self.offset, part.offset
                ));
                return Err(Error::of(self.call.clone(), &status, self.timeout));
            }
            self.offset += part.data.len() as u64;
            if !part.data.is_empty() {
                return Ok(Some(part.data));
            }
        }
    }
}
