//! Turns rows of advisories and statements back into values.

use std::cell::RefCell;
use std::collections::HashMap;

use pratique_model::{Advisory, Affected, Cvss, Ecosystem, Release};

use crate::changed::PackageName;
use crate::session::{Row, Session, Value};
use crate::term::TermReader;
use crate::write::{GONE, Packages, packages_of};
use crate::{StoreError, encoding};

/// Stands in column `vulnerabilities` for an advisory that is named like its only vulnerability.
pub(crate) const SAME_AS_NAME: &str = "=";

/// Stands in a shared address for the advisory's name; no address has it.
pub(crate) const NAME_PLACE: char = '\u{1}';

/// The columns of `advisory` that [`RowReader::advisory`] reads.
pub(crate) const ADVISORY_COLUMNS: &str = "name, withdrawn_at, severity, vulnerabilities, \
                                           aliases, cvss, informational, url_term, url";

/// The columns of `affected` that [`RowReader::affected`] reads.
pub(crate) const AFFECTED_COLUMNS: &str = "name_kind, status, severity, remark, module, arches, \
                                           platforms, ranges, versions";

/// An advisory as it is stored.
pub(crate) struct Whole {
    /// With packages and texts.
    pub(crate) advisory: Advisory,
    /// Whether the feed no longer has it.
    pub(crate) is_gone: bool,
    /// What it was about when it went; empty for one that is not gone.
    pub(crate) gone_packages: Vec<PackageName>,
}

/// Reads rows of one connection.
pub(crate) struct RowReader<'a> {
    pub(crate) session: &'a dyn Session,
    pub(crate) terms: &'a RefCell<TermReader>,
}

