//! What a notification says beside its own columns, as JSON in the outbox.
//!
//! It is a picture of the moment: scores, known exploitation and the installed versions as they
//! were when the row was written. Which images hold the packages is asked when it is delivered.

use serde::Serialize;

use pratique_model::Severity;
use pratique_store::Facts;

use super::notice::{NameKey, Notice};
use crate::rating;

/// How many installed versions are named; the count says how many there are.
const INSTALLED_MAX: usize = 20;

#[derive(Serialize)]
struct Payload<'a> {
    version: u32,
    vulnerability: Vulnerability<'a>,
    package: Package<'a>,
    advisory: Option<Advisory<'a>>,
    installed: Vec<Installed<'a>>,
    installed_count: usize,
}

#[derive(Serialize)]
struct Vulnerability<'a> {
    id: &'a str,
    aliases: Vec<&'a str>,
    severity: &'static str,
    cvss: Option<Score<'a>>,
    epss: Option<f64>,
    kev: bool,
}

#[derive(Serialize)]
struct Score<'a> {
    version: &'static str,
    score: f64,
    vector: &'a str,
}

#[derive(Serialize)]
struct Package<'a> {
    ecosystem: &'static str,
    release: Option<&'a str>,
    name: &'a str,
}

#[derive(Serialize)]
struct Advisory<'a> {
    source: &'a str,
    id: &'a str,
}

#[derive(Serialize)]
struct Installed<'a> {
    name: &'a str,
    version: &'a str,
    arch: Option<&'a str>,
    status: &'static str,
    fixed: Option<&'a str>,
}

/// The payload of a notice; `facts` is what enrichment sources know of the vulnerability.
pub(super) fn text(
    vulnerability: &str,
    key: &NameKey,
    notice: &Notice,
    facts: Option<&Facts>,
) -> String {
    let findings = || notice.packages.iter().map(|(_, finding)| finding);
    let nothing = Facts::default();
    let facts = facts.unwrap_or(&nothing);
    let rated = rating::rate(&[], facts);
    let published = findings().filter_map(|finding| finding.severity).max();
    let severity = published.unwrap_or(rated.severity);
    let first = findings().next();
    let advisory =
        first.map(|finding| Advisory { source: finding.part.source(), id: &finding.advisory });
    let installed =
        notice.packages.iter().take(INSTALLED_MAX).map(|(package, finding)| Installed {
            name: &package.package.name,
            version: &package.package.version,
            arch: package.package.arch.as_deref(),
            status: finding.status.as_str(),
            fixed: finding.fixed.as_deref(),
        });
    let payload = Payload {
        version: 1,
        vulnerability: Vulnerability {
            id: vulnerability,
            aliases: notice.aliases.iter().map(String::as_str).collect(),
            severity: Severity::as_str(severity),
            cvss: rated.cvss.as_ref().map(|cvss| Score {
                version: cvss.version.as_str(),
                score: cvss.score,
                vector: &cvss.vector,
            }),
            epss: facts.epss.as_ref().map(|epss| epss.score),
            kev: facts.kev.is_some(),
        },
        package: Package {
            ecosystem: key.ecosystem.as_str(),
            release: key.release.as_ref().map(pratique_model::Release::as_str),
            name: &key.name,
        },
        advisory,
        installed: installed.collect(),
        installed_count: notice.packages.len(),
    };
    serde_json::to_string(&payload).expect("texts and numbers make JSON")
}
