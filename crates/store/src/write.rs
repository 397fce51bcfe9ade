//! Writes advisories into their tables, within one transaction.
//!
//! Rows of the reverse index are gathered and written in sorted runs: in the order in which feeds
//! bring them every row would land on another page.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, Statement, params};

use pratique_model::{Advisory, Affected, Release, Severity};

use crate::change::Difference;
use crate::error::Doing as _;
use crate::read::{NAME_PLACE, SAME_AS_NAME};
use crate::record::Hashes;
use crate::term::TermWriter;
use crate::{StoreError, encoding};

/// How many rows of the reverse index make a run: about 20 MB of memory.
const RUN_ROWS: usize = 80_000;

/// How long a summary is kept, in characters; from the width of a screen in four lines.
const SUMMARY_CHARACTERS_MAX: usize = 300;

/// The states of column `advisory.state`.
pub(crate) const LIVE: i64 = 0;
pub(crate) const WITHDRAWN: i64 = 1;
pub(crate) const GONE: i64 = 2;

/// Writes the advisories of one part.
pub(crate) struct AdvisoryWriter<'a> {
    connection: &'a Connection,
    part: i64,
    next_id: i64,
    terms: TermWriter,
    affected: Vec<AffectedRow>,
    vulnerabilities: Vec<(i64, i64)>,
    /// How many rows of the reverse index each scope gained or lost.
    coverage: HashMap<i64, i64>,
    insert_advisory: Statement<'a>,
    insert_text: Statement<'a>,
}

struct AffectedRow {
    scope: i64,
    package: String,
    advisory: i64,
    ordinal: i64,
    name_kind: i64,
    status: i64,
    severity: Option<i64>,
    remark: Option<i64>,
    module: Option<i64>,
    arches: Option<i64>,
    platforms: Option<i64>,
    ranges: Option<String>,
    versions: Option<Vec<u8>>,
}

/// The scopes of each package that an advisory has rows for.
pub(crate) type Packages = BTreeMap<String, Vec<i64>>;

impl<'a> AdvisoryWriter<'a> {
    pub(crate) fn new(connection: &'a Connection, part: i64) -> Result<Self, StoreError> {
        let doing = "preparing to write advisories";
        let last: Option<i64> = connection
            .query_row("SELECT max(id) FROM advisory", [], |row| row.get(0))
            .doing(doing)?;
        let insert_advisory = connection
            .prepare(
                "INSERT OR REPLACE INTO advisory (id, part, name, state, match_hash, text_hash, \
                 withdrawn_at, severity, severity_worst, vulnerabilities, aliases, cvss, \
                 informational, url_term, url, packages) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
            )
            .doing(doing)?;
        let insert_text = connection
            .prepare(
                "INSERT INTO advisory_text (advisory, summary, published_at, modified_at) \
                 VALUES (?1, ?2, ?3, ?4)",
            )
            .doing(doing)?;
        Ok(Self {
            connection,
            part,
            next_id: last.unwrap_or(0) + 1,
            terms: TermWriter::default(),
            affected: Vec::new(),
            vulnerabilities: Vec::new(),
            coverage: HashMap::new(),
            insert_advisory,
            insert_text,
        })
    }

    /// Adds an advisory and gives its number.
    pub(crate) fn insert(
        &mut self,
        advisory: &Advisory,
        hashes: Hashes,
    ) -> Result<i64, StoreError> {
        let id = self.next_id;
        self.next_id += 1;
        self.put(id, advisory, hashes)?;
        Ok(id)
    }

    /// Replaces all of an advisory but its number.
    pub(crate) fn replace(
        &mut self,
        id: i64,
        advisory: &Advisory,
        hashes: Hashes,
    ) -> Result<(), StoreError> {
        self.clear(id)?;
        self.put(id, advisory, hashes)
    }

