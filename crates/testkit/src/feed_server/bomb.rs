//! Small files that unpack to very large ones.

use std::io::{self, Cursor, Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// A gzip file that unpacks to so many spaces; about a thousandth of that long.
pub fn gzip_bomb(plain_bytes: u64) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    write_spaces(&mut encoder, plain_bytes);
    encoder.finish().expect("memory takes all")
}

/// A zip file with one member, `name`, that unpacks to so many spaces.
pub fn zip_bomb(name: &str, plain_bytes: u64) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().large_file(true);
    writer.start_file(name, options).expect("a file can begin");
    write_spaces(&mut writer, plain_bytes);
    writer.finish().expect("memory takes all").into_inner()
}

fn write_spaces(target: &mut impl Write, count: u64) {
    let mut spaces = io::repeat(b' ').take(count);
    io::copy(&mut spaces, target).expect("memory takes all");
}
