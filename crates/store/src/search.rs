//! Answers a person who types an id or a package's name.

use rusqlite::params;

use pratique_model::{Ecosystem, PartId, Range, Release, Severity, Status};

use crate::error::Doing as _;
use crate::read::{ADVISORY_COLUMNS, AFFECTED_COLUMNS};
use crate::write::{GONE, packages_of};
use crate::{Database, StoreError, encoding};

/// One publisher's statement about one package, as `pratique db search` shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// The publisher's id.
    pub id: String,
    /// The CVEs that it is about.
    pub vulnerabilities: Vec<String>,
    /// Its other ids.
    pub aliases: Vec<String>,
    /// The part of the feed.
    pub part: PartId,
    /// Whether the publisher took it back; such an advisory names no package.
    pub is_withdrawn: bool,
    /// The package; `None` for an advisory that names none.
    pub package: Option<StatedPackage>,
    /// The severity for that package, else the advisory's.
    pub severity: Option<Severity>,
    /// Where a person reads it.
    pub url: Option<String>,
}

/// What a statement says of a package.
#[derive(Clone, Debug, PartialEq)]
pub struct StatedPackage {
    /// Its ecosystem.
    pub ecosystem: Ecosystem,
    /// The distro release; `None` for language packages.
    pub release: Option<Release>,
    /// Its name.
    pub name: String,
    /// The versions concerned; empty together with `listed_count` 0: all.
    pub ranges: Vec<Range>,
    /// How many versions are listed by name besides.
    pub listed_count: usize,
    /// The publisher's word.
    pub status: Status,
    /// The publisher's own word beside it.
    pub remark: Option<String>,
}

impl Statement {
    /// The versions that mend it, in the order of the ranges.
    pub fn fixed(&self) -> impl Iterator<Item = &str> {
        let ranges = self.package.iter().flat_map(|package| &package.ranges);
        ranges.filter_map(|range| range.fixed.as_deref())
    }
}

impl Database {
    /// Every statement of an advisory, about a CVE, or about a package of that name, at most
    /// `limit`, sorted by id, part and package. Ids are CVE ids (in any case), publishers' ids and
    /// aliases as they are written.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Damaged`].
    pub fn search(&self, text: &str, limit: usize) -> Result<Vec<Statement>, StoreError> {
        let text = text.trim();
        let upper = text.to_ascii_uppercase();
        let id = if pratique_model::is_cve(&upper) { &upper } else { text };
        let mut advisories = self.advisories_named(id)?;
        advisories.sort_unstable();
        advisories.dedup();
        let mut found = Vec::new();
        for advisory in advisories {
            self.add_statements(advisory, None, &mut found)?;
            if found.len() >= limit {
                break;
            }
        }
        for (advisory, scope) in self.advisories_about(text, limit.saturating_sub(found.len()))? {
            self.add_statements(advisory, Some((scope, text)), &mut found)?;
        }
        let key = |statement: &Statement| {
            let package = statement.package.as_ref();
            let place = package.map(|package| (package.release.clone(), package.name.clone()));
            (statement.id.clone(), statement.part.clone(), place)
        };
        found.sort_by_cached_key(key);
        found.truncate(limit);
        Ok(found)
    }

