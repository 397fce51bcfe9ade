//! The matcher's questions.
//!
//! They are asked in bulk: an image's names at once, then only the advisories that matched, then
//! only the CVEs that are shown. Each answer is a few point look-ups with statements prepared once;
//! see ADR 0002 for the measurements behind that.

use std::collections::{BTreeMap, HashMap};

use pratique_model::{
    Advisory, Affected, Cvss, Ecosystem, Epss, KnownExploited, PartId, Release, Severity,
};

use crate::facts::{epss_of, kev_of};
use crate::read::{ADVISORY_COLUMNS, AFFECTED_COLUMNS, RowReader};
use crate::session::{Row, values};
use crate::{Database, StoreError, encoding};

/// Names one advisory in this database; gets its meaning from nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AdvisoryKey(
    /// The row's number.
    pub i64,
);

/// A statement about a package, and whose it is.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredAffected {
    /// The advisory that it is part of.
    pub advisory: AdvisoryKey,
    /// The statement.
    pub affected: Affected,
}

/// An advisory without its packages.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredAdvisory {
    /// Its key.
    pub key: AdvisoryKey,
    /// The part that brought it.
    pub part: PartId,
    /// The advisory; `affected` is empty, and so are `summary`, `published` and `modified`, which
    /// matching does not need.
    pub advisory: Advisory,
}

/// What enrichment sources say of one CVE.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Exploit prediction.
    pub epss: Option<Epss>,
    /// Known exploitation.
    pub kev: Option<KnownExploited>,
    /// NVD's scores, in NVD's order.
    pub cvss: Vec<Cvss>,
    /// Whether NVD rejected the CVE.
    pub nvd_rejected: bool,
}

/// What one live advisory says of how bad a CVE is.
#[derive(Clone, Debug, PartialEq)]
pub struct VendorSeverity {
    /// The source's name, `ubuntu`.
    pub source: String,
    /// The advisory's id.
    pub advisory: String,
    /// Its severity, else the worst of its packages'.
    pub severity: Option<Severity>,
    /// Its scores.
    pub cvss: Vec<Cvss>,
}

