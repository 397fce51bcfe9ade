//! What one client may cost, and how long it may take.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use pratique_testkit::process::eventually;
use pratique_testkit::sandbox::{Conduct, SandboxFarm};

use super::{DEADLINE, Served, read_answer, value};

const ADDRESS: &str = "%RUNTIME_ROOT%/metrics.sock";
/// How many clients are served at once.
const CONNECTIONS_MAX: usize = 256;
/// How long a client may take for the head of its request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long nothing must come from a server that is not to answer.
const SILENCE: Duration = Duration::from_millis(300);

fn connect(served: &Served) -> UnixStream {
    let stream = UnixStream::connect(served.socket()).expect("the server listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
    stream
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "how long a real process takes")]
    Instant::now()
}

#[test]
fn a_head_that_does_not_come_to_its_end_is_not_waited_for() {
    let served = Served::start(&[]);
    let started = now();
    let mut stream = connect(&served);
    stream.write_all(b"GET / HTTP/1.1\r\nHost:").expect("the server reads");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).expect("the server closes");
    assert!(started.elapsed() >= HEADER_TIMEOUT, "{:?}", started.elapsed());
    assert!(started.elapsed() < HEADER_TIMEOUT * 3, "{:?}", started.elapsed());
}

#[test]
fn clients_beyond_the_most_wait_for_one_to_leave() {
    let served = Served::start(&[]);
    let mut clients: Vec<UnixStream> = (0..CONNECTIONS_MAX).map(|_| connect(&served)).collect();
    let folder = format!("/proc/{}/fd", served.process.id());
    let open = || fs::read_dir(&folder).expect("it runs").count();
    eventually("all are accepted", DEADLINE, || open() >= CONNECTIONS_MAX);
    let mut late = connect(&served);
    late.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .expect("there is room");
    late.set_read_timeout(Some(SILENCE)).expect("a socket");
    let kind = late.read(&mut [0]).map_err(|error| error.kind());
    assert_eq!(kind, Err(ErrorKind::WouldBlock), "it is not served");
    clients.pop();
    late.set_read_timeout(Some(DEADLINE)).expect("a socket");
    assert_eq!(read_answer(late).status, 200);
}

#[test]
fn heads_and_forms_have_a_longest_length() {
    let served = Served::start(&[]);
    let long = "a".repeat(20_000);
    assert_eq!(served.ask(&format!("GET / HTTP/1.1\r\nX-Long: {long}\r\n")).status, 431);
    let form = format!("root={long}");
    let health = "/runsc-metrics/healthcheck";
    let length = form.len();
    let request = format!(
        "POST {health} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    let mut stream = connect(&served);
    stream.write_all(request.as_bytes()).expect("the server reads");
    // The server may close before it has read all of it.
    let _ = stream.write_all(form.as_bytes());
    let answer = read_answer(stream);
    assert_eq!((answer.status, answer.text().as_str()), (400, "the form could not be read\n"));
}

#[test]
fn a_scrape_ends_before_its_scraper_gives_up() {
    let served = Served::start(&["--sandbox-timeout=20s", "--min-interval=0"]);
    let sandboxes =
        [("honest".to_owned(), Conduct::Idle), ("stalls".to_owned(), Conduct::NeverReads)];
    let _farm = SandboxFarm::start(served.root(), ADDRESS, &sandboxes);
    let header = "X-Prometheus-Scrape-Timeout-Seconds: 2\r\n";
    let ask = || served.ask(&format!("GET /metrics HTTP/1.1\r\n{header}"));
    eventually("both are found", DEADLINE, || ask().text().contains("sandboxes_running 2 "));
    let started = now();
    let answer = ask();
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(1_700) && took < Duration::from_secs(2), "{took:?}");
    assert_eq!(answer.status, 200);
    let text = answer.text();
    let success =
        |label: &str| value(&text, "pratique_sandbox_scrape_success", label).map(str::to_owned);
    assert_eq!(success("sandbox=\"honest\"").as_deref(), Some("1"));
    assert_eq!(success("sandbox=\"stalls\"").as_deref(), Some("0"), "it is late");
    let presence = value(&text, "runsc_meta_sandbox_presence", "sandbox=\"stalls\"");
    assert_eq!(presence, Some("1"));
}
