//! One entry of NVD's feed.

use pratique_model::{Cvss, CvssVersion, NvdScore, is_cve};
use serde::Deserialize;

use crate::text::quoted;

/// NVD's own address among the sources of scores.
const NVD: &str = "nvd@nist.gov";

/// CISA's enrichment of CVE records names itself by this number.
const CISA: (&str, &str) = ("134c704f-9b21-4f2e-91b3-4a467353bcc0", "cisa.gov");

#[derive(Deserialize)]
struct Item {
    cve: Cve,
}

#[derive(Deserialize)]
struct Cve {
    id: String,
    #[serde(rename = "vulnStatus", default)]
    status: String,
    #[serde(default)]
    descriptions: Vec<Description>,
    #[serde(default)]
    metrics: Metrics,
}

#[derive(Deserialize)]
struct Description {
    lang: String,
    value: String,
}

/// The scores; members that are none of these (`ssvcV203`) are passed over.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Metrics {
    #[serde(rename = "cvssMetricV40")]
    v4: Vec<Metric>,
    #[serde(rename = "cvssMetricV31")]
    v3_1: Vec<Metric>,
    #[serde(rename = "cvssMetricV30")]
    v3_0: Vec<Metric>,
    #[serde(rename = "cvssMetricV2")]
    v2: Vec<Metric>,
}

#[derive(Deserialize)]
struct Metric {
    source: String,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(rename = "cvssData")]
    data: CvssData,
}

#[derive(Deserialize)]
struct CvssData {
    #[serde(rename = "vectorString")]
    vector: String,
}

/// Where a score stands: NVD's own first, then those that NVD calls primary, then the others, and
/// among these the newest version first.
type Place = (bool, bool, std::cmp::Reverse<CvssVersion>);

/// Reads an entry; the second result is remarks about scores that could not be read.
///
/// # Errors
/// In words, when it is no entry.
pub(super) fn score(text: &[u8]) -> Result<(NvdScore, Vec<String>), String> {
    let Item { cve } = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    if !is_cve(&cve.id) {
        return Err(format!("not a CVE id: {}", quoted(&cve.id)));
    }
    let is_rejected = cve.status.eq_ignore_ascii_case("rejected");
    let mut remarks = Vec::new();
    let mut placed: Vec<(Place, Cvss)> = Vec::new();
    let Metrics { v4, v3_1, v3_0, v2 } = cve.metrics;
    for metric in [v4, v3_1, v3_0, v2].into_iter().flatten().filter(|_| !is_rejected) {
        match Cvss::parse(&metric.data.vector, scorer(&metric.source)) {
            Ok(cvss) => {
                let is_others = metric.source != NVD;
                let is_secondary = metric.kind != "Primary";
                let place = (is_others, is_secondary, std::cmp::Reverse(cvss.version));
                placed.push((place, cvss));
            }
            Err(error) => remarks.push(error.to_string()),
        }
    }
    placed.sort_by_key(|(place, _)| *place);
    let english = |text: &Description| text.lang == "en" || text.lang.starts_with("en-");
    Ok((
        NvdScore {
            vulnerability: cve.id,
            cvss: placed.into_iter().map(|(_, cvss)| cvss).collect(),
            is_rejected,
            description: cve.descriptions.into_iter().find(english).map(|text| text.value),
        },
        remarks,
    ))
}

/// Who scored: `nvd`, or the domain of a numbering authority.
fn scorer(source: &str) -> &str {
    match source {
        NVD => "nvd",
        number if number == CISA.0 => CISA.1,
        address => address.rsplit_once('@').map_or(address, |(_, domain)| domain),
    }
}
