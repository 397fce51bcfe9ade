//! A socket that whoever starts the server has opened for it, as systemd does.

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use pratique_testkit::process::{Process, get};

use super::{DEADLINE, ask};

/// Starts the server with sockets as systemd hands them over: from descriptor 3 on, counted by
/// `LISTEN_FDS`. One socket stands for all of them.
fn activated(socket: impl Into<OwnedFd>, count: usize, root: &Path, address: &str) -> Process {
    let script =
        format!("exec 3<&0 4<&0 </dev/null; export LISTEN_FDS={count} LISTEN_PID=$$; exec \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_pratique"), "metric-server"]);
    command.arg(format!("--root={}", root.display())).arg(format!("--metric-server={address}"));
    command.env_clear().env("NO_COLOR", "1");
    Process::spawn_with("metric-server", command, socket.into().into())
}

#[test]
fn a_given_unix_socket_is_served_and_stays_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("given.sock");
    let socket = UnixListener::bind(&path).expect("a socket");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).expect("a mode");
    let process = activated(socket, 1, folder.path(), "%RUNTIME_ROOT%/metrics.sock");
    let line = process.wait_for_line("serving on", DEADLINE);
    assert!(line.contains(&path.display().to_string()), "{line}");
    let request = "GET /runsc-metrics/pid HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert_eq!(ask(&path, request).text(), process.id().to_string());
    assert!(!folder.path().join("metrics.sock").exists(), "the address is not listened on");
    assert_eq!(process.terminate(DEADLINE).code(), Some(0));
    let mode = fs::metadata(&path).expect("it stays").permissions().mode();
    assert_eq!(mode & 0o777, 0o604);
}

#[test]
fn a_given_tcp_socket_is_served() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let address = socket.local_addr().expect("it is bound").to_string();
    let process = activated(socket, 1, folder.path(), &address);
    process.wait_for_line(&format!("serving on {address}"), DEADLINE);
    let (status, body) = get(&address, "/runsc-metrics/pid").expect("an answer");
    assert_eq!((status, body), (200, process.id().to_string()));
    assert_eq!(process.terminate(DEADLINE).code(), Some(0));
}

#[test]
fn what_cannot_be_served_ends_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let check = |process: Process, expected: &str| {
        assert_eq!(process.wait(DEADLINE).code(), Some(128), "{}", process.said());
        assert!(process.said().contains(expected), "{}", process.said());
    };
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let said = "the socket given by LISTEN_FDS";
    check(activated(udp, 1, folder.path(), "127.0.0.1:1"), said);
    let two = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let said = "2 sockets were given by LISTEN_FDS";
    check(activated(two, 2, folder.path(), "127.0.0.1:1"), said);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let address = listener.local_addr().expect("it is bound");
    let deaf = std::net::TcpStream::connect(address).expect("a client");
    let said = "listen on a given socket: it does not listen";
    check(activated(deaf, 1, folder.path(), "127.0.0.1:1"), said);
}

#[test]
fn sockets_given_to_another_process_are_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_pratique"));
    command.args(["metric-server", "--metric-server=%RUNTIME_ROOT%/metrics.sock"]);
    command.arg(format!("--root={}", folder.path().display()));
    command.env_clear().envs([("LISTEN_FDS", "1"), ("LISTEN_PID", "1")]);
    let process = Process::spawn("metric-server", command);
    process.wait_for_line("serving on", DEADLINE);
    assert!(folder.path().join("metrics.sock").exists());
}
