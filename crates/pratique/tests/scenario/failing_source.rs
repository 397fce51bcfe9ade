//! Scenario 1: one source fails for ever on a fresh database, others go on and notify; a source
//! that is loaded late does not flood.

use pratique_testkit::ScriptedAnswer;
use pratique_testkit::feed::{self, DebianEntry};

use crate::bed::{Bed, DEBIAN, ballast};
use crate::on_both_stores;

on_both_stores!(a_failing_source_does_not_silence_the_others);

fn a_failing_source_does_not_silence_the_others(bed: &Bed) {
    let failing = feed::secdb_path("v3.10", "main");
    bed.publish(&failing, feed::secdb("v3.10", "main", &[("musl", "2", &["CVE-2020-0001"])]));
    bed.spoil(&failing, ScriptedAnswer::Status(503, vec![]));
    let mut entries = ballast(50);
    bed.publish_debian(&entries);
    let sources = "debian,alpine/v3.10";
    bed.update(sources, 3);
    bed.register("app", &[("bash", "5.0"), ("curl", "7.0")]);
    assert_eq!(bed.reasons(), [""; 0]);

    entries.push(DebianEntry::new("bash", "CVE-2026-0001", Some("5.1")));
    bed.publish_debian(&entries);
    bed.update(sources, 3);
    assert_eq!(bed.reasons(), ["new CVE-2026-0001"]);
    assert_eq!(bed.status("alpine/v3.10")["generation"], 0);

    // A third source comes later, and speaks of what the image holds.
    bed.publish(feed::KEV, feed::kev(&["CVE-2026-0001"]));
    bed.update("debian,alpine/v3.10,kev", 3);
    assert_eq!(bed.reasons(), ["new CVE-2026-0001"]);

    bed.mend(&failing);
    bed.update(sources, 0);
    assert_eq!(bed.status("alpine/v3.10")["entries"], 1);
    assert_eq!(bed.reasons(), ["new CVE-2026-0001"]);
}

on_both_stores!(a_large_first_load_notifies_of_nothing);

fn a_large_first_load_notifies_of_nothing(bed: &Bed) {
    bed.publish(feed::KEV, feed::kev(&["CVE-2026-0001"]));
    bed.update("kev", 0);
    bed.register("app", &[("bash", "5.0")]);
    let mut entries = ballast(10);
    for number in 0..50 {
        let cve = format!("CVE-2026-{number:04}");
        entries.push(DebianEntry::new("bash", &cve, Some("5.1")));
    }
    bed.publish_debian(&entries);
    bed.update(DEBIAN, 0);
    assert_eq!(bed.scan("app", &[("bash", "5.0")]).len(), 50);
    assert_eq!(bed.reasons(), [""; 0]);
}
