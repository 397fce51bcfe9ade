//! Sandboxes that lie, stall and flood beside honest ones.

use std::fs;
use std::time::Duration;

use pratique_testkit::process::eventually;
use pratique_testkit::sandbox::{Conduct, IDLE_POINTS, SandboxFarm};

use super::{DEADLINE, Served, value};

/// Half of the sandboxes are honest.
const HONEST: usize = 50;
/// How many times all are asked.
const SCRAPES: usize = 100;
/// How much longer than the longest call a scrape may take on a busy machine.
const SCRAPE_MAX: Duration = Duration::from_secs(6);
/// Memory of a server over a hundred sandboxes, in KiB, whatever they send.
const MEMORY_KIB_MAX: u64 = 128 * 1024;

#[test]
fn honest_sandboxes_are_complete_whatever_the_others_do() {
    let served = Served::start(&["--min-interval=0", "--sandbox-timeout=1s"]);
    let base = descriptors(&served);
    let mut sandboxes: Vec<(String, Conduct)> = Vec::new();
    for index in 0..HONEST {
        let honest = if index % 10 == 0 { Conduct::Descriptors } else { Conduct::Idle };
        sandboxes.push((format!("honest-{index}"), honest));
        let hostile = Conduct::HOSTILE[index % Conduct::HOSTILE.len()];
        sandboxes.push((format!("hostile-{index}"), hostile));
    }
    let address = "%RUNTIME_ROOT%/metrics.sock";
    let farm = SandboxFarm::start(served.root(), address, &sandboxes);
    eventually("all are found", DEADLINE, || {
        served.metrics().contains("runsc_meta_num_sandboxes_running 100 ")
    });
    for scrape in 0..SCRAPES {
        #[expect(clippy::disallowed_methods, reason = "how long a real process takes")]
        let started = std::time::Instant::now();
        let text = served.metrics();
        let took = started.elapsed();
        assert!(took < SCRAPE_MAX, "scrape {scrape} took {took:?}");
        check_scrape(&text, scrape);
    }
    let text = served.metrics();
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
        let count = value(&text, "pratique_sandbox_scrape_failures_total", &label);
        assert!(count.is_some_and(|count| count != "0"), "{reason}: {count:?}");
    }
    assert!(memory_kib(&served) < MEMORY_KIB_MAX, "{} KiB", memory_kib(&served));
    drop(farm);
    eventually("descriptors are at their base", DEADLINE, || descriptors(&served) <= base);
    assert!(served.process.is_running());
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

fn memory_kib(served: &Served) -> u64 {
    let path = format!("/proc/{}/status", served.process.id());
    let status = fs::read_to_string(path).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
