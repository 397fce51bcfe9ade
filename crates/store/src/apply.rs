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
use crate::plan::{Plan, index_of};
use crate::read::RowReader;
use crate::record;
use crate::session::{Session, values};
use crate::stage::{Entry, Staging, pieces_at};
use crate::term::TermReader;
use crate::write::AdvisoryWriter;
use crate::{Database, StoreError, facts, part, unused_term};

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
        unused_term::share(session)?;
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
        let mut plan = Plan::make(&round, staging, before.entries)?;
        let entries = plan.entries + staging.fact_count();
        if !options.force {
            guard(staging, before.entries, entries)?;
        }
        let mut applied = apply(&round, staging, &mut plan, &options.covers)?;
        facts::apply(&round, staging, plan.has_facts, &mut applied)?;
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

/// Writes what the plan says.
fn apply(
    round: &Round<'_>,
    staging: &mut Staging,
    plan: &mut Plan<'_>,
    covers: &[(Ecosystem, Option<Release>)],
) -> Result<Applied, StoreError> {
    let mut applied =
        Applied { entries: plan.entries, unchanged: plan.unchanged, ..Applied::default() };
    let mut writer = AdvisoryWriter::new(round)?;
    writer.declare(covers)?;
    for ids in plan.gone.chunks(GROUP) {
        writer.tombstone(ids)?;
        for id in ids {
            tell(round, &mut writer, *id, &[whole(ChangeKind::Withdrawn)])?;
        }
    }
    applied.withdrawn = plan.gone.len() as u64;
    for group in plan.take_writes().chunks(GROUP) {
        let group: Vec<usize> = group.iter().map(|write| index_of(*write)).collect();
        if !round.is_empty {
            find_returned(round, staging, plan, &group)?;
        }
        write_group(round, &mut writer, staging, plan, &group, &mut applied)?;
    }
    writer.finish()?;
    plan.write_roll(staging)?;
    Ok(applied)
}

/// Finds those advisories that were gone and are there again: they are not on the roll, but their
/// names are taken.
fn find_returned(
    round: &Round<'_>,
    staging: &mut Staging,
    plan: &mut Plan<'_>,
    group: &[usize],
) -> Result<(), StoreError> {
    let mut indices = HashMap::new();
    for index in group.iter().filter(|index| plan.stored(**index).is_none()) {
        let name = record::advisory_name(staging.read(staging.entries[*index].place)?)?;
        indices.insert(name, *index);
    }
    if indices.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = indices.keys().map(String::as_str).collect();
    let sql = "SELECT id, name FROM advisory WHERE part = ?1 AND name IN LIST(?2)";
    let doing = "looking for what was gone";
    round.session.query(doing, sql, values![round.part, &*names], &mut |row| {
        if let Some(index) = indices.get(row.text(1)?) {
            plan.set_stored(*index, row.integer(0)?);
        }
        Ok(())
    })
}

/// Writes some advisories: what is stored of them is read and cleared for all of them at once.
fn write_group(
    round: &Round<'_>,
    writer: &mut AdvisoryWriter<'_>,
    staging: &mut Staging,
    plan: &mut Plan<'_>,
    group: &[usize],
    applied: &mut Applied,
) -> Result<(), StoreError> {
    let stored: Vec<i64> = group.iter().filter_map(|index| plan.stored(*index)).collect();
    let old = if stored.is_empty() { HashMap::new() } else { round.reader().whole(&stored)? };
    let mut changed = Vec::new();
    for index in group {
        let advisory = waiting_advisory(staging, *index)?;
        let Some(id) = plan.stored(*index) else {
            let id = writer.insert(&advisory)?;
            plan.set_stored(*index, id);
            applied.new += 1;
            tell(round, writer, id, &[whole(ChangeKind::New)])?;
            continue;
        };
        let old = old.get(&id).ok_or_else(|| StoreError::damaged("a stored advisory"))?;
        let differences = if old.is_gone {
            returned(&old.advisory, &old.gone_packages, &advisory)
        } else {
            differences(&old.advisory, &advisory)
        };
        if differences.is_empty() {
            applied.unchanged += 1;
            continue;
        }
        if old.is_gone {
            applied.new += 1;
        } else {
            applied.changed += 1;
        }
        changed.push((id, advisory, differences));
    }
    let ids: Vec<i64> = changed.iter().map(|(id, ..)| *id).collect();
    if !ids.is_empty() {
        writer.clear(&ids)?;
    }
    for (id, advisory, differences) in &changed {
        writer.replace(*id, advisory)?;
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

/// Reads back the advisory whose first piece is at `index`, its pieces united.
fn waiting_advisory(staging: &mut Staging, index: usize) -> Result<Advisory, StoreError> {
    let name_hash = staging.entries[index].name_hash;
    let others: Vec<Entry> = pieces_at(&staging.entries, index, name_hash)[1..].to_vec();
    let mut advisory = record::advisory(staging.read(staging.entries[index].place)?)?;
    for piece in &others {
        let piece = record::advisory(&staging.read_apart(piece.place)?)?;
        if piece.id != advisory.id {
            // Two ids share 64 bits of SHA-256: not in our time, unless somebody works for it.
            return Err(StoreError::damaged("waiting advisory"));
        }
        unite(&mut advisory, piece);
    }
    if !others.is_empty() {
        settle(&mut advisory);
    }
    Ok(advisory)
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
