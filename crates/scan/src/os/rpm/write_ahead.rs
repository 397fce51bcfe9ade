//! Changes of an SQLite database that stand beside it and not yet in it (`rpmdb.sqlite-wal`).
//!
//! rpm leaves an empty log behind; one with content means that its process was killed. SQLite would
//! apply it before anything else, so `rpm -qa` shows what the log says. Database and log are two
//! files, perhaps of two layers, while a cataloger sees one at a time; hence they are read once
//! more, together, when there is such a log.

use std::collections::HashMap;

use pratique_image::{Content, FileInfo, Reader};
use pratique_model::Partial;

use super::{DATABASE_BYTES_MAX, FOLDERS, headers, sqlite, u32_at};
use crate::cataloger::Found;

const SUFFIX: &str = "rpmdb.sqlite-wal";
const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;

/// The two values of a log's first number; the last bit is the byte order of its checksums.
const MAGIC: [u32; 2] = [0x377f_0682, 0x377f_0683];

/// Whether a file is such a log and may have content.
pub(crate) fn is_log(file: &FileInfo<'_>) -> bool {
    file.size > HEADER_BYTES as u64
        && FOLDERS.iter().any(|folder| file.path.strip_prefix(folder) == Some(SUFFIX))
}

/// Keeps databases and logs as they are.
pub(crate) struct Databases;

impl Reader for Databases {
    type Value = Vec<u8>;

    fn wants(&self, file: &FileInfo<'_>) -> bool {
        is_log(file) || super::format(file.path) == Some(super::Format::Sqlite)
    }

    fn read(
        &self,
        _: &FileInfo<'_>,
        content: &mut Content<'_>,
        _: &mut Vec<Partial>,
    ) -> Option<Vec<u8>> {
        // One that is too long was told of when it was read for the first time.
        content.read_rest(DATABASE_BYTES_MAX).ok()?
    }
}

/// What the databases among the files say with their logs applied, by the database's path.
pub(crate) fn catalog(files: &HashMap<&str, &[u8]>) -> Vec<(String, Found)> {
    let mut results = Vec::new();
    for (log_path, log) in files {
        let Some(path) = log_path.strip_suffix("-wal") else {
            continue;
        };
        let Some(database) = files.get(path) else {
            continue;
        };
        let mut found = Found::default();
        let bytes = apply(database, log);
        if let Err(error) = headers(|take| sqlite::read(&bytes, take), &mut found) {
            found.problem(error.to_string());
        }
        results.push((path.to_owned(), found));
    }
    results
}

/// The database as it is after the log's committed changes. Frames are good up to the first whose
/// salt or checksum is not ("WAL Frame Format" and "Reader Algorithm" of SQLite's file format);
/// of these only those up to the last one that ends a transaction count.
fn apply(database: &[u8], log: &[u8]) -> Vec<u8> {
    let mut bytes = database.to_vec();
    let Some(frames) = committed(log) else {
        return bytes;
    };
    for (number, page) in frames {
        let Some(start) = number.checked_sub(1).and_then(|index| index.checked_mul(page.len()))
        else {
            continue;
        };
        let end = start.saturating_add(page.len());
        // A log cannot make the database longer than both files together.
        if end > database.len().saturating_add(log.len()) {
            continue;
        }
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[start..end].copy_from_slice(page);
    }
    bytes
}

/// Page numbers and pages of the committed frames, in their order.
fn committed(log: &[u8]) -> Option<Vec<(usize, &[u8])>> {
    let header = log.get(..HEADER_BYTES)?;
    let magic = u32_at(header, 0, true)?;
    let page_size = usize::try_from(u32_at(header, 8, true)?).ok()?;
    if !MAGIC.contains(&magic)
        || !page_size.is_power_of_two()
        || !(512..=65536).contains(&page_size)
    {
        return None;
    }
    let is_big_endian = magic & 1 == 1;
    let mut sum = checksum((0, 0), header.get(..24)?, is_big_endian);
    if sum != (u32_at(header, 24, true)?, u32_at(header, 28, true)?) {
        return None;
    }
    let mut frames = Vec::new();
    let mut committed_count = 0;
    for frame in log.get(HEADER_BYTES..)?.chunks_exact(FRAME_HEADER_BYTES + page_size) {
        let (head, page) = frame.split_at(FRAME_HEADER_BYTES);
        sum = checksum(checksum(sum, head.get(..8)?, is_big_endian), page, is_big_endian);
        let is_salted = head.get(8..16) == header.get(16..24);
        if !is_salted || sum != (u32_at(head, 16, true)?, u32_at(head, 20, true)?) {
            break;
        }
        frames.push((super::index_at(head, 0, true)?, page));
        if u32_at(head, 4, true)? != 0 {
            committed_count = frames.len();
        }
    }
    frames.truncate(committed_count);
    Some(frames)
}

