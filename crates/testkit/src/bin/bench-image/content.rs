//! The files of an image: a mix as in images of applications on a distribution.

use std::fmt::Write as _;
use std::io;

use crate::jar;
use crate::noise::Noise;

/// Packages of the distribution. Images of applications have 300 to 800.
const DISTRIBUTION_PACKAGES: usize = 500;

/// Files that one package of the distribution owns.
const FILES_PER_PACKAGE: usize = 20;

/// Libraries in the application's own archive, in bytes. Common ones have 30 to 80 MB.
const APPLICATION_BYTES: usize = 40_000_000;

/// Where files go.
pub(crate) trait Sink {
    /// Adds a file; its folders need not be there.
    fn file(&mut self, path: &str, mode: u32, content: &[u8]) -> io::Result<()>;

    /// Bytes that the files take so far, as they are stored.
    fn stored_bytes(&self) -> u64;
}

/// The distribution: its name, its package database and lists of the packages' files. The files
/// themselves come with the rest.
pub(crate) fn distribution(
    noise: &mut Noise,
    packages: usize,
    to: &mut dyn Sink,
) -> io::Result<()> {
    let release = b"ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n";
    to.file("etc/os-release", 0o644, release)?;
    let mut status = String::new();
    for number in 0..packages {
        let (name, version) = (format!("{}{number}", noise.name()), noise.version());
        let about = String::from_utf8_lossy(&noise.text(400)).replace('\n', "\n ");
        write!(
            status,
            "Package: {name}\nStatus: install ok installed\nPriority: optional\nSection: libs\n\
             Architecture: amd64\nVersion: {version}-1\nDescription: {about}\n\n"
        )
        .expect("writing to a string cannot fail");
        let files: Vec<String> =
            (0..FILES_PER_PACKAGE).map(|_| format!("/usr/share/{}/{name}", noise.name())).collect();
        let list = format!("/var/lib/dpkg/info/{name}.list");
        to.file(list.trim_start_matches('/'), 0o644, (files.join("\n") + "\n").as_bytes())?;
    }
    to.file("var/lib/dpkg/status", 0o644, status.as_bytes())
}

/// Some more files, about 2 MB: code, text, Node's, Python's and Java's packages. `group` numbers
/// them.
pub(crate) fn group(noise: &mut Noise, group: usize, to: &mut dyn Sink) -> io::Result<()> {
    for number in 0..3 {
        let size = 20_000 + noise.below(500_000);
        let mut content = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0".to_vec();
        content.extend_from_slice(&noise.code(size));
        to.file(&format!("usr/lib/group{group}/lib{number}.so"), 0o755, &content)?;
    }
    for number in 0..60 {
        let size = 200 + noise.below(12_000);
        let content = noise.text(size);
        to.file(&format!("usr/share/doc/group{group}/text{number}"), 0o644, &content)?;
    }
    for _ in 0..4 {
        node_package(noise, group, to)?;
    }
    let (name, version) = (noise.name(), noise.version());
    let folder = format!("usr/lib/python3/dist-packages/{name}-{version}.dist-info");
    let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\n");
    to.file(&format!("{folder}/METADATA"), 0o644, metadata.as_bytes())?;
    if group.is_multiple_of(4) {
        let (name, version) = (noise.name(), noise.version());
        let size = 100_000 + noise.below(600_000);
        let content = jar::library(noise, &name, &version, size)?;
        to.file(&format!("opt/lib/{name}-{version}.jar"), 0o644, &content)?;
    }
    Ok(())
}

fn node_package(noise: &mut Noise, group: usize, to: &mut dyn Sink) -> io::Result<()> {
    let (name, version) = (noise.name(), noise.version());
    let folder = format!("srv/app{group}/node_modules/{name}");
    let about = String::from_utf8_lossy(&noise.text(300)).replace('\n', " ");
    let package = format!(
        "{{\"name\": \"{name}\", \"version\": \"{version}\", \"license\": \"MIT\", \
         \"description\": \"{about}\"}}"
    );
    to.file(&format!("{folder}/package.json"), 0o644, package.as_bytes())?;
    for number in 0..12 {
        let size = 300 + noise.below(15_000);
        to.file(&format!("{folder}/lib/file{number}.js"), 0o644, &noise.text(size))?;
    }
    Ok(())
}

/// The archive of a Java application with all its libraries.
pub(crate) fn application(noise: &mut Noise, to: &mut dyn Sink) -> io::Result<()> {
    let content = jar::application(noise, APPLICATION_BYTES)?;
    to.file("opt/application.jar", 0o644, &content)
}

/// The distribution of an application's image.
pub(crate) fn large_distribution(noise: &mut Noise, to: &mut dyn Sink) -> io::Result<()> {
    distribution(noise, DISTRIBUTION_PACKAGES, to)
}
