//! Go's build information in both its forms, wherever it may lie.

use crate::language::tests::packages;

use super::{BASE, Elf, macho, pe, put, read};

pub(super) const LIST: &str = "path\texample.com/a\nmod\texample.com/a\t(devel)\t\n\
    dep\tgithub.com/X/y\tv1.2.3\th1:abc=\nbuild\tGOOS=linux\nbuild\tGOARCH=amd64\n";

const START: [u8; 16] = [
    0x30, 0x77, 0xaf, 0x0c, 0x92, 0x74, 0x08, 0x02, 0x41, 0xe1, 0xc1, 0x07, 0xe6, 0xd6, 0x18, 0xe6,
];
const END: [u8; 16] = [
    0xf9, 0x32, 0x43, 0x31, 0x86, 0x18, 0x20, 0x72, 0x00, 0x82, 0x42, 0x10, 0x41, 0x16, 0xd8, 0xf2,
];

fn framed(list: &str) -> Vec<u8> {
    [&START[..], list.as_bytes(), &END].concat()
}

/// The form since Go 1.18.
pub(super) fn inline(version: &str, list: &str) -> Vec<u8> {
    let mut out = b"\xff Go buildinf:\x08\x02".to_vec();
    out.resize(32, 0);
    for text in [version.as_bytes(), &framed(list)] {
        let mut length = text.len();
        while length >= 0x80 {
            out.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        out.push(u8::try_from(length).unwrap());
        out.extend_from_slice(text);
    }
    out
}

/// The form before Go 1.18: texts among the read-only data, string headers behind the mark.
pub(super) fn older(width: usize, is_big: bool) -> Elf {
    let word = |value: u64| -> Vec<u8> {
        match (width, is_big) {
            (8, false) => value.to_le_bytes().to_vec(),
            (8, true) => value.to_be_bytes().to_vec(),
            (_, false) => u32::try_from(value).unwrap().to_le_bytes().to_vec(),
            (_, true) => u32::try_from(value).unwrap().to_be_bytes().to_vec(),
        }
    };
    let mut elf = Elf::new();
    let list = framed(LIST);
    elf.read_only = [b"go1.1 go1.16.5words go1.17", &list[..], b"more"].concat();
    let read_only = BASE + elf.read_only_at() as u64;
    let writable = BASE + elf.writable_at() as u64;
    elf.writable = b"\xff Go buildinf:".to_vec();
    elf.writable.extend_from_slice(&[u8::try_from(width).unwrap(), u8::from(is_big)]);
    let headers = writable + 64;
    elf.writable.extend(word(headers));
    elf.writable.extend(word(headers + 2 * width as u64));
    elf.writable.resize(64, 0);
    for (at, length) in [(read_only + 6, 8), (read_only + 26, list.len() as u64)] {
        elf.writable.extend(word(at));
        elf.writable.extend(word(length));
    }
    elf
}

fn check(bytes: &[u8], version: &str) {
    let found = read(bytes);
    assert_eq!(packages(&found), [("github.com/X/y", "v1.2.3"), ("stdlib", version)]);
    assert!(found.packages.iter().all(|one| one.built_for.as_deref() == Some("linux/amd64")));
    assert!(found.problems.is_empty(), "{:?}", found.problems);
}

#[test]
fn texts_behind_the_mark_are_read() {
    let mut elf = Elf::new();
    elf.writable = [vec![7; 48], inline("go1.22.1", LIST)].concat();
    check(&elf.bytes(), "1.22.1");
    elf.has_table = false;
    check(&elf.bytes(), "1.22.1");
}

#[test]
fn the_mark_is_found_far_behind_and_across_reads() {
    for padding in [200_000, 65_536 - 300, 65_536 + 128 * 1024 - 90] {
        let mut elf = Elf::new();
        elf.read_only = vec![1; padding];
        elf.writable = [vec![7; 160], inline("go1.22.1", LIST), vec![9; 300_000]].concat();
        check(&elf.bytes(), "1.22.1");
    }
    let mut elf = Elf::new();
    elf.writable = [vec![7; 40 << 20], inline("go1.22.1", LIST)].concat();
    check(&elf.bytes(), "1.22.1");
}

#[test]
fn a_mark_off_its_alignment_or_with_wrong_texts_is_passed_over() {
    let good = inline("go1.22.1", LIST);
    let mut wrong = good[..32].to_vec();
    wrong.extend_from_slice(&[0xff; 16]);
    let mut elf = Elf::new();
    elf.writable = [&[0; 8][..], &inline("go1.1", ""), &[0; 15], &wrong].concat();
    elf.writable.resize(elf.writable.len().next_multiple_of(16), 0);
    elf.writable.extend_from_slice(&good);
    check(&elf.bytes(), "1.22.1");
}

#[test]
fn texts_that_are_cut_or_claim_a_gigabyte_give_nothing() {
    let good = inline("go1.22.1", LIST);
    let mut claims = good[..32].to_vec();
    claims.extend_from_slice(&[8]);
    claims.extend_from_slice(b"go1.22.1");
    // 1 GiB as a varint.
    claims.extend_from_slice(&[0x80, 0x80, 0x80, 0x80, 0x04, b'x']);
    for writable in [good[..60].to_vec(), claims, good[..32].to_vec()] {
        let mut elf = Elf::new();
        elf.writable = writable;
        assert!(read(&elf.bytes()).packages.is_empty());
    }
}

#[test]
fn pointers_of_older_programs_are_followed() {
    check(&older(8, false).bytes(), "1.16.5");
    check(&older(4, false).bytes(), "1.16.5");
    check(&older(8, true).bytes(), "1.16.5");
    // Texts beyond the first read, and across two.
    for padding in [100_000, 65_536 - 200, 65_536 - 240] {
        let mut elf = older(8, false);
        let shift = padding as u64;
        elf.padding = padding;
        for at in [16, 24, 64, 80] {
            let value = u64::from_le_bytes(elf.writable[at..at + 8].try_into().unwrap());
            put(&mut elf.writable, at, &(value + shift.next_multiple_of(16)).to_le_bytes());
        }
        check(&elf.bytes(), "1.16.5");
    }
}

#[test]
fn pointers_that_lead_nowhere_leave_the_modules() {
    let mut elf = older(8, false);
    for at in [64, 80] {
        put(&mut elf.writable, at, &0_u64.to_le_bytes());
    }
    let found = read(&elf.bytes());
    assert_eq!(packages(&found), [("github.com/X/y", "v1.2.3")]);
    assert_eq!(found.problems.len(), 1);
    // A string header that points at itself.
    let mut elf = older(8, false);
    let own = BASE + elf.writable_at() as u64 + 16;
    put(&mut elf.writable, 16, &own.to_le_bytes());
    assert_eq!(read(&elf.bytes()).problems.len(), 1);
}

#[test]
fn other_systems_keep_it_in_their_own_sections() {
    let info = inline("go1.22.1", LIST);
    check(&pe(b".data\0\0\0", 0xc000_0040, &info), "1.22.1");
    check(&pe(b".go.buil", 0xc060_0040, &info), "1.22.1");
    assert!(read(&pe(b".rdata\0\0", 0x4000_0040, &info)).is_empty());
    check(&macho(b"__DATA\0\0\0\0\0\0\0\0\0\0", b"__go_buildinfo\0\0", &info), "1.22.1");
    check(&macho(b"__DATA\0\0\0\0\0\0\0\0\0\0", b"__other\0\0\0\0\0\0\0\0\0", &info), "1.22.1");
    assert!(read(&macho(b"__TEXT\0\0\0\0\0\0\0\0\0\0", &[0; 16], &info)).is_empty());
    // The first of several architectures counts, near or far.
    for offset in [4096_u32, 200_000] {
        let mut fat = b"\xca\xfe\xba\xbe\0\0\0\x01".to_vec();
        fat.resize(offset as usize, 0);
        put(&mut fat, 16, &offset.to_be_bytes());
        fat.extend(macho(b"__DATA\0\0\0\0\0\0\0\0\0\0", b"__go_buildinfo\0\0", &info));
        check(&fat, "1.22.1");
    }
}
