//! Where things are in a program: just so much of ELF, PE and Mach-O headers as it takes to find
//! the lists of Go and Rust.
//!
//! Only the program's first 64 KiB are there to read, and numbers in them may be anything: each is
//! read with a bound check, and every sum is checked or saturates. Sources: the System V ABI
//! (gabi), chapters 4 and 5; Microsoft's PE format; Apple's `mach-o/loader.h` and `fat.h`; which
//! segment or section holds Go's build information: `debug/buildinfo` of Go.

use std::ops::Range;

/// Tables longer than this are not those of a program; ELF counts them with 16 bits.
const TABLE_ENTRIES_MAX: u64 = u16::MAX as u64;

/// A stretch of the file that is loaded somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// Where it begins in memory.
    pub(super) address: u64,
    /// Where it lies in the file.
    pub(super) file: Range<u64>,
}

/// Where the list of `cargo auditable` can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AuditPlace {
    /// In this section.
    Section(Range<u64>),
    /// Somewhere from here to the end of the file: ELF's section headers mostly stand behind all
    /// sections, so that a stream meets the list first.
    Behind(u64),
    /// Nowhere.
    Nowhere,
}

/// ELF's table of sections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SectionTable {
    /// Where it lies in the file.
    pub(super) file: Range<u64>,
    /// Length of one header.
    pub(super) entry_bytes: usize,
    numbers: Numbers,
}

/// What is known of a program from its headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// All loaded stretches.
    pub(super) segments: Vec<Segment>,
    /// The stretches in which Go's build information can be, in the file's order.
    pub(super) data: Vec<Range<u64>>,
    /// Whether `data` is the very section, so that nothing else need be looked at.
    pub(super) is_exact: bool,
    /// Where the audit list can be.
    pub(super) audit: AuditPlace,
    /// ELF's section table, if there is one.
    pub(super) sections: Option<SectionTable>,
    /// What is wrong with the file, as far as the headers show.
    pub(super) problem: Option<String>,
}

/// Whether the first 16 bytes are those of a program that [`Layout::parse`] understands.
pub(super) fn is_program(head: &[u8]) -> bool {
    head.len() == 16
        && (head.starts_with(b"\x7fELF")
            || head.starts_with(b"MZ")
            || macho_numbers(head).is_some()
            || fat_entry(head).is_some())
}

/// Where the first program of a Mach-O file for several architectures begins.
pub(super) fn first_of_many(head: &[u8]) -> Option<u64> {
    let is_wide = fat_entry(head)?;
    let numbers = Numbers { is_big: true, is_wide };
    numbers.word(head, 8 + 8)
}

impl Layout {
    /// Reads the headers in `head`, the beginning of a file of `size` bytes. `None` when it is no
    /// program after all.
    pub(super) fn parse(head: &[u8], size: u64) -> Option<Self> {
        if head.starts_with(b"\x7fELF") {
            elf(head, size)
        } else if head.starts_with(b"MZ") {
            pe(head, size)
        } else {
            macho(head, size)
        }
    }

    /// Where in the file the bytes at an address are, and how many follow in the same segment.
    pub(super) fn file_offset(&self, address: u64) -> Option<(u64, u64)> {
        self.segments.iter().find_map(|segment| {
            let inside = address.checked_sub(segment.address)?;
            let offset = segment.file.start.checked_add(inside)?;
            let left = segment.file.end.checked_sub(offset)?;
            (left > 0).then_some((offset, left))
        })
    }

    /// The end of the last stretch of `data`.
    pub(super) fn data_end(&self) -> u64 {
        self.data.iter().map(|range| range.end).max().unwrap_or(0)
    }
}

impl SectionTable {
    /// Where the section of a header lies in the file, if it has content there.
    pub(super) fn section(&self, header: &[u8]) -> Option<Range<u64>> {
        let numbers = self.numbers;
        // SHT_PROGBITS.
        if numbers.u32(header, 4)? != 1 {
            return None;
        }
        let (offset, size) = if numbers.is_wide { (24, 32) } else { (16, 20) };
        let start = numbers.word(header, offset)?;
        Some(start..start.saturating_add(numbers.word(header, size)?))
    }

