//! Facts about CVEs: CISA's catalog of known exploited ones, and exploit prediction scores.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};

use super::container::gzip;
use super::noise::{Noise, package_name};
use super::{FeedSize, Mirror, Written};
use crate::feed;

pub(super) fn write_kev(mirror: &Mirror<'_>) -> io::Result<FeedSize> {
    let mut size = FeedSize { feed: "kev", ..FeedSize::default() };
    let mut noise = Noise::new(mirror.seed, "kev");
    let count = mirror.sizes.kev;
    let mut text = format!(
        "{{\n    \"title\": \"Known Exploited Vulnerabilities\",\n    \"catalogVersion\": \
         \"2026.08.07\",\n    \"dateReleased\": \"2026-08-07T16:45:47.0648Z\",\n    \"count\": \
         {count},\n    \"vulnerabilities\": ["
    );
    for number in 0..count {
        let cve = mirror.cves.name(mirror.cves.spread(number, count));
        let (vendor, product) = (noise.skewed(300), noise.skewed(800));
        let (vendor, product) = (package_name(vendor), package_name(product));
        let is_known = if noise.is_one_in(5) { "Known" } else { "Unknown" };
        let (date, comma) = (noise.time(), if number == 0 { "" } else { "," });
        let _ = write!(
            text,
            "{comma}\n        {{\n            \"cveID\": \"{cve}\",\n            \
             \"vendorProject\": \"{vendor}\",\n            \"product\": \
             \"{product}\",\n            \"vulnerabilityName\": \"{product}\",\n            \
             \"dateAdded\": \"{date:.10}\",\n            \"shortDescription\": \""
        );
        noise.sentence(&mut text, 250);
        let _ = write!(
            text,
            "\",\n            \"requiredAction\": \"Apply mitigations.\",\n            \
             \"dueDate\": \"{date:.10}\",\n            \"knownRansomwareCampaignUse\": \
             \"{is_known}\",\n            \"notes\": \"https://cve.example.org/{cve}\",\n            \
             \"cwes\": [\"CWE-{}\"]\n        }}",
            noise.below(1_300)
        );
    }
    text.push_str("\n    ]\n}\n");
    mirror.file(&mut size, feed::KEV, |file| {
        file.write_all(text.as_bytes())?;
        Ok(Written { record_count: count, plain_bytes: text.len() as u64 })
    })?;
    Ok(size)
}

pub(super) fn write_epss(mirror: &Mirror<'_>) -> io::Result<FeedSize> {
    let mut size = FeedSize { feed: "epss", ..FeedSize::default() };
    mirror.file(&mut size, feed::EPSS, |file| scores(mirror, file))?;
    Ok(size)
}

fn scores(mirror: &Mirror<'_>, file: &mut BufWriter<File>) -> io::Result<Written> {
    let mut noise = Noise::new(mirror.seed, "epss");
    let count = mirror.sizes.epss;
    let mut text = String::from(
        "#model_version:v2025.03.14,score_date:2026-08-16T12:55:00Z\ncve,epss,percentile\n",
    );
    for number in 0..count {
        let cve = mirror.cves.name(mirror.cves.spread(number, count));
        let (score, percentile) = (noise.skewed(100_000), noise.below(100_000));
        let _ = writeln!(text, "{cve},0.{score:05},0.{percentile:05}");
    }
    let mut packed = gzip(file);
    packed.write_all(text.as_bytes())?;
    packed.finish()?;
    Ok(Written { record_count: count, plain_bytes: text.len() as u64 })
}
