//! Where the corpus lies, and a sink that keeps what a part gives.

use std::fs::File;
use std::io::BufReader;
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
    pub(crate) notes: Vec<Note>,
    pub(crate) quarantined: Vec<Note>,
    pub(crate) summary: Summary,
}

impl Sink for Read {
    fn advisory(&mut self, advisory: Advisory) {
        self.advisories.push(advisory);
    }

    fn enrichment(&mut self, enrichment: Enrichment) {
        panic!("a vulnerability source gave a fact about a CVE: {enrichment:?}");
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

/// Reads the plain documents of a part; `None` when the corpus is not there.
pub(crate) fn read(name: &str) -> Option<Read> {
    feeds()?;
    let part = part(name);
    let mut read = Read::default();
    let mut parser = source(part.id.source()).parser(&part.id);
    for document in &part.documents {
        assert_eq!(document.container, Container::Plain, "{}", document.url);
        let file = file_of(document).unwrap_or_else(|| panic!("{} is missing", document.url));
        let mut content = BufReader::new(File::open(&file).expect("the file can be opened"));
        let path = document.url.rsplit('/').next().unwrap_or_default();
        parser.file(path, &mut content, &mut read).expect("the file is read");
    }
    read.summary = parser.finish(&mut read).expect("the part is whole");
    Some(read)
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
