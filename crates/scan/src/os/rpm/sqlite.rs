//! The one table of rpm's SQLite database (`rpmdb.sqlite`; Fedora 33, RHEL 9, Mariner and later).
//!
//! Reads the tree of pages of the table `Packages` and nothing else: no SQL, no index, no other
//! table. The layout is that of SQLite's "Database File Format". A page is followed once only, so
//! a tree in circles ends.

use super::Take;

const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// The first page starts with the file's header.
const FILE_HEADER_BYTES: usize = 100;
const PAGE_INTERIOR: u8 = 5;
const PAGE_LEAF: u8 = 13;

struct Database<'a> {
    bytes: &'a [u8],
    page_size: usize,
    /// Bytes of a page without what extensions reserve at its end.
    usable: usize,
    seen: Vec<bool>,
    /// Bytes of rows that may still come: no page belongs to two of them.
    budget: usize,
}

/// Gives the header in every row of `Packages` to `take`, in the order of the table.
pub(super) fn read(bytes: &[u8], take: &mut Take<'_>) -> Result<(), String> {
    if !bytes.starts_with(MAGIC) || bytes.len() < FILE_HEADER_BYTES {
        return Err("no SQLite database".to_owned());
    }
    let page_size = match u16::from_be_bytes([bytes[16], bytes[17]]) {
        1 => 65536,
        size => usize::from(size),
    };
    let usable = page_size.saturating_sub(usize::from(bytes[20]));
    if !page_size.is_power_of_two() || page_size < 512 || usable < 480 {
        return Err(format!("pages of {page_size} bytes"));
    }
    let seen = vec![false; bytes.len() / page_size + 1];
    let mut database = Database { bytes, page_size, usable, seen, budget: bytes.len() };
    let mut root = None;
    database.rows(1, &mut |row| {
        let columns = Columns::of(row)?;
        if columns.text(0)? == b"table" && columns.text(1)? == b"Packages" {
            root = columns.integer(3);
        }
        Some(())
    })?;
    let root = root.and_then(|root| usize::try_from(root).ok());
    let root = root.ok_or("it has no table `Packages`")?;
    database.rows(root, &mut |row| {
        take(Columns::of(row)?.blob(1)?);
        Some(())
    })
}

impl<'a> Database<'a> {
    fn page(&self, number: usize) -> Option<&'a [u8]> {
        let start = number.checked_sub(1)?.checked_mul(self.page_size)?;
        self.bytes.get(start..start.checked_add(self.page_size)?)
    }

    /// Gives every row of the table at `root` to `row`, which answers `None` when it cannot be
    /// read.
    fn rows(
        &mut self,
        root: usize,
        row: &mut dyn FnMut(&[u8]) -> Option<()>,
    ) -> Result<(), String> {
        let mut waiting = vec![root];
        while let Some(number) = waiting.pop() {
            let page = self.page(number).ok_or_else(|| format!("page {number} is missing"))?;
            if std::mem::replace(&mut self.seen[number], true) {
                return Err(format!("page {number} is used twice"));
            }
            self.table_page(number, page, &mut waiting, row)
                .map_err(|problem| format!("page {number}: {problem}"))?;
        }
        Ok(())
    }

    fn table_page(
        &mut self,
        number: usize,
        page: &'a [u8],
        waiting: &mut Vec<usize>,
        row: &mut dyn FnMut(&[u8]) -> Option<()>,
    ) -> Result<(), String> {
        let start = if number == 1 { FILE_HEADER_BYTES } else { 0 };
        let count = u16_at(page, start + 3).ok_or("its header is cut off")?;
        let kind = page[start];
        let index = match kind {
            PAGE_LEAF => start + 8,
            PAGE_INTERIOR => start + 12,
            _ => return Err(format!("kind {kind} is no part of a table")),
        };
        let cells = (0..count).map(|cell| u16_at(page, index + cell * 2));
        if kind == PAGE_LEAF {
            for cell in cells {
                let cell = cell.and_then(|offset| page.get(offset..self.usable));
                let payload = cell.and_then(|cell| self.payload(cell));
                let payload = payload.ok_or("a row is cut off or does not fit into the file")?;
                row(&payload).ok_or("a row has not the columns of the table")?;
            }
            return Ok(());
        }
        // The stack gives back the last first: the right-most child goes in first.
        let first_waiting = waiting.len();
        for cell in cells {
            let child = cell.and_then(|offset| page_number(page, offset));
            waiting.push(child.ok_or("a child lies outside of it")?);
        }
        waiting.push(page_number(page, start + 8).ok_or("its last child is cut off")?);
        waiting[first_waiting..].reverse();
        Ok(())
    }

    /// The whole row of a leaf's cell. What does not fit into the page ("Cell payload overflow")
    /// goes on in a chain of pages, each a page number and bytes.
    fn payload(&mut self, cell: &[u8]) -> Option<Vec<u8>> {
        let (length, rest) = varint(cell)?;
        let (_, rest) = varint(rest)?;
        let length = usize::try_from(length).ok()?;
        self.budget = self.budget.checked_sub(length)?;
        let most = self.usable - 35;
        let local = if length <= most {
            length
        } else {
            let least = (self.usable - 12) * 32 / 255 - 23;
            let fitting = least + (length - least) % (self.usable - 4);
            if fitting <= most { fitting } else { least }
        };
        let mut payload = Vec::with_capacity(length);
        payload.extend_from_slice(rest.get(..local)?);
        let mut next = if local < length { page_number(rest, local)? } else { 0 };
        while payload.len() < length {
            let page = self.page(next)?;
            let used = (length - payload.len()).min(self.usable - 4);
            payload.extend_from_slice(page.get(4..4 + used)?);
            next = page_number(page, 0)?;
        }
        Some(payload)
    }
}

