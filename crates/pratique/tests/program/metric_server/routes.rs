//! Every route, status, header and message.

use std::io::Read as _;

use pratique_testkit::process::{eventually, metric};
use pratique_testkit::sandbox::{Conduct, IDLE_POINTS, SandboxFarm};

use super::{Answer, DEADLINE, Served, value};

const ADDRESS: &str = "%RUNTIME_ROOT%/metrics.sock";

fn farm(served: &Served, sandboxes: &[(&str, Conduct)]) -> SandboxFarm {
    let sandboxes: Vec<(String, Conduct)> =
        sandboxes.iter().map(|(id, conduct)| ((*id).to_owned(), *conduct)).collect();
    let farm = SandboxFarm::start(served.root(), ADDRESS, &sandboxes);
    let count = |served: &Served| {
        metric(&served.metrics(), "runsc_meta_num_sandboxes_running", &[]).unwrap_or(0.0)
    };
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    eventually("the sandboxes are found", DEADLINE, || count(served) >= sandboxes.len() as f64);
    farm
}

#[test]
fn sandboxes_appear_with_their_series_and_go_again() {
    let served = Served::start(&["--min-interval=0"]);
    assert!(served.metrics().contains("runsc_meta_num_sandboxes_total 0 "));
    let farm = farm(&served, &[("a", Conduct::Idle), ("b", Conduct::Busy)]);
    let text = served.metrics();
    let first = text.lines().next().expect("a line");
    let root = served.root().display();
    assert_eq!(
        first,
        format!(
            "# Data for runsc metric server exporting data for sandboxes in root directory {root}"
        )
    );
    for id in ["a", "b"] {
        let label = format!("sandbox=\"{id}\"");
        assert_eq!(value(&text, "runsc_meta_sandbox_presence", &label), Some("1"));
        assert_eq!(value(&text, "runsc_meta_sandbox_running", &label), Some("1"));
        assert_eq!(value(&text, "pratique_sandbox_scrape_success", &label), Some("1"));
        let pod = format!("namespace_name=\"default\",pod_name=\"pod-{id}\",sandbox=\"{id}\"}}");
        assert!(text.contains(&pod), "{text}");
    }
    let points = |id: &str| {
        let label = format!("sandbox=\"{id}\"");
        let lines = text.lines().filter(|line| line.starts_with("runsc_netstack"));
        lines.filter(|line| line.contains(&label)).count()
    };
    assert_eq!((points("a"), points("b")), (IDLE_POINTS, 178));
    assert!(text.contains(",sandbox=\"b\",sysno=\"499\"} "), "all values of a label");
    assert!(text.contains("runsc_meta_sandbox_capabilities{capability=\"CHOWN\","));
    farm.delete("a");
    eventually("it has gone", DEADLINE, || !served.metrics().contains("sandbox=\"a\""));
    assert!(served.metrics().contains("runsc_meta_num_sandboxes_total 2 "));
}

#[test]
fn filters_choose_metrics_and_capabilities() {
    let served = Served::start(&["--exporter-prefix=x_"]);
    let _farm = farm_with_prefix(&served);
    let path =
        "/metrics?runsc-sandbox-metrics-filter=done_00%5B12%5D&runsc-capability-filter=^KILL";
    for path in [path.to_owned(), path.replace('?', "%3F")] {
        let text = served.get(&path).text();
        assert!(text.contains("(filtered using regular expression: \"done_00[12]\")"), "{text}");
        let names = ["x_netstack_some_layer_work_done_001", "x_netstack_some_layer_work_done_002"];
        assert!(names.iter().all(|name| value(&text, name, "sandbox").is_some()), "{text}");
        assert!(!text.contains("work_done_003"));
        assert!(text.contains("capability=\"KILL\"") && !text.contains("CHOWN"));
        assert!(text.contains("x_meta_sandbox_presence{"), "meta metrics are never filtered");
    }
    let all = served.get("/metrics?runsc-sandbox-metrics-filter=&runsc-capability-filter=").text();
    assert!(!all.contains("(filtered"), "an empty filter is none");
    assert!(all.contains("work_done_003") && all.contains("CHOWN"));
    let full = served.get("/metrics?runsc-capability-filter=^CAP_KILL$").text();
    assert!(full.contains("capability=\"KILL\"") && !full.contains("CHOWN"));
    for (query, message) in [
        (
            "runsc-sandbox-metrics-filter=(",
            "provided metric filter is not a valid regular expression\n",
        ),
        (
            "runsc-capability-filter=(",
            "provided capability filter is not a valid regular expression\n",
        ),
    ] {
        let answer = served.get(&format!("/metrics?{query}"));
        assert_eq!((answer.status, answer.text().as_str()), (400, message));
    }
    let long = "a".repeat(1_025);
    let answer = served.get(&format!("/metrics?runsc-sandbox-metrics-filter={long}"));
    assert_eq!(answer.status, 400);
}

fn farm_with_prefix(served: &Served) -> SandboxFarm {
    let farm = SandboxFarm::start(served.root(), ADDRESS, &[("a".to_owned(), Conduct::Idle)]);
    eventually("the sandbox is found", DEADLINE, || served.metrics().contains("sandbox=\"a\""));
    farm
}

