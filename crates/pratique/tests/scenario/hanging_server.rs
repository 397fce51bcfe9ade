//! Scenario 7: a server that accepts and never answers holds up nobody else; a service stopped in
//! mid-download ends soon, gives its leases back and leaves no file.

use pratique_testkit::ScriptedAnswer;
use pratique_testkit::feed::{self, DebianEntry};
use pratique_testkit::process::eventually;

use crate::bed::{Bed, DEADLINE, DEBIAN, ballast};
use crate::on_both_stores;
use crate::service::{STOP_DEADLINE, Service, wait_for_generation};

on_both_stores!(a_server_that_never_answers_holds_up_nobody);

fn a_server_that_never_answers_holds_up_nobody(bed: &Bed) {
    hang(bed, ScriptedAnswer::Silence);
}

on_both_stores!(a_server_that_stalls_holds_up_nobody);

fn a_server_that_stalls_holds_up_nobody(bed: &Bed) {
    // The head comes, and some of the body, and then nothing.
    hang(bed, ScriptedAnswer::Stall(50));
}

/// Two parts hang, another is loaded and brought up to date meanwhile; then the service is stopped.
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
    entries.push(DebianEntry::new("bash", "CVE-2026-0001", Some("5.1")));
    bed.publish_debian(&entries);
    wait_for_generation(bed, DEBIAN, 2);
    service.stop(bed);

    // The lease is free: the next one begins at once with the part that hung.
    bed.mend(feed::KEV);
    let next = bed.start("next", &["db", "update", "--sources", "kev"]);
    assert_eq!(next.wait(STOP_DEADLINE).code(), Some(0), "{}", next.said());
    assert_eq!(bed.status("kev")["entries"], 1);
}

on_both_stores!(a_round_by_hand_is_stopped_as_quickly);

fn a_round_by_hand_is_stopped_as_quickly(bed: &Bed) {
    bed.publish_debian(&ballast(100));
    bed.spoil(feed::DEBIAN, ScriptedAnswer::Stall(1_000));
    let round = bed.start("round", &["db", "update", "--sources", DEBIAN]);
    bed.server.wait_for_held(1, DEADLINE);
    let status = round.terminate(STOP_DEADLINE);
    assert!(!status.success(), "it ended well without its feed: {}", round.said());
    bed.expect_no_leftovers();
}
