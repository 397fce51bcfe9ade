//! What a source's list of its newest entries says: nothing new, these entries, or too many.
//!
//! The list is newest first, and only its beginning is fetched. An entry that was imported late can
//! stand below one that we know already, so everything within an hour of the newest known date is
//! compared by what the row says, not by its date alone. What a list cannot tell is that an entry
//! is gone; so the whole part is still read now and then.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use pratique_feeds::TipRow;
use pratique_fetch::Fingerprint;

/// How much of a list is fetched: rows of some fifty bytes, so more than a thousand entries. From
/// the design (updater, *Schedule*).
pub(crate) const HEAD_BYTES: u64 = 64 << 10;

/// How many entries are fetched by themselves at most. More come cheaper with the whole part.
const ENTRIES_MAX: usize = 200;

/// How far below the newest known row a new one can appear: rows are dated by the publishers and
/// imported in batches.
const OVERLAP: SignedDuration = SignedDuration::from_hours(1);

/// How often the whole of a part is looked at that has a list: for what is gone without trace.
pub(crate) const WHOLE_EVERY: Duration = Duration::from_hours(6);

/// What is remembered of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TipState {
    /// When the whole part was last read.
    pub(crate) whole_at: Timestamp,
    /// The newest date that was seen.
    newest: Timestamp,
    /// Hashes of the rows that were seen within [`OVERLAP`] of the newest date.
    seen: BTreeSet<u32>,
    /// The list's own fingerprint.
    pub(crate) fingerprint: Fingerprint,
}

/// What looking at a list gave.
#[derive(Debug)]
pub(crate) enum Look {
    /// There is no list, or it cannot be had.
    None,
    /// It says nothing that is not known.
    Nothing,
    /// These are new, and what is remembered once they are read.
    Entries(Found),
    /// The whole part must be read; what to know the list by afterwards.
    Whole(Fingerprint),
}

/// New entries of a list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Their ids, newest first.
    pub(crate) ids: Vec<String>,
    /// The date of the newest of them.
    pub(crate) newest: Timestamp,
    /// What is remembered once they are read.
    pub(crate) state: TipState,
}

impl TipState {
    /// After the whole part was read, whose newest entry has that date.
    pub(crate) fn whole(at: Timestamp, newest: Timestamp, fingerprint: Fingerprint) -> Self {
        Self { whole_at: at, newest, seen: BTreeSet::new(), fingerprint }
    }

    /// Holds the beginning of a list against what is known. `is_cut` when the list goes on.
    pub(crate) fn compare(&self, rows: &[TipRow], is_cut: bool, fingerprint: Fingerprint) -> Look {
        let Some(newest) = rows.iter().map(|row| row.modified).max() else {
            return Look::Whole(fingerprint);
        };
        let bound = overlap(self.newest);
        let reaches_back = rows.last().is_some_and(|row| row.modified < bound);
        let new: Vec<&TipRow> = rows
            .iter()
            .filter(|row| row.modified >= bound && !self.seen.contains(&hash(row)))
            .collect();
        if (is_cut && !reaches_back) || new.len() > ENTRIES_MAX {
            return Look::Whole(fingerprint);
        }
        let Some(newest_new) = new.iter().map(|row| row.modified).max() else {
            return Look::Nothing;
        };
        let newest = newest.max(self.newest);
        let kept = rows.iter().filter(|row| row.modified >= overlap(newest));
        let state =
            Self { whole_at: self.whole_at, newest, seen: kept.map(hash).collect(), fingerprint };
        let ids = new.into_iter().map(|row| row.id.clone()).collect();
        Look::Entries(Found { ids, newest: newest_new, state })
    }

    /// The text form: a first line, the hashes, the fingerprint.
    pub(crate) fn to_text(&self) -> String {
        let seen: String = self.seen.iter().map(|hash| format!(" {hash:08x}")).collect();
        let Self { whole_at, newest, fingerprint, .. } = self;
        format!("tip {whole_at} {newest}\nseen{seen}\n{fingerprint}")
    }

