//! Sandboxes that lie, stall and flood beside honest ones.

use std::fs;
use std::time::Duration;

use pratique_testkit::process::eventually;
use pratique_testkit::sandbox::{Conduct, IDLE_POINTS, SandboxFarm};

use super::{DEADLINE, Served, server, value};

/// Half of the sandboxes are honest.
const HONEST: usize = 50;
/// How many times all are asked.
const SCRAPES: usize = 100;
/// How a scraper says how long it waits.
const TIMEOUT_HEADER: &str = "X-Prometheus-Scrape-Timeout-Seconds";
/// What the scraper says that it waits, in seconds; the server takes a tenth less.
const PATIENCE_SECONDS: u64 = 10;
/// How much more memory than before the server may hold afterwards, in KiB: what the allocator
/// keeps of a scrape's buffers differs from scrape to scrape.
const MEMORY_MARGIN_KIB: u64 = 8 * 1024;
/// Memory of a server over a hundred sandboxes at any time, in KiB, whatever they send.
const MEMORY_KIB_MAX: u64 = 64 * 1024;

/// Goal: whatever half of the sandboxes do, the other half is complete in each of a hundred
/// scrapes, each scrape ends within the time that its scraper waits, and afterwards nothing is
/// left of it. Method: the base is measured over the honest ones alone, before and after.
#[test]
fn honest_sandboxes_are_complete_whatever_the_others_do() {
    let served = Served::start(&["--min-interval=0", "--sandbox-timeout=1s"]);
    let honest: Vec<(String, Conduct)> = (0..HONEST)
        .map(|index| {
            let honest = if index % 10 == 0 { Conduct::Descriptors } else { Conduct::Idle };
            (format!("honest-{index}"), honest)
        })
        .collect();
    let hostile: Vec<(String, Conduct)> = (0..HONEST)
        .map(|index| (format!("hostile-{index}"), Conduct::HOSTILE[index % Conduct::HOSTILE.len()]))
        .collect();
    let address = "%RUNTIME_ROOT%/metrics.sock";
    let _honest = SandboxFarm::start(served.root(), address, &honest);
    await_running(&served, HONEST);
    for _ in 0..SCRAPES {
        served.metrics();
    }
    let base = (descriptors(&served), memory_kib(&served, "VmRSS:"));
    let farm = SandboxFarm::start(served.root(), address, &hostile);
    await_running(&served, 2 * HONEST);
    for scrape in 0..SCRAPES {
        #[expect(clippy::disallowed_methods, reason = "how long a real process takes")]
        let started = std::time::Instant::now();
        let header = format!("{TIMEOUT_HEADER}: {PATIENCE_SECONDS}");
        let text = served.ask(&format!("GET /metrics HTTP/1.1\r\n{header}\r\n")).text();
        let took = started.elapsed();
        assert!(took < Duration::from_secs(PATIENCE_SECONDS), "scrape {scrape} took {took:?}");
        check_scrape(&text, scrape);
    }
    check_reasons(&served.metrics());
    for (id, _) in &hostile {
        farm.delete(id);
    }
    await_running(&served, HONEST);
    eventually("descriptors are at their base", DEADLINE, || descriptors(&served) <= base.0);
    for _ in 0..SCRAPES {
        served.metrics();
    }
    let memory = memory_kib(&served, "VmRSS:");
    assert!(memory <= base.1 + MEMORY_MARGIN_KIB, "{memory} KiB, before {} KiB", base.1);
    let peak = memory_kib(&served, "VmHWM:");
    assert!(peak < MEMORY_KIB_MAX, "{peak} KiB");
    assert!(served.process.is_running());
}

/// Goal: more stalling sandboxes than calls run at a time do not keep the honest waiting. Method:
/// a call may take longer than the scraper waits, so who had to wait for a stalling one would be
/// missing; and nothing is known of any of them, as this is the first scrape.
#[test]
fn honest_sandboxes_do_not_wait_for_those_that_stall() {
    const STALLING: usize = 600;
    let folder = tempfile::tempdir().expect("a folder");
    let stalling = [Conduct::NeverAccepts, Conduct::NeverReads, Conduct::StopsHalfway];
    let honest = (0..HONEST).map(|index| (format!("honest-{index}"), Conduct::Idle));
    let sandboxes: Vec<(String, Conduct)> = (0..STALLING)
        .map(|index| (format!("stalling-{index}"), stalling[index % stalling.len()]))
        .chain(honest)
        .collect();
    let _farm = SandboxFarm::start(folder.path(), "%RUNTIME_ROOT%/metrics.sock", &sandboxes);
    let process = server(folder.path(), &["--sandbox-timeout=30s"]);
    let served = Served { folder, process };
    eventually("the server listens", DEADLINE, || served.socket().exists());
    let text = served.ask(&format!("GET /metrics HTTP/1.1\r\n{TIMEOUT_HEADER}: 6\r\n")).text();
    let running = format!("runsc_meta_num_sandboxes_running {} ", HONEST + STALLING);
    assert!(text.contains(&running), "all were found before the server listened");
    for index in 0..HONEST {
        let label = format!("sandbox=\"honest-{index}\"");
        let success = value(&text, "pratique_sandbox_scrape_success", &label);
        assert_eq!(success, Some("1"), "{label}");
    }
}

fn await_running(served: &Served, count: usize) {
    let line = format!("runsc_meta_num_sandboxes_running {count} ");
    eventually("all are found", DEADLINE, || served.metrics().contains(&line));
}

/// Every reason that these sandboxes give was counted.
fn check_reasons(text: &str) {
    for reason in [
        "connect",
        "timeout",
        "too_large",
        "decode",
        "future",
        "unknown_metric",
        "labels",
        "duplicate",
        "value",
        "decrease",
        "budget",
    ] {
        let label = format!("reason=\"{reason}\"");
        let count = value(text, "pratique_sandbox_scrape_failures_total", &label);
        assert!(count.is_some_and(|count| count != "0"), "{reason}: {count:?}");
    }
}

fn check_scrape(text: &str, scrape: usize) {
    for index in 0..HONEST {
        let label = format!("sandbox=\"honest-{index}\"");
        let success = value(text, "pratique_sandbox_scrape_success", &label);
        assert_eq!(success, Some("1"), "scrape {scrape}, {label}");
        let lines = text.lines().filter(|line| line.starts_with("runsc_netstack"));
        let count = lines.filter(|line| line.contains(&label)).count();
        assert_eq!(count, IDLE_POINTS, "scrape {scrape}, {label}");
        let label = format!("sandbox=\"hostile-{index}\"");
        assert_eq!(value(text, "runsc_meta_sandbox_presence", &label), Some("1"), "{label}");
    }
    let stray = text.lines().filter(|line| line.starts_with("runsc_netstack"));
    let falling = ["hostile-10\"", "hostile-11\"", "hostile-30\"", "hostile-31\""];
    for line in stray.filter(|line| line.contains("hostile")) {
        // The first word of one whose counters fall is believed, once.
        assert!(falling.iter().any(|id| line.contains(id)), "scrape {scrape}: {line}");
    }
}

fn descriptors(served: &Served) -> usize {
    let folder = format!("/proc/{}/fd", served.process.id());
    fs::read_dir(folder).expect("it runs").count()
}

/// A line of `/proc/<pid>/status`: `VmRSS:` is what it has now, `VmHWM:` the most it ever had.
fn memory_kib(served: &Served, name: &str) -> u64 {
    let path = format!("/proc/{}/status", served.process.id());
    let status = fs::read_to_string(path).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
