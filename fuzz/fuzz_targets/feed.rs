//! A document of a source, chosen by the first byte: read to its end or refused, twice the same.
#![no_main]

use pratique_feeds::{Sink, sources};
use pratique_model::{Advisory, Enrichment, Note};

/// The year that parts are asked for.
const YEAR: u16 = 2026;

/// Writes down what comes.
#[derive(Default)]
struct Heard(Vec<String>);

impl Sink for Heard {
    fn advisory(&mut self, advisory: Advisory) {
        self.0.push(format!("{advisory:?}"));
    }

    fn enrichment(&mut self, enrichment: Enrichment) {
        self.0.push(format!("{enrichment:?}"));
    }

    fn note(&mut self, note: Note) {
        self.0.push(format!("{note:?}"));
    }

    fn quarantine(&mut self, note: Note) {
        self.0.push(format!("{note:?}"));
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((which, document)) = data.split_first() else { return };
    let source = sources()[usize::from(*which) % sources().len()];
    let parts = source.parts(YEAR);
    let part = &parts[usize::from(*which) / sources().len() % parts.len()];
    let url = &part.documents[0].url;
    let name = url.rsplit('/').next().unwrap_or_default();
    // Members of a zip have names of their own.
    let path = if name.ends_with(".zip") { "GHSA-1.json" } else { name.trim_end_matches(".gz") };
    let read = || {
        let (mut parser, mut heard) = (source.parser(&part.id), Heard::default());
        let mut content = document;
        let outcome = parser
            .file(path, &mut content, &mut heard)
            .and_then(|()| parser.finish(&mut heard))
            .map_err(|error| error.to_string());
        (outcome, heard.0)
    };
    assert_eq!(read(), read());
});
