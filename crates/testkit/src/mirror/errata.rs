//! AlmaLinux's errata: a zip of OSV records for each release, each about a dozen binary packages.

use std::fmt::Write as _;
use std::io;

use super::container::Zip;
use super::noise::{Noise, package_name};
use super::{FeedSize, Mirror, Written};

/// The releases, in the order of their sizes in the scale.
const RELEASES: [u64; 3] = [8, 9, 10];

/// Binary packages of an erratum at most; real records have 6 KB.
const PACKAGES: u64 = 28;

/// Of so many errata one is a bug fix, which is no advisory.
const BUG_FIX_ONE_IN: u64 = 3;

pub(super) fn write(mirror: &Mirror<'_>) -> io::Result<FeedSize> {
    let mut size = FeedSize { feed: "almalinux", ..FeedSize::default() };
    for (release, count) in RELEASES.into_iter().zip(mirror.sizes.almalinux) {
        let path =
            format!("osv-vulnerabilities.storage.googleapis.com/AlmaLinux:{release}/all.zip");
        mirror.file(&mut size, &path, |file| {
            let mut noise = Noise::new(mirror.seed, &path);
            let mut zip = Zip::new(file);
            let mut written = Written::default();
            for number in 0..count {
                let cve = mirror.cves.name(mirror.cves.spread(number, count));
                let (id, text) = erratum(&mut noise, number, release, &cve);
                zip.add(&format!("{id}.json"), text.as_bytes())?;
                written.record_count += 1;
                written.plain_bytes += text.len() as u64;
            }
            zip.finish()?;
            Ok(written)
        })?;
    }
    Ok(size)
}

fn erratum(noise: &mut Noise, number: u64, release: u64, cve: &str) -> (String, String) {
    let kind = if number.is_multiple_of(BUG_FIX_ONE_IN) { "ALBA" } else { "ALSA" };
    let id = format!("{kind}-{}:{}", 2019 + number % 8, 1_000 + number);
    let name = package_name(noise.skewed(2_000));
    let word = noise.pick(&["Important", "Moderate", "Low", "Critical"]);
    let version = noise.version();
    let mut text = format!(
        "{{\n  \"id\": \"{id}\",\n  \"summary\": \"{word}: {name} security update\",\n  \
         \"affected\": ["
    );
    for index in 0..1 + noise.below(PACKAGES) {
        let comma = if index == 0 { "" } else { "," };
        let build = noise.below(90);
        let _ = write!(
            text,
            "{comma}\n    {{\n      \"package\": {{\n        \"ecosystem\": \"AlmaLinux:{release}\"\
             ,\n        \"name\": \"{name}-{index}\"\n      }},\n      \"ranges\": [\n        {{\n\
             \x20         \"type\": \"ECOSYSTEM\",\n          \"events\": [\n            {{\n\
             \x20             \"introduced\": \"0\"\n            }},\n            {{\n\
             \x20             \"fixed\": \"{version}-{build}.el{release}\"\n            }}\n\
             \x20         ]\n        }}\n      ]\n    }}"
        );
    }
    let (published, modified) = (noise.time(), noise.time());
    let _ = write!(
        text,
        "\n  ],\n  \"related\": [\"{cve}\"],\n  \"published\": \"{published}\",\n  \
         \"modified\": \"{modified}\",\n  \"details\": \""
    );
    noise.sentence(&mut text, 600);
    let _ = write!(
        text,
        "\",\n  \"references\": [\n    {{\n      \"url\": \"https://errata.example.org/{id}\",\n\
         \x20     \"type\": \"ADVISORY\"\n    }}\n  ]\n}}\n"
    );
    (id, text)
}
