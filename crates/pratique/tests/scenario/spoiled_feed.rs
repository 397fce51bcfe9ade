//! Scenario 2: a bad entry costs itself; a feed that is cut, lies about its length or unpacks to
//! too much costs nothing that was there.

use std::fs;

use pratique_testkit::feed::{self, DebianEntry};
use pratique_testkit::{ScriptedAnswer, gzip_bomb};

use crate::bed::{Bed, DEBIAN, ballast, text};
use crate::on_both_stores;

on_both_stores!(one_bad_entry_in_ten_thousand_is_named_and_left_out);

fn one_bad_entry_in_ten_thousand_is_named_and_left_out(bed: &Bed) {
    let whole = feed::debian_tracker(&ballast(10_000));
    let good = r#""CVE-2020-15000":{"#;
    assert!(whole.contains(good), "the entry to spoil is there");
    bed.publish(
        feed::DEBIAN,
        whole.replacen(good, r#""CVE-2020-15000":{"releases":7,"x":{"#, 1).replacen(
            // The inner object swallows what was the entry's content.
            r#"},"CVE-2020-15001""#,
            r#"}},"CVE-2020-15001""#,
            1,
        ),
    );
    let ran = bed.update(DEBIAN, 0);
    let status = bed.status(DEBIAN);
    assert_eq!(status["entries"], 9_999, "{status:#}");
    let told = format!("{}{}{status}", ran.stdout, ran.stderr);
    assert!(told.contains("CVE-2020-15000"), "the bad entry is not named in:\n{told}");
    assert_eq!(bed.search("CVE-2020-15000"), serde_json::json!([]));
    assert_eq!(bed.search("CVE-2020-15001").as_array().map(Vec::len), Some(1));
}

on_both_stores!(a_spoiled_feed_leaves_the_old_data_and_is_told);

fn a_spoiled_feed_leaves_the_old_data_and_is_told(bed: &Bed) {
    let mut entries = ballast(200);
    entries.push(DebianEntry::new("bash", "CVE-2026-0001", Some("5.1")));
    bed.publish_debian(&entries);
    bed.update(DEBIAN, 0);
    bed.register("app", &[("bash", "5.0")]);
    entries.push(DebianEntry::new("bash", "CVE-2026-0002", Some("5.1")));

    let whole = feed::debian_tracker(&entries);
    let half = whole.len() / 2;
    bed.publish(feed::DEBIAN, &whole.as_bytes()[..half]);
    fails(bed, "cut by the publisher");
    // Far fewer entries than before: a publisher's accident.
    bed.publish_debian(&entries[..100]);
    fails(bed, "shrunk");
    bed.publish(feed::DEBIAN, &whole);
    bed.spoil(feed::DEBIAN, ScriptedAnswer::Cut(half));
    fails(bed, "cut on the way");
    bed.spoil(feed::DEBIAN, ScriptedAnswer::WrongLength(-100));
    fails(bed, "longer than it said");
    bed.spoil(feed::DEBIAN, ScriptedAnswer::Redirect(format!("/{}", feed::DEBIAN)));
    fails(bed, "redirected in a circle");
    bed.mend(feed::DEBIAN);
    bed.update(DEBIAN, 0);
    assert_eq!(bed.reasons(), ["new CVE-2026-0002"]);
    bed.expect_no_leftovers();
}

/// A round fails, says so, and nothing has changed.
#[track_caller]
fn fails(bed: &Bed, how: &str) {
    bed.update(DEBIAN, 3);
    let status = bed.status(DEBIAN);
    assert_eq!((&status["generation"], &status["entries"]), (&1.into(), &201.into()), "{how}");
    assert!(!text(&status["last_error"]).is_empty() && !status["last_error"].is_null(), "{how}");
    let found = bed.scan("app", &[("bash", "5.0")]);
    assert_eq!(found, ["CVE-2026-0001"], "{how}");
    assert_eq!(bed.reasons(), [""; 0], "{how}");
}

on_both_stores!(a_bomb_is_refused_before_it_fills_anything);

fn a_bomb_is_refused_before_it_fills_anything(bed: &Bed) {
    bed.publish(feed::EPSS, feed::epss(&[("CVE-2026-0001", 0.02)]));
    bed.update("epss", 0);
    // One line that never ends: 4 GB of spaces in 4 MB.
    bed.publish(feed::EPSS, gzip_bomb(4 << 30));
    bed.update("epss", 3);
    assert_eq!(bed.status("epss")["entries"], 1);
    bed.expect_no_leftovers();
    let largest = fs::read_dir(bed.path("")).expect("readable").flatten();
    let largest = largest.filter_map(|entry| entry.metadata().ok()).map(|it| it.len()).max();
    assert!(largest < Some(64 << 20), "something of {largest:?} bytes was written");
}
