//! Writes advisories into their tables, within one transaction.
//!
//! Rows of the reverse index are gathered and written in sorted runs: in the order in which feeds
//! bring them every row would land on another page. What an advisory said before is removed for
//! many at a time, before anything new is gathered for them.

use std::collections::BTreeMap;

use pratique_model::{Advisory, Affected, Ecosystem, Release, Severity};

use crate::apply::Round;
use crate::aside::Numbers;
use crate::change::Difference;
use crate::read::{NAME_PLACE, SAME_AS_NAME};
use crate::session::{RowSink, Value, values};
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

/// The columns of an advisory but its number, in the order of [`AdvisoryWriter::put`].
const COLUMNS: [&str; 13] = [
    "part",
    "name",
    "state",
    "withdrawn_at",
    "severity",
    "severity_worst",
    "vulnerabilities",
    "aliases",
    "cvss",
    "informational",
    "url_term",
    "url",
    "packages",
];

/// The columns of `affected`, in the order of [`AffectedRow`].
const AFFECTED: &str = "scope, package, advisory, ordinal, name_kind, status, severity, remark, \
                        module, arches, platforms, ranges, versions";

/// Writes the advisories of one part.
pub(crate) struct AdvisoryWriter<'a> {
    round: &'a Round<'a>,
    numbers: Numbers,
    terms: TermWriter<'a>,
    affected: Vec<AffectedRow>,
    vulnerabilities: Vec<(i64, i64)>,
    /// How many rows of the reverse index each scope gained or lost.
    coverage: BTreeMap<i64, i64>,
    new_advisories: Box<dyn RowSink + 'a>,
    replaced_advisories: Box<dyn RowSink + 'a>,
    texts: Box<dyn RowSink + 'a>,
    changes: Box<dyn RowSink + 'a>,
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
    pub(crate) fn new(round: &'a Round<'a>) -> Result<Self, StoreError> {
        let doing = "writing an advisory";
        let session = round.session;
        let columns = COLUMNS.join(", ");
        let places: Vec<String> =
            (2..).zip(COLUMNS).map(|(number, column)| format!("{column} = ?{number}")).collect();
        let replace = format!("UPDATE advisory SET {} WHERE id = ?1", places.join(", "));
        Ok(Self {
            round,
            numbers: Numbers::of("advisory"),
            terms: TermWriter::new(session, round.aside)?,
            affected: Vec::new(),
            vulnerabilities: Vec::new(),
            coverage: BTreeMap::new(),
            new_advisories: session.bulk(doing, "advisory", &format!("id, {columns}"))?,
            replaced_advisories: session.batch(doing, &replace)?,
            texts: session.bulk(
                "writing an advisory's text",
                "advisory_text",
                "advisory, summary, published_at, modified_at",
            )?,
            changes: session.bulk(
                "writing a change",
                "change",
                "part, generation, at, kind, advisory, cve, scope, package, old, new",
            )?,
        })
    }

    /// Adds an advisory and gives its number.
    pub(crate) fn insert(&mut self, advisory: &Advisory) -> Result<i64, StoreError> {
        let id = self.numbers.take(self.round.aside)?;
        self.put(id, true, advisory)?;
        Ok(id)
    }

    /// Replaces all of an advisory but its number; [`Self::clear`] has removed its rows.
    pub(crate) fn replace(&mut self, id: i64, advisory: &Advisory) -> Result<(), StoreError> {
        self.put(id, false, advisory)
    }

    /// Marks advisories as gone from the feed; their names and what they were about stay, so that
    /// findings about them can be found.
    pub(crate) fn tombstone(&mut self, ids: &[i64]) -> Result<(), StoreError> {
        self.clear(ids)?;
        let sql = "UPDATE advisory SET state = ?2 WHERE id IN LIST(?1)";
        let doing = "marking advisories as gone";
        self.round.session.execute(doing, sql, values![ids, GONE]).map(|_| ())
    }

    /// Writes down one difference of an advisory.
    pub(crate) fn change(
        &mut self,
        advisory: i64,
        difference: &Difference,
    ) -> Result<(), StoreError> {
        let scope = match &difference.package {
            Some((ecosystem, release, _)) => Some(self.terms.scope(*ecosystem, release.as_ref())?),
            None => None,
        };
        self.changes.row(values![
            self.round.part,
            self.round.generation,
            self.round.now,
            difference.kind.code(),
            advisory,
            difference.vulnerability.as_deref().and_then(encoding::cve_code),
            scope,
            difference.package.as_ref().map(|(_, _, package)| package),
            difference.old.as_deref(),
            difference.new.as_deref(),
        ])
    }

    /// Writes what is still gathered.
    pub(crate) fn finish(mut self) -> Result<(), StoreError> {
        self.flush()?;
        let sinks = [self.new_advisories, self.replaced_advisories, self.texts, self.changes];
        for sink in sinks {
            sink.finish()?;
        }
        self.terms.finish()?;
        let mut rows = self.round.session.batch(
            "writing the coverage",
            "INSERT INTO coverage (part, scope, row_count, is_declared) \
             VALUES (?1, ?2, ?3, 0) ON CONFLICT (part, scope) \
             DO UPDATE SET row_count = coverage.row_count + excluded.row_count",
        )?;
        for (scope, count) in self.coverage.iter().filter(|(_, count)| **count != 0) {
            rows.row(values![self.round.part, *scope, *count])?;
        }
        rows.finish().map(|_| ())
    }

    /// The scopes that a part says it speaks of, whatever it holds.
    pub(crate) fn declare(
        &mut self,
        scopes: &[(Ecosystem, Option<Release>)],
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO coverage (part, scope, row_count, is_declared) \
                   VALUES (?1, ?2, 0, 1) ON CONFLICT (part, scope) \
                   DO UPDATE SET is_declared = 1 WHERE coverage.is_declared = 0";
        let mut rows = self.round.session.batch("writing the coverage", sql)?;
        for (ecosystem, release) in scopes {
            let scope = self.terms.scope(*ecosystem, release.as_ref())?;
            rows.row(values![self.round.part, scope])?;
        }
        rows.finish().map(|_| ())
    }

    /// Removes every row of advisories but their own. Nothing may have been gathered for them.
    pub(crate) fn clear(&mut self, ids: &[i64]) -> Result<(), StoreError> {
        let doing = "removing what an advisory said";
        let session = self.round.session;
        let sql = "SELECT id, packages, vulnerabilities, name FROM advisory WHERE id IN LIST(?1)";
        let mut rows: Vec<(i64, i64, String)> = Vec::new();
        let mut cves: Vec<(i64, i64)> = Vec::new();
        session.query(doing, sql, &[Value::Integers(ids)], &mut |row| {
            let id = row.integer(0)?;
            for (package, scopes) in packages_of(row.optional_text(1)?)? {
                rows.extend(scopes.into_iter().map(|scope| (scope, id, package.clone())));
            }
            let names = match row.optional_text(2)? {
                Some(SAME_AS_NAME) => vec![row.string(3)?],
                list => encoding::items(list)?,
            };
            cves.extend(names.iter().filter_map(|cve| Some((encoding::cve_code(cve)?, id))));
            Ok(())
        })?;
        let sql = "DELETE FROM affected WHERE scope = ?1 AND advisory = ?2 AND package = ?3 \
                   RETURNING scope";
        let keys: Vec<Value<'_>> =
            rows.iter().flat_map(|(scope, id, package)| values_of(*scope, *id, package)).collect();
        let coverage = &mut self.coverage;
        session.many(doing, sql, &keys, 3, &mut |_, row| {
            *coverage.entry(row.integer(0)?).or_default() -= 1;
            Ok(())
        })?;
        let sql = "DELETE FROM vulnerability WHERE cve = ?1 AND advisory = ?2";
        let mut delete = session.batch(doing, sql)?;
        for (cve, id) in cves {
            delete.row(values![cve, id])?;
        }
        delete.finish()?;
        let sql = "DELETE FROM advisory_text WHERE advisory IN LIST(?1)";
        session.execute(doing, sql, &[Value::Integers(ids)]).map(|_| ())
    }

    fn put(&mut self, id: i64, is_new: bool, advisory: &Advisory) -> Result<(), StoreError> {
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
        let cvss = self.terms.cvss(&advisory.cvss)?;
        let aliases = encoding::list(&advisory.aliases);
        let packages = packages_text(packages);
        let informational = self.terms.optional(advisory.informational.as_deref())?;
        let severity = |severity: Severity| encoding::severity_code(severity);
        let sink = if is_new { &mut self.new_advisories } else { &mut self.replaced_advisories };
        sink.row(values![
            id,
            self.round.part,
            &advisory.id,
            if is_live { LIVE } else { WITHDRAWN },
            advisory.withdrawn,
            advisory.severity.map(severity),
            worst.map(severity),
            vulnerabilities.as_deref(),
            aliases.as_deref(),
            cvss.as_deref(),
            informational,
            url_term,
            url,
            packages.as_deref(),
        ])?;
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
        self.texts.row(values![id, summary.as_deref(), *published, *modified])
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
                Ok((Some(self.terms.term(&template)?), None))
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
        let scope = self.terms.scope(affected.ecosystem, affected.release.as_ref())?;
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
            remark: self.terms.optional(affected.remark.as_deref())?,
            module: self.terms.optional(affected.module.as_deref())?,
            arches: self.terms.optional(arches.as_deref())?,
            platforms: self.terms.optional(platforms.as_deref())?,
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
        let session = self.round.session;
        let mut rows = session.bulk("writing the reverse index", "affected", AFFECTED)?;
        for row in self.affected.drain(..) {
            rows.row(values![
                row.scope,
                &row.package,
                row.advisory,
                row.ordinal,
                row.name_kind,
                row.status,
                row.severity,
                row.remark,
                row.module,
                row.arches,
                row.platforms,
                row.ranges.as_deref(),
                row.versions.as_deref(),
            ])?;
        }
        rows.finish()?;
        self.vulnerabilities.sort_unstable();
        self.vulnerabilities.dedup();
        let mut rows = session.bulk("writing vulnerabilities", "vulnerability", "cve, advisory")?;
        for (cve, advisory) in self.vulnerabilities.drain(..) {
            rows.row(values![cve, advisory])?;
        }
        rows.finish().map(|_| ())
    }
}

fn values_of(scope: i64, advisory: i64, package: &str) -> [Value<'_>; 3] {
    [Value::Integer(scope), Value::Integer(advisory), Value::Text(package)]
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
