//! Where a server listens: a TCP port, a unix socket, or what somebody else has opened for it.
//!
//! Surprising: a unix socket is bound beside its place and moved there with its mode set, so it
//! is never open to more users than it should be and replaces a stale one in one step.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// The mode of a unix socket: its user and group may connect.
const SOCKET_MODE: u32 = 0o660;

/// Where to listen, as settings write it.
///
/// `host:port`, `:port` for every address of the machine, or the absolute path of a unix socket.
/// Port 0 takes a free one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// `host:port`; an empty host is every address.
    Tcp(String),
    /// An absolute path.
    Unix(PathBuf),
}

/// A socket that whoever starts the process has opened for it, as systemd does for a service with
/// a socket unit. It stays when the server goes: its file is its maker's.
#[derive(Debug)]
pub enum Given {
    /// A TCP socket.
    Tcp(std::net::TcpListener),
    /// A unix stream socket.
    Unix(std::os::unix::net::UnixListener),
}

/// Why a server cannot listen. Trying again helps only where the cause says so.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The text is neither an address nor an absolute path.
    #[error("listen address {text:?}: not host:port, :port or an absolute path")]
    Address {
        /// What was given.
        text: String,
    },
    /// The operating system refuses the address.
    #[error("listen on {address}")]
    Bind {
        /// The address or path.
        address: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something that is not ours is in the place of the unix socket.
    #[error("listen on {}: {what}", path.display())]
    Occupied {
        /// The path.
        path: PathBuf,
        /// What is there.
        what: &'static str,
    },
    /// A given socket does not listen.
    #[error("listen on a given socket")]
    Given {
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Who asks. In the extensions of every [`super::Request`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// The address of a TCP client.
    Tcp(SocketAddr),
    /// A process on this machine, of this user.
    Unix {
        /// Its effective user id when it connected; `None` where the system does not say.
        uid: Option<u32>,
    },
}

impl FromStr for Listen {
    type Err = HttpError;

    fn from_str(text: &str) -> Result<Self, HttpError> {
        if text.starts_with('/') {
            return Ok(Self::Unix(PathBuf::from(text)));
        }
        match text.rsplit_once(':') {
            Some((_, port)) if port.parse::<u16>().is_ok() => Ok(Self::Tcp(text.to_owned())),
            _ => Err(HttpError::Address { text: text.to_owned() }),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => formatter.write_str(address),
            Self::Unix(path) => write!(formatter, "{}", path.display()),
        }
    }
}

/// A socket that listens.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    /// With the file that goes when it goes; a given socket has none of ours.
    Unix(UnixListener, Option<SocketFile>),
}

/// A client's connection.
pub(super) enum Connection {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Listener {
    pub(super) async fn bind(listen: &Listen) -> Result<Self, HttpError> {
        match listen {
            Listen::Tcp(address) => {
                let bound = match address.strip_prefix(':') {
                    Some(port) => bind_everywhere(port).await,
                    None => TcpListener::bind(address).await,
                };
                bound
                    .map(Self::Tcp)
                    .map_err(|source| HttpError::Bind { address: address.clone(), source })
            }
            Listen::Unix(path) => {
                refuse_occupied(path).await?;
                let bound = bind_unix(path);
                bound.map(|(listener, file)| Self::Unix(listener, Some(file))).map_err(|source| {
                    HttpError::Bind { address: path.display().to_string(), source }
                })
            }
        }
    }

    pub(super) fn adopt(given: Given) -> Result<Self, HttpError> {
        let adopted = match given {
            Given::Tcp(listener) => refuse_deaf(&listener)
                .and_then(|()| listener.set_nonblocking(true))
                .and_then(|()| TcpListener::from_std(listener).map(Self::Tcp)),
            Given::Unix(listener) => refuse_deaf(&listener)
                .and_then(|()| listener.set_nonblocking(true))
                .and_then(|()| UnixListener::from_std(listener))
                .map(|listener| Self::Unix(listener, None)),
        };
        adopted.map_err(|source| HttpError::Given { source })
    }

    /// The address as a client would write it; the port that was taken, where 0 was asked for.
    pub(super) fn address(&self) -> String {
        match self {
            Self::Tcp(listener) => listener
                .local_addr()
                .map_or_else(|_| "an unknown address".to_owned(), |address| address.to_string()),
            Self::Unix(_, Some(file)) => file.path.display().to_string(),
            Self::Unix(listener, None) => {
                let address = listener.local_addr().ok();
                let path = address.as_ref().and_then(|address| address.as_pathname());
                path.map_or_else(|| "a given socket".to_owned(), |path| path.display().to_string())
            }
        }
    }

    /// The next client. Cancel-safe.
    pub(super) async fn accept(&self) -> io::Result<(Connection, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok((Connection::Tcp(stream), Peer::Tcp(address)))
            }
            Self::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                let uid = stream.peer_cred().ok().map(|credentials| credentials.uid());
                Ok((Connection::Unix(stream), Peer::Unix { uid }))
            }
        }
    }
}

/// Passes when the socket listens; one that does not would never have a client, only errors.
fn refuse_deaf(socket: &impl AsFd) -> io::Result<()> {
    if rustix::net::sockopt::socket_acceptconn(socket)? {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "it does not listen"))
}

/// Every address of the machine; both families through one socket where the kernel has IPv6.
async fn bind_everywhere(port: &str) -> io::Result<TcpListener> {
    match TcpListener::bind(format!("[::]:{port}")).await {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            TcpListener::bind(format!("0.0.0.0:{port}")).await
        }
        bound => bound,
    }
}

/// Passes when the place is free or holds a stale socket of our user that nobody answers at.
async fn refuse_occupied(path: &Path) -> Result<(), HttpError> {
    let occupied = |what| HttpError::Occupied { path: path.to_owned(), what };
    let Ok(found) = path.symlink_metadata() else {
        return Ok(());
    };
    if !found.file_type().is_socket() {
        return Err(occupied("a file that is not a socket is there"));
    }
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(occupied("a socket of another user is there"));
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        _ => Err(occupied("somebody listens there already")),
    }
}

fn bind_unix(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = SocketFile { path: PathBuf::from(beside) };
    let listener = UnixListener::bind(&beside.path)?;
    std::fs::set_permissions(&beside.path, std::fs::Permissions::from_mode(SOCKET_MODE))?;
    std::fs::rename(&beside.path, path)?;
    Ok((listener, SocketFile { path: path.to_owned() }))
}

/// Removes the file of a unix socket when its listener goes.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Already gone is as good; a leftover is replaced by the next start.
        let _ = std::fs::remove_file(&self.path);
    }
}
