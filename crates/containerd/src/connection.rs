//! Connections to containerd's socket, and the calls that go over them.
//!
//! A connection is made when it is first needed and again after it broke, so a client outlives
//! restarts of containerd. Streams that flow for long (events, contents) do not share one with
//! calls: a reader that stalls would hold up everything else in HTTP/2's window.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper_util::rt::TokioIo;
use prost::Message;
use tokio::net::UnixStream;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Request, Status, Streaming};
use tonic_prost::ProstCodec;

use crate::error::{Call, Error};

/// Bytes of one message. containerd sends at most as much (`defaults.DefaultMaxSendMsgSize`).
const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How long making a connection may take; a unix socket connects at once or waits in a queue.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The metadata key by which a call is in a namespace.
const NAMESPACE_KEY: &str = "containerd-namespace";

/// Calls that wait at one time over one connection. What one connection breaks is then bounded,
/// and servers that allow fewer streams than Go's do not make the rest wait in line.
const WAITS_MAX: usize = 1_000;

/// A method of a service, by its path and the name it has in messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Method {
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
}

/// A connection that is made when it is first used.
pub(crate) fn connection(path: &Arc<PathBuf>) -> Channel {
    let path = Arc::clone(path);
    let connect = move |_: Uri| {
        let path = Arc::clone(&path);
        async move { UnixStream::connect(&*path).await.map(TokioIo::new) }
    };
    // The address is not used, but HTTP/2 wants an authority; grpc-go accepts any.
    Endpoint::from_static("http://localhost")
        .connect_timeout(CONNECT_TIMEOUT)
        .connect_with_connector_lazy(tower::service_fn(connect))
}

/// One call: what, where, about what, and how long it may take.
pub(crate) struct Asking<'c> {
    pub(crate) channel: &'c Channel,
    pub(crate) method: Method,
    pub(crate) namespace: &'c str,
    pub(crate) subject: &'c str,
    /// `None` for what ends when a container does.
    pub(crate) timeout: Option<Duration>,
}

impl Asking<'_> {
    /// Asks and waits for the one answer.
    pub(crate) async fn unary<Q, A>(self, message: Q) -> Result<A, Error>
    where
        Q: Message + Send + Sync + 'static,
        A: Message + Default + Send + Sync + 'static,
    {
        let request = self.request(message)?;
        let mut grpc = grpc(self.channel);
        let path = PathAndQuery::from_static(self.method.path);
        // Boxed, as every future that this one is handed through would keep room for all of it, and
        // a node has as many calls that wait as containers.
        let answer = Box::pin(async move {
            grpc.ready().await.map_err(|error| Status::from_error(error.into()))?;
            grpc.unary(request, path, ProstCodec::<Q, A>::default()).await
        });
        self.in_time(answer).await.map(tonic::Response::into_inner)
    }

    /// Asks for a stream of answers. With containerd this comes back with the first of them.
    pub(crate) async fn stream<Q, A>(self, message: Q) -> Result<Streaming<A>, Error>
    where
        Q: Message + Send + Sync + 'static,
        A: Message + Default + Send + Sync + 'static,
    {
        let request = self.request(message)?;
        let mut grpc = grpc(self.channel);
        let path = PathAndQuery::from_static(self.method.path);
        let answer = async {
            grpc.ready().await.map_err(|error| Status::from_error(error.into()))?;
            grpc.server_streaming(request, path, ProstCodec::<Q, A>::default()).await
        };
        self.in_time(answer).await.map(tonic::Response::into_inner)
    }

    async fn in_time<A>(
        &self,
        answer: impl Future<Output = Result<A, Status>>,
    ) -> Result<A, Error> {
        let after = self.timeout.unwrap_or_default();
        let outcome = match self.timeout {
            None => answer.await,
            Some(timeout) => tokio::time::timeout(timeout, answer)
                .await
                .map_err(|_| Error::Deadline { call: self.call(), after })?,
        };
        outcome.map_err(|status| Error::of(self.call(), &status, after))
    }

    fn request<Q>(&self, message: Q) -> Result<Request<Q>, Error> {
        let mut request = Request::new(message);
        if !self.namespace.is_empty() {
            let value = MetadataValue::try_from(self.namespace).map_err(|_| {
                let status = Status::invalid_argument("no name of a namespace");
                Error::of(self.call(), &status, Duration::ZERO)
            })?;
            request.metadata_mut().insert(NAMESPACE_KEY, value);
        }
        Ok(request)
    }

    pub(crate) fn call(&self) -> Call {
        Call {
            name: self.method.name,
            namespace: self.namespace.to_owned(),
            subject: self.subject.to_owned(),
        }
    }
}

fn grpc(channel: &Channel) -> Grpc<Channel> {
    Grpc::new(channel.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX)
}

/// Connections for calls that wait for long, each with at most [`WAITS_MAX`] of them.
#[derive(Debug)]
pub(crate) struct WaitPool {
    path: Arc<PathBuf>,
    connections: Mutex<Vec<WaitConnection>>,
}

#[derive(Debug)]
struct WaitConnection {
    channel: Channel,
    /// Every call that waits holds a clone.
    uses: Arc<()>,
}

impl WaitPool {
    pub(crate) fn new(path: &Arc<PathBuf>) -> Self {
        Self { path: Arc::clone(path), connections: Mutex::default() }
    }

    /// A connection with room, and the mark that keeps the room until it is dropped. Connections
    /// that nobody uses are closed.
    pub(crate) fn take(&self) -> (Channel, Arc<()>) {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.retain(|connection| Arc::strong_count(&connection.uses) > 1);
        let free =
            connections.iter().find(|connection| Arc::strong_count(&connection.uses) <= WAITS_MAX);
        if let Some(connection) = free {
            return (connection.channel.clone(), Arc::clone(&connection.uses));
        }
        let (channel, uses) = (connection(&self.path), Arc::new(()));
        connections.push(WaitConnection { channel: channel.clone(), uses: Arc::clone(&uses) });
        (channel, uses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_takes_a_thousand_waits_and_is_closed_after_the_last() {
        let pool = WaitPool::new(&Arc::new(PathBuf::from("/nowhere")));
        let count = || pool.connections.lock().unwrap().len();
        let mut waits: Vec<_> = (0..WAITS_MAX).map(|_| pool.take().1).collect();
        assert_eq!(count(), 1);
        waits.push(pool.take().1);
        assert_eq!(count(), 2);
        waits.pop();
        waits.pop();
        waits.push(pool.take().1);
        assert_eq!(count(), 1, "the second is gone, the first has room again");
    }
}
