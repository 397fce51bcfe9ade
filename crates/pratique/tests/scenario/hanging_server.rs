//! Scenario 7: a server that accepts and never answers times out and holds up nobody else; a
//! service stopped in mid-download ends soon, gives its leases back and leaves no file.

use pratique_testkit::ScriptedAnswer;
use pratique_testkit::feed::{self, DebianEntry};
use pratique_testkit::process::eventually;

use crate::bed::{Bed, DEADLINE, DEBIAN, ballast, text};
use crate::on_both_stores;
use crate::service::{STOP_DEADLINE, Service, Times, wait_for_generation};

/// How often one document is tried before its part has failed; the program's own number.
const ATTEMPTS: u32 = 4;

on_both_stores!(a_server_that_never_answers_holds_up_nobody);

fn a_server_that_never_answers_holds_up_nobody(bed: &Bed) {
    hang(bed, ScriptedAnswer::Silence);
}

on_both_stores!(a_server_that_stalls_holds_up_nobody);

fn a_server_that_stalls_holds_up_nobody(bed: &Bed) {
    // The head comes, and some of the body, and then nothing.
    hang(bed, ScriptedAnswer::Stall(50));
}

/// Two parts hang and give up after a while, another is loaded and brought up to date meanwhile;
/// then the service is stopped in mid-download.
fn hang(bed: &Bed, answer: ScriptedAnswer) {
    let mut entries = ballast(100);
    bed.publish_debian(&entries);
    bed.publish(feed::KEV, feed::kev(&["CVE-2026-0001"]));
    bed.publish(feed::EPSS, feed::epss(&[("CVE-2026-0001", 0.5)]));
    bed.spoil(feed::KEV, answer.clone());
    bed.spoil(feed::EPSS, answer);
    // More parts hang than are read at once.
    let service = Service::start_with(bed, "service", "debian,kev,epss", &["--jobs", "1"]);
    bed.server.wait_for_held(2, DEADLINE);
    eventually("debian is loaded", DEADLINE, || {
        bed.search("CVE-2020-10001").as_array().is_some_and(|rows| rows.len() == 1)
    });
    let mut entry = DebianEntry::new("bash", "CVE-2026-0001", Some("5.1"));
    entries.push(entry.clone());
    bed.publish_debian(&entries);
    wait_for_generation(bed, DEBIAN, 2);

    // Every attempt waits for as long as a server may stay silent, and the waits between them.
    let patience = Times::of_this_run().idle_timeout * (ATTEMPTS + 1) + DEADLINE;
    for part in ["kev", "epss"] {
        eventually(&format!("{part} times out"), patience, || failures(&service, part) >= 1.0);
        let status = bed.status(part);
        assert_eq!(status["generation"], 0, "{status:#}");
        let error = text(&status["last_error"]);
        assert!(error.contains("silent for"), "{part} says why it failed: {error}");
    }
    entry.cve = "CVE-2026-0002".to_owned();
    entries.push(entry);
    bed.publish_debian(&entries);
    wait_for_generation(bed, DEBIAN, 3);
    assert!(failures(&service, DEBIAN).abs() < f64::EPSILON, "debian was touched");

    let path = format!("/{}", feed::KEV);
    bed.server.wait_for_requests(&path, bed.server.arrivals(&path).len() + 1, patience);
    service.stop(bed);
    assert_eq!(bed.leases(), [""; 0], "a lease was not given back");
    bed.mend(feed::KEV);
    let next = bed.start("next", &["db", "update", "--sources", "kev"]);
    assert_eq!(next.wait(STOP_DEADLINE).code(), Some(0), "{}", next.said());
    assert_eq!(bed.status("kev")["entries"], 1);
}

/// How often a source could not be brought up to date.
fn failures(service: &Service, source: &str) -> f64 {
    let source = format!("source=\"{source}\"");
    service.metric("pratique_updater_runs_total", &[&source, "result=\"failed\""])
}
