//! A database's facts as one compressed file: `pratique.snapshot/1`.
//!
//! The program carries such a file, so that it can answer before it has fetched anything; the same
//! form moves data to where there is no network. It is JSON lines under zstd: a header, then for
//! each part a line about it and a line for each entry, then a line that counts them, so that a cut
//! file is noticed. Loading stages everything before the first part is committed: a damaged file
//! changes nothing.

mod wire;

use std::collections::{BTreeSet, HashMap};
use std::io::{BufRead, BufReader, Read, Write};

use pratique_model::{Advisory, Ecosystem, PartId, Release};

use crate::facts::each_fact;
use crate::session::values;
use crate::stage::Staging;
use crate::write::{GONE, Packages, packages_of};
use crate::{CommitOptions, Database, StoreError};

use self::wire::{AdvisoryLine, Line, PartLine, Problem, optional_word};

/// The form's name, in the first line.
const SCHEMA: &str = "pratique.snapshot/1";

/// How long one line may be: the longest real advisory (a thousand packages) has a hundredth.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// The largest window a frame may ask for, as a power of two; from the design (crates, *Traps*).
const WINDOW_LOG_MAX: u32 = 27;

/// How many advisories are read at a time.
const GROUP: usize = 500;

/// How hard the writer compresses: it is read often and written seldom.
const COMPRESSION_LEVEL: i32 = 19;

/// What goes into a snapshot. Empty fields let everything through.
#[derive(Clone, Debug, Default)]
pub struct SnapshotFilter {
    /// Only these parts.
    pub parts: BTreeSet<PartId>,
    /// Only statements about these releases; language packages are not touched by it.
    pub releases: BTreeSet<Release>,
    /// Only statements about packages of these names. A part cut by it is marked as partial.
    pub packages: BTreeSet<(Ecosystem, String)>,
    /// Parts of which the database holds a choice only, because the feed that it was made from was
    /// one; they are marked as partial.
    pub excerpts: BTreeSet<PartId>,
    /// Whether summaries and dates, which matching does not need, go with it.
    pub with_texts: bool,
}

/// Writes a snapshot of what is stored.
///
/// Facts about CVEs are limited to those of the advisories that are written, if anything limits
/// these. Equal databases and filters give equal bytes.
///
/// # Errors
/// [`StoreError::Statement`], [`StoreError::Damaged`], and [`StoreError::Snapshot`] with line 0
/// when writing did not work.
pub fn write_snapshot(
    database: &Database,
    filter: &SnapshotFilter,
    writer: impl Write,
) -> Result<(), StoreError> {
    let _hold = database.hold()?;
    let mut encoder = zstd::Encoder::new(writer, COMPRESSION_LEVEL).map_err(unwritten)?;
    let mut output = Output { encoder: &mut encoder, lines: 0 };
    output.line(&Line::Schema(SCHEMA.to_owned()))?;
    let numbers: HashMap<PartId, i64> =
        database.part_names()?.into_iter().map(|(number, id)| (id, number)).collect();
    let mut cves = BTreeSet::new();
    // Advisories first: which facts are wanted depends on them.
    let (mut advisories, mut facts) = (Vec::new(), Vec::new());
    for state in database.parts()? {
        if state.is_loaded() && filter.wants_part(&state.id) {
            let brings_facts = has_facts(database, numbers[&state.id])?;
            if brings_facts { &mut facts } else { &mut advisories }.push(state);
        }
    }
    for state in advisories.iter().chain(&facts) {
        let number = numbers[&state.id];
        let mut line = PartLine::of(state);
        line.is_partial |= !filter.packages.is_empty() || filter.excerpts.contains(&state.id);
        line.covers = covered(database, filter, number)?;
        output.line(&Line::Part(line))?;
        write_advisories(database, filter, number, &mut cves, &mut output)?;
        each_fact(&*database.session, number, |fact| {
            let id = crate::record::vulnerability_of(&fact);
            if filter.is_limited() && !cves.contains(id) {
                return Ok(());
            }
            output.line(&Line::of_fact(&fact))
        })?;
    }
    let lines = output.lines;
    output.line(&Line::End(lines))?;
    encoder.finish().map(|_| ()).map_err(unwritten)
}

