//! The image that the demo scans: real package names and versions, metadata only.
//!
//! A Debian 12 base; a Spring-like jar with log4j-core in a jar of its own; npm and Python
//! packages; and a last layer that removes one of them, so that its vulnerabilities must not be
//! reported.

use std::io::{self, Cursor, Write as _};

use zip::write::{SimpleFileOptions, ZipWriter};

/// A file of a layer.
pub(super) struct File {
    /// Path from the image's root.
    pub(super) path: String,
    /// Content.
    pub(super) content: Vec<u8>,
}

/// Binary packages of the base: name, version, source package if it is named otherwise.
const DEBIAN: &[(&str, &str, Option<&str>)] = &[
    ("apt", "2.6.2", None),
    ("base-files", "12.4+deb12u1", None),
    ("bash", "5.2.15-2+b2", Some("bash (5.2.15-2)")),
    ("coreutils", "9.1-1", None),
    ("dpkg", "1.21.22", None),
    ("gpgv", "2.2.40-1.1+deb12u2", Some("gnupg2")),
    ("libc6", "2.36-9+deb12u2", Some("glibc")),
    ("libcap2", "1:2.66-4+deb12u3", None),
    ("libgnutls30", "3.7.9-2+deb12u7", Some("gnutls28")),
    ("liblzma5", "5.4.1-0.2", Some("xz-utils")),
    ("libpam0g", "1.5.2-6+deb12u2", Some("pam")),
    ("libsystemd0", "252.39-1~deb12u2", Some("systemd")),
    ("perl-base", "5.36.0-7+deb12u4", Some("perl")),
    ("tar", "1.34+dfsg-1.2+deb12u1", None),
    ("zlib1g", "1:1.2.13.dfsg-1", Some("zlib")),
];

const NPM: &[(&str, &str)] = &[("express", "4.18.2"), ("lodash", "4.17.20"), ("minimist", "1.2.5")];

const PYPI: &[(&str, &str)] =
    &[("Flask", "1.0.2"), ("Jinja2", "2.10"), ("PyYAML", "5.1"), ("urllib3", "1.24.1")];

/// The npm package that the last layer removes.
pub(super) const REMOVED: &str = "srv/web/node_modules/minimist";

/// The distribution's own records.
pub(super) fn base() -> Vec<File> {
    let os_release = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\n\
                      VERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\nID=debian\n";
    let mut status = String::new();
    for (name, version, source) in DEBIAN {
        status.push_str(&format!("Package: {name}\nStatus: install ok installed\n"));
        if let Some(source) = source {
            status.push_str(&format!("Source: {source}\n"));
        }
        status.push_str(&format!("Architecture: amd64\nVersion: {version}\n\n"));
    }
    vec![file("usr/lib/os-release", os_release), file("var/lib/dpkg/status", status)]
}

/// What somebody put on top: three languages.
pub(super) fn application() -> io::Result<Vec<File>> {
    let mut files = vec![File { path: "srv/app/orders.jar".to_owned(), content: fat_jar()? }];
    for (name, version) in NPM {
        let content = format!("{{\"name\": \"{name}\", \"version\": \"{version}\"}}\n");
        files.push(file(format!("srv/web/node_modules/{name}/package.json"), content));
    }
    for (name, version) in PYPI {
        let folder = format!("usr/local/lib/python3.11/site-packages/{name}-{version}.dist-info");
        let content = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n");
        files.push(file(format!("{folder}/METADATA"), content));
    }
    Ok(files)
}

/// A jar that holds log4j-core as a jar, as Spring Boot packs its libraries.
fn fat_jar() -> io::Result<Vec<u8>> {
    let inner = jar(&[(
        "META-INF/maven/org.apache.logging.log4j/log4j-core/pom.properties".to_owned(),
        b"groupId=org.apache.logging.log4j\nartifactId=log4j-core\nversion=2.14.1\n".to_vec(),
    )])?;
    jar(&[
        (
            "META-INF/maven/com.example/orders/pom.properties".to_owned(),
            b"groupId=com.example\nartifactId=orders\nversion=1.4.0\n".to_vec(),
        ),
        ("BOOT-INF/lib/log4j-core-2.14.1.jar".to_owned(), inner),
    ])
}

fn jar(members: &[(String, Vec<u8>)]) -> io::Result<Vec<u8>> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (path, content) in members {
        writer.start_file(path.as_str(), options).map_err(io::Error::other)?;
        writer.write_all(content)?;
    }
    Ok(writer.finish().map_err(io::Error::other)?.into_inner())
}

fn file(path: impl Into<String>, content: impl Into<Vec<u8>>) -> File {
    File { path: path.into(), content: content.into() }
}
