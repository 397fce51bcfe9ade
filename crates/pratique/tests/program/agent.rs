//! `pratique agent`, `events` and `watch --manage` beside a real containerd.

use std::time::Duration;

use pratique_image::build::{ArchiveBuilder, Compression, ImageBuilder};
use pratique_testkit::containerd::Containerd;
use pratique_testkit::process::{self, Process};
use serde_json::Value;

use crate::house::{House, alpine_layer, platform};

/// How long a machine that is busy with other tests may take for anything here.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

const NAME: &str = "localhost/alpine:3.10";

/// A program that follows a containerd, and where it answers.
pub(crate) struct Agent {
    pub(crate) process: Process,
    pub(crate) address: String,
}

impl Agent {
    pub(crate) fn start(house: &House, words: &[&str], socket: &str) -> Self {
        Self::of(house, &Self::line(house, words, socket, &house.text_path("state")))
    }

    fn line(house: &House, words: &[&str], socket: &str, state: &str) -> Vec<String> {
        let (db, rest) = (house.db(), ["--listen", "127.0.0.1:0"]);
        let places = ["--containerd-address", socket, "--state-dir", state, "--db", &db];
        words.iter().chain(&places).chain(&rest).map(|word| (*word).to_owned()).collect()
    }

    pub(crate) fn of(house: &House, line: &[String]) -> Self {
        let words: Vec<&str> = line.iter().map(String::as_str).collect();
        let process = Process::spawn("agent", house.command(&words));
        let line = process.wait_for_line("answering at ", DEADLINE);
        let (_, rest) = line.split_once("answering at ").expect("it was waited for");
        let address = rest.split_whitespace().next().expect("an address").to_owned();
        Self { process, address }
    }

    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        process::get(&self.address, path).expect("it answers")
    }

    pub(crate) fn list(&self, path: &str) -> Vec<Value> {
        let (status, body) = self.get(path);
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).expect("a list")
    }

    pub(crate) fn until_ready(&self) {
        process::eventually("readiness", DEADLINE, || self.get("/readyz").0 == 200);
    }

    /// What `pratique events` prints of one container or image, a word each.
    pub(crate) fn told(&self, house: &House, id: &str) -> Vec<String> {
        let ran = house.run(&["events", "--address", &self.address, "--format", "json"]).expect(0);
        let rows =
            ran.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let of_it = rows.filter(|row| row["id"] == id);
        of_it
            .map(|row| {
                let code = row["exit_code"].as_u64().map(|code| format!(" {code}"));
                let reason = row["reason"].as_str().map(|reason| format!(" {reason}"));
                let kind = row["kind"].as_str().expect("a kind");
                format!("{kind}{}{}", code.unwrap_or_default(), reason.unwrap_or_default())
            })
            .collect()
    }

    fn until_told(&self, house: &House, id: &str, what: &str) {
        process::eventually(&format!("{id} {what}"), DEADLINE, || {
            self.told(house, id).iter().any(|told| told == what)
        });
    }

    pub(crate) fn stop(self) {
        let status = self.process.terminate(DEADLINE);
        assert!(status.success(), "{}", self.process.said());
    }
}

pub(crate) fn socket(bed: &Containerd) -> String {
    bed.socket().display().to_string()
}

#[test]
fn a_new_image_is_known_with_its_findings_and_follows_the_database() {
    let Some(bed) = Containerd::start() else { return };
    let house = House::with_database();
    let agent = Agent::start(&house, &["agent"], &socket(&bed));
    agent.until_ready();
    let image = ImageBuilder::new(platform()).layer(&alpine_layer(), Compression::Gzip);
    let archive = house
        .write("image.tar", &ArchiveBuilder::new().image(NAME, image.clone()).to_oci_archive());
    bed.import("t", archive.as_ref());
    let row = || agent.list("/api/v1/node/images").into_iter().find(|row| row["name"] == NAME);
    process::eventually("the image", DEADLINE, || {
        row().is_some_and(|row| row["indexed_at"].is_string())
    });
    let row = row().expect("it was there");
    assert_eq!((&row["present"], &row["index_error"]), (&Value::Bool(true), &Value::Null));
    assert_eq!(row["namespace"], "t");
    let db = house.db();
    let scanned = house.run(&["scan", &archive, "--offline", "--db", &db, "-o", "json"]).expect(0);
    let scanned = scanned.json();
    assert_eq!(row["packages"], scanned["packages"].as_array().map(Vec::len).expect("a list"));
    let count = |row: &Value| -> u64 {
        let findings = row["findings"].as_object().expect("counts");
        findings.values().filter_map(Value::as_u64).sum()
    };
    let scanned_count = scanned["findings"].as_array().map_or(0, Vec::len) as u64;
    assert!(scanned_count > 0, "the image has a finding");
    assert_eq!(count(&row), scanned_count, "{row}");
    assert!(row["data_as_of"].is_string(), "{row}");
    bed.ctr("t", &["images", "rm", NAME]);
    process::eventually("the image is gone", DEADLINE, || {
        let rows = agent.list("/api/v1/node/images");
        rows.iter().any(|row| row["name"] == NAME && row["present"] == false)
    });
    assert_eq!(agent.told(&house, NAME), ["image_present", "image_gone"]);
    agent.stop();
}

