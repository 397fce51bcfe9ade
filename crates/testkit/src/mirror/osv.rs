//! osv.dev's zips of language packages, one for each ecosystem.

use std::io;

use super::advisory::{Subject, flaw, malice};
use super::container::Zip;
use super::noise::Noise;
use super::{FeedSize, Mirror, Written};

/// Flaws of one package, on average.
const PER_PACKAGE: u64 = 4;

pub(super) fn write(mirror: &Mirror<'_>) -> io::Result<Vec<FeedSize>> {
    let mut feeds = Vec::new();
    for zip_size in mirror.sizes.osv {
        let ecosystem = zip_size.ecosystem;
        let mut size = FeedSize { feed: zip_size.feed, ..FeedSize::default() };
        let path = format!("osv-vulnerabilities.storage.googleapis.com/{ecosystem}/all.zip");
        mirror.file(&mut size, &path, |file| {
            let mut noise = Noise::new(mirror.seed, zip_size.feed);
            let mut zip = Zip::new(file);
            let mut written = Written::default();
            for number in 0..zip_size.advisories + zip_size.malicious {
                let (id, text) = if number < zip_size.advisories {
                    let cve = mirror.cves.spread(number, zip_size.advisories);
                    let subject = Subject {
                        ecosystem,
                        cve: &mirror.cves.name(cve),
                        package: noise.skewed(zip_size.advisories / PER_PACKAGE),
                        versions: zip_size.versions,
                    };
                    flaw(&mut noise, number, &subject)
                } else {
                    malice(&mut noise, number, ecosystem)
                };
                zip.add(&format!("{id}.json"), text.as_bytes())?;
                written.record_count += 1;
                written.plain_bytes += text.len() as u64;
            }
            zip.finish()?;
            Ok(written)
        })?;
        feeds.push(size);
    }
    Ok(feeds)
}
