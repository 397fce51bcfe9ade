//! The client: what containerd is asked, service by service.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tonic::transport::Channel;

use crate::connection::{Asking, Method, WaitPool, connection};
use crate::error::Error;
use crate::wire;

/// How long containerd may take for an answer. Its own client waits for ever; ten seconds are what
/// its CRI monitor gives the handling of one event.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

const VERSION: Method =
    Method { name: "version.Version", path: "/containerd.services.version.v1.Version/Version" };
const NAMESPACES: Method =
    Method { name: "namespaces.List", path: "/containerd.services.namespaces.v1.Namespaces/List" };

/// A client of one containerd. Clones share their connections.
///
/// Every call of one answer ends within a deadline, [`Error::Deadline`], but for
/// [`wait`](Self::wait). All may fail with [`Error::Unavailable`] while containerd is not there;
/// the next call connects again by itself.
#[derive(Clone, Debug)]
pub struct Client {
    path: Arc<PathBuf>,
    calls: Channel,
    contents: Channel,
    waits: Arc<WaitPool>,
    timeout: Duration,
}

/// What containerd says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// `1.6.20~ds1`, `v2.2.1`: as its builder wrote it.
    pub version: String,
    /// The commit; may be empty.
    pub revision: String,
}

impl Client {
    /// A client of the containerd at a unix socket. Nothing is opened before the first call.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn connect(path: impl Into<PathBuf>) -> Self {
        let path = Arc::new(path.into());
        Self {
            calls: connection(&path),
            contents: connection(&path),
            waits: Arc::new(WaitPool::new(&path)),
            timeout: CALL_TIMEOUT,
            path,
        }
    }

    /// The same with another deadline for every call.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// containerd's version; the simplest question to see whether it is there.
    ///
    /// # Errors
    /// See [`Client`].
    pub async fn version(&self) -> Result<Version, Error> {
        let answer: wire::VersionResponse =
            self.ask(VERSION, "", "").unary(wire::Empty::default()).await?;
        Ok(Version { version: answer.version, revision: answer.revision })
    }

    /// The names of all namespaces.
    ///
    /// # Errors
    /// See [`Client`].
    pub async fn namespaces(&self) -> Result<Vec<String>, Error> {
        let answer: wire::ListNamespacesResponse =
            self.ask(NAMESPACES, "", "").unary(wire::ById::default()).await?;
        Ok(answer.namespaces.into_iter().map(|namespace| namespace.name).collect())
    }

    /// A call with the client's deadline.
    pub(crate) fn ask<'c>(
        &'c self,
        method: Method,
        namespace: &'c str,
        subject: &'c str,
    ) -> Asking<'c> {
        let timeout = Some(self.timeout);
        Asking { channel: &self.calls, method, namespace, subject, timeout }
    }

    /// The same over the connection of contents.
    pub(crate) fn ask_for_content<'c>(
        &'c self,
        method: Method,
        namespace: &'c str,
        subject: &'c str,
    ) -> Asking<'c> {
        Asking { channel: &self.contents, ..self.ask(method, namespace, subject) }
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(crate) fn waits(&self) -> &WaitPool {
        &self.waits
    }

    /// A connection of its own, for a stream.
    pub(crate) fn own_connection(&self) -> Channel {
        connection(&self.path)
    }
}