/// The log's running checksum over a multiple of eight bytes.
fn checksum(start: (u32, u32), bytes: &[u8], is_big_endian: bool) -> (u32, u32) {
    let (mut first, mut second) = start;
    for pair in bytes.chunks_exact(8) {
        let one = u32_at(pair, 0, is_big_endian).unwrap_or(0);
        let other = u32_at(pair, 4, is_big_endian).unwrap_or(0);
        first = first.wrapping_add(one).wrapping_add(second);
        second = second.wrapping_add(other).wrapping_add(first);
    }
    (first, second)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::tests::build::{package, sqlite};
    use super::*;

    const DATABASE: &str = "var/lib/rpm/rpmdb.sqlite";
    const LOG: &str = "var/lib/rpm/rpmdb.sqlite-wal";

    /// A log of frames: page number, size of the database after commit or 0, page.
    fn log(frames: &[(u32, u32, &[u8])], is_big_endian: bool) -> Vec<u8> {
        let put = |numbers: &[u32]| -> Vec<u8> {
            numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
        };
        let mut log = put(&[MAGIC[usize::from(is_big_endian)], 3_007_000, 512, 0, 77, 88]);
        let mut sum = checksum((0, 0), &log, is_big_endian);
        log.extend(put(&[sum.0, sum.1]));
        for (number, size, page) in frames {
            let head = put(&[*number, *size]);
            sum = checksum(checksum(sum, &head, is_big_endian), page, is_big_endian);
            log.extend(head);
            log.extend(put(&[77, 88, sum.0, sum.1]));
            log.extend(*page);
        }
        log
    }

    /// A log whose one transaction makes a database of pages of 512 bytes what `after` is.
    pub(crate) fn log_of(after: &[u8]) -> Vec<u8> {
        let count = u32::try_from(after.len() / 512).unwrap();
        let pages = (1_u32..).zip(after.chunks(512));
        let frames: Vec<(u32, u32, &[u8])> = pages
            .map(|(number, page)| (number, if number == count { count } else { 0 }, page))
            .collect();
        log(&frames, false)
    }

    fn names(database: &[u8], log: &[u8]) -> Vec<String> {
        let files = HashMap::from([(DATABASE, database), (LOG, log)]);
        let results = catalog(&files);
        assert_eq!(results.len(), 1);
        assert_eq!(results[0].0, DATABASE);
        assert!(results[0].1.problems.is_empty(), "{:?}", results[0].1.problems);
        results[0].1.packages.iter().map(|package| package.name.clone()).collect()
    }

    #[test]
    fn committed_changes_in_the_log_count_and_others_do_not() {
        let before = sqlite(&[package("old", 0)]);
        let after = sqlite(&[package("new", 0), package("more", 900)]);
        let pages: Vec<&[u8]> = after.chunks(512).collect();
        let frames = |commit: u32| -> Vec<(u32, u32, &[u8])> {
            let numbered = (1_u32..).zip(&pages);
            numbered
                .map(|(number, page)| {
                    let is_last = number as usize == pages.len();
                    (number, if is_last { commit } else { 0 }, *page)
                })
                .collect()
        };
        for is_big_endian in [false, true] {
            let whole = log(&frames(9), is_big_endian);
            assert_eq!(names(&before, &whole), ["new", "more"]);
            assert_eq!(names(&before, &whole[..whole.len() - 1]), ["old"], "cut off");
            assert_eq!(names(&before, &log(&frames(0), is_big_endian)), ["old"], "no commit");
            let mut damaged = whole;
            damaged[100] ^= 1;
            assert_eq!(names(&before, &damaged), ["old"], "a wrong checksum");
        }
        assert_eq!(names(&before, &[0; 100]), ["old"], "no log at all");
    }

    #[test]
    fn a_log_cannot_blow_the_database_up() {
        let before = sqlite(&[package("old", 0)]);
        let page = [0; 512];
        let far = log(&[(u32::MAX, 1, &page), (0, 1, &page)], false);
        assert_eq!(names(&before, &far), ["old"]);
    }

    #[test]
    fn only_logs_with_content_are_logs() {
        for (path, size, expected) in [
            (LOG, 33, true),
            (LOG, 32, false),
            (LOG, 0, false),
            ("var/lib/other/rpmdb.sqlite-wal", 99, false),
            (DATABASE, 99, false),
        ] {
            assert_eq!(is_log(&FileInfo { path, size, mode: 0 }), expected, "{path} {size}");
        }
    }
}
