//! From an OSV record about language packages to an advisory.
//!
//! What the several databases behind osv.dev mean by their fields is decided here and nowhere
//! else. Surprising: enumerated versions that a range covers already are dropped, because they
//! say nothing more and would be nine tenths of the database; those that the ecosystem cannot
//! order (PyPI has 108) are kept and match by equality.

use jiff::Timestamp;
use pratique_model::{Advisory, Affected, Cvss, Ecosystem, Range, Severity, Status};
use pratique_version::{Scheme, SortKey};

use super::platform;
use super::range::{Ranges, intervals};
use super::record::{AffectedEntry, EventRange, Record, Score, Versions};
use crate::text::summary;

/// What a record comes to.
#[derive(Debug)]
pub(super) struct Converted {
    /// The advisory; perhaps without `affected`, if nothing in it can be matched.
    pub(super) advisory: Advisory,
    /// What the operator should know, one sentence each.
    pub(super) remarks: Vec<String>,
}

/// A range with the sort keys of its ends; `None` in a bound that is open.
struct KeyedRange {
    introduced: Option<SortKey>,
    fixed: Option<SortKey>,
    last_affected: Option<SortKey>,
}

/// Brings a record to an advisory, with the packages of one ecosystem.
///
/// `name` is osv.dev's name of the ecosystem, without a suffix.
///
/// # Errors
/// In words, when a statement about a package cannot be understood: the record is then
/// quarantined whole, because half of it might call a vulnerable package clean.
pub(super) fn convert(
    record: Record,
    name: &str,
    ecosystem: Ecosystem,
) -> Result<Converted, String> {
    let scorer = scorer(&record.id);
    let mut remarks = Vec::new();
    let mut advisory = Advisory {
        vulnerabilities: record.cves(),
        aliases: record.other_ids(),
        url: Some(page(&record)),
        summary: record.one_line().and_then(|line| summary(&line)),
        published: record.published.filter(|at| *at > ZERO_TIME_END),
        modified: record.modified,
        withdrawn: record.withdrawn,
        cvss: scores(&record.severity, scorer, &mut remarks),
        ..Advisory::default()
    };
    let is_malicious = record.id.starts_with("MAL-");
    let mut is_rust_malicious = false;
    for entry in record.affected {
        let Some(package) =
            entry.package.as_ref().filter(|package| package.ecosystem_parts().0 == name)
        else {
            continue;
        };
        if package.name.is_empty() {
            return Err("a package has no name".to_owned());
        }
        let package = package_name(ecosystem, &package.name);
        is_rust_malicious |= entry.database_specific.categories.iter().any(|c| c == "malicious");
        if advisory.informational.is_none() {
            advisory.informational.clone_from(&entry.database_specific.informational);
        }
        let own_scores = scores(&entry.severity, scorer, &mut remarks);
        if let Some(mut affected) = statement(entry, ecosystem, package, &mut remarks)? {
            affected.severity = severity(&own_scores);
            advisory.affected.push(affected);
        }
        for score in own_scores {
            if record.severity.is_empty() && !advisory.cvss.contains(&score) {
                advisory.cvss.push(score);
            }
        }
    }
    let word = record.database_specific.severity.as_deref();
    advisory.severity = word
        .and_then(Severity::from_vendor_word)
        .or_else(|| severity(&advisory.cvss))
        .or((is_malicious || is_rust_malicious).then_some(Severity::Critical));
    advisory.id = record.id;
    Ok(Converted { advisory, remarks })
}

/// Dates up to this one mean "none": Go's zero time, the year 1, stands in half of its records.
const ZERO_TIME_END: Timestamp = Timestamp::UNIX_EPOCH;

/// What one entry says of its package; `None` if nothing in it can be matched.
fn statement(
    entry: AffectedEntry,
    ecosystem: Ecosystem,
    package: String,
    remarks: &mut Vec<String>,
) -> Result<Option<Affected>, String> {
    let scheme = ecosystem.scheme();
    let Ranges { ranges, skipped_git, oddities } = intervals(&entry.ranges, scheme);
    remarks.extend(oddities.into_iter().map(|oddity| format!("{package}: {oddity}")));
    let versions = match entry.versions {
        Versions::Listed(versions) => versions,
        Versions::Unreadable if ranges.is_empty() => {
            return Err(format!("{package}: `versions` is no list of texts"));
        }
        Versions::Unreadable => {
            remarks.push(format!("{package}: `versions` is no list of texts, ranges are used"));
            Vec::new()
        }
    };
    if ranges.is_empty() && versions.is_empty() {
        let why = if skipped_git { "only git commits are named" } else { "no version is named" };
        remarks.push(format!("{package}: not matched, {why}"));
        return Ok(None);
    }
    let is_fixed = ranges.iter().any(|range| range.fixed.is_some());
    let status = if is_fixed { Status::Fixed } else { Status::Affected };
    let mut affected = Affected::new(ecosystem, None, package, status);
    affected.versions = uncovered(versions, &ranges, scheme);
    affected.ranges = ranges;
    affected.platforms = match ecosystem {
        Ecosystem::Golang => platform::of_go(&entry.ecosystem_specific.imports),
        Ecosystem::Cargo => platform::of_rust(&entry.ecosystem_specific.affects),
        _ => Vec::new(),
    };
    affected.remark = custom_ranges(&entry.ecosystem_specific.custom_ranges, scheme);
    Ok(Some(affected))
}

