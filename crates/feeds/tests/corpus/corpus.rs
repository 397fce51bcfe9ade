//! Where the corpus lies, and a sink that keeps what a part gives.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::PathBuf;

use pratique_feeds::{Container, Document, Part, Sink, Source, Summary, sources};
use pratique_model::{Advisory, Affected, Enrichment, Note, Release, Status};

/// The corpus's folder `feeds`; `None`, and a line on stderr, when it is not there.
pub(crate) fn feeds() -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("PRATIQUE_CORPUS") else {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        #[expect(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("SKIPPED: {test}: PRATIQUE_CORPUS is not set");
        }
        return None;
    };
    Some(PathBuf::from(folder).join("feeds"))
}

/// What one part gave.
#[derive(Default)]
pub(crate) struct Read {
    pub(crate) advisories: Vec<Advisory>,
    pub(crate) enrichments: Vec<Enrichment>,
    pub(crate) notes: Vec<Note>,
    pub(crate) quarantined: Vec<Note>,
    pub(crate) summary: Summary,
}

impl Sink for Read {
    fn advisory(&mut self, advisory: Advisory) {
        self.advisories.push(advisory);
    }

    fn enrichment(&mut self, enrichment: Enrichment) {
        self.enrichments.push(enrichment);
    }

    fn note(&mut self, note: Note) {
        self.notes.push(note);
    }

    fn quarantine(&mut self, note: Note) {
        self.quarantined.push(note);
    }
}

/// A registered source.
pub(crate) fn source(name: &str) -> &'static dyn Source {
    *sources().iter().find(|source| source.name() == name).expect("the source is registered")
}

/// A part of a source, `alpine/v3.10`.
pub(crate) fn part(name: &str) -> Part {
    let source_name = name.split('/').next().unwrap_or(name);
    let parts = source(source_name).parts(2026);
    parts.into_iter().find(|part| part.id.to_string() == name).expect("the part is listed")
}

/// Where the corpus has a document.
pub(crate) fn file_of(document: &Document) -> Option<PathBuf> {
    let path = document.url.strip_prefix("https://").expect("sources are fetched by https");
    Some(feeds()?.join(path)).filter(|path| path.exists())
}

/// Reads a part; `None` when the corpus is not there. A document that the corpus lacks must be an
/// optional one.
pub(crate) fn read(name: &str) -> Option<Read> {
    feeds()?;
    let part = part(name);
    let mut read = Read::default();
    let mut parser = source(part.id.source()).parser(&part.id);
    for document in &part.documents {
        let wants = |path: &str| parser.wants(path);
        let mut wanted = Vec::new();
        if matches!(document.container, Container::Zip | Container::TarGz) {
            each_file(document, &mut |path, content| {
                if wants(path) {
                    let mut bytes = Vec::new();
                    content.read_to_end(&mut bytes).expect("the file is read");
                    wanted.push((path.to_owned(), bytes));
                }
            });
            for (path, bytes) in wanted {
                parser.file(&path, &mut &bytes[..], &mut read).expect("the file is read");
            }
            continue;
        }
        let Some(file) = file_of(document) else {
            assert!(document.optional, "{} is missing", document.url);
            continue;
        };
        let file = BufReader::new(File::open(&file).expect("the file can be opened"));
        let mut content: Box<dyn BufRead> = match document.container {
            Container::Gzip => Box::new(BufReader::new(flate2::bufread::MultiGzDecoder::new(file))),
            _ => Box::new(file),
        };
        let path = document.url.rsplit('/').next().unwrap_or_default();
        parser.file(path, &mut content, &mut read).expect("the file is read");
    }
    read.summary = parser.finish(&mut read).expect("the part is whole");
    Some(read)
}

/// Reads a file of `samples/NAME.tar.zst` as if it were the one document of a part; `None` when the
/// corpus is not there.
pub(crate) fn read_sample(sample: &str, member: &str, name: &str) -> Option<Read> {
    let archive = feeds()?.join("samples").join(format!("{sample}.tar.zst"));
    let archive = File::open(&archive).expect("the sample can be opened");
    let mut archive = zstd::stream::read::Decoder::new(archive).expect("the sample is zstd");
    let part = part(name);
    let mut read = Read::default();
    let mut parser = source(part.id.source()).parser(&part.id);
    let mut found = false;
    each_tar_member(&mut archive, &mut |path, content| {
        if path == member {
            found = true;
            let mut content = BufReader::new(content);
            parser.file(path, &mut content, &mut read).expect("the sample is read");
        }
    });
    assert!(found, "{sample} has no {member}");
    read.summary = parser.finish(&mut read).expect("the part is whole");
    Some(read)
}

/// Gives `each` every file of a zip or tar, with its path.
pub(crate) fn each_file(document: &Document, each: &mut dyn FnMut(&str, &mut dyn std::io::Read)) {
    let file = file_of(document).unwrap_or_else(|| panic!("{} is missing", document.url));
    let file = File::open(&file).expect("the file can be opened");
    match document.container {
        Container::Zip => {
            let mut archive = zip::ZipArchive::new(file).expect("the file is a zip");
            for index in 0..archive.len() {
                let mut member = archive.by_index(index).expect("the member can be opened");
                let path = member.name().expect("the name is text").into_owned();
                each(&path, &mut member);
            }
        }
        Container::TarGz => {
            each_tar_member(&mut flate2::bufread::MultiGzDecoder::new(BufReader::new(file)), each);
        }
        other => panic!("{}: {other:?} is no archive", document.url),
    }
}

/// Walks a ustar archive of regular files with names under 100 bytes, which is what the corpus has.
fn each_tar_member(
    content: &mut dyn std::io::Read,
    each: &mut dyn FnMut(&str, &mut dyn std::io::Read),
) {
    const BLOCK: u64 = 512;
    let mut header = [0_u8; 512];
    loop {
        content.read_exact(&mut header).expect("a tar header");
        if header.iter().all(|byte| *byte == 0) {
            return;
        }
        let text = |from: usize, to: usize| {
            let field: Vec<u8> =
                header[from..to].iter().copied().take_while(|it| *it != 0).collect();
            String::from_utf8(field).expect("the field is text")
        };
        let size = u64::from_str_radix(text(124, 136).trim(), 8).expect("a size in octal");
        let mut member = content.take(size);
        if matches!(header[156], 0 | b'0') {
            each(&text(0, 100), &mut member);
        }
        std::io::copy(&mut member, &mut std::io::sink()).expect("the rest of the member");
        let padding = (BLOCK - size % BLOCK) % BLOCK;
        std::io::copy(&mut content.take(padding), &mut std::io::sink()).expect("the padding");
    }
}

impl Read {
    /// All statements with the advisory's id.
    pub(crate) fn statements(&self) -> impl Iterator<Item = (&str, &Affected)> {
        self.advisories.iter().flat_map(|it| it.affected.iter().map(|affected| (&*it.id, affected)))
    }

    /// How many statements have a status.
    pub(crate) fn count(&self, status: Status) -> usize {
        self.statements().filter(|(_, it)| it.status == status).count()
    }

    /// How many statements are about a release.
    pub(crate) fn count_of(&self, release: &str) -> usize {
        let release = Release::from_text(release);
        self.statements().filter(|(_, it)| it.release.as_ref() == Some(&release)).count()
    }

    /// The statements about a package in the advisory `id`.
    pub(crate) fn about(&self, id: &str, package: &str) -> Vec<&Affected> {
        let about = |(of, it): &(&str, &Affected)| *of == id && it.package == package;
        self.statements().filter(about).map(|(_, it)| it).collect()
    }
}
