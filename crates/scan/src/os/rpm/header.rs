//! One rpm header, as all database formats store it.
//!
//! Two big-endian counts, the index of 16 bytes an entry (tag, type, offset, count), then the
//! data that the entries point into (rpm's `lib/header.c`). Nothing is copied until it is asked
//! for; an entry that points outside the data is as good as absent.

use super::{index_at, u32_at};
use crate::cataloger::{FolderHash, OWNED_FILES_MAX, path_hash};

pub(super) const NAME: u32 = 1000;
pub(super) const VERSION: u32 = 1001;
pub(super) const RELEASE: u32 = 1002;
pub(super) const EPOCH: u32 = 1003;
pub(super) const VENDOR: u32 = 1011;
pub(super) const ARCH: u32 = 1022;
const OLD_FILE_NAMES: u32 = 1027;
pub(super) const SOURCE_RPM: u32 = 1044;
const DIR_INDEXES: u32 = 1116;
const BASE_NAMES: u32 = 1117;
const DIR_NAMES: u32 = 1118;
pub(super) const MODULARITY_LABEL: u32 = 5096;

const TYPE_INT32: u32 = 4;
const TYPE_STRING: u32 = 6;
const TYPE_STRING_ARRAY: u32 = 8;
const TYPE_I18N_STRING: u32 = 9;

const ENTRY_BYTES: usize = 16;

/// rpm refuses headers with more entries (`hdrchkTags`).
const ENTRIES_MAX: usize = 0xffff;

/// How long one text may be that goes into the report.
const TEXT_BYTES_MAX: usize = 4096;

/// A header whose outer form is right.
pub(super) struct Header<'a> {
    index: &'a [u8],
    data: &'a [u8],
}

impl<'a> Header<'a> {
    /// Splits a header into index and data; the text of the error says what does not fit.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, String> {
        let (Some(entries), Some(data_length)) =
            (index_at(bytes, 0, true), index_at(bytes, 4, true))
        else {
            return Err(format!("a header of {} bytes", bytes.len()));
        };
        if entries > ENTRIES_MAX {
            return Err(format!("a header of {entries} entries"));
        }
        let data_start = 8 + entries * ENTRY_BYTES;
        let data = data_start.checked_add(data_length).and_then(|end| bytes.get(data_start..end));
        let Some(data) = data else {
            return Err(format!(
                "a header of {} bytes claims {entries} entries and {data_length} bytes of data",
                bytes.len()
            ));
        };
        Ok(Self { index: &bytes[8..data_start], data })
    }

    /// The first entry of a tag: type, data from its offset on, count.
    fn entry(&self, tag: u32) -> Option<(u32, &'a [u8], usize)> {
        let entry = self
            .index
            .chunks_exact(ENTRY_BYTES)
            .find(|entry| u32_at(entry, 0, true) == Some(tag))?;
        let data = self.data.get(index_at(entry, 8, true)?..)?;
        Some((u32_at(entry, 4, true)?, data, index_at(entry, 12, true)?))
    }

    /// A text, the first if there are several; `None` if it is absent, empty or `(none)`, which is
    /// how rpm prints an absent one and tools write it back.
    pub(super) fn text(&self, tag: u32) -> Option<String> {
        let (kind, data, _) = self.entry(tag)?;
        if !matches!(kind, TYPE_STRING | TYPE_STRING_ARRAY | TYPE_I18N_STRING) {
            return None;
        }
        let text = strings(data).next()?;
        let text = &text[..text.len().min(TEXT_BYTES_MAX)];
        (!matches!(text, b"" | b"(none)")).then(|| String::from_utf8_lossy(text).into_owned())
    }

    /// A number, the first if there are several.
    pub(super) fn number(&self, tag: u32) -> Option<u32> {
        let (kind, data, count) = self.entry(tag)?;
        if kind == TYPE_INT32 && count > 0 { u32_at(data, 0, true) } else { None }
    }

    /// The hashed paths of the package's files and folders: folder names, base names, and for each
    /// base name the index of its folder; packages from before 1999 have whole paths instead.
    pub(super) fn file_hashes(&self) -> Vec<u64> {
        let Some((names, name_count)) = self.string_array(BASE_NAMES) else {
            return match self.string_array(OLD_FILE_NAMES) {
                Some((paths, count)) => paths
                    .take(count.min(OWNED_FILES_MAX))
                    .map(|path| path_hash(&String::from_utf8_lossy(path)))
                    .collect(),
                None => Vec::new(),
            };
        };
        let Some((folders, folder_count)) = self.string_array(DIR_NAMES) else {
            return Vec::new();
        };
        let Some((TYPE_INT32, indexes, _)) = self.entry(DIR_INDEXES) else {
            return Vec::new();
        };
        let folders: Vec<FolderHash> = folders
            .take(folder_count.min(OWNED_FILES_MAX))
            .map(|folder| FolderHash::new(&String::from_utf8_lossy(folder)))
            .collect();
        let mut hashes = Vec::new();
        for (position, name) in names.take(name_count.min(OWNED_FILES_MAX)).enumerate() {
            let folder = index_at(indexes, position * 4, true).and_then(|index| folders.get(index));
            let Some(folder) = folder else {
                break;
            };
            hashes.push(folder.file(&String::from_utf8_lossy(name)));
        }
        hashes
    }

    fn string_array(&self, tag: u32) -> Option<(impl Iterator<Item = &'a [u8]> + use<'a>, usize)> {
        let (kind, data, count) = self.entry(tag)?;
        (kind == TYPE_STRING_ARRAY).then(|| (strings(data), count))
    }
}

/// Texts that each end with a zero byte; what comes after the last zero is not one.
fn strings(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let end = rest.iter().position(|byte| *byte == 0)?;
        let text = &rest[..end];
        rest = &rest[end + 1..];
        Some(text)
    })
}
