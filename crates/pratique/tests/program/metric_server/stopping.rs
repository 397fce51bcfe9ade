//! What a scraper sees while the server stops.

use std::io::{ErrorKind, Write as _};
use std::os::unix::net::UnixStream;
use std::thread;

use pratique_testkit::process::{Signal, eventually};
use pratique_testkit::sandbox::{Conduct, SandboxFarm};

use super::{Answer, DEADLINE, Served, read_answer};

const ADDRESS: &str = "%RUNTIME_ROOT%/metrics.sock";

/// A client that has sent the first half of its request's head.
struct Halfway(UnixStream);

impl Halfway {
    fn new(served: &Served, path: &str) -> Self {
        let mut stream = UnixStream::connect(served.socket()).expect("the server listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n").expect("the server reads");
        Self(stream)
    }

    fn finish(mut self) -> Answer {
        self.0.write_all(b"Connection: close\r\n\r\n").expect("the server reads");
        read_answer(self.0)
    }
}

/// A server over one sandbox that never answers, and a scrape that waits for it; both are there
/// when this returns.
fn with_slow_scrape(flags: &[&str]) -> (Served, SandboxFarm, thread::JoinHandle<Answer>) {
    let served = Served::start(flags);
    let stalls = [("stalls".to_owned(), Conduct::NeverReads)];
    let farm = SandboxFarm::start(served.root(), ADDRESS, &stalls);
    // The only routes that tell of sandboxes ask them, so the first scrape that finds one is slow.
    let socket = served.socket();
    let scrape = thread::spawn(move || {
        let request = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        loop {
            let answer = super::ask(&socket, request);
            if answer.text().contains("sandbox=\"stalls\"") {
                return answer;
            }
        }
    });
    eventually("the sandbox is asked", DEADLINE, || farm.call_count() == 1);
    (served, farm, scrape)
}

#[test]
fn health_and_pid_are_refused_and_a_running_scrape_ends_well() {
    let pid_folder = tempfile::tempdir().expect("a folder");
    let pid_file = pid_folder.path().join("pid");
    let flag = format!("--pid-file={}", pid_file.display());
    let flags = ["--sandbox-timeout=5s", "--min-interval=0", &flag];
    let (served, _farm, scrape) = with_slow_scrape(&flags);
    // A scrape that is under way keeps nobody waiting.
    let root = served.root().display().to_string();
    let health = format!("/runsc-metrics/healthcheck?root={root}");
    assert_eq!(served.get(&health).status, 200);
    assert!(!scrape.is_finished(), "the scrape waits for its sandbox");
    let halfway = [&health, "/runsc-metrics/pid"].map(|path| Halfway::new(&served, path));
    // Once a later client was answered, those before it have been accepted.
    assert_eq!(served.get("/").status, 200);
    served.process.signal(Signal::TERM);
    eventually("nobody new is let in", DEADLINE, || {
        let refused = UnixStream::connect(served.socket()).map_err(|error| error.kind());
        matches!(refused, Err(ErrorKind::NotFound | ErrorKind::ConnectionRefused))
    });
    assert!(pid_file.exists(), "it still runs");
    for client in halfway {
        let answer = client.finish();
        let message = "server is shutting down\n";
        assert_eq!((answer.status, answer.text().as_str()), (503, message));
    }
    let answer = scrape.join().expect("an answer");
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("pratique_sandbox_scrape_success{"));
    assert_eq!(served.process.wait(DEADLINE).code(), Some(0), "{}", served.process.said());
    assert!(!pid_file.exists());
    assert!(!served.process.said().contains("dropped"), "{}", served.process.said());
}

#[test]
fn a_scrape_that_takes_longer_than_the_grace_is_dropped() {
    let (served, farm, scrape) = with_slow_scrape(&["--sandbox-timeout=60s"]);
    served.process.signal(Signal::TERM);
    assert_eq!(served.process.wait(DEADLINE).code(), Some(0), "{}", served.process.said());
    assert!(served.process.said().contains("1 connections dropped"), "{}", served.process.said());
    assert!(scrape.join().is_err(), "its connection was closed without an answer");
    drop(farm);
}
