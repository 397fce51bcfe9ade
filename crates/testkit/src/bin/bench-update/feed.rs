//! Debian's tracker at chosen sizes, made from numbers.
//!
//! Files are written as they are made, never held in memory. Edition 1 is the first; edition `n`
//! changes `n - 1` of a thousand entries.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use pratique_testkit::feed;

/// Entries of one source package on average: Debian's tracker has some 60,000 of 4,500.
const PER_PACKAGE: u64 = 14;

/// One entry in so many changes from an edition to the next.
const CHANGED_ONE_IN: u64 = 1_000;

/// The releases that a tracker's entry speaks of.
const RELEASES: [&str; 4] = ["bookworm", "bullseye", "trixie", "sid"];

struct Shape {
    entries: u64,
    releases: usize,
    description_bytes: usize,
}

/// Writes a tracker of a named shape below `folder`, a mirror; gives its length in bytes.
///
/// `small` is for a trial. `tracker` has as many entries as a vulnerability database of today has
/// advisories (257,488 in 372 MB, from the issue that asks for this measure). `large` has three
/// million in about 1 GB, from the updater's design (*Shown by*, 9).
pub(super) fn write(shape: &str, folder: &Path, edition: u64) -> io::Result<u64> {
    let shape = match shape {
        "small" => Shape { entries: 10_000, releases: 1, description_bytes: 100 },
        "tracker" => Shape { entries: 257_488, releases: 4, description_bytes: 120 },
        "large" => Shape { entries: 3_000_000, releases: 1, description_bytes: 180 },
        other => return Err(io::Error::other(format!("no shape {other:?}"))),
    };
    let path = folder.join(feed::DEBIAN);
    fs::create_dir_all(path.parent().expect("it lies in a folder"))?;
    let mut file = BufWriter::new(File::create(&path)?);
    tracker(&shape, edition, &mut file)?;
    file.flush()?;
    Ok(fs::metadata(&path)?.len())
}

fn tracker(shape: &Shape, edition: u64, file: &mut impl Write) -> io::Result<()> {
    let words = "a flaw in the parser of archives lets remote attackers read memory or stop the \
                 program by means of a crafted file whose header has a negative length, as was \
                 found by fuzzing; versions before the one named are concerned ";
    let description: String = words.chars().cycle().take(shape.description_bytes).collect();
    for number in 0..shape.entries {
        let is_first = number.is_multiple_of(PER_PACKAGE);
        if is_first {
            let open = if number == 0 { "{" } else { "}, " };
            write!(file, "{open}\"source-{}\": {{", number / PER_PACKAGE)?;
        }
        let comma = if is_first { "" } else { ", " };
        let (year, id) = (2010 + number % 16, 1_000 + number / 16);
        write!(file, "{comma}\"CVE-{year}-{id}\": {{\"description\": \"{description}{number}\"")?;
        write!(file, ", \"scope\": \"local\", \"releases\": {{")?;
        for (index, release) in RELEASES.iter().take(shape.releases).enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            let version = version(number, index, edition);
            write!(file, "{comma}\"{release}\": {{\"status\": \"resolved\", ")?;
            write!(file, "\"repositories\": {{\"{release}\": \"{version}\"}}, ")?;
            write!(file, "\"fixed_version\": \"{version}\", \"urgency\": \"medium\"}}")?;
        }
        write!(file, "}}}}")?;
    }
    write!(file, "}}}}")
}

/// The version that mends an entry; some of them move with every edition.
fn version(number: u64, index: usize, edition: u64) -> String {
    let moved = if number % CHANGED_ONE_IN < edition - 1 { edition } else { 1 };
    format!("1:{}.{}-{moved}+deb{index}u1", number % 9, number % 97)
}
