//! What is known of each part: how far it was read, when, and what went wrong last.

use jiff::Timestamp;
use rusqlite::{Connection, Row};

use pratique_clockwork::lease::Lease;
use pratique_model::{Note, PartId};

use crate::error::Doing as _;
use crate::session::{Session, values};
use crate::stage::KeptNote;
use crate::{Database, StoreError, encoding};

/// How much of an error's text is kept, in characters: it may quote the feed.
const ERROR_CHARACTERS_MAX: usize = 1_000;

/// The state of one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartState {
    /// The part.
    pub id: PartId,
    /// The number of its last applied change; 0 before its first load.
    pub generation: u64,
    /// What the fetcher knows a new version by; its own words, `None` before the first load.
    pub fingerprint: Option<String>,
    /// The version of the parser that read it.
    pub parser_version: u32,
    /// Advisories or facts it holds now.
    pub entries: u64,
    /// Entries of the last reading that were put aside.
    pub quarantined: u64,
    /// Whether upstream had nothing under its address the last time; old data is kept.
    pub is_absent: bool,
    /// The upstream's own date of the data, else when it was fetched; `None` before the first load.
    pub as_of: Option<Timestamp>,
    /// When it was last tried.
    pub last_attempt: Option<Timestamp>,
    /// When it was last found or made fresh.
    pub last_success: Option<Timestamp>,
    /// What went wrong at the last attempt; `None` when it went well.
    pub last_error: Option<String>,
    /// Whether it holds only a choice of what the publisher says (from a bundled snapshot), so
    /// that a package it does not name is not known to be clean.
    pub is_partial: bool,
}

impl PartState {
    /// Whether it was ever loaded.
    pub fn is_loaded(&self) -> bool {
        self.generation > 0
    }
}

/// The columns that [`state_of`] reads, of `part` joined with `source`.
const COLUMNS: &str = "source.name, part.name, generation, fingerprint, parser_version, entries, \
                       quarantined, is_absent, as_of, last_attempt_at, last_success_at, \
                       last_error, is_partial";

impl Database {
    /// All parts that were ever tried, sorted by name.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Damaged`].
    pub fn parts(&self) -> Result<Vec<PartState>, StoreError> {
        let doing = "reading the parts";
        let sql = format!(
            "SELECT {COLUMNS} FROM part JOIN source ON source.id = part.source \
             ORDER BY source.name, part.name"
        );
        let mut statement = self.connection().prepare_cached(&sql).doing(doing)?;
        let mut rows = statement.query([]).doing(doing)?;
        let mut parts = Vec::new();
        while let Some(row) = rows.next().doing(doing)? {
            parts.push(state_of(row)?);
        }
        Ok(parts)
    }

    /// One part; `None` when it was never tried.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Damaged`].
    pub fn part(&self, id: &PartId) -> Result<Option<PartState>, StoreError> {
        state(self.connection(), id)
    }

