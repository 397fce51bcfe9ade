//! Decides what is to become of every waiting advisory, by holding the part's roll against them.
//!
//! Nothing is written before all is decided, so that the guards can look at the whole. Both sides
//! are in the order of the names' hashes, so one walk over them does it, and memory is what stands
//! here and in the staging: 48 bytes for an entry at most.

use std::collections::BTreeMap;

use crate::StoreError;
use crate::apply::Round;
use crate::roll::{Listed, PAGES_AT_ONCE, Roll};
use crate::stage::{ENTRIES_MAX, Entry, Staging, pieces_at, sum_of};

/// The fate of an advisory that is not on the roll.
const NEW: i64 = 0;

/// How many bits of a write tell the entry; the rest are its place in the file, which has room for
/// four terabytes there.
const INDEX_BITS: u32 = 22;

const _: () = assert!(ENTRIES_MAX <= 1 << INDEX_BITS);

/// What is to become of each waiting advisory.
pub(crate) struct Plan<'a> {
    roll: Roll<'a>,
    /// For the first piece of each advisory: the number of the stored one that it replaces, that
    /// number negated if it says the same, or [`NEW`].
    fates: Vec<i64>,
    /// Place in the file and index of the first piece of each advisory that has to be written;
    /// sorted, so that the file is read forward.
    writes: Vec<u64>,
    /// Stored advisories that the feed no longer has.
    pub(crate) gone: Vec<i64>,
    /// Pages of the roll that will differ.
    stale: Vec<i64>,
    /// Advisories that the part will hold.
    pub(crate) entries: u64,
    pub(crate) unchanged: u64,
    /// Whether the part holds more than its advisories.
    pub(crate) has_facts: bool,
}

impl<'a> Plan<'a> {
    /// Sorts the pieces by advisory and holds them against the roll. `stored` is how many
    /// advisories and facts the part holds now.
    pub(crate) fn make(
        round: &Round<'a>,
        staging: &mut Staging,
        stored: u64,
    ) -> Result<Self, StoreError> {
        staging.entries.sort_unstable_by_key(|entry| (entry.name_hash, entry.place));
        let mut plan = Self {
            roll: Roll::of(round.session, round.part)?,
            fates: vec![NEW; staging.entries.len()],
            writes: Vec::new(),
            gone: Vec::new(),
            stale: Vec::new(),
            entries: 0,
            unchanged: 0,
            has_facts: false,
        };
        if !round.is_empty {
            let listed = plan.compare(staging)?;
            plan.has_facts = !staging.is_addition() && stored > listed;
        }
        plan.sort_out(staging, stored);
        Ok(plan)
    }

    /// Finds the stored counterpart of each waiting advisory, and those that have none; gives how
    /// many are on the roll, or on the pages that additions belong to.
    fn compare(&mut self, staging: &Staging) -> Result<u64, StoreError> {
        let Self { roll, fates, gone, stale, .. } = self;
        let entries = &staging.entries;
        let is_addition = staging.is_addition();
        let mut first = 0;
        let mut listed_count = 0;
        let take = |listed: Listed| {
            listed_count += 1;
            while entries.get(first).is_some_and(|entry| entry.name_hash < listed.name_hash) {
                first += 1;
            }
            let pieces = pieces_at(entries, first, listed.name_hash);
            if !pieces.is_empty() {
                let is_same = sum_of(pieces) == listed.hashes;
                fates[first] = if is_same { -listed.id } else { listed.id };
            } else if !is_addition {
                gone.push(listed.id);
                stale.push(roll.page(listed.name_hash));
            }
            Ok(())
        };
        if is_addition {
            let mut pages: Vec<i64> =
                entries.iter().map(|entry| roll.page(entry.name_hash)).collect();
            pages.dedup();
            roll.each_of(&pages, take)?;
        } else {
            roll.each(take)?;
        }
        Ok(listed_count)
    }

