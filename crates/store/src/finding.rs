//! What packages suffer from, as the matcher last said.
//!
//! A finding belongs to a package, not to an image: joining it to the images that hold the package
//! is done when somebody asks. What enrichment sources say (scores, known exploitation) is joined
//! then too, and never kept here. Only the matcher writes, everything of one step in one
//! transaction.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use pratique_model::{PartId, Severity, Status, Suppression};

use crate::outbox::{self, NewNotification};
use crate::package::{self, PackageKey};
use crate::session::{Row, Value, values};
use crate::{Database, StoreError, encoding};

/// A vulnerability of one package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFinding {
    /// The package.
    pub package: PackageKey,
    /// The CVE id, or the publisher's id where there is no CVE.
    pub vulnerability: String,
    /// The part that the statement came from.
    pub part: PartId,
    /// The publisher's id of the advisory.
    pub advisory: String,
    /// The publisher's statement: `fixed` when a newer version mends it.
    pub status: Status,
    /// How bad it is, as the publisher rates it; enrichment has no say here.
    pub severity: Option<Severity>,
    /// The version that mends it; `None` if there is none.
    pub fixed: Option<String>,
    /// Why it is not shown; `None` for a finding that is.
    pub suppression: Option<Suppression>,
    /// Why nobody can tell whether the version is concerned, when nobody can.
    pub unparsable: Option<String>,
    /// The generation of `part` that was last told of in a notification; `None` if none was.
    pub notified: Option<u64>,
}

/// How far the matcher has read the changes of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The part.
    pub part: PartId,
    /// The last generation that was read whole; 0 before the first.
    pub generation: u64,
    /// How far into the generation after it, in the matcher's own count; 0 at its start.
    pub position: u64,
}

/// What one step of the matcher changes, all in the caller's transaction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Impact {
    /// Findings that are new or other than before.
    pub findings: Vec<StoredFinding>,
    /// Findings that are no longer: package and vulnerability.
    pub removals: Vec<(PackageKey, String)>,
    /// Packages that are no longer pending.
    pub assessed: Vec<PackageKey>,
    /// What there is to tell.
    pub notifications: Vec<NewNotification>,
    /// How far the changes were read.
    pub cursors: Vec<Cursor>,
}

/// The columns that [`stored`] reads, of `finding` joined with `part` and `source`.
const COLUMNS: &str = "package, vulnerability, source.name, part.name, advisory, status, severity, \
                       fixed, suppression, unparsable, notified";

const JOINED: &str = "finding JOIN part ON part.id = finding.part \
                      JOIN source ON source.id = part.source";

const READING: &str = "reading findings";

const WRITING: &str = "writing findings";

impl Database {
    /// The findings of these packages, suppressed ones too, sorted by package, then vulnerability;
    /// with `vulnerabilities`, only those about one of them.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Damaged`].
    pub fn findings_of(
        &self,
        packages: &[PackageKey],
        vulnerabilities: Option<&[&str]>,
    ) -> Result<Vec<StoredFinding>, StoreError> {
        let ids = package::numbers(packages);
        let order = "ORDER BY package, vulnerability";
        let Some(vulnerabilities) = vulnerabilities else {
            let sql = format!("SELECT {COLUMNS} FROM {JOINED} WHERE package IN LIST(?1) {order}");
            return self.session.all(READING, &sql, values![&*ids], stored);
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM {JOINED} \
             WHERE package IN LIST(?1) AND vulnerability IN LIST(?2) {order}"
        );
        self.session.all(READING, &sql, values![&*ids, vulnerabilities], stored)
    }