/// Loads a snapshot and gives its parts, in its order. Every part becomes what the snapshot says,
/// with the dates it had when the snapshot was made; parts that it does not name stay, and a
/// partial one is passed over where all of it is loaded already.
///
/// # Errors
/// [`StoreError::Snapshot`] when it is cut, damaged or of another form; then nothing was changed.
/// Errors of [`Database::commit`]; the parts before the one that failed are then loaded.
pub fn load_snapshot(
    reader: impl Read,
    database: &mut Database,
) -> Result<Vec<PartId>, StoreError> {
    database.require_writer()?;
    let mut decoder = zstd::Decoder::new(reader).map_err(|error| unreadable(0, &error))?;
    decoder.window_log_max(WINDOW_LOG_MAX).map_err(|error| unreadable(0, &error))?;
    let staged = stage(BufReader::new(decoder))?;
    let mut parts = Vec::with_capacity(staged.len());
    for (staging, options) in staged {
        let state = database.part(staging.part())?;
        let is_whole = state.is_some_and(|state| state.is_loaded() && !state.is_partial);
        if options.is_partial && is_whole {
            continue;
        }
        parts.push(staging.part().clone());
        database.commit(staging, &options)?;
    }
    Ok(parts)
}

/// Reads all lines, to the last, which must be the end.
fn stage(mut input: impl BufRead) -> Result<Vec<(Staging, CommitOptions)>, StoreError> {
    let mut staged: Vec<(Staging, CommitOptions)> = Vec::new();
    let mut text = Vec::new();
    let mut line_count = 0_u64;
    let mut is_ended = false;
    loop {
        text.clear();
        let length = (&mut input)
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut text)
            .map_err(|error| unreadable(line_count + 1, &error))?;
        if length == 0 {
            break;
        }
        line_count += 1;
        let problem = |problem: String| StoreError::Snapshot { line: line_count, problem };
        let line: Line =
            serde_json::from_slice(&text).map_err(|error| problem(error.to_string()))?;
        match (line, line_count) {
            _ if is_ended => return Err(problem("after the end".to_owned())),
            (Line::Schema(schema), 1) if schema == SCHEMA => {}
            (Line::Schema(schema), _) => return Err(problem(format!("schema {schema:?}"))),
            (_, 1) => return Err(problem(format!("expected schema {SCHEMA:?}"))),
            (Line::End(count), _) if count == line_count - 1 => is_ended = true,
            (Line::End(count), _) => return Err(problem(format!("expected {count} lines"))),
            (Line::Part(part), _) => staged.push(begin(&part).map_err(problem)?),
            (line, _) => {
                let staging = staged.last_mut().map(|(staging, _)| staging);
                let staging = staging.ok_or_else(|| problem("before any part".to_owned()))?;
                take(line, staging).map_err(problem)?;
            }
        }
    }
    if !is_ended {
        return Err(StoreError::Snapshot { line: line_count, problem: "cut".to_owned() });
    }
    Ok(staged)
}

fn begin(line: &PartLine) -> Result<(Staging, CommitOptions), Problem> {
    let as_of = optional_word(line.as_of.as_deref())?;
    let read_at = optional_word(line.read_at.as_deref())?;
    let options = CommitOptions {
        fingerprint: None,
        parser_version: line.parser_version,
        as_of,
        now: read_at.or(as_of).ok_or("a part without date")?,
        covers: line.covers()?,
        is_partial: line.is_partial,
        force: true,
        fence: None,
    };
    Ok((Staging::new(line.part()?, None), options))
}

fn take(line: Line, staging: &mut Staging) -> Result<(), Problem> {
    match line {
        Line::Advisory(advisory) => staging.advisory(&advisory.advisory()?),
        Line::Epss(cve, score, percentile, date) => {
            staging.enrichment(&wire::epss((cve, score, percentile, date))?);
        }
        Line::Kev(cve, added, due, ransomware) => {
            staging.enrichment(&wire::kev((cve, added, due, ransomware))?);
        }
        Line::Nvd(cve, scores, is_rejected) => {
            staging.enrichment(&wire::nvd((cve, scores, is_rejected))?);
        }
        Line::Schema(_) | Line::Part(_) | Line::End(_) => {}
    }
    Ok(())
}

impl SnapshotFilter {
    fn wants_part(&self, part: &PartId) -> bool {
        self.parts.is_empty() || self.parts.contains(part)
    }

    fn wants_release(&self, release: Option<&Release>) -> bool {
        self.releases.is_empty() || release.is_none_or(|release| self.releases.contains(release))
    }

