//! Debian's tracker: one JSON object, by source package and CVE.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::noise::{Noise, package_name};
use super::{FeedSize, Mirror, Written};
use crate::feed;

/// Entries of one source package on average: the real tracker has some 60,000 of 4,500.
const PER_PACKAGE: u64 = 14;

/// Bytes of a description.
const DESCRIPTION_BYTES: u64 = 430;

/// The releases that an entry speaks of, with the end of a security update's version.
const RELEASES: [(&str, &str); 5] = [
    ("bookworm", "deb12u"),
    ("bullseye", "deb11u"),
    ("forky", ""),
    ("sid", ""),
    ("trixie", "deb13u"),
];

pub(super) fn write(mirror: &Mirror<'_>) -> io::Result<FeedSize> {
    let mut size = FeedSize { feed: "debian", ..FeedSize::default() };
    mirror.file(&mut size, feed::DEBIAN, |file| tracker(mirror, file))?;
    Ok(size)
}

fn tracker(mirror: &Mirror<'_>, file: &mut impl Write) -> io::Result<Written> {
    let mut noise = Noise::new(mirror.seed, "debian");
    let (entries, mut text) = (mirror.sizes.debian, String::new());
    let packages = entries.div_ceil(PER_PACKAGE);
    // The first package has the most flaws, as the kernel has: its share falls with its number.
    let weights: Vec<u64> = (0..packages).map(|number| 1_000_000 / (number + 8)).collect();
    let sum: u64 = weights.iter().sum();
    let (mut written, mut weight) = (Written::default(), 0);
    for (number, own) in (0..).zip(&weights) {
        let first = entries * weight / sum;
        weight += own;
        let count = entries * weight / sum - first;
        text.clear();
        let comma = if number == 0 { "{" } else { ", " };
        let _ = write!(text, "{comma}\"{}\": {{", package_name(number));
        for index in 0..count {
            // Later packages begin elsewhere, so that not all have the same CVEs.
            let offset = number * 7 % (mirror.cves.count() / count.max(1)).max(1);
            let cve = mirror.cves.spread(index, count) + offset;
            if index > 0 {
                text.push_str(", ");
            }
            entry(&mut noise, &mut text, &mirror.cves.name(cve));
        }
        text.push('}');
        file.write_all(text.as_bytes())?;
        written.plain_bytes += text.len() as u64;
        written.record_count += count;
    }
    file.write_all(b"}")?;
    written.plain_bytes += 1;
    Ok(written)
}

fn entry(noise: &mut Noise, text: &mut String, cve: &str) {
    let _ = write!(text, "\"{cve}\": {{\"description\": \"");
    let length = DESCRIPTION_BYTES / 4 + noise.below(DESCRIPTION_BYTES * 3 / 2);
    noise.sentence(text, usize::try_from(length).expect("a short text"));
    text.push_str("\", ");
    if noise.is_one_in(3) {
        let _ = write!(text, "\"debianbug\": {}, ", 300_000 + noise.below(800_000));
    }
    let scope = noise.pick(&["local", "remote", "remote"]);
    let _ = write!(text, "\"scope\": \"{scope}\", \"releases\": {{");
    let (version, is_open) = (noise.version(), noise.is_one_in(5));
    let urgency = noise.pick(&["not yet assigned", "not yet assigned", "unimportant", "low"]);
    for (index, (release, ending)) in RELEASES.into_iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        let here = format!("{version}-{}", 1 + noise.below(5));
        let _ = write!(text, "{comma}\"{release}\": {{\"status\": \"");
        text.push_str(if is_open { "open" } else { "resolved" });
        let _ = write!(text, "\", \"repositories\": {{\"{release}\": \"{here}\"");
        if !ending.is_empty() && noise.is_one_in(2) {
            let _ = write!(text, ", \"{release}-security\": \"{here}+{ending}1\"");
        }
        text.push_str("}, ");
        match (is_open, noise.below(6)) {
            (true, 0) => text.push_str("\"nodsa\": \"Minor issue\", \"nodsa_reason\": \"\", "),
            (true, 1) => {
                text.push_str("\"nodsa\": \"Minor issue\", \"nodsa_reason\": \"postponed\", ");
            }
            (true, _) => {}
            (false, 0) => text.push_str("\"fixed_version\": \"0\", "),
            (false, _) => {
                let _ = write!(text, "\"fixed_version\": \"{here}\", ");
            }
        }
        let _ = write!(text, "\"urgency\": \"{urgency}\"}}");
    }
    text.push_str("}}");
}
