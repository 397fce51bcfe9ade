//! The typed changes, as they were written down by the commits that brought them.

use rusqlite::{Row, params};

use pratique_model::PartId;

use crate::change::{Change, ChangeKind};
use crate::error::Doing as _;
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
        let mut statement = self
            .connection()
            .prepare_cached(
                "SELECT generation, at, kind, advisory.name, cve, scope, package, old, new \
                 FROM change LEFT JOIN advisory ON advisory.id = change.advisory \
                 WHERE change.part = ?1 AND generation > ?2 \
                 ORDER BY generation, change.id LIMIT ?3",
            )
            .doing(doing)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let after = i64::try_from(after_generation).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![number, after, limit]).doing(doing)?;
        let mut changes = Vec::new();
        while let Some(row) = rows.next().doing(doing)? {
            changes.push(self.change_of(row, id)?);
        }
        Ok(changes)
    }

    fn change_of(&self, row: &Row<'_>, part: &PartId) -> Result<Change, StoreError> {
        let doing = "reading a change";
        let code: i64 = row.get(2).doing(doing)?;
        let kind = ChangeKind::ALL.into_iter().find(|kind| kind.code() == code);
        let scope: Option<i64> = row.get(5).doing(doing)?;
        let package: Option<String> = row.get(6).doing(doing)?;
        let package = match (scope, package) {
            (Some(scope), Some(package)) => {
                let (ecosystem, release) = self.rows().scope(scope)?;
                Some((ecosystem, release, package))
            }
            _ => None,
        };
        Ok(Change {
            part: part.clone(),
            generation: row.get(0).map(i64::cast_unsigned).doing(doing)?,
            at: encoding::timestamp(row.get(1).doing(doing)?)?,
            kind: kind.ok_or_else(|| StoreError::damaged(format!("kind of change {code}")))?,
            advisory: row.get(3).doing(doing)?,
            vulnerability: row.get::<_, Option<i64>>(4).doing(doing)?.map(encoding::cve),
            package,
            old: row.get(7).doing(doing)?,
            new: row.get(8).doing(doing)?,
        })
    }
}
