//! The server, asked by hand-written clients over loopback and unix sockets.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;

use super::*;
use crate::Bell;
use crate::http::read_body;

/// Far longer than anything here takes; a test that reaches it fails.
const DEADLINE: Duration = Duration::from_secs(20);

/// Short, for tests that wait until it has passed.
const SHORT: Duration = Duration::from_millis(50);

struct Running {
    address: String,
    shutdown: Shutdown,
    /// Rings when a request for `/hang` has arrived.
    hanging: Bell,
    server: JoinHandle<()>,
}

impl Running {
    async fn start(listen: &str, limits: Limits) -> Self {
        let listen = listen.parse().expect("valid");
        let server = Server::bind(&listen, limits).await.expect("bound");
        let (shutdown, hanging) = (Shutdown::new(), Bell::new());
        let (address, bell) = (server.address(), hanging.clone());
        let handler = move |request: Request| answer(request, bell.clone());
        let server = tokio::spawn(server.run(shutdown.clone(), handler));
        Self { address, shutdown, hanging, server }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).await.expect("connected")
    }

    async fn ask(&self, request: &str) -> String {
        ask(self.connect().await, request).await
    }

    async fn stop(self) {
        self.shutdown.trigger();
        tokio::time::timeout(DEADLINE, self.server).await.expect("stops").expect("no panic");
    }
}

async fn answer(request: Request, hanging: Bell) -> Response {
    match request.uri().path() {
        "/hang" => {
            hanging.ring();
            std::future::pending().await
        }
        "/panic" => panic!("a test's handler"),
        "/peer" => {
            let peer = request.extensions().get::<Peer>().cloned();
            text(StatusCode::OK, format!("{peer:?}"))
        }
        "/body" => match read_body(request, 4).await {
            Ok(body) => text(StatusCode::OK, format!("{} bytes", body.len())),
            Err(error) => text(StatusCode::PAYLOAD_TOO_LARGE, error.to_string()),
        },
        "/large" => text(StatusCode::OK, "x".repeat(64 << 20)),
        _ => text(StatusCode::NOT_FOUND, "not found\n"),
    }
}

/// Sends `request` and reads until the server closes the connection.
async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.expect("sent");
    read_all(stream).await
}

async fn read_all(mut stream: impl AsyncRead + Unpin) -> String {
    let mut answer = Vec::new();
    let reading = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut answer));
    // A reset is one way to close a connection.
    let _ = reading.await.expect("the server closes the connection");
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")
}

#[tokio::test]
async fn a_request_is_answered_with_its_peer_known() {
    let running = Running::start("127.0.0.1:0", Limits::default()).await;
    let answer = running.ask(&get("/peer")).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("Tcp(127.0.0.1:"), "{answer}");
    assert!(running.ask(&get("/other")).await.starts_with("HTTP/1.1 404"));
    running.stop().await;
}

#[tokio::test]
async fn a_body_beyond_the_handlers_limit_is_refused() {
    let running = Running::start("127.0.0.1:0", Limits::default()).await;
    let post = |body: &str| {
        let head = "POST /body HTTP/1.1\r\nhost: test\r\nconnection: close\r\n";
        format!("{head}content-length: {}\r\n\r\n{body}", body.len())
    };
    assert!(running.ask(&post("four")).await.ends_with("4 bytes"));
    let answer = running.ask(&post("fives")).await;
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("more than 4 bytes"), "{answer}");
    running.stop().await;
}

#[tokio::test]
async fn a_panic_costs_one_connection_only() {
    let running = Running::start("127.0.0.1:0", Limits::default()).await;
    assert_eq!(running.ask(&get("/panic")).await, "");
    assert!(running.ask(&get("/peer")).await.starts_with("HTTP/1.1 200"));
    running.stop().await;
}

