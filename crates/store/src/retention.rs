//! Removes what nobody needs any more of the advisory side: old changes, the traces of advisories
//! that are gone, and parts of sources that there are no more.
//!
//! A change stays until the matcher has read it, however old it is. An advisory that is gone stays
//! as long as a change speaks of it, because the change is told with its name. Everything goes in
//! slices, so that writers wait for a moment only and readers never.

use jiff::{SignedDuration, Timestamp};

use pratique_clockwork::lease::Lease;
use pratique_model::PartId;

use crate::session::{Value, values};
use crate::{CommitOptions, Database, Staging, StoreError};

/// How long changes and traces are kept. From the design (updater, *Retention*).
pub const CHANGES_KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// How many rows one slice removes at most. From the design (updater, *Retention*).
pub const RETIRED_ROWS_MAX: usize = 5_000;

/// What a slice of retention removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retired {
    /// Changes.
    pub changes: u64,
    /// Traces of advisories that their feeds no longer have.
    pub tombstones: u64,
    /// Advisories and facts of parts whose source there is no more; they become traces.
    pub orphans: u64,
    /// Such parts.
    pub parts: u64,
    /// Shared texts that nothing used.
    pub terms: u64,
}

const DOING: &str = "removing old rows";

impl Retired {
    /// Whether there was nothing to remove.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The counts with the names that metrics have for them.
    pub fn counts(&self) -> [(&'static str, u64); 5] {
        let Self { changes, tombstones, orphans, parts, terms } = *self;
        [
            ("changes", changes),
            ("tombstones", tombstones),
            ("orphans", orphans),
            ("parts", parts),
            ("terms", terms),
        ]
    }
}

impl Database {
    /// Removes one slice of what is due at `now`; call it again until nothing is removed.
    /// `sources` are those that there are. Of others, a part that was not tried for
    /// [`CHANGES_KEPT`] is emptied as if its feed had withdrawn everything, at once, so that the
    /// matcher takes its findings back; the part itself goes with its last change. Texts that
    /// nothing uses are looked for once a day, and all go in one call, slice by slice.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::ReadOnly`], [`StoreError::Locked`],
    /// [`StoreError::Statement`].
    pub fn retire(
        &mut self,
        now: Timestamp,
        sources: &[&str],
        fence: Option<&Lease>,
    ) -> Result<Retired, StoreError> {
        self.require_writer()?;
        let before =
            now.saturating_sub(CHANGES_KEPT).expect("a signed duration has no calendar units");
        // What there is to remove is looked for first: most looks find nothing and need not write.
        let limit = RETIRED_ROWS_MAX as i64;
        let changes = self.old_changes(before, limit)?;
        if !changes.is_empty() {
            let sql = "DELETE FROM change WHERE id IN LIST(?1)";
            let count = self.remove(fence, sql, &changes)?;
            return Ok(Retired { changes: count, ..Retired::default() });
        }
        let tombstones = self.old_tombstones(limit)?;
        if !tombstones.is_empty() {
            let sql = "DELETE FROM advisory WHERE id IN LIST(?1) AND state = 2";
            let count = self.remove(fence, sql, &tombstones)?;
            return Ok(Retired { tombstones: count, ..Retired::default() });
        }
        let orphan = self.retire_orphan(now, before, sources, fence)?;
        if !orphan.is_empty() {
            return Ok(orphan);
        }
        Ok(Retired { terms: self.retire_terms(now)?, ..Retired::default() })
    }

    /// Changes of before that time that the matcher has read, or that nothing can be matched with.
    fn old_changes(&self, before: Timestamp, limit: i64) -> Result<Vec<i64>, StoreError> {
        let sql = "SELECT change.id FROM change \
                   LEFT JOIN match_cursor ON match_cursor.part = change.part \
                   WHERE change.at < ?1 AND (match_cursor.generation >= change.generation \
                   OR NOT EXISTS (SELECT 1 FROM package)) ORDER BY change.id LIMIT ?2";
        self.session.all(DOING, sql, values![before, limit], |row| row.integer(0))
    }

