//! The minute that is promised: from a source's list of what is new to the outbox.
//!
//! Goal: a record that appears upstream, with nothing else of the source asked for, is in the
//! outbox within a minute by the intervals that nobody has set. Method: osv.dev's zip, list and
//! records lie behind the web server; the list gains a row dated now, and the service's own measure
//! of the lag is read. With `PRATIQUE_FULL_TIMES` the intervals are the default ones; otherwise
//! they are a second, so that the way is walked in every run.

use std::io::{Cursor, Write as _};

use pratique_clockwork::Clock;
use pratique_image::build::{ArchiveBuilder, Compression, ImageBuilder, LayerBuilder};
use pratique_testkit::process::{eventually, get, metric};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::bed::{Bed, DEADLINE};
use crate::on_both_stores;

const PYPI: &str = "osv-vulnerabilities.storage.googleapis.com/PyPI";

/// A record of osv.dev about six.
fn record(id: &str, modified: &str) -> String {
    format!(
        r#"{{"id": "{id}", "modified": "{modified}", "affected": [{{
            "package": {{"ecosystem": "PyPI", "name": "six"}},
            "ranges": [{{"type": "ECOSYSTEM", "events": [{{"introduced": "0"}}]}}]}}]}}"#
    )
}

on_both_stores!(a_new_record_is_in_the_outbox_within_a_minute);

fn a_new_record_is_in_the_outbox_within_a_minute(bed: &Bed) {
    let old = ("GHSA-old", "2026-09-01T00:00:00Z");
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("GHSA-old.json", SimpleFileOptions::default()).expect("begun");
    zip.write_all(record(old.0, old.1).as_bytes()).expect("written");
    bed.publish(&format!("{PYPI}/all.zip"), zip.finish().expect("ended").into_inner());
    bed.publish(&format!("{PYPI}/modified_id.csv"), format!("{},{}\n", old.1, old.0));
    // What was the newest when the whole was read is looked at once more.
    bed.publish(&format!("{PYPI}/GHSA-old.json"), record(old.0, old.1));
    bed.update("osv/PyPI", 0);
    let archive = image(bed);
    bed.run(&["scan", &archive, "--offline", "--register"]).expect(&[0, 5]);
    assert_eq!(bed.reasons(), [""; 0]);

    let is_full = std::env::var_os("PRATIQUE_FULL_TIMES").is_some_and(|value| !value.is_empty());
    let mut arguments = vec!["serve", "--sources", "osv/PyPI", "--listen", "127.0.0.1:0"];
    if !is_full {
        arguments.extend(["--interval", "1s"]);
    }
    let service = bed.start("serve", &arguments);
    let line = service.wait_for_line("metrics and health at ", DEADLINE);
    let (_, rest) = line.split_once("metrics and health at ").expect("it was waited for");
    let address = rest.split_whitespace().next().expect("an address").to_owned();
    let now = Clock::system().now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    bed.publish(&format!("{PYPI}/GHSA-new.json"), record("GHSA-new", &now));
    let list = format!("{now},GHSA-new\n{},{}\n", old.1, old.0);
    bed.publish(&format!("{PYPI}/modified_id.csv"), list);
    eventually("it is told", DEADLINE, || bed.reasons() == ["new GHSA-new"]);
    let lag = |le: &str| {
        let (_, metrics) = get(&address, "/metrics").expect("the service answers");
        let labels = ["source=\"osv\"", le];
        metric(&metrics, "pratique_notice_lag_seconds_bucket", &labels).unwrap_or_default()
    };
    eventually("the lag is measured", DEADLINE, || lag("le=\"+Inf\"") >= 1.0);
    assert!(lag("le=\"60.0\"") >= 1.0, "the lag is longer than a minute");
    assert!(service.terminate(DEADLINE).success(), "{}", service.said());
}

/// An image with six 1.16 as pip installs it, as an OCI archive.
fn image(bed: &Bed) -> String {
    let layer = LayerBuilder::new().file(
        "usr/lib/python3/dist-packages/six-1.16.0.dist-info/METADATA",
        b"Metadata-Version: 2.1\nName: six\nVersion: 1.16.0\n",
    );
    let image =
        ImageBuilder::new(pratique_model::Platform::host()).layer(&layer, Compression::Plain);
    let archive = ArchiveBuilder::new().image("registry.example/six:1", image).to_oci_archive();
    let path = bed.path("six.tar");
    std::fs::write(&path, archive).expect("can be written");
    path.display().to_string()
}
