//! Takes of a long archive only what the catalog will ask for.
//!
//! Nine tenths of an application's archive are classes, which are never looked at. While the
//! archive passes by, local headers and directories are found by their signatures, in archives that
//! are stored inside it too, and what belongs to a member that nobody wants is not written down:
//! its bytes stay zero, and memory that is zero from the start costs nothing before it is written.
//! The central directory still decides what is in the archive. If a signature turns up by chance
//! inside a wanted member, or a local header has another name than the directory, that member
//! cannot be read and is told as damaged; nothing is found that would not be found otherwise.

use std::io::{self, Read};

use memchr::memmem;

use super::zip::{LOCAL_BYTES, u16_at};
use super::{archive, is_archive};

/// How much is read at a time.
const CHUNK_BYTES: usize = 128 << 10;

/// The longest name a local header can have.
const NAME_BYTES_MAX: usize = u16::MAX as usize;

/// Reads an archive of `size` bytes; those that nobody will ask for come out as zeros. If the
/// source ends earlier, so does the answer.
///
/// # Errors
/// Those of the source.
pub(super) fn read_wanted(source: &mut dyn Read, size: usize) -> io::Result<Vec<u8>> {
    let mut kept = vec![0; size];
    // Bytes of the archive from `start` on: what could not be judged yet, and what was read last.
    let mut window = vec![0; LOCAL_BYTES + NAME_BYTES_MAX + CHUNK_BYTES];
    let (mut start, mut filled, mut is_keeping) = (0, 0, false);
    loop {
        let room = window.len().min(size - start);
        let count = source.read(&mut window[filled..room])?;
        filled += count;
        let is_last = count == 0;
        let judged = judge(&window[..filled], is_last, &mut is_keeping, |from, bytes| {
            kept[start + from..][..bytes.len()].copy_from_slice(bytes);
        });
        window.copy_within(judged..filled, 0);
        start += judged;
        filled -= judged;
        if is_last {
            kept.truncate(start);
            return Ok(kept);
        }
    }
}

/// Keeps what is to be kept of a window and says how much of it is settled: all but a signature or
/// header at its end of which more has to be seen. In the last window that is everything.
fn judge(
    window: &[u8],
    is_last: bool,
    is_keeping: &mut bool,
    mut keep: impl FnMut(usize, &[u8]),
) -> usize {
    let mut settled = 0;
    let mut settle = |until: usize, is_keeping: bool| {
        if is_keeping {
            keep(settled, &window[settled..until]);
        }
        settled = until;
    };
    for at in memmem::find_iter(window, b"PK") {
        match starts_wanted(&window[at..]) {
            Some(Signature::None) => {}
            Some(Signature::Part { is_wanted }) => {
                settle(at, *is_keeping);
                *is_keeping = is_wanted;
            }
            None if is_last => {}
            None => {
                settle(at, *is_keeping);
                return at;
            }
        }
    }
    // The first letter of a signature may be the last byte.
    let until = window.len() - usize::from(!is_last && window.last() == Some(&b'P'));
    settle(until, *is_keeping);
    until
}

/// What begins where the letters `PK` stand.
enum Signature {
    /// Nothing.
    None,
    /// A part of an archive.
    Part { is_wanted: bool },
}

