//! Feeds in upstream's form, written from the few facts that a test or a benchmark is about.
//!
//! Only what our parsers read is written, in the order and with the member names that the
//! publishers use. Where each lies under a mirror is in the constant beside it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Where Debian's tracker lies under a mirror.
pub const DEBIAN: &str = "security-tracker.debian.org/tracker/data/json";

/// Where CISA's catalog of known exploited vulnerabilities lies under a mirror.
pub const KEV: &str = "www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json";

/// Where the exploit prediction scores lie under a mirror.
pub const EPSS: &str = "epss.empiricalsecurity.com/epss_scores-current.csv.gz";

/// What Debian says of one CVE in one source package of Debian 12.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DebianEntry {
    /// The source package.
    pub package: String,
    /// The CVE.
    pub cve: String,
    /// The version that mends it; `None` while it is open.
    pub fixed: Option<String>,
    /// `low`, `medium`, `high`, `unimportant`, `not yet assigned` …
    pub urgency: String,
    /// What it is about.
    pub description: String,
}

impl DebianEntry {
    /// An entry of medium urgency.
    pub fn new(package: &str, cve: &str, fixed: Option<&str>) -> Self {
        Self {
            package: package.to_owned(),
            cve: cve.to_owned(),
            fixed: fixed.map(str::to_owned),
            urgency: "medium".to_owned(),
            description: format!("A flaw of {package}"),
        }
    }

    fn to_json(&self) -> Value {
        let mut state = json!({
            "status": if self.fixed.is_some() { "resolved" } else { "open" },
            "repositories": {"bookworm": "1"},
            "urgency": self.urgency,
        });
        if let Some(fixed) = &self.fixed {
            state["fixed_version"] = json!(fixed);
        }
        json!({"description": self.description, "scope": "local", "releases": {"bookworm": state}})
    }
}

/// Debian's tracker, from entries in any order.
pub fn debian_tracker(entries: &[DebianEntry]) -> String {
    let mut packages: BTreeMap<&str, serde_json::Map<String, Value>> = BTreeMap::new();
    for entry in entries {
        packages.entry(&entry.package).or_default().insert(entry.cve.clone(), entry.to_json());
    }
    serde_json::to_string(&packages).expect("a tree of texts")
}

/// Where a file of Alpine's secdb lies under a mirror: branch `v3.10`, repository `main`.
pub fn secdb_path(branch: &str, repository: &str) -> String {
    format!("secdb.alpinelinux.org/{branch}/{repository}.json")
}

/// A file of Alpine's secdb: package, version that mends, ids.
pub fn secdb(branch: &str, repository: &str, fixes: &[(&str, &str, &[&str])]) -> String {
    let packages: Vec<Value> = fixes
        .iter()
        .map(|(name, version, ids)| json!({"pkg": {"name": name, "secfixes": {*version: ids}}}))
        .collect();
    json!({"distroversion": branch, "reponame": repository, "packages": packages}).to_string()
}

/// CISA's catalog with these CVEs.
pub fn kev(cves: &[&str]) -> String {
    let vulnerabilities: Vec<Value> = cves
        .iter()
        .map(|cve| {
            json!({"cveID": cve, "vendorProject": "v", "product": "p", "vulnerabilityName": "n",
                "dateAdded": "2026-01-02", "shortDescription": "s", "requiredAction": "a",
                "dueDate": "2026-02-02", "knownRansomwareCampaignUse": "Unknown", "notes": "",
                "cwes": []})
        })
        .collect();
    json!({"title": "t", "catalogVersion": "2026.01.02",
        "dateReleased": "2026-01-02T10:00:00.0000Z", "count": vulnerabilities.len(),
        "vulnerabilities": vulnerabilities})
    .to_string()
}

/// Scores of exploit prediction: CVE and probability.
pub fn epss(scores: &[(&str, f64)]) -> Vec<u8> {
    let mut text = "#model_version:v2025.03.14,score_date:2026-01-02T00:00:00Z\n\
                    cve,epss,percentile\n"
        .to_owned();
    for (cve, probability) in scores {
        let _ = writeln!(text, "{cve},{probability:.5},0.50000");
    }
    gzip(text.as_bytes())
}

/// Where the files of a year of NVD's feed lie under a mirror: its `.json.gz` and its `.meta`.
pub fn nvd_paths(year: u16) -> [String; 2] {
    ["json.gz", "meta"]
        .map(|end| format!("nvd.nist.gov/feeds/json/cve/2.0/nvdcve-2.0-{year}.{end}"))
}

/// A year of NVD's feed, its `.json.gz` and its `.meta`: CVE and CVSS 3.1 vector.
pub fn nvd_year(scores: &[(&str, &str)]) -> [Vec<u8>; 2] {
    let entries: Vec<Value> = scores
        .iter()
        .map(|(cve, vector)| {
            json!({"cve": {"id": cve, "vulnStatus": "Analyzed",
                "descriptions": [{"lang": "en", "value": "A flaw."}],
                "metrics": {"cvssMetricV31": [{"source": "nvd@nist.gov", "type": "Primary",
                    "cvssData": {"version": "3.1", "vectorString": vector}}]}}})
        })
        .collect();
    let text = json!({"format": "NVD_CVE", "version": "2.0",
        "timestamp": "2026-01-02T10:00:00.000", "vulnerabilities": entries})
    .to_string();
    let digest = Sha256::digest(text.as_bytes());
    let digest = digest.iter().fold(String::new(), |text, byte| format!("{text}{byte:02X}"));
    let meta = format!(
        "lastModifiedDate:2026-01-02T10:00:00-05:00\r\nsize:{}\r\nsha256:{digest}\r\n",
        text.len()
    );
    [gzip(text.as_bytes()), meta.into_bytes()]
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}
