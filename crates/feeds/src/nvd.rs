//! NVD's scores and descriptions, one part per year.
//!
//! A year is a gzip JSON file of more than 100 MB unpacked, read one entry at a time; beside it
//! lies a `.meta` with the SHA-256 of the unpacked file, by which a file that was published while
//! it was fetched is told. Surprising: the year is that of the CVE id only from 2002 on; older ids
//! stand in 2002. Entries whose `vulnStatus` is `Rejected` keep no score.

mod hashing;
mod item;

use std::io::{BufRead, Read as _};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use pratique_model::{Enrichment, Note, PartId};

use self::hashing::Hashing;
use crate::json_items::{Piece, items};
use crate::text::quoted;
use crate::{
    Container, Coverage, Document, EVERY_SIX_HOURS, FeedError, Parser, Part, Sink, Source,
    SourceKind, Summary,
};

const PARSER_VERSION: u32 = 1;

const BASE_URL: &str = "https://nvd.nist.gov/feeds/json/cve/2.0";

/// The first year that is published.
const FIRST_YEAR: u16 = 2002;

/// How large an entry may be, in bytes. The largest list thousands of products: about 10 MB.
const ITEM_BYTES_MAX: usize = 64 << 20;

/// How large a `.meta` may be, in bytes; they have 160.
const META_BYTES_MAX: u64 = 4096;

/// The source `nvd`.
pub(crate) struct Nvd;

/// Reads one year.
#[derive(Default)]
struct NvdParser {
    /// The SHA-256 of the unpacked file, from the `.meta`.
    announced: Option<[u8; 32]>,
    as_of: Option<Timestamp>,
    entry_count: u64,
}

impl Source for Nvd {
    fn name(&self) -> &'static str {
        "nvd"
    }

    fn kind(&self) -> SourceKind {
        SourceKind::Enrichment
    }

    fn parts(&self, year: u16) -> Vec<Part> {
        (FIRST_YEAR..=year)
            .map(|year| {
                let document = |ending: &str, container, optional| Document {
                    url: format!("{BASE_URL}/nvdcve-2.0-{year}.{ending}"),
                    container,
                    optional,
                };
                Part {
                    id: PartId::new("nvd", &year.to_string()),
                    documents: vec![
                        document("meta", Container::Plain, true),
                        document("json.gz", Container::Gzip, false),
                    ],
                    covers: Coverage::Year(year),
                    parser_version: PARSER_VERSION,
                }
            })
            .collect()
    }

    fn parser(&self, _part: &PartId) -> Box<dyn Parser> {
        Box::<NvdParser>::default()
    }

    fn interval(&self, _part: &PartId, _year: u16) -> Duration {
        EVERY_SIX_HOURS
    }
}

impl Parser for NvdParser {
    fn file(
        &mut self,
        path: &str,
        content: &mut dyn BufRead,
        sink: &mut dyn Sink,
    ) -> Result<(), FeedError> {
        if path.ends_with(".meta") {
            return self.meta(path, content);
        }
        let Some(announced) = self.announced.take() else {
            return self.year(path, content, sink);
        };
        let mut content = Hashing::new(content);
        self.year(path, &mut content, sink)?;
        if content.finish() != announced {
            let problem = "is not the file that its .meta speaks of".to_owned();
            return Err(FeedError::form(path, problem));
        }
        Ok(())
    }

    fn finish(&mut self, _sink: &mut dyn Sink) -> Result<Summary, FeedError> {
        Ok(Summary { as_of: self.as_of })
    }
}

impl NvdParser {
    /// Reads `name:value` lines; their ends are CRLF, and the digest is in upper case.
    fn meta(&mut self, path: &str, content: &mut dyn BufRead) -> Result<(), FeedError> {
        let mut text = String::new();
        content
            .take(META_BYTES_MAX)
            .read_to_string(&mut text)
            .map_err(|source| FeedError::Read { path: path.to_owned(), source })?;
        let digest = text.lines().find_map(|line| line.strip_prefix("sha256:")).map(str::trim);
        let digest = digest.unwrap_or_default();
        let digest: pratique_model::Digest = format!("sha256:{}", digest.to_ascii_lowercase())
            .parse()
            .map_err(|_| FeedError::form(path, format!("no SHA-256: {}", quoted(digest))))?;
        self.announced = Some(*digest.as_bytes());
        Ok(())
    }

    fn year(
        &mut self,
        path: &str,
        content: &mut dyn BufRead,
        sink: &mut dyn Sink,
    ) -> Result<(), FeedError> {
        items(path, content, "vulnerabilities", ITEM_BYTES_MAX, &mut |piece| match piece {
            Piece::Member("timestamp", text) => {
                let text: Option<String> = serde_json::from_slice(text).ok();
                self.as_of = text.as_deref().and_then(timestamp);
            }
            Piece::Member(..) => {}
            Piece::Item(text) => {
                self.entry_count += 1;
                let entry = text.ok_or_else(|| "longer than any entry".to_owned());
                match entry.and_then(item::score) {
                    Ok((score, remarks)) => {
                        for text in remarks {
                            sink.note(Note { subject: score.vulnerability.clone(), text });
                        }
                        sink.enrichment(Enrichment::Nvd(score));
                    }
                    Err(text) => {
                        let subject = format!("entry {}", self.entry_count);
                        sink.quarantine(Note { subject, text });
                    }
                }
            }
        })
    }
}

/// NVD's dates have no zone and mean UTC.
fn timestamp(text: &str) -> Option<Timestamp> {
    let local: DateTime = text.trim_end_matches('Z').parse().ok()?;
    Some(local.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests;
