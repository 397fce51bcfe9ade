//! Alpine's secdb, and Wolfi's and Chainguard's in the same form: ids by package and version.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::noise::{Noise, package_name};
use super::{FeedSize, Mirror, Written, share};
use crate::feed;

/// The newest branch of 2026, v3.24; the first that has a secdb is v3.2.
const BRANCHES: std::ops::RangeInclusive<u64> = 2..=24;

/// Ids of one package, on average.
const PER_PACKAGE: u64 = 12;

/// Of so many ids, `community` has two thirds.
const COMMUNITY: [u64; 2] = [1, 2];

pub(super) fn write_alpine(mirror: &Mirror<'_>) -> io::Result<FeedSize> {
    let mut size = FeedSize { feed: "alpine", ..FeedSize::default() };
    let mut branches: Vec<String> = BRANCHES.map(|minor| format!("v3.{minor}")).collect();
    branches.push("edge".to_owned());
    // Branches grow about evenly, from a few hundred ids to edge's ten thousand.
    let weights: Vec<u64> = (1..=branches.len() as u64).collect();
    for (index, branch) in branches.iter().enumerate() {
        let ids = share(mirror.sizes.alpine, &weights, index);
        for (number, repository) in ["main", "community"].into_iter().enumerate() {
            let ids = share(ids, &COMMUNITY, number);
            // What a branch mends is about the same as what its neighbour does.
            let mut noise = Noise::new(mirror.seed, &format!("alpine {repository}"));
            let head = format!(
                "{{\"apkurl\":\"{{{{urlprefix}}}}/{{{{pkg.name}}}}-{{{{pkg.ver}}}}.apk\",\
                 \"archs\":[\"x86_64\",\"aarch64\"],\"reponame\":\"{repository}\",\
                 \"urlprefix\":\"https://dl-cdn.alpinelinux.org/alpine\",\
                 \"distroversion\":\"{branch}\",\"packages\":["
            );
            let path = feed::secdb_path(branch, repository);
            mirror.file(&mut size, &path, |file| database(mirror, &mut noise, &head, ids, file))?;
        }
    }
    Ok(size)
}

/// A distribution without releases, `wolfi` or `chainguard`.
pub(super) fn write_rolling(mirror: &Mirror<'_>, name: &'static str) -> io::Result<FeedSize> {
    let (ids, path) = match name {
        "wolfi" => (mirror.sizes.wolfi, "packages.wolfi.dev/os/security.json"),
        _ => (mirror.sizes.chainguard, "packages.cgr.dev/chainguard/security.json"),
    };
    let mut size = FeedSize { feed: name, ..FeedSize::default() };
    let mut noise = Noise::new(mirror.seed, name);
    let head = format!(
        "{{\"apkurl\":\"{{{{urlprefix}}}}/{{{{pkg.name}}}}-{{{{pkg.ver}}}}.apk\",\
         \"archs\":[\"x86_64\",\"aarch64\"],\"reponame\":\"os\",\
         \"urlprefix\":\"https://packages.{name}.example.org\",\"packages\":["
    );
    mirror.file(&mut size, path, |file| database(mirror, &mut noise, &head, ids, file))?;
    Ok(size)
}

fn database(
    mirror: &Mirror<'_>,
    noise: &mut Noise,
    head: &str,
    ids: u64,
    file: &mut impl Write,
) -> io::Result<Written> {
    let mut text = head.to_owned();
    let mut left = ids;
    let mut number = 0;
    while left > 0 {
        let count = (1 + noise.skewed(4 * PER_PACKAGE)).min(left);
        left -= count;
        let comma = if number == 0 { "" } else { "," };
        number += 1;
        let name = package_name(number);
        let _ = write!(text, "{comma}{{\"pkg\":{{\"name\":\"{name}\",\"secfixes\":{{");
        // Each id once, newer ones under newer versions.
        let first = noise.below(mirror.cves.count() - count);
        let mut minor = 0;
        for index in 0..count {
            let begins = index == 0 || noise.is_one_in(2);
            if begins {
                let end = if index == 0 { "" } else { "]," };
                let _ = match index == 0 && noise.is_one_in(4) {
                    true => write!(text, "{end}\"0\":["),
                    false => write!(text, "{end}\"1.{minor}.{}-r{}\":[", number % 7, minor % 4),
                };
                minor += 1;
            } else {
                text.push(',');
            }
            let _ = write!(text, "\"{}\"", mirror.cves.name(first + index));
        }
        text.push_str("]}}}");
    }
    text.push_str("]}");
    file.write_all(text.as_bytes())?;
    Ok(Written { record_count: ids, plain_bytes: text.len() as u64 })
}
