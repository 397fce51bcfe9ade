//! An entry as bytes, while it waits to be committed.
//!
//! Two sections: what matters for matching, and what only people read. The hash of each section
//! tells later whether the entry changed, and in which respect; so the bytes of a section depend on
//! nothing but the values in it. They live in a temporary file of this process only, and are no
//! format that anything else reads.

use std::str;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use pratique_model::{
    Advisory, Affected, Cvss, CvssVersion, Ecosystem, Enrichment, Epss, KnownExploited, NvdScore,
    Range, Release,
};

use crate::StoreError;
use crate::encoding::{self, number, push_number};
use crate::session::storable;

/// The hashes of one entry's sections, and later of the whole advisory they make up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hashes {
    /// Of what matters for matching.
    pub(crate) matching: i64,
    /// Of the texts.
    pub(crate) text: i64,
}

/// Appends an advisory and gives the hashes of its sections.
pub(crate) fn push_advisory(bytes: &mut Vec<u8>, advisory: &Advisory) -> Hashes {
    let start = bytes.len();
    push_text(bytes, &advisory.id);
    push_texts(bytes, &advisory.vulnerabilities);
    push_option(bytes, advisory.withdrawn.as_ref(), |bytes, time| push_time(bytes, *time));
    push_option(bytes, advisory.severity.as_ref(), |bytes, severity| {
        push_code(bytes, encoding::severity_code(*severity));
    });
    push_cvss(bytes, &advisory.cvss);
    push_optional_text(bytes, advisory.informational.as_deref());
    push_number(bytes, advisory.affected.len());
    for affected in &advisory.affected {
        push_affected(bytes, affected);
    }
    let middle = bytes.len();
    push_texts(bytes, &advisory.aliases);
    push_optional_text(bytes, advisory.url.as_deref());
    push_optional_text(bytes, advisory.summary.as_deref());
    push_option(bytes, advisory.published.as_ref(), |bytes, time| push_time(bytes, *time));
    push_option(bytes, advisory.modified.as_ref(), |bytes, time| push_time(bytes, *time));
    Hashes { matching: hash(&bytes[start..middle]), text: hash(&bytes[middle..]) }
}

/// Reads what [`push_advisory`] wrote.
pub(crate) fn advisory(bytes: &[u8]) -> Result<Advisory, StoreError> {
    let mut input = Input { rest: bytes };
    read_advisory(&mut input).ok_or_else(|| StoreError::damaged("waiting advisory"))?
}

/// Appends a fact.
pub(crate) fn push_enrichment(bytes: &mut Vec<u8>, enrichment: &Enrichment) {
    match enrichment {
        Enrichment::Epss(epss) => {
            bytes.push(0);
            push_text(bytes, &epss.vulnerability);
            bytes.extend_from_slice(&epss.score.to_bits().to_le_bytes());
            bytes.extend_from_slice(&epss.percentile.to_bits().to_le_bytes());
            push_code(bytes, encoding::date_code(epss.date));
        }
        Enrichment::KnownExploited(kev) => {
            bytes.push(1);
            push_text(bytes, &kev.vulnerability);
            push_code(bytes, encoding::date_code(kev.added));
            push_option(bytes, kev.due.as_ref(), |bytes, due| {
                push_code(bytes, encoding::date_code(*due));
            });
            bytes.push(u8::from(kev.ransomware));
        }
        Enrichment::Nvd(nvd) => {
            bytes.push(2);
            push_text(bytes, &nvd.vulnerability);
            push_cvss(bytes, &nvd.cvss);
            bytes.push(u8::from(nvd.is_rejected));
        }
    }
}

/// The CVE that a fact is about.
pub(crate) fn vulnerability_of(enrichment: &Enrichment) -> &str {
    match enrichment {
        Enrichment::Epss(epss) => &epss.vulnerability,
        Enrichment::KnownExploited(kev) => &kev.vulnerability,
        Enrichment::Nvd(nvd) => &nvd.vulnerability,
    }
}

/// Reads what [`push_enrichment`] wrote; NVD's descriptions are not kept.
pub(crate) fn enrichment(bytes: &[u8]) -> Result<Enrichment, StoreError> {
    let mut input = Input { rest: bytes };
    read_enrichment(&mut input).ok_or_else(|| StoreError::damaged("waiting fact"))?
}

