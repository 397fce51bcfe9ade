//! The matcher's questions.
//!
//! They are asked in bulk: an image's names at once, then only the advisories that matched, then
//! only the CVEs that are shown. Each answer is a few point look-ups with statements prepared once;
//! see ADR 0002 for the measurements behind that.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Row, params};

use pratique_model::{
    Advisory, Affected, Cvss, Ecosystem, Epss, KnownExploited, PartId, Release, Severity,
};

use crate::error::Doing as _;
use crate::read::{ADVISORY_COLUMNS, AFFECTED_COLUMNS, RowReader};
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
        self.connection()
            .prepare_cached(
                "SELECT DISTINCT \"release\" FROM scope JOIN coverage ON scope = id \
                 WHERE \"release\" <> '' AND (row_count > 0 OR is_declared) ORDER BY 1",
            )
            .and_then(|mut statement| {
                let release = |row: &Row<'_>| Ok(Release::from_text(row.get_ref(0)?.as_str()?));
                statement.query_map([], release)?.collect()
            })
            .doing("reading the releases")
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
        self.connection()
            .prepare_cached(
                "SELECT source.name, part.name FROM scope JOIN coverage ON scope = scope.id \
                 JOIN part ON part.id = coverage.part JOIN source ON source.id = part.source \
                 WHERE ecosystem = ?1 AND \"release\" = ?2 AND (row_count > 0 OR is_declared) \
                 ORDER BY 1, 2",
            )
            .and_then(|mut statement| {
                let part = |row: &Row<'_>| {
                    Ok(PartId::new(row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?))
                };
                let release = release.map_or("", Release::as_str);
                statement.query_map([ecosystem.as_str(), release], part)?.collect()
            })
            .doing("reading the coverage")
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
        let doing = "looking up packages";
        let mut statement = self
            .connection()
            .prepare_cached(&format!(
                "SELECT advisory, {AFFECTED_COLUMNS} FROM affected \
                 WHERE scope = ?1 AND package = ?2"
            ))
            .doing(doing)?;
        let reader = self.rows();
        let mut found = Vec::new();
        for name in names {
            let mut rows = statement.query(params![scope, name]).doing(doing)?;
            while let Some(row) = rows.next().doing(doing)? {
                let advisory = AdvisoryKey(row.get(0).doing(doing)?);
                let affected = reader.affected(row, 1, ecosystem, release, name)?;
                found.push(StoredAffected { advisory, affected });
            }
        }
        Ok(found)
    }

    /// The advisories behind these keys, in the order of the keys; a key given twice is answered
    /// twice, one that is gone not at all.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Damaged`].
    pub fn advisories(&self, keys: &[AdvisoryKey]) -> Result<Vec<StoredAdvisory>, StoreError> {
        let doing = "reading advisories";
        let parts = self.part_names()?;
        let mut statement = self
            .connection()
            .prepare_cached(&format!("SELECT part, {ADVISORY_COLUMNS} FROM advisory WHERE id = ?1"))
            .doing(doing)?;
        let reader = self.rows();
        let mut found = Vec::with_capacity(keys.len());
        for key in keys {
            let mut rows = statement.query([key.0]).doing(doing)?;
            let Some(row) = rows.next().doing(doing)? else { continue };
            let part: i64 = row.get(0).doing(doing)?;
            let part = parts.get(&part).ok_or_else(|| StoreError::damaged("part of advisory"))?;
            found.push(StoredAdvisory {
                key: *key,
                part: part.clone(),
                advisory: reader.advisory(row, 1)?,
            });
        }
        Ok(found)
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
            let mut statement = self.connection().prepare_cached(sql).doing(doing)?;
            let mut rows = statement.query([&codes]).doing(doing)?;
            while let Some(row) = rows.next().doing(doing)? {
                let code: i64 = row.get(0).doing(doing)?;
                let Some(name) = names.get(&code) else { continue };
                take(row, name, found.entry((*name).to_owned()).or_default())?;
            }
            Ok(())
        };
        each(
            "SELECT cve, score, percentile, date FROM json_each(?1) JOIN epss ON cve = value",
            &mut |row, name, facts| epss_of(row, name).map(|epss| facts.epss = Some(epss)),
        )?;
        each(
            "SELECT cve, added, due, is_ransomware FROM json_each(?1) JOIN kev ON cve = value",
            &mut |row, name, facts| kev_of(row, name).map(|kev| facts.kev = Some(kev)),
        )?;
        let reader = self.rows();
        each(
            "SELECT cve, is_rejected, cvss FROM json_each(?1) JOIN nvd ON cve = value",
            &mut |row, _, facts| {
                facts.nvd_rejected = row.get(1).doing(doing)?;
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
        let doing = "looking up severities";
        let mut statement = self
            .connection()
            .prepare_cached(
                "SELECT cve, source.name, advisory.name, coalesce(severity, severity_worst), cvss \
                 FROM json_each(?1) JOIN vulnerability ON cve = value \
                 JOIN advisory ON advisory.id = vulnerability.advisory \
                 JOIN part ON part.id = advisory.part JOIN source ON source.id = part.source \
                 WHERE coalesce(severity, severity_worst, cvss) IS NOT NULL",
            )
            .doing(doing)?;
        let (names, codes) = numbered(cves);
        let reader = self.rows();
        let mut found: HashMap<String, Vec<VendorSeverity>> = HashMap::new();
        let mut rows = statement.query([&codes]).doing(doing)?;
        while let Some(row) = rows.next().doing(doing)? {
            let Some(name) = names.get(&row.get(0).doing(doing)?) else { continue };
            let severity: Option<i64> = row.get(3).doing(doing)?;
            found.entry((*name).to_owned()).or_default().push(VendorSeverity {
                source: row.get(1).doing(doing)?,
                advisory: row.get(2).doing(doing)?,
                severity: severity.map(encoding::severity).transpose()?,
                cvss: reader.cvss(row, 4)?,
            });
        }
        for severities in found.values_mut() {
            severities.sort_by(|left, right| {
                (&left.source, &left.advisory).cmp(&(&right.source, &right.advisory))
            });
        }
        Ok(found)
    }

    /// Reads rows with the texts that this connection has at hand.
    pub(crate) fn rows(&self) -> RowReader<'_> {
        RowReader { connection: self.connection(), terms: &self.terms }
    }

    /// The number of a scope, `None` when nothing was ever said of it.
    pub(crate) fn scope(
        &self,
        ecosystem: Ecosystem,
        release: Option<&Release>,
    ) -> Result<Option<i64>, StoreError> {
        use rusqlite::OptionalExtension as _;
        self.connection()
            .prepare_cached("SELECT id FROM scope WHERE ecosystem = ?1 AND \"release\" = ?2")
            .and_then(|mut statement| {
                let release = release.map_or("", Release::as_str);
                statement.query_row([ecosystem.as_str(), release], |row| row.get(0)).optional()
            })
            .doing("looking up a release")
    }

    pub(crate) fn part_names(&self) -> Result<HashMap<i64, PartId>, StoreError> {
        self.connection()
            .prepare_cached(
                "SELECT part.id, source.name, part.name FROM part \
                 JOIN source ON source.id = part.source",
            )
            .and_then(|mut statement| {
                let part = |row: &Row<'_>| {
                    let id = PartId::new(row.get_ref(1)?.as_str()?, row.get_ref(2)?.as_str()?);
                    Ok((row.get(0)?, id))
                };
                statement.query_map([], part)?.collect()
            })
            .doing("reading the parts")
    }

    fn has_coverage(&self, condition: &str, value: &str) -> Result<bool, StoreError> {
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM scope JOIN coverage ON scope = id \
             WHERE {condition} AND (row_count > 0 OR is_declared))"
        );
        self.connection()
            .prepare_cached(&sql)
            .and_then(|mut statement| statement.query_row([value], |row| row.get(0)))
            .doing("reading the coverage")
    }
}

