//! CISA's catalogue of known exploited vulnerabilities.
//!
//! One JSON file. Surprising: the release date has four digits after the seconds, and whether
//! ransomware uses a flaw is the word `Known`; everything else, `Unknown` included, is no.

use std::io::BufRead;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use pratique_model::{Enrichment, KnownExploited, Note, PartId, is_cve};
use serde::Deserialize;

use crate::json_items::{Piece, items};
use crate::text::quoted;
use crate::{
    Container, Coverage, Document, EVERY_MINUTE, FeedError, Parser, Part, Sink, Source, SourceKind,
    Summary,
};

const PARSER_VERSION: u32 = 1;

const URL: &str =
    "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json";

/// How large an entry may be, in bytes; the largest has 5 kB of notes.
const ITEM_BYTES_MAX: usize = 1 << 20;

/// The source `kev`.
pub(crate) struct Kev;

/// Reads the catalogue.
#[derive(Default)]
struct KevParser {
    released: Option<Timestamp>,
    entry_count: u64,
}

/// An entry, as far as it is read.
#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "cveID")]
    cve_id: String,
    #[serde(rename = "dateAdded")]
    date_added: String,
    #[serde(rename = "dueDate", default)]
    due_date: Option<String>,
    #[serde(rename = "knownRansomwareCampaignUse", default)]
    ransomware: Option<String>,
}

impl Source for Kev {
    fn name(&self) -> &'static str {
        "kev"
    }

    fn kind(&self) -> SourceKind {
        SourceKind::Enrichment
    }

    fn parts(&self, _year: u16) -> Vec<Part> {
        vec![Part {
            id: PartId::new("kev", "kev"),
            documents: vec![Document {
                url: URL.to_owned(),
                container: Container::Plain,
                optional: false,
            }],
            covers: Coverage::AllVulnerabilities,
            parser_version: PARSER_VERSION,
        }]
    }

    fn parser(&self, _part: &PartId) -> Box<dyn Parser> {
        Box::<KevParser>::default()
    }

    fn interval(&self, _part: &PartId, _year: u16) -> Duration {
        EVERY_MINUTE
    }
}

impl Parser for KevParser {
    fn file(
        &mut self,
        path: &str,
        content: &mut dyn BufRead,
        sink: &mut dyn Sink,
    ) -> Result<(), FeedError> {
        items(path, content, "vulnerabilities", ITEM_BYTES_MAX, &mut |piece| match piece {
            Piece::Member("dateReleased", text) => {
                let text: Option<String> = serde_json::from_slice(text).ok();
                self.released = text.and_then(|text| text.parse().ok());
            }
            Piece::Member(..) => {}
            Piece::Item(text) => {
                self.entry_count += 1;
                let entry = text.ok_or_else(|| "longer than any entry".to_owned());
                match entry.and_then(known_exploited) {
                    Ok(fact) => sink.enrichment(Enrichment::KnownExploited(fact)),
                    Err(text) => {
                        let subject = format!("entry {}", self.entry_count);
                        sink.quarantine(Note { subject, text });
                    }
                }
            }
        })
    }

    fn finish(&mut self, _sink: &mut dyn Sink) -> Result<Summary, FeedError> {
        Ok(Summary { as_of: self.released })
    }
}

fn known_exploited(text: &[u8]) -> Result<KnownExploited, String> {
    let entry: Entry = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    if !is_cve(&entry.cve_id) {
        return Err(format!("not a CVE id: {}", quoted(&entry.cve_id)));
    }
    let added: Date = entry
        .date_added
        .parse()
        .map_err(|_| format!("{}: dateAdded {}", entry.cve_id, quoted(&entry.date_added)))?;
    Ok(KnownExploited {
        vulnerability: entry.cve_id,
        added,
        due: entry.due_date.and_then(|text| text.parse().ok()),
        ransomware: entry.ransomware.is_some_and(|word| word.eq_ignore_ascii_case("known")),
    })
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::collector::Collector;

    #[test]
    fn trap_8_kev_has_fractional_dates_and_words_for_ransomware() {
        let text = br#"{"title": "t", "catalogVersion": "2026.08.07",
            "dateReleased": "2026-08-07T16:45:47.0648Z", "count": 4, "vulnerabilities": [
            {"cveID": "CVE-2021-44228", "dateAdded": "2021-12-10", "dueDate": "2021-12-24",
                "knownRansomwareCampaignUse": "Known", "notes": "a ; b"},
            {"cveID": "CVE-2020-0001", "dateAdded": "2022-01-02",
                "knownRansomwareCampaignUse": "Unknown"},
            {"cveID": "GHSA-1", "dateAdded": "2022-01-02"},
            {"cveID": "CVE-2020-0002", "dateAdded": "soon"}]}"#;
        let (mut parser, mut sink) = (KevParser::default(), Collector::default());
        parser.file("kev.json", &mut &text[..], &mut sink).expect("readable");
        let summary = parser.finish(&mut sink).expect("whole");
        let fact = |id: &str, added, due, ransomware| {
            let vulnerability = id.to_owned();
            Enrichment::KnownExploited(KnownExploited { vulnerability, added, due, ransomware })
        };
        assert_eq!(
            sink.enrichments,
            [
                fact("CVE-2021-44228", date(2021, 12, 10), Some(date(2021, 12, 24)), true),
                fact("CVE-2020-0001", date(2022, 1, 2), None, false),
            ]
        );
        let aside: Vec<&str> = sink.quarantined.iter().map(|note| note.subject.as_str()).collect();
        assert_eq!(aside, ["entry 3", "entry 4"]);
        let as_of = summary.as_of.map(|at| at.to_string());
        assert_eq!(as_of.as_deref(), Some("2026-08-07T16:45:47.0648Z"));
    }

    #[test]
    fn a_cut_catalogue_fails_the_part() {
        let text = br#"{"vulnerabilities": [{"cveID": "CVE-2021-44228", "dateAdded": "2021-1"#;
        let mut sink = Collector::default();
        assert!(KevParser::default().file("kev.json", &mut &text[..], &mut sink).is_err());
    }
}