/// Go's ranges over a project's own version numbers, in words.
///
/// They are not compared: a Go binary records the module's version, of which these projects tag
/// none, and govulncheck passes them over too. They tell a person where the fix is.
fn custom_ranges(lists: &[EventRange], scheme: Scheme) -> Option<String> {
    let texts: Vec<String> = intervals(lists, scheme)
        .ranges
        .into_iter()
        .map(|range| {
            let from = range.introduced.map(|version| format!(">={version}"));
            let until = range.fixed.map(|version| format!("<{version}"));
            let last = range.last_affected.map(|version| format!("<={version}"));
            let bounds: Vec<String> = [from, until, last].into_iter().flatten().collect();
            if bounds.is_empty() { "all".to_owned() } else { bounds.join(" ") }
        })
        .collect();
    (!texts.is_empty()).then(|| format!("project's own versions: {}", texts.join(" || ")))
}

/// The versions that no range covers, sorted, once each; all that cannot be ordered stay.
fn uncovered(versions: Vec<String>, ranges: &[Range], scheme: Scheme) -> Vec<String> {
    let key = |text: &Option<String>| text.as_deref().map(|text| scheme.key(text)).transpose();
    // A range with an end that cannot be ordered covers nothing for certain.
    let keyed: Vec<KeyedRange> = ranges
        .iter()
        .filter_map(|range| {
            Some(KeyedRange {
                introduced: key(&range.introduced).ok()?,
                fixed: key(&range.fixed).ok()?,
                last_affected: key(&range.last_affected).ok()?,
            })
        })
        .collect();
    let mut left: Vec<String> = versions
        .into_iter()
        .filter(|version| !version.is_empty())
        .filter(|version| match scheme.key(version) {
            Ok(key) => !keyed.iter().any(|range| range.holds(&key)),
            Err(_) => true,
        })
        .collect();
    left.sort_unstable();
    left.dedup();
    left
}

impl KeyedRange {
    fn holds(&self, version: &SortKey) -> bool {
        self.introduced.as_ref().is_none_or(|from| version >= from)
            && self.fixed.as_ref().is_none_or(|until| version < until)
            && self.last_affected.as_ref().is_none_or(|last| version <= last)
    }
}

/// The name under which installed packages are looked up; see [`Affected::package`].
fn package_name(ecosystem: Ecosystem, name: &str) -> String {
    match ecosystem {
        Ecosystem::Pypi => pep503(name),
        Ecosystem::Nuget | Ecosystem::Composer => name.to_lowercase(),
        _ => name.to_owned(),
    }
}

/// PEP 503: lower case, and runs of `-`, `_` and `.` are one `-`.
fn pep503(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for letter in name.chars() {
        if !matches!(letter, '-' | '_' | '.') {
            normal.extend(letter.to_lowercase());
        } else if !normal.ends_with('-') {
            normal.push('-');
        }
    }
    normal
}

/// Reads scores; one that cannot be read is a remark, the others count.
fn scores(list: &[Score], source: &str, remarks: &mut Vec<String>) -> Vec<Cvss> {
    let mut cvss = Vec::with_capacity(list.len());
    for score in list.iter().filter(|score| score.kind.starts_with("CVSS_")) {
        match Cvss::parse(&score.score, source) {
            Ok(parsed) => cvss.push(parsed),
            Err(error) => remarks.push(error.to_string()),
        }
    }
    cvss
}

/// The rating of the score in the newest CVSS version; the first of those that share it.
fn severity(cvss: &[Cvss]) -> Option<Severity> {
    let newest = cvss.iter().map(|score| score.version).max()?;
    let score = cvss.iter().find(|score| score.version == newest)?;
    Some(Severity::from_score(score.score))
}

/// Who gave a record's scores, by the prefix of its id.
fn scorer(id: &str) -> &'static str {
    match id.split_once('-').map_or("", |(prefix, _)| prefix) {
        "GHSA" => "ghsa",
        "PYSEC" => "pypa",
        "RUSTSEC" => "rustsec",
        "GO" => "go",
        "BIT" => "bitnami",
        _ => "osv",
    }
}

/// Where a person reads the record.
fn page(record: &Record) -> String {
    let id = &record.id;
    if let Some(url) = record.database_specific.url.as_ref().filter(|url| url.starts_with("https:"))
    {
        return url.clone();
    }
    match scorer(id) {
        "ghsa" => format!("https://github.com/advisories/{id}"),
        "go" => format!("https://pkg.go.dev/vuln/{id}"),
        "rustsec" => format!("https://rustsec.org/advisories/{id}.html"),
        _ => format!("https://osv.dev/vulnerability/{id}"),
    }
}

#[cfg(test)]
mod tests;
