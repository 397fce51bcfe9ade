//! Asks one sandbox over its control socket.
//!
//! gVisor's `pkg/urpc`: a unix stream socket, one JSON object out, one in, no framing. The process
//! at the other end must be the sandbox's: whoever else listens there is not believed. Nothing is
//! kept open between calls. Surprising: the caller sets the deadline, by dropping the call; that
//! closes the socket at once.

use std::io;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rustix::fs::{Mode, OFlags};
use std::os::fd::AsRawFd as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;

use crate::process::Process;
use crate::refusal::{Reason, Refusal};
use crate::reply::read_export;
use crate::resolve::{Resolved, Resolver};
use crate::savings::{Savings, read_savings};

/// The longest path that fits an address of a unix socket, without the closing zero.
const ADDRESS_BYTES_MAX: usize = 107;
/// How long to wait when a socket's queue is full; the kernel does not tell when it has room.
const QUEUE_PAUSE: Duration = Duration::from_millis(5);

/// Asks for all metrics, or those whose names fit a filter, and holds each point against the
/// registration as it comes. The result says when the snapshot was taken, by its own word.
///
/// # Errors
/// The [`Refusal`]; nothing that came may be believed then.
pub(crate) async fn export(
    sockets: &[impl AsRef<Path>],
    process: Process,
    filter: &str,
    mut resolver: Resolver,
) -> Result<(Resolved, Timestamp), Refusal> {
    let arguments = serde_json::json!({ "only_metrics": filter });
    let mut stream = call(sockets, process, "Metrics.Export", arguments).await?;
    let taken_at = read_export(&mut stream, &mut |point| resolver.point(point)).await?;
    Ok((resolver.finish(), taken_at))
}

/// Asks a restored sandbox what that saved.
///
/// # Errors
/// The [`Refusal`]; [`Reason::Refused`] when it cannot tell.
pub(crate) async fn savings(
    sockets: &[impl AsRef<Path>],
    process: Process,
) -> Result<Savings, Refusal> {
    let method = "containerManager.GetSavings";
    read_savings(call(sockets, process, method, serde_json::Value::Null).await?).await
}

/// Calls a method; what it answers is still to be read.
async fn call(
    sockets: &[impl AsRef<Path>],
    process: Process,
    method: &str,
    arguments: serde_json::Value,
) -> Result<UnixStream, Refusal> {
    let mut stream = connect(sockets).await?;
    check_peer(&stream, process)?;
    let request = serde_json::json!({ "method": method, "arg": arguments });
    stream
        .write_all(request.to_string().as_bytes())
        .await
        .map_err(|error| Refusal::new(Reason::Connect, format_args!("writing: {error}")))?;
    Ok(stream)
}

/// Connects to the first socket that is there.
async fn connect(sockets: &[impl AsRef<Path>]) -> Result<UnixStream, Refusal> {
    let mut refusal = Refusal::new(Reason::Connect, "no control socket");
    for path in sockets {
        let path = path.as_ref();
        loop {
            match connect_one(path).await {
                Ok(stream) => return Ok(stream),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    tokio::time::sleep(QUEUE_PAUSE).await;
                }
                Err(error) => {
                    let detail = format_args!("{}: {error}", path.display()).to_string();
                    refusal = Refusal::new(Reason::Connect, detail);
                    if error.kind() != io::ErrorKind::NotFound {
                        return Err(refusal);
                    }
                    break;
                }
            }
        }
    }
    Err(refusal)
}

async fn connect_one(path: &Path) -> io::Result<UnixStream> {
    if path.as_os_str().len() <= ADDRESS_BYTES_MAX {
        return UnixStream::connect(path).await;
    }
    // A path that is too long for an address is opened first and reached through its descriptor.
    let socket = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    UnixStream::connect(format!("/proc/self/fd/{}", socket.as_raw_fd())).await
}

/// The kernel notes the process that listens when it starts to listen.
fn check_peer(stream: &UnixStream, process: Process) -> Result<(), Refusal> {
    let peer = rustix::net::sockopt::socket_peercred(stream)
        .map_err(|error| Refusal::new(Reason::Connect, format_args!("peer: {error}")))?;
    let pid = peer.pid.as_raw_nonzero().get();
    if pid != process.pid() {
        let detail = format_args!("process {pid} answers instead of {}", process.pid());
        return Err(Refusal::new(Reason::Connect, detail));
    }
    Ok(())
}
