//! A sink that keeps what it is given, for the tests of the sources.

use pratique_model::{Advisory, Enrichment, Note};

use crate::Sink;

/// Everything that a parser gave, in its order.
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
