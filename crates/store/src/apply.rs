//! Makes what was staged the new state of its part: all of it in one transaction, or nothing.
//!
//! First the waiting entries are held against the stored ones by hash, without writing; then the
//! guards decide whether the feed can be trusted; then what differs is written, with the typed
//! changes, the fingerprint and the times. Content that is the same leaves every row but the
//! part's own alone, and the generation stays.

use std::cell::RefCell;
use std::collections::HashMap;

use jiff::Timestamp;

use pratique_clockwork::lease::Lease;
use pratique_model::{Advisory, Ecosystem, Release};

use crate::aside::Aside;
use crate::change::{ChangeKind, Difference, differences, returned, whole};
use crate::read::RowReader;
use crate::record::{self, Hashes};
use crate::session::{Session, values};
use crate::stage::{Entry, Staging};
use crate::term::TermReader;
use crate::write::{AdvisoryWriter, GONE};
use crate::{Database, StoreError, facts, part};

/// By which share of its entries a part may shrink before the feed is taken for broken, in percent;
/// from the design (updater, *Parse and apply*).
const SHRINK_PERCENT_MAX: u64 = 20;

/// How many entries a part may lose whatever their share: in a feed of a handful, one entry taken
/// back is no sign of a broken feed.
const SHRINK_FREE: u64 = 2;

/// Which share of a feed's entries may be unreadable before all of it is taken for broken, in
/// percent; from the design (updater, *Parse and apply*).
const BAD_PERCENT_MAX: u64 = 1;

/// How many unreadable entries never fail a part that has others: one bad entry must not cost the
/// rest of a small feed.
const BAD_FREE: u64 = 1;

/// How many advisories are read, cleared and written together.
const GROUP: usize = 500;

/// What is written down with the content.
#[derive(Clone, Debug)]
pub struct CommitOptions {
    /// What the fetcher will know a new version by.
    pub fingerprint: Option<String>,
    /// The version of the parser that read it.
    pub parser_version: u32,
    /// The upstream's own date of the data; without one `now` is taken.
    pub as_of: Option<Timestamp>,
    /// The time of this update.
    pub now: Timestamp,
    /// Releases and ecosystems that the part speaks of even if it names no package of them.
    pub covers: Vec<(Ecosystem, Option<Release>)>,
    /// Whether the content is only a choice of what the publisher says.
    pub is_partial: bool,
    /// Accepts a feed that shrank or has many unreadable entries.
    pub force: bool,
    /// The lease that must be held for the content to be taken.
    pub fence: Option<Lease>,
}

/// What a commit changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The part's generation now.
    pub generation: u64,
    /// Whether this was the part's first load, or the first after a partial one.
    pub is_baseline: bool,
    /// Advisories or facts that the part holds now.
    pub entries: u64,
    /// Those that were not there before.
    pub new: u64,
    /// Those that say something else.
    pub changed: u64,
    /// Those that are gone.
    pub withdrawn: u64,
    /// Those that say the same.
    pub unchanged: u64,
    /// Entries that could not be read.
    pub quarantined: u64,
}

impl Applied {
    /// Whether anything differs from before.
    pub fn is_changed(&self) -> bool {
        self.is_baseline || self.new + self.changed + self.withdrawn > 0
    }
}

impl Database {
    /// Makes what was staged the new state of its part.
    ///
    /// # Errors
    /// Nothing is written when there is one. [`StoreError::Shrunk`] and [`StoreError::TooManyBad`]
    /// when the feed looks broken (not with `force`); what [`Staging::check`] tells;
    /// [`StoreError::LeaseLost`]; [`StoreError::ReadOnly`], [`StoreError::Locked`],
    /// [`StoreError::Statement`].
    pub fn commit(
        &mut self,
        mut staging: Staging,
        options: &CommitOptions,
    ) -> Result<Applied, StoreError> {
        self.require_writer()?;
        staging.finish()?;
        let fence = options.fence.as_ref();
        part::ensure_apart(self, staging.part())?;
        self.in_transaction("committing a part", fence, |database| {
            database.commit_finished(&mut staging, options)
        })
    }