    /// The index of the section's name in the table of names.
    fn name(&self, header: &[u8]) -> Option<u64> {
        self.numbers.u32(header, 0).map(u64::from)
    }
}

/// How numbers are written: byte order, and whether addresses have 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) is_big: bool,
    pub(super) is_wide: bool,
}

impl Numbers {
    fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let chunk = *bytes.get(at..)?.first_chunk()?;
        Some(if self.is_big { u16::from_be_bytes(chunk) } else { u16::from_le_bytes(chunk) })
    }

    pub(super) fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let chunk = *bytes.get(at..)?.first_chunk()?;
        Some(if self.is_big { u32::from_be_bytes(chunk) } else { u32::from_le_bytes(chunk) })
    }

    /// An address, an offset or a length.
    pub(super) fn word(self, bytes: &[u8], at: usize) -> Option<u64> {
        if !self.is_wide {
            return self.u32(bytes, at).map(u64::from);
        }
        let chunk = *bytes.get(at..)?.first_chunk()?;
        Some(if self.is_big { u64::from_be_bytes(chunk) } else { u64::from_le_bytes(chunk) })
    }
}

fn elf(head: &[u8], size: u64) -> Option<Layout> {
    let numbers = Numbers {
        is_wide: match head.get(4)? {
            1 => false,
            2 => true,
            _ => return None,
        },
        is_big: match head.get(5)? {
            1 => false,
            2 => true,
            _ => return None,
        },
    };
    // ET_EXEC and ET_DYN; objects and core dumps have no list.
    if !matches!(numbers.u16(head, 16)?, 2 | 3) {
        return None;
    }
    let mut layout = Layout {
        segments: Vec::new(),
        data: Vec::new(),
        is_exact: false,
        audit: AuditPlace::Nowhere,
        sections: elf_sections(head, numbers, size),
        problem: None,
    };
    let loaded_end = elf_segments(head, numbers, &mut layout)?;
    if loaded_end > size {
        layout.problem = Some(format!(
            "cut short: the program's headers name {loaded_end} bytes, there are {size}"
        ));
    }
    layout.audit = AuditPlace::Behind(loaded_end.min(size));
    if let Some(section) = elf_named(head, &layout, b".go.buildinfo\0") {
        layout.data = vec![section];
        layout.is_exact = true;
    }
    layout.data = disjoint(std::mem::take(&mut layout.data));
    Some(layout)
}

/// Reads the program headers; returns the end of the last loaded segment in the file.
fn elf_segments(head: &[u8], numbers: Numbers, layout: &mut Layout) -> Option<u64> {
    let (table, count, entry) = if numbers.is_wide { (32, 56, 54) } else { (28, 44, 42) };
    let table = usize::try_from(numbers.word(head, table)?).ok()?;
    let count = numbers.u16(head, count)?;
    let entry = usize::from(numbers.u16(head, entry)?);
    let mut loaded_end = 0;
    for index in 0..usize::from(count) {
        let start = index.checked_mul(entry)?.checked_add(table)?;
        let header = head.get(start..)?;
        // PT_LOAD.
        if numbers.u32(header, 0)? != 1 {
            continue;
        }
        let [flags, offset, address, length] =
            if numbers.is_wide { [4, 8, 16, 32] } else { [24, 4, 8, 16] };
        let flags = numbers.u32(header, flags)?;
        let start = numbers.word(header, offset)?;
        let file = start..start.saturating_add(numbers.word(header, length)?);
        loaded_end = loaded_end.max(file.end);
        // PF_W without PF_X.
        if flags & 3 == 2 {
            layout.data.push(file.clone());
        }
        layout.segments.push(Segment { address: numbers.word(header, address)?, file });
    }
    Some(loaded_end)
}

