//! A sink that keeps everything, for the tests of the sources.

use std::io::{BufReader, Read};

use pratique_model::{Advisory, Affected, Enrichment, Note, PartId};

use crate::{FeedError, Sink, Source, Summary};

/// All that a parser gave, in its order.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    /// The advisories.
    pub(crate) advisories: Vec<Advisory>,
    /// The facts about CVEs.
    pub(crate) enrichments: Vec<Enrichment>,
    /// The remarks.
    pub(crate) notes: Vec<Note>,
    /// The entries that were put aside.
    pub(crate) quarantined: Vec<Note>,
    /// What the parser said at the end.
    pub(crate) summary: Summary,
}

impl Sink for Collector {
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

impl Collector {
    /// Reads the files of one part, through a reader that gives only a few bytes at a time.
    pub(crate) fn read(
        source: &dyn Source,
        part: &str,
        files: &[(&str, &str)],
    ) -> Result<Self, FeedError> {
        let mut collected = Self::default();
        let part = PartId::new(source.name(), part);
        let mut parser = source.parser(&part);
        for (path, text) in files {
            if parser.wants(path) {
                let mut content = BufReader::with_capacity(7, text.as_bytes().take(u64::MAX));
                parser.file(path, &mut content, &mut collected)?;
            }
        }
        collected.summary = parser.finish(&mut collected)?;
        Ok(collected)
    }

    /// The statements about one package in one release, with the ids of their advisories.
    pub(crate) fn statements(&self, package: &str, release: &str) -> Vec<(&str, &Affected)> {
        self.advisories
            .iter()
            .flat_map(|advisory| advisory.affected.iter().map(|it| (&*advisory.id, it)))
            .filter(|(_, it)| {
                it.package == package
                    && it.release.as_ref().is_some_and(|it| it.as_str() == release)
            })
            .collect()
    }

    /// The subjects of what was put aside.
    pub(crate) fn quarantined_subjects(&self) -> Vec<&str> {
        self.quarantined.iter().map(|note| note.subject.as_str()).collect()
    }

    /// The subjects of the remarks.
    pub(crate) fn note_subjects(&self) -> Vec<&str> {
        self.notes.iter().map(|note| note.subject.as_str()).collect()
    }
}