    /// The same within a transaction, of what is filled to its end.
    pub(crate) fn commit_finished(
        &self,
        staging: &mut Staging,
        options: &CommitOptions,
    ) -> Result<Applied, StoreError> {
        let aside = self.aside()?;
        let session = &*self.session;
        let number = part::ensure(session, staging.part())?;
        part::lock(session, number)?;
        let before = part::state(session, staging.part())?;
        let before = before.ok_or_else(|| StoreError::damaged("a part that was just added"))?;
        let generation = before.generation;
        let round = Round {
            session,
            aside: &aside,
            part: number,
            is_empty: !before.is_loaded(),
            is_baseline: !before.is_loaded() || before.is_partial,
            generation: generation + 1,
            now: options.now,
            terms: RefCell::default(),
        };
        let plan = Plan::make(&round, staging)?;
        let entries = plan.entries + staging.fact_count();
        if !options.force {
            guard(staging, before.entries, entries)?;
        }
        let mut applied = plan.apply(&round, staging, &options.covers)?;
        facts::apply(&round, staging, &mut applied)?;
        applied.is_baseline = round.is_baseline;
        applied.quarantined = staging.quarantined();
        if staging.is_addition() {
            applied.quarantined += before.quarantined;
        }
        applied.generation = if applied.is_changed() { round.generation } else { generation };
        if round.is_baseline {
            round.baseline(applied.entries)?;
        }
        round.write_part(staging, &applied, options)?;
        Ok(applied)
    }
}

/// What holds for all of one commit.
pub(crate) struct Round<'a> {
    pub(crate) session: &'a dyn Session,
    /// Where rows are made that all parts share.
    pub(crate) aside: &'a Aside<'a>,
    pub(crate) part: i64,
    /// Whether nothing of the part is stored.
    pub(crate) is_empty: bool,
    /// Whether what is new is not told as a change: the part was never loaded whole.
    pub(crate) is_baseline: bool,
    /// The generation that this will be if anything differs.
    pub(crate) generation: u64,
    pub(crate) now: Timestamp,
    pub(crate) terms: RefCell<TermReader>,
}

impl Round<'_> {
    fn reader(&self) -> RowReader<'_> {
        RowReader { session: self.session, terms: &self.terms }
    }

    fn baseline(&self, entries: u64) -> Result<(), StoreError> {
        let sql =
            "INSERT INTO change (part, generation, at, kind, new) VALUES (?1, ?2, ?3, ?4, ?5)";
        let kind = ChangeKind::Baseline.code();
        let entries = entries.to_string();
        let values = values![self.part, self.generation, self.now, kind, &entries];
        self.session.execute("writing a change", sql, values).map(|_| ())
    }

    fn write_part(
        &self,
        staging: &Staging,
        applied: &Applied,
        options: &CommitOptions,
    ) -> Result<(), StoreError> {
        let doing = "writing the part";
        self.session.execute(
            doing,
            "UPDATE part SET generation = ?2, fingerprint = ?3, parser_version = ?4, \
             entries = ?5, quarantined = ?6, as_of = ?7, last_attempt_at = ?8, \
             last_success_at = ?8, last_error = NULL, is_absent = 0, is_partial = ?9 \
             WHERE id = ?1",
            values![
                self.part,
                applied.generation,
                options.fingerprint.as_deref(),
                options.parser_version,
                applied.entries,
                applied.quarantined,
                options.as_of.unwrap_or(options.now),
                self.now,
                options.is_partial,
            ],
        )?;
        if staging.is_addition() {
            return Ok(());
        }
        self.session.execute(doing, "DELETE FROM note WHERE part = ?1", values![self.part])?;
        let columns = "part, ordinal, is_quarantine, subject, text";
        let mut rows = self.session.bulk(doing, "note", columns)?;
        for (ordinal, kept) in (0_i64..).zip(&staging.notes) {
            let note = &kept.note;
            let is_quarantine = kept.is_quarantine;
            rows.row(values![self.part, ordinal, is_quarantine, &note.subject, &note.text])?;
        }
        rows.finish().map(|_| ())
    }
}

fn guard(staging: &Staging, before: u64, after: u64) -> Result<(), StoreError> {
    let part = staging.part().clone();
    let quarantined = staging.quarantined();
    let total = after + quarantined;
    let is_bad = quarantined > BAD_FREE && quarantined * 100 > total * BAD_PERCENT_MAX;
    if is_bad || (quarantined > 0 && after == 0) {
        return Err(StoreError::TooManyBad { part, quarantined, total });
    }
    let lost = before.saturating_sub(after);
    let is_small = lost > SHRINK_FREE && lost * 100 > before * SHRINK_PERCENT_MAX;
    if is_small || (before > 0 && after == 0) {
        return Err(StoreError::Shrunk { part, before, after });
    }
    Ok(())
}