/// A hash of an advisory's name, by which it is found among the others of its part.
pub(crate) fn name_hash(name: &str) -> u64 {
    hash(name.as_bytes()).cast_unsigned()
}

/// The name of the advisory that [`push_advisory`] wrote.
pub(crate) fn advisory_name(bytes: &[u8]) -> Result<String, StoreError> {
    let name = Input { rest: bytes }.text();
    name.ok_or_else(|| StoreError::damaged("waiting advisory"))
}

/// The first 64 bits of SHA-256: stable over programs and machines, and two versions of one entry
/// that differ share it once in 2⁶⁴.
fn hash(bytes: &[u8]) -> i64 {
    let digest = Sha256::digest(bytes);
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    i64::from_le_bytes(first)
}

fn push_affected(bytes: &mut Vec<u8>, affected: &Affected) {
    push_text(bytes, affected.ecosystem.as_str());
    push_optional_text(bytes, affected.release.as_ref().map(Release::as_str));
    push_text(bytes, &affected.package);
    push_code(bytes, encoding::name_kind_code(affected.name_kind));
    push_code(bytes, encoding::status_code(affected.status));
    push_optional_text(bytes, affected.remark.as_deref());
    push_number(bytes, affected.ranges.len());
    for range in &affected.ranges {
        push_optional_text(bytes, range.introduced.as_deref());
        push_optional_text(bytes, range.fixed.as_deref());
        push_optional_text(bytes, range.last_affected.as_deref());
    }
    push_texts(bytes, &affected.versions);
    push_option(bytes, affected.severity.as_ref(), |bytes, severity| {
        push_code(bytes, encoding::severity_code(*severity));
    });
    push_optional_text(bytes, affected.module.as_deref());
    push_texts(bytes, &affected.arches);
    push_texts(bytes, &affected.platforms);
}

fn push_cvss(bytes: &mut Vec<u8>, scores: &[Cvss]) {
    push_number(bytes, scores.len());
    for cvss in scores {
        bytes.push(match cvss.version {
            CvssVersion::V2 => 0,
            CvssVersion::V3_0 => 1,
            CvssVersion::V3_1 => 2,
            CvssVersion::V4 => 3,
        });
        push_text(bytes, &cvss.vector);
        bytes.extend_from_slice(&cvss.score.to_bits().to_le_bytes());
        push_text(bytes, &cvss.source);
    }
}

fn push_text(bytes: &mut Vec<u8>, text: &str) {
    let text = storable(text);
    push_number(bytes, text.len());
    bytes.extend_from_slice(text.as_bytes());
}

fn push_texts(bytes: &mut Vec<u8>, texts: &[String]) {
    push_number(bytes, texts.len());
    for text in texts {
        push_text(bytes, text);
    }
}

fn push_optional_text(bytes: &mut Vec<u8>, text: Option<&str>) {
    push_option(bytes, text, push_text);
}

fn push_option<T>(bytes: &mut Vec<u8>, value: Option<T>, push: impl Fn(&mut Vec<u8>, T)) {
    bytes.push(u8::from(value.is_some()));
    if let Some(value) = value {
        push(bytes, value);
    }
}

fn push_time(bytes: &mut Vec<u8>, time: Timestamp) {
    push_code(bytes, time.as_microsecond());
}

fn push_code(bytes: &mut Vec<u8>, code: i64) {
    bytes.extend_from_slice(&code.to_le_bytes());
}

/// Bytes not read yet. Every function gives `None` when they end too early.
struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|byte| byte[0])
    }

    fn count(&mut self) -> Option<usize> {
        let (count, rest) = number(self.rest)?;
        self.rest = rest;
        Some(count)
    }

    fn code(&mut self) -> Option<i64> {
        self.take(8)?.try_into().ok().map(i64::from_le_bytes)
    }

    fn float(&mut self) -> Option<f64> {
        self.take(8)?.try_into().ok().map(u64::from_le_bytes).map(f64::from_bits)
    }

    fn text(&mut self) -> Option<String> {
        let length = self.count()?;
        str::from_utf8(self.take(length)?).ok().map(str::to_owned)
    }

    fn texts(&mut self) -> Option<Vec<String>> {
        self.list(Self::text)
    }

    fn list<T>(&mut self, read: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.count()?;
        // Every item takes a byte at least, so a damaged count reserves no more than is there.
        let mut list = Vec::with_capacity(count.min(self.rest.len()));
        for _ in 0..count {
            list.push(read(self)?);
        }
        Some(list)
    }

    fn option<T>(&mut self, read: impl Fn(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.byte()? {
            0 => Some(None),
            _ => read(self).map(Some),
        }
    }
}