    /// The remarks that were made when the part's present content was read, at most a hundred.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub fn notes(&self, id: &PartId) -> Result<Vec<KeptNote>, StoreError> {
        let doing = "reading the remarks of a part";
        let Some(part) = number_of(&*self.session, id)? else { return Ok(Vec::new()) };
        self.connection()
            .prepare_cached(
                "SELECT subject, text, is_quarantine FROM note WHERE part = ?1 ORDER BY ordinal",
            )
            .and_then(|mut statement| {
                let note = |row: &Row<'_>| {
                    let note = Note { subject: row.get(0)?, text: row.get(1)? };
                    Ok(KeptNote { note, is_quarantine: row.get(2)? })
                };
                statement.query_map([part], note)?.collect()
            })
            .doing(doing)
    }

    /// Writes down that upstream has nothing new. The part's data, generation and date stay.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::ReadOnly`], [`StoreError::Locked`],
    /// [`StoreError::Statement`].
    pub fn touch_unchanged(
        &mut self,
        id: &PartId,
        now: Timestamp,
        fence: Option<&Lease>,
    ) -> Result<(), StoreError> {
        self.record(
            id,
            "UPDATE part SET last_attempt_at = ?2, last_success_at = ?2, last_error = NULL, \
             is_absent = 0 WHERE id = ?1",
            None,
            now,
            fence,
        )
    }

    /// Writes down that an update of the part failed. Its data stays.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::ReadOnly`], [`StoreError::Locked`],
    /// [`StoreError::Statement`].
    pub fn record_failure(
        &mut self,
        id: &PartId,
        error: &str,
        now: Timestamp,
        fence: Option<&Lease>,
    ) -> Result<(), StoreError> {
        self.record(
            id,
            "UPDATE part SET last_attempt_at = ?2, last_error = ?3 WHERE id = ?1",
            Some(error),
            now,
            fence,
        )
    }

    /// Writes down that upstream has nothing under the part's address: no failure, no success, and
    /// its data stays.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`], [`StoreError::ReadOnly`], [`StoreError::Locked`],
    /// [`StoreError::Statement`].
    pub fn record_absent(
        &mut self,
        id: &PartId,
        now: Timestamp,
        fence: Option<&Lease>,
    ) -> Result<(), StoreError> {
        self.record(
            id,
            "UPDATE part SET last_attempt_at = ?2, last_error = NULL, is_absent = 1 WHERE id = ?1",
            None,
            now,
            fence,
        )
    }

    fn record(
        &mut self,
        id: &PartId,
        sql: &str,
        error: Option<&str>,
        now: Timestamp,
        fence: Option<&Lease>,
    ) -> Result<(), StoreError> {
        let doing = "writing down an attempt";
        let error: Option<String> =
            error.map(|error| error.chars().take(ERROR_CHARACTERS_MAX).collect());
        self.in_transaction(doing, fence, |database| {
            let part = ensure(&*database.session, id)?;
            match &error {
                Some(error) => database.session.execute(doing, sql, values![part, now, error]),
                None => database.session.execute(doing, sql, values![part, now]),
            }
            .map(|_| ())
        })
    }
}

/// The state of one part.
pub(crate) fn state(connection: &Connection, id: &PartId) -> Result<Option<PartState>, StoreError> {
    let doing = "reading a part";
    let sql = format!(
        "SELECT {COLUMNS} FROM part JOIN source ON source.id = part.source \
         WHERE source.name = ?1 AND part.name = ?2"
    );
    let mut statement = connection.prepare_cached(&sql).doing(doing)?;
    let mut rows = statement.query([id.source(), id.part()]).doing(doing)?;
    rows.next().doing(doing)?.map(state_of).transpose()
}

/// The number of a part, if it has one.
pub(crate) fn number_of(session: &dyn Session, id: &PartId) -> Result<Option<i64>, StoreError> {
    session.first(
        "reading a part",
        "SELECT part.id FROM part JOIN source ON source.id = part.source \
         WHERE source.name = ?1 AND part.name = ?2",
        values![id.source(), id.part()],
        |row| row.integer(0),
    )
}

/// The number of a part, given now if it has none.
pub(crate) fn ensure(session: &dyn Session, id: &PartId) -> Result<i64, StoreError> {
    if let Some(part) = number_of(session, id)? {
        return Ok(part);
    }
    let doing = "adding a part";
    let add_source = "INSERT INTO source (name) VALUES (?1) ON CONFLICT DO NOTHING";
    session.execute(doing, add_source, values![id.source()])?;
    session.execute(
        doing,
        "INSERT INTO part (source, name) SELECT id, ?2 FROM source WHERE name = ?1 \
         ON CONFLICT DO NOTHING",
        values![id.source(), id.part()],
    )?;
    number_of(session, id)?.ok_or_else(|| StoreError::damaged("a part that was just added"))
}

fn state_of(row: &Row<'_>) -> Result<PartState, StoreError> {
    let doing = "reading a part";
    let time = |index: usize| -> Result<Option<Timestamp>, StoreError> {
        row.get::<_, Option<i64>>(index).doing(doing)?.map(encoding::timestamp).transpose()
    };
    let text = |index: usize| row.get::<_, String>(index).doing(doing);
    let count = |index: usize| row.get(index).map(i64::cast_unsigned).doing(doing);
    Ok(PartState {
        id: PartId::new(&text(0)?, &text(1)?),
        generation: count(2)?,
        fingerprint: row.get(3).doing(doing)?,
        parser_version: row.get(4).doing(doing)?,
        entries: count(5)?,
        quarantined: count(6)?,
        is_absent: row.get(7).doing(doing)?,
        as_of: time(8)?,
        last_attempt: time(9)?,
        last_success: time(10)?,
        last_error: row.get(11).doing(doing)?,
        is_partial: row.get(12).doing(doing)?,
    })
}
