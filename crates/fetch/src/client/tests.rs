//! The client against a server on the loopback that misbehaves on demand.

mod head;

use std::io::Read as _;
use std::path::Path;

use pratique_clockwork::Backoff;
use pratique_testkit::{FeedServer, ScriptedAnswer};
use tempfile::TempDir;

use super::*;
use crate::unpack::{Container, UnpackError, UnpackLimits};

const CONTENT: &str = "what the publisher has to say";

/// A folder that is served, a folder for bodies, and a client that is not patient.
struct Bench {
    served: TempDir,
    spool: TempDir,
    server: FeedServer,
    client: Client,
}

impl Bench {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Config)) -> Self {
        let served = tempfile::tempdir().expect("a folder");
        let spool = tempfile::tempdir().expect("a folder");
        std::fs::write(served.path().join("a.json"), CONTENT).expect("written");
        let server = FeedServer::start(served.path());
        let millisecond = Duration::from_millis(1);
        let mut config = Config::new(spool.path().join("spool"));
        config.loopback_only = true;
        config.backoff = Backoff::try_new(Duration::ZERO, millisecond, millisecond).expect("valid");
        change(&mut config);
        let client = Client::try_new(config, Clock::system()).expect("a client");
        Self { served, spool, server, client }
    }

    fn script(&self, answers: impl IntoIterator<Item = ScriptedAnswer>) -> &Self {
        for answer in answers {
            self.server.script("/a.json", answer);
        }
        self
    }

    async fn fetch(&self, known: Option<&Fingerprint>) -> Result<Outcome, FetchError> {
        self.client.fetch(&self.server.url("/a.json"), known).await
    }

    async fn body(&self) -> Spooled {
        match self.fetch(None).await {
            Ok(Outcome::Body(spooled)) => spooled,
            other => panic!("a body expected: {other:?}"),
        }
    }

    /// The error of a fetch, and how many requests it took.
    async fn error(&self) -> (FetchError, usize) {
        match self.fetch(None).await {
            Err(error) => (error, self.server.requests().len()),
            Ok(outcome) => panic!("an error expected: {outcome:?}"),
        }
    }
}

fn text_of(mut spooled: Spooled) -> String {
    let mut text = String::new();
    spooled
        .unpack(Container::Plain, &UnpackLimits::FEEDS, &mut |entry| {
            entry.content().read_to_string(&mut text).map(|_| ())
        })
        .expect("unpacked");
    text
}

fn status(status: u16) -> ScriptedAnswer {
    ScriptedAnswer::Status(status, Vec::new())
}

fn header(status: u16, name: &'static str, value: &str) -> ScriptedAnswer {
    ScriptedAnswer::Status(status, vec![(name, value.to_owned())])
}

#[tokio::test]
async fn a_body_comes_with_its_fingerprint_and_leaves_no_file() {
    let bench = Bench::new();
    let spooled = bench.body().await;
    assert_eq!((spooled.name(), spooled.length()), ("a.json", CONTENT.len() as u64));
    assert!(spooled.fingerprint().etag.is_some() && spooled.fingerprint().sha256.is_some());
    let left = std::fs::read_dir(bench.spool.path().join("spool")).expect("made").count();
    assert_eq!(left, 0, "the spooled body has a name");
    assert_eq!(text_of(spooled), CONTENT);
    let request = &bench.server.requests()[0];
    assert!(request.headers["user-agent"].starts_with("pratique/"));
    assert_eq!(request.headers["accept-encoding"], "gzip");
}

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() {
    let bench = Bench::new();
    let known = bench.body().await.fingerprint().clone();
    assert!(matches!(bench.fetch(Some(&known)).await, Ok(Outcome::Unchanged)));
    assert_eq!(bench.server.requests()[1].headers.get("if-none-match"), known.etag.as_ref());
    // A server that knows no conditions sends it again; the digest tells.
    bench.script([ScriptedAnswer::Body(CONTENT.into(), Vec::new())]);
    assert!(matches!(bench.fetch(Some(&known)).await, Ok(Outcome::Unchanged)));
    std::fs::write(bench.served.path().join("a.json"), "news").expect("written");
    let Ok(Outcome::Body(news)) = bench.fetch(Some(&known)).await else {
        panic!("a body expected");
    };
    assert_ne!(news.fingerprint(), &known);
}

#[tokio::test]
async fn a_date_is_asked_with_where_there_is_no_etag() {
    let date = "Sun, 16 Aug 2026 12:55:00 GMT";
    let bench = Bench::new();
    let dated = ScriptedAnswer::Body(CONTENT.into(), vec![("Last-Modified", date.to_owned())]);
    bench.script([dated, status(304)]);
    let known = bench.body().await.fingerprint().clone();
    assert_eq!(known.last_modified.as_deref(), Some(date));
    assert!(matches!(bench.fetch(Some(&known)).await, Ok(Outcome::Unchanged)));
    assert_eq!(bench.server.requests()[1].headers["if-modified-since"], date);
}

