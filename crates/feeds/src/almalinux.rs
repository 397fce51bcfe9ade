//! AlmaLinux: its errata as OSV records, one zip per release.
//!
//! The records are about binary packages. Only security errata (`ALSA-…`) are advisories; bug-fix
//! and enhancement errata (`ALBA-…`, `ALEA-…`) are left out unread. What would surprise: the CVEs
//! stand in `related`; a record also names the packages of other releases, which their own zip has;
//! and half of the versions of release 8 are those of module streams, told only by the version's
//! text (`….module_el8.6.0+…`), with the stream's name only in the summary.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io::BufRead;

use jiff::Timestamp;

use pratique_model::{
    Advisory, Affected, Ecosystem, Note, PartId, Range, Release, Severity, Status,
};
use pratique_version::Scheme;

use crate::osv::record::{AffectedEntry, Record, sorted_cves};
use crate::osv::{range, tip};
use crate::{
    Container, Coverage, Document, FeedError, Parser, Part, Sink, Source, SourceKind, Summary,
    TipRow,
};

/// The releases that are published; the number is the part's name and osv.dev's.
const RELEASES: [&str; 3] = ["8", "9", "10"];

const BASE_URL: &str = "https://osv-vulnerabilities.storage.googleapis.com";

const PARSER_VERSION: u32 = 1;

/// Stands for a module stream that the record does not name.
const ANY_STREAM: &str = "*";

/// The source `almalinux`.
pub(crate) struct AlmaLinux;

impl Source for AlmaLinux {
    fn name(&self) -> &'static str {
        "almalinux"
    }

    fn kind(&self) -> SourceKind {
        SourceKind::Vulnerability
    }

    fn parts(&self, _year: u16) -> Vec<Part> {
        RELEASES
            .iter()
            .map(|number| Part {
                id: PartId::new("almalinux", number),
                documents: vec![Document {
                    url: format!("{BASE_URL}/AlmaLinux:{number}/all.zip"),
                    container: Container::Zip,
                    optional: false,
                }],
                covers: Coverage::Release(Release::new("almalinux", number)),
                parser_version: PARSER_VERSION,
            })
            .collect()
    }

    fn parser(&self, part: &PartId) -> Box<dyn Parser> {
        Box::new(Errata {
            number: part.part().to_owned(),
            release: Release::new("almalinux", part.part()),
            newest: None,
            record_count: 0,
        })
    }

    fn tip_url(&self, part: &PartId) -> Option<String> {
        Some(format!("{BASE_URL}/AlmaLinux:{}/modified_id.csv", part.part()))
    }

    fn tip_rows(&self, list: &[u8], is_cut: bool) -> Option<Vec<TipRow>> {
        tip::rows(list, is_cut)
    }
}

struct Errata {
    number: String,
    release: Release,
    newest: Option<Timestamp>,
    record_count: u64,
}

/// What the one line of text says beside the words for people.
#[derive(Debug, Default, PartialEq, Eq)]
struct Headline {
    severity: Option<Severity>,
    /// The module streams that it names, `virt:rhel`.
    streams: Vec<String>,
}

impl Parser for Errata {
    fn wants(&self, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        name.ends_with(".json") && !is_no_security_erratum(name)
    }

    fn file(
        &mut self,
        path: &str,
        content: &mut dyn BufRead,
        sink: &mut dyn Sink,
    ) -> Result<(), FeedError> {
        match Record::read(path, content)? {
            Ok(record) => {
                self.record_count += 1;
                self.newest = self.newest.max(record.modified);
                if !is_no_security_erratum(&record.id) {
                    self.erratum(record, sink);
                }
            }
            Err(text) => sink.quarantine(Note { subject: path.to_owned(), text }),
        }
        Ok(())
    }

    fn finish(&mut self, _sink: &mut dyn Sink) -> Result<Summary, FeedError> {
        if self.record_count == 0 {
            let path = format!("AlmaLinux:{}/all.zip", self.number);
            return Err(FeedError::form(&path, "holds no security erratum".to_owned()));
        }
        Ok(Summary { as_of: self.newest })
    }
}

impl Errata {
    fn erratum(&self, record: Record, sink: &mut dyn Sink) {
        let headline = headline(&record);
        let affected = self.affected(&record, &headline, sink);
        let mut cves = record.cves();
        cves.extend(sorted_cves(record.related.iter()));
        cves.sort_unstable();
        cves.dedup();
        let page = record.id.replace(':', "-");
        sink.advisory(Advisory {
            vulnerabilities: cves,
            aliases: record.other_ids(),
            url: Some(format!("https://errata.almalinux.org/{}/{page}.html", self.number)),
            summary: record.one_line(),
            published: record.published,
            modified: record.modified,
            withdrawn: record.withdrawn,
            severity: headline.severity,
            affected,
            id: record.id,
            ..Advisory::default()
        });
    }

