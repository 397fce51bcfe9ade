//! Scenario 4: a source of scores that is down changes nothing; a score that changes alone is in
//! the next report.

use pratique_testkit::ScriptedAnswer;
use pratique_testkit::feed::{self, DebianEntry};

use crate::bed::{Bed, ballast};
use crate::on_both_stores;

const CRITICAL: &str = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
const LOW: &str = "CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N";

const IMAGE: [(&str, &str); 1] = [("bash", "5.0")];

on_both_stores!(a_dead_source_of_scores_changes_nothing);

fn a_dead_source_of_scores_changes_nothing(bed: &Bed) {
    let mut entries = ballast(20);
    let mut entry = DebianEntry::new("bash", "CVE-2024-0001", Some("5.1"));
    // The publisher says nothing of its severity, so the score decides.
    "not yet assigned".clone_into(&mut entry.urgency);
    entries.push(entry);
    bed.publish_debian(&entries);
    publish(bed, LOW);
    bed.update("debian,nvd/2024", 0);
    bed.register("app", &IMAGE);
    let before = finding(bed);
    assert!(before.contains(LOW), "{before}");

    for path in feed::nvd_paths(2024) {
        bed.spoil(&path, ScriptedAnswer::Status(503, vec![]));
    }
    bed.update("debian,nvd/2024", 3);
    assert_eq!(finding(bed), before);
    assert_eq!(bed.reasons(), [""; 0]);

    for path in feed::nvd_paths(2024) {
        bed.mend(&path);
    }
    publish(bed, CRITICAL);
    bed.update("debian,nvd/2024", 0);
    let after = finding(bed);
    assert!(after.contains(CRITICAL) && after.contains("critical"), "{after}");
    assert_eq!(bed.status("debian")["generation"], 1);
}

fn publish(bed: &Bed, vector: &str) {
    let files = feed::nvd_year(&[("CVE-2024-0001", vector)]);
    for (path, content) in feed::nvd_paths(2024).iter().zip(files) {
        bed.publish(path, content);
    }
}

/// The only finding of the image, as the report has it.
fn finding(bed: &Bed) -> String {
    let report = bed.report("app", &IMAGE);
    let findings = report["findings"].as_array().expect("a list");
    assert_eq!(findings.len(), 1, "{report:#}");
    findings[0].to_string()
}
