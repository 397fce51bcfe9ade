//! Ubuntu: the CVE tracker's folder of text files, one file per CVE.
//!
//! `active/` holds what is open somewhere, `retired/` what is settled; `ignored/` (not about
//! Ubuntu) is left out. What would surprise: one release has two lines per package, its own and
//! that of its paid extension (ESM), and both come to one statement here, see [`statement`]; and
//! `devel` is whatever release was next when the file was written, so it is left out.

mod entry;
mod statement;

use std::collections::{BTreeSet, HashMap};
use std::io::BufRead;

use pratique_model::{Advisory, Affected, Cvss, Note, PartId, Release, Severity, is_cve};

use self::entry::{Entry, Line};
use self::statement::Lines;
use crate::json;
use crate::text;
use crate::{
    Container, Coverage, Document, FeedError, Parser, Part, Sink, Source, SourceKind, Summary,
};

/// How large one CVE's file may be, in bytes. The largest, of kernel flaws with a hundred flavours,
/// have about 100 KB.
const ENTRY_BYTES_MAX: usize = 8 << 20;

/// How many different release names are remembered, so that a hostile archive cannot fill memory.
const NAMES_MAX: usize = 1000;

const SNAPSHOT_URL: &str = "https://git.launchpad.net/ubuntu-cve-tracker/snapshot/\
                            ubuntu-cve-tracker-master.tar.gz";

const PARSER_VERSION: u32 = 1;

/// The source `ubuntu`.
pub(crate) struct Ubuntu;

impl Source for Ubuntu {
    fn name(&self) -> &'static str {
        "ubuntu"
    }

    fn kind(&self) -> SourceKind {
        SourceKind::Vulnerability
    }

    fn parts(&self, _year: u16) -> Vec<Part> {
        vec![Part {
            id: PartId::new("ubuntu", "ubuntu"),
            documents: vec![Document {
                url: SNAPSHOT_URL.to_owned(),
                container: Container::TarGz,
                optional: false,
            }],
            covers: Coverage::Distribution("ubuntu"),
            parser_version: PARSER_VERSION,
        }]
    }

    fn parser(&self, _part: &PartId) -> Box<dyn Parser> {
        Box::new(Tracker::default())
    }
}

#[derive(Default)]
struct Tracker {
    buffer: Vec<u8>,
    /// The releases that were met; elsewhere they are their index here.
    releases: Vec<Release>,
    names: HashMap<String, Speaks>,
    unknown: BTreeSet<String>,
    entry_count: u64,
}

/// What the name before the underscore of a line speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaks {
    /// A release.
    Release(usize),
    /// The paid extension of a release.
    Extension(usize),
    /// Something that has no packages in images: `upstream`, `devel`, products, overlays.
    Nothing,
}

impl Parser for Tracker {
    fn wants(&self, path: &str) -> bool {
        let mut names = path.rsplit('/');
        let file = names.next().unwrap_or_default();
        matches!(names.next(), Some("active" | "retired")) && file.starts_with("CVE-")
    }

    fn file(
        &mut self,
        path: &str,
        content: &mut dyn BufRead,
        sink: &mut dyn Sink,
    ) -> Result<(), FeedError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        match json::read_whole(path, content, ENTRY_BYTES_MAX, &mut buffer) {
            Ok(()) => {
                let text = String::from_utf8_lossy(&buffer);
                match Entry::parse(&text) {
                    Ok(entry) => self.entry(&entry, sink),
                    Err(problem) => {
                        sink.quarantine(Note { subject: path.to_owned(), text: problem });
                    }
                }
            }
            Err(FeedError::Form { problem, .. }) => {
                sink.quarantine(Note { subject: path.to_owned(), text: problem });
            }
            Err(error) => return Err(error),
        }
        self.buffer = buffer;
        Ok(())
    }

    fn finish(&mut self, sink: &mut dyn Sink) -> Result<Summary, FeedError> {
        for name in &self.unknown {
            sink.note(Note {
                subject: name.clone(),
                text: "a release that is not known; its lines are left out".to_owned(),
            });
        }
        if self.entry_count == 0 {
            let problem = "holds no CVE in active/ or retired/".to_owned();
            return Err(FeedError::form("ubuntu-cve-tracker", problem));
        }
        Ok(Summary::default())
    }
}