#[tokio::test]
async fn a_304_that_nobody_asked_for_is_an_error() {
    let bench = Bench::new();
    let (error, _) = bench.script([status(304)]).error().await;
    assert!(matches!(error, FetchError::Status { status: 304, .. }), "{error}");
}

#[tokio::test]
async fn what_is_not_there_is_absent() {
    let bench = Bench::new();
    let missing = bench.client.fetch(&bench.server.url("/missing"), None).await;
    assert!(matches!(missing, Ok(Outcome::Absent)));
    bench.script([status(410)]);
    assert!(matches!(bench.fetch(None).await, Ok(Outcome::Absent)));
    assert_eq!(bench.server.requests().len(), 2);
}

#[tokio::test]
async fn a_server_in_trouble_is_asked_again() {
    let bench = Bench::new();
    bench.script([status(503), status(500), header(429, "Retry-After", "0")]);
    assert_eq!(text_of(bench.body().await), CONTENT);
    assert_eq!(bench.server.requests().len(), 4);
}

#[tokio::test]
async fn a_server_in_lasting_trouble_is_left_alone() {
    let bench = Bench::new();
    let (error, requests) = bench.script((0..9).map(|_| status(503))).error().await;
    assert!(error.is_transient() && matches!(error, FetchError::Status { status: 503, .. }));
    assert_eq!(requests, 4);
}

#[tokio::test]
async fn a_long_wait_that_the_server_asks_for_is_the_schedulers() {
    let bench = Bench::new();
    let (error, requests) = bench.script([header(503, "Retry-After", "3600")]).error().await;
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)));
    assert!(error.is_transient());
    assert_eq!(requests, 1);
}

#[tokio::test]
async fn a_refusal_is_not_asked_again() {
    let bench = Bench::new();
    for refusal in [400, 401, 403, 451, 501] {
        bench.script([status(refusal)]);
    }
    for (count, refusal) in [400, 401, 403, 451].into_iter().enumerate() {
        let (error, requests) = bench.error().await;
        assert!(!error.is_transient(), "{refusal}");
        assert_eq!(requests, count + 1, "{refusal}");
    }
}

#[tokio::test]
async fn redirects_are_followed_a_few_steps() {
    let bench = Bench::new();
    bench.server.script("/old", header(301, "Location", "b/../older"));
    bench.server.script("/older", header(307, "Location", &bench.server.url("/a.json")));
    let outcome = bench.client.fetch(&bench.server.url("/old"), None).await;
    let Ok(Outcome::Body(spooled)) = outcome else {
        panic!("a body expected: {outcome:?}");
    };
    assert_eq!(spooled.name(), "old");
    assert_eq!(bench.server.requests().len(), 3);
}

#[tokio::test]
async fn a_redirect_loop_ends() {
    let bench = Bench::new();
    let (error, requests) =
        bench.script((0..20).map(|_| header(302, "Location", "/a.json"))).error().await;
    assert!(error.to_string().ends_with("too many redirects"), "{error}");
    assert!(!error.is_transient());
    assert_eq!(requests, 6);
}

#[tokio::test]
async fn a_redirect_to_another_scheme_is_not_followed() {
    for (target, problem) in [
        ("file:///etc/passwd", "neither https nor http"),
        ("ftp://127.0.0.1/x", "neither https nor http"),
        ("http://[", "no address"),
        ("", "no address"),
    ] {
        let bench = Bench::new();
        let (error, requests) = bench.script([header(302, "Location", target)]).error().await;
        assert!(error.to_string().ends_with(problem), "{target:?}: {error}");
        assert_eq!(requests, 1);
    }
}

#[tokio::test]
async fn nothing_but_this_machine_is_asked_under_test() {
    let bench = Bench::new();
    for url in ["http://192.0.2.1/", "https://[2001:db8::1]/x"] {
        let error = bench.client.fetch(url, None).await.expect_err("refused");
        assert!(matches!(error, FetchError::NotLoopback { .. }), "{error}");
    }
    let (error, _) = bench.script([header(302, "Location", "http://192.0.2.1/")]).error().await;
    assert!(matches!(error, FetchError::NotLoopback { .. }), "{error}");
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    for answer in [ScriptedAnswer::Silence, ScriptedAnswer::Stall(5)] {
        let bench = Bench::with(|config| {
            config.idle_timeout = Duration::from_millis(50);
            config.attempts_max = 2;
        });
        let (error, requests) = bench.script([answer.clone(), answer]).error().await;
        assert!(matches!(error, FetchError::Stalled { .. }) && error.is_transient(), "{error}");
        assert_eq!(requests, 2);
    }
}

