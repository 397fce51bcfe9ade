//! What a change is about: the packages and vulnerabilities to be looked at again because of it.
//!
//! A change of a whole advisory names no package; which ones it is about stands with the advisory,
//! also after it is gone from its feed. A change of a fact about a CVE is about the packages of
//! every live advisory about that CVE, whichever part brought it. What the packages of a new
//! advisory are is read as it is now: if it was narrowed since, a later change says so.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;

use pratique_model::{Ecosystem, PartId, Release};

use crate::change::ChangeKind;
use crate::read::SAME_AS_NAME;
use crate::session::{Row, Value, values};
use crate::write::packages_of;
use crate::{Database, StoreError, encoding, part};

/// A package's name and where it means something; without release for language packages.
pub type PackageName = (Ecosystem, Option<Release>, String);

/// How far the changes of a part were read: all up to and with this one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeCursor {
    /// The generation of the last change that was read.
    pub generation: u64,
    /// Its place among the changes of that generation; [`i64::MAX`] for all of them. Grows, with
    /// gaps.
    pub sequence: i64,
}

/// A change with what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedKey {
    /// Where to go on after it.
    pub cursor: ChangeCursor,
    /// When it was committed.
    pub at: Timestamp,
    /// What kind of difference.
    pub kind: ChangeKind,
    /// The advisory's id; `None` for a fact about a CVE and for [`ChangeKind::Baseline`].
    pub advisory: Option<String>,
    /// The vulnerabilities: the one that the change names, else all of the advisory's. Empty for
    /// an advisory that names none, which is its own vulnerability.
    pub vulnerabilities: Vec<String>,
    /// Whether the advisory began or ceased to name a vulnerability, as far back as changes are
    /// kept.
    pub has_other_vulnerabilities: bool,
    /// The packages, sorted: the one that the change names, else all of the advisory's, else those
    /// of all live advisories about the vulnerability. Empty for [`ChangeKind::Baseline`], which is
    /// about everything in the part.
    pub packages: Vec<PackageName>,
    /// The value before, in the words of the kind.
    pub old: Option<String>,
    /// The value now.
    pub new: Option<String>,
}

impl ChangeCursor {
    /// Stands after all changes of a generation; 0: before everything.
    pub fn after_generation(generation: u64) -> Self {
        Self { generation, sequence: i64::MAX }
    }
}

/// A row of `change`, as far as it goes.
struct ChangeRow {
    key: ChangedKey,
    cve: Option<i64>,
    /// The advisory's number.
    advisory: Option<i64>,
    /// Numbers of scopes with the name of a package in each.
    scopes: Vec<(i64, String)>,
}

const COLUMNS: &str = "change.id, change.generation, change.at, change.kind, change.cve, \
                       change.scope, change.package, change.old, change.new, advisory.name, \
                       advisory.vulnerabilities, advisory.packages, change.advisory";

impl Database {
    /// The changes of a part after `after`, oldest first, at most `limit`, each with the packages
    /// and vulnerabilities that it is about.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Damaged`].
    pub fn changed_keys(
        &self,
        id: &PartId,
        after: ChangeCursor,
        limit: usize,
    ) -> Result<Vec<ChangedKey>, StoreError> {
        let Some(number) = part::number_of(&*self.session, id)? else { return Ok(Vec::new()) };
        // Two questions, because each is a range of the index and both in one are not.
        let left = |rows: usize| i64::try_from(limit - rows).unwrap_or(i64::MAX);
        let ChangeCursor { generation, sequence } = after;
        let condition = "change.part = ?2 AND change.generation = ?3 AND change.id > ?4";
        let mut rows =
            self.change_rows(condition, values![left(0), number, generation, sequence])?;
        let condition = "change.part = ?2 AND change.generation > ?3";
        let newer = self.change_rows(condition, values![left(rows.len()), number, generation])?;
        rows.extend(newer);
        let about = self.packages_about(&rows)?;
        let renamed = self.renamed(&rows)?;
        let reader = self.rows();
        let mut keys = Vec::with_capacity(rows.len());
        for ChangeRow { mut key, cve, advisory, scopes: own } in rows {
            key.has_other_vulnerabilities =
                advisory.is_some_and(|advisory| renamed.contains(&advisory));
            let about = cve.filter(|_| key.advisory.is_none()).and_then(|cve| about.get(&cve));
            let mut packages = BTreeSet::new();
            for (scope, package) in own.iter().chain(about.into_iter().flatten()) {
                let (ecosystem, release) = reader.scope(*scope)?;
                packages.insert((ecosystem, release, package.clone()));
            }
            key.packages = packages.into_iter().collect();
            keys.push(key);
        }
        Ok(keys)
    }

