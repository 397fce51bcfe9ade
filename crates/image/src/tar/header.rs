//! One header block of a tar archive.
//!
//! Field positions are those of POSIX.1-1988 (ustar), of GNU tar's manual ("Basic Tar Format") and
//! of star. Only what is used is read: owner, times and devices are not.

use super::Kind as EntryKind;
use super::sparse::SparseMap;

/// Bytes of a block; headers and contents start at multiples of it.
pub(super) const BLOCK: usize = 512;

/// Largest size that a header may name. More would not fit the file offsets of any system.
const SIZE_MAX: u64 = i64::MAX as u64 - BLOCK as u64;

/// A header, its names aside.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) size: u64,
    pub(super) mode: u32,
    /// Whether the type is the zero byte of the oldest archives, where a slash at the end of the
    /// name makes a folder.
    pub(super) is_v7: bool,
    /// Whether content follows an entry of a type that is not known.
    pub(super) has_content: bool,
    pub(super) sparse: Option<SparseMap>,
    pub(super) is_sparse_extended: bool,
}

/// What follows a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Entry(EntryKind),
    Pax,
    GlobalPax,
    LongPath,
    LongLink,
}

impl Header {
    /// Reads a block; the header's own names go into `path` and `link` if it is an entry's.
    pub(super) fn parse(
        block: &[u8; BLOCK],
        path: &mut Vec<u8>,
        link: &mut Vec<u8>,
    ) -> Result<Self, &'static str> {
        check_sum(block)?;
        let size = number(&block[124..136]).ok_or("the size is not a number")?;
        if size > SIZE_MAX {
            return Err("the size is out of range");
        }
        let kind_byte = block[156];
        let kind = match kind_byte {
            0 | b'0' | b'7' | b'S' => Kind::Entry(EntryKind::File),
            b'1' => Kind::Entry(EntryKind::HardLink),
            b'2' => Kind::Entry(EntryKind::Symlink),
            b'5' => Kind::Entry(EntryKind::Folder),
            b'x' => Kind::Pax,
            b'g' => Kind::GlobalPax,
            b'L' => Kind::LongPath,
            b'K' => Kind::LongLink,
            _ => Kind::Entry(EntryKind::Other),
        };
        if matches!(kind, Kind::Entry(_)) {
            read_path(block, path);
            link.clear();
            link.extend_from_slice(text(&block[157..257]));
        }
        let (sparse, is_sparse_extended) = match kind_byte {
            b'S' => {
                let real_size = number(&block[483..495]).ok_or("the real size is not a number")?;
                let mut map = SparseMap::new(real_size.min(SIZE_MAX));
                map.push_gnu_entries(&block[386..482])?;
                (Some(map), block[482] != 0)
            }
            _ => (None, false),
        };
        let mode = number(&block[100..108]).unwrap_or(0) & 0o7777;
        Ok(Self {
            kind,
            size,
            mode: u32::try_from(mode).expect("it was cut to twelve bits"),
            is_v7: kind_byte == 0,
            has_content: !matches!(kind_byte, b'3' | b'4' | b'6'),
            sparse,
            is_sparse_extended,
        })
    }
}

/// The name, with the prefix where the variant has one.
fn read_path(block: &[u8; BLOCK], path: &mut Vec<u8>) {
    path.clear();
    let is_ustar = &block[257..263] == b"ustar\0";
    let is_star = is_ustar && &block[508..512] == b"tar\0";
    let prefix = match (is_ustar, is_star) {
        (true, true) => text(&block[345..476]),
        (true, false) => text(&block[345..500]),
        _ => &[],
    };
    if !prefix.is_empty() {
        path.extend_from_slice(prefix);
        path.push(b'/');
    }
    path.extend_from_slice(text(&block[..100]));
}

/// The sum of the bytes, the sum's own field taken as spaces; some old tools added signed bytes.
fn check_sum(block: &[u8; BLOCK]) -> Result<(), &'static str> {
    let expected = number(&block[148..156]).ok_or("the checksum is not a number")?;
    let spaces = 8 * u64::from(b' ');
    let sum = |bytes: &[u8]| bytes.iter().map(|&byte| u64::from(byte)).sum::<u64>();
    let unsigned = sum(&block[..148]) + spaces + sum(&block[156..]);
    if unsigned == expected {
        return Ok(());
    }
    let high = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte >= 128).count() as u64;
    let signed = unsigned.wrapping_sub(256 * (high(&block[..148]) + high(&block[156..])));
    if signed == expected { Ok(()) } else { Err("the checksum does not fit: not a tar header") }
}

/// Bytes up to the first zero.
fn text(field: &[u8]) -> &[u8] {
    let length = field.iter().position(|&byte| byte == 0);
    field.get(..length.unwrap_or(field.len())).unwrap_or_default()
}

/// A number: octal digits between spaces and zero bytes, or GNU's big-endian binary form, which
/// the first bit marks. `None` if it is neither, negative, or does not fit. An empty field is 0.
pub(super) fn number(field: &[u8]) -> Option<u64> {
    let (&first, rest) = field.split_first()?;
    if first & 0x80 != 0 {
        if first & 0x40 != 0 {
            return None;
        }
        let start = u64::from(first & 0x3f);
        return rest.iter().try_fold(start, |value, &byte| {
            (value >> 56 == 0).then_some(value << 8 | u64::from(byte))
        });
    }
    let is_filler = |byte: u8| byte == b' ' || byte == 0;
    let start = field.iter().position(|&byte| !is_filler(byte)).unwrap_or(field.len());
    let digits = &field[start..];
    let length = digits.iter().position(|&byte| is_filler(byte)).unwrap_or(digits.len());
    let mut value = 0_u64;
    for &digit in &digits[..length] {
        if !(b'0'..=b'7').contains(&digit) || value >> 61 != 0 {
            return None;
        }
        value = value << 3 | u64::from(digit - b'0');
    }
    Some(value)
}
