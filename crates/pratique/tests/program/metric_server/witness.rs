//! The parsers of Prometheus itself accept every body, and find in it what we meant.
//!
//! The witness is a small Go program around them, `crates/testkit/witness`, which `cargo xtask
//! test` builds into the component cache. It counts families and series; as many lines stand in
//! the body.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pratique_testkit::component;
use pratique_testkit::process::eventually;
use pratique_testkit::sandbox::{Conduct, SandboxFarm};

use super::{DEADLINE, Served};

const ADDRESS: &str = "%RUNTIME_ROOT%/metrics.sock";
/// Sandboxes whose answers are as odd as can be; the last one has a name that needs care.
const ODD: [(&str, Conduct); 9] = [
    ("busy", Conduct::Busy),
    ("deep", Conduct::Deep),
    ("extreme", Conduct::ExtremeNumbers),
    ("falls", Conduct::FallsInFloats),
    ("floods", Conduct::Floods),
    ("foreign", Conduct::ForeignLabels),
    ("idle", Conduct::Idle),
    ("unknown", Conduct::UnknownMetric),
    ("..+__--.", Conduct::Idle),
];

fn witness() -> Option<PathBuf> {
    let built = component::built("witness", "witness");
    if built.is_file() {
        return Some(built);
    }
    component::absent("witness", &format!("{} is not there", built.display()));
    None
}

/// Go's own reader of profiles accepts a profile, if the witness is there.
#[track_caller]
pub(super) fn check_profile(profile: &[u8]) {
    let Some(witness) = witness() else { return };
    let (samples, functions) = judge(&witness, "profile", profile).expect("a profile");
    assert!(samples > 0 && functions > 10, "{samples} samples, {functions} functions");
}

/// Has a body judged; gives how many families and series were found, or what is wrong.
fn judge(witness: &Path, format: &str, body: &[u8]) -> Result<(usize, usize), String> {
    let mut child = Command::new(witness)
        .arg(format)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the witness runs");
    let mut input = child.stdin.take().expect("it is piped");
    input.write_all(body).expect("it reads to the end");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if !output.status.success() {
        return Err(text(&output.stderr));
    }
    let said = text(&output.stdout);
    let numbers: Vec<usize> =
        said.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    assert_eq!(numbers.len(), 2, "{said}");
    Ok((numbers[0], numbers[1]))
}

/// Scrapes in both formats and compares what the witness finds with the lines of the body.
#[track_caller]
fn check(served: &Served, witness: &Path, path: &str) -> [(usize, usize); 2] {
    ["text", "openmetrics"].map(|format| {
        let accept = match format {
            "text" => "text/plain;version=0.0.4",
            _ => "application/openmetrics-text;version=1.0.0",
        };
        let answer = served.ask(&format!("GET {path} HTTP/1.1\r\nAccept: {accept}\r\n"));
        assert_eq!(answer.status, 200, "{path}");
        let body = answer.text();
        let found = judge(witness, format, body.as_bytes())
            .unwrap_or_else(|problem| panic!("{format} {path}: {problem}{body}"));
        let families = body.lines().filter(|line| line.starts_with("# TYPE ")).count();
        let series = body.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(found, (families, series), "{format} {path}");
        found
    })
}

#[test]
fn prometheus_reads_every_body() {
    let Some(witness) = witness() else { return };
    let served = Served::start(&["--min-interval=0", "--sandbox-timeout=5s"]);
    check(&served, &witness, "/metrics");
    let sandboxes = ODD.map(|(id, conduct)| (id.to_owned(), conduct));
    let _farm = SandboxFarm::start(served.root(), ADDRESS, &sandboxes);
    eventually("the sandboxes are found", DEADLINE, || {
        served.metrics().contains("sandboxes_running 9 ")
    });
    // Thrice, so that lies are believed for the last time and circuits open.
    for _ in 0..3 {
        let [text, open] = check(&served, &witness, "/metrics");
        assert_eq!(text, open, "the same families and series in both formats");
        assert!(text.1 > 700, "{text:?}");
    }
    let filters = "runsc-sandbox-metrics-filter=00%7C%5C%5Cn%22&runsc-capability-filter=KILL";
    let filtered = check(&served, &witness, &format!("/metrics?{filters}"));
    assert!(filtered[0].1 < 300, "{filtered:?}");
    check(&served, &witness, "/metrics?runsc-sandbox-metrics-filter=%0A%23%20EOF");
}

#[test]
fn prometheus_reads_bodies_without_times_and_with_another_prefix() {
    let Some(witness) = witness() else { return };
    let flags = ["--min-interval=0", "--timestamps=drop", "--exporter-prefix="];
    let served = Served::start(&flags);
    let sandboxes = [("busy".to_owned(), Conduct::Busy)];
    let _farm = SandboxFarm::start(served.root(), ADDRESS, &sandboxes);
    eventually("the sandbox is found", DEADLINE, || served.metrics().contains("\"busy\""));
    let [text, open] = check(&served, &witness, "/metrics");
    assert_eq!(text, open);
}

#[test]
fn the_witness_refuses_what_is_wrong() {
    let Some(witness) = witness() else { return };
    let good = "# TYPE a gauge\na{x=\"1\"} 2\n";
    assert_eq!(judge(&witness, "text", good.as_bytes()), Ok((1, 1)));
    for (format, body) in [
        ("text", "# TYPE a gauge\na{x=\"1\"} 2\na{x=\"1\"} 2\n"),
        ("text", "# TYPE a gauge\na{x=\"\n\"} 2\n"),
        ("text", "# TYPE a gauge\na 1\n# TYPE b gauge\nb 1\na{x=\"1\"} 1\n"),
        ("openmetrics", good),
        ("openmetrics", "# TYPE a counter\na_total 1 x\n# EOF\n"),
    ] {
        assert!(judge(&witness, format, body.as_bytes()).is_err(), "{format}: {body}");
    }
}
