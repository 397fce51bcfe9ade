//! Programs of a few hundred bytes, written by hand, and damaged ones.

mod audit;
mod build_info;

use crate::cataloger::{Cataloger as _, FileInfo, Found};
use crate::language::tests::{catalog, damage};

use super::Executable;

/// A 64-bit little-endian ELF program: a read-only segment, a writable one, and sections behind
/// them that are not loaded. Addresses are places in the file plus [`BASE`].
struct Elf {
    read_only: Vec<u8>,
    writable: Vec<u8>,
    /// Names and content of sections, in their order.
    sections: Vec<(&'static str, Vec<u8>)>,
    has_table: bool,
    /// Bytes behind the headers, to move everything out of what is read at once.
    padding: usize,
}

/// Where the file's first byte is in memory.
const BASE: u64 = 0x40_0000;

/// ELF header and two program headers.
const HEADERS: usize = 64 + 2 * 56;

impl Elf {
    fn new() -> Self {
        Self {
            read_only: Vec::new(),
            writable: Vec::new(),
            sections: Vec::new(),
            has_table: true,
            padding: 0,
        }
    }

    fn read_only_at(&self) -> usize {
        (HEADERS + self.padding).next_multiple_of(16)
    }

    fn writable_at(&self) -> usize {
        (self.read_only_at() + self.read_only.len()).next_multiple_of(16)
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        out.resize(HEADERS + self.padding, 0);
        put(&mut out, 16, &2_u16.to_le_bytes());
        put(&mut out, 18, &62_u16.to_le_bytes());
        put(&mut out, 32, &64_u64.to_le_bytes());
        put(&mut out, 54, &56_u16.to_le_bytes());
        put(&mut out, 56, &2_u16.to_le_bytes());
        let segments = [
            (5_u32, self.read_only_at(), &self.read_only),
            (6_u32, self.writable_at(), &self.writable),
        ];
        for (index, (flags, at, content)) in segments.into_iter().enumerate() {
            let header = 64 + 56 * index;
            let at64 = at as u64;
            put(&mut out, header, &1_u32.to_le_bytes());
            put(&mut out, header + 4, &flags.to_le_bytes());
            put(&mut out, header + 8, &at64.to_le_bytes());
            put(&mut out, header + 16, &(BASE + at64).to_le_bytes());
            put(&mut out, header + 32, &(content.len() as u64).to_le_bytes());
            out.resize(at, 0);
            out.extend_from_slice(content);
        }
        if self.has_table {
            self.table(&mut out);
        }
        out
    }

    fn table(&self, out: &mut Vec<u8>) {
        let mut names = vec![0];
        let mut headers = vec![0; 64];
        for (name, content) in &self.sections {
            section(&mut headers, names.len(), 1, out.len(), content.len());
            names.extend_from_slice(name.as_bytes());
            names.push(0);
            out.extend_from_slice(content);
        }
        let name = names.len();
        names.extend_from_slice(b".shstrtab\0");
        section(&mut headers, name, 3, out.len(), names.len());
        out.extend_from_slice(&names);
        let count = u16::try_from(headers.len() / 64).unwrap();
        let start = out.len() as u64;
        put(out, 40, &start.to_le_bytes());
        put(out, 58, &64_u16.to_le_bytes());
        put(out, 60, &count.to_le_bytes());
        put(out, 62, &(count - 1).to_le_bytes());
        out.extend_from_slice(&headers);
    }
}

fn section(headers: &mut Vec<u8>, name: usize, kind: u32, at: usize, length: usize) {
    let start = headers.len();
    headers.resize(start + 64, 0);
    put(headers, start, &u32::try_from(name).unwrap().to_le_bytes());
    put(headers, start + 4, &kind.to_le_bytes());
    put(headers, start + 24, &(at as u64).to_le_bytes());
    put(headers, start + 32, &(length as u64).to_le_bytes());
}

fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    out[at..at + bytes.len()].copy_from_slice(bytes);
}

/// A PE32+ program of one section.
fn pe(name: &[u8; 8], flags: u32, content: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 512];
    put(&mut out, 0, b"MZ");
    put(&mut out, 60, &128_u32.to_le_bytes());
    put(&mut out, 128, b"PE\0\0");
    put(&mut out, 134, &1_u16.to_le_bytes());
    put(&mut out, 148, &112_u16.to_le_bytes());
    put(&mut out, 152, &0x20b_u16.to_le_bytes());
    put(&mut out, 176, &BASE.to_le_bytes());
    let section = 152 + 112;
    put(&mut out, section, name);
    put(&mut out, section + 12, &512_u32.to_le_bytes());
    put(&mut out, section + 16, &u32::try_from(content.len()).unwrap().to_le_bytes());
    put(&mut out, section + 20, &512_u32.to_le_bytes());
    put(&mut out, section + 36, &flags.to_le_bytes());
    out.extend_from_slice(content);
    out
}

/// A 64-bit Mach-O program of one segment with one section.
fn macho(segment: &[u8], section: &[u8], content: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 512];
    put(&mut out, 0, b"\xcf\xfa\xed\xfe");
    put(&mut out, 16, &1_u32.to_le_bytes());
    put(&mut out, 32, &0x19_u32.to_le_bytes());
    put(&mut out, 36, &152_u32.to_le_bytes());
    put(&mut out, 40, segment);
    put(&mut out, 56, &BASE.to_le_bytes());
    put(&mut out, 72, &512_u64.to_le_bytes());
    put(&mut out, 80, &(content.len() as u64).to_le_bytes());
    put(&mut out, 96, &1_u32.to_le_bytes());
    put(&mut out, 104, section);
    put(&mut out, 144, &(content.len() as u64).to_le_bytes());
    put(&mut out, 152, &512_u32.to_le_bytes());
    out.extend_from_slice(content);
    out
}

