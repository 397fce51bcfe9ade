//! Documents are made here, byte for byte where a writer would refuse to.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

/// What a visitor sees: path and content.
type Files = Vec<(String, Vec<u8>)>;

const LIMITS: UnpackLimits = UnpackLimits {
    total_bytes_max: 1 << 20,
    file_bytes_max: 1 << 19,
    files_max: 100,
    path_bytes_max: 200,
    ratio_max: 250,
};

fn spooled(bytes: &[u8]) -> Spooled {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("written");
    Spooled::in_place(file.path(), "doc".to_owned()).expect("opened")
}

/// Reads every file whole.
fn read(container: Container, bytes: &[u8], limits: &UnpackLimits) -> Result<Files, String> {
    let mut files = Files::new();
    let result = spooled(bytes).unpack(container, limits, &mut |entry| {
        let path = entry.path().to_owned();
        let mut content = Vec::new();
        entry.content().read_to_end(&mut content)?;
        files.push((path, content));
        Ok(())
    });
    match result {
        Ok(()) => Ok(files),
        Err(UnpackError::Visitor(error)) => Err(std::io::Error::to_string(&error)),
        Err(UnpackError::Document { path, problem }) => Err(format!("{path}: {problem}")),
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("in memory");
    encoder.finish().expect("in memory")
}

fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ::zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (path, content) in files {
        let options = ::zip::write::SimpleFileOptions::default();
        writer.start_file(*path, options).expect("in memory");
        writer.write_all(content).expect("in memory");
    }
    writer.finish().expect("in memory").into_inner()
}

/// A ustar archive; kind `0` is a file, `5` a folder.
fn tar_of(files: &[(&str, u8, &[u8])]) -> Vec<u8> {
    let mut tar = Vec::new();
    for (path, kind, content) in files {
        let mut header = [0_u8; 512];
        header[..path.len()].copy_from_slice(path.as_bytes());
        header[100..107].copy_from_slice(b"0000644");
        header[108..115].copy_from_slice(b"0000000");
        header[116..123].copy_from_slice(b"0000000");
        header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        header[136..147].copy_from_slice(b"00000000000");
        header[156] = *kind;
        header[257..263].copy_from_slice(b"ustar\0");
        header[263..265].copy_from_slice(b"00");
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        tar.extend_from_slice(&header);
        tar.extend_from_slice(content);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.extend_from_slice(&[0; 1024]);
    tar
}

fn named(files: &[(&str, &[u8])]) -> Result<Files, String> {
    Ok(files.iter().map(|(path, content)| ((*path).to_owned(), content.to_vec())).collect())
}

#[test]
fn each_container_gives_its_files() {
    let content = b"some text".repeat(1000);
    assert_eq!(read(Container::Plain, &content, &LIMITS), named(&[("doc", &content)]));
    assert_eq!(read(Container::Gzip, &gzip(&content), &LIMITS), named(&[("doc", &content)]));
    let zip = zip_of(&[("b.json", &content), ("AlmaLinux:8/a", b""), ("c", b"c")]);
    let expected: [(&str, &[u8]); 3] = [("b.json", &content), ("AlmaLinux:8/a", b""), ("c", b"c")];
    assert_eq!(read(Container::Zip, &zip, &LIMITS), named(&expected));
    let tar = tar_of(&[("d/", b'5', b""), ("d/a", b'0', &content), ("d/b", b'0', b"b")]);
    let expected: [(&str, &[u8]); 2] = [("d/a", &content), ("d/b", b"b")];
    assert_eq!(read(Container::TarGz, &gzip(&tar), &LIMITS), named(&expected));
}

#[test]
fn gzip_of_several_members_is_one_file() {
    let members = [gzip(b"one "), gzip(b""), gzip(b"two")].concat();
    assert_eq!(read(Container::Gzip, &members, &LIMITS), named(&[("doc", b"one two")]));
}

#[track_caller]
fn check_problem(container: Container, bytes: &[u8], limits: &UnpackLimits, problem: &str) {
    match read(container, bytes, limits) {
        Err(found) => assert!(found.contains(problem), "expected {problem:?}, got {found:?}"),
        Ok(files) => panic!("expected {problem:?}, got {} files", files.len()),
    }
}

#[test]
fn a_document_cut_anywhere_is_an_error() {
    // Random-looking content, so that no cut leaves a whole document by luck.
    let content: Vec<u8> = (0_u32..3000).map(|number| (number * number).to_le_bytes()[1]).collect();
    let tar = tar_of(&[("d/a", b'0', &content), ("d/b", b'0', b"b")]);
    let documents = [
        (Container::Gzip, gzip(&content)),
        (Container::Zip, zip_of(&[("a", &content), ("b", b"b")])),
        (Container::TarGz, gzip(&tar)),
    ];
    for (container, whole) in documents {
        assert!(read(container, &whole, &LIMITS).is_ok(), "{container:?}");
        for length in 0..whole.len() {
            let cut = read(container, &whole[..length], &LIMITS);
            assert!(cut.is_err(), "{container:?} cut at {length} of {}", whole.len());
        }
    }
}

#[test]
fn a_tar_cut_between_its_files_is_told_by_the_gzip_around_it_only() {
    let tar = tar_of(&[("a", b'0', b"a")]);
    let file = named(&[("a", b"a")]);
    assert_eq!(read(Container::TarGz, &gzip(&tar[..1024]), &LIMITS), file);
    check_problem(Container::TarGz, &gzip(&tar[..1000]), &LIMITS, "cut or damaged");
    check_problem(Container::TarGz, &gzip(&tar[..513]), &LIMITS, "cut or damaged");
}

#[test]
fn a_changed_byte_is_an_error_or_changes_nothing_that_is_read() {
    let content = b"some text".repeat(20);
    let files: [(&str, &[u8]); 2] = [("a", &content), ("b", b"b")];
    let whole = zip_of(&files);
    for index in 0..whole.len() {
        let mut changed = whole.clone();
        changed[index] ^= 0x10;
        if let Ok(found) = read(Container::Zip, &changed, &LIMITS) {
            let contents: Vec<&[u8]> = found.iter().map(|(_, content)| &**content).collect();
            let is_whole = contents
                .iter()
                .all(|content| files.iter().any(|(_, expected)| expected == content));
            assert!(is_whole, "byte {index} changed a content");
        }
    }
}

#[test]
fn a_visitor_that_stops_early_does_not_hide_damage() {
    let mut damaged = gzip(&b"some text".repeat(10_000));
    let end = damaged.len() - 6;
    damaged[end] ^= 1;
    let open = |is_opened: bool| {
        spooled(&damaged).unpack(Container::Gzip, &LIMITS, &mut |entry| {
            if is_opened {
                entry.content();
            }
            Ok::<(), std::io::Error>(())
        })
    };
    assert!(matches!(open(true), Err(UnpackError::Document { .. })));
    assert!(open(false).is_ok(), "a file that nobody wants is not inflated");
}

#[test]
fn a_visitors_error_ends_the_visit() {
    let mut seen = Vec::new();
    let zip = zip_of(&[("a", b"a"), ("b", b"b"), ("c", b"c")]);
    let result = spooled(&zip).unpack(Container::Zip, &LIMITS, &mut |entry| {
        seen.push(entry.path().to_owned());
        if entry.path() == "b" { Err("enough") } else { Ok(()) }
    });
    assert!(matches!(result, Err(UnpackError::Visitor("enough"))));
    assert_eq!(seen, ["a", "b"]);
}

#[test]
fn a_document_may_be_unpacked_again() {
    let mut document = spooled(&zip_of(&[("a", b"a")]));
    for _ in 0..2 {
        let mut paths = Vec::new();
        let visit = &mut |entry: &mut Entry<'_>| {
            paths.push(entry.path().to_owned());
            Ok::<(), ()>(())
        };
        document.unpack(Container::Zip, &LIMITS, visit).expect("unpacked");
        assert_eq!(paths, ["a"]);
    }
}

