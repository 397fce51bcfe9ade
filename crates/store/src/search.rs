//! Answers a person who types an id or a package's name.

use std::collections::HashMap;

use pratique_model::{Affected, Ecosystem, PartId, Range, Release, Severity, Status};

use crate::read::{ADVISORY_COLUMNS, AFFECTED_COLUMNS};
use crate::session::{Value, values};
use crate::write::{GONE, Packages, packages_of};
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
        let mut wanted: Vec<(i64, Option<i64>)> =
            advisories.into_iter().take(limit).map(|advisory| (advisory, None)).collect();
        let about = self.advisories_about(text, limit)?;
        wanted.extend(about.into_iter().map(|(advisory, scope)| (advisory, Some(scope))));
        let mut found = self.statements(&wanted, text)?;
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
        let sql =
            format!("SELECT id FROM advisory WHERE part = ?1 AND name = ?2 AND state <> {GONE}");
        let named = self.in_each("part", &sql, id)?;
        let mut found: Vec<i64> = named.into_iter().map(|(_, advisory)| advisory).collect();
        let mut collect = |sql: &str, values: &[Value<'_>]| {
            found.extend(self.session.all("searching by id", sql, values, |row| row.integer(0))?);
            Ok::<(), StoreError>(())
        };
        if let Some(cve) = encoding::cve_code(id) {
            collect("SELECT advisory FROM vulnerability WHERE cve = ?1", values![cve])?;
        } else if looks_like_id(id) {
            // No index: aliases are asked for by people only, and all of them are read in less
            // than a tenth of a second.
            let item = encoding::list(&[id]);
            collect(
                "SELECT id FROM advisory WHERE aliases IS NOT NULL AND state <> ?2 \
                 AND instr(' ' || aliases || ' ', ' ' || ?1 || ' ') > 0",
                values![item.as_deref(), GONE],
            )?;
        }
        Ok(found)
    }

    /// The advisories with the scopes in which they speak of a package.
    fn advisories_about(&self, package: &str, limit: usize) -> Result<Vec<(i64, i64)>, StoreError> {
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let sql = format!(
            "SELECT DISTINCT advisory FROM affected WHERE scope = ?1 AND package = ?2 LIMIT {most}"
        );
        let about = self.in_each("scope", &sql, package)?;
        Ok(about.into_iter().take(limit).map(|(scope, advisory)| (advisory, scope)).collect())
    }

    /// Asks for a name in every part, or in every scope; gives what is found with the number of
    /// that. The indexes of names begin there, and a join would read every row of the table.
    fn in_each(&self, table: &str, sql: &str, name: &str) -> Result<Vec<(i64, i64)>, StoreError> {
        let doing = "searching by name";
        let places = format!("SELECT id FROM {table} ORDER BY id");
        let places = self.session.all(doing, &places, &[], |row| row.integer(0))?;
        let values: Vec<Value<'_>> =
            places.iter().flat_map(|place| [Value::Integer(*place), Value::Text(name)]).collect();
        let mut found = Vec::new();
        self.session.many(doing, sql, &values, 2, &mut |index, row| {
            found.push((places[index], row.integer(0)?));
            Ok(())
        })?;
        Ok(found)
    }

    /// What advisories say of all their packages, or in one scope of one package.
    fn statements(
        &self,
        wanted: &[(i64, Option<i64>)],
        package: &str,
    ) -> Result<Vec<Statement>, StoreError> {
        let bases = self.bases(wanted)?;
        let mut found = Vec::new();
        let mut keys = Vec::new();
        for (id, scope) in wanted {
            let Some((base, packages)) = bases.get(id) else { continue };
            match scope {
                Some(scope) => keys.push((*id, *scope, package)),
                None if packages.is_empty() => found.push(base.clone()),
                None => {
                    for (package, scopes) in packages {
                        keys.extend(scopes.iter().map(|scope| (*id, *scope, package.as_str())));
                    }
                }
            }
        }
        let values: Vec<Value<'_>> = keys
            .iter()
            .flat_map(|(id, scope, package)| {
                [Value::Integer(*scope), Value::Text(package), Value::Integer(*id)]
            })
            .collect();
        let sql = format!(
            "SELECT {AFFECTED_COLUMNS} FROM affected \
             WHERE scope = ?1 AND package = ?2 AND advisory = ?3 ORDER BY ordinal"
        );
        let doing = "reading a statement about a package";
        let reader = self.rows();
        self.session.many(doing, &sql, &values, 3, &mut |index, row| {
            let (id, scope, package) = keys[index];
            let (ecosystem, release) = reader.scope(scope)?;
            let affected = reader.affected(row, 0, ecosystem, release.as_ref(), package)?;
            if let Some((base, _)) = bases.get(&id) {
                found.push(statement(base, affected));
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// What advisories say apart from their packages, and where these stand.
    fn bases(
        &self,
        wanted: &[(i64, Option<i64>)],
    ) -> Result<HashMap<i64, (Statement, Packages)>, StoreError> {
        let mut ids: Vec<i64> = wanted.iter().map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids.dedup();
        let parts = self.part_names()?;
        let reader = self.rows();
        let sql = format!(
            "SELECT id, part, packages, {ADVISORY_COLUMNS} FROM advisory WHERE id IN LIST(?1)"
        );
        let bases = self.session.all("reading an advisory", &sql, values![&*ids], |row| {
            let part = parts.get(&row.integer(1)?);
            let packages = packages_of(row.optional_text(2)?)?;
            let advisory = reader.advisory(row, 3)?;
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
            Ok((row.integer(0)?, (base, packages)))
        })?;
        Ok(bases.into_iter().collect())
    }
}

fn statement(base: &Statement, affected: Affected) -> Statement {
    Statement {
        severity: affected.severity.or(base.severity),
        package: Some(StatedPackage {
            ecosystem: affected.ecosystem,
            release: affected.release,
            name: affected.package,
            ranges: affected.ranges,
            listed_count: affected.versions.len(),
            status: affected.status,
            remark: affected.remark,
        }),
        ..base.clone()
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