fn elf_sections(head: &[u8], numbers: Numbers, size: u64) -> Option<SectionTable> {
    let (table, count, entry) = if numbers.is_wide { (40, 60, 58) } else { (32, 48, 46) };
    let start = numbers.word(head, table)?;
    let entry_bytes = usize::from(numbers.u16(head, entry)?);
    let shortest = if numbers.is_wide { 64 } else { 40 };
    let count = u64::from(numbers.u16(head, count)?);
    let end = start.checked_add(count.checked_mul(entry_bytes as u64)?)?;
    let is_usable = start > 0 && entry_bytes >= shortest && count > 0 && end <= size;
    is_usable.then_some(SectionTable { file: start..end, entry_bytes, numbers })
}

/// A section by its name, when section headers and names are both in `head`, as the Go linker
/// places the former; else by being where such a section can be.
fn elf_named(head: &[u8], layout: &Layout, name: &[u8]) -> Option<Range<u64>> {
    let table = layout.sections.as_ref()?;
    let start = usize::try_from(table.file.start).ok()?;
    let end = usize::try_from(table.file.end).ok()?;
    let headers = head.get(start..end)?;
    let index_at = if table.numbers.is_wide { 62 } else { 50 };
    let index = usize::from(table.numbers.u16(head, index_at)?);
    let names = headers.chunks_exact(table.entry_bytes).nth(index)?;
    let (offset_at, _) = if table.numbers.is_wide { (24, 32) } else { (16, 20) };
    let names = usize::try_from(table.numbers.word(names, offset_at)?).ok()?;
    headers.chunks_exact(table.entry_bytes).find_map(|header| {
        let at = names.checked_add(usize::try_from(table.name(header)?).ok()?)?;
        head.get(at..)?.starts_with(name).then(|| table.section(header))?
    })
}

fn pe(head: &[u8], size: u64) -> Option<Layout> {
    let little = Numbers { is_big: false, is_wide: false };
    let start = usize::try_from(little.u32(head, 60)?).ok()?;
    let header = head.get(start..)?;
    if !header.starts_with(b"PE\0\0") {
        return None;
    }
    let count = u64::from(little.u16(header, 6)?);
    let optional = usize::from(little.u16(header, 20)?);
    let base = match little.u16(header, 24)? {
        // PE32+ and PE32.
        0x20b => Numbers { is_wide: true, ..little }.word(header, 24 + 24)?,
        0x10b => little.word(header, 24 + 28)?,
        _ => return None,
    };
    let mut layout = Layout {
        segments: Vec::new(),
        data: Vec::new(),
        is_exact: false,
        audit: AuditPlace::Nowhere,
        sections: None,
        problem: None,
    };
    for index in 0..usize::try_from(count.min(TABLE_ENTRIES_MAX)).ok()? {
        let Some(section) = header.get(24 + optional + index * 40..) else { break };
        let (Some(name), Some(length), Some(offset), Some(address), Some(flags)) = (
            section.get(..8),
            little.word(section, 16),
            little.word(section, 20),
            little.word(section, 12),
            little.u32(section, 36),
        ) else {
            break;
        };
        let file = offset..offset + length;
        if file.end > size && length > 0 {
            layout.problem = Some(format!(
                "cut short: the program's headers name {} bytes, there are {size}",
                file.end
            ));
        }
        if name == b".dep-v0\0" {
            layout.audit = AuditPlace::Section(file.clone());
        }
        // Initialised, readable, writable, not executable.
        if flags & 0xe000_0040 == 0xc000_0040 {
            layout.data.push(file.clone());
        }
        layout.segments.push(Segment { address: base.saturating_add(address), file });
    }
    layout.data = disjoint(std::mem::take(&mut layout.data));
    Some(layout)
}