#[test]
fn limits_hold_exactly() {
    let limits =
        |total, file| UnpackLimits { total_bytes_max: total, file_bytes_max: file, ..LIMITS };
    let zip = zip_of(&[("a", &[1; 100]), ("b", &[2; 50])]);
    assert!(read(Container::Zip, &zip, &limits(150, 100)).is_ok());
    check_problem(Container::Zip, &zip, &limits(149, 100), "unpacks to more than 149 bytes");
    check_problem(Container::Zip, &zip, &limits(150, 99), "larger than 99 bytes");
    let gz = gzip(&[1; 100]);
    assert!(read(Container::Gzip, &gz, &limits(100, 100)).is_ok());
    check_problem(Container::Gzip, &gz, &limits(99, 100), "unpacks to more than 99 bytes");
    check_problem(Container::Plain, &[1; 100], &limits(100, 99), "larger than 99 bytes");
    let tar = gzip(&tar_of(&[("a", b'0', &[1; 100]), ("b", b'0', &[2; 100])]));
    check_problem(Container::TarGz, &tar, &limits(1 << 20, 99), "larger than 99 bytes");
    check_problem(Container::TarGz, &tar, &limits(1300, 100), "unpacks to more than 1300 bytes");
}

#[test]
fn there_are_not_too_many_files_and_no_long_paths() {
    let zip = zip_of(&[("a", b""), ("b", b""), ("c", b"")]);
    check_problem(Container::Zip, &zip, &UnpackLimits { files_max: 2, ..LIMITS }, "more than 2");
    let tar = gzip(&tar_of(&[("a", b'0', b""), ("b", b'0', b"")]));
    check_problem(Container::TarGz, &tar, &UnpackLimits { files_max: 1, ..LIMITS }, "more than 1");
    let long = "x".repeat(90);
    let limits = UnpackLimits { path_bytes_max: 89, ..LIMITS };
    check_problem(Container::Zip, &zip_of(&[(&long, b"")]), &limits, "longer than 89 bytes");
    let tar = gzip(&tar_of(&[(&long, b'0', b"")]));
    assert!(read(Container::TarGz, &tar, &limits).is_err());
}

