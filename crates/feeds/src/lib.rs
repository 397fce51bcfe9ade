//! Turns published advisory files into advisories; describes what to fetch, never fetches.
//!
//! A source is one module and one line in [`sources`]. It says which parts it has, which documents
//! make up a part, and gives a parser that reads those documents one file at a time from a stream.
//! Whatever is wrong with one entry is put aside and named; the others are kept.

mod almalinux;
mod alpine;
mod azurelinux;
#[cfg(test)]
mod collector;
mod debian;
mod epss;
mod json;
mod json_items;
mod json_value;
mod kev;
mod nvd;
mod osv;
mod oval;
mod text;
mod ubuntu;

use std::io::BufRead;
use std::time::Duration;

use jiff::Timestamp;
use pratique_model::{Advisory, Ecosystem, Enrichment, Note, PartId, Release};

/// All sources, in the order in which `pratique db update` names them.
pub fn sources() -> &'static [&'static dyn Source] {
    const SOURCES: &[&dyn Source] = &[
        &debian::Debian,
        &ubuntu::Ubuntu,
        &alpine::ALPINE,
        &alpine::WOLFI,
        &alpine::CHAINGUARD,
        &almalinux::AlmaLinux,
        &azurelinux::AzureLinux,
        &osv::Osv,
        &kev::Kev,
        &epss::EpssScores,
        &nvd::Nvd,
    ];
    SOURCES
}

/// A published feed.
pub trait Source: Sync {
    /// The name, `debian`; part of part names, settings and reports.
    fn name(&self) -> &'static str;

    /// Whether it brings advisories or facts about CVEs.
    fn kind(&self) -> SourceKind;

    /// The parts that can be fetched today, in a fixed order. `year` is the present year, for
    /// sources with a part a year.
    fn parts(&self, year: u16) -> Vec<Part>;

    /// A parser for one part; each part is read by a parser of its own.
    fn parser(&self, part: &PartId) -> Box<dyn Parser>;

    /// How often it is worth asking for a part that has no list of its newest entries. `year` is
    /// the present year.
    fn interval(&self, part: &PartId, year: u16) -> Duration {
        let _ = (part, year);
        HOURLY
    }

    /// Where a list of the part's newest entries lies, newest first, of which the beginning is
    /// worth asking for every minute; `None` when upstream has none.
    fn tip_url(&self, part: &PartId) -> Option<String> {
        let _ = part;
        None
    }

    /// Reads the beginning of that list; `is_cut` when it goes on in the middle of a row. `None`
    /// when it is not such a list.
    fn tip_rows(&self, list: &[u8], is_cut: bool) -> Option<Vec<TipRow>> {
        let _ = (list, is_cut);
        None
    }

    /// Where one entry of that list lies, as a file that the parser reads; `None` when it cannot
    /// be had by itself.
    fn entry_url(&self, part: &PartId, id: &str) -> Option<String> {
        let _ = (part, id);
        None
    }
}

/// How often to ask for what answers "nothing new" with a few bytes: every minute, from the design
/// (updater, *Schedule*), less the tenth by which the schedule may be late and the seconds that
/// fetching, committing and matching take. From upstream to the outbox it must be a minute.
pub const EVERY_MINUTE: Duration = Duration::from_secs(50);

/// How often to ask where nothing else is said. From the design (updater, *Schedule*).
pub const HOURLY: Duration = Duration::from_hours(1);

/// How often to ask for what its publisher renews a few times a day. From the design (updater,
/// *Schedule*).
pub const EVERY_SIX_HOURS: Duration = Duration::from_hours(6);

/// A row of a list of the newest entries.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TipRow {
    /// When the entry was last changed, as the list says.
    pub modified: Timestamp,
    /// The entry's id.
    pub id: String,
}

/// What a source brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// Advisories about packages.
    Vulnerability,
    /// Facts about CVEs.
    Enrichment,
}

/// The unit that is fetched, parsed and committed as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name.
    pub id: PartId,
    /// The files it is made of, in the order in which they are parsed.
    pub documents: Vec<Document>,
    /// What it can speak of; decides which parts a scan needs.
    pub covers: Coverage,
    /// Raised when the parser's output for the same input changes; forces a new reading.
    pub parser_version: u32,
}

/// What a part can speak of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// Every release of one distribution, `debian`.
    Distribution(&'static str),
    /// One release.
    Release(Release),
    /// Language packages of one ecosystem.
    Ecosystem(Ecosystem),
    /// CVE ids of one year.
    Year(u16),
    /// All CVE ids.
    AllVulnerabilities,
}

/// One file to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Where upstream has it; https.
    pub url: String,
    /// How it is packed.
    pub container: Container,
    /// Whether the part is whole without it (an old Alpine branch has no `community`).
    pub optional: bool,
}

/// How a document is packed. Unpacking is the fetcher's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// One file as it is.
    Plain,
    /// One file, gzip.
    Gzip,
    /// A zip of many files.
    Zip,
    /// A gzip tar of many files.
    TarGz,
}

/// Where a parser puts what it reads.
pub trait Sink {
    /// Takes one advisory. A source that publishes by package gives the same id once for each
    /// package: then `affected`, `vulnerabilities` and `aliases` are united, and of the other
    /// fields the first one that is set stays. Feeds say them alike for one id; a contradiction
    /// between two severities is worth a note.
    fn advisory(&mut self, advisory: Advisory);

    /// Takes one fact about a CVE.
    fn enrichment(&mut self, enrichment: Enrichment);

    /// Takes a remark for the operator; nothing was lost.
    fn note(&mut self, note: Note);

    /// Counts and names an entry that could not be read; `note.subject` is its id or place.
    fn quarantine(&mut self, note: Note);
}

/// Reads the files of one part.
pub trait Parser: Send {
    /// Whether a file of a zip or tar is worth opening; asked before [`Self::file`].
    fn wants(&self, path: &str) -> bool {
        let _ = path;
        true
    }

    /// Reads one file. `path` is the path inside the container, or the document's file name for a
    /// plain or gzip document; `content` is already unpacked.
    ///
    /// # Errors
    /// [`FeedError`] when the file as a whole is not what it should be; the part then fails and the
    /// old data stays. One bad entry is no error: it goes to [`Sink::quarantine`].
    fn file(
        &mut self,
        path: &str,
        content: &mut dyn BufRead,
        sink: &mut dyn Sink,
    ) -> Result<(), FeedError>;

    /// Called after the last file; gives what was kept back until then.
    ///
    /// # Errors
    /// [`FeedError`] when the files together do not make sense (none was of the expected form).
    fn finish(&mut self, sink: &mut dyn Sink) -> Result<Summary, FeedError>;
}

/// What is known of a part after it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The upstream's own date of the data, where it carries one.
    pub as_of: Option<Timestamp>,
}

/// A file that is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// Reading from the stream went wrong.
    #[error("{path}: reading")]
    Read {
        /// The file.
        path: String,
        /// What went wrong.
        #[source]
        source: std::io::Error,
    },
    /// The file as a whole has not the expected form.
    #[error("{path}: {problem}")]
    Form {
        /// The file.
        path: String,
        /// What was expected and what stands there.
        problem: String,
    },
}

impl FeedError {
    pub(crate) fn form(path: &str, problem: String) -> Self {
        Self::Form { path: path.to_owned(), problem }
    }
}