    /// Whether anything limits the advisories.
    fn is_limited(&self) -> bool {
        !self.packages.is_empty() || !self.releases.is_empty()
    }

    /// Whether a package of one of these names is wanted, in whatever ecosystem: enough to pass
    /// over most advisories without reading them.
    fn names_any(&self, packages: &Packages) -> bool {
        self.packages.is_empty()
            || packages.keys().any(|name| {
                Ecosystem::ALL
                    .into_iter()
                    .any(|ecosystem| self.packages.contains(&(ecosystem, name.clone())))
            })
    }

    /// Cuts an advisory to what is wanted; `None` when nothing is left.
    fn cut(&self, mut advisory: Advisory) -> Option<Advisory> {
        if !self.with_texts {
            (advisory.summary, advisory.published, advisory.modified) = (None, None, None);
        }
        if self.is_limited() {
            advisory.affected.retain(|affected| {
                let is_named = self.packages.is_empty()
                    || self.packages.contains(&(affected.ecosystem, affected.package.clone()));
                is_named && self.wants_release(affected.release.as_ref())
            });
            if advisory.affected.is_empty() {
                return None;
            }
        }
        Some(advisory)
    }
}

fn write_advisories(
    database: &Database,
    filter: &SnapshotFilter,
    part: i64,
    cves: &mut BTreeSet<String>,
    output: &mut Output<'_, impl Write>,
) -> Result<(), StoreError> {
    let doing = "reading advisories";
    let reader = database.rows();
    let mut ids = Vec::new();
    let mut write = |ids: &[i64]| -> Result<(), StoreError> {
        let mut advisories = reader.whole(ids)?;
        for id in ids {
            let whole = advisories.remove(id);
            let Some(advisory) = whole.and_then(|whole| filter.cut(whole.advisory)) else {
                continue;
            };
            if filter.is_limited() {
                cves.extend(advisory.vulnerabilities.iter().cloned());
            }
            output.line(&Line::Advisory(Box::new(AdvisoryLine::of(advisory))))?;
        }
        Ok(())
    };
    let sql = "SELECT id, packages FROM advisory WHERE part = ?1 AND state <> ?2 ORDER BY name";
    database.session.stream(doing, sql, values![part, GONE], &mut |row| {
        if filter.names_any(&packages_of(row.optional_text(1)?)?) {
            ids.push(row.integer(0)?);
        }
        if ids.len() < GROUP {
            return Ok(());
        }
        write(&std::mem::take(&mut ids))
    })?;
    write(&ids)
}

fn has_facts(database: &Database, part: i64) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM epss WHERE part = ?1) \
               OR EXISTS (SELECT 1 FROM kev WHERE part = ?1) \
               OR EXISTS (SELECT 1 FROM nvd WHERE part = ?1)";
    database.session.one("reading facts", sql, values![part], |row| row.flag(0))
}

/// What a part speaks of, as far as it is wanted.
fn covered(
    database: &Database,
    filter: &SnapshotFilter,
    part: i64,
) -> Result<Vec<(String, String)>, StoreError> {
    let sql = "SELECT ecosystem, \"release\" FROM coverage JOIN scope ON scope.id = scope \
               WHERE part = ?1 AND (row_count > 0 OR is_declared <> 0) ORDER BY 1, 2";
    let mut pairs = database.session.all("reading the coverage", sql, values![part], |row| {
        Ok((row.string(0)?, row.string(1)?))
    })?;
    pairs.retain(|(_, release)| {
        release.is_empty() || filter.wants_release(Some(&Release::from_text(release)))
    });
    Ok(pairs)
}

/// Counts the lines that it writes.
struct Output<'a, W: Write> {
    encoder: &'a mut W,
    lines: u64,
}

impl<W: Write> Output<'_, W> {
    fn line(&mut self, line: &Line) -> Result<(), StoreError> {
        serde_json::to_writer(&mut *self.encoder, line)
            .map_err(std::io::Error::from)
            .and_then(|()| self.encoder.write_all(b"\n"))
            .map_err(unwritten)?;
        self.lines += 1;
        Ok(())
    }
}

#[allow(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn unwritten(error: std::io::Error) -> StoreError {
    StoreError::Snapshot { line: 0, problem: format!("writing: {error}") }
}

fn unreadable(line: u64, error: &std::io::Error) -> StoreError {
    StoreError::Snapshot { line, problem: error.to_string() }
}

#[cfg(test)]
mod tests;