/// What is to become of each waiting advisory.
struct Plan {
    /// Index of the first piece of each advisory that has to be written, and the number of the
    /// stored one it replaces, in the order of the file.
    writes: Vec<(u32, Option<i64>)>,
    /// Stored advisories that the feed no longer has.
    gone: Vec<i64>,
    entries: u64,
    unchanged: u64,
}

/// An advisory that is not stored.
const NEW: i64 = 0;

/// An advisory that is stored and says the same.
const SAME: i64 = -1;

impl Plan {
    /// Sorts the pieces by advisory and holds them against what is stored.
    fn make(round: &Round<'_>, staging: &mut Staging) -> Result<Self, StoreError> {
        staging.entries.sort_unstable_by_key(|entry| (entry.name_hash, entry.place.offset));
        let mut fates = vec![NEW; staging.entries.len()];
        let mut gone = Vec::new();
        if !round.is_empty {
            compare_stored(round, staging, &mut fates, &mut gone)?;
        }
        let mut plan = Self { writes: Vec::new(), gone, entries: 0, unchanged: 0 };
        if staging.is_addition() {
            plan.entries = plan.gone.len() as u64;
            plan.gone.clear();
        }
        let mut first = 0;
        for pieces in staging.entries.chunk_by(|left, right| left.name_hash == right.name_hash) {
            plan.entries += 1;
            let index = u32::try_from(first).expect("fewer than 4 million entries");
            match fates[first] {
                SAME => plan.unchanged += 1,
                NEW => plan.writes.push((index, None)),
                stored => plan.writes.push((index, Some(stored))),
            }
            first += pieces.len();
        }
        plan.writes
            .sort_unstable_by_key(|(index, _)| staging.entries[*index as usize].place.offset);
        Ok(plan)
    }

    fn apply(
        self,
        round: &Round<'_>,
        staging: &mut Staging,
        covers: &[(Ecosystem, Option<Release>)],
    ) -> Result<Applied, StoreError> {
        let mut applied =
            Applied { entries: self.entries, unchanged: self.unchanged, ..Applied::default() };
        let mut writer = AdvisoryWriter::new(round)?;
        writer.declare(covers)?;
        for ids in self.gone.chunks(GROUP) {
            writer.tombstone(ids)?;
            for id in ids {
                tell(round, &mut writer, *id, &[whole(ChangeKind::Withdrawn)])?;
            }
        }
        applied.withdrawn = self.gone.len() as u64;
        for group in self.writes.chunks(GROUP) {
            write_group(round, &mut writer, staging, group, &mut applied)?;
        }
        writer.finish()?;
        Ok(applied)
    }
}

/// Writes some advisories: what is stored of them is read and cleared for all of them at once.
fn write_group(
    round: &Round<'_>,
    writer: &mut AdvisoryWriter<'_>,
    staging: &mut Staging,
    group: &[(u32, Option<i64>)],
    applied: &mut Applied,
) -> Result<(), StoreError> {
    let stored: Vec<i64> = group.iter().filter_map(|(_, stored)| *stored).collect();
    let old = if stored.is_empty() { HashMap::new() } else { round.reader().whole(&stored)? };
    let mut changed = Vec::new();
    for (index, stored) in group {
        let (advisory, hashes) = waiting_advisory(staging, *index as usize)?;
        let Some(id) = *stored else {
            let id = writer.insert(&advisory, hashes)?;
            applied.new += 1;
            tell(round, writer, id, &[whole(ChangeKind::New)])?;
            continue;
        };
        let old = old.get(&id).ok_or_else(|| StoreError::damaged("a stored advisory"))?;
        let differences = if old.is_gone {
            returned(&old.gone_packages, &advisory)
        } else {
            differences(&old.advisory, &advisory)
        };
        if differences.is_empty() {
            applied.unchanged += 1;
            writer.set_hashes(id, hashes)?;
            continue;
        }
        if old.is_gone {
            applied.new += 1;
        } else {
            applied.changed += 1;
        }
        changed.push((id, advisory, hashes, differences));
    }
    let ids: Vec<i64> = changed.iter().map(|(id, ..)| *id).collect();
    if !ids.is_empty() {
        writer.clear(&ids)?;
    }
    for (id, advisory, hashes, differences) in &changed {
        writer.replace(*id, advisory, *hashes)?;
        tell(round, writer, *id, differences)?;
    }
    Ok(())
}

