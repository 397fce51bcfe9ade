//! NVD's yearly files in the form of its API 2.0, and the file beside each that tells its digest.
//!
//! Most of an item is what we do not read: configurations, links, weaknesses, texts in Spanish.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};

use sha2::{Digest as _, Sha256};

use super::container::gzip;
use super::noise::{Noise, package_name};
use super::{FeedSize, Mirror, Written, share};
use crate::feed;

pub(super) fn write(mirror: &Mirror<'_>) -> io::Result<FeedSize> {
    let mut size = FeedSize { feed: "nvd", ..FeedSize::default() };
    let years: Vec<(u16, std::ops::Range<u64>)> = mirror.cves.years().collect();
    let weights: Vec<u64> = years.iter().map(|(_, cves)| cves.end - cves.start).collect();
    for (index, (year, cves)) in years.iter().enumerate() {
        // Evenly those of the year, so that other feeds speak of CVEs that stand here.
        let count = share(mirror.sizes.nvd, &weights, index).min(weights[index]);
        let chosen = (0..count).map(|number| cves.start + number * weights[index] / count);
        let [packed, about] = feed::nvd_paths(*year);
        let mut meta = String::new();
        mirror.file(&mut size, &packed, |file| {
            let (written, text) = year_file(mirror, *year, chosen, count, file)?;
            meta = text;
            Ok(written)
        })?;
        mirror.file(&mut size, &about, |file| {
            file.write_all(meta.as_bytes())?;
            Ok(Written { record_count: 0, plain_bytes: meta.len() as u64 })
        })?;
    }
    Ok(size)
}

/// Writes the items; gives the content of the `.meta`, too.
fn year_file(
    mirror: &Mirror<'_>,
    year: u16,
    cves: impl Iterator<Item = u64>,
    count: u64,
    file: &mut BufWriter<File>,
) -> io::Result<(Written, String)> {
    let mut noise = Noise::new(mirror.seed, &format!("nvd {year}"));
    let mut packed = gzip(file);
    let mut hash = Sha256::new();
    let mut written = Written { record_count: count, plain_bytes: 0 };
    let mut put = |text: &str| {
        hash.update(text.as_bytes());
        written.plain_bytes += text.len() as u64;
        packed.write_all(text.as_bytes())
    };
    put(&format!(
        "{{\"resultsPerPage\":{count},\"startIndex\":0,\"totalResults\":{count},\
         \"format\":\"NVD_CVE\",\"version\":\"2.0\",\"timestamp\":\"2026-08-22T00:00:00.000\",\
         \"vulnerabilities\":["
    ))?;
    let mut text = String::new();
    for (number, cve) in cves.enumerate() {
        text.clear();
        if number > 0 {
            text.push(',');
        }
        item(&mut noise, &mut text, &mirror.cves.name(cve), mirror.sizes.nvd_matches);
        put(&text)?;
    }
    put("]}")?;
    packed.finish()?;
    let digest = hash.finalize();
    let digest = digest.iter().fold(String::new(), |text, byte| format!("{text}{byte:02X}"));
    let meta = format!(
        "lastModifiedDate:2026-08-22T00:00:00-04:00\r\nsize:{}\r\nsha256:{digest}\r\n",
        written.plain_bytes
    );
    Ok((written, meta))
}

fn item(noise: &mut Noise, text: &mut String, cve: &str, matches: u64) {
    let (published, modified) = (noise.time(), noise.time());
    let status = noise.pick(&["Analyzed", "Modified", "Deferred", "Awaiting Analysis"]);
    let _ = write!(
        text,
        "{{\"cve\":{{\"id\":\"{cve}\",\"sourceIdentifier\":\"cve@example.org\",\
         \"published\":\"{published:.19}.000\",\"lastModified\":\"{modified:.19}.000\",\
         \"vulnStatus\":\"{status}\",\"cveTags\":[],\"descriptions\":[{{\"lang\":\"en\",\
         \"value\":\""
    );
    let length = 150 + noise.below(400);
    noise.sentence(text, usize::try_from(length).expect("a short text"));
    text.push_str("\"},{\"lang\":\"es\",\"value\":\"");
    noise.sentence(text, usize::try_from(length).expect("a short text"));
    text.push_str("\"}],\"metrics\":{\"cvssMetricV31\":[");
    metric(noise, text, "cve@example.org", "Secondary");
    text.push(',');
    metric(noise, text, "nvd@nist.gov", "Primary");
    let _ = write!(
        text,
        "]}},\"weaknesses\":[{{\"source\":\"nvd@nist.gov\",\"type\":\"Primary\",\
         \"description\":[{{\"lang\":\"en\",\"value\":\"CWE-{}\"}}]}}],\"configurations\":\
         [{{\"nodes\":[{{\"operator\":\"OR\",\"negate\":false,\"cpeMatch\":[",
        noise.below(1_300)
    );
    let product = package_name(noise.skewed(40_000));
    for index in 0..=noise.below(matches) {
        let comma = if index == 0 { "" } else { "," };
        let version = noise.version();
        let _ = write!(
            text,
            "{comma}{{\"vulnerable\":true,\"criteria\":\"cpe:2.3:a:{product}:{product}:*:*:*:*:*:*\
             :*:*\",\"versionEndExcluding\":\"{version}\",\"matchCriteriaId\":\""
        );
        noise.hex(text, 32);
        text.push_str("\"}");
    }
    text.push_str("]}]}],\"references\":[");
    for index in 0..2 + noise.below(6) {
        let comma = if index == 0 { "" } else { "," };
        let page = noise.below(1_000_000);
        let _ = write!(
            text,
            "{comma}{{\"url\":\"https://{product}.example.org/security/{page}\",\
             \"source\":\"cve@example.org\",\"tags\":[\"Vendor Advisory\"]}}"
        );
    }
    text.push_str("]}}");
}

/// One score, with all that NVD spells out beside the vector.
fn metric(noise: &mut Noise, text: &mut String, source: &str, kind: &str) {
    let vector = noise.vector();
    let score = 1 + noise.below(9);
    let _ = write!(
        text,
        "{{\"source\":\"{source}\",\"type\":\"{kind}\",\"cvssData\":{{\"version\":\"3.1\",\
         \"vectorString\":\"{vector}\",\"baseScore\":{score}.8,\"baseSeverity\":\"HIGH\",\
         \"attackVector\":\"NETWORK\",\"attackComplexity\":\"LOW\",\"privilegesRequired\":\"NONE\",\
         \"userInteraction\":\"NONE\",\"scope\":\"UNCHANGED\",\"confidentialityImpact\":\"HIGH\",\
         \"integrityImpact\":\"HIGH\",\"availabilityImpact\":\"HIGH\"}},\
         \"exploitabilityScore\":3.9,\"impactScore\":5.9}}"
    );
}
