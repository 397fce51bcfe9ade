//! Reads the list of crates that `cargo auditable` links into a program, as it passes by.
//!
//! The list is JSON, compressed as a zlib stream, in the section `.dep-v0`. PE and Mach-O name the
//! section at the program's start. ELF's section is not loaded, hence lies behind all that is, and
//! the table that names it comes last; so every zlib stream there that holds an object is unpacked,
//! and counts if the table then says that a section begins at its very place. Nothing has to be
//! kept but the unpacked list. Form: the audit data's `PARSING.md` and JSON schema of
//! cargo-auditable.

use flate2::{Decompress, FlushDecompress, Status};
use serde::Deserialize;

use pratique_model::Ecosystem;

use super::layout::{AuditPlace, Layout, SectionTable};
use super::overlap;
use crate::cataloger::{Evidence, Found};
use crate::language::json::{self, Text};

/// How long the unpacked list may be, in bytes. A thousand crates take 100 KiB.
const LIST_BYTES_MAX: usize = 8 << 20;

/// How many bytes of a zlib stream must be there to tell whether it holds an object: the tables of
/// a first block take at most about 300.
const PROBE_BYTES: usize = 512;

/// How many places of one program are tried. Debug information of 1 GiB has about 65,000 that look
/// like the beginning of a zlib stream; a try takes a few microseconds.
const PROBES_MAX: u32 = 250_000;

/// How many lists of one program are unpacked.
const LISTS_MAX: usize = 4;

/// How long ELF's section table may be to be looked at.
const TABLE_BYTES_MAX: u64 = 4 << 20;

/// Looks for the list.
pub(super) struct Audit {
    place: AuditPlace,
    sections: Option<SectionTable>,
    /// The section table, as far as it came.
    table: Vec<u8>,
    /// Bytes that have to wait for what follows, and their place in the file.
    waiting: Vec<u8>,
    waiting_at: u64,
    /// For trying, made once.
    probe: Decompress,
    probe_count: u32,
    unpacking: Option<Unpacking>,
    lists: Vec<List>,
}

/// A zlib stream, where it begins, and what it holds.
struct List {
    position: u64,
    json: Result<Vec<u8>, &'static str>,
}

struct Unpacking {
    position: u64,
    stream: Decompress,
    json: Vec<u8>,
}

impl Audit {
    /// Starts before the program's first byte; `head` is its beginning, in which the section table
    /// may be.
    pub(super) fn new(layout: &Layout, head: &[u8]) -> Self {
        let sections = layout
            .sections
            .clone()
            .filter(|table| table.file.end - table.file.start <= TABLE_BYTES_MAX);
        let mut audit = Self {
            place: layout.audit.clone(),
            sections,
            table: Vec::new(),
            waiting: Vec::new(),
            waiting_at: 0,
            probe: Decompress::new(true),
            probe_count: 0,
            unpacking: None,
            lists: Vec::new(),
        };
        // Without a table nothing can be confirmed, as in programs stripped of it.
        let is_elf = matches!(audit.place, AuditPlace::Behind(_));
        if is_elf && audit.sections.is_none() {
            audit.place = AuditPlace::Nowhere;
        }
        if let Some(table) = &audit.sections
            && table.file.end <= head.len() as u64
        {
            audit.keep_table(0, head);
            audit.narrow();
        }
        audit
    }

    /// The next place that has to be read, at or after `position`; `None` when all is known.
    pub(super) fn next(&self, position: u64) -> Option<u64> {
        match &self.place {
            AuditPlace::Nowhere => None,
            AuditPlace::Section(range) => {
                (position < range.end).then_some(range.start.max(position))
            }
            AuditPlace::Behind(start) => {
                let end = self.sections.as_ref().map_or(0, |table| table.file.end);
                let is_over = position >= end.max(*start);
                (!is_over).then_some(position.max(*start))
            }
        }
    }

    /// Takes the bytes at `position`; later calls are for later places.
    pub(super) fn take(&mut self, position: u64, bytes: &[u8]) {
        let range = match &self.place {
            AuditPlace::Nowhere => return,
            AuditPlace::Section(range) => range.clone(),
            AuditPlace::Behind(start) => *start..u64::MAX,
        };
        self.keep_table(position, bytes);
        if let Some((at, part)) = overlap(position, bytes, &range) {
            self.look(at, part);
        }
    }

    /// The packages of the list.
    pub(super) fn finish(mut self, found: &mut Found) -> Vec<Evidence> {
        // A stream at the very end has nothing behind it to wait for.
        let waiting = std::mem::take(&mut self.waiting);
        self.scan(self.waiting_at, &waiting, true);
        if let Some(unpacking) = self.unpacking.take() {
            self.lists.push(List { position: unpacking.position, json: Err("cut short") });
        }
        if let AuditPlace::Section(range) = &self.place
            && self.lists.is_empty()
            && range.start < range.end
            && self.sections.is_none()
        {
            found.problem("section .dep-v0 holds no audit data");
        }
        if self.probe_count >= PROBES_MAX {
            found.problem(format!("{PROBES_MAX} places tried for section .dep-v0, the rest not"));
        }
        let mut packages = Vec::new();
        for list in &self.lists {
            if !self.is_section(list.position) {
                continue;
            }
            match &list.json {
                Ok(json) => match crates(json) {
                    Ok(crates) => packages.extend(crates),
                    Err(problem) => found.problem(format!("section .dep-v0: {problem}")),
                },
                Err(problem) => found.problem(format!("section .dep-v0: {problem}")),
            }
        }
        packages
    }

