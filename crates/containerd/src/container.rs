//! Containers as containerd records them. What runs is another question: see `task`.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::any::Any;
use crate::client::Client;
use crate::connection::Method;
use crate::error::Error;
use crate::time::timestamp;
use crate::wire;

const LIST: Method = Method {
    name: "containers.ListStream",
    path: "/containerd.services.containers.v1.Containers/ListStream",
};
const GET: Method =
    Method { name: "containers.Get", path: "/containerd.services.containers.v1.Containers/Get" };

/// A container's record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Container {
    /// Its id, unique in its namespace.
    pub id: String,
    /// Its labels; those of Kubernetes begin with `io.kubernetes.` and `io.cri-containerd.`.
    pub labels: BTreeMap<String, String>,
    /// The image's name when it was made; may be empty.
    pub image: String,
    /// The runtime's name: `io.containerd.runc.v2`.
    pub runtime: String,
    /// The runtime's options, such as the name of its program.
    pub runtime_options: Option<Any>,
    /// The OCI specification, JSON.
    pub spec: Option<Any>,
    /// Who keeps its file system: `overlayfs`.
    pub snapshotter: String,
    /// By which key.
    pub snapshot_key: String,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// When its record last changed.
    pub updated_at: Option<Timestamp>,
    /// The pod sandbox it belongs to; containerd 1.7 and later, and empty mostly.
    pub sandbox: String,
}

impl Client {
    /// All containers of a namespace. They come one by one, so their number has no limit in the
    /// size of a message; each has the client's deadline.
    ///
    /// # Errors
    /// See [`Client`].
    pub async fn containers(&self, namespace: &str) -> Result<Vec<Container>, Error> {
        let call = || self.ask(LIST, namespace, "").call();
        let opening = self.ask(LIST, namespace, "").stream(wire::Filters::default());
        let mut stream: tonic::Streaming<wire::OneContainer> = opening.await?;
        let mut containers = Vec::new();
        loop {
            let next = tokio::time::timeout(self.timeout(), stream.message()).await;
            let next = next
                .map_err(|_| Error::Deadline { call: call(), after: self.timeout() })?
                .map_err(|status| Error::of(call(), &status, self.timeout()))?;
            let Some(item) = next else { return Ok(containers) };
            containers.push(item.container.unwrap_or_default().into());
        }
    }

    /// One container.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it is not there; see [`Client`].
    pub async fn container(&self, namespace: &str, id: &str) -> Result<Container, Error> {
        let answer: wire::OneContainer =
            self.ask(GET, namespace, id).unary(wire::ById { id: id.to_owned() }).await?;
        Ok(answer.container.unwrap_or_default().into())
    }
}

impl From<wire::Container> for Container {
    fn from(container: wire::Container) -> Self {
        let runtime = container.runtime.unwrap_or_default();
        Self {
            id: container.id,
            labels: container.labels.into_iter().collect(),
            image: container.image,
            runtime: runtime.name,
            runtime_options: runtime.options.map(Any::from),
            spec: container.spec.map(Any::from),
            snapshotter: container.snapshotter,
            snapshot_key: container.snapshot_key,
            created_at: timestamp(container.created_at),
            updated_at: timestamp(container.updated_at),
            sandbox: container.sandbox,
        }
    }
}
