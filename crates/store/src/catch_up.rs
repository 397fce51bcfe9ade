//! What the matcher asks when it has not read something before: parts that were loaded for the
//! first time, and packages that it has never looked at.

use jiff::Timestamp;

use pratique_model::{Ecosystem, PartId, Release};

use crate::change::ChangeKind;
use crate::package::{self, COLUMNS, PackageKey, StoredPackage};
use crate::session::values;
use crate::{Database, StoreError, encoding, part};

const READING: &str = "reading what to catch up with";

impl Database {
    /// The last generation that loaded a part for the first time, or whole after a mere choice of
    /// it; `None` when no change is kept that says so.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub fn baseline_generation(&self, id: &PartId) -> Result<Option<u64>, StoreError> {
        let Some(number) = part::number_of(&*self.session, id)? else { return Ok(None) };
        // As the index has it: a number in the text, not a value.
        let kind = ChangeKind::Baseline.code();
        let sql = format!("SELECT max(generation) FROM change WHERE part = ?1 AND kind = {kind}");
        let generation =
            self.session.one(READING, &sql, values![number], |row| row.optional_integer(0))?;
        Ok(generation.map(i64::cast_unsigned))
    }

    /// What a part speaks of: ecosystems and releases, sorted.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Damaged`].
    pub fn covered_by(&self, id: &PartId) -> Result<Vec<(Ecosystem, Option<Release>)>, StoreError> {
        let Some(number) = part::number_of(&*self.session, id)? else { return Ok(Vec::new()) };
        self.session.all(
            READING,
            "SELECT ecosystem, \"release\" FROM coverage JOIN scope ON scope.id = coverage.scope \
             WHERE part = ?1 ORDER BY ecosystem, \"release\"",
            values![number],
            |row| Ok((encoding::ecosystem(row.text(0)?)?, package::release_of(row.text(1)?))),
        )
    }

    /// The packages of some ecosystems and releases in the order of their keys, those after `after`
    /// only, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Damaged`].
    pub fn packages_of(
        &self,
        scopes: &[(Ecosystem, Option<Release>)],
        after: Option<PackageKey>,
        limit: usize,
    ) -> Result<Vec<StoredPackage>, StoreError> {
        let mut numbers = Vec::with_capacity(scopes.len());
        for (ecosystem, release) in scopes {
            numbers.extend(self.scope(*ecosystem, release.as_ref())?);
        }
        // With the sign, the column is an expression: its index would have all of them sorted.
        let sql = format!(
            "SELECT {COLUMNS} FROM package JOIN scope ON scope.id = package.scope \
             WHERE package.id > ?1 AND +package.scope IN LIST(?2) ORDER BY package.id LIMIT ?3"
        );
        let after = after.map_or(i64::MIN, |key| key.0);
        self.session.all(READING, &sql, values![after, &*numbers, limit as u64], package::stored)
    }

    /// Those of the packages that the matcher has not looked at since they were registered, sorted.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub fn pending_among(&self, packages: &[PackageKey]) -> Result<Vec<PackageKey>, StoreError> {
        let ids = package::numbers(packages);
        let sql = "SELECT package FROM pending WHERE package IN LIST(?1) ORDER BY package";
        self.session.all(READING, sql, values![&*ids], |row| row.integer(0).map(PackageKey))
    }

    /// Since when some watched image has held each of the packages: the earliest registration of
    /// those that hold it now. Packages that none holds are left out.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Damaged`].
    pub fn held_since(
        &self,
        packages: &[PackageKey],
    ) -> Result<Vec<(PackageKey, Timestamp)>, StoreError> {
        let ids = package::numbers(packages);
        let sql = "SELECT package_in_set.package, min(image.registered_at) FROM package_in_set \
                   JOIN image ON image.package_set = package_in_set.package_set \
                   WHERE package_in_set.package IN LIST(?1) \
                   GROUP BY package_in_set.package ORDER BY package_in_set.package";
        self.session.all(READING, sql, values![&*ids], |row| {
            Ok((PackageKey(row.integer(0)?), encoding::timestamp(row.integer(1)?)?))
        })
    }
}
