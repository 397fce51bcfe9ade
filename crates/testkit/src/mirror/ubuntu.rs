//! Ubuntu's CVE tracker: a gzip tar of text files, one for each CVE.
//!
//! Those about the kernel are the heavy ones: a file speaks of each of its flavours in each
//! release, and most lines say that the release does not have it.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter};

use super::container::Tar;
use super::noise::{Noise, package_name};
use super::{FeedSize, Mirror, Written};

/// Where the archive lies under a mirror.
const PATH: &str = "git.launchpad.net/ubuntu-cve-tracker/snapshot/ubuntu-cve-tracker-master.tar.gz";

/// What begins a line: a release, or its paid extension.
const RELEASES: [&str; 13] = [
    "upstream",
    "trusty",
    "trusty/esm",
    "xenial",
    "esm-infra/xenial",
    "bionic",
    "esm-infra/bionic",
    "focal",
    "esm-infra/focal",
    "jammy",
    "noble",
    "questing",
    "devel",
];

/// Flavours of the kernel: one for each cloud or board, and one for each of these and the newer
/// kernel of a release.
const FLAVOURS: u64 = 90;

/// Packages that have a CVE.
const PACKAGES: u64 = 6_000;

pub(super) fn write(mirror: &Mirror<'_>) -> io::Result<FeedSize> {
    let mut size = FeedSize { feed: "ubuntu", ..FeedSize::default() };
    mirror.file(&mut size, PATH, |file| archive(mirror, file))?;
    Ok(size)
}

fn archive(mirror: &Mirror<'_>, file: &mut BufWriter<File>) -> io::Result<Written> {
    let mut noise = Noise::new(mirror.seed, "ubuntu");
    let (count, kernel) = (mirror.sizes.ubuntu, mirror.sizes.ubuntu_kernel);
    let mut tar = Tar::new(file);
    let mut written = Written::default();
    for number in 0..count {
        let cve = mirror.cves.name(mirror.cves.spread(number, count));
        // The kernel's came in the last years only.
        let is_kernel = number >= count - (kernel * 2).min(count) && number % 2 == 0;
        let text = entry(&mut noise, &cve, is_kernel);
        let folder = noise.pick(&["active", "retired", "retired"]);
        tar.add(&format!("ubuntu-cve-tracker-master/{folder}/{cve}"), text.as_bytes())?;
        written.record_count += 1;
        written.plain_bytes += text.len() as u64;
    }
    tar.finish()?;
    Ok(written)
}

fn entry(noise: &mut Noise, cve: &str, is_kernel: bool) -> String {
    let mut text = String::with_capacity(2_000);
    let time = noise.time().replace(['T', 'Z'], " ");
    let _ = writeln!(text, "Candidate: {cve}\nPublicDate: {time}UTC\nReferences:");
    let _ = writeln!(text, " https://www.cve.org/CVERecord?id={cve}");
    for _ in 0..noise.below(4) {
        let (host, page) = (noise.skewed(200), noise.below(1_000_000));
        let _ = writeln!(text, " https://{}.example.org/security/{page}", package_name(host));
    }
    text.push_str("Description:\n");
    for _ in 0..2 + noise.below(6) {
        text.push(' ');
        noise.sentence(&mut text, 70);
        text.push('\n');
    }
    text.push_str("Ubuntu-Description:\nNotes:\nMitigation:\nBugs:\n");
    let priority = noise.pick(&["low", "medium", "medium", "medium", "high", "untriaged"]);
    let _ = writeln!(text, "Priority: {priority}\nDiscovered-by:\nAssigned-to:\nCVSS:");
    if noise.below(3) > 0 {
        let _ = writeln!(text, " nvd: {} [5.5 MEDIUM]", noise.vector());
    }
    if is_kernel {
        for number in 0..FLAVOURS {
            // Every fourth is in most releases, the others are the newer kernel of one.
            let at = 1 + noise.below(RELEASES.len() as u64 - 1);
            let present = if number % 4 == 0 { 3..RELEASES.len() as u64 } else { at..at + 1 };
            package(noise, &mut text, &format!("linux-{}", package_name(number)), &present);
        }
    } else {
        for _ in 0..1 + noise.skewed(4) {
            let name = package_name(noise.skewed(PACKAGES));
            package(noise, &mut text, &name, &(0..RELEASES.len() as u64));
        }
    }
    text
}

/// The lines of one package, which the releases with these numbers have.
fn package(noise: &mut Noise, text: &mut String, name: &str, present: &std::ops::Range<u64>) {
    let _ = writeln!(text, "\nPatches_{name}:");
    let version = noise.version();
    for (number, release) in (0_u64..).zip(RELEASES) {
        let _ = write!(text, "{release}_{name}: ");
        let _ = match (present.contains(&number), noise.below(20)) {
            (false, _) => writeln!(text, "DNE"),
            (_, 0..9) => writeln!(text, "released ({version}-{}ubuntu{number})", noise.below(9)),
            (_, 9..13) => writeln!(text, "not-affected ({version}-1)"),
            (_, 13..15) => writeln!(text, "needed"),
            (_, 15) => writeln!(text, "needs-triage"),
            (_, 16) => writeln!(text, "deferred (2024-01-02)"),
            (_, 17) => writeln!(text, "ignored (end of standard support)"),
            _ => writeln!(text, "DNE"),
        };
    }
}