#[test]
fn an_agent_waits_for_containerd_and_tells_what_happened_while_it_was_away() {
    let Some(mut bed) = Containerd::start() else { return };
    let house = House::new();
    bed.import_busybox("t");
    bed.kill9();
    std::fs::remove_file(bed.socket()).expect("it was there");
    let agent = Agent::start(&house, &["agent"], &socket(&bed));
    agent.process.wait_for_line("not there yet", DEADLINE);
    let (status, reasons) = agent.get("/readyz");
    assert_eq!(status, 503);
    assert!(reasons.contains("container runtime: "), "{reasons}");
    assert_eq!(agent.get("/healthz").0, 200);
    bed.run();
    agent.until_ready();
    bed.run_container("t", "first", &[], &["sh", "-c", "exit 7"]);
    agent.until_told(&house, "first", "container_exited 7 Error");
    bed.run_container("t", "second", &[], &["sleep", "1000"]);
    agent.until_told(&house, "second", "container_started");
    agent.stop();
    bed.ctr("t", &["tasks", "kill", "--signal", "SIGKILL", "second"]);
    bed.run_container("t", "third", &[], &["sh", "-c", "exit 3"]);
    let agent = Agent::start(&house, &["agent"], &socket(&bed));
    agent.until_told(&house, "second", "container_exited 137 Error");
    agent.until_told(&house, "third", "container_exited 3 Error");
    let ends = |id| {
        let told = agent.told(&house, id);
        told.iter().filter(|told| told.starts_with("container_exited")).count()
    };
    assert_eq!([ends("first"), ends("second"), ends("third")], [1, 1, 1]);
    let metrics = agent.get("/metrics").1;
    for name in ["pratique_runtime_reconcile_total", "pratique_runtime_exits_total"] {
        assert!(metrics.contains(name), "{name}: {metrics}");
    }
    agent.stop();
}

#[test]
fn a_reader_of_events_goes_on_where_it_stopped() {
    let Some(bed) = Containerd::start() else { return };
    let house = House::new();
    bed.import_busybox("t");
    let agent = Agent::start(&house, &["agent", "--no-index"], &socket(&bed));
    agent.until_ready();
    let follow = ["events", "--address", &agent.address, "--follow"];
    let reader = Process::spawn("events", house.command(&follow));
    bed.run_container("t", "a", &[], &["sh", "-c", "exit 0"]);
    reader.wait_for_line("container_exited t/a code=0 reason=Completed", DEADLINE);
    reader.kill();
    let all = house.run(&["events", "--address", &agent.address, "--format", "json"]).expect(0);
    let rows: Vec<Value> =
        all.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let numbers: Vec<u64> = rows.iter().filter_map(|row| row["number"].as_u64()).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b) && numbers.len() == rows.len(), "{numbers:?}");
    let after = numbers[1].to_string();
    let rest = house.run(&["events", "--address", &agent.address, "--after", &after]).expect(0);
    assert_eq!(rest.stdout.lines().count(), rows.len() - 2);
    let since = ["events", "--address", &agent.address, "--since", "2100-01-01T00:00:00Z"];
    assert_eq!(house.run(&since).expect(0).stdout, "");
    let (status, problem) = agent.get("/api/v1/node/events?after=first");
    assert_eq!((status, problem.contains("after=first")), (400, true), "{problem}");
    assert_eq!(agent.get("/api/v1/node").0, 404);
    agent.stop();
    let gone = house.run(&["events", "--address", &house.text_path("none.sock")]);
    gone.expect(3).says(&["none.sock", "pratique agent"]);
}

#[test]
fn a_manager_removes_what_ended_and_refuses_what_belongs_to_others() {
    let Some(bed) = Containerd::start() else { return };
    let house = House::new();
    bed.import_busybox("t");
    for namespace in ["k8s.io", "moby"] {
        house.run(&["watch", "--manage", namespace]).expect(2).says(&[namespace]);
    }
    bed.run_container("t", "left", &[], &["sh", "-c", "exit 5"]);
    let words = Agent::line(
        &house,
        &["watch", "--manage", "t", "--no-index"],
        &socket(&bed),
        &house.text_path("manager"),
    );
    let manager = Agent::of(&house, &words);
    manager.until_told(&house, "left", "container_exited 5 Error");
    process::eventually("the task is removed", DEADLINE, || {
        !bed.ctr("t", &["tasks", "ls", "-q"]).contains("left")
    });
    process::eventually("no shim is left", DEADLINE, || bed.shims().is_empty());
    manager.stop();
}

#[test]
fn an_agents_settings_may_stand_in_the_file() {
    let Some(bed) = Containerd::start() else { return };
    let house = House::new();
    bed.import_busybox("t");
    let (socket, state) = (socket(&bed), house.text_path("state"));
    let settings = format!(
        "[agent]\ncontainerd_address = \"{socket}\"\nstate_dir = \"{state}\"\n\
         listen = \"127.0.0.1:0\"\nindex = false\nnamespaces = [\"other\"]\n"
    );
    let settings = house.write("pratique.toml", settings.as_bytes());
    let (db, words) = (house.db(), ["agent", "--config", &settings]);
    let words: Vec<String> =
        words.iter().chain(&["--db", &db]).map(|word| (*word).to_owned()).collect();
    let agent = Agent::of(&house, &words);
    agent.until_ready();
    assert!(agent.list("/api/v1/node/images").is_empty(), "they lie in another namespace");
    bed.import_busybox("other");
    process::eventually("the images", DEADLINE, || !agent.list("/api/v1/node/images").is_empty());
    agent.stop();
    house.run(&["watch", "--config", &settings, "--db", &db]).expect(2).says(&["--manage"]);
}