    /// Marks an advisory as gone from the feed; its name and what it was about stay,
    /// so that findings about it can be found.
    pub(crate) fn tombstone(&mut self, id: i64) -> Result<(), StoreError> {
        self.clear(id)?;
        self.connection
            .prepare_cached("UPDATE advisory SET state = ?2 WHERE id = ?1")
            .and_then(|mut statement| statement.execute(params![id, GONE]))
            .map(|_| ())
            .doing("marking an advisory as gone")
    }

    /// Takes note of new hashes of an advisory that says the same as before.
    pub(crate) fn set_hashes(&mut self, id: i64, hashes: Hashes) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("UPDATE advisory SET match_hash = ?2, text_hash = ?3 WHERE id = ?1")
            .and_then(|mut statement| statement.execute(params![id, hashes.matching, hashes.text]))
            .map(|_| ())
            .doing("writing an advisory")
    }

    /// Writes down one difference of an advisory.
    pub(crate) fn change(
        &mut self,
        advisory: i64,
        generation: u64,
        at: i64,
        difference: &Difference,
    ) -> Result<(), StoreError> {
        let scope = match &difference.package {
            Some((ecosystem, release, _)) => {
                Some(self.terms.scope(self.connection, *ecosystem, release.as_ref())?)
            }
            None => None,
        };
        self.connection
            .prepare_cached(
                "INSERT INTO change (part, generation, at, kind, advisory, cve, scope, package, \
                 old, new) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )
            .and_then(|mut statement| {
                statement.execute(params![
                    self.part,
                    generation.cast_signed(),
                    at,
                    difference.kind.code(),
                    advisory,
                    difference.vulnerability.as_deref().and_then(encoding::cve_code),
                    scope,
                    difference.package.as_ref().map(|(_, _, package)| package),
                    difference.old,
                    difference.new,
                ])
            })
            .map(|_| ())
            .doing("writing a change")
    }

    /// Writes what is still gathered.
    pub(crate) fn finish(mut self) -> Result<(), StoreError> {
        self.flush()?;
        let mut coverage = self
            .connection
            .prepare(
                "INSERT INTO coverage (part, scope, row_count, is_declared) \
                 VALUES (?1, ?2, ?3, 0) ON CONFLICT (part, scope) \
                 DO UPDATE SET row_count = row_count + excluded.row_count",
            )
            .doing("writing the coverage")?;
        for (scope, rows) in &self.coverage {
            coverage.execute(params![self.part, scope, rows]).doing("writing the coverage")?;
        }
        Ok(())
    }

    /// The scopes that a part says it speaks of, whatever it holds.
    pub(crate) fn declare(
        &mut self,
        scopes: &[(pratique_model::Ecosystem, Option<Release>)],
    ) -> Result<(), StoreError> {
        for (ecosystem, release) in scopes {
            let scope = self.terms.scope(self.connection, *ecosystem, release.as_ref())?;
            self.connection
                .prepare_cached(
                    "INSERT INTO coverage (part, scope, row_count, is_declared) \
                     VALUES (?1, ?2, 0, 1) ON CONFLICT (part, scope) \
                     DO UPDATE SET is_declared = 1 WHERE is_declared = 0",
                )
                .and_then(|mut statement| statement.execute([self.part, scope]))
                .doing("writing the coverage")?;
        }
        Ok(())
    }

    fn put(&mut self, id: i64, advisory: &Advisory, hashes: Hashes) -> Result<(), StoreError> {
        let is_live = advisory.withdrawn.is_none();
        let mut packages = Packages::new();
        if is_live {
            for affected in &advisory.affected {
                self.gather(id, affected, &mut packages)?;
            }
            let cves = advisory.vulnerabilities.iter().filter_map(|cve| encoding::cve_code(cve));
            self.vulnerabilities.extend(cves.map(|cve| (cve, id)));
        }
        let worst = advisory.affected.iter().filter_map(|affected| affected.severity).max();
        let vulnerabilities = match &*advisory.vulnerabilities {
            [only] if *only == advisory.id => Some(SAME_AS_NAME.to_owned()),
            several => encoding::list(several),
        };
        let (url_term, url) = self.url(advisory)?;
        let cvss = self.terms.cvss(self.connection, &advisory.cvss)?;
        let informational =
            self.terms.optional(self.connection, advisory.informational.as_deref())?;
        let severity = |severity: Severity| encoding::severity_code(severity);
        self.insert_advisory
            .execute(params![
                id,
                self.part,
                advisory.id,
                if is_live { LIVE } else { WITHDRAWN },
                hashes.matching,
                hashes.text,
                advisory.withdrawn.map(jiff::Timestamp::as_microsecond),
                advisory.severity.map(severity),
                worst.map(severity),
                vulnerabilities,
                encoding::list(&advisory.aliases),
                cvss,
                informational,
                url_term,
                url,
                packages_text(packages),
            ])
            .doing("writing an advisory")?;
        self.put_text(id, advisory)?;
        if self.affected.len() >= RUN_ROWS {
            self.flush()?;
        }
        Ok(())
    }

    fn put_text(&mut self, id: i64, advisory: &Advisory) -> Result<(), StoreError> {
        let Advisory { summary, published, modified, .. } = advisory;
        if summary.is_none() && published.is_none() && modified.is_none() {
            return Ok(());
        }
        let summary = summary.as_deref().map(kept_summary);
        self.insert_text
            .execute(params![
                id,
                summary,
                published.map(jiff::Timestamp::as_microsecond),
                modified.map(jiff::Timestamp::as_microsecond),
            ])
            .map(|_| ())
            .doing("writing an advisory's text")
    }

    /// The address as a shared term and a place for the name, or as it is.
    fn url<'b>(
        &mut self,
        advisory: &'b Advisory,
    ) -> Result<(Option<i64>, Option<&'b str>), StoreError> {
        match &advisory.url {
            Some(url) if !advisory.id.is_empty() && url.contains(&advisory.id) => {
                let mut place = [0; 4];
                let place = NAME_PLACE.encode_utf8(&mut place);
                let template = url.replacen(&advisory.id, place, 1);
                Ok((Some(self.terms.term(self.connection, &template)?), None))
            }
            url => Ok((None, url.as_deref())),
        }
    }

    fn gather(
        &mut self,
        advisory: i64,
        affected: &Affected,
        packages: &mut Packages,
    ) -> Result<(), StoreError> {
        let connection = self.connection;
        let scope = self.terms.scope(connection, affected.ecosystem, affected.release.as_ref())?;
        let arches = encoding::list(&affected.arches);
        let platforms = encoding::list(&affected.platforms);
        let scopes = match packages.get_mut(&affected.package) {
            Some(scopes) => scopes,
            None => packages.entry(affected.package.clone()).or_default(),
        };
        let ordinal = scopes.iter().filter(|known| **known == scope).count();
        scopes.push(scope);
        *self.coverage.entry(scope).or_default() += 1;
        self.affected.push(AffectedRow {
            scope,
            package: affected.package.clone(),
            advisory,
            ordinal: ordinal as i64,
            name_kind: encoding::name_kind_code(affected.name_kind),
            status: encoding::status_code(affected.status),
            severity: affected.severity.map(encoding::severity_code),
            remark: self.terms.optional(connection, affected.remark.as_deref())?,
            module: self.terms.optional(connection, affected.module.as_deref())?,
            arches: self.terms.optional(connection, arches.as_deref())?,
            platforms: self.terms.optional(connection, platforms.as_deref())?,
            ranges: encoding::ranges_text(&affected.ranges),
            versions: encoding::versions_blob(&affected.versions),
        });
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.affected.sort_unstable_by(|left, right| {
            let key = |row: &AffectedRow| (row.advisory, row.ordinal);
            (left.scope, &left.package)
                .cmp(&(right.scope, &right.package))
                .then_with(|| key(left).cmp(&key(right)))
        });
        let mut insert = self
            .connection
            .prepare_cached(
                "INSERT INTO affected (scope, package, advisory, ordinal, name_kind, status, \
                 severity, remark, module, arches, platforms, ranges, versions) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            )
            .doing("writing the reverse index")?;
        for row in self.affected.drain(..) {
            insert
                .execute(params![
                    row.scope,
                    row.package,
                    row.advisory,
                    row.ordinal,
                    row.name_kind,
                    row.status,
                    row.severity,
                    row.remark,
                    row.module,
                    row.arches,
                    row.platforms,
                    row.ranges,
                    row.versions,
                ])
                .doing("writing the reverse index")?;
        }
        self.vulnerabilities.sort_unstable();
        let mut insert = self
            .connection
            .prepare_cached("INSERT OR IGNORE INTO vulnerability (cve, advisory) VALUES (?1, ?2)")
            .doing("writing vulnerabilities")?;
        for (cve, advisory) in self.vulnerabilities.drain(..) {
            insert.execute([cve, advisory]).doing("writing vulnerabilities")?;
        }
        Ok(())
    }

    /// Removes every row of an advisory but its own.
    fn clear(&mut self, id: i64) -> Result<(), StoreError> {
        let doing = "removing what an advisory said";
        let connection = self.connection;
        let mut select = connection
            .prepare_cached("SELECT name, packages, vulnerabilities FROM advisory WHERE id = ?1")
            .doing(doing)?;
        let (name, packages, vulnerabilities): (String, Option<String>, Option<String>) = select
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .doing(doing)?;
        let mut delete = connection
            .prepare_cached(
                "DELETE FROM affected WHERE scope = ?1 AND package = ?2 AND advisory = ?3",
            )
            .doing(doing)?;
        for (package, scopes) in packages_of(packages.as_deref())? {
            for scope in scopes {
                let gone = delete.execute(params![scope, package, id]).doing(doing)?;
                *self.coverage.entry(scope).or_default() -= gone as i64;
            }
        }
        let mut delete = connection
            .prepare_cached("DELETE FROM vulnerability WHERE cve = ?1 AND advisory = ?2")
            .doing(doing)?;
        let cves = match vulnerabilities.as_deref() {
            Some(SAME_AS_NAME) => vec![name],
            list => encoding::items(list)?,
        };
        for cve in cves.iter().filter_map(|cve| encoding::cve_code(cve)) {
            delete.execute([cve, id]).doing(doing)?;
        }
        connection
            .prepare_cached("DELETE FROM advisory_text WHERE advisory = ?1")
            .and_then(|mut statement| statement.execute([id]))
            .map(|_| ())
            .doing(doing)
    }
}

