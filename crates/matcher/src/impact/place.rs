//! How far the changes of a part were read, and how that stands in a row.
//!
//! A part is read in two ways. Ordinarily its changes are, one after the other. When it was loaded
//! for the first time (or whole, after a mere choice of it), nothing says which packages it is
//! about: then all packages that it speaks of are looked at, in the order of their keys. The row
//! has one number for both; its lowest bit says which of them it counts.

use jiff::Timestamp;

use pratique_model::PartId;
use pratique_store::{ChangeCursor, Cursor, Database, PackageKey, PartState, StoreError};

/// How far a part was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// All of this generation and those before it; 0 before the first.
    Whole(u64),
    /// Up to and with a change, after which others of its generation follow.
    Changes(ChangeCursor),
    /// The packages up to and with one, on the way to a generation.
    Packages {
        /// The part's generation when this began.
        target: u64,
        /// The last package.
        after: PackageKey,
    },
}

/// A part, and how far it was read.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub(super) id: PartId,
    pub(super) generation: u64,
    /// `None`: it was never read.
    place: Option<Place>,
    /// The last generation that was a first load; `None` if there was none since it was read.
    baseline: Option<u64>,
    /// The date that upstream gives what the part holds.
    pub(super) as_of: Option<Timestamp>,
}

impl Place {
    fn from_cursor(cursor: &Cursor) -> Self {
        let (next, number) = (cursor.generation + 1, cursor.position >> 1);
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        match cursor.position {
            0 => Self::Whole(cursor.generation),
            odd if odd & 1 == 1 => Self::Packages { target: next, after: PackageKey(number) },
            _ => Self::Changes(ChangeCursor { generation: next, sequence: number }),
        }
    }

    /// The row that says so.
    pub(super) fn cursor(self, part: &PartId) -> Cursor {
        let part = part.clone();
        let doubled = |number: i64| number.cast_unsigned() << 1;
        match self {
            Self::Whole(generation) => Cursor { part, generation, position: 0 },
            Self::Changes(ChangeCursor { generation, sequence }) => {
                Cursor { part, generation: generation - 1, position: doubled(sequence) }
            }
            Self::Packages { target, after } => {
                Cursor { part, generation: target - 1, position: doubled(after.0) | 1 }
            }
        }
    }

    /// The generation that was read whole.
    fn generation(self) -> u64 {
        match self {
            Self::Whole(generation) => generation,
            Self::Changes(cursor) => cursor.generation - 1,
            Self::Packages { target, .. } => target - 1,
        }
    }
}

impl Standing {
    /// All parts that were ever loaded: those of facts first, then by name.
    pub(super) fn all(database: &Database) -> Result<Vec<Self>, StoreError> {
        let cursors = database.cursors()?;
        let mut parts = Vec::new();
        for state in database.parts()?.into_iter().filter(PartState::is_loaded) {
            let cursor = cursors.iter().find(|cursor| cursor.part == state.id);
            let place = cursor.map(Place::from_cursor);
            let is_behind = place.is_none_or(|place| place.generation() < state.generation);
            let mut baseline = None;
            if is_behind {
                baseline = database.baseline_generation(&state.id)?;
            }
            let PartState { id, generation, as_of, .. } = state;
            parts.push(Self { id, generation, place, baseline, as_of });
        }
        let is_of_facts = |part: &Self| crate::ENRICHMENT_SOURCES.contains(&part.id.source());
        parts.sort_by_key(|part| !is_of_facts(part));
        Ok(parts)
    }

    /// Whether there is something to read.
    pub(super) fn is_behind(&self) -> bool {
        self.place.is_none_or(|place| place.generation() < self.generation)
    }

    /// Whether its first load was not read to its end, so that nothing it says is news.
    pub(super) fn is_silent(&self) -> bool {
        match self.place {
            None | Some(Place::Packages { .. }) => true,
            Some(place) => self.baseline.is_some_and(|baseline| baseline > place.generation()),
        }
    }

    /// After which change to go on.
    pub(super) fn changes(&self) -> ChangeCursor {
        match self.place {
            Some(Place::Changes(cursor)) => cursor,
            Some(Place::Whole(generation)) => ChangeCursor::after_generation(generation),
            Some(Place::Packages { .. }) | None => ChangeCursor::default(),
        }
    }

    /// After which package to go on, and to which generation that leads.
    pub(super) fn packages(&self) -> (u64, Option<PackageKey>) {
        match self.place {
            Some(Place::Packages { target, after }) => (target, Some(after)),
            _ => (self.generation, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(place: Option<Place>, generation: u64, baseline: Option<u64>) -> Standing {
        let id = PartId::new("debian", "debian");
        Standing { id, generation, place, baseline, as_of: None }
    }

    #[test]
    fn a_place_survives_its_row() {
        let part = PartId::new("debian", "debian");
        for place in [
            Place::Whole(0),
            Place::Whole(7),
            Place::Changes(ChangeCursor { generation: 8, sequence: 1 }),
            Place::Changes(ChangeCursor { generation: 8, sequence: i64::MAX >> 1 }),
            Place::Packages { target: 8, after: PackageKey(0) },
            Place::Packages { target: 1, after: PackageKey(1 << 40) },
        ] {
            assert_eq!(Place::from_cursor(&place.cursor(&part)), place);
        }
    }

    #[test]
    fn a_part_is_silent_until_its_first_load_was_read() {
        let in_packages = Place::Packages { target: 3, after: PackageKey(9) };
        let in_changes = Place::Changes(ChangeCursor { generation: 3, sequence: 9 });
        for (place, baseline, is_silent) in [
            (None, Some(1), true),
            (None, None, true),
            (Some(in_packages), Some(1), true),
            (Some(Place::Whole(1)), Some(1), false),
            (Some(Place::Whole(1)), Some(2), true),
            (Some(in_changes), Some(1), false),
            (Some(in_changes), Some(4), true),
        ] {
            let part = standing(place, 5, baseline);
            assert!(part.is_behind());
            assert_eq!(part.is_silent(), is_silent, "{place:?} {baseline:?}");
        }
        assert!(!standing(Some(Place::Whole(5)), 5, None).is_behind());
        assert_eq!(standing(Some(in_packages), 5, None).packages(), (3, Some(PackageKey(9))));
        assert_eq!(standing(Some(in_changes), 5, Some(4)).packages(), (5, None));
    }
}
