//! Makes rpm headers, and databases of them in each format, as rpm would write them.

/// The index type of a value, its data, and how many values that is.
pub(crate) enum Value<'a> {
    Text(&'a str),
    Texts(&'a [&'a str]),
    Numbers(&'a [u32]),
}

/// A header of these tags, in their order.
pub(crate) fn header(tags: &[(u32, Value<'_>)]) -> Vec<u8> {
    let mut index = Vec::new();
    let mut data: Vec<u8> = Vec::new();
    for (tag, value) in tags {
        let (kind, count) = match value {
            Value::Text(_) => (6_u32, 1),
            Value::Texts(texts) => (8, texts.len()),
            Value::Numbers(numbers) => (4, numbers.len()),
        };
        if kind == 4 {
            data.resize(data.len().next_multiple_of(4), 0);
        }
        let offset = data.len();
        for number in [*tag, kind, u32::try_from(offset).unwrap(), u32::try_from(count).unwrap()] {
            index.extend(number.to_be_bytes());
        }
        match value {
            Value::Text(text) => data.extend(text.bytes().chain([0])),
            Value::Texts(texts) => {
                texts.iter().for_each(|text| data.extend(text.bytes().chain([0])));
            }
            Value::Numbers(numbers) => {
                numbers.iter().for_each(|number| data.extend(number.to_be_bytes()));
            }
        }
    }
    let mut header = u32::try_from(tags.len()).unwrap().to_be_bytes().to_vec();
    header.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
    header.extend(index);
    header.extend(data);
    header
}

/// A header of a package with `padding` bytes of description, to make it as long as needed.
pub(crate) fn package(name: &str, padding: usize) -> Vec<u8> {
    header(&[
        (1000, Value::Text(name)),
        (1001, Value::Text("1.0")),
        (1002, Value::Text("2.el9")),
        (1005, Value::Text(&"x".repeat(padding))),
        (1022, Value::Text("x86_64")),
        (1044, Value::Text(&format!("{name}-src-1.0-2.el9.src.rpm"))),
    ])
}

/// A database in rpm's own format. The blobs follow the first page of slots; slot 3 is a freed one.
pub(crate) fn ndb(headers: &[Vec<u8>]) -> Vec<u8> {
    let mut slots = Vec::new();
    for number in [u32::from_le_bytes(*b"RpmP"), 0, 1, 1, 99, 0, 0, 0] {
        slots.extend(number.to_le_bytes());
    }
    let mut slot = |number: usize, start: usize, blocks: usize| {
        for value in [number, start, blocks] {
            if value == number {
                slots.extend(*b"Slot");
            }
            slots.extend(u32::try_from(value).unwrap().to_le_bytes());
        }
    };
    let mut blobs = Vec::new();
    slot(0, 7, 9);
    for (index, header) in headers.iter().enumerate() {
        let start = 4096 / 16 + blobs.len() / 16;
        let number = u32::try_from(index + 1000).unwrap();
        blobs.extend(b"BlbS");
        blobs.extend(number.to_le_bytes());
        blobs.extend([0; 4]);
        blobs.extend(u32::try_from(header.len()).unwrap().to_le_bytes());
        blobs.extend(header);
        blobs.resize((blobs.len() + 12).next_multiple_of(16) - 12, 0);
        blobs.extend([0; 4]);
        blobs.extend(u32::try_from(header.len()).unwrap().to_le_bytes());
        blobs.extend(b"BlbE");
        slot(index + 1000, start, 4096 / 16 + blobs.len() / 16 - start);
    }
    while slots.len() < 4096 {
        slots.extend(b"Slot");
        slots.extend([0; 12]);
    }
    slots.extend(blobs);
    slots
}

/// Numbers of one byte order.
pub(crate) struct Order(pub(super) bool);

impl Order {
    fn put(&self, page: &mut [u8], offset: usize, value: usize) {
        let value = u32::try_from(value).unwrap();
        let bytes = if self.0 { value.to_be_bytes() } else { value.to_le_bytes() };
        page[offset..offset + 4].copy_from_slice(&bytes);
    }

    fn put_short(&self, page: &mut [u8], offset: usize, value: usize) {
        let value = u16::try_from(value).unwrap();
        let bytes = if self.0 { value.to_be_bytes() } else { value.to_le_bytes() };
        page[offset..offset + 2].copy_from_slice(&bytes);
    }
}

/// A hash database of pages of 512 bytes: one bucket page for each package, its header on the page
/// if it fits, else on overflow pages after it; and the entry with the highest number.
pub(crate) fn bdb(headers: &[Vec<u8>], order: &Order) -> Vec<u8> {
    const PAGE: usize = 512;
    let mut pages: Vec<Vec<u8>> = vec![vec![0; PAGE]];
    for (index, header) in std::iter::once(&vec![9; 4]).chain(headers).enumerate() {
        let mut bucket = vec![0; PAGE];
        let mut end = PAGE;
        let mut item = |bucket: &mut Vec<u8>, position: usize, bytes: &[u8]| {
            end -= bytes.len();
            bucket[end..end + bytes.len()].copy_from_slice(bytes);
            order.put_short(bucket, 26 + position * 2, end);
        };
        let mut key = vec![1, 0, 0, 0, 0];
        order.put(&mut key, 1, index);
        item(&mut bucket, 0, &key);
        let bucket_number = pages.len();
        let mut overflow = Vec::new();
        if header.len() < 300 {
            item(&mut bucket, 1, &[&[1][..], header].concat());
        } else {
            let mut reference = vec![3; 12];
            order.put(&mut reference, 4, bucket_number + 1);
            order.put(&mut reference, 8, header.len());
            item(&mut bucket, 1, &reference);
            for (number, part) in header.chunks(PAGE - 26).enumerate() {
                let mut page = vec![0; PAGE];
                let is_last = (number + 1) * (PAGE - 26) >= header.len();
                order.put(&mut page, 16, if is_last { 0 } else { bucket_number + number + 2 });
                order.put_short(&mut page, 22, part.len());
                page[25] = 7;
                page[26..26 + part.len()].copy_from_slice(part);
                overflow.push(page);
            }
        }
        order.put_short(&mut bucket, 20, 2);
        bucket[25] = 13;
        pages.push(bucket);
        pages.extend(overflow);
    }
    let last = pages.len() - 1;
    order.put(&mut pages[0], 12, 0x0006_1561);
    order.put(&mut pages[0], 16, 9);
    order.put(&mut pages[0], 20, PAGE);
    pages[0][25] = 8;
    order.put(&mut pages[0], 32, last);
    pages.concat()
}

/// An SQLite database of pages of 512 bytes with the table `Packages`: an interior page with one
/// leaf for each row, and overflow pages.
pub(crate) fn sqlite(headers: &[Vec<u8>]) -> Vec<u8> {
    let mut pages: Vec<Vec<u8>> = vec![Vec::new(), Vec::new()];
    let mut leaves = Vec::new();
    for (index, header) in headers.iter().enumerate() {
        let row = record(&[Column::Null, Column::Blob(header)]);
        let leaf = leaf(&mut pages, index + 1, &row, 0);
        pages.push(leaf);
        leaves.push(pages.len());
    }
    pages[1] = interior(&leaves);
    let schema = record(&[
        Column::Text("table"),
        Column::Text("Packages"),
        Column::Text("Packages"),
        Column::Number(2),
        Column::Text("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB NOT NULL)"),
    ]);
    let mut first = leaf(&mut Vec::new(), 1, &schema, 100);
    first[..16].copy_from_slice(b"SQLite format 3\0");
    first[16..18].copy_from_slice(&512_u16.to_be_bytes());
    pages[0] = first;
    pages.concat()
}

enum Column<'a> {
    Null,
    Number(u8),
    Text(&'a str),
    Blob(&'a [u8]),
}

fn varint(value: usize) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(value & 0x7f).unwrap()];
    let mut rest = value >> 7;
    while rest > 0 {
        bytes.insert(0, u8::try_from(rest & 0x7f).unwrap() | 0x80);
        rest >>= 7;
    }
    bytes
}

fn record(columns: &[Column<'_>]) -> Vec<u8> {
    let mut types = Vec::new();
    let mut values = Vec::new();
    for column in columns {
        match column {
            Column::Null => types.push(0),
            Column::Number(number) => {
                types.push(1);
                values.push(*number);
            }
            Column::Text(text) => {
                types.extend(varint(13 + 2 * text.len()));
                values.extend(text.bytes());
            }
            Column::Blob(bytes) => {
                types.extend(varint(12 + 2 * bytes.len()));
                values.extend(*bytes);
            }
        }
    }
    [varint(types.len() + 1), types, values].concat()
}

/// A leaf with one row; what does not fit goes to new pages at the end of `pages`, the leaf itself
/// being the next after them.
fn leaf(pages: &mut Vec<Vec<u8>>, number: usize, row: &[u8], start: usize) -> Vec<u8> {
    let most = 512 - 35;
    let least = (512 - 12) * 32 / 255 - 23;
    let fitting = least + row.len().saturating_sub(least) % 508;
    let local = match row.len() {
        length if length <= most => length,
        _ if fitting <= most => fitting,
        _ => least,
    };
    let mut cell = [varint(row.len()), varint(number), row[..local].to_vec()].concat();
    let parts: Vec<&[u8]> = row[local..].chunks(508).collect();
    if !parts.is_empty() {
        cell.extend(u32::try_from(pages.len() + 1).unwrap().to_be_bytes());
    }
    for (index, part) in parts.iter().enumerate() {
        let next = if index + 1 < parts.len() { pages.len() + 2 } else { 0 };
        let mut page = u32::try_from(next).unwrap().to_be_bytes().to_vec();
        page.extend(*part);
        page.resize(512, 0);
        pages.push(page);
    }
    let mut page = vec![0; 512];
    page[start] = 13;
    page[start + 3..start + 5].copy_from_slice(&1_u16.to_be_bytes());
    let offset = 512 - cell.len();
    page[start + 8..start + 10].copy_from_slice(&u16::try_from(offset).unwrap().to_be_bytes());
    page[offset..].copy_from_slice(&cell);
    page
}

fn interior(children: &[usize]) -> Vec<u8> {
    let (last, others) = children.split_last().expect("a child");
    let mut page = vec![0; 512];
    page[0] = 5;
    page[3..5].copy_from_slice(&u16::try_from(others.len()).unwrap().to_be_bytes());
    page[8..12].copy_from_slice(&u32::try_from(*last).unwrap().to_be_bytes());
    for (index, child) in others.iter().enumerate() {
        let offset = 512 - (index + 1) * 5;
        page[12 + index * 2..14 + index * 2]
            .copy_from_slice(&u16::try_from(offset).unwrap().to_be_bytes());
        page[offset..offset + 4].copy_from_slice(&u32::try_from(*child).unwrap().to_be_bytes());
        page[offset + 4] = u8::try_from(index + 1).unwrap();
    }
    page
}