impl Tracker {
    fn entry(&mut self, entry: &Entry<'_>, sink: &mut dyn Sink) {
        self.entry_count += 1;
        let mut about: Vec<(&str, usize, Lines<'_>)> = Vec::new();
        let mut index_of: HashMap<(&str, usize), usize> = HashMap::new();
        for line in entry.lines.iter().filter(|line| line.says_something()) {
            let (release, is_extension) = match self.speaks(line.release) {
                Speaks::Release(release) => (release, false),
                Speaks::Extension(release) => (release, true),
                Speaks::Nothing => continue,
            };
            let index = *index_of.entry((line.package, release)).or_insert(about.len());
            if index == about.len() {
                about.push((line.package, release, Lines::default()));
            }
            if let Some((_, _, lines)) = about.get_mut(index) {
                lines.add(line, is_extension);
            }
        }
        let mut affected = Vec::new();
        for (package, release, lines) in about {
            let Some(release) = self.releases.get(release) else { continue };
            match lines.statement(package, release.clone()) {
                Ok(Some(mut statement)) => {
                    statement.severity =
                        lines.line().and_then(|line| severity_of(entry, package, line));
                    affected.push(statement);
                }
                Ok(None) => {}
                Err(problem) => sink.quarantine(Note {
                    subject: format!("{} {package} {release}", entry.id),
                    text: problem,
                }),
            }
        }
        let cvss = scores(entry, sink);
        sink.advisory(advisory(entry, affected, cvss));
    }

    /// What a name speaks of; a name that is not known is remembered for a note.
    fn speaks(&mut self, name: &str) -> Speaks {
        if let Some(known) = self.names.get(name) {
            return *known;
        }
        let speaks = self.look_up(name).unwrap_or_else(|| {
            if self.unknown.len() < NAMES_MAX {
                self.unknown.insert(name.to_owned());
            }
            Speaks::Nothing
        });
        if self.names.len() < NAMES_MAX {
            self.names.insert(name.to_owned(), speaks);
        }
        speaks
    }

    /// `bionic`; `trusty/esm` or, later, `esm-infra/xenial`, `esm-apps/focal` for the extensions.
    /// What else has a slash are products and overlays. `None`: a release that is not known.
    fn look_up(&mut self, name: &str) -> Option<Speaks> {
        if matches!(name, "upstream" | "devel" | "product" | "snap") {
            return Some(Speaks::Nothing);
        }
        let Some((first, second)) = name.split_once('/') else {
            return Release::ubuntu(name).map(|release| Speaks::Release(self.index(release)));
        };
        let codename = match (first, second) {
            (codename, "esm") => codename,
            (first, codename) if first.starts_with("esm-") => codename,
            _ => return Some(Speaks::Nothing),
        };
        Release::ubuntu(codename).map(|release| Speaks::Extension(self.index(release)))
    }

    fn index(&mut self, release: Release) -> usize {
        self.releases.iter().position(|known| *known == release).unwrap_or_else(|| {
            self.releases.push(release);
            self.releases.len() - 1
        })
    }
}

fn advisory(entry: &Entry<'_>, affected: Vec<Affected>, cvss: Vec<Cvss>) -> Advisory {
    Advisory {
        id: entry.id.to_owned(),
        vulnerabilities: if is_cve(entry.id) { vec![entry.id.to_owned()] } else { Vec::new() },
        url: Some(format!("https://ubuntu.com/security/{}", entry.id)),
        summary: text::summary(&entry.description),
        published: entry.published,
        severity: entry.priority.and_then(Severity::from_vendor_word),
        cvss,
        affected,
        ..Advisory::default()
    }
}

/// The priority that the entry gives a package in particular, first in one release.
fn severity_of(entry: &Entry<'_>, package: &str, line: &Line<'_>) -> Option<Severity> {
    let of = |release: Option<&str>| {
        let mut priorities = entry.priorities.iter();
        priorities.find(|it| it.package == package && it.release == release).map(|it| it.word)
    };
    of(Some(line.release)).or_else(|| of(None)).and_then(Severity::from_vendor_word)
}

fn scores(entry: &Entry<'_>, sink: &mut dyn Sink) -> Vec<Cvss> {
    let mut scores = Vec::new();
    for (source, vector) in &entry.cvss {
        match Cvss::parse(vector, source) {
            Ok(cvss) => scores.push(cvss),
            Err(error) => {
                sink.note(Note { subject: entry.id.to_owned(), text: error.to_string() });
            }
        }
    }
    scores
}

#[cfg(test)]
mod tests;