    fn keep_table(&mut self, position: u64, bytes: &[u8]) {
        let Some(table) = &self.sections else { return };
        let at = table.file.start + self.table.len() as u64;
        if let Some((start, part)) = overlap(position, bytes, &table.file)
            && start <= at
        {
            let known = usize::try_from(at - start).unwrap_or(usize::MAX);
            self.table.extend_from_slice(part.get(known..).unwrap_or(&[]));
        }
    }

    /// With the table known beforehand, nothing behind the last section that is not loaded is read.
    fn narrow(&mut self) {
        let AuditPlace::Behind(start) = self.place else { return };
        let Some(table) = &self.sections else { return };
        let end = self
            .table
            .chunks_exact(table.entry_bytes)
            .filter_map(|header| table.section(header))
            .filter(|section| section.start >= start)
            .map(|section| section.end)
            .max();
        self.place = match end {
            Some(end) => AuditPlace::Section(start..end),
            None => AuditPlace::Nowhere,
        };
    }

    /// Whether a section begins at the place.
    fn is_section(&self, position: u64) -> bool {
        match (&self.sections, &self.place) {
            (Some(table), _) => self
                .table
                .chunks_exact(table.entry_bytes)
                .filter_map(|header| table.section(header))
                .any(|section| section.start == position),
            (None, AuditPlace::Section(range)) => range.start == position,
            (None, _) => false,
        }
    }

    fn look(&mut self, position: u64, bytes: &[u8]) {
        if self.waiting.is_empty() {
            self.scan(position, bytes, false);
            return;
        }
        let mut joined = std::mem::take(&mut self.waiting);
        let at = self.waiting_at;
        joined.extend_from_slice(bytes);
        self.scan(at, &joined, false);
    }

    /// Unpacks the streams that begin in `bytes`. What cannot be told yet waits.
    fn scan(&mut self, position: u64, bytes: &[u8], is_last: bool) {
        let mut rest = bytes;
        loop {
            if let Some(unpacking) = &mut self.unpacking {
                let (used, json) = unpacking.take(rest);
                let list = json.map(|json| List { position: unpacking.position, json });
                rest = &rest[used..];
                let Some(list) = list else { return };
                self.unpacking = None;
                self.lists.push(list);
            }
            if self.lists.len() >= LISTS_MAX || self.probe_count >= PROBES_MAX {
                return;
            }
            let Some(at) = memchr::memchr(0x78, rest) else { return };
            rest = &rest[at..];
            if rest.len() < PROBE_BYTES && !is_last {
                self.waiting_at = position + (bytes.len() - rest.len()) as u64;
                self.waiting = rest.to_vec();
                return;
            }
            if self.holds_object(rest) {
                self.unpacking = Some(Unpacking {
                    position: position + (bytes.len() - rest.len()) as u64,
                    stream: Decompress::new(true),
                    json: Vec::new(),
                });
            } else {
                rest = &rest[1..];
            }
        }
    }

    /// Whether the bytes begin with a zlib stream whose content begins as an object does.
    fn holds_object(&mut self, bytes: &[u8]) -> bool {
        // The second byte makes the pair a multiple of 31 and names no dictionary (RFC 1950).
        if !matches!(bytes.get(1), Some(0x01 | 0x5e | 0x9c | 0xda)) {
            return false;
        }
        self.probe_count += 1;
        let mut start = [0; 2];
        self.probe.reset(true);
        let input = &bytes[..bytes.len().min(PROBE_BYTES)];
        let status = self.probe.decompress(input, &mut start, FlushDecompress::None);
        status.is_ok() && &start == b"{\""
    }
}

impl Unpacking {
    /// Unpacks more; returns how much was used, and the whole when it has ended.
    fn take(&mut self, bytes: &[u8]) -> (usize, Option<Result<Vec<u8>, &'static str>>) {
        let mut used = 0;
        loop {
            if self.json.len() > LIST_BYTES_MAX {
                return (used, Some(Err("unpacks to more than 8388608 bytes")));
            }
            self.json.reserve(bytes.len().clamp(4 << 10, 64 << 10));
            let before = (self.stream.total_in(), self.stream.total_out());
            let status =
                self.stream.decompress_vec(&bytes[used..], &mut self.json, FlushDecompress::None);
            used += usize::try_from(self.stream.total_in() - before.0).unwrap_or(0);
            match status {
                Ok(Status::StreamEnd) => return (used, Some(Ok(std::mem::take(&mut self.json)))),
                Err(_) => return (used, Some(Err("damaged compressed data"))),
                Ok(_) if before == (self.stream.total_in(), self.stream.total_out()) => {
                    return (used, None);
                }
                Ok(_) => {}
            }
        }
    }
}

/// One crate of the list.
#[derive(Debug, Deserialize)]
struct Crate {
    #[serde(default)]
    name: Text,
    #[serde(default)]
    version: Text,
    #[serde(default)]
    kind: Text,
}

#[derive(Debug, Deserialize)]
struct Crates {
    packages: Vec<Crate>,
}

/// The crates whose code is in the program, its own included; those that only took part in building
/// it are not.
fn crates(json: &[u8]) -> Result<Vec<Evidence>, String> {
    let list: Crates = json::object(json).map_err(|error| error.to_string())?;
    let is_linked = |one: &&Crate| one.kind.as_filled() != Some("build");
    Ok(list
        .packages
        .iter()
        .filter(is_linked)
        .filter_map(|one| {
            let (name, version) = (one.name.as_filled()?, one.version.as_filled()?);
            Some(Evidence::new(Ecosystem::Cargo, name, version))
        })
        .collect())
}