/// Takes one row about a CVE into what is known of it.
type TakeFact<'a> = dyn FnMut(&Row<'_>, &str, &mut Facts) -> Result<(), StoreError> + 'a;

/// The ids that have a number, by number, and all the numbers in order as one JSON list: asked
/// together they cost half of what they cost one by one.
fn numbered<'a>(ids: &[&'a str]) -> (BTreeMap<i64, &'a str>, String) {
    let names: BTreeMap<i64, &str> =
        ids.iter().filter_map(|id| Some((encoding::cve_code(id)?, *id))).collect();
    let codes: Vec<String> = names.keys().map(i64::to_string).collect();
    let list = format!("[{}]", codes.join(","));
    (names, list)
}

fn epss_of(row: &Row<'_>, id: &str) -> Result<Epss, StoreError> {
    let doing = "looking up EPSS";
    Ok(Epss {
        vulnerability: id.to_owned(),
        score: row.get(1).doing(doing)?,
        percentile: row.get(2).doing(doing)?,
        date: encoding::date(row.get(3).doing(doing)?)?,
    })
}

fn kev_of(row: &Row<'_>, id: &str) -> Result<KnownExploited, StoreError> {
    let doing = "looking up KEV";
    let due: Option<i64> = row.get(2).doing(doing)?;
    Ok(KnownExploited {
        vulnerability: id.to_owned(),
        added: encoding::date(row.get(1).doing(doing)?)?,
        due: due.map(encoding::date).transpose()?,
        ransomware: row.get(3).doing(doing)?,
    })
}
