//! What is known of each part: how far it was read, when, and what went wrong last.

use jiff::Timestamp;

use pratique_clockwork::lease::Lease;
use pratique_model::{Note, PartId};

use crate::session::{Row, Session, values};
use crate::stage::KeptNote;
use crate::{Database, StoreError};

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
        self.session.all(doing, &sql, &[], state_of)
    }

    /// One part; `None` when it was never tried.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Damaged`].
    pub fn part(&self, id: &PartId) -> Result<Option<PartState>, StoreError> {
        state(&*self.session, id)
    }

    /// The remarks that were made when the part's present content was read, at most a hundred.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub fn notes(&self, id: &PartId) -> Result<Vec<KeptNote>, StoreError> {
        let doing = "reading the remarks of a part";
        let Some(part) = number_of(&*self.session, id)? else { return Ok(Vec::new()) };
        let sql = "SELECT subject, text, is_quarantine FROM note WHERE part = ?1 ORDER BY ordinal";
        self.session.all(doing, sql, values![part], |row| {
            let note = Note { subject: row.string(0)?, text: row.string(1)? };
            Ok(KeptNote { note, is_quarantine: row.flag(2)? })
        })
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
        ensure_apart(self, id)?;
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
pub(crate) fn state(session: &dyn Session, id: &PartId) -> Result<Option<PartState>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM part JOIN source ON source.id = part.source \
         WHERE source.name = ?1 AND part.name = ?2"
    );
    session.first("reading a part", &sql, values![id.source(), id.part()], state_of)
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

/// Makes a part's row where no transaction sees it appear; with SQLite there is no such place, and
/// [`ensure`] makes it.
pub(crate) fn ensure_apart(database: &Database, id: &PartId) -> Result<(), StoreError> {
    let is_apart = database.server.is_some() && !database.session.is_in_transaction();
    if is_apart && number_of(&*database.session, id)?.is_none() {
        ensure(&*database.session, id)?;
    }
    Ok(())
}

/// Keeps others from writing a part until the transaction ends.
pub(crate) fn lock(session: &dyn Session, part: i64) -> Result<(), StoreError> {
    let sql = "SELECT id FROM part WHERE id = ?1 FOR UPDATE";
    session.one("waiting for the part", sql, values![part], |_| Ok(()))
}

fn state_of(row: &Row<'_>) -> Result<PartState, StoreError> {
    Ok(PartState {
        id: PartId::new(row.text(0)?, row.text(1)?),
        generation: row.count(2)?,
        fingerprint: row.optional_string(3)?,
        parser_version: u32::try_from(row.integer(4)?)
            .map_err(|_| StoreError::damaged("version of a parser"))?,
        entries: row.count(5)?,
        quarantined: row.count(6)?,
        is_absent: row.flag(7)?,
        as_of: row.optional_time(8)?,
        last_attempt: row.optional_time(9)?,
        last_success: row.optional_time(10)?,
        last_error: row.optional_string(11)?,
        is_partial: row.flag(12)?,
    })
}