/// `None` if more has to be seen.
fn starts_wanted(bytes: &[u8]) -> Option<Signature> {
    match bytes.get(2..4)? {
        b"\x03\x04" => {
            let length = usize::from(u16_at(bytes.get(..LOCAL_BYTES)?, 26)?);
            let name = bytes.get(LOCAL_BYTES..LOCAL_BYTES + length)?;
            let is_wanted =
                archive::is_manifest(name) || archive::is_properties(name) || is_archive(name);
            Some(Signature::Part { is_wanted })
        }
        // A directory's header; its end, the same for zip64, and where that is.
        b"\x01\x02" | b"\x05\x06" | b"\x06\x06" | b"\x06\x07" => {
            Some(Signature::Part { is_wanted: true })
        }
        _ => Some(Signature::None),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use ::zip::CompressionMethod::{Deflated, Stored};
    use ::zip::write::{SimpleFileOptions, ZipWriter};

    use super::*;
    use crate::cataloger::Found;
    use crate::language::java::archive::Walk;

    /// Gives its bytes a few at a time, so that every signature is cut somewhere.
    struct Drops<'a>(&'a [u8], usize);

    impl Read for Drops<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(out.len());
            let (now, later) = self.0.split_at(count);
            out[..count].copy_from_slice(now);
            self.0 = later;
            Ok(count)
        }
    }

    fn library(version: &str) -> Vec<u8> {
        let mut jar = ZipWriter::new(Cursor::new(Vec::new()));
        let deflated = SimpleFileOptions::default().compression_method(Deflated);
        let stored = SimpleFileOptions::default().compression_method(Stored);
        for (name, content, options) in [
            ("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\r\n".to_owned(), deflated),
            ("org/a/One.class", "class PKPK ".repeat(800), stored),
            (
                "META-INF/maven/org.a/inner/pom.properties",
                format!("groupId=org.a\nartifactId=inner\nversion={version}\n"),
                deflated,
            ),
            ("org/a/Two.class", "class ".repeat(900), deflated),
        ] {
            jar.start_file(name, options).expect("starts");
            jar.write_all(content.as_bytes()).expect("writes");
        }
        jar.finish().expect("ends").into_inner()
    }

    /// Two libraries and a class, one library stored and one deflated, behind a launcher script.
    fn application() -> Vec<u8> {
        let mut jar = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content, method) in [
            ("org/b/Main.class", "main ".repeat(3000).into_bytes(), Stored),
            ("lib/inner-1.jar", library("1"), Stored),
            ("lib/inner-2.jar", library("2"), Deflated),
        ] {
            let options = SimpleFileOptions::default().compression_method(method);
            jar.start_file(name, options).expect("starts");
            jar.write_all(&content).expect("writes");
        }
        let mut bytes = b"#!/bin/sh\nexec java -jar PK $0\n".to_vec();
        bytes.extend(jar.finish().expect("ends").into_inner());
        bytes
    }

    fn catalog(bytes: &[u8]) -> Found {
        let mut found = Found::default();
        Walk::new(&mut found).archive(bytes, "application.jar", None, 1).expect("is an archive");
        found
    }

    #[test]
    fn nothing_that_is_found_in_the_whole_archive_is_missed() {
        let whole = application();
        let expected = catalog(&whole);
        assert_eq!(expected.packages.len(), 2, "{expected:?}");
        for step in [1, 2, 3, 7, 100, 4096, CHUNK_BYTES] {
            let kept = read_wanted(&mut Drops(&whole, step), whole.len()).expect("reads");
            assert_eq!(kept.len(), whole.len());
            assert_eq!(catalog(&kept), expected, "{step} bytes at a time");
        }
    }

    #[test]
    fn classes_are_not_kept() {
        let whole = application();
        let kept = read_wanted(&mut &whole[..], whole.len()).expect("reads");
        assert!(memmem::find(&whole, b"main main").is_some());
        assert!(memmem::find(&kept, b"main main").is_none());
        assert!(memmem::find(&kept, b"class PKPK").is_none());
        let written = kept.iter().filter(|byte| **byte != 0).count();
        assert!(written < whole.len() / 10, "{written} of {}", whole.len());
    }

    #[test]
    fn an_archive_that_ends_early_is_as_short_as_it_is() {
        let whole = application();
        let kept = read_wanted(&mut &whole[..500], whole.len()).expect("reads");
        assert_eq!(kept.len(), 500);
        let empty = read_wanted(&mut &b""[..], 1000).expect("reads");
        assert!(empty.is_empty());
        let ends_in_a_signature = read_wanted(&mut &b"xxPK"[..], 4).expect("reads");
        assert_eq!(ends_in_a_signature, [0; 4]);
    }
}
