//! How fast the sources read what they publish: `cargo bench -p pratique-feeds`.
//!
//! Every part that the corpus (`PRATIQUE_CORPUS`) has is unpacked into memory first; only the
//! parser is timed, on one core, best of five.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![allow(clippy::disallowed_methods, reason = "a benchmark times")]

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::Path;
use std::time::{Duration, Instant};

use pratique_feeds::{Container, Part, Sink, Source, sources};
use pratique_model::{Advisory, Enrichment, Note};

/// Counts what it is given and drops it.
#[derive(Default)]
struct Counter {
    advisories: usize,
    statements: usize,
    versions: usize,
    facts: usize,
}

impl Sink for Counter {
    fn advisory(&mut self, advisory: Advisory) {
        self.advisories += 1;
        self.statements += advisory.affected.len();
        self.versions += advisory.affected.iter().map(|it| it.versions.len()).sum::<usize>();
    }

    fn enrichment(&mut self, enrichment: Enrichment) {
        std::hint::black_box(enrichment);
        self.facts += 1;
    }

    fn note(&mut self, note: Note) {
        std::hint::black_box(note);
    }

    fn quarantine(&mut self, note: Note) {
        std::hint::black_box(note);
    }
}

type Files = Vec<(String, Vec<u8>)>;

fn main() {
    let Some(corpus) = std::env::var_os("PRATIQUE_CORPUS") else {
        println!("SKIPPED: PRATIQUE_CORPUS is not set");
        return;
    };
    let feeds = Path::new(&corpus).join("feeds");
    println!(
        "part                    files     MB      ms    MB/s  advisories statements versions"
    );
    for source in sources() {
        for part in source.parts(2026) {
            if let Some(files) = files(&feeds, &part) {
                report(*source, &part, &files);
            }
        }
    }
}

fn report(source: &dyn Source, part: &Part, files: &Files) {
    let bytes: usize = files.iter().map(|(_, content)| content.len()).sum();
    let mut best = Duration::MAX;
    let mut counter = Counter::default();
    for _ in 0..5 {
        counter = Counter::default();
        let start = Instant::now();
        let mut parser = source.parser(&part.id);
        for (path, content) in files.iter().filter(|(path, _)| parser_wants(source, part, path)) {
            parser.file(path, &mut content.as_slice(), &mut counter).expect("the file is read");
        }
        parser.finish(&mut counter).expect("the part is whole");
        best = best.min(start.elapsed());
    }
    let megabytes = bytes as f64 / 1e6;
    println!(
        "{:20} {:8} {megabytes:6.1} {:7.1} {:7.0} {:11} {:10} {:8}",
        part.id.to_string(),
        files.len(),
        best.as_secs_f64() * 1e3,
        megabytes / best.as_secs_f64(),
        counter.advisories + counter.facts,
        counter.statements,
        counter.versions,
    );
}

fn parser_wants(source: &dyn Source, part: &Part, path: &str) -> bool {
    let is_archive = |container| matches!(container, Container::Zip | Container::TarGz);
    let from_archive = part.documents.iter().any(|document| is_archive(document.container));
    !from_archive || source.parser(&part.id).wants(path)
}

/// The files of a part, unpacked; `None` if the corpus does not have them all.
fn files(feeds: &Path, part: &Part) -> Option<Files> {
    let mut files = Files::new();
    for document in &part.documents {
        let path = feeds.join(document.url.strip_prefix("https://")?);
        let Ok(file) = File::open(&path) else {
            if document.optional {
                continue;
            }
            return None;
        };
        let name = path.file_name()?.to_string_lossy().into_owned();
        let mut content = Vec::new();
        match document.container {
            Container::Plain => {
                BufReader::new(file).read_to_end(&mut content).ok()?;
                files.push((name, content));
            }
            Container::Gzip => {
                let file = BufReader::new(file);
                flate2::bufread::MultiGzDecoder::new(file).read_to_end(&mut content).ok()?;
                files.push((name, content));
            }
            Container::Zip => {
                let mut archive = zip::ZipArchive::new(file).ok()?;
                for index in 0..archive.len() {
                    let mut member = archive.by_index(index).ok()?;
                    let mut content = Vec::new();
                    member.read_to_end(&mut content).ok()?;
                    files.push((member.name().ok()?.into_owned(), content));
                }
            }
            Container::TarGz => {
                let file = BufReader::new(file);
                flate2::bufread::MultiGzDecoder::new(file).read_to_end(&mut content).ok()?;
                files.extend(members(&content));
            }
        }
    }
    Some(files)
}

/// The regular files of a ustar archive with names under 100 bytes.
fn members(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut members = Vec::new();
    let mut rest = archive;
    while let Some((header, content)) = rest.split_at_checked(512) {
        let text = |from: usize, to: usize| {
            let field = header[from..to].split(|byte| *byte == 0).next().unwrap_or_default();
            String::from_utf8_lossy(field).trim().to_owned()
        };
        let Ok(size) = usize::from_str_radix(&text(124, 136), 8) else { break };
        let Some((content, _)) = content.split_at_checked(size) else { break };
        if matches!(header[156], 0 | b'0') {
            members.push((text(0, 100), content.to_vec()));
        }
        rest = rest.get(512 + size.next_multiple_of(512)..).unwrap_or_default();
    }
    members
}