    fn affected(&self, record: &Record, headline: &Headline, sink: &mut dyn Sink) -> Vec<Affected> {
        let mut plain: BTreeMap<&str, Vec<Range>> = BTreeMap::new();
        let mut modular: BTreeMap<&str, Vec<Range>> = BTreeMap::new();
        for entry in &record.affected {
            let Some(name) = self.own_package(entry) else { continue };
            let found = range::intervals(&entry.ranges, Scheme::Rpm);
            for text in found.oddities {
                sink.note(Note { subject: format!("{} {name}", record.id), text });
            }
            for interval in found.ranges {
                let ranges = if is_modular(&interval) { &mut modular } else { &mut plain };
                ranges.entry(name).or_default().push(interval);
            }
        }
        let mut affected: Vec<Affected> =
            plain.into_iter().map(|(name, ranges)| self.statement(name, ranges, None)).collect();
        let any = [ANY_STREAM.to_owned()];
        let streams = if headline.streams.is_empty() { &any[..] } else { &headline.streams };
        for (name, ranges) in modular {
            let first = first_build(ranges);
            for stream in streams {
                affected.push(self.statement(name, first.clone(), Some(stream.clone())));
            }
        }
        affected
    }

    /// The package's name, if it is one of this release.
    fn own_package<'a>(&self, entry: &'a AffectedEntry) -> Option<&'a str> {
        let package = entry.package.as_ref()?;
        let own = ("AlmaLinux", self.number.as_str());
        (package.ecosystem_parts() == own).then_some(package.name.as_str())
    }

    fn statement(&self, name: &str, mut ranges: Vec<Range>, module: Option<String>) -> Affected {
        ranges.dedup();
        let has_fix = ranges.iter().any(|range| range.fixed.is_some());
        let status = if has_fix { Status::Fixed } else { Status::Affected };
        let release = Some(self.release.clone());
        let mut affected = Affected::new(Ecosystem::Rpm, release, name, status);
        affected.ranges = ranges;
        affected.module = module;
        affected
    }
}

fn is_no_security_erratum(id: &str) -> bool {
    id.starts_with("ALBA-") || id.starts_with("ALEA-")
}

/// Whether a range ends at a build of a module stream: its release says `.module_el8.6.0+…`
/// (AlmaLinux) or `.module+el8.6.0+…` (as Red Hat writes it).
fn is_modular(range: &Range) -> bool {
    let version = range.fixed.as_deref().or(range.last_affected.as_deref()).unwrap_or_default();
    version.contains(".module_") || version.contains(".module+")
}

/// Of several builds of one modular package the range up to the lowest. One erratum lists the same
/// package once for each context that the stream is built in, and each of these builds is mended;
/// an installed one is never brought to another context's, so a higher build number is no fix that
/// it lacks. (The builds of plain packages replace each other: all their ranges count.)
fn first_build(ranges: Vec<Range>) -> Vec<Range> {
    let mut lowest: Option<Range> = None;
    for range in ranges {
        let is_lower = match (&lowest, &range.fixed) {
            (None, _) => true,
            (Some(known), Some(fixed)) => known
                .fixed
                .as_ref()
                .is_some_and(|known| Scheme::Rpm.compare(fixed, known).is_ok_and(Ordering::is_lt)),
            (Some(_), None) => false,
        };
        if is_lower {
            lowest = Some(range);
        }
    }
    lowest.into_iter().collect()
}

/// Reads `Important: virt:rhel and virt-devel:rhel security update`, in one old form
/// `ALSA-2022:5468: php:8.0 security update (Important)`.
fn headline(record: &Record) -> Headline {
    let summary = record.summary.as_deref().unwrap_or_default().trim();
    let own = summary.strip_prefix(record.id.as_str()).map(|rest| rest.trim_start_matches(':'));
    let text = own.unwrap_or(summary).trim();
    let (word, rest) = text.split_once(": ").unwrap_or(("", text));
    let (severity, rest) = match Severity::from_vendor_word(word) {
        Some(severity) => (Some(severity), rest),
        None => (last_word_in_parentheses(text).and_then(Severity::from_vendor_word), text),
    };
    let streams = rest.split_whitespace().filter_map(stream).collect();
    Headline { severity, streams }
}

fn last_word_in_parentheses(text: &str) -> Option<&str> {
    Some(text.strip_suffix(')')?.rsplit_once('(')?.1)
}

fn stream(word: &str) -> Option<String> {
    // `httpd:2.4/mod_http2` names the stream and, after the slash, the package in it.
    let word = word.trim_end_matches([',', ';', ':']).split('/').next()?;
    let (name, stream) = word.split_once(':')?;
    let plain = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_.+".contains(&it))
    };
    (plain(name) && plain(stream)).then(|| word.to_owned())
}

#[cfg(test)]
mod tests;