impl Database {
    /// The releases that some loaded part speaks of, sorted.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub fn covered_releases(&self) -> Result<Vec<Release>, StoreError> {
        let sql = "SELECT DISTINCT \"release\" FROM scope JOIN coverage ON scope = id \
                   WHERE \"release\" <> '' AND (row_count > 0 OR is_declared <> 0) ORDER BY 1";
        self.session
            .all("reading the releases", sql, &[], |row| row.text(0).map(Release::from_text))
    }

    /// Whether some loaded part speaks of a release.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub fn covers(&self, release: &Release) -> Result<bool, StoreError> {
        self.has_coverage("\"release\" = ?1", release.as_str())
    }

    /// Whether some loaded part speaks of an ecosystem; for a distro ecosystem, of any release.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub fn covers_ecosystem(&self, ecosystem: Ecosystem) -> Result<bool, StoreError> {
        self.has_coverage("ecosystem = ?1", ecosystem.as_str())
    }

    /// Which loaded parts speak of a release (or, without one, of a language ecosystem), sorted.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub fn parts_covering(
        &self,
        ecosystem: Ecosystem,
        release: Option<&Release>,
    ) -> Result<Vec<PartId>, StoreError> {
        let sql = "SELECT source.name, part.name FROM scope JOIN coverage ON scope = scope.id \
                   JOIN part ON part.id = coverage.part JOIN source ON source.id = part.source \
                   WHERE ecosystem = ?1 AND \"release\" = ?2 \
                   AND (row_count > 0 OR is_declared <> 0) ORDER BY 1, 2";
        let release = release.map_or("", Release::as_str);
        let values = values![ecosystem.as_str(), release];
        self.session.all("reading the coverage", sql, values, |row| {
            Ok(PartId::new(row.text(0)?, row.text(1)?))
        })
    }

    /// All live statements about packages of these names, in one ecosystem or release. `release` is
    /// that of the distribution, `None` for language packages. Sorted by name, then by advisory;
    /// a name given twice is answered once.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Damaged`].
    pub fn affected(
        &self,
        ecosystem: Ecosystem,
        release: Option<&Release>,
        names: &[&str],
    ) -> Result<Vec<StoredAffected>, StoreError> {
        let Some(scope) = self.scope(ecosystem, release)? else { return Ok(Vec::new()) };
        let mut names = names.to_vec();
        names.sort_unstable();
        names.dedup();
        let sql = format!(
            "SELECT package, advisory, {AFFECTED_COLUMNS} FROM affected \
             WHERE scope = ?1 AND package IN LIST(?2) ORDER BY package, advisory, ordinal"
        );
        let reader = self.rows();
        self.session.all("looking up packages", &sql, values![scope, &*names], |row| {
            let affected = reader.affected(row, 2, ecosystem, release, row.text(0)?)?;
            Ok(StoredAffected { advisory: AdvisoryKey(row.integer(1)?), affected })
        })
    }

    /// The advisories behind these keys, in the order of the keys; a key given twice is answered
    /// twice, one that is gone not at all.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Damaged`].
    pub fn advisories(&self, keys: &[AdvisoryKey]) -> Result<Vec<StoredAdvisory>, StoreError> {
        let parts = self.part_names()?;
        let mut ids: Vec<i64> = keys.iter().map(|key| key.0).collect();
        ids.sort_unstable();
        ids.dedup();
        let sql = format!("SELECT id, part, {ADVISORY_COLUMNS} FROM advisory WHERE id IN LIST(?1)");
        let reader = self.rows();
        let mut found = HashMap::with_capacity(ids.len());
        self.session.query("reading advisories", &sql, values![&*ids], &mut |row| {
            let part = parts.get(&row.integer(1)?);
            let part = part.ok_or_else(|| StoreError::damaged("part of advisory"))?.clone();
            let key = AdvisoryKey(row.integer(0)?);
            found.insert(key, StoredAdvisory { key, part, advisory: reader.advisory(row, 2)? });
            Ok(())
        })?;
        let answer = keys.iter().filter_map(|key| found.get(key).cloned()).collect();
        Ok(answer)
    }

    /// What is known of these CVEs beside advisories; ids of which nothing is known are left out.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Damaged`].
    pub fn facts(&self, cves: &[&str]) -> Result<HashMap<String, Facts>, StoreError> {
        let doing = "looking up CVEs";
        let (names, codes) = numbered(cves);
        let mut found: HashMap<String, Facts> = HashMap::new();
        let mut each = |sql: &str, take: &mut TakeFact<'_>| -> Result<(), StoreError> {
            self.session.query(doing, sql, values![&*codes], &mut |row| {
                let Some(name) = names.get(&row.integer(0)?) else { return Ok(()) };
                take(row, name, found.entry((*name).to_owned()).or_default())
            })
        };
        each(
            "SELECT cve, score, percentile, date FROM epss WHERE cve IN LIST(?1)",
            &mut |row, name, facts| {
                facts.epss = Some(epss_of(row, 1, name.to_owned())?);
                Ok(())
            },
        )?;
        each(
            "SELECT cve, added, due, is_ransomware FROM kev WHERE cve IN LIST(?1)",
            &mut |row, name, facts| {
                facts.kev = Some(kev_of(row, 1, name.to_owned())?);
                Ok(())
            },
        )?;
        let reader = self.rows();
        each(
            "SELECT cve, is_rejected, cvss FROM nvd WHERE cve IN LIST(?1)",
            &mut |row, _, facts| {
                facts.nvd_rejected = row.flag(1)?;
                facts.cvss = reader.cvss(row, 2)?;
                Ok(())
            },
        )?;
        Ok(found)
    }

    /// What every live advisory says of how bad these CVEs are, sorted by source, then by advisory;
    /// one that says nothing is left out.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Damaged`].
    pub fn severities_of(
        &self,
        cves: &[&str],
    ) -> Result<HashMap<String, Vec<VendorSeverity>>, StoreError> {
        let sql = "SELECT cve, source.name, advisory.name, coalesce(severity, severity_worst), \
                   cvss FROM vulnerability JOIN advisory ON advisory.id = vulnerability.advisory \
                   JOIN part ON part.id = advisory.part JOIN source ON source.id = part.source \
                   WHERE cve IN LIST(?1) \
                   AND (coalesce(severity, severity_worst) IS NOT NULL OR cvss IS NOT NULL)";
        let (names, codes) = numbered(cves);
        let reader = self.rows();
        let mut found: HashMap<String, Vec<VendorSeverity>> = HashMap::new();
        self.session.query("looking up severities", sql, values![&*codes], &mut |row| {
            let Some(name) = names.get(&row.integer(0)?) else { return Ok(()) };
            found.entry((*name).to_owned()).or_default().push(VendorSeverity {
                source: row.string(1)?,
                advisory: row.string(2)?,
                severity: row.optional_integer(3)?.map(encoding::severity).transpose()?,
                cvss: reader.cvss(row, 4)?,
            });
            Ok(())
        })?;
        for severities in found.values_mut() {
            severities.sort_by(|left, right| {
                (&left.source, &left.advisory).cmp(&(&right.source, &right.advisory))
            });
        }
        Ok(found)
    }

    /// Reads rows with the texts that this connection has at hand.
    pub(crate) fn rows(&self) -> RowReader<'_> {
        RowReader { session: &*self.session, terms: &self.terms }
    }

    /// The number of a scope, `None` when nothing was ever said of it.
    pub(crate) fn scope(
        &self,
        ecosystem: Ecosystem,
        release: Option<&Release>,
    ) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT id FROM scope WHERE ecosystem = ?1 AND \"release\" = ?2";
        let release = release.map_or("", Release::as_str);
        let values = values![ecosystem.as_str(), release];
        self.session.first("looking up a release", sql, values, |row| row.integer(0))
    }

    pub(crate) fn part_names(&self) -> Result<HashMap<i64, PartId>, StoreError> {
        let sql = "SELECT part.id, source.name, part.name FROM part \
                   JOIN source ON source.id = part.source";
        let names = self.session.all("reading the parts", sql, &[], |row| {
            Ok((row.integer(0)?, PartId::new(row.text(1)?, row.text(2)?)))
        })?;
        Ok(names.into_iter().collect())
    }

    fn has_coverage(&self, condition: &str, value: &str) -> Result<bool, StoreError> {
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM scope JOIN coverage ON scope = id \
             WHERE {condition} AND (row_count > 0 OR is_declared <> 0))"
        );
        self.session.one("reading the coverage", &sql, values![value], |row| row.flag(0))
    }
}

/// Takes one row about a CVE into what is known of it.
type TakeFact<'a> = dyn FnMut(&Row<'_>, &str, &mut Facts) -> Result<(), StoreError> + 'a;

/// The ids that have a number, by number, and all the numbers in order: asked together they cost
/// half of what they cost one by one.
fn numbered<'a>(ids: &[&'a str]) -> (BTreeMap<i64, &'a str>, Vec<i64>) {
    let names: BTreeMap<i64, &str> =
        ids.iter().filter_map(|id| Some((encoding::cve_code(id)?, *id))).collect();
    let codes = names.keys().copied().collect();
    (names, codes)
}