/// The part of a summary that is kept: its first line, not too long.
fn kept_summary(summary: &str) -> String {
    summary.chars().take(SUMMARY_CHARACTERS_MAX).collect()
}

/// The column `packages`: `package:scope,scope` as a list; a scope stands once however many rows it
/// has.
fn packages_text(packages: Packages) -> Option<String> {
    use std::fmt::Write as _;
    let items: Vec<String> = packages
        .into_iter()
        .map(|(package, mut scopes)| {
            scopes.sort_unstable();
            scopes.dedup();
            let mut item = package;
            let mut separator = ':';
            for scope in scopes {
                write!(item, "{separator}{scope}").expect("writing to a string cannot fail");
                separator = ',';
            }
            item
        })
        .collect();
    encoding::list(&items)
}

/// Reads what [`packages_text`] wrote.
pub(crate) fn packages_of(text: Option<&str>) -> Result<Packages, StoreError> {
    let mut packages = Packages::new();
    for item in encoding::items(text)? {
        let damaged = || StoreError::damaged(format!("packages of an advisory: {item:?}"));
        let (package, scopes) = item.rsplit_once(':').ok_or_else(damaged)?;
        let scopes: Result<Vec<i64>, _> = scopes.split(',').map(str::parse).collect();
        packages.insert(package.to_owned(), scopes.map_err(|_| damaged())?);
    }
    Ok(packages)
}