fn read(bytes: &[u8]) -> Found {
    catalog(&Executable, "app/server", bytes)
}

#[test]
fn what_may_be_a_program_is_wanted() {
    for (path, mode, size, expected) in [
        ("app/server", 0o755, 4096, true),
        ("app/server", 0o644, 8 << 20, true),
        ("app/server", 0o644, 4096, false),
        ("usr/lib/libx.so", 0o644, 4096, true),
        ("usr/lib/libx.so.1", 0o755, 4096, true),
        ("app/kubectl-v1.28.exe", 0o644, 4096, true),
        ("server", 0o644, 8 << 20, true),
        ("usr/local/bin/server", 0o644, 8 << 20, true),
        ("var/lib/rpm/Packages", 0o644, 80 << 20, false),
        ("usr/lib/sysimage/rpm/Packages", 0o644, 80 << 20, false),
        ("lib/apk/db/installed", 0o644, 8 << 20, false),
        ("app/orders.jar", 0o755, 8 << 20, false),
        ("app/run.sh", 0o755, 100, false),
        ("etc/passwd", 0o644, 100, false),
    ] {
        let file = FileInfo { path, size, mode };
        assert_eq!(Executable.wants(&file), expected, "{path} {mode:o} {size}");
    }
}

#[test]
fn other_files_are_passed_over_in_silence() {
    let class = b"\xca\xfe\xba\xbe\0\0\0\x34\0\0\0\0\0\0\0\0 java".to_vec();
    for bytes in [&b""[..], b"#!/bin/sh\necho hello world\n", b"MZ", b"\x7fELF", &class] {
        assert!(read(bytes).is_empty(), "{bytes:?}");
    }
    let mut object = Elf::new().bytes();
    put(&mut object, 16, &1_u16.to_le_bytes());
    assert!(read(&object).is_empty());
    assert!(read(&Elf::new().bytes()).is_empty());
}

#[test]
fn programs_cut_short_are_named() {
    let mut elf = Elf::new();
    elf.read_only = vec![1; 5000];
    elf.writable = vec![2; 5000];
    elf.has_table = false;
    let bytes = elf.bytes();
    let found = read(&bytes[..6000]);
    assert_eq!(found.problems.len(), 1);
    assert!(found.problems[0].starts_with("cut short"), "{:?}", found.problems);
    let found = read(&pe(b".data\0\0\0", 0xc000_0040, &[0; 600])[..700]);
    assert!(found.problems[0].starts_with("cut short"), "{:?}", found.problems);
    let found = read(&macho(&[0; 16], &[0; 16], &[0; 600])[..700]);
    assert!(found.problems[0].starts_with("cut short"), "{:?}", found.problems);
}

#[test]
fn numbers_that_lie_end_in_a_result() {
    let whole = Elf::new().bytes();
    // Every field of the headers in turn claims the most it can, and zero.
    for at in 16..whole.len() {
        for value in [0_u8, 0x7f, 0xff] {
            for width in [1, 2, 4, 8] {
                let mut bytes = whole.clone();
                let end = (at + width).min(bytes.len());
                bytes[at..end].fill(value);
                assert!(read(&bytes).packages.is_empty());
            }
        }
    }
}

#[test]
fn programs_made_to_take_long_end_soon() {
    // A thousand segments over the same megabytes.
    let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    bytes.resize(64 + 1000 * 56, 0);
    put(&mut bytes, 16, &2_u16.to_le_bytes());
    put(&mut bytes, 32, &64_u64.to_le_bytes());
    put(&mut bytes, 54, &56_u16.to_le_bytes());
    put(&mut bytes, 56, &1000_u16.to_le_bytes());
    for index in 0..1000 {
        let header = 64 + 56 * index;
        put(&mut bytes, header, &1_u32.to_le_bytes());
        put(&mut bytes, header + 4, &6_u32.to_le_bytes());
        put(&mut bytes, header + 32, &(32_u64 << 20).to_le_bytes());
    }
    bytes.resize(32 << 20, 0);
    assert!(read(&bytes).is_empty());
    // Nothing but beginnings of zlib streams.
    let mut elf = Elf::new();
    elf.sections = vec![(".symtab", b"x\x9c".repeat(1 << 20))];
    let found = read(&elf.bytes());
    assert_eq!(found.problems.len(), 1);
    assert!(found.problems[0].contains("places tried"), "{:?}", found.problems);
}

#[test]
fn damaged_programs_never_panic() {
    let go = build_info::inline("go1.22.1", build_info::LIST);
    let mut elf = Elf::new();
    elf.writable.clone_from(&go);
    elf.sections = vec![(".dep-v0", audit::compressed(audit::LIST))];
    damage(&Executable, "app/server", &elf.bytes(), 3000);
    damage(&Executable, "app/server", &build_info::older(8, false).bytes(), 3000);
    damage(&Executable, "app/server", &pe(b".data\0\0\0", 0xc000_0040, &go), 3000);
    damage(&Executable, "app/server", &macho(&[0; 16], b"__go_buildinfo\0\0", &go), 3000);
}
