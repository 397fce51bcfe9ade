//! A record of the OSV schema about a flaw, as osv.dev publishes those of GHSA and others.

use std::fmt::Write as _;

use super::noise::{Noise, package_name};

/// Letters of a GHSA id.
const GHSA_LETTERS: &[u8] = b"23456789cfghjmpqrvwx";

/// What a record is about.
pub(super) struct Subject<'a> {
    /// osv.dev's name of the ecosystem.
    pub(super) ecosystem: &'static str,
    /// The CVE.
    pub(super) cve: &'a str,
    /// The number of the package.
    pub(super) package: u64,
    /// How many versions are listed at most.
    pub(super) versions: u64,
}

/// An id that no other number has, and the record.
pub(super) fn flaw(noise: &mut Noise, number: u64, subject: &Subject<'_>) -> (String, String) {
    let &Subject { ecosystem, cve, package, versions } = subject;
    let year = 2018 + number % 9;
    let id = match ecosystem {
        "Go" => format!("GO-{year}-{number:04}"),
        "crates.io" => format!("RUSTSEC-{year}-{number:04}"),
        "Bitnami" => format!("BIT-{}-{}", package_name(package), &cve["CVE-".len()..]),
        _ => ghsa(number),
    };
    let kind = if matches!(ecosystem, "Go" | "crates.io" | "npm") { "SEMVER" } else { "ECOSYSTEM" };
    let name = name_in(ecosystem, package);
    let (published, modified, vector) = (noise.time(), noise.time(), noise.vector());
    let mut text = format!(
        "{{\"schema_version\":\"1.7.3\",\"id\":\"{id}\",\"modified\":\"{modified}\",\
         \"published\":\"{published}\",\"aliases\":[\"{cve}\"],\"summary\":\""
    );
    noise.sentence(&mut text, 60);
    text.push_str("\",\"details\":\"");
    let length = 200 + noise.skewed(2_200);
    noise.sentence(&mut text, usize::try_from(length).expect("a short text"));
    let _ = write!(
        text,
        "\",\"severity\":[{{\"type\":\"CVSS_V3\",\"score\":\"{vector}\"}}],\
         \"affected\":[{{\"package\":{{\"name\":\"{name}\",\"ecosystem\":\"{ecosystem}\"}},\
         \"ranges\":[{{\"type\":\"{kind}\",\"events\":[{{\"introduced\":\"0\"}}"
    );
    if !noise.is_one_in(8) {
        let _ = write!(text, ",{{\"fixed\":\"{}\"}}", noise.version());
    }
    text.push_str("]}],\"versions\":[");
    for listed in 0..noise.below(versions + 1) {
        let comma = if listed == 0 { "" } else { "," };
        let _ = write!(text, "{comma}\"0.{}.{}\"", listed / 10, listed % 10);
    }
    text.push_str("]}],\"references\":[");
    for index in 0..2 + noise.below(4) {
        let comma = if index == 0 { "" } else { "," };
        let page = noise.below(100_000);
        let _ = write!(
            text,
            "{comma}{{\"type\":\"WEB\",\"url\":\"https://{name}.example.org/advisories/{page}\"}}"
        );
    }
    let word = noise.pick(&["LOW", "MODERATE", "HIGH", "CRITICAL"]);
    let _ = write!(
        text,
        "],\"database_specific\":{{\"cwe_ids\":[\"CWE-{}\"],\"github_reviewed\":true,\
         \"severity\":\"{word}\"}}}}",
        noise.below(1_300)
    );
    (id, text)
}

/// A record about a malicious package; its only weight are digests of what was found.
pub(super) fn malice(noise: &mut Noise, number: u64, ecosystem: &str) -> (String, String) {
    let id = format!("MAL-{}-{number}", 2022 + number % 5);
    let name = format!("{}-{number}", package_name(noise.below(50_000)));
    let (published, modified) = (noise.time(), noise.time());
    let mut text = format!(
        "{{\"modified\":\"{modified}\",\"published\":\"{published}\",\
         \"schema_version\":\"1.7.3\",\"id\":\"{id}\",\
         \"summary\":\"Malicious code in {name} ({ecosystem})\",\"details\":\""
    );
    noise.sentence(&mut text, 320);
    let version = noise.version();
    let _ = write!(
        text,
        "\",\"affected\":[{{\"package\":{{\"ecosystem\":\"{ecosystem}\",\"name\":\"{name}\"}},\
         \"ranges\":[{{\"type\":\"SEMVER\",\"events\":[{{\"introduced\":\"0\"}}]}}],\
         \"versions\":[\"{version}\"],\"database_specific\":{{\"cwes\":[{{\"cweId\":\"CWE-506\"}}],\
         \"source\":\"https://malice.example.org/{ecosystem}/{name}/{id}.json\"}}}}],\
         \"references\":[],\"credits\":[{{\"name\":\"A finder\",\"type\":\"FINDER\"}}],\
         \"database_specific\":{{\"malicious-packages-origins\":[{{\"import_time\":\"{modified}\",\
         \"modified_time\":\"{published}\",\"source\":\"finder\",\"versions\":[\"{version}\"],\
         \"sha256\":\""
    );
    noise.hex(&mut text, 64);
    text.push_str("\"}]}}");
    (id, text)
}

/// The name that a package has in an ecosystem.
fn name_in(ecosystem: &str, number: u64) -> String {
    let name = package_name(number);
    match ecosystem {
        "Go" => format!("github.com/owner{}/{name}", number % 97),
        "Maven" => format!("org.example.group{}:{name}", number % 97),
        "Packagist" => format!("vendor{}/{name}", number % 97),
        "npm" if number.is_multiple_of(3) => format!("@scope{}/{name}", number % 97),
        _ => name,
    }
}

fn ghsa(number: u64) -> String {
    let base = GHSA_LETTERS.len() as u64;
    let mut rest = number;
    let mut id = String::from("GHSA");
    for index in 0..12 {
        if index % 4 == 0 {
            id.push('-');
        }
        let letter = usize::try_from(rest % base).expect("below a length");
        id.push(char::from(GHSA_LETTERS[letter]));
        rest /= base;
    }
    id
}
