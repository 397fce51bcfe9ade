//! Databases from the corpus's feeds, and inventories from its package lists.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use pratique_feeds::{Container, Coverage, Sink, sources};
use pratique_matcher::{Options, assess};
use pratique_model::{
    Advisory, Assessment, Distro, Ecosystem, Enrichment, IndexReport, Note, Package, PartId,
};
use pratique_store::{CommitOptions, Database, Staging};

/// The corpus; `None`, and a line on stderr, when it is not there.
pub(crate) fn corpus() -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("PRATIQUE_CORPUS") else {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        #[expect(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("SKIPPED: {test}: PRATIQUE_CORPUS is not set");
        }
        return None;
    };
    Some(PathBuf::from(folder))
}

/// The rows of a table of the answers, each a list of fields, without the heading.
pub(crate) fn table(corpus: &Path, name: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(corpus.join("truth").join(name)).expect("the table is read");
    text.lines().skip(1).map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

/// A package with nothing but a name and a version.
pub(crate) fn package(ecosystem: Ecosystem, name: &str, version: &str) -> Package {
    Package {
        ecosystem,
        name: name.to_owned(),
        version: version.to_owned(),
        arch: None,
        source: None,
        module: None,
        vendor: None,
        layer: None,
        paths: vec!["/".to_owned()],
        owned_by: None,
        built_for: None,
        cataloger: "table",
    }
}

/// The inventory that a package list stands for.
pub(crate) fn listed(distro: Option<(&str, &str)>, packages: Vec<Package>) -> IndexReport {
    let distro = distro.map(|(id, version)| Distro {
        id: id.to_owned(),
        version: version.to_owned(),
        ..Distro::default()
    });
    IndexReport { distro, packages, ..IndexReport::default() }
}

/// The inventory of an image of the corpus, by our own catalogers.
pub(crate) fn scanned(corpus: &Path, file: &str) -> IndexReport {
    let platform = "linux/amd64".parse().expect("a platform");
    let target = format!("oci-archive:{}", corpus.join("images").join(file).display());
    let options = pratique_image::OpenOptions {
        platform: Some(platform),
        ..pratique_image::OpenOptions::default()
    };
    let image = pratique_image::open(&target, &options).expect("the image opens");
    pratique_scan::scan(&image, &pratique_scan::ScanOptions::default()).expect("it is scanned")
}

/// What the matcher says of an inventory, given whole parts of the corpus's feeds.
pub(crate) fn assessed(corpus: &Path, parts: &[&str], report: &IndexReport) -> Assessment {
    let mut database = Database::in_memory().expect("a database");
    for part in parts {
        load(&mut database, corpus, part);
    }
    assess(report, &database, &Options::default(), now()).expect("the image is assessed")
}

fn now() -> Timestamp {
    "2026-11-21T00:00:00Z".parse().expect("a time")
}

struct Into(Staging);

impl Sink for Into {
    fn advisory(&mut self, advisory: Advisory) {
        self.0.advisory(&advisory);
    }

    fn enrichment(&mut self, enrichment: Enrichment) {
        self.0.enrichment(&enrichment);
    }

    fn note(&mut self, note: Note) {
        self.0.note(note);
    }

    fn quarantine(&mut self, note: Note) {
        self.0.quarantine(note);
    }
}

/// Reads a part of a feed into the database, as an update does.
fn load(database: &mut Database, corpus: &Path, name: &str) {
    let id: PartId = name.parse().expect("a part");
    let source = sources().iter().find(|source| source.name() == id.source()).expect("a source");
    let parts = source.parts(2026);
    let part = parts.into_iter().find(|part| part.id == id).expect("the part is listed");
    let mut parser = source.parser(&part.id);
    let mut sink = Into(Staging::new(part.id.clone(), None));
    for document in &part.documents {
        let path = document.url.strip_prefix("https://").expect("sources are fetched by https");
        let file = corpus.join("feeds").join(path);
        if document.optional && !file.exists() {
            continue;
        }
        let file = File::open(&file).unwrap_or_else(|error| panic!("{name}: {path}: {error}"));
        match document.container {
            Container::Zip => {
                let mut archive = zip::ZipArchive::new(file).expect("the file is a zip");
                for index in 0..archive.len() {
                    let member = archive.by_index(index).expect("the member can be opened");
                    let path = member.name().expect("the name is text").into_owned();
                    if parser.wants(&path) {
                        let mut content = BufReader::new(member);
                        parser.file(&path, &mut content, &mut sink).expect("the file is read");
                    }
                }
            }
            Container::Plain => {
                let mut content = BufReader::new(file);
                parser.file(path, &mut content, &mut sink).expect("the file is read");
            }
            other => panic!("{name}: {other:?} is not needed here"),
        }
    }
    let summary = parser.finish(&mut sink).expect("the part is whole");
    let covers = match part.covers {
        Coverage::Release(release) => vec![(ecosystem_of(id.source()), Some(release))],
        Coverage::Ecosystem(ecosystem) => vec![(ecosystem, None)],
        _ => Vec::new(),
    };
    let options = CommitOptions {
        fingerprint: None,
        parser_version: part.parser_version,
        as_of: summary.as_of,
        now: now(),
        covers,
        is_partial: false,
        force: false,
        fence: None,
    };
    database.commit(sink.0, &options).expect("the part is committed");
}

fn ecosystem_of(source: &str) -> Ecosystem {
    match source {
        "almalinux" => Ecosystem::Rpm,
        _ => Ecosystem::Apk,
    }
}