    /// The findings about these vulnerabilities, suppressed ones too, sorted by package, then
    /// vulnerability.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Damaged`].
    pub fn findings_about(
        &self,
        vulnerabilities: &[&str],
    ) -> Result<Vec<StoredFinding>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM {JOINED} WHERE vulnerability IN LIST(?1) \
             ORDER BY package, vulnerability"
        );
        self.session.all(READING, &sql, values![vulnerabilities], stored)
    }

    /// How far the changes of each part were read, sorted by part; one that was never read is left
    /// out.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub fn cursors(&self) -> Result<Vec<Cursor>, StoreError> {
        self.session.all(
            "reading the matcher's cursors",
            "SELECT source.name, part.name, match_cursor.generation, position FROM match_cursor \
             JOIN part ON part.id = match_cursor.part JOIN source ON source.id = part.source \
             ORDER BY source.name, part.name",
            &[],
            |row| {
                Ok(Cursor {
                    part: PartId::new(row.text(0)?, row.text(1)?),
                    generation: row.count(2)?,
                    position: row.count(3)?,
                })
            },
        )
    }

    /// Writes what a step of the matcher came to. Call it within the transaction that read
    /// everything the step rests on. `now` dates the notifications. Findings of packages that are
    /// gone are left out.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when a part is named that was never tried; [`StoreError::ReadOnly`],
    /// [`StoreError::Statement`].
    pub fn write_impact(&self, impact: &Impact, now: Timestamp) -> Result<(), StoreError> {
        self.require_writer()?;
        self.remove_findings(&impact.removals)?;
        self.upsert_findings(&impact.findings)?;
        let assessed = package::numbers(&impact.assessed);
        if !assessed.is_empty() {
            let sql = "DELETE FROM pending WHERE package IN LIST(?1)";
            self.session.execute(WRITING, sql, values![&*assessed])?;
        }
        outbox::write(self, &impact.notifications, now)?;
        self.write_cursors(&impact.cursors)
    }

    fn remove_findings(&self, removals: &[(PackageKey, String)]) -> Result<(), StoreError> {
        if removals.is_empty() {
            return Ok(());
        }
        let sql = "DELETE FROM finding WHERE package = ?1 AND vulnerability = ?2";
        let mut rows = self.session.batch(WRITING, sql)?;
        for (package, vulnerability) in removals {
            rows.row(values![package.0, vulnerability])?;
        }
        rows.finish()?;
        Ok(())
    }

    fn upsert_findings(&self, findings: &[StoredFinding]) -> Result<(), StoreError> {
        if findings.is_empty() {
            return Ok(());
        }
        let parts = self.part_numbers()?;
        let present = self.keep_packages(findings)?;
        let mut rows = self.session.batch(
            WRITING,
            "INSERT INTO finding (package, vulnerability, part, advisory, status, severity, \
             fixed, suppression, unparsable, notified) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
             ON CONFLICT (package, vulnerability) DO UPDATE SET part = excluded.part, \
             advisory = excluded.advisory, status = excluded.status, \
             severity = excluded.severity, fixed = excluded.fixed, \
             suppression = excluded.suppression, unparsable = excluded.unparsable, \
             notified = excluded.notified",
        )?;
        for finding in findings.iter().filter(|finding| present.contains(&finding.package.0)) {
            let part = parts.get(&finding.part).copied();
            let part = part.ok_or_else(|| unknown_part(&finding.part))?;
            let advisory = (finding.advisory != finding.vulnerability).then_some(&finding.advisory);
            rows.row(&[
                Value::Integer(finding.package.0),
                Value::from(&finding.vulnerability),
                Value::Integer(part),
                Value::from(advisory),
                Value::Integer(encoding::status_code(finding.status)),
                Value::from(finding.severity.map(encoding::severity_code)),
                Value::from(finding.fixed.as_ref()),
                Value::from(finding.suppression.map(encoding::suppression_code)),
                Value::from(finding.unparsable.as_ref()),
                Value::from(finding.notified),
            ])?;
        }
        rows.finish()?;
        Ok(())
    }

    /// The packages of findings that are still there; they stay so until the transaction ends, as a
    /// sweep locks what it removes.
    fn keep_packages(&self, findings: &[StoredFinding]) -> Result<HashSet<i64>, StoreError> {
        let mut ids: Vec<i64> = findings.iter().map(|finding| finding.package.0).collect();
        ids.sort_unstable();
        ids.dedup();
        let sql = "SELECT id FROM package WHERE id IN LIST(?1) ORDER BY id FOR SHARE";
        let present = self.session.all(WRITING, sql, values![&*ids], |row| row.integer(0))?;
        Ok(present.into_iter().collect())
    }

    fn write_cursors(&self, cursors: &[Cursor]) -> Result<(), StoreError> {
        if cursors.is_empty() {
            return Ok(());
        }
        let parts = self.part_numbers()?;
        let mut rows = self.session.batch(
            "writing the matcher's cursors",
            "INSERT INTO match_cursor (part, generation, position) VALUES (?1, ?2, ?3) \
             ON CONFLICT (part) DO UPDATE SET generation = excluded.generation, \
             position = excluded.position",
        )?;
        for cursor in cursors {
            let part = parts.get(&cursor.part).copied();
            let part = part.ok_or_else(|| unknown_part(&cursor.part))?;
            rows.row(values![part, cursor.generation, cursor.position])?;
        }
        rows.finish()?;
        Ok(())
    }

    /// The numbers of all parts.
    fn part_numbers(&self) -> Result<HashMap<PartId, i64>, StoreError> {
        Ok(self.part_names()?.into_iter().map(|(number, part)| (part, number)).collect())
    }
}

fn unknown_part(part: &PartId) -> StoreError {
    StoreError::damaged(format!("part {part} is missing"))
}

fn stored(row: &Row<'_>) -> Result<StoredFinding, StoreError> {
    let vulnerability = row.string(1)?;
    let advisory = row.optional_string(4)?.unwrap_or_else(|| vulnerability.clone());
    Ok(StoredFinding {
        package: PackageKey(row.integer(0)?),
        part: PartId::new(row.text(2)?, row.text(3)?),
        advisory,
        status: encoding::status(row.integer(5)?)?,
        severity: row.optional_integer(6)?.map(encoding::severity).transpose()?,
        fixed: row.optional_string(7)?,
        suppression: row.optional_integer(8)?.map(encoding::suppression).transpose()?,
        unparsable: row.optional_string(9)?,
        notified: row.optional_integer(10)?.map(i64::cast_unsigned),
        vulnerability,
    })
}