/// Writes differences down, unless this is the part's baseline.
fn tell(
    round: &Round<'_>,
    writer: &mut AdvisoryWriter<'_>,
    id: i64,
    differences: &[Difference],
) -> Result<(), StoreError> {
    if round.is_baseline {
        return Ok(());
    }
    for difference in differences {
        writer.change(id, difference)?;
    }
    Ok(())
}

/// Decides for every stored advisory of the part whether it is the same, differs, or is gone.
fn compare_stored(
    round: &Round<'_>,
    staging: &Staging,
    fates: &mut [i64],
    gone: &mut Vec<i64>,
) -> Result<(), StoreError> {
    let doing = "comparing with what is stored";
    let sql = "SELECT id, name, match_hash, text_hash, state FROM advisory WHERE part = ?1";
    round.session.stream(doing, sql, values![round.part], &mut |row| {
        let id = row.integer(0)?;
        let hashes = Hashes { matching: row.integer(2)?, text: row.integer(3)? };
        let is_gone = row.integer(4)? == GONE;
        let name_hash = staging.name_hash(row.text(1)?);
        let first = staging.entries.partition_point(|entry| entry.name_hash < name_hash);
        let pieces = pieces_at(&staging.entries, first, name_hash);
        if pieces.is_empty() {
            if !is_gone {
                gone.push(id);
            }
        } else if !is_gone && sum_of(pieces) == hashes {
            fates[first] = SAME;
        } else {
            fates[first] = id;
        }
        Ok(())
    })
}

fn pieces_at(entries: &[Entry], first: usize, name_hash: u64) -> &[Entry] {
    let rest = &entries[first..];
    let count = rest.iter().take_while(|entry| entry.name_hash == name_hash).count();
    &rest[..count]
}

/// The hashes of an advisory from those of its pieces: the same in whatever order they come, and a
/// piece that comes twice counts once.
fn sum_of(pieces: &[Entry]) -> Hashes {
    if let [only] = pieces {
        return only.hashes;
    }
    let mut hashes: Vec<Hashes> = pieces.iter().map(|piece| piece.hashes).collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes.into_iter().fold(Hashes::default(), |sum, piece| Hashes {
        matching: sum.matching.wrapping_add(piece.matching),
        text: sum.text.wrapping_add(piece.text),
    })
}

/// Reads back the advisory whose first piece is at `index`, its pieces united.
fn waiting_advisory(staging: &mut Staging, index: usize) -> Result<(Advisory, Hashes), StoreError> {
    let name_hash = staging.entries[index].name_hash;
    let pieces = pieces_at(&staging.entries, index, name_hash);
    let hashes = sum_of(pieces);
    let others: Vec<Entry> = pieces[1..].to_vec();
    let mut advisory = record::advisory(staging.read(staging.entries[index].place)?)?;
    for piece in &others {
        let piece = record::advisory(&staging.read_apart(piece.place)?)?;
        if piece.id != advisory.id {
            // Two ids share a hash of 64 bits under a key nobody knows: not in our time.
            return Err(StoreError::damaged("waiting advisory"));
        }
        unite(&mut advisory, piece);
    }
    if !others.is_empty() {
        settle(&mut advisory);
    }
    Ok((advisory, hashes))
}

/// Adds what another piece of the same advisory says: lists are united, of other values the first
/// that is set stays.
fn unite(advisory: &mut Advisory, piece: Advisory) {
    advisory.vulnerabilities.extend(piece.vulnerabilities);
    advisory.aliases.extend(piece.aliases);
    advisory.url = advisory.url.take().or(piece.url);
    advisory.summary = advisory.summary.take().or(piece.summary);
    advisory.published = advisory.published.or(piece.published);
    advisory.modified = advisory.modified.or(piece.modified);
    advisory.withdrawn = advisory.withdrawn.or(piece.withdrawn);
    advisory.severity = advisory.severity.or(piece.severity);
    if advisory.cvss.is_empty() {
        advisory.cvss = piece.cvss;
    }
    advisory.informational = advisory.informational.take().or(piece.informational);
    for affected in piece.affected {
        if !advisory.affected.contains(&affected) {
            advisory.affected.push(affected);
        }
    }
}

fn settle(advisory: &mut Advisory) {
    for list in [&mut advisory.vulnerabilities, &mut advisory.aliases] {
        list.sort_unstable();
        list.dedup();
    }
}