#[tokio::test]
async fn all_tries_together_have_an_end() {
    let bench = Bench::with(|config| config.total_timeout = Duration::from_millis(50));
    let (error, _) = bench.script([ScriptedAnswer::Silence]).error().await;
    assert!(matches!(error, FetchError::TooSlow { .. }) && error.is_transient(), "{error}");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_fetched_again_and_never_taken() {
    let bench = Bench::new();
    bench.script([ScriptedAnswer::Cut(7), ScriptedAnswer::Cut(0)]);
    assert_eq!(text_of(bench.body().await), CONTENT);
    let bench = Bench::with(|config| config.attempts_max = 1);
    let (error, _) = bench.script([ScriptedAnswer::Cut(7)]).error().await;
    assert!(matches!(error, FetchError::Cut { received: 7, .. }), "{error:?}");
}

#[tokio::test]
async fn a_body_without_a_length_is_taken_whole() {
    let bench = Bench::new();
    bench.script([ScriptedAnswer::Unmeasured]);
    assert_eq!(text_of(bench.body().await), CONTENT);
}

#[tokio::test]
async fn a_body_shorter_than_announced_is_an_error() {
    let bench = Bench::with(|config| config.attempts_max = 1);
    let longer = vec![("Content-Length", "99".to_owned())];
    let (error, _) = bench.script([ScriptedAnswer::Body(CONTENT.into(), longer)]).error().await;
    assert!(matches!(error, FetchError::Cut { .. }) && error.is_transient(), "{error:?}");
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let content = CONTENT.repeat(100);
    let limit = content.len() as u64;
    let bench = |answer: Option<ScriptedAnswer>, limit| {
        let bench = Bench::with(|config| config.body_bytes_max = limit);
        std::fs::write(bench.served.path().join("a.json"), &content).expect("written");
        bench.script(answer);
        bench
    };
    for answer in [None, Some(ScriptedAnswer::Unmeasured), Some(ScriptedAnswer::Gzip)] {
        assert_eq!(text_of(bench(answer.clone(), limit).body().await), content);
        let (error, requests) = bench(answer, limit - 1).error().await;
        assert!(matches!(error, FetchError::TooLarge { .. }), "{error:?}");
        assert_eq!((requests, error.is_transient()), (1, false));
    }
}

#[tokio::test]
async fn a_transfer_encoding_is_undone_but_not_that_of_a_packed_file() {
    let bench = Bench::new();
    bench.script([ScriptedAnswer::Gzip]);
    assert_eq!(text_of(bench.body().await), CONTENT);
    std::fs::write(bench.served.path().join("a.json.gz"), CONTENT).expect("written");
    let labelled = vec![("Content-Encoding", "gzip".to_owned())];
    let body = b"\x1f\x8b and so on".to_vec();
    bench.server.script("/a.json.gz", ScriptedAnswer::Body(body.clone(), labelled));
    let Ok(Outcome::Body(packed)) = bench.client.fetch(&bench.server.url("/a.json.gz"), None).await
    else {
        panic!("a body expected");
    };
    assert_eq!(packed.length(), body.len() as u64);
    let requests = bench.server.requests();
    assert_eq!(requests[1].headers["accept-encoding"], "identity");
}

#[tokio::test]
async fn a_broken_or_unknown_transfer_encoding_is_an_error() {
    for (body, encoding) in [
        (&b"\x1f\x8b\x08\x00"[..], "gzip"),
        (b"not gzip at all", "gzip"),
        (CONTENT.as_bytes(), "br"),
    ] {
        let bench = Bench::new();
        let headers = vec![("Content-Encoding", encoding.to_owned())];
        let (error, _) = bench.script([ScriptedAnswer::Body(body.to_vec(), headers)]).error().await;
        assert!(matches!(error, FetchError::Encoding { .. }), "{body:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_gzip_bomb_is_stopped_at_the_limit() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::copy(&mut std::io::repeat(0).take(8 << 20), &mut encoder).expect("in memory");
    let bomb = encoder.finish().expect("in memory");
    let bench = Bench::with(|config| config.body_bytes_max = 1 << 20);
    let headers = vec![("Content-Encoding", "gzip".to_owned())];
    let (error, _) = bench.script([ScriptedAnswer::Body(bomb, headers)]).error().await;
    assert!(matches!(error, FetchError::TooLarge { .. }), "{error:?}");
}

#[tokio::test]
async fn what_inflates_to_nothing_is_counted_too() {
    let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let nothing = encoder.finish().expect("in memory").repeat(1000);
    let bench = Bench::with(|config| config.body_bytes_max = 10_000);
    let headers =
        vec![("Content-Encoding", "gzip".to_owned()), ("Transfer-Encoding", "chunked".to_owned())];
    let mut body = format!("{:x}\r\n", nothing.len()).into_bytes();
    body.extend_from_slice(&nothing);
    body.extend_from_slice(b"\r\n0\r\n\r\n");
    let (error, _) = bench.script([ScriptedAnswer::Body(body, headers)]).error().await;
    assert!(matches!(error, FetchError::TooLarge { .. }), "{error:?}");
}

#[tokio::test]
async fn a_mirror_stands_in_for_every_host() {
    let bench = Bench::new();
    let folder = bench.served.path().join("osv.example/AlmaLinux:8");
    std::fs::create_dir_all(&folder).expect("made");
    std::fs::write(folder.join("all.zip"), CONTENT).expect("written");
    let file = format!("file://{}", bench.served.path().display());
    for mirror in [bench.server.url(""), file] {
        let mut config = Config::new(bench.spool.path());
        config.loopback_only = true;
        config.mirror = Some(crate::Mirror::parse(&mirror).expect("a mirror"));
        let client = Client::try_new(config, Clock::system()).expect("a client");
        let url = "https://osv.example/AlmaLinux:8/all.zip";
        let Ok(Outcome::Body(spooled)) = client.fetch(url, None).await else {
            panic!("{mirror}: a body expected");
        };
        let known = spooled.fingerprint().clone();
        assert_eq!(spooled.name(), "all.zip");
        assert_eq!(text_of(spooled), CONTENT);
        assert!(matches!(client.fetch(url, Some(&known)).await, Ok(Outcome::Unchanged)));
        let absent = client.fetch("https://osv.example/none", None).await;
        assert!(matches!(absent, Ok(Outcome::Absent)), "{mirror}: {absent:?}");
    }
}

#[tokio::test]
async fn files_are_read_in_place() {
    let bench = Bench::new();
    let fetch =
        async |path: &Path| bench.client.fetch(&format!("file://{}", path.display()), None).await;
    let folder = bench.served.path();
    assert!(matches!(fetch(&folder.join("a.json")).await, Ok(Outcome::Body(_))));
    assert!(matches!(fetch(&folder.join("none")).await, Ok(Outcome::Absent)));
    assert!(matches!(fetch(&folder.join("a.json/below")).await, Ok(Outcome::Absent)));
    let error = fetch(folder).await.expect_err("a folder is no document");
    assert!(matches!(error, FetchError::File { .. }), "{error}");
    assert!(!bench.spool.path().join("spool").exists(), "nothing was to be spooled");
}

#[tokio::test]
async fn what_is_no_address_is_refused() {
    let bench = Bench::new();
    for bad in ["", "a.json", "ftp://127.0.0.1/", "http://", "file://host/a"] {
        let error = bench.client.fetch(bad, None).await.expect_err("refused");
        assert!(matches!(error, FetchError::Url { .. }), "{bad:?}: {error}");
    }
}

#[tokio::test]
async fn a_spool_folder_that_cannot_be_made_is_named() {
    let bench = Bench::with(|config| config.spool_folder = "/dev/null/spool".into());
    let (error, requests) = bench.error().await;
    assert_eq!(error.to_string(), "writing to the folder /dev/null/spool");
    assert_eq!(requests, 1);
}

#[tokio::test]
async fn a_server_that_is_not_there_may_come_back() {
    let bench = Bench::with(|config| config.attempts_max = 2);
    let url = bench.server.url("/a.json");
    drop(bench.server);
    let error = bench.client.fetch(&url, None).await.expect_err("nobody listens");
    assert!(matches!(error, FetchError::Request { .. }) && error.is_transient(), "{error}");
}

#[tokio::test]
async fn a_cut_file_is_never_taken_for_whole() {
    let bench = Bench::new();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut encoder, CONTENT.as_bytes()).expect("in memory");
    let whole = encoder.finish().expect("in memory");
    let path = bench.served.path().join("b.gz");
    std::fs::write(&path, &whole[..whole.len() - 4]).expect("written");
    let Ok(Outcome::Body(mut spooled)) = bench.client.fetch(&bench.server.url("/b.gz"), None).await
    else {
        panic!("a body expected");
    };
    let result = spooled.unpack(Container::Gzip, &UnpackLimits::FEEDS, &mut |entry| {
        entry.content();
        Ok::<(), std::io::Error>(())
    });
    assert!(matches!(result, Err(UnpackError::Document { .. })), "{result:?}");
}
