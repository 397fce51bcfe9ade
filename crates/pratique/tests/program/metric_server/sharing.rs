//! Scrapers that come together, and what a bad series costs.

use std::thread;

use pratique_testkit::process::eventually;
use pratique_testkit::sandbox::{Conduct, IDLE_POINTS, SandboxFarm};

use super::{DEADLINE, Served, value};

const ADDRESS: &str = "%RUNTIME_ROOT%/metrics.sock";

fn farm(served: &Served, sandboxes: &[(&str, Conduct)]) -> SandboxFarm {
    let sandboxes: Vec<(String, Conduct)> =
        sandboxes.iter().map(|(id, conduct)| ((*id).to_owned(), *conduct)).collect();
    SandboxFarm::start(served.root(), ADDRESS, &sandboxes)
}

/// The lines of one sandbox's own series.
fn points<'a>(text: &'a str, id: &str) -> Vec<&'a str> {
    let label = format!("sandbox=\"{id}\"");
    let lines = text.lines().filter(|line| line.starts_with("runsc_netstack"));
    lines.filter(|line| line.contains(&label)).collect()
}

#[test]
fn scrapers_share_what_is_young_enough_with_its_times() {
    let served = Served::start(&["--min-interval=1h"]);
    // What was collected before the sandbox was found is shared as well, so another filter is
    // asked for until it is there.
    let farm = farm(&served, &[("a", Conduct::Idle)]);
    let mut filter = 0;
    eventually("the sandbox is found", DEADLINE, || {
        filter += 1;
        let path = format!("/metrics?runsc-sandbox-metrics-filter=x{filter}");
        served.get(&path).text().contains("sandbox=\"a\"")
    });
    let before = farm.call_count();
    let path = "/metrics?runsc-sandbox-metrics-filter=work";
    let scrapes: Vec<String> = thread::scope(|scope| {
        let scrapers: Vec<_> = (0..8).map(|_| scope.spawn(|| served.get(path).text())).collect();
        scrapers.into_iter().map(|scraper| scraper.join().expect("an answer")).collect()
    });
    let again = served.get(path).text();
    assert_eq!(farm.call_count(), before + 1, "one collection for all of them");
    assert_eq!(points(&again, "a").len(), IDLE_POINTS);
    for scrape in &scrapes {
        assert_eq!(points(scrape, "a"), points(&again, "a"), "values and times");
    }
    let line = points(&again, "a").remove(0);
    let (_, time) = line.rsplit_once(' ').expect("a time");
    assert_eq!(time.len(), 13, "milliseconds: {line}");
}

#[test]
fn a_bad_series_costs_itself_where_that_was_asked_for() {
    for (flag, count) in [("--verify=snapshot", 0), ("--verify=series", IDLE_POINTS)] {
        let served = Served::start(&[flag, "--min-interval=0"]);
        let _farm = farm(&served, &[("liar", Conduct::UndeclaredLabels)]);
        let failures = |text: &str| {
            let name = "pratique_sandbox_scrape_failures_total";
            value(text, name, "reason=\"labels\"").map(str::to_owned)
        };
        eventually("the lie is told", DEADLINE, || {
            failures(&served.metrics()).is_some_and(|count| count != "0")
        });
        let text = served.metrics();
        assert_eq!(points(&text, "liar").len(), count, "{flag}");
        let success = value(&text, "pratique_sandbox_scrape_success", "sandbox=\"liar\"");
        assert_eq!(success, Some(if count == 0 { "0" } else { "1" }), "{flag}");
    }
}
