//! Scenario 3: an entry that goes, a text that is edited, a fix that changes: each is told as what
//! it is, once, or not at all.

use pratique_testkit::feed::DebianEntry;

use crate::bed::{Bed, DEBIAN, ballast};
use crate::on_both_stores;

on_both_stores!(what_changed_is_told_once_and_a_text_never);

fn what_changed_is_told_once_and_a_text_never(bed: &Bed) {
    let image = [("bash", "5.0"), ("curl", "7.0"), ("zlib", "1.0")];
    let mut entries = ballast(50);
    let first = entries.len();
    entries.push(DebianEntry::new("bash", "CVE-2026-0001", Some("5.1")));
    entries.push(DebianEntry::new("curl", "CVE-2026-0002", Some("7.1")));
    entries.push(DebianEntry::new("zlib", "CVE-2026-0003", None));
    bed.publish_debian(&entries);
    bed.update(DEBIAN, 0);
    bed.register("app", &image);
    assert_eq!(bed.scan("app", &image).len(), 3);

    entries[first].description = "The same flaw in other words".to_owned();
    bed.publish_debian(&entries);
    bed.update(DEBIAN, 0);
    assert_eq!(bed.reasons(), [""; 0], "a text was told");

    entries[first].fixed = Some("5.2".to_owned());
    bed.publish_debian(&entries);
    bed.update(DEBIAN, 0);
    assert_eq!(bed.reasons(), ["fix_changed CVE-2026-0001"]);
    let changed = &bed.notified()[0];
    assert!(changed.old.contains("5.1") && changed.new.contains("5.2"), "{changed:?}");

    entries[first + 2].fixed = Some("1.1".to_owned());
    bed.publish_debian(&entries);
    bed.update(DEBIAN, 0);
    let so_far = ["fix_available CVE-2026-0003", "fix_changed CVE-2026-0001"];
    assert_eq!(bed.reasons(), so_far);

    entries.remove(first + 1);
    bed.publish_debian(&entries);
    bed.update(DEBIAN, 0);
    assert_eq!(bed.scan("app", &image), ["CVE-2026-0001", "CVE-2026-0003"]);
    let so_far =
        ["fix_available CVE-2026-0003", "fix_changed CVE-2026-0001", "withdrawn CVE-2026-0002"];
    assert_eq!(bed.reasons(), so_far);

    // The same again, from the publisher and by force: nothing is told twice.
    bed.update(DEBIAN, 0);
    bed.run(&["db", "update", "--sources", DEBIAN, "--force"]).expect(&[0]);
    assert_eq!(bed.reasons(), so_far);
}