fn macho(head: &[u8], size: u64) -> Option<Layout> {
    let numbers = macho_numbers(head)?;
    let mut layout = Layout {
        segments: Vec::new(),
        data: Vec::new(),
        is_exact: false,
        audit: AuditPlace::Nowhere,
        sections: None,
        problem: None,
    };
    let mut rest = head.get(if numbers.is_wide { 32 } else { 28 }..)?;
    for _ in 0..u64::from(numbers.u32(head, 16)?).min(TABLE_ENTRIES_MAX) {
        let Some(length) = numbers.u32(rest, 4).and_then(|length| usize::try_from(length).ok())
        else {
            break;
        };
        let Some(command) = rest.get(..length).filter(|command| command.len() >= 8) else { break };
        // LC_SEGMENT_64 and LC_SEGMENT.
        if numbers.u32(command, 0) == Some(if numbers.is_wide { 0x19 } else { 1 }) {
            macho_segment(command, numbers, &mut layout);
        }
        rest = &rest[length..];
    }
    let end = layout.segments.iter().map(|segment| segment.file.end).max().unwrap_or(0);
    if end > size {
        layout.problem =
            Some(format!("cut short: the program's headers name {end} bytes, there are {size}"));
    }
    layout.data = disjoint(std::mem::take(&mut layout.data));
    Some(layout)
}

/// Reads one segment and its sections; what is cut short is passed over.
fn macho_segment(command: &[u8], numbers: Numbers, layout: &mut Layout) -> Option<()> {
    let word = if numbers.is_wide { 8 } else { 4 };
    let name = command.get(8..24)?;
    let address = numbers.word(command, 24)?;
    let start = numbers.word(command, 24 + 2 * word)?;
    let file = start..start.saturating_add(numbers.word(command, 24 + 3 * word)?);
    layout.segments.push(Segment { address, file: file.clone() });
    let count = numbers.u32(command, 24 + 4 * word + 8)?;
    let sections = command.get(24 + 4 * word + 16..)?;
    let entry_bytes = if numbers.is_wide { 80 } else { 68 };
    let mut exact = None;
    for section in sections.chunks_exact(entry_bytes).take(usize::try_from(count).ok()?) {
        let length = numbers.word(section, 32 + word)?;
        let start = u64::from(numbers.u32(section, 32 + 2 * word)?);
        let file = start..start.saturating_add(length);
        if section.starts_with(b"__go_buildinfo\0") {
            exact = Some(file);
        } else if section.starts_with(b".dep-v0\0") {
            layout.audit = AuditPlace::Section(file);
        }
    }
    if let Some(exact) = exact {
        layout.data = vec![exact];
        layout.is_exact = true;
    } else if name.starts_with(b"__DATA\0") && !layout.is_exact {
        layout.data.push(file);
    }
    Some(())
}

/// The same stretches in the file's order, those that overlap or touch as one: a hostile program
/// may name the same bytes a thousand times.
fn disjoint(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.retain(|range| range.start < range.end);
    ranges.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

fn macho_numbers(head: &[u8]) -> Option<Numbers> {
    match head.first_chunk()? {
        b"\xcf\xfa\xed\xfe" => Some(Numbers { is_big: false, is_wide: true }),
        b"\xce\xfa\xed\xfe" => Some(Numbers { is_big: false, is_wide: false }),
        b"\xfe\xed\xfa\xcf" => Some(Numbers { is_big: true, is_wide: true }),
        b"\xfe\xed\xfa\xce" => Some(Numbers { is_big: true, is_wide: false }),
        _ => None,
    }
}

/// Whether the entries of a Mach-O file for several architectures are wide; `None` for another
/// file. Java's class files begin like the narrow form, followed by a version above 40 instead of a
/// count.
fn fat_entry(head: &[u8]) -> Option<bool> {
    let count = Numbers { is_big: true, is_wide: false }.u32(head, 4)?;
    match head.first_chunk()? {
        b"\xca\xfe\xba\xbe" if (1..=20).contains(&count) => Some(false),
        b"\xca\xfe\xba\xbf" if (1..=20).contains(&count) => Some(true),
        _ => None,
    }
}