    /// Rows of `change`, oldest first, at most as many as the first of the values says.
    fn change_rows(
        &self,
        condition: &str,
        values: &[Value<'_>],
    ) -> Result<Vec<ChangeRow>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM change LEFT JOIN advisory ON advisory.id = change.advisory \
             WHERE {condition} ORDER BY change.generation, change.id LIMIT ?1"
        );
        self.session.all("reading changes", &sql, values, change_row)
    }

    /// The advisories that began or ceased to name a vulnerability: which stands in changes of
    /// their own, and these need not be among the rows.
    fn renamed(&self, rows: &[ChangeRow]) -> Result<HashSet<i64>, StoreError> {
        let advisories: BTreeSet<i64> = rows.iter().filter_map(|row| row.advisory).collect();
        let advisories: Vec<i64> = advisories.into_iter().collect();
        // The conditions are those of the index, too.
        let sql = "SELECT DISTINCT advisory FROM change WHERE advisory IN LIST(?1) \
                   AND advisory IS NOT NULL AND cve IS NOT NULL";
        let values = &[Value::Integers(&advisories)];
        let renamed = self.session.all("reading changes", sql, values, |row| row.integer(0))?;
        Ok(renamed.into_iter().collect())
    }

    /// The packages of all live advisories about the CVEs that changes name alone.
    fn packages_about(
        &self,
        rows: &[ChangeRow],
    ) -> Result<HashMap<i64, Vec<(i64, String)>>, StoreError> {
        let alone = rows.iter().filter(|row| row.key.advisory.is_none());
        let cves: BTreeSet<i64> = alone.filter_map(|row| row.cve).collect();
        let cves: Vec<i64> = cves.into_iter().collect();
        let mut about: HashMap<i64, Vec<(i64, String)>> = HashMap::new();
        let sql = "SELECT vulnerability.cve, advisory.packages FROM vulnerability \
                   JOIN advisory ON advisory.id = vulnerability.advisory \
                   WHERE vulnerability.cve IN LIST(?1)";
        let doing = "looking up packages of CVEs";
        self.session.query(doing, sql, &[Value::Integers(&cves)], &mut |row| {
            about.entry(row.integer(0)?).or_default().extend(scopes_of(row.optional_text(1)?)?);
            Ok(())
        })?;
        Ok(about)
    }
}

fn change_row(row: &Row<'_>) -> Result<ChangeRow, StoreError> {
    let cve = row.optional_integer(4)?;
    let advisory = row.optional_string(9)?;
    let vulnerabilities = match (cve, row.optional_text(10)?) {
        (Some(cve), _) => vec![encoding::cve(cve)],
        (None, Some(SAME_AS_NAME)) => advisory.iter().cloned().collect(),
        (None, list) => encoding::items(list)?,
    };
    let scopes = match (row.optional_integer(5)?, row.optional_string(6)?) {
        (Some(scope), Some(package)) => vec![(scope, package)],
        _ => scopes_of(row.optional_text(11)?)?,
    };
    let key = ChangedKey {
        cursor: ChangeCursor { sequence: row.integer(0)?, generation: row.count(1)? },
        at: encoding::timestamp(row.integer(2)?)?,
        kind: ChangeKind::from_code(row.integer(3)?)?,
        has_other_vulnerabilities: false,
        advisory,
        vulnerabilities,
        packages: Vec::new(),
        old: row.optional_string(7)?,
        new: row.optional_string(8)?,
    };
    Ok(ChangeRow { key, cve, advisory: row.optional_integer(12)?, scopes })
}

fn scopes_of(packages: Option<&str>) -> Result<Vec<(i64, String)>, StoreError> {
    let mut pairs = Vec::new();
    for (package, scopes) in packages_of(packages)? {
        pairs.extend(scopes.into_iter().map(|scope| (scope, package.clone())));
    }
    Ok(pairs)
}
