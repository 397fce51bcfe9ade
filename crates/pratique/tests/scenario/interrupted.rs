//! Commands that Ctrl-C or SIGTERM ends give their leases back: nobody waits for a lease to expire
//! whose holder is gone.

use std::fs;

use pratique_testkit::ScriptedAnswer;
use pratique_testkit::feed::{self, DebianEntry};
use pratique_testkit::process::{Process, Signal, eventually};

use crate::bed::{Bed, DEADLINE, DEBIAN, ballast};
use crate::on_both_stores;
use crate::service::STOP_DEADLINE;

/// Packages in an image: many steps of the matcher.
const PACKAGES: usize = 12_000;

/// How often a command may have ended before it was caught with the lease.
const TRIES: usize = 5;

on_both_stores!(a_download_that_is_interrupted_gives_its_lease_back);

fn a_download_that_is_interrupted_gives_its_lease_back(bed: &Bed) {
    bed.publish_debian(&ballast(100));
    bed.spoil(feed::DEBIAN, ScriptedAnswer::Stall(1_000));
    let image = bed.debian_image("app", &[("bash", "5.0")]);
    let update = ["db", "update", "--sources", DEBIAN];
    let scan = ["scan", &image];
    let cases: [(&[&str], Signal); 4] = [
        (&update, Signal::TERM),
        (&update, Signal::INT),
        (&update, Signal::HUP),
        (&scan, Signal::INT),
    ];
    for (count, (arguments, signal)) in (1..).zip(cases) {
        let command = bed.start("command", arguments);
        bed.server.wait_for_requests(&format!("/{}", feed::DEBIAN), count, DEADLINE);
        eventually("the lease is held", DEADLINE, || bed.leases() == ["part/debian"]);
        command.signal(signal);
        let status = command.wait(STOP_DEADLINE);
        assert_eq!(status.code(), Some(3), "{arguments:?}, {signal:?}: {}", command.said());
        assert_eq!(bed.leases(), [""; 0], "{arguments:?}, {signal:?}: {}", command.said());
        bed.expect_no_leftovers();
    }
}

on_both_stores!(matching_that_is_interrupted_gives_its_lease_back);

fn matching_that_is_interrupted_gives_its_lease_back(bed: &Bed) {
    bed.publish_debian(&ballast(100));
    bed.update(DEBIAN, 0);
    // Images are matched when they are added.
    catch_one(bed, Signal::INT, |attempt| {
        let report = many_packages(bed, attempt);
        bed.start("add", &["images", "add", &report])
    });
    // And after an update.
    catch_one(bed, Signal::TERM, |attempt| {
        let mut entries = ballast(100);
        let version = format!("{}.0", attempt + 2);
        entries.extend((0..PACKAGES).map(|number| {
            let cve = format!("CVE-2026-{number:05}");
            DebianEntry::new(&format!("package-0-{number}"), &cve, Some(&version))
        }));
        bed.publish_debian(&entries);
        bed.start("update", &["db", "update", "--sources", DEBIAN])
    });
}

/// Tries until a command was interrupted while it had the matcher's lease.
fn catch_one(bed: &Bed, signal: Signal, start: impl Fn(usize) -> Process) {
    let is_caught = (0..TRIES).any(|attempt| is_caught(bed, &start(attempt), signal));
    assert!(is_caught, "every command was done before it could be interrupted");
}

/// Stops a command that has the lease, so that it is sure to have it when the signal comes.
fn is_caught(bed: &Bed, command: &Process, signal: Signal) -> bool {
    let database = bed.open();
    let holds = || database.leases().expect("an answer").iter().any(|it| it.name == "matcher");
    eventually("it holds the lease or ends", DEADLINE, || holds() || !command.is_running());
    command.signal(Signal::STOP);
    let stat = format!("/proc/{}/stat", command.id());
    eventually("it is stopped or has ended", DEADLINE, || {
        !command.is_running() || fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") T "))
    });
    let is_caught = command.is_running() && holds();
    if is_caught {
        command.signal(signal);
    }
    command.signal(Signal::CONT);
    let status = command.wait(STOP_DEADLINE);
    if is_caught {
        assert_eq!(status.code(), Some(3), "{}", command.said());
    }
    assert_eq!(bed.leases(), [""; 0], "{}", command.said());
    is_caught
}

/// The report of an image that has packages of its own.
fn many_packages(bed: &Bed, attempt: usize) -> String {
    let names: Vec<String> =
        (0..PACKAGES).map(|number| format!("package-{attempt}-{number}")).collect();
    let packages: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1.0")).collect();
    let name = format!("large-{attempt}");
    let report = bed.report(&name, &packages);
    let file = bed.path(&format!("{name}.json"));
    fs::write(&file, report.to_string()).expect("can be written");
    file.display().to_string()
}
