//! A mirror of the publishers, made from numbers: every feed in its publisher's form, at the size
//! that it really has or at a smaller one.
//!
//! What is written follows from a seed and nothing else. Texts are put together from a vocabulary
//! of our own, so they compress better than those of people: packed files are smaller than the
//! real ones, unpacked ones are not. Left to others: feeds for tests of one fact (`crate::feed`),
//! and feeds that change from one edition to the next (`bench-update`).

mod advisory;
mod container;
mod cve;
mod debian;
mod errata;
mod fact;
mod noise;
mod nvd;
mod osv;
mod oval;
mod scale;
mod secdb;
mod ubuntu;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use self::cve::Cves;
pub use self::noise::package_name;
pub use self::scale::Scale;
use self::scale::Sizes;

/// The seed that benchmarks use, so that their figures are about the same files.
pub const SEED: u64 = 20_260_822;

/// What was written of one feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeedSize {
    /// The source's name, `debian`; `osv/npm` where one has parts of different publishers.
    pub feed: &'static str,
    /// Files of the mirror.
    pub file_count: u64,
    /// Entries, as the publisher counts them: a package's CVE, a record, a row.
    pub record_count: u64,
    /// Bytes when unpacked.
    pub plain_bytes: u64,
    /// Bytes as they lie in the mirror.
    pub packed_bytes: u64,
}

/// Entries and unpacked bytes of one file.
#[derive(Clone, Copy, Debug, Default)]
struct Written {
    record_count: u64,
    plain_bytes: u64,
}

/// Where feeds go and what they are made from.
struct Mirror<'a> {
    folder: &'a Path,
    seed: u64,
    sizes: Sizes,
    cves: Cves,
}

/// Writes all feeds of a scale below `folder`, as `--mirror file://FOLDER` takes it; what is there
/// under the same names is replaced.
///
/// # Errors
/// Those of the file system.
pub fn write(scale: Scale, seed: u64, folder: &Path) -> io::Result<Vec<FeedSize>> {
    let sizes = scale.sizes();
    let mirror = Mirror { folder, seed, cves: Cves::new(sizes.cves), sizes };
    let mut feeds = vec![
        debian::write(&mirror)?,
        ubuntu::write(&mirror)?,
        secdb::write_alpine(&mirror)?,
        secdb::write_rolling(&mirror, "wolfi")?,
        secdb::write_rolling(&mirror, "chainguard")?,
        errata::write(&mirror)?,
        oval::write(&mirror)?,
    ];
    feeds.extend(osv::write(&mirror)?);
    feeds.extend([fact::write_kev(&mirror)?, fact::write_epss(&mirror)?, nvd::write(&mirror)?]);
    Ok(feeds)
}

/// Writes the tracker of Debian alone, with so many entries; for a feed of any size.
///
/// # Errors
/// Those of the file system.
pub fn write_debian(entries: u64, seed: u64, folder: &Path) -> io::Result<FeedSize> {
    let sizes = Sizes { debian: entries, cves: entries.max(1_000), ..Scale::Small.sizes() };
    debian::write(&Mirror { folder, seed, cves: Cves::new(sizes.cves), sizes })
}

impl Mirror<'_> {
    /// Writes one file of a feed and adds it to what is known of the feed.
    fn file(
        &self,
        feed: &mut FeedSize,
        path: &str,
        content: impl FnOnce(&mut BufWriter<File>) -> io::Result<Written>,
    ) -> io::Result<()> {
        let path = self.folder.join(path);
        fs::create_dir_all(path.parent().expect("it lies in a folder"))?;
        let mut file = BufWriter::new(File::create(&path)?);
        let written = content(&mut file)?;
        file.flush()?;
        feed.file_count += 1;
        feed.record_count += written.record_count;
        feed.plain_bytes += written.plain_bytes;
        feed.packed_bytes += fs::metadata(&path)?.len();
        Ok(())
    }
}

/// The share that the `index`-th of several gets of `total`, by weight; all shares add up to it.
fn share(total: u64, weights: &[u64], index: usize) -> u64 {
    let sum: u64 = weights.iter().sum();
    let up_to = |end: usize| total * weights[..end].iter().sum::<u64>() / sum.max(1);
    up_to(index + 1) - up_to(index)
}

#[cfg(test)]
mod tests;
