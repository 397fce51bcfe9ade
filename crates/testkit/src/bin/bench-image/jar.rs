//! Makes Java archives.

use std::io::{self, Cursor, Write};

use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::noise::Noise;

/// A library of about `length` bytes: classes, a manifest and Maven's properties.
pub(crate) fn library(
    noise: &mut Noise,
    artifact: &str,
    version: &str,
    length: usize,
) -> io::Result<Vec<u8>> {
    let mut jar = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    jar.start_file("META-INF/MANIFEST.MF", options)?;
    write!(jar, "Manifest-Version: 1.0\r\nImplementation-Version: {version}\r\n\r\n")?;
    jar.start_file(format!("META-INF/maven/org.bench/{artifact}/pom.properties"), options)?;
    write!(jar, "groupId=org.bench\nartifactId={artifact}\nversion={version}\n")?;
    let mut written = 0;
    for class in 0.. {
        let size = 500 + noise.below(8000);
        jar.start_file(format!("org/bench/part{}/Class{class}.class", class / 40), options)?;
        jar.write_all(b"\xca\xfe\xba\xbe")?;
        jar.write_all(&noise.code(size))?;
        // Classes compress about 2 to 1.
        written += size / 2;
        if written >= length {
            break;
        }
    }
    Ok(jar.finish()?.into_inner())
}

/// An application of about `length` bytes with its libraries inside, stored, as Spring Boot makes.
pub(crate) fn application(noise: &mut Noise, length: usize) -> io::Result<Vec<u8>> {
    let mut jar = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    jar.start_file("META-INF/MANIFEST.MF", stored)?;
    jar.write_all(b"Manifest-Version: 1.0\r\nStart-Class: org.bench.Main\r\n\r\n")?;
    let mut written = 0;
    while written < length {
        let (artifact, version) = (noise.name(), noise.version());
        let size = 50_000 + noise.below(900_000);
        let library = library(noise, &artifact, &version, size)?;
        jar.start_file(format!("BOOT-INF/lib/{artifact}-{version}.jar"), stored)?;
        jar.write_all(&library)?;
        written += library.len();
    }
    Ok(jar.finish()?.into_inner())
}