fn u16_at(page: &[u8], offset: usize) -> Option<usize> {
    let two: [u8; 2] = page.get(offset..offset.checked_add(2)?)?.try_into().ok()?;
    Some(usize::from(u16::from_be_bytes(two)))
}

fn page_number(bytes: &[u8], offset: usize) -> Option<usize> {
    super::index_at(bytes, offset, true)
}

/// A number of one to nine bytes, seven bits in each, eight in the ninth; and what follows it.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().take(9).enumerate() {
        if index == 8 {
            return Some((value << 8 | u64::from(*byte), &bytes[9..]));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[index + 1..]));
        }
    }
    None
}

/// A row: its columns' types, then their values.
struct Columns<'a> {
    types: &'a [u8],
    values: &'a [u8],
}

impl<'a> Columns<'a> {
    fn of(row: &'a [u8]) -> Option<Self> {
        let (header_length, after) = varint(row)?;
        let header_length = usize::try_from(header_length).ok()?;
        let values = row.get(header_length..)?;
        let types = row.get(row.len() - after.len()..header_length)?;
        Some(Self { types, values })
    }

    /// Type and bytes of a column; both read from the row's beginning, since rows are short.
    fn column(&self, wanted: usize) -> Option<(u64, &'a [u8])> {
        let mut types = self.types;
        let mut start = 0_usize;
        for index in 0..=wanted {
            let (kind, rest) = varint(types)?;
            types = rest;
            let length = match kind {
                0 | 8 | 9 => 0,
                1..=4 => kind,
                5 => 6,
                6 | 7 => 8,
                10 | 11 => return None,
                _ => (kind - 12) / 2,
            };
            let end = start.checked_add(usize::try_from(length).ok()?)?;
            if index == wanted {
                return Some((kind, self.values.get(start..end)?));
            }
            start = end;
        }
        None
    }

    fn text(&self, index: usize) -> Option<&'a [u8]> {
        let (kind, bytes) = self.column(index)?;
        (kind >= 13 && kind % 2 == 1).then_some(bytes)
    }

    fn blob(&self, index: usize) -> Option<&'a [u8]> {
        let (kind, bytes) = self.column(index)?;
        (kind >= 12 && kind % 2 == 0).then_some(bytes)
    }

    fn integer(&self, index: usize) -> Option<u64> {
        match self.column(index)? {
            (8, _) => Some(0),
            (9, _) => Some(1),
            (1..=6, bytes) => {
                Some(bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
            }
            _ => None,
        }
    }
}
