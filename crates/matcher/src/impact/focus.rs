//! The vulnerabilities that changes are about.
//!
//! A kernel has thousands of others, in every version that is installed somewhere; looking at all
//! of them again because of one took seconds. With a focus, only what is said of its
//! vulnerabilities is held against packages and compared, and what that finds is what a look at
//! everything would.
//!
//! What would surprise: it is given up wherever names other than those of CVEs decide what belongs
//! together: if some advisory about the packages names no CVE, or if a finding is stored under the
//! name of an advisory that names a CVE now. It is also given up if an advisory began or ceased to
//! name a CVE, or if the part has changed again since: what an advisory is about is known as it is
//! now.

use std::collections::BTreeSet;

use pratique_model::is_cve;
use pratique_store::{AdvisoryKey, ChangedKey, Database, PackageKey, StoreError};

use crate::lookup::Statements;
use crate::row::Advisories;

/// Ids of vulnerabilities and advisories.
#[derive(Debug)]
pub(super) struct Focus {
    ids: BTreeSet<String>,
}

impl Focus {
    /// What changes of a part are about that is now of a generation; `None` where it takes a look
    /// at everything.
    pub(super) fn of(keys: &[ChangedKey], generation: u64) -> Option<Self> {
        let mut ids = BTreeSet::new();
        for key in keys {
            if key.cursor.generation != generation {
                return None;
            }
            let Some(advisory) = &key.advisory else { continue };
            if key.vulnerabilities.is_empty() || key.has_other_vulnerabilities {
                return None;
            }
            ids.insert(advisory.clone());
            ids.extend(key.vulnerabilities.iter().cloned());
        }
        Some(Self { ids })
    }

    /// Leaves those of the statements that the focus is about, and gives the CVEs that they are to
    /// be looked at for; `None`, and nothing is left out, where it takes a look at everything.
    /// `advisories` are those behind all the statements.
    pub(super) fn narrow(
        &self,
        database: &Database,
        packages: &[PackageKey],
        statements: &mut Statements,
        advisories: &Advisories,
    ) -> Result<Option<BTreeSet<String>>, StoreError> {
        if advisories.values().any(|stored| stored.advisory.vulnerabilities.is_empty()) {
            return Ok(None);
        }
        let (cves, mut others): (BTreeSet<&str>, BTreeSet<&str>) =
            self.ids.iter().map(String::as_str).partition(|id| is_cve(id));
        let mut keys: BTreeSet<AdvisoryKey> = BTreeSet::new();
        for (key, stored) in advisories {
            let advisory = &stored.advisory;
            let names = || advisory.aliases.iter().chain([&advisory.id]);
            if names().chain(&advisory.vulnerabilities).any(|name| self.ids.contains(name)) {
                keys.insert(*key);
                others.extend(names().map(String::as_str).filter(|name| !is_cve(name)));
            }
        }
        let others: Vec<&str> = others.into_iter().collect();
        if !database.findings_of(packages, Some(&others))?.is_empty() {
            return Ok(None);
        }
        for stated in statements.values_mut() {
            stated.retain(|statement| keys.contains(&statement.advisory));
        }
        Ok(Some(cves.into_iter().map(str::to_owned).collect()))
    }
}
