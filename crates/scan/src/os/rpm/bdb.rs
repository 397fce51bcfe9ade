//! Berkeley DB's hash format (`Packages`; Red Hat's family up to 8, Amazon Linux 2, old SUSE).
//!
//! Pages of equal size, of the byte order of the machine that wrote them. Keys are package
//! numbers; a header rarely fits into a page, so its entry names the first of a chain of overflow
//! pages. All bucket pages are read in the file's order: every pair on them is alive, and going
//! through the buckets would give the same pairs in another order. Key 0 is no package, it holds
//! the highest number given so far. (Berkeley DB's `dbinc/db_page.h`, rpm's
//! `lib/backend/bdb_ro.c`.)

use super::{Take, index_at, u32_at};

const HASH_MAGIC: u32 = 0x0006_1561;
const META_BYTES: usize = 512;
const PAGE_HEADER_BYTES: usize = 26;

/// Berkeley DB's smallest and largest page.
const PAGE_SIZES: std::ops::RangeInclusive<usize> = 512..=65536;

const PAGE_HASH_UNSORTED: u8 = 2;
const PAGE_OVERFLOW: u8 = 7;
const PAGE_HASH: u8 = 13;

const ITEM_INLINE: u8 = 1;
const ITEM_OFF_PAGE: u8 = 3;

struct Database<'a> {
    bytes: &'a [u8],
    page_size: usize,
    is_big_endian: bool,
    /// The overflow pages read so far: none belongs to two headers, or twice to one.
    seen: Vec<bool>,
    /// Bytes of headers that may still come.
    budget: usize,
}

/// Gives every package's header to `take`, in the order of the pages.
pub(super) fn read(bytes: &[u8], take: &mut Take<'_>) -> Result<(), String> {
    if bytes.len() < META_BYTES {
        return Err(format!("no Berkeley DB: {} bytes", bytes.len()));
    }
    let is_big_endian = match u32_at(bytes, 12, false) {
        Some(HASH_MAGIC) => false,
        Some(magic) if magic.swap_bytes() == HASH_MAGIC => true,
        _ => return Err("no hash table of Berkeley DB".to_owned()),
    };
    let page_size = index_at(bytes, 20, is_big_endian).unwrap_or(0);
    if !PAGE_SIZES.contains(&page_size) || !page_size.is_power_of_two() {
        return Err(format!("pages of {page_size} bytes"));
    }
    if bytes[24] != 0 {
        return Err("it is encrypted".to_owned());
    }
    let last_page = index_at(bytes, 32, is_big_endian).unwrap_or(0);
    let seen = vec![false; bytes.len() / page_size + 1];
    let mut database = Database { bytes, page_size, is_big_endian, seen, budget: bytes.len() };
    for number in 1..=last_page {
        let page = database
            .page(number)
            .ok_or_else(|| format!("cut off: page {number} of {last_page} is missing"))?;
        if matches!(page[25], PAGE_HASH | PAGE_HASH_UNSORTED) {
            database.pairs(page, take).map_err(|problem| format!("page {number}: {problem}"))?;
        }
    }
    Ok(())
}

impl<'a> Database<'a> {
    fn page(&self, number: usize) -> Option<&'a [u8]> {
        let start = number.checked_mul(self.page_size)?;
        self.bytes.get(start..start.checked_add(self.page_size)?)
    }

    fn u16_at(&self, page: &[u8], offset: usize) -> Option<usize> {
        let two: [u8; 2] = page.get(offset..offset.checked_add(2)?)?.try_into().ok()?;
        let number =
            if self.is_big_endian { u16::from_be_bytes(two) } else { u16::from_le_bytes(two) };
        Some(usize::from(number))
    }

    /// Takes the pairs of one bucket page: an index of offsets grows from its beginning, the items
    /// from its end, keys and data by turns.
    fn pairs(&mut self, page: &[u8], take: &mut Take<'_>) -> Result<(), String> {
        let count = self.u16_at(page, 20).unwrap_or(0);
        let mut item_end = self.page_size;
        let mut key_is_package = false;
        for index in 0..count {
            let start = self.u16_at(page, PAGE_HEADER_BYTES + index * 2);
            let item = start.and_then(|start| page.get(start..item_end));
            let (Some(start), Some(item)) = (start, item) else {
                return Err(format!("item {index} lies outside of it"));
            };
            item_end = start;
            if index % 2 == 0 {
                key_is_package = item.len() == 5
                    && item[0] == ITEM_INLINE
                    && u32_at(item, 1, self.is_big_endian) != Some(0);
            } else if key_is_package {
                self.header(item, take)?;
            }
        }
        Ok(())
    }

    fn header(&mut self, item: &[u8], take: &mut Take<'_>) -> Result<(), String> {
        match item.first() {
            Some(&ITEM_INLINE) => {
                self.spend(item.len())?;
                take(&item[1..]);
                Ok(())
            }
            Some(&ITEM_OFF_PAGE) => {
                let first = index_at(item, 4, self.is_big_endian);
                let length = index_at(item, 8, self.is_big_endian);
                let (Some(first), Some(length)) = (first, length) else {
                    return Err("a reference to an overflow page is cut off".to_owned());
                };
                self.spend(length)?;
                take(&self.overflow(first, length)?);
                Ok(())
            }
            kind => Err(format!("an item of kind {kind:?}")),
        }
    }

    fn spend(&mut self, length: usize) -> Result<(), String> {
        let left = self.budget.checked_sub(length);
        self.budget = left.ok_or("its packages are longer than the file")?;
        Ok(())
    }

    /// Joins a chain of overflow pages.
    fn overflow(&mut self, first: usize, length: usize) -> Result<Vec<u8>, String> {
        let mut data = Vec::with_capacity(length);
        let mut number = first;
        while data.len() < length {
            let page = self.page(number).filter(|page| number != 0 && page[25] == PAGE_OVERFLOW);
            let used = page.and_then(|page| {
                let used = self.u16_at(page, 22).filter(|used| *used > 0)?;
                page.get(PAGE_HEADER_BYTES..PAGE_HEADER_BYTES + used)
            });
            let (Some(page), Some(used)) = (page, used) else {
                return Err(format!("overflow page {number} is none"));
            };
            if std::mem::replace(&mut self.seen[number], true) {
                return Err(format!("overflow page {number} is used twice"));
            }
            data.extend_from_slice(&used[..used.len().min(length - data.len())]);
            number = index_at(page, 16, self.is_big_endian).unwrap_or(0);
        }
        Ok(data)
    }
}
