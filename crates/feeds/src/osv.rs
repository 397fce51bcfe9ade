//! osv.dev's zips: advisories about language packages, one part per ecosystem.
//!
//! A zip holds one record per advisory of whichever database speaks of the ecosystem (GHSA, PyPA,
//! RustSec, the Go team, OpenSSF's malicious packages …). The same flaw may stand there under
//! several ids: all are kept, the matcher joins them by CVE. Surprising: a record also names the
//! packages of other ecosystems; those stand in their own ecosystem's zip too and are left out
//! here, so that no package is found twice.

mod advisory;
mod platform;
pub(crate) mod range;
pub(crate) mod record;
pub(crate) mod tip;

use std::io::BufRead;

use jiff::Timestamp;
use pratique_model::{Ecosystem, Note, PartId};

use self::record::Record;
use crate::{
    Container, Coverage, Document, FeedError, Parser, Part, Sink, Source, SourceKind, Summary,
    TipRow,
};

/// Raised when the same records give other advisories.
const PARSER_VERSION: u32 = 2;

/// Where the zips lie; documented at <https://google.github.io/osv.dev/data/>.
const BASE_URL: &str = "https://osv-vulnerabilities.storage.googleapis.com";

/// The zips that are read. The first field is osv.dev's name of the ecosystem: the folder, the
/// part's name, and what stands in `package.ecosystem`. One line adds one.
const ECOSYSTEMS: [(&str, Ecosystem); 9] = [
    ("PyPI", Ecosystem::Pypi),
    ("npm", Ecosystem::Npm),
    ("Go", Ecosystem::Golang),
    ("crates.io", Ecosystem::Cargo),
    ("Maven", Ecosystem::Maven),
    ("RubyGems", Ecosystem::Gem),
    ("NuGet", Ecosystem::Nuget),
    ("Packagist", Ecosystem::Composer),
    ("Bitnami", Ecosystem::Bitnami),
];

/// The source `osv`.
pub(crate) struct Osv;

/// Reads the records of one zip.
struct OsvParser {
    name: &'static str,
    ecosystem: Ecosystem,
    newest: Option<Timestamp>,
    record_count: u64,
}

impl Source for Osv {
    fn name(&self) -> &'static str {
        "osv"
    }

    fn kind(&self) -> SourceKind {
        SourceKind::Vulnerability
    }

    fn parts(&self, _year: u16) -> Vec<Part> {
        ECOSYSTEMS
            .iter()
            .map(|(name, ecosystem)| Part {
                id: PartId::new("osv", name),
                documents: vec![Document {
                    url: format!("{BASE_URL}/{name}/all.zip"),
                    container: Container::Zip,
                    optional: false,
                }],
                covers: Coverage::Ecosystem(*ecosystem),
                parser_version: PARSER_VERSION,
            })
            .collect()
    }

    fn parser(&self, part: &PartId) -> Box<dyn Parser> {
        let (name, ecosystem) = ECOSYSTEMS
            .iter()
            .find(|(name, _)| *name == part.part())
            .copied()
            .expect("a parser is asked for a part of this source");
        Box::new(OsvParser { name, ecosystem, newest: None, record_count: 0 })
    }

    fn tip_url(&self, part: &PartId) -> Option<String> {
        Some(format!("{BASE_URL}/{}/modified_id.csv", part.part()))
    }

    fn tip_rows(&self, list: &[u8], is_cut: bool) -> Option<Vec<TipRow>> {
        tip::rows(list, is_cut)
    }

    fn entry_url(&self, part: &PartId, id: &str) -> Option<String> {
        tip::entry_url(&format!("{BASE_URL}/{}", part.part()), id)
    }
}

impl Parser for OsvParser {
    fn wants(&self, path: &str) -> bool {
        path.ends_with(".json")
    }

    fn file(
        &mut self,
        path: &str,
        content: &mut dyn BufRead,
        sink: &mut dyn Sink,
    ) -> Result<(), FeedError> {
        match Record::read(path, content)?
            .and_then(|record| advisory::convert(record, self.name, self.ecosystem))
        {
            Ok(converted) => {
                self.record_count += 1;
                self.newest = self.newest.max(converted.advisory.modified);
                for text in converted.remarks {
                    sink.note(Note { subject: converted.advisory.id.clone(), text });
                }
                sink.advisory(converted.advisory);
            }
            Err(text) => {
                self.record_count += 1;
                sink.quarantine(Note { subject: path.to_owned(), text });
            }
        }
        Ok(())
    }

    fn finish(&mut self, _sink: &mut dyn Sink) -> Result<Summary, FeedError> {
        if self.record_count == 0 {
            return Err(FeedError::Form {
                path: format!("{}/all.zip", self.name),
                problem: "holds no OSV record".to_owned(),
            });
        }
        Ok(Summary { as_of: self.newest })
    }
}

#[cfg(test)]
mod tests;
