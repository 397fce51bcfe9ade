//! The roll of a part: which advisories it holds and what they say, in 32 bytes each.
//!
//! A feed is held against it, and no stored advisory is read for that. Entries stand in the order
//! of the hashes of their names, as waiting ones do, and are cut into pages by the leading bits of
//! that hash: a change rewrites one page of some twenty entries, and what only adds to a part reads
//! no more pages than it adds advisories.
//!
//! What would surprise: an advisory that is gone from its feed is not on the roll. Whoever meets a
//! name that is not here has to look for it among those.

use crate::StoreError;
use crate::record::{self, Hashes};
use crate::session::{RowSink, Session, values};

/// How many entries a page has at least when its part is read whole; at most it has twice as many
/// then. 32 fill a kilobyte, of which SQLite puts four on one of its own pages.
const PAGE_ENTRIES: u64 = 16;

/// How many times larger or smaller than wanted pages may become before all are cut anew.
const PAGE_DRIFT: u64 = 4;

/// How many bytes an entry has: hash of the name, hashes of the content, number of the advisory.
const ENTRY_BYTES: usize = 32;

/// How many pages are read or removed by one statement.
pub(crate) const PAGES_AT_ONCE: usize = 500;

const DOING: &str = "comparing with what is stored";
const WRITING: &str = "writing the roll";

/// One advisory of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// As [`record::name_hash`] makes it.
    pub(crate) name_hash: u64,
    /// What it says.
    pub(crate) hashes: Hashes,
    /// Its number.
    pub(crate) id: i64,
}

/// The roll of one part.
pub(crate) struct Roll<'a> {
    session: &'a dyn Session,
    part: i64,
    /// How many leading bits of a name's hash tell the page.
    depth: u32,
    /// Whether all pages are made anew.
    is_cut_anew: bool,
}

impl<'a> Roll<'a> {
    /// Of a part that has one, or has none yet.
    pub(crate) fn of(session: &'a dyn Session, part: i64) -> Result<Self, StoreError> {
        let sql = "SELECT max(page) FROM roll WHERE part = ?1";
        let last = session.one(DOING, sql, values![part], |row| row.optional_integer(0))?;
        // The leading bit of a page's number says how many bits follow it.
        let depth = last.and_then(i64::checked_ilog2).unwrap_or_default();
        Ok(Self { session, part, depth, is_cut_anew: false })
    }

    /// Gives all entries in order.
    pub(crate) fn each(
        &self,
        take: impl FnMut(Listed) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let sql = "SELECT entries FROM roll WHERE part = ?1 ORDER BY page";
        let mut reader = Reader { last: None, take };
        self.session.stream(DOING, sql, values![self.part], &mut |row| reader.read(row.blob(0)?))
    }

    /// Gives the entries of some pages, which ascend, in order.
    pub(crate) fn each_of(
        &self,
        pages: &[i64],
        take: impl FnMut(Listed) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let sql = "SELECT entries FROM roll WHERE part = ?1 AND page IN LIST(?2) ORDER BY page";
        let mut reader = Reader { last: None, take };
        for pages in pages.chunks(PAGES_AT_ONCE) {
            let values = values![self.part, pages];
            self.session.query(DOING, sql, values, &mut |row| reader.read(row.blob(0)?))?;
        }
        Ok(())
    }

    /// The page on which a name belongs.
    pub(crate) fn page(&self, name_hash: u64) -> i64 {
        let leading = name_hash.checked_shr(u64::BITS - self.depth).unwrap_or_default();
        ((1 << self.depth) | leading).cast_signed()
    }

    /// Cuts all pages anew if they would be far from the wanted size with so many entries, and says
    /// whether it did.
    pub(crate) fn cut_for(&mut self, entry_count: u64) -> bool {
        let wanted = (entry_count / PAGE_ENTRIES).checked_ilog2().unwrap_or_default();
        if wanted.abs_diff(self.depth) > PAGE_DRIFT.ilog2() {
            self.depth = wanted;
            self.is_cut_anew = true;
        }
        self.is_cut_anew
    }

    /// Whether all pages are made anew.
    pub(crate) fn is_cut_anew(&self) -> bool {
        self.is_cut_anew
    }

    /// Begins to write pages. Those that are to be replaced have to be removed first.
    pub(crate) fn rewrite(&self) -> Result<Writer<'a>, StoreError> {
        if self.is_cut_anew {
            let sql = "DELETE FROM roll WHERE part = ?1";
            self.session.execute(WRITING, sql, values![self.part])?;
        }
        let rows = self.session.bulk(WRITING, "roll", "part, page, entries")?;
        Ok(Writer { part: self.part, rows, bytes: Vec::new() })
    }

    /// Removes [`PAGES_AT_ONCE`] pages at most; nothing is left to remove where all are made anew.
    pub(crate) fn remove(&self, pages: &[i64]) -> Result<(), StoreError> {
        if self.is_cut_anew {
            return Ok(());
        }
        let sql = "DELETE FROM roll WHERE part = ?1 AND page IN LIST(?2)";
        self.session.execute(WRITING, sql, values![self.part, pages]).map(|_| ())
    }
}

/// Takes pages apart.
struct Reader<F> {
    last: Option<u64>,
    take: F,
}