#[tokio::test]
async fn slow_heads_slow_answers_and_large_heads_end() {
    let short = Limits { header_timeout: SHORT, answer_timeout: SHORT, ..Limits::default() };
    let running = Running::start("127.0.0.1:0", short).await;
    let answer = running.ask("GET / HTTP/1.1\r\nhost:").await;
    assert!(!answer.contains("200") && !answer.contains("404"), "{answer}");
    assert!(running.ask(&get("/hang")).await.starts_with("HTTP/1.1 503"));
    let large = format!("GET /{} HTTP/1.1\r\n", "x".repeat(Limits::HEAD_SIZE_MAX));
    let answer = running.ask(&large).await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    running.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_dropped() {
    let short = Limits { write_timeout: SHORT, ..Limits::default() };
    let running = Running::start("127.0.0.1:0", short).await;
    let mut stream = running.connect().await;
    stream.write_all(get("/large").as_bytes()).await.expect("sent");
    // Nothing is read here, so only writing shows that the server's side has gone.
    let dropped = async {
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, dropped).await.expect("dropped");
    running.stop().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_their_turn() {
    let one = Limits { connections_max: 1, ..Limits::default() };
    let running = Running::start("127.0.0.1:0", one).await;
    let mut arrived = running.hanging.listen();
    let mut first = running.connect().await;
    first.write_all(get("/hang").as_bytes()).await.expect("sent");
    arrived.rung().await;
    let mut second = running.connect().await;
    second.write_all(get("/peer").as_bytes()).await.expect("sent");
    let early = tokio::time::timeout(SHORT, second.read_u8()).await;
    assert!(early.is_err(), "answered beyond the limit: {early:?}");
    drop(first);
    assert!(read_all(second).await.starts_with("HTTP/1.1 200"));
    running.stop().await;
}

#[tokio::test]
async fn a_stop_sees_requests_out_and_drops_what_hangs() {
    let short = Limits { stop_timeout: SHORT, ..Limits::default() };
    let running = Running::start("127.0.0.1:0", short).await;
    let mut arrived = running.hanging.listen();
    let mut hanging = running.connect().await;
    hanging.write_all(get("/hang").as_bytes()).await.expect("sent");
    arrived.rung().await;
    let address = running.address.clone();
    running.stop().await;
    assert_eq!(read_all(hanging).await, "");
    assert!(TcpStream::connect(address).await.is_err(), "still listens");
}

#[tokio::test]
async fn a_unix_socket_has_its_mode_and_goes_with_the_server() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("socket");
    let listen = path.to_str().expect("utf-8");
    let running = Running::start(listen, Limits::default()).await;
    let mode = path.metadata().expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    let stream = UnixStream::connect(&path).await.expect("connected");
    let answer = ask(stream, &get("/peer")).await;
    let uid = rustix::process::geteuid().as_raw();
    assert!(answer.contains(&format!("Unix {{ uid: Some({uid}) }}")), "{answer}");
    running.stop().await;
    let left: Vec<_> = folder.path().read_dir().expect("read").collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn only_a_stale_socket_is_replaced() {
    let folder = tempfile::tempdir().expect("folder");
    let at = |name: &str| folder.path().join(name).to_str().expect("utf-8").to_owned();
    let bind = async |path: &str| {
        Server::bind(&path.parse().expect("valid"), Limits::default()).await.map(|_| ())
    };

    let running = Running::start(&at("live"), Limits::default()).await;
    let refused = bind(&at("live")).await.expect_err("somebody answers").to_string();
    assert!(refused.ends_with("somebody listens there already"), "{refused}");
    running.stop().await;

    std::fs::write(at("file"), "kept").expect("written");
    let refused = bind(&at("file")).await.expect_err("a file").to_string();
    assert!(refused.ends_with("a file that is not a socket is there"), "{refused}");
    assert_eq!(std::fs::read(at("file")).expect("kept"), b"kept");

    // What a killed process leaves: a socket that nobody listens on.
    drop(std::os::unix::net::UnixListener::bind(at("stale")).expect("bound"));
    assert!(Path::new(&at("stale")).exists());
    bind(&at("stale")).await.expect("a stale socket is replaced");
}

#[test]
fn listen_addresses_are_told_apart() {
    for (text, expected) in [
        ("127.0.0.1:9760", Some(Listen::Tcp("127.0.0.1:9760".to_owned()))),
        (":9760", Some(Listen::Tcp(":9760".to_owned()))),
        ("[::1]:0", Some(Listen::Tcp("[::1]:0".to_owned()))),
        ("/run/pratique.sock", Some(Listen::Unix("/run/pratique.sock".into()))),
        ("", None),
        ("localhost", None),
        ("localhost:http", None),
        ("localhost:70000", None),
        ("run/pratique.sock", None),
    ] {
        let parsed: Option<Listen> = text.parse().ok();
        assert_eq!(parsed, expected, "{text:?}");
        if let Some(parsed) = parsed {
            assert_eq!(parsed.to_string(), text);
        }
    }
}

#[tokio::test]
async fn metrics_are_exposed_with_their_type() {
    use http_body_util::BodyExt;

    let mut registry = prometheus_client::registry::Registry::default();
    let counter = prometheus_client::metrics::counter::Counter::<u64>::default();
    registry.register("pratique_tests", "Tests", counter.clone());
    counter.inc();
    let response = crate::http::exposition(&registry);
    let content_type = response.headers()["content-type"].to_str().expect("text").to_owned();
    assert!(content_type.starts_with("application/openmetrics-text; version=1.0.0"));
    let body = response.into_body().collect().await.expect("a value").to_bytes();
    let body = String::from_utf8_lossy(&body).into_owned();
    assert!(body.contains("pratique_tests_total 1\n") && body.ends_with("# EOF\n"), "{body}");
}