    /// The advisories that have this id, are about this CVE, or have this alias.
    fn advisories_named(&self, id: &str) -> Result<Vec<i64>, StoreError> {
        let doing = "searching by id";
        let mut found = Vec::new();
        let mut collect = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
            let mut statement = self.connection().prepare_cached(sql).doing(doing)?;
            let mut rows = statement.query(values).doing(doing)?;
            while let Some(row) = rows.next().doing(doing)? {
                found.push(row.get(0).doing(doing)?);
            }
            Ok::<(), StoreError>(())
        };
        collect(
            "SELECT advisory.id FROM part JOIN advisory ON part = part.id \
             WHERE advisory.name = ?1 AND state <> ?2",
            params![id, GONE],
        )?;
        if let Some(cve) = encoding::cve_code(id) {
            collect("SELECT advisory FROM vulnerability WHERE cve = ?1", params![cve])?;
        } else if looks_like_id(id) {
            // No index: aliases are asked for by people only, and all of them are read in less
            // than a tenth of a second.
            let item = encoding::list(&[id]);
            collect(
                "SELECT id FROM advisory WHERE aliases IS NOT NULL AND state <> ?2 \
                 AND instr(' ' || aliases || ' ', ' ' || ?1 || ' ') > 0",
                params![item, GONE],
            )?;
        }
        Ok(found)
    }

    /// The advisories with the scopes in which they speak of a package.
    fn advisories_about(&self, package: &str, limit: usize) -> Result<Vec<(i64, i64)>, StoreError> {
        self.connection()
            .prepare_cached(
                "SELECT DISTINCT advisory, scope.id FROM scope JOIN affected ON scope = scope.id \
                 WHERE package = ?1 LIMIT ?2",
            )
            .and_then(|mut statement| {
                let limit = i64::try_from(limit).unwrap_or(i64::MAX);
                let pair = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
                statement.query_map(params![package, limit], pair)?.collect()
            })
            .doing("searching by package")
    }

    /// Adds what an advisory says, of all its packages or of one.
    fn add_statements(
        &self,
        id: i64,
        only: Option<(i64, &str)>,
        found: &mut Vec<Statement>,
    ) -> Result<(), StoreError> {
        let doing = "reading an advisory";
        let reader = self.rows();
        let sql = format!("SELECT part, packages, {ADVISORY_COLUMNS} FROM advisory WHERE id = ?1");
        let mut statement = self.connection().prepare_cached(&sql).doing(doing)?;
        let mut rows = statement.query([id]).doing(doing)?;
        let Some(row) = rows.next().doing(doing)? else { return Ok(()) };
        let parts = self.part_names()?;
        let part = parts.get(&row.get(0).doing(doing)?);
        let packages: Option<String> = row.get(1).doing(doing)?;
        let advisory = reader.advisory(row, 2)?;
        let base = Statement {
            part: part.ok_or_else(|| StoreError::damaged("part of an advisory"))?.clone(),
            is_withdrawn: advisory.withdrawn.is_some(),
            severity: advisory.severity,
            package: None,
            id: advisory.id,
            vulnerabilities: advisory.vulnerabilities,
            aliases: advisory.aliases,
            url: advisory.url,
        };
        let packages = match only {
            Some((scope, package)) => vec![(package.to_owned(), vec![scope])],
            None => packages_of(packages.as_deref())?.into_iter().collect(),
        };
        if packages.is_empty() {
            found.push(base);
            return Ok(());
        }
        for (package, scopes) in packages {
            for scope in scopes {
                self.add_packages(id, scope, &package, &base, found)?;
            }
        }
        Ok(())
    }

    fn add_packages(
        &self,
        id: i64,
        scope: i64,
        package: &str,
        base: &Statement,
        found: &mut Vec<Statement>,
    ) -> Result<(), StoreError> {
        let doing = "reading a statement about a package";
        let reader = self.rows();
        let (ecosystem, release) = reader.scope(scope)?;
        let sql = format!(
            "SELECT {AFFECTED_COLUMNS} FROM affected \
             WHERE scope = ?1 AND package = ?2 AND advisory = ?3"
        );
        let mut statement = self.connection().prepare_cached(&sql).doing(doing)?;
        let mut rows = statement.query(params![scope, package, id]).doing(doing)?;
        while let Some(row) = rows.next().doing(doing)? {
            let affected = reader.affected(row, 0, ecosystem, release.as_ref(), package)?;
            found.push(Statement {
                severity: affected.severity.or(base.severity),
                package: Some(StatedPackage {
                    ecosystem,
                    release: affected.release,
                    name: affected.package,
                    ranges: affected.ranges,
                    listed_count: affected.versions.len(),
                    status: affected.status,
                    remark: affected.remark,
                }),
                ..base.clone()
            });
        }
        Ok(())
    }
}

/// Whether a text has the form that publishers give their ids, `GHSA-…`, `XSA-12`: capitals before
/// the first hyphen.
fn looks_like_id(text: &str) -> bool {
    text.split_once('-').is_some_and(|(publisher, number)| {
        !number.is_empty()
            && publisher.len() > 1
            && publisher.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    })
}