    /// Reads the text form without its leading `tip `; `None` when it is something else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.splitn(3, '\n');
        let (whole_at, newest) = lines.next()?.split_once(' ')?;
        let seen = lines.next()?.strip_prefix("seen")?.split_ascii_whitespace();
        let seen: Result<BTreeSet<u32>, _> =
            seen.map(|hash| u32::from_str_radix(hash, 16)).collect();
        Some(Self {
            whole_at: whole_at.parse().ok()?,
            newest: newest.parse().ok()?,
            seen: seen.ok()?,
            fingerprint: lines.next().unwrap_or_default().parse().ok()?,
        })
    }
}

fn overlap(newest: Timestamp) -> Timestamp {
    newest.saturating_sub(OVERLAP).expect("a signed duration has no calendar units")
}

/// Tells rows apart. A row that is taken for another by chance (once in four thousand million) is
/// read with the next whole reading. The hash is that of the standard library under fixed keys: one
/// that changes with a new compiler costs one look at the last hour's entries.
fn hash(row: &TipRow) -> u32 {
    let mut hasher = DefaultHasher::new();
    row.hash(&mut hasher);
    (hasher.finish() >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(minute: i64, id: &str) -> TipRow {
        let start: Timestamp = "2026-09-01T00:00:00Z".parse().expect("a time");
        TipRow { modified: start + SignedDuration::from_mins(minute), id: id.to_owned() }
    }

    fn known(minute: i64) -> TipState {
        TipState::whole(row(0, "").modified, row(minute, "").modified, Fingerprint::default())
    }

    fn ids(look: &Look) -> Vec<&str> {
        match look {
            Look::Entries(found) => found.ids.iter().map(String::as_str).collect(),
            Look::Nothing => vec!["nothing"],
            Look::Whole(_) => vec!["whole"],
            Look::None => vec!["none"],
        }
    }

    #[track_caller]
    fn check(state: &TipState, rows: &[TipRow], is_cut: bool, expected: &[&str]) -> TipState {
        let look = state.compare(rows, is_cut, Fingerprint::default());
        assert_eq!(ids(&look), expected);
        match look {
            Look::Entries(found) => found.state,
            _ => state.clone(),
        }
    }

    #[test]
    fn only_rows_that_are_new_are_entries_and_afterwards_they_are_known() {
        let mut rows = vec![row(300, "C"), row(200, "B"), row(10, "A")];
        let state = check(&known(200), &rows, false, &["C", "B"]);
        let state = check(&state, &rows, false, &["nothing"]);
        rows.insert(1, row(290, "late"));
        let state = check(&state, &rows, false, &["late"]);
        rows.insert(0, row(301, "C"));
        check(&state, &rows, false, &["C"]);
    }

    #[test]
    fn a_list_that_does_not_reach_back_or_has_too_much_leads_to_the_whole() {
        let rows = [row(300, "C"), row(250, "B")];
        check(&known(200), &rows, true, &["whole"]);
        check(&known(200), &rows, false, &["C", "B"]);
        check(&known(200), &[], false, &["whole"]);
        let many: Vec<TipRow> = (0..=200).map(|n| row(300, &format!("N-{n}"))).collect();
        check(&known(200), &many, false, &["whole"]);
        let is_enough = &many[1..];
        assert_eq!(ids(&known(200).compare(is_enough, false, Fingerprint::default())).len(), 200);
    }

    #[test]
    fn text_survives_a_round_trip() {
        let rows = [row(300, "C"), row(290, "B")];
        let etag = Some("\"x\"".to_owned());
        let fingerprint = Fingerprint { etag, ..Fingerprint::default() };
        let Look::Entries(found) = known(200).compare(&rows, false, fingerprint) else {
            panic!("two entries")
        };
        for state in [found.state, known(1)] {
            let text = state.to_text();
            let text = text.strip_prefix("tip ").expect("its word");
            assert_eq!(TipState::parse(text), Some(state));
        }
        for bad in ["", "x", "x y\n\n", "2026-09-01T00:00:00Z 2026-09-01T00:00:00Z\nseen xyz\n"] {
            assert_eq!(TipState::parse(bad), None, "{bad:?}");
        }
    }
}
