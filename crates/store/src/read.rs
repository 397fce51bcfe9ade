//! Turns rows of advisories and statements back into values.

use std::cell::RefCell;

use rusqlite::{Connection, Row, params};

use pratique_model::{Advisory, Affected, Cvss, Ecosystem, Release};

use crate::error::Doing as _;
use crate::term::TermReader;
use crate::write::{GONE, packages_of};
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

/// Reads rows of one connection.
pub(crate) struct RowReader<'a> {
    pub(crate) connection: &'a Connection,
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
        let doing = "reading a statement about a package";
        let code = |offset: usize| row.get::<_, i64>(first + offset).doing(doing);
        let optional = |offset: usize| row.get::<_, Option<i64>>(first + offset).doing(doing);
        let term = |offset: usize| -> Result<Option<String>, StoreError> {
            let Some(id) = optional(offset)? else { return Ok(None) };
            let text = self.terms.borrow_mut().text(self.connection, id)?;
            Ok(Some(text.to_string()))
        };
        let ranges = row.get_ref(first + 7).doing(doing)?.as_str_or_null();
        let ranges = ranges.map_err(|_| StoreError::damaged("ranges"))?;
        let versions = row.get_ref(first + 8).doing(doing)?.as_blob_or_null();
        let versions = versions.map_err(|_| StoreError::damaged("versions"))?;
        Ok(Affected {
            ecosystem,
            release: release.cloned(),
            package: package.to_owned(),
            name_kind: encoding::name_kind(code(0)?)?,
            status: encoding::status(code(1)?)?,
            severity: optional(2)?.map(encoding::severity).transpose()?,
            remark: term(3)?,
            module: term(4)?,
            arches: encoding::items(term(5)?.as_deref())?,
            platforms: encoding::items(term(6)?.as_deref())?,
            ranges: encoding::ranges(ranges)?,
            versions: encoding::versions(versions)?,
        })
    }

    /// The advisory in a row whose columns from `first` on are [`ADVISORY_COLUMNS`].
    pub(crate) fn advisory(&self, row: &Row<'_>, first: usize) -> Result<Advisory, StoreError> {
        let doing = "reading an advisory";
        let number = |offset: usize| row.get::<_, Option<i64>>(first + offset).doing(doing);
        let text = |offset: usize| row.get::<_, Option<String>>(first + offset).doing(doing);
        let term = |offset: usize| {
            let id = number(offset)?;
            id.map(|id| self.terms.borrow_mut().text(self.connection, id)).transpose()
        };
        let id: String = row.get(first).doing(doing)?;
        let vulnerabilities = text(3)?;
        let vulnerabilities = if vulnerabilities.as_deref() == Some(SAME_AS_NAME) {
            vec![id.clone()]
        } else {
            encoding::items(vulnerabilities.as_deref())?
        };
        let url = match term(7)? {
            Some(template) => Some(template.replacen(NAME_PLACE, &id, 1)),
            None => text(8)?,
        };
        Ok(Advisory {
            vulnerabilities,
            aliases: encoding::items(text(4)?.as_deref())?,
            url,
            withdrawn: number(1)?.map(encoding::timestamp).transpose()?,
            severity: number(2)?.map(encoding::severity).transpose()?,
            cvss: self.cvss(row, first + 5)?,
            informational: term(6)?.map(|text| text.to_string()),
            id,
            ..Advisory::default()
        })
    }

    /// The scores in a column `cvss`.
    pub(crate) fn cvss(&self, row: &Row<'_>, index: usize) -> Result<Vec<Cvss>, StoreError> {
        let column = row.get_ref(index).doing("reading scores")?.as_str_or_null();
        let column = column.map_err(|_| StoreError::damaged("scores"))?;
        self.terms.borrow_mut().cvss(self.connection, column)
    }

    /// An advisory with its packages and texts, and whether the feed no longer has it.
    pub(crate) fn whole(&self, id: i64) -> Result<(Advisory, bool), StoreError> {
        let doing = "reading an advisory";
        let sql = format!("SELECT state, packages, {ADVISORY_COLUMNS} FROM advisory WHERE id = ?1");
        let mut statement = self.connection.prepare_cached(&sql).doing(doing)?;
        let mut rows = statement.query([id]).doing(doing)?;
        let row = rows.next().doing(doing)?;
        let row = row.ok_or_else(|| StoreError::damaged(format!("advisory {id} is missing")))?;
        let is_gone = row.get::<_, i64>(0).doing(doing)? == GONE;
        let packages: Option<String> = row.get(1).doing(doing)?;
        let mut advisory = self.advisory(row, 2)?;
        self.add_text(id, &mut advisory)?;
        for (package, scopes) in packages_of(packages.as_deref())? {
            for scope in scopes {
                self.add_affected(id, scope, &package, &mut advisory)?;
            }
        }
        Ok((advisory, is_gone))
    }

    fn add_text(&self, id: i64, advisory: &mut Advisory) -> Result<(), StoreError> {
        let doing = "reading an advisory's text";
        let mut statement = self
            .connection
            .prepare_cached(
                "SELECT summary, published_at, modified_at FROM advisory_text WHERE advisory = ?1",
            )
            .doing(doing)?;
        let mut rows = statement.query([id]).doing(doing)?;
        let Some(row) = rows.next().doing(doing)? else { return Ok(()) };
        let time = |index| row.get::<_, Option<i64>>(index).doing(doing);
        advisory.summary = row.get(0).doing(doing)?;
        advisory.published = time(1)?.map(encoding::timestamp).transpose()?;
        advisory.modified = time(2)?.map(encoding::timestamp).transpose()?;
        Ok(())
    }

    fn add_affected(
        &self,
        id: i64,
        scope: i64,
        package: &str,
        advisory: &mut Advisory,
    ) -> Result<(), StoreError> {
        let doing = "reading a statement about a package";
        let (ecosystem, release) = self.scope(scope)?;
        let sql = format!(
            "SELECT {AFFECTED_COLUMNS} FROM affected \
             WHERE scope = ?1 AND package = ?2 AND advisory = ?3"
        );
        let mut statement = self.connection.prepare_cached(&sql).doing(doing)?;
        let mut rows = statement.query(params![scope, package, id]).doing(doing)?;
        while let Some(row) = rows.next().doing(doing)? {
            let affected = self.affected(row, 0, ecosystem, release.as_ref(), package)?;
            advisory.affected.push(affected);
        }
        Ok(())
    }

    /// What a scope's number stands for.
    pub(crate) fn scope(&self, id: i64) -> Result<(Ecosystem, Option<Release>), StoreError> {
        let (ecosystem, release): (String, String) = self
            .connection
            .prepare_cached("SELECT ecosystem, \"release\" FROM scope WHERE id = ?1")
            .and_then(|mut statement| {
                statement.query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
            })
            .doing("reading a release")?;
        let ecosystem = ecosystem.parse().map_err(|error: pratique_model::UnknownEcosystem| {
            StoreError::damaged(error.to_string())
        })?;
        Ok((ecosystem, (!release.is_empty()).then(|| Release::from_text(&release))))
    }
}