impl RowReader<'_> {
    /// The statement in a row whose columns from `first` on are [`AFFECTED_COLUMNS`].
    pub(crate) fn affected(
        &self,
        row: &Row<'_>,
        first: usize,
        ecosystem: Ecosystem,
        release: Option<&Release>,
        package: &str,
    ) -> Result<Affected, StoreError> {
        let term = |offset: usize| -> Result<Option<String>, StoreError> {
            let Some(id) = row.optional_integer(first + offset)? else { return Ok(None) };
            let text = self.terms.borrow_mut().text(self.session, id)?;
            Ok(Some(text.to_string()))
        };
        Ok(Affected {
            ecosystem,
            release: release.cloned(),
            package: package.to_owned(),
            name_kind: encoding::name_kind(row.integer(first)?)?,
            status: encoding::status(row.integer(first + 1)?)?,
            severity: row.optional_integer(first + 2)?.map(encoding::severity).transpose()?,
            remark: term(3)?,
            module: term(4)?,
            arches: encoding::items(term(5)?.as_deref())?,
            platforms: encoding::items(term(6)?.as_deref())?,
            ranges: encoding::ranges(row.optional_text(first + 7)?)?,
            versions: encoding::versions(row.optional_blob(first + 8)?)?,
        })
    }

    /// The advisory in a row whose columns from `first` on are [`ADVISORY_COLUMNS`].
    pub(crate) fn advisory(&self, row: &Row<'_>, first: usize) -> Result<Advisory, StoreError> {
        let term = |offset: usize| {
            let id = row.optional_integer(first + offset)?;
            id.map(|id| self.terms.borrow_mut().text(self.session, id)).transpose()
        };
        let id = row.string(first)?;
        let vulnerabilities = match row.optional_text(first + 3)? {
            Some(SAME_AS_NAME) => vec![id.clone()],
            list => encoding::items(list)?,
        };
        let url = match term(7)? {
            Some(template) => Some(template.replacen(NAME_PLACE, &id, 1)),
            None => row.optional_string(first + 8)?,
        };
        Ok(Advisory {
            vulnerabilities,
            aliases: encoding::items(row.optional_text(first + 4)?)?,
            url,
            withdrawn: row.optional_time(first + 1)?,
            severity: row.optional_integer(first + 2)?.map(encoding::severity).transpose()?,
            cvss: self.cvss(row, first + 5)?,
            informational: term(6)?.map(|text| text.to_string()),
            id,
            ..Advisory::default()
        })
    }

    /// The scores in a column `cvss`.
    pub(crate) fn cvss(&self, row: &Row<'_>, column: usize) -> Result<Vec<Cvss>, StoreError> {
        self.terms.borrow_mut().cvss(self.session, row.optional_text(column)?)
    }

    /// Advisories with their packages and texts, by number. All are held in memory.
    pub(crate) fn whole(&self, ids: &[i64]) -> Result<HashMap<i64, Whole>, StoreError> {
        let doing = "reading an advisory";
        let sql = format!(
            "SELECT id, state, packages, {ADVISORY_COLUMNS} FROM advisory WHERE id IN LIST(?1)"
        );
        let mut found = HashMap::with_capacity(ids.len());
        let mut packages = Vec::with_capacity(ids.len());
        self.session.query(doing, &sql, &[Value::Integers(ids)], &mut |row| {
            let id = row.integer(0)?;
            let is_gone = row.integer(1)? == GONE;
            let own = packages_of(row.optional_text(2)?)?;
            let advisory = self.advisory(row, 3)?;
            let mut gone_packages = Vec::new();
            if is_gone {
                gone_packages = self.named(&own)?;
            } else {
                packages.push((id, own));
            }
            found.insert(id, Whole { advisory, is_gone, gone_packages });
            Ok(())
        })?;
        let sql = "SELECT advisory, summary, published_at, modified_at FROM advisory_text \
                   WHERE advisory IN LIST(?1)";
        self.session.query(doing, sql, &[Value::Integers(ids)], &mut |row| {
            let Some(Whole { advisory, .. }) = found.get_mut(&row.integer(0)?) else {
                return Ok(());
            };
            advisory.summary = row.optional_string(1)?;
            advisory.published = row.optional_time(2)?;
            advisory.modified = row.optional_time(3)?;
            Ok(())
        })?;
        self.add_affected(&packages, &mut found)?;
        Ok(found)
    }

    fn add_affected(
        &self,
        packages: &[(i64, Packages)],
        found: &mut HashMap<i64, Whole>,
    ) -> Result<(), StoreError> {
        let mut keys = Vec::new();
        let mut values = Vec::new();
        for (id, packages) in packages {
            for (package, scopes) in packages {
                for scope in scopes {
                    keys.push((*id, *scope, package));
                    values.extend([
                        Value::Integer(*scope),
                        Value::Text(package),
                        Value::Integer(*id),
                    ]);
                }
            }
        }
        let sql = format!(
            "SELECT {AFFECTED_COLUMNS} FROM affected \
             WHERE scope = ?1 AND package = ?2 AND advisory = ?3 ORDER BY ordinal"
        );
        let doing = "reading a statement about a package";
        self.session.many(doing, &sql, &values, 3, &mut |index, row| {
            let (id, scope, package) = keys[index];
            let (ecosystem, release) = self.scope(scope)?;
            let affected = self.affected(row, 0, ecosystem, release.as_ref(), package)?;
            if let Some(whole) = found.get_mut(&id) {
                whole.advisory.affected.push(affected);
            }
            Ok(())
        })
    }

    /// Packages with what the numbers of their scopes stand for.
    fn named(&self, packages: &Packages) -> Result<Vec<PackageName>, StoreError> {
        let mut named = Vec::new();
        for (package, scopes) in packages {
            for scope in scopes {
                let (ecosystem, release) = self.scope(*scope)?;
                named.push((ecosystem, release, package.clone()));
            }
        }
        Ok(named)
    }

    /// What a scope's number stands for.
    pub(crate) fn scope(&self, id: i64) -> Result<(Ecosystem, Option<Release>), StoreError> {
        self.terms.borrow_mut().scope(self.session, id)
    }
}