/// The outer layer: the bytes end too early; the inner: a value is not one of its words.
type Read<T> = Option<Result<T, StoreError>>;

fn read_advisory(input: &mut Input<'_>) -> Read<Advisory> {
    let mut advisory =
        Advisory { id: input.text()?, vulnerabilities: input.texts()?, ..Advisory::default() };
    let withdrawn = input.option(Input::code)?;
    let severity = input.option(Input::code)?;
    advisory.cvss = read_cvss(input)?;
    advisory.informational = input.option(Input::text)?;
    let count = input.count()?;
    for _ in 0..count {
        match read_affected(input)? {
            Ok(affected) => advisory.affected.push(affected),
            Err(error) => return Some(Err(error)),
        }
    }
    advisory.aliases = input.texts()?;
    advisory.url = input.option(Input::text)?;
    advisory.summary = input.option(Input::text)?;
    let published = input.option(Input::code)?;
    let modified = input.option(Input::code)?;
    let codes = || -> Result<(), StoreError> {
        advisory.withdrawn = withdrawn.map(encoding::timestamp).transpose()?;
        advisory.severity = severity.map(encoding::severity).transpose()?;
        advisory.published = published.map(encoding::timestamp).transpose()?;
        advisory.modified = modified.map(encoding::timestamp).transpose()?;
        Ok(())
    };
    let mut codes = codes;
    let read = codes();
    Some(read.map(|()| advisory))
}

fn read_affected(input: &mut Input<'_>) -> Read<Affected> {
    let ecosystem = input.text()?.parse::<Ecosystem>();
    let release = input.option(Input::text)?;
    let package = input.text()?;
    let name_kind = encoding::name_kind(input.code()?);
    let status = encoding::status(input.code()?);
    let remark = input.option(Input::text)?;
    let ranges = input.list(|input| {
        Some(Range {
            introduced: input.option(Input::text)?,
            fixed: input.option(Input::text)?,
            last_affected: input.option(Input::text)?,
        })
    })?;
    let versions = input.texts()?;
    let severity = input.option(Input::code)?.map(encoding::severity).transpose();
    let module = input.option(Input::text)?;
    let arches = input.texts()?;
    let platforms = input.texts()?;
    let read = || {
        Ok(Affected {
            ecosystem: ecosystem.map_err(|error| StoreError::damaged(error.to_string()))?,
            release: release.as_deref().map(Release::from_text),
            package,
            name_kind: name_kind?,
            status: status?,
            remark,
            ranges,
            versions,
            severity: severity?,
            module,
            arches,
            platforms,
        })
    };
    Some(read())
}

fn read_cvss(input: &mut Input<'_>) -> Option<Vec<Cvss>> {
    input.list(|input| {
        Some(Cvss {
            version: match input.byte()? {
                0 => CvssVersion::V2,
                1 => CvssVersion::V3_0,
                2 => CvssVersion::V3_1,
                3 => CvssVersion::V4,
                _ => return None,
            },
            vector: input.text()?,
            score: input.float()?,
            source: input.text()?,
        })
    })
}

fn read_enrichment(input: &mut Input<'_>) -> Read<Enrichment> {
    Some(match input.byte()? {
        0 => {
            let vulnerability = input.text()?;
            let score = input.float()?;
            let percentile = input.float()?;
            encoding::date(input.code()?)
                .map(|date| Enrichment::Epss(Epss { vulnerability, score, percentile, date }))
        }
        1 => {
            let vulnerability = input.text()?;
            let added = encoding::date(input.code()?);
            let due = input.option(Input::code)?.map(encoding::date).transpose();
            let ransomware = input.byte()? != 0;
            added.and_then(|added| {
                let kev = KnownExploited { vulnerability, added, due: due?, ransomware };
                Ok(Enrichment::KnownExploited(kev))
            })
        }
        2 => Ok(Enrichment::Nvd(NvdScore {
            vulnerability: input.text()?,
            cvss: read_cvss(input)?,
            is_rejected: input.byte()? != 0,
            description: None,
        })),
        _ => return None,
    })
}
