//! Tar streams of every variant, and ones that lie, read entry by entry.

use std::io::{self, Cursor, Read};

use super::{Kind, TarError, TarReader, TarSource};
use crate::build::LayerBuilder;

impl TarSource for Cursor<&[u8]> {
    fn skip(&mut self, count: u64) -> io::Result<u64> {
        let left = (self.get_ref().len() as u64).saturating_sub(self.position());
        let skipped = count.min(left);
        self.set_position(self.position() + skipped);
        Ok(skipped)
    }
}

/// All entries as `kind path -> link [size] content`.
fn list(tar: &[u8]) -> Result<Vec<String>, TarError> {
    let mut reader = TarReader::new(Cursor::new(tar));
    let mut lines = Vec::new();
    while let Some(entry) = reader.advance()? {
        let mut content = Vec::new();
        reader
            .by_ref()
            .take(4096)
            .read_to_end(&mut content)
            .map_err(|source| TarError::Read { at: 0, source })?;
        let kind = match entry.kind {
            Kind::File => "file",
            Kind::Folder => "folder",
            Kind::Symlink => "symlink",
            Kind::HardLink => "link",
            Kind::Other => "other",
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\0', ".");
        let (path, link) = (text(reader.path()), text(reader.link()));
        lines.push(format!("{kind} {path} -> {link} [{}] {}", entry.size, text(&content)));
    }
    Ok(lines)
}

fn check(case: &str, tar: &[u8], expected: &[&str]) {
    let got = list(tar).unwrap_or_else(|error| panic!("{case}: {error}"));
    assert_eq!(got, expected, "{case}");
}

fn layer() -> LayerBuilder {
    LayerBuilder::new()
}

/// A header block with fields written over it, and its checksum made right again.
fn patched(tar: &[u8], at: usize, patches: &[(usize, &[u8])]) -> Vec<u8> {
    let mut tar = tar.to_vec();
    for (offset, bytes) in patches {
        tar[at + offset..at + offset + bytes.len()].copy_from_slice(bytes);
    }
    let block: &mut [u8; 512] = (&mut tar[at..at + 512]).try_into().expect("a block");
    crate::build::seal(block);
    tar
}

#[test]
fn every_kind_of_entry_is_told_apart() {
    check(
        "kinds",
        &layer()
            .folder("d")
            .file("d/f", b"content")
            .symlink("s", "d/f")
            .hard_link("h", "d/f")
            .entry("pipe", b'6', b"")
            .entry("contiguous", b'7', b"c")
            .entry("label", b'V', b"skipped")
            .file("last", b"")
            .to_tar(),
        &[
            "folder d/ ->  [0] ",
            "file d/f ->  [7] content",
            "symlink s -> d/f [0] ",
            "link h -> d/f [0] ",
            "other pipe ->  [0] ",
            "file contiguous ->  [1] c",
            "other label ->  [7] skipped",
            "file last ->  [0] ",
        ],
    );
    let old = patched(&layer().file("d/", b"").file("n", b"1").to_tar(), 0, &[(156, b"\0")]);
    check("V7 folder", &old, &["folder d/ ->  [0] ", "file n ->  [1] 1"]);
}

#[test]
fn names_come_from_every_place_where_variants_put_them() {
    let long = "l".repeat(150);
    let line = format!("file {long} ->  [1] 1");
    check("GNU long name", &layer().file(&long, b"1").to_tar(), &[&line]);
    check("PAX path", &layer().pax(&[("path", &long)]).file("short", b"1").to_tar(), &[&line]);
    let line = format!("symlink s -> {long} [0] ");
    check("GNU long link", &layer().symlink("s", &long).to_tar(), &[&line]);
    check("PAX link", &layer().pax(&[("linkpath", &long)]).symlink("s", "x").to_tar(), &[&line]);
    let gnu_and_pax = layer().pax(&[("path", "from-pax")]).file(&long, b"1").to_tar();
    check("GNU wins over PAX", &gnu_and_pax, &[&format!("file {long} ->  [1] 1")]);
    let ustar =
        patched(&layer().file("n", b"1").to_tar(), 0, &[(257, b"ustar\x0000"), (345, b"a/b")]);
    check("ustar prefix", &ustar, &["file a/b/n ->  [1] 1"]);
    let star = patched(
        &layer().file("n", b"1").to_tar(),
        0,
        &[(257, b"ustar\x0000"), (345, b"a/b"), (476, b"12345"), (508, b"tar\0")],
    );
    check("star prefix ends before its times", &star, &["file a/b/n ->  [1] 1"]);
    let gnu = patched(&layer().file("n", b"1").to_tar(), 0, &[(345, b"12345")]);
    check("GNU has times there", &gnu, &["file n ->  [1] 1"]);
    check(
        "records hold for one entry, an empty one for none",
        &layer().pax(&[("path", "p")]).file("a", b"").pax(&[("path", "")]).file("b", b"").to_tar(),
        &["file p ->  [0] ", "file b ->  [0] "],
    );
    let global = layer().entry("g", b'g', b"12 path=xyz\n").file("a", b"1").to_tar();
    check("a global header changes nothing", &global, &["file a ->  [1] 1"]);
}

#[test]
fn sizes_come_in_octal_in_binary_and_from_pax() {
    let tar = layer().file("a", b"12345").file("b", b"").to_tar();
    let binary = patched(&tar, 0, &[(124, b"\x80\0\0\0\0\0\0\0\0\0\0\x05")]);
    check("base 256", &binary, &["file a ->  [5] 12345", "file b ->  [0] "]);
    let spaces = patched(&tar, 0, &[(124, b"         5 \0")]);
    check("spaces", &spaces, &["file a ->  [5] 12345", "file b ->  [0] "]);
    let pax = layer().pax(&[("size", "5")]).to_open_tar();
    let wrong = patched(&tar, 0, &[(124, b"00000000000\0")]);
    let lines = ["file a ->  [5] 12345", "file b ->  [0] "];
    check("PAX", &[pax, wrong].concat(), &lines);
    let link =
        patched(&layer().symlink("s", "t").file("n", b"").to_tar(), 0, &[(124, b"00000001000\0")]);
    check("a link has no content", &link, &["symlink s -> t [0] ", "file n ->  [0] "]);
}

#[test]
fn sparse_files_read_as_they_would_be_unpacked() {
    let expected = ["file a ->  [10] ..abc...de", "file b ->  [0] "];
    let map = [b"00000000002\0" as &[u8], b"00000000003\0", b"00000000010\0", b"00000000002\0"];
    let stored = layer().entry("a", b'S', b"abcde").file("b", b"").to_tar();
    let gnu = patched(&stored, 0, &[(386, &map.concat()), (483, b"00000000012\0")]);
    check("GNU", &gnu, &expected);
    let mut block = [0; 512];
    block[..24].copy_from_slice(&map[2..].concat());
    let mut extended =
        patched(&stored, 0, &[(386, &map[..2].concat()), (482, b"\x01"), (483, b"00000000012\0")]);
    extended.splice(512..512, block);
    check("GNU, extended", &extended, &expected);
    let in_header = layer()
        .pax(&[("GNU.sparse.size", "10"), ("GNU.sparse.map", "2,3,8,2"), ("GNU.sparse.name", "a")])
        .file("x", b"abcde")
        .file("b", b"")
        .to_tar();
    check("PAX 0.1", &in_header, &expected);
    let pairs = layer()
        .pax(&[
            ("GNU.sparse.size", "10"),
            ("GNU.sparse.offset", "2"),
            ("GNU.sparse.numbytes", "3"),
            ("GNU.sparse.offset", "8"),
            ("GNU.sparse.numbytes", "2"),
        ])
        .file("a", b"abcde")
        .file("b", b"")
        .to_tar();
    check("PAX 0.0", &pairs, &expected);
    let mut data = b"2\n2\n3\n8\n2\n".to_vec();
    data.resize(512, 0);
    data.extend(b"abcde");
    let in_data = layer()
        .pax(&[
            ("GNU.sparse.major", "1"),
            ("GNU.sparse.minor", "0"),
            ("GNU.sparse.name", "a"),
            ("GNU.sparse.realsize", "10"),
        ])
        .file("GNUSparseFile.0/a", &data)
        .file("b", b"")
        .to_tar();
    check("PAX 1.0", &in_data, &expected);
    let mut reader = TarReader::new(Cursor::new(in_data.as_slice()));
    reader.advance().expect("reads").expect("an entry");
    assert_eq!(reader.skip_content(4).expect("skips"), 4);
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).expect("reads");
    assert_eq!(rest, b"c\0\0\0de", "skipping goes over holes and data alike");
}

