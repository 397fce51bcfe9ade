//! `pratique metric-server` as runsc's users run it: command line, routes, and sandboxes that lie.
//!
//! Goal: what `docs/sandbox-metrics.md` promises holds on the executable. Method: fake sandboxes
//! with real state files and sockets are this very process; the server is the built program.

mod access;
mod activation;
mod bound;
mod command_line;
mod hostile;
mod order;
mod page;
mod restored;
mod routes;
mod runsc;
mod sharing;
mod stopping;
mod witness;

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use pratique_testkit::process::{Process, eventually};
use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_secs(60);

/// A root folder and the server over it.
struct Served {
    folder: TempDir,
    process: Process,
}

/// What the server answered.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Served {
    /// Starts the server at a unix socket in the root folder.
    fn start(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let process = server(folder.path(), flags);
        let served = Self { folder, process };
        eventually("the server listens", DEADLINE, || served.socket().exists());
        served
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    fn socket(&self) -> PathBuf {
        self.root().join("metrics.sock")
    }

    fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\n"))
    }

    /// Sends a request's first lines; the rest is added.
    fn ask(&self, lines: &str) -> Answer {
        ask(&self.socket(), &format!("{lines}Host: x\r\nConnection: close\r\n\r\n"))
    }

    fn metrics(&self) -> String {
        self.get("/metrics").text()
    }
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("UTF-8")
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

fn program(flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pratique"));
    command.args(flags).env_clear().env("NO_COLOR", "1");
    command
}

/// Starts the server with runsc's command line.
fn server(root: &Path, flags: &[&str]) -> Process {
    let mut command = program(&[
        &format!("--root={}", root.display()),
        "--metric-server=%RUNTIME_ROOT%/metrics.sock",
        "metric-server",
    ]);
    command.args(flags);
    Process::spawn("metric-server", command)
}

fn ask(socket: &Path, request: &str) -> Answer {
    let mut stream = UnixStream::connect(socket).expect("the server listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
    stream.write_all(request.as_bytes()).expect("the server reads");
    read_answer(stream)
}

/// Reads an answer to its end, which the server makes by closing the connection.
fn read_answer(mut stream: UnixStream) -> Answer {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        // It may answer and close before it has read all that was sent.
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        read => drop(read.expect("the server answers")),
    }
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(bytes[..end].to_vec()).expect("ASCII");
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
    Answer { status, head, body: bytes[end + 4..].to_vec() }
}

/// The value of one series; `None` if it is not there.
fn value<'text>(text: &'text str, name: &str, label: &str) -> Option<&'text str> {
    let mut lines = text.lines().filter(|line| {
        let rest = line.strip_prefix(name).unwrap_or_default();
        rest.starts_with(['{', ' ']) && rest.contains(label)
    });
    let (_, rest) = lines.next()?.rsplit_once("} ")?;
    rest.split(' ').next()
}
