//! Asks a server of ours on this machine or beside it: one request a connection, bounded.

use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::{Method, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::Listen;

/// How long connecting may take: the server is near.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a server gave no answer. Trying again may help against all of them but the last.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody answers there.
    #[error("connect to {address}")]
    Connect {
        /// The address or path.
        address: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The answer did not come in time.
    #[error("{address} does not answer within {} s", time_max.as_secs())]
    Timeout {
        /// The address or path.
        address: String,
        /// How long it had.
        time_max: Duration,
    },
    /// The connection broke, or what came is not HTTP.
    #[error("ask {address}")]
    Broken {
        /// The address or path.
        address: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The answer is longer than what is taken.
    #[error("{address} answers more than {size_max} bytes")]
    TooLarge {
        /// The address or path.
        address: String,
        /// The limit.
        size_max: usize,
    },
}

/// Asks for a path with its query by GET; the answer's status and its body of at most `size_max`
/// bytes, within `time_max`.
///
/// # Errors
/// [`AskError`]; a status that is not 200 is none.
pub async fn get(
    address: &Listen,
    path: &str,
    size_max: usize,
    time_max: Duration,
) -> Result<(StatusCode, Vec<u8>), AskError> {
    let name = || address.to_string();
    let asked = async {
        match address {
            Listen::Tcp(host) => {
                // A server that listens everywhere is asked on this machine.
                let host = match host.strip_prefix(':') {
                    Some(port) => format!("localhost:{port}"),
                    None => host.clone(),
                };
                let stream = connect(address, TcpStream::connect(&host)).await?;
                ask(address, stream, &host, path, size_max).await
            }
            Listen::Unix(socket) => {
                let stream = connect(address, UnixStream::connect(socket)).await?;
                ask(address, stream, "localhost", path, size_max).await
            }
        }
    };
    let asked = tokio::time::timeout(time_max, asked).await;
    asked.map_err(|_| AskError::Timeout { address: name(), time_max })?
}

async fn connect<S>(
    address: &Listen,
    connecting: impl Future<Output = std::io::Result<S>>,
) -> Result<S, AskError> {
    let connected = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await;
    connected
        .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
        .map_err(|source| AskError::Connect { address: address.to_string(), source })
}

async fn ask(
    address: &Listen,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    host: &str,
    path: &str,
    size_max: usize,
) -> Result<(StatusCode, Vec<u8>), AskError> {
    let broken = |source: Box<dyn std::error::Error + Send + Sync>| AskError::Broken {
        address: address.to_string(),
        source,
    };
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.map_err(|error| broken(error.into()))?;
    let request = hyper::Request::builder()
        .method(Method::GET)
        .uri(path)
        .header(header::HOST, host)
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| broken(error.into()))?;
    let connection = tokio::spawn(connection);
    let answer = async {
        let response = sender.send_request(request).await.map_err(|error| broken(error.into()))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), size_max).collect().await;
        match body {
            Ok(body) => Ok((status, body.to_bytes().into())),
            Err(error) if error.is::<LengthLimitError>() => {
                Err(AskError::TooLarge { address: address.to_string(), size_max })
            }
            Err(error) => Err(broken(error)),
        }
    };
    let answer = answer.await;
    connection.abort();
    answer
}
