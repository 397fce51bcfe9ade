//! Lists of crates in all places they may lie.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use crate::language::tests::{Noise, packages};

use super::{Elf, macho, pe, read};

pub(super) const LIST: &str = r#"{"packages":[
    {"name":"app","version":"0.1.0","source":"local","root":true,"dependencies":[2]},
    {"name":"cc","version":"1.0.0","source":"crates.io","kind":"build"},
    {"name":"serde","version":"1.0.200","source":"crates.io","kind":"runtime"}],"format":1}"#;

pub(super) fn compressed(text: &str) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn noise(length: usize) -> Vec<u8> {
    let mut noise = Noise::new(7);
    (0..length).map(|_| noise.next().to_le_bytes()[0]).collect()
}

fn check(bytes: &[u8]) {
    let found = read(bytes);
    assert_eq!(packages(&found), [("app", "0.1.0"), ("serde", "1.0.200")]);
    assert!(found.problems.is_empty(), "{:?}", found.problems);
}

#[test]
fn the_list_is_found_before_the_table_that_names_it() {
    let list = compressed(LIST);
    for before in [0, 1, 100_000, 65_536 - 300, 300_000] {
        for behind in [0, 1, 500, 200_000] {
            let mut elf = Elf::new();
            elf.read_only = vec![3; 1000];
            elf.sections = vec![
                (".comment", noise(before)),
                (".dep-v0", list.clone()),
                (".symtab", noise(behind)),
            ];
            check(&elf.bytes());
        }
    }
}

#[test]
fn a_list_that_is_no_section_is_passed_over() {
    let list = compressed(LIST);
    let mut elf = Elf::new();
    elf.read_only = list.clone();
    elf.sections = vec![(".data", [b"xx", &list[..]].concat())];
    assert!(read(&elf.bytes()).is_empty());
    elf.has_table = false;
    assert!(read(&elf.bytes()).is_empty());
}

#[test]
fn other_systems_name_the_section_at_the_start() {
    check(&pe(b".dep-v0\0", 0x4000_0040, &compressed(LIST)));
    check(&macho(b"__DATA\0\0\0\0\0\0\0\0\0\0", b".dep-v0\0\0\0\0\0\0\0\0\0", &compressed(LIST)));
    let found = read(&pe(b".dep-v0\0", 0x4000_0040, b"nothing of the kind"));
    assert_eq!(found.problems, ["section .dep-v0 holds no audit data"]);
}

#[test]
fn bombs_and_damage_are_named() {
    let bomb = format!("{{\"packages\":[],\"x\":\"{}\"}}", "a".repeat(64 << 20));
    let check = |content: Vec<u8>, expected: &str| {
        let mut elf = Elf::new();
        elf.sections = vec![(".dep-v0", content), (".symtab", noise(5000))];
        let found = read(&elf.bytes());
        assert!(found.packages.is_empty());
        assert!(found.problems[0].contains(expected), "{:?}", found.problems);
    };
    check(compressed(&bomb), "unpacks to more than");
    check(compressed("{\"packages\":7}"), "JSON");
    check(compressed("{\"packages\":[{\"name\":"), "JSON");
    let long = LIST.repeat(20);
    let mut damaged = compressed(&long);
    let last = damaged.len() - 1;
    damaged[last] ^= 0xff;
    check(damaged, "damaged");
}
