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
