//! The typed changes, as they were written down by the commits that brought them.

use pratique_model::PartId;

use crate::change::{Change, ChangeKind};
use crate::session::{Row, values};
use crate::{Database, StoreError, encoding, part};

impl Database {
    /// What changed in a part after a generation, oldest first, at most `limit`. With 0 everything
    /// that is kept, beginning with the baseline.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Damaged`].
    pub fn changes(
        &self,
        id: &PartId,
        after_generation: u64,
        limit: usize,
    ) -> Result<Vec<Change>, StoreError> {
        let doing = "reading changes";
        let Some(number) = part::number_of(&*self.session, id)? else { return Ok(Vec::new()) };
        let sql = "SELECT generation, at, kind, advisory.name, cve, scope, package, old, new \
                   FROM change LEFT JOIN advisory ON advisory.id = change.advisory \
                   WHERE change.part = ?1 AND generation > ?2 \
                   ORDER BY generation, change.id LIMIT ?3";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let after = i64::try_from(after_generation).unwrap_or(i64::MAX);
        let values = values![number, after, limit];
        self.session.all(doing, sql, values, |row| self.change_of(row, id))
    }

    /// How many changes of each kind one generation of a part brought.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Damaged`].
    pub fn change_counts(
        &self,
        id: &PartId,
        generation: u64,
    ) -> Result<Vec<(ChangeKind, u64)>, StoreError> {
        let doing = "counting changes";
        let Some(number) = part::number_of(&*self.session, id)? else { return Ok(Vec::new()) };
        let sql = "SELECT kind, count(*) FROM change WHERE part = ?1 AND generation = ?2 \
                   GROUP BY kind ORDER BY kind";
        self.session.all(doing, sql, values![number, generation], |row| {
            Ok((ChangeKind::from_code(row.integer(0)?)?, row.count(1)?))
        })
    }

    fn change_of(&self, row: &Row<'_>, part: &PartId) -> Result<Change, StoreError> {
        let package = match (row.optional_integer(5)?, row.optional_string(6)?) {
            (Some(scope), Some(package)) => {
                let (ecosystem, release) = self.rows().scope(scope)?;
                Some((ecosystem, release, package))
            }
            _ => None,
        };
        Ok(Change {
            part: part.clone(),
            generation: row.count(0)?,
            at: encoding::timestamp(row.integer(1)?)?,
            kind: ChangeKind::from_code(row.integer(2)?)?,
            advisory: row.optional_string(3)?,
            vulnerability: row.optional_integer(4)?.map(encoding::cve),
            package,
            old: row.optional_string(7)?,
            new: row.optional_string(8)?,
        })
    }
}
