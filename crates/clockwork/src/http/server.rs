//! Accepts clients and runs the handler for each request.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tracing::{debug, error, warn};

use super::answer::{Request, Response, text};
use super::limit::Limits;
use super::listen::{Connection, Given, HttpError, Listen, Listener, Peer};
use super::patience::Patience;
use super::tls::Tls;
use crate::Shutdown;

/// The wait after a client could not be accepted. Out of files is the usual cause, and trying at
/// once would only burn the processor until some are closed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A server that listens already; it answers once it [runs](Server::run).
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    limits: Limits,
    tls: Tls,
}

impl Server {
    /// Listens. Clients that connect before [`Server::run`] wait.
    ///
    /// # Errors
    /// [`HttpError`] when the address cannot be had.
    pub async fn bind(listen: &Listen, limits: Limits) -> Result<Self, HttpError> {
        Ok(Self { listener: Listener::bind(listen).await?, limits, tls: Tls::default() })
    }

    /// Takes a socket that listens already, and leaves its file where it is at the end. Must be
    /// called within a runtime, which it is registered with.
    ///
    /// # Errors
    /// [`HttpError::Given`] when the socket does not listen.
    pub fn adopt(given: Given, limits: Limits) -> Result<Self, HttpError> {
        Ok(Self { listener: Listener::adopt(given)?, limits, tls: Tls::default() })
    }

    /// Speaks TLS with those clients for which it is chosen. A handshake may take as long as a
    /// request's head.
    pub fn with_tls(self, tls: Tls) -> Self {
        Self { tls, ..self }
    }

    /// Where it listens: `ip:port` with the real port, or a path.
    pub fn address(&self) -> String {
        self.listener.address()
    }

    /// Answers until `shutdown`, then lets running requests end within
    /// [`Limits::stop_timeout`] and drops what is left.
    pub async fn run<H, F>(self, shutdown: Shutdown, handler: H)
    where
        H: Fn(Request) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response> + Send + 'static,
    {
        let Self { listener, limits, tls } = self;
        let graceful = GracefulShutdown::new();
        let permits = Arc::new(Semaphore::new(limits.connections_max));
        let mut connections = JoinSet::new();
        while let Some(permit) = shutdown.unless_triggered(permits.clone().acquire_owned()).await {
            let permit = permit.expect("the semaphore is never closed");
            let (connection, peer) = match shutdown.unless_triggered(listener.accept()).await {
                None => break,
                Some(Ok(accepted)) => accepted,
                Some(Err(error)) => {
                    pause_after(&error).await;
                    continue;
                }
            };
            let (watcher, handler) = (graceful.watcher(), handler.clone());
            let tls = tls.choose();
            connections.spawn(async move {
                let client = Client { peer, limits, watcher, tls };
                match connection {
                    Connection::Tcp(stream) => client.greet(stream, handler).await,
                    Connection::Unix(stream) => client.greet(stream, handler).await,
                }
                drop(permit);
            });
            reap(&mut connections);
        }
        // Nobody new is let in while the others are seen out.
        let address = listener.address();
        drop(listener);
        if tokio::time::timeout(limits.stop_timeout, graceful.shutdown()).await.is_err() {
            // Those that ended since the last one came are not dropped.
            reap(&mut connections);
            warn!("{address}: {} connections dropped", connections.len());
        }
    }
}

async fn pause_after(error: &io::Error) {
    // A client that left before it was accepted is no trouble of ours.
    if error.kind() != io::ErrorKind::ConnectionAborted {
        warn!("client not accepted: {error}");
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}

/// One client, and what holds for it.
struct Client {
    peer: Peer,
    limits: Limits,
    watcher: Watcher,
    tls: Option<Arc<ServerConfig>>,
}

impl Client {
    /// Shakes hands first if TLS was chosen.
    async fn greet<S, H, F>(self, stream: S, handler: H)
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
        H: Fn(Request) -> F,
        F: Future<Output = Response>,
    {
        let Self { peer, limits, watcher, tls } = self;
        let Some(tls) = tls else {
            return serve(stream, peer, limits, watcher, handler).await;
        };
        let handshake = TlsAcceptor::from(tls).accept(stream);
        match tokio::time::timeout(limits.header_timeout, handshake).await {
            Ok(Ok(stream)) => serve(stream, peer, limits, watcher, handler).await,
            Ok(Err(error)) => debug!("handshake of {peer:?}: {error}"),
            Err(_) => debug!("handshake of {peer:?} took too long"),
        }
    }
}

/// Serves one connection, whatever it runs over.
async fn serve<S, H, F>(stream: S, peer: Peer, limits: Limits, watcher: Watcher, handler: H)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    H: Fn(Request) -> F,
    F: Future<Output = Response>,
{
    let answer = service_fn(|mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        let answering = handler(request);
        async move {
            let answered = tokio::time::timeout(limits.answer_timeout, answering).await;
            Ok::<_, Infallible>(answered.unwrap_or_else(|_| too_slow()))
        }
    });
    let stream = TokioIo::new(Patience::new(stream, limits.write_timeout));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(limits.head_size_max)
        .serve_connection(stream, answer);
    if let Err(error) = watcher.watch(connection).await {
        debug!("connection of {peer:?}: {error}");
    }
}

fn too_slow() -> Response {
    text(StatusCode::SERVICE_UNAVAILABLE, "the answer took too long\n")
}

/// Forgets connections that have ended.
fn reap(connections: &mut JoinSet<()>) {
    while let Some(joined) = connections.try_join_next() {
        log_panic(joined);
    }
}

fn log_panic(joined: Result<(), tokio::task::JoinError>) {
    if let Err(error) = joined
        && error.is_panic()
    {
        error!("a request's handler panicked: {error}");
    }
}

#[cfg(test)]
mod tests;