    /// Advisories that are gone and that no change speaks of any more. That the matcher has read
    /// all of their parts is asked too, for those that went without a change.
    fn old_tombstones(&self, limit: i64) -> Result<Vec<i64>, StoreError> {
        let sql = "SELECT advisory.id FROM advisory JOIN part ON part.id = advisory.part \
                   LEFT JOIN match_cursor ON match_cursor.part = part.id \
                   WHERE advisory.state = 2 AND (match_cursor.generation >= part.generation \
                   OR NOT EXISTS (SELECT 1 FROM package)) AND advisory.id NOT IN \
                   (SELECT advisory FROM change WHERE advisory IS NOT NULL) \
                   ORDER BY advisory.id LIMIT ?1";
        self.session.all(DOING, sql, values![limit], |row| row.integer(0))
    }

    fn remove(&self, fence: Option<&Lease>, sql: &str, rows: &[i64]) -> Result<u64, StoreError> {
        self.in_transaction(DOING, fence, |database| {
            database.session.execute(DOING, sql, &[Value::Integers(rows)])
        })
    }

    /// Empties one part that no source has, so that the matcher sees it go, or removes one that was
    /// emptied.
    fn retire_orphan(
        &mut self,
        now: Timestamp,
        before: Timestamp,
        sources: &[&str],
        fence: Option<&Lease>,
    ) -> Result<Retired, StoreError> {
        let sql = "SELECT part.id FROM part \
                   JOIN source ON source.id = part.source \
                   WHERE NOT (source.name IN LIST(?1)) AND entries = 0 \
                   AND NOT EXISTS (SELECT 1 FROM advisory WHERE advisory.part = part.id) \
                   AND NOT EXISTS (SELECT 1 FROM change WHERE change.part = part.id) \
                   AND NOT EXISTS (SELECT 1 FROM finding WHERE finding.part = part.id) \
                   ORDER BY part.id LIMIT 1";
        let empty =
            self.session.first(DOING, sql, &[Value::Texts(sources)], |row| row.integer(0))?;
        if let Some(part) = empty {
            let retire = |database: &Self| database.retire_part(part);
            let parts = self.in_transaction(DOING, fence, retire)?;
            return Ok(Retired { parts, ..Retired::default() });
        }
        let sql = "SELECT source.name, part.name FROM part \
                   JOIN source ON source.id = part.source \
                   WHERE NOT (source.name IN LIST(?1)) AND entries > 0 \
                   AND coalesce(last_attempt_at, 0) < ?2 ORDER BY part.id LIMIT 1";
        let values = &[Value::Texts(sources), Value::from(before)];
        let found = self
            .session
            .first(DOING, sql, values, |row| Ok(PartId::new(row.text(0)?, row.text(1)?)))?;
        let Some(part) = found else { return Ok(Retired::default()) };
        let options = CommitOptions {
            fingerprint: None,
            parser_version: 0,
            as_of: None,
            now,
            covers: Vec::new(),
            is_partial: false,
            force: true,
            fence: fence.cloned(),
        };
        let applied = self.commit(Staging::new(part, None), &options)?;
        Ok(Retired { orphans: applied.withdrawn, ..Retired::default() })
    }

    /// Removes what holds an empty part together.
    fn retire_part(&self, part: i64) -> Result<u64, StoreError> {
        for sql in [
            "DELETE FROM note WHERE part = ?1",
            "DELETE FROM coverage WHERE part = ?1",
            "DELETE FROM roll WHERE part = ?1",
            "DELETE FROM match_cursor WHERE part = ?1",
        ] {
            self.session.execute(DOING, sql, values![part])?;
        }
        let count = self.session.execute(DOING, "DELETE FROM part WHERE id = ?1", values![part])?;
        let sql = "DELETE FROM source WHERE NOT EXISTS \
                   (SELECT 1 FROM part WHERE part.source = source.id)";
        self.session.execute(DOING, sql, &[])?;
        Ok(count)
    }
}
