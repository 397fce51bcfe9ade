//! Reads zip archives that lie in memory, by their central directory.
//!
//! Made for jars: an archive of ten thousand classes is asked for its manifest and a few
//! properties, so entries are walked without being stored, stored members are slices of the archive
//! itself, and only what is asked for is inflated, up to the asker's limit. Bytes before the
//! archive (a launcher script) are allowed. The central directory alone decides what is in the
//! archive, as it does for the Java runtime. Layout: APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12 to
//! 4.3.16.

use std::borrow::Cow;

use flate2::{Decompress, FlushDecompress, Status};

/// End of central directory record, without its comment.
const END_BYTES: usize = 22;

/// Zip64 end of central directory locator.
const LOCATOR_BYTES: usize = 20;

/// The longest comment after the end record.
const COMMENT_BYTES_MAX: usize = u16::MAX as usize;

/// Fixed part of a central directory header.
const HEADER_BYTES: usize = 46;

/// Fixed part of a local file header.
pub(super) const LOCAL_BYTES: usize = 30;

/// What is reserved before anything was inflated, so that a lying size costs nothing.
const RESERVED_BYTES_MAX: u64 = 1 << 20;

/// An archive that cannot be read, or a member of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ZipError {
    /// There is no end record.
    #[error("not a zip archive, or cut short")]
    NoEnd,
    /// The end record points outside the file.
    #[error("its central directory lies outside the file")]
    DirectoryOutside,
    /// The directory does not consist of whole headers.
    #[error("its central directory is damaged")]
    DirectoryDamaged,
    /// A member's data lies outside the file, or has no header.
    #[error("data lies outside the archive")]
    DataOutside,
    /// A member is encrypted.
    #[error("encrypted")]
    Encrypted,
    /// A member is neither stored nor deflated.
    #[error("compression method {0} is not read")]
    Method(u16),
    /// A member's compressed data is damaged.
    #[error("damaged compressed data")]
    Damaged,
    /// A member is longer than the asker takes.
    #[error("more than the {0} bytes that are unpacked of such a file")]
    TooLarge(u64),
}

/// A zip archive in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Archive<'a> {
    bytes: &'a [u8],
    directory: &'a [u8],
    /// How far the archive begins behind the start of the bytes.
    shift: u64,
}

/// A member, as the central directory has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    /// The path inside the archive, in no known encoding.
    pub(crate) name: &'a [u8],
    /// The length that it claims to have when unpacked.
    pub(crate) size: u64,
    method: u16,
    is_encrypted: bool,
    compressed: u64,
    offset: u64,
}

impl Entry<'_> {
    /// Whether it lies in the archive as it is, so that reading it takes no memory.
    pub(crate) fn is_stored(&self) -> bool {
        self.method == 0
    }
}

impl<'a> Archive<'a> {
    /// Finds the central directory.
    ///
    /// # Errors
    /// [`ZipError::NoEnd`] when it is no zip archive or its end is missing, and
    /// [`ZipError::DirectoryOutside`].
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, ZipError> {
        let end = find_end(bytes).ok_or(ZipError::NoEnd)?;
        let record = &bytes[end..];
        let mut size = u64::from(u32_at(record, 12).ok_or(ZipError::NoEnd)?);
        let mut offset = u64::from(u32_at(record, 16).ok_or(ZipError::NoEnd)?);
        let mut directory_end = end;
        if let Some(position) = zip64_end(bytes, end) {
            let record = &bytes[position..];
            size = u64_at(record, 40).ok_or(ZipError::NoEnd)?;
            offset = u64_at(record, 48).ok_or(ZipError::NoEnd)?;
            directory_end = position;
        }
        let start = u64::try_from(directory_end)
            .ok()
            .and_then(|end| end.checked_sub(size))
            .ok_or(ZipError::DirectoryOutside)?;
        let shift = start.checked_sub(offset).ok_or(ZipError::DirectoryOutside)?;
        let start = usize::try_from(start).map_err(|_| ZipError::DirectoryOutside)?;
        Ok(Self { bytes, directory: &bytes[start..directory_end], shift })
    }