#[test]
fn bombs_stop_at_the_ratio() {
    let zeros = vec![0; 80 << 20];
    let limits = UnpackLimits::FEEDS;
    let problem = "unpacks to more than 67108864 bytes";
    let mut seen = 0_u64;
    for (container, bomb) in
        [(Container::Gzip, gzip(&zeros)), (Container::Zip, zip_of(&[("a", &zeros)]))]
    {
        let result = spooled(&bomb).unpack(container, &limits, &mut |entry| {
            seen += std::io::copy(entry.content(), &mut std::io::sink())?;
            Ok::<(), std::io::Error>(())
        });
        assert!(
            matches!(&result, Err(UnpackError::Visitor(error)) if error.to_string() == problem)
        );
    }
    assert_eq!(seen, 0, "no copy came to its end");
}

#[test]
fn files_that_share_their_content_are_a_bomb_too() {
    // Ten thousand lines of the directory point to one content of a megabyte.
    let zip = zip_of(&[("a", &vec![0; 1 << 20])]);
    let end = zip.len() - 22;
    let start = u32::from_le_bytes(zip[end + 16..end + 20].try_into().expect("four bytes"));
    let header = &zip[start as usize..end];
    let mut bomb = zip[..start as usize].to_vec();
    (0..10_000).for_each(|_| bomb.extend_from_slice(header));
    let size = u32::try_from(header.len() * 10_000).expect("small");
    let mut tail = zip[end..].to_vec();
    tail[8..12].copy_from_slice(&[0x10, 0x27, 0x10, 0x27]);
    tail[12..16].copy_from_slice(&size.to_le_bytes());
    bomb.extend_from_slice(&tail);
    let limits = UnpackLimits { files_max: 100_000, ..UnpackLimits::FEEDS };
    let mut document = spooled(&bomb);
    let result = document.unpack(Container::Zip, &limits, &mut |entry| {
        std::io::copy(entry.content(), &mut std::io::sink()).map(|_| ())
    });
    let error = result.expect_err("a bomb").to_string();
    assert!(error.starts_with("unpacks to more than"), "{error}");
}

#[test]
fn a_zip_is_read_one_way_only() {
    let zip = zip_of(&[("a", b"a")]);
    check_problem(Container::Zip, b"", &LIMITS, "cut or damaged");
    check_problem(Container::Zip, &[&zip[..], b"x"].concat(), &LIMITS, "cut or damaged");
    check_problem(Container::Zip, &[b"x", &zip[..]].concat(), &LIMITS, "cut or damaged");
    let mut more = zip.clone();
    let end = more.len() - 22;
    more[end + 10] = 2;
    check_problem(Container::Zip, &more, &LIMITS, "cut or damaged");
    more[end + 10] = 0;
    check_problem(Container::Zip, &more, &LIMITS, "cut or damaged");
}

#[test]
fn a_zip_with_long_fields_and_a_comment_is_read() {
    let mut writer = ::zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer.set_comment("PK\u{5}\u{6} and so on").expect("short");
    let options = ::zip::write::SimpleFileOptions::default().large_file(true);
    writer.start_file("a", options).expect("in memory");
    writer.write_all(b"content").expect("in memory");
    writer.add_directory("d/", options).expect("in memory");
    writer.add_symlink("l", "a", options).expect("in memory");
    let zip = writer.finish().expect("in memory").into_inner();
    assert_eq!(read(Container::Zip, &zip, &LIMITS), named(&[("a", b"content")]));
}

#[test]
fn a_zip_of_more_files_than_short_counts_hold_is_read() {
    let paths: Vec<String> = (0..70_000).map(|number| number.to_string()).collect();
    let files: Vec<(&str, &[u8])> =
        paths.iter().map(|path| (path.as_str(), path.as_bytes())).collect();
    let limits = UnpackLimits { files_max: 70_000, ..LIMITS };
    let found = read(Container::Zip, &zip_of(&files), &limits).expect("unpacked");
    assert_eq!(found.len(), 70_000);
    assert!(found.iter().all(|(path, content)| path.as_bytes() == content));
}

#[test]
fn endless_headers_of_a_tar_are_refused() {
    let comment = format!("{} comment={}\n", 200_000, "x".repeat(200_000 - 16));
    let tar = tar_of(&[("g", b'x', comment.as_bytes()), ("a", b'0', b"a")]);
    check_problem(Container::TarGz, &gzip(&tar), &LIMITS, "cut or damaged");
    let comment = "20 comment=some text\n";
    let tar = tar_of(&[("g", b'g', comment.as_bytes()), ("a", b'0', b"a")]);
    assert_eq!(read(Container::TarGz, &gzip(&tar), &LIMITS), named(&[("a", b"a")]));
}