#[test]
fn an_archive_may_end_without_its_end_but_not_inside_an_entry() {
    let closed = layer().file("a", &[b'x'; 700]).file("b", b"1").to_tar();
    let open = layer().file("a", &[b'x'; 700]).file("b", b"1").to_open_tar();
    let first = list(&closed).expect("reads");
    assert_eq!(list(&open).expect("reads"), first, "no closing blocks");
    assert_eq!(list(b"").expect("reads"), Vec::<String>::new(), "nothing at all");
    let garbage = [closed.clone(), b"after the end".to_vec()].concat();
    assert_eq!(list(&garbage).expect("reads"), first, "what follows the end is not looked at");
    let lone = [&open[..1536], &[0; 512], &open[1536..]].concat();
    assert_eq!(list(&lone).expect("reads"), first, "a lone zero block");
    let boundaries = [0, 1536, 2560];
    for cut in (0..=open.len()).step_by(256) {
        let result = list(&open[..cut]);
        let is_boundary = boundaries.contains(&cut);
        assert_eq!(result.is_ok(), is_boundary, "cut at {cut}: {result:?}");
    }
}

#[test]
fn headers_that_lie_are_refused() {
    let tar = layer().file("a", b"12345").to_tar();
    let sized = |size: &[u8]| patched(&tar, 0, &[(124, size)]);
    let pax = |content: &[u8]| layer().entry("x", b'x', content).file("a", b"").to_tar();
    let mut bad_sum = tar.clone();
    bad_sum[0] = b'b';
    let sparse = |map: &str| {
        layer()
            .pax(&[("GNU.sparse.size", "10"), ("GNU.sparse.map", map)])
            .file("a", b"abc")
            .to_tar()
    };
    let many = (0..20).fold(layer(), |layer, _| layer.pax(&[("path", "p")])).file("a", b"");
    for (case, bytes) in [
        ("checksum", bad_sum),
        ("size is text", sized(b"hello world\0")),
        ("size is negative", sized(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")),
        ("size is huge", sized(b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff")),
        ("size is past 64 bits", sized(b"\x80\0\x01\0\0\0\0\0\0\0\0\0")),
        ("size is past the end", sized(b"77777777777\0")),
        ("PAX length is zero", pax(b"0 path=a\n")),
        ("PAX length is past the end", pax(b"99 path=a\n")),
        ("PAX length has no end", pax(b"99999999999999999999999999")),
        ("PAX without equals", pax(b"9 patha\n\n")),
        ("PAX without newline", pax(b"10 path=ab")),
        ("PAX size is negative", pax(b"11 size=-1\n")),
        ("PAX header too large", layer().entry("x", b'x', &vec![0; (1 << 20) + 1]).to_tar()),
        ("long name too large", layer().entry("x", b'L', &vec![b'a'; (1 << 20) + 1]).to_tar()),
        ("too many headers", many.to_tar()),
        ("sparse map goes back", sparse("5,2,0,1")),
        ("sparse map overlaps", sparse("0,2,1,1")),
        ("sparse map leaves the file", sparse("9,2")),
        ("sparse map has more than is stored", sparse("0,10")),
        ("sparse map overflows", sparse("9223372036854775807,9223372036854775807")),
    ] {
        let result = list(&bytes);
        assert!(result.is_err(), "{case}: {result:?}");
    }
}