#[test]
fn formats_and_packings_are_negotiated() {
    let served = Served::start(&["--timestamps=drop"]);
    let _farm = farm(&served, &[("a", Conduct::Idle)]);
    let plain = served.get("/metrics");
    assert_eq!(plain.status, 200);
    assert_eq!(plain.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(plain.header("vary"), Some("Accept, Accept-Encoding"));
    assert!(plain.text().contains("runsc_meta_metric_server_presence 1\n"), "no times");
    let open = served.ask(
        "GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text;version=1.0.0,*/*;q=0.1\r\n",
    );
    assert_eq!(
        open.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    assert!(open.text().ends_with("\n# EOF\n"));
    let gzip = served.ask("GET /metrics HTTP/1.1\r\nAccept-Encoding: gzip\r\n");
    assert_eq!(gzip.header("content-encoding"), Some("gzip"));
    let mut text = String::new();
    flate2::read::GzDecoder::new(&*gzip.body).read_to_string(&mut text).expect("gzip");
    assert!(text.contains("sandbox=\"a\""));
    let zstd = served.ask("GET /metrics HTTP/1.1\r\nAccept-Encoding: gzip, zstd\r\n");
    assert_eq!(zstd.header("content-encoding"), Some("zstd"));
    let text = zstd::stream::decode_all(&*zstd.body).expect("zstd");
    assert!(String::from_utf8(text).expect("UTF-8").contains("sandbox=\"a\""));
}

#[test]
fn other_routes_answer_as_runscs_server() {
    let served = Served::start(&[]);
    let root = served.root().display().to_string();
    let health = "/runsc-metrics/healthcheck";
    let text = |path: &str| {
        let answer = served.get(path);
        (answer.status, answer.text())
    };
    assert_eq!(text(&format!("{health}?root={root}")), (200, "runsc-metrics:OK".to_owned()));
    let message = format!("this metric server is configured to serve root directory: {root}\n");
    assert_eq!(text(&format!("{health}?root=/other")), (400, message.clone()));
    assert_eq!(text(health), (400, message));
    let form = format!("root={root}");
    let posted = super::ask(
        &served.socket(),
        &format!(
            "POST {health} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}",
            form.len()
        ),
    );
    assert_eq!((posted.status, posted.text().as_str()), (200, "runsc-metrics:OK"));
    assert_eq!(text("/runsc-metrics/pid"), (200, served.process.id().to_string()));
    let index = served.get("/");
    assert_eq!(index.status, 200);
    assert_eq!(index.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(index.text().contains("<a href=\"/metrics\">"));
    assert_eq!(text("/nothing"), (404, "path not found\n".to_owned()));
    assert_eq!(text("/runsc-metrics/profile-cpu"), (404, "path not found\n".to_owned()));
    for (path, allow) in [
        ("/metrics", "GET, HEAD"),
        ("/", "GET, HEAD"),
        ("/runsc-metrics/pid", "GET, HEAD"),
        (health, "GET, HEAD, POST"),
    ] {
        let answer = served.ask(&format!("PUT {path} HTTP/1.1\r\n"));
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allow)), "{path}");
        let head = served.ask(&format!("HEAD {path}?root={root} HTTP/1.1\r\n"));
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
    }
}

#[test]
fn profiling_exists_only_when_allowed() {
    for flags in [&[] as &[&str], &["--allow-profiling=false"]] {
        let served = Served::start(flags);
        for path in ["/runsc-metrics/profile-cpu", "/runsc-metrics/profile-heap"] {
            assert_eq!(served.get(path).status, 404, "{path}");
        }
    }
    let served = Served::start(&["-allow-profiling"]);
    let heap = served.get("/runsc-metrics/profile-heap");
    let message = "this server keeps no profile of its heap\n";
    assert_eq!((heap.status, heap.text().as_str()), (501, message));
    let put = served.ask("PUT /runsc-metrics/profile-cpu HTTP/1.1\r\n");
    assert_eq!((put.status, put.header("allow")), (405, Some("GET, HEAD")));
}

/// Takes a profile, once those that are too short to be one are out of the way.
fn take_profile(served: &Served, seconds: u32) -> Answer {
    loop {
        let answer = served.get(&format!("/runsc-metrics/profile-cpu?seconds={seconds}"));
        if answer.status != 409 {
            return answer;
        }
    }
}

#[test]
fn one_profile_at_a_time_shows_where_the_time_goes() {
    let served = Served::start(&["--allow-profiling", "--min-interval=0"]);
    let _farm = farm(&served, &[("busy", Conduct::Busy)]);
    let profile = std::thread::scope(|scope| {
        let profile = scope.spawn(|| take_profile(&served, 3));
        let other = || served.get("/runsc-metrics/profile-cpu?seconds=0");
        eventually("the other one is refused", DEADLINE, || {
            let other = other();
            other.status == 409 && other.text() == "another profile is being taken\n"
        });
        while !profile.is_finished() {
            served.metrics();
        }
        profile.join().expect("an answer")
    });
    assert_eq!(profile.status, 200);
    assert_eq!(profile.header("content-type"), Some("application/octet-stream"));
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(&*profile.body).read_to_end(&mut bytes).expect("gzip");
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("nanoseconds") && text.contains("pratique_metrics::"), "{text}");
    super::witness::check_profile(&profile.body);
    // Nobody waits for a profile when the server stops.
    std::thread::scope(|scope| {
        let profile = scope.spawn(|| take_profile(&served, 50));
        eventually("it is being taken", DEADLINE, || {
            served.get("/runsc-metrics/profile-cpu?seconds=0").status == 409
        });
        assert_eq!(served.process.terminate(DEADLINE / 2).code(), Some(0));
        assert_eq!(profile.join().expect("an answer").status, 200);
    });
}