    /// Counts, and lists what has to be written.
    fn sort_out(&mut self, staging: &Staging, stored: u64) {
        let mut new = 0;
        let mut first = 0;
        for pieces in advisories(&staging.entries) {
            self.entries += 1;
            match self.fates[first] {
                ..NEW => self.unchanged += 1,
                fate => {
                    new += u64::from(fate == NEW);
                    let place = pieces[0].place.0.checked_mul(1 << INDEX_BITS);
                    let place = place.expect("no temporary file has four terabytes");
                    self.writes.push(place | first as u64);
                }
            }
            first += pieces.len();
        }
        self.writes.sort_unstable();
        if staging.is_addition() {
            self.entries = stored + new;
        }
        let is_whole = !staging.is_addition() || stored == 0;
        if is_whole && self.roll.cut_for(self.entries) {
            self.stale.clear();
        }
        let mut first = 0;
        for pieces in advisories(&staging.entries) {
            let page = self.roll.page(pieces[0].name_hash);
            let is_stale = self.roll.is_cut_anew() || self.fates[first] >= NEW;
            if is_stale && self.stale.last() != Some(&page) {
                self.stale.push(page);
            }
            first += pieces.len();
        }
        self.stale.sort_unstable();
        self.stale.dedup();
    }

    /// What has to be written, in the order of the file, as [`index_of`] understands it.
    pub(crate) fn take_writes(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.writes)
    }

    /// The stored advisory that a waiting one replaces, if it does.
    pub(crate) fn stored(&self, index: usize) -> Option<i64> {
        Some(self.fates[index]).filter(|fate| *fate > NEW)
    }

    /// Takes note of the number under which a waiting advisory is stored.
    pub(crate) fn set_stored(&mut self, index: usize, id: i64) {
        self.fates[index] = id;
    }

    /// Brings the roll to what was written.
    pub(crate) fn write_roll(&self, staging: &Staging) -> Result<(), StoreError> {
        let mut writer = self.roll.rewrite()?;
        let mut first = 0;
        for pages in self.stale.chunks(PAGES_AT_ONCE) {
            let mut kept: BTreeMap<i64, Vec<Listed>> = BTreeMap::new();
            if staging.is_addition() {
                self.roll.each_of(pages, |listed| {
                    kept.entry(self.roll.page(listed.name_hash)).or_default().push(listed);
                    Ok(())
                })?;
            }
            self.roll.remove(pages)?;
            for page in pages {
                let page_of = |entry: &Entry| self.roll.page(entry.name_hash);
                while staging.entries.get(first).is_some_and(|entry| page_of(entry) < *page) {
                    first += 1;
                }
                let mut entries = Vec::new();
                while staging.entries.get(first).is_some_and(|entry| page_of(entry) == *page) {
                    let listed = self.listed(staging, &mut first)?;
                    entries.push(listed);
                }
                let mut stay = kept.remove(page).unwrap_or_default();
                stay.retain(|old| {
                    let place = entries.binary_search_by_key(&old.name_hash, |new| new.name_hash);
                    place.is_err()
                });
                entries.append(&mut stay);
                entries.sort_unstable_by_key(|listed| listed.name_hash);
                writer.page(*page, &entries)?;
            }
        }
        writer.finish()
    }

    /// What the roll says of the advisory whose first piece is at `first`, which moves behind it.
    fn listed(&self, staging: &Staging, first: &mut usize) -> Result<Listed, StoreError> {
        let name_hash = staging.entries[*first].name_hash;
        let pieces = pieces_at(&staging.entries, *first, name_hash);
        let id = self.fates[*first].abs();
        if id == NEW {
            return Err(StoreError::damaged("a waiting advisory that was not written"));
        }
        *first += pieces.len();
        Ok(Listed { name_hash, hashes: sum_of(pieces), id })
    }
}

/// The index of the first piece in what [`Plan::take_writes`] gives.
pub(crate) fn index_of(write: u64) -> usize {
    (write & ((1 << INDEX_BITS) - 1)) as usize
}

/// The pieces of each advisory.
fn advisories(entries: &[Entry]) -> impl Iterator<Item = &[Entry]> {
    entries.chunk_by(|left, right| left.name_hash == right.name_hash)
}