impl<F: FnMut(Listed) -> Result<(), StoreError>> Reader<F> {
    fn read(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let damaged = || StoreError::damaged("a page of a roll");
        let (entries, rest) = bytes.as_chunks::<ENTRY_BYTES>();
        if !rest.is_empty() {
            return Err(damaged());
        }
        for entry in entries {
            let listed = decoded(entry);
            if listed.id <= 0 || self.last.is_some_and(|last| last >= listed.name_hash) {
                return Err(damaged());
            }
            self.last = Some(listed.name_hash);
            (self.take)(listed)?;
        }
        Ok(())
    }
}

/// Writes pages.
pub(crate) struct Writer<'a> {
    part: i64,
    rows: Box<dyn RowSink + 'a>,
    bytes: Vec<u8>,
}

impl Writer<'_> {
    /// Takes a page with its entries in order; an empty one is no page.
    pub(crate) fn page(&mut self, page: i64, entries: &[Listed]) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        self.bytes.clear();
        for Listed { name_hash, hashes, id } in entries {
            self.bytes.extend_from_slice(&name_hash.to_le_bytes());
            self.bytes.extend_from_slice(&hashes.matching.to_le_bytes());
            self.bytes.extend_from_slice(&hashes.text.to_le_bytes());
            self.bytes.extend_from_slice(&id.to_le_bytes());
        }
        self.rows.row(values![self.part, page, &*self.bytes])
    }

    /// Writes what still waits.
    pub(crate) fn finish(self) -> Result<(), StoreError> {
        self.rows.finish().map(|_| ())
    }
}

fn decoded(entry: &[u8; ENTRY_BYTES]) -> Listed {
    let (words, _) = entry.as_chunks::<8>();
    let number = |index: usize| i64::from_le_bytes(words[index]);
    Listed {
        name_hash: u64::from_le_bytes(words[0]),
        hashes: Hashes { matching: number(1), text: number(2) },
        id: number(3),
    }
}

/// Makes the rolls of all parts from the hashes that advisories had in rows of their own before
/// there were rolls.
pub(crate) fn make_all(session: &dyn Session) -> Result<(), StoreError> {
    let doing = "making the rolls";
    let parts = session.all(doing, "SELECT id FROM part", &[], |row| row.integer(0))?;
    for part in parts {
        let mut entries = Vec::new();
        let sql = "SELECT id, name, match_hash, text_hash FROM advisory \
                   WHERE part = ?1 AND state <> 2";
        session.stream(doing, sql, values![part], &mut |row| {
            let hashes = Hashes { matching: row.integer(2)?, text: row.integer(3)? };
            let name_hash = record::name_hash(row.text(1)?);
            entries.push(Listed { name_hash, hashes, id: row.integer(0)? });
            Ok(())
        })?;
        entries.sort_unstable_by_key(|listed| listed.name_hash);
        let mut roll = Roll { session, part, depth: 0, is_cut_anew: true };
        roll.cut_for(entries.len() as u64);
        let mut writer = roll.rewrite()?;
        let page = |listed: &Listed| roll.page(listed.name_hash);
        for entries in entries.chunk_by(|left, right| page(left) == page(right)) {
            writer.page(page(&entries[0]), entries)?;
        }
        writer.finish()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Database;

    fn listed(name_hash: u64) -> Listed {
        Listed { name_hash, hashes: Hashes { matching: -1, text: i64::MIN }, id: 7 }
    }

    #[test]
    fn pages_follow_the_leading_bits() {
        let database = Database::in_memory().expect("memory");
        let mut roll = Roll::of(&*database.session, 1).expect("empty");
        assert_eq!((roll.page(0), roll.page(u64::MAX)), (1, 1));
        assert!(!roll.cut_for(64), "pages of 64 are near enough");
        assert!(roll.cut_for(16_000));
        assert_eq!(roll.depth, 9);
        assert_eq!((roll.page(0), roll.page(u64::MAX)), (512, 1023));
        assert_eq!(roll.page(1 << 55), 513);
    }

    #[test]
    fn what_is_written_is_read_in_order() {
        let database = Database::in_memory().expect("memory");
        let session = &*database.session;
        let mut roll = Roll::of(session, 1).expect("empty");
        roll.cut_for(16_000);
        let mut writer = roll.rewrite().expect("a writer");
        for name_hash in [u64::MAX, 1 << 60, 3] {
            writer.page(roll.page(name_hash), &[listed(name_hash)]).expect("a page");
        }
        writer.page(600, &[]).expect("no page");
        writer.finish().expect("written");
        let roll = Roll::of(session, 1).expect("a roll");
        assert_eq!(roll.depth, 9, "the pages themselves tell how they are cut");
        let mut found = Vec::new();
        let take = |listed: Listed| {
            found.push(listed);
            Ok(())
        };
        roll.each(take).expect("read");
        assert_eq!(found, [listed(3), listed(1 << 60), listed(u64::MAX)]);
        let mut count = 0;
        let take = |_: Listed| {
            count += 1;
            Ok(())
        };
        roll.each_of(&[roll.page(3), 700, roll.page(u64::MAX)], take).expect("read");
        assert_eq!(count, 2);
    }

    #[test]
    fn a_damaged_page_is_an_error() {
        let database = Database::in_memory().expect("memory");
        let session = &*database.session;
        for blob in ["x'00'", "zeroblob(32)"] {
            session.script("clearing", "DELETE FROM roll").expect("empty");
            let sql = format!("INSERT INTO roll (part, page, entries) VALUES (1, 1, {blob})");
            session.script("damaging", &sql).expect("a page");
            let roll = Roll::of(session, 1).expect("a roll");
            let error = roll.each(|_| Ok(())).expect_err("damaged");
            assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
        }
    }
}