    /// Walks the members in the directory's order. After an error nothing more comes.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Result<Entry<'a>, ZipError>> + use<'a> {
        let mut rest = self.directory;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            match entry(rest) {
                Some((entry, after)) => {
                    rest = after;
                    Some(Ok(entry))
                }
                None => {
                    rest = &[];
                    Some(Err(ZipError::DirectoryDamaged))
                }
            }
        })
    }

    /// A member's content, at most `limit` bytes; a stored one is not copied.
    ///
    /// # Errors
    /// Every [`ZipError`] that is about a member.
    pub(crate) fn read(&self, entry: &Entry<'_>, limit: u64) -> Result<Cow<'a, [u8]>, ZipError> {
        if entry.is_encrypted {
            return Err(ZipError::Encrypted);
        }
        if entry.size > limit {
            return Err(ZipError::TooLarge(limit));
        }
        let data = self.data(entry).ok_or(ZipError::DataOutside)?;
        match entry.method {
            0 if data.len() as u64 > limit => Err(ZipError::TooLarge(limit)),
            0 => Ok(Cow::Borrowed(data)),
            8 => inflate(data, entry.size, limit).map(Cow::Owned),
            other => Err(ZipError::Method(other)),
        }
    }

    /// The member's bytes as they are in the archive.
    fn data(&self, entry: &Entry<'_>) -> Option<&'a [u8]> {
        let start = usize::try_from(entry.offset.checked_add(self.shift)?).ok()?;
        let local = self.bytes.get(start..)?;
        if local.get(..4)? != b"PK\x03\x04" {
            return None;
        }
        let skip = LOCAL_BYTES + usize::from(u16_at(local, 26)?) + usize::from(u16_at(local, 28)?);
        local.get(skip..)?.get(..usize::try_from(entry.compressed).ok()?)
    }
}

/// Inflates raw deflate data of about `size` bytes, at most `limit`.
pub(super) fn inflate(data: &[u8], size: u64, limit: u64) -> Result<Vec<u8>, ZipError> {
    let reserved = usize::try_from(size.min(limit).min(RESERVED_BYTES_MAX)).unwrap_or(0);
    let mut out = Vec::with_capacity(reserved.max(256));
    let mut inflater = Decompress::new(false);
    loop {
        let consumed = usize::try_from(inflater.total_in()).map_err(|_| ZipError::Damaged)?;
        let input = data.get(consumed..).ok_or(ZipError::Damaged)?;
        let before = (inflater.total_in(), inflater.total_out());
        let status = inflater
            .decompress_vec(input, &mut out, FlushDecompress::Finish)
            .map_err(|_| ZipError::Damaged)?;
        if inflater.total_out() > limit {
            return Err(ZipError::TooLarge(limit));
        }
        if status == Status::StreamEnd {
            return Ok(out);
        }
        let is_full = out.len() == out.capacity();
        if !is_full && before == (inflater.total_in(), inflater.total_out()) {
            return Err(ZipError::Damaged);
        }
        if is_full {
            // Doubles, but not much beyond what may still come.
            let left = usize::try_from(limit - inflater.total_out()).unwrap_or(usize::MAX);
            out.reserve_exact(out.capacity().min(left.saturating_add(1)));
        }
    }
}

/// The last end record whose comment ends with the file. Bytes behind the archive are allowed, as
/// the Java runtime does, but only if none are before it: otherwise the end of an archive that is
/// cut short would be the end of one of its members.
fn find_end(bytes: &[u8]) -> Option<usize> {
    let last = bytes.len().checked_sub(END_BYTES)?;
    let first = last.saturating_sub(COMMENT_BYTES_MAX);
    (first..=last).rev().find(|&at| {
        let record = &bytes[at..];
        if !record.starts_with(b"PK\x05\x06") {
            return false;
        }
        let comment = u16_at(record, 20).map_or(0, usize::from);
        let directory = [u32_at(record, 12), u32_at(record, 16)];
        let directory_end: u64 = directory.into_iter().flatten().map(u64::from).sum();
        record.len() == END_BYTES + comment
            || (record.len() > END_BYTES + comment && directory_end == at as u64)
    })
}

/// Where the zip64 end record is, when there is one.
fn zip64_end(bytes: &[u8], end: usize) -> Option<usize> {
    let locator = bytes.get(end.checked_sub(LOCATOR_BYTES)?..end)?;
    if !locator.starts_with(b"PK\x06\x07") {
        return None;
    }
    let claimed = usize::try_from(u64_at(locator, 8)?).ok()?;
    // With bytes before the archive the record is behind where it claims to be: directly before
    // its locator, unless it has an extension, which nothing writes.
    let usual = end.checked_sub(LOCATOR_BYTES + 56)?;
    [claimed, usual]
        .into_iter()
        .find(|&at| at < end && bytes.get(at..).is_some_and(|rest| rest.starts_with(b"PK\x06\x06")))
}

/// The first header of a directory, and what comes after it.
fn entry(bytes: &[u8]) -> Option<(Entry<'_>, &[u8])> {
    let header = bytes.get(..HEADER_BYTES)?;
    if !header.starts_with(b"PK\x01\x02") {
        return None;
    }
    let name_end = HEADER_BYTES + usize::from(u16_at(header, 28)?);
    let extra_end = name_end + usize::from(u16_at(header, 30)?);
    let next = extra_end + usize::from(u16_at(header, 32)?);
    let name = bytes.get(HEADER_BYTES..name_end)?;
    let mut wide = Zip64::find(bytes.get(name_end..extra_end)?);
    let size = wide.or_wide(u32_at(header, 24)?)?;
    let compressed = wide.or_wide(u32_at(header, 20)?)?;
    let offset = wide.or_wide(u32_at(header, 42)?)?;
    let is_encrypted = u16_at(header, 8)? & 1 == 1;
    let method = u16_at(header, 10)?;
    Some((Entry { name, size, method, is_encrypted, compressed, offset }, bytes.get(next..)?))
}

/// The zip64 extra field: 64-bit values, in order, for those fields that are all ones.
pub(super) struct Zip64<'a>(&'a [u8]);

impl<'a> Zip64<'a> {
    pub(super) fn find(mut extra: &'a [u8]) -> Self {
        while let (Some(id), Some(length)) = (u16_at(extra, 0), u16_at(extra, 2)) {
            let end = 4 + usize::from(length);
            if id == 1 {
                return Self(extra.get(4..end).unwrap_or(&[]));
            }
            extra = extra.get(end..).unwrap_or(&[]);
        }
        Self(&[])
    }

    pub(super) fn or_wide(&mut self, value: u32) -> Option<u64> {
        if value != u32::MAX {
            return Some(u64::from(value));
        }
        let wide = u64_at(self.0, 0)?;
        self.0 = &self.0[8..];
        Some(wide)
    }
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|chunk| u16::from_le_bytes(*chunk))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|chunk| u32::from_le_bytes(*chunk))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|chunk| u64::from_le_bytes(*chunk))
}
