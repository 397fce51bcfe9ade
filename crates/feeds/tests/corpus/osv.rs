//! osv.dev's zips of language packages.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use pratique_model::{Affected, Ecosystem, Range, Severity};
use pratique_version::Scheme;

use crate::corpus::{self, Read};

const PARTS: [(&str, usize); 9] = [
    ("osv/PyPI", 2661),
    ("osv/npm", 16),
    ("osv/Go", 4291),
    ("osv/crates.io", 1206),
    ("osv/Maven", 380),
    ("osv/RubyGems", 24),
    ("osv/NuGet", 10),
    ("osv/Packagist", 7),
    ("osv/Bitnami", 7444),
];

/// The records of a zip by untyped JSON, by id.
fn records(part: &str) -> BTreeMap<String, Value> {
    let mut records = BTreeMap::new();
    corpus::each_file(&corpus::part(part).documents[0], &mut |_, content| {
        let mut text = String::new();
        content.read_to_string(&mut text).expect("the record is UTF-8");
        let record: Value = serde_json::from_str(&text).expect("the record is JSON");
        records.insert(record["id"].as_str().expect("it has an id").to_owned(), record);
    });
    records
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// Whether OSV's own evaluation calls `version` affected by a list of events: they are walked in
/// the order of versions (google.github.io/osv.dev, "Evaluation").
fn is_hit(scheme: Scheme, events: &[Value], version: &str) -> Option<bool> {
    let mut steps: Vec<(String, &str)> = Vec::new();
    for event in events {
        for kind in ["introduced", "fixed", "last_affected"] {
            if let Some(at) = event[kind].as_str() {
                steps.push((at.to_owned(), kind));
            }
        }
    }
    let mut problem = false;
    steps.sort_by(|(left, _), (right, _)| match (left.as_str(), right.as_str()) {
        ("0", "0") => std::cmp::Ordering::Equal,
        ("0", _) => std::cmp::Ordering::Less,
        (_, "0") => std::cmp::Ordering::Greater,
        (left, right) => scheme.compare(left, right).unwrap_or_else(|_| {
            problem = true;
            std::cmp::Ordering::Equal
        }),
    });
    // Where an interval ends and the next begins at one version, the end comes first; where none is
    // open, one begins before it ends.
    let mut is_open = false;
    for group in steps.chunk_by_mut(|left, right| left.0 == right.0) {
        group.sort_by_key(|(_, kind)| (*kind == "introduced") == is_open);
        is_open = group.last().is_some_and(|(_, kind)| *kind == "introduced");
    }
    let mut hit = false;
    for (at, kind) in &steps {
        let order = match at.as_str() {
            "0" => std::cmp::Ordering::Greater,
            at => scheme.compare(version, at).ok()?,
        };
        match *kind {
            "introduced" if order.is_ge() => hit = true,
            "fixed" if order.is_ge() => hit = false,
            "last_affected" if order.is_gt() => hit = false,
            _ => {}
        }
    }
    (!problem).then_some(hit)
}

/// Whether an interval holds `version`.
fn holds(scheme: Scheme, range: &Range, version: &str) -> bool {
    let compare = |bound: &str| scheme.compare(version, bound).expect("it was ordered before");
    range.introduced.as_deref().is_none_or(|from| compare(from).is_ge())
        && range.fixed.as_deref().is_none_or(|until| compare(until).is_lt())
        && range.last_affected.as_deref().is_none_or(|last| compare(last).is_le())
}

/// Whether an entry names versions at all, by range or by name.
fn is_matchable(entry: &Value) -> bool {
    let ranges = list(entry, "ranges");
    ranges.iter().any(|range| range["type"] != "GIT") || !list(entry, "versions").is_empty()
}

#[test]
fn osv_whole_zips_are_read() {
    for (part, count) in PARTS {
        let Some(read) = corpus::read(part) else { return };
        assert_eq!(read.quarantined, [], "{part}");
        let records = records(part);
        assert_eq!((read.advisories.len(), records.len()), (count, count), "{part}");
        let newest = records.values().filter_map(|it| it["modified"].as_str());
        let newest = newest.filter_map(|at| at.parse::<jiff::Timestamp>().ok()).max();
        assert_eq!(read.summary.as_of, newest, "{part}");
        let name = part.split_once('/').map_or("", |(_, name)| name);
        for advisory in &read.advisories {
            let record = &records[&advisory.id];
            assert_eq!(advisory.withdrawn.is_some(), record.get("withdrawn").is_some());
            let cves: BTreeSet<&str> = list(record, "aliases")
                .iter()
                .filter_map(Value::as_str)
                .filter(|id| id.starts_with("CVE-"))
                .collect();
            assert!(advisory.vulnerabilities.iter().map(String::as_str).eq(cves), "{advisory:?}");
            let own = list(record, "affected").iter().filter(|it| {
                let ecosystem = it["package"]["ecosystem"].as_str().unwrap_or_default();
                ecosystem.split(':').next() == Some(name) && is_matchable(it)
            });
            assert_eq!(advisory.affected.len(), own.count(), "{}", advisory.id);
        }
    }
}

/// Every version that OSV enumerates or names as a bound is judged by our intervals as OSV's own
/// walk over the events judges it.
#[test]
fn osv_intervals_say_what_the_events_say() {
    let mut judged = 0_u64;
    for (part, _) in PARTS {
        let Some(read) = corpus::read(part) else { return };
        let records = records(part);
        let name = part.split_once('/').map_or("", |(_, name)| name);
        for advisory in &read.advisories {
            let entries = list(&records[&advisory.id], "affected")
                .iter()
                .filter(|it| it["package"]["ecosystem"] == name && is_matchable(it));
            for (entry, affected) in entries.zip(&advisory.affected) {
                judged += judge(&advisory.id, entry, affected);
            }
        }
    }
    assert!(judged > 200_000, "{judged} versions were judged");
}

/// How many versions of one entry were judged.
fn judge(id: &str, entry: &Value, affected: &Affected) -> u64 {
    let scheme = affected.ecosystem.scheme();
    let ranges = || list(entry, "ranges").iter().filter(|range| range["type"] != "GIT");
    let bounds = ranges()
        .flat_map(|range| list(range, "events"))
        .flat_map(|event| event.as_object().expect("an event").values())
        .filter_map(Value::as_str);
    let enumerated = list(entry, "versions").iter().filter_map(Value::as_str);
    let is_listed = |version: &str| list(entry, "versions").iter().any(|it| *it == version);
    let mut judged = 0;
    for version in enumerated.chain(bounds).filter(|version| *version != "0") {
        let hits: Option<Vec<bool>> =
            ranges().map(|range| is_hit(scheme, list(range, "events"), version)).collect();
        let expected = match hits {
            Some(hits) => is_listed(version) || hits.contains(&true),
            // It cannot be ordered: then it counts only by name.
            None if scheme.key(version).is_err() => is_listed(version),
            None => continue,
        };
        let by_range = scheme.key(version).is_ok()
            && affected.ranges.iter().any(|range| holds(scheme, range, version));
        let found = by_range || affected.versions.iter().any(|it| it == version);
        assert_eq!(found, expected, "{id} {} {version}: {affected:?}", affected.package);
        judged += 1;
    }
    judged
}

/// Trap 4, on Go's whole database.
#[test]
fn trap_4_go_ranges_names_and_platforms() {
    let Some(read) = corpus::read("osv/Go") else { return };
    let count = |test: &dyn Fn(&Affected) -> bool| {
        read.statements().filter(|(_, affected)| test(affected)).count()
    };
    assert_eq!(count(&|it| it.remark.is_some()), 589, "custom_ranges");
    assert_eq!(count(&|it| it.ranges.len() > 1), 851, "several introduced in one range");
    assert_eq!(count(&|it| it.package == "stdlib"), 168);
    assert!(count(&|it| it.package == "toolchain") > 20);
    assert!(count(&|it| it.package.chars().any(char::is_uppercase)) > 50, "names keep their case");
    assert!(count(&|it| it.versions.is_empty() && it.ranges.is_empty()) == 0);
    let only_windows: BTreeSet<&str> =
        read.statements().filter(|(_, it)| it.platforms == ["windows"]).map(|(id, _)| id).collect();
    for id in ["GO-2021-0051", "GO-2021-0068", "GO-2021-0098", "GO-2021-0223"] {
        assert!(only_windows.contains(id), "{id}");
    }
    let jose = read.about("GO-2020-0009", "github.com/square/go-jose");
    assert!(jose[0].platforms.contains(&"linux/386".to_owned()));
    assert!(!jose[0].platforms.contains(&"linux/amd64".to_owned()));
}

/// Trap 4: what the ranges say of the modules of a real binary is the expected list.
#[test]
fn trap_4_go_modules_of_a_binary_are_judged_as_expected() {
    let Some(read) = corpus::read("osv/Go") else { return };
    let truth = corpus::feeds().expect("it is there").with_file_name("truth");
    let table = |name: &str| {
        let text = std::fs::read_to_string(truth.join(name)).expect("the table is there");
        let rows = text.lines().skip(1).map(|row| row.split('\t').map(str::to_owned).collect());
        rows.collect::<Vec<Vec<String>>>()
    };
    let expected: BTreeSet<(String, String)> = table("distroless-go.language.expected.tsv")
        .into_iter()
        .map(|row| (row[4].clone(), row[2].clone()))
        .collect();
    let mut found = BTreeSet::new();
    let scheme = Ecosystem::Golang.scheme();
    for package in table("distroless-go.language-packages.tsv") {
        let [_, _, name, version, ..] = package.as_slice() else { panic!("{package:?}") };
        for advisory in read.advisories.iter().filter(|it| it.withdrawn.is_none()) {
            for affected in advisory.affected.iter().filter(|it| it.package == *name) {
                if affected.ranges.iter().any(|range| holds(scheme, range, version)) {
                    found.insert((advisory.id.clone(), name.clone()));
                }
            }
        }
    }
    assert_eq!(found, expected);
    let windows =
        |id: &str| read.statements().any(|(of, it)| of == id && it.platforms == ["windows"]);
    assert_eq!(found.iter().filter(|(id, _)| windows(id)).count(), 2, "Windows only");
}

/// Trap 5: enumerated versions that are not PEP 440 are kept, to match by name.
#[test]
fn trap_5_pypi_versions_that_cannot_be_ordered_are_kept() {
    let Some(read) = corpus::read("osv/PyPI") else { return };
    let records = records("osv/PyPI");
    let mut odd = BTreeSet::new();
    for (id, record) in &records {
        for entry in list(record, "affected") {
            for version in list(entry, "versions").iter().filter_map(Value::as_str) {
                if Scheme::Pypi.key(version).is_err() {
                    odd.insert((id.as_str(), version));
                }
            }
        }
    }
    let kept: BTreeSet<(&str, &str)> = read
        .statements()
        .flat_map(|(id, it)| it.versions.iter().map(move |version| (id, version.as_str())))
        .collect();
    assert!(odd.is_subset(&kept), "lost: {:?}", odd.difference(&kept).collect::<Vec<_>>());
    let texts: BTreeSet<&str> = odd.iter().map(|(_, version)| *version).collect();
    assert_eq!(odd.len().max(texts.len()), 108, "{} pairs, {} texts", odd.len(), texts.len());
}

/// Trap 5: PEP 503 names.
#[test]
fn trap_5_pypi_names_are_normalised() {
    let Some(read) = corpus::read("osv/PyPI") else { return };
    let is_normal = |name: &str| {
        !name.contains(['_', '.', ' ']) && !name.contains("--") && name == name.to_lowercase()
    };
    assert!(read.statements().all(|(_, it)| is_normal(&it.package)));
    assert!(read.statements().any(|(_, it)| it.package == "jw-util"), "published as jw.util");
}

/// Trap 5: RustSec's informational entries, and its limits to platforms.
#[test]
fn trap_5_rustsec_informational_entries_are_told() {
    let Some(read) = corpus::read("osv/crates.io") else { return };
    let count = |word: &str| {
        read.advisories.iter().filter(|it| it.informational.as_deref() == Some(word)).count()
    };
    assert_eq!([count("unmaintained"), count("unsound"), count("notice")], [267, 203, 6]);
    let limited =
        |read: &Read| read.statements().filter(|(_, it)| !it.platforms.is_empty()).count();
    let records = records("osv/crates.io");
    let is_limited = |entry: &Value| {
        let affects = &entry["ecosystem_specific"]["affects"];
        !list(affects, "os").is_empty() || !list(affects, "arch").is_empty()
    };
    let published =
        records.values().flat_map(|it| list(it, "affected")).filter(|it| is_limited(it));
    assert_eq!(limited(&read), published.count());
    assert_eq!(read.about("RUSTSEC-2016-0002", "hyper")[0].platforms, ["windows"]);
}

/// Trap 9: the zips are flat and made of records.
#[test]
fn trap_9_osv_zips_are_flat() {
    if corpus::feeds().is_none() {
        return;
    }
    for (part, count) in PARTS {
        let parser = corpus::source("osv").parser(&corpus::part(part).id);
        let mut wanted = 0;
        corpus::each_file(&corpus::part(part).documents[0], &mut |path, _| {
            assert!(!path.contains('/'), "{part}: {path}");
            wanted += usize::from(parser.wants(path));
        });
        assert_eq!(wanted, count, "{part}");
    }
}

/// What stands in the records besides versions: severity words and scores, ids, odd forms.
#[test]
fn osv_records_of_every_form() {
    let Some(maven) = corpus::read("osv/Maven") else { return };
    let of = |read: &Read, id: &str| {
        read.advisories.iter().find(|it| it.id == id).cloned().expect("it is in the zip")
    };
    let jline = of(&maven, "GHSA-2268-98wh-qfhf");
    assert_eq!(jline.severity, Some(Severity::Medium), "MODERATE");
    assert_eq!(jline.cvss[0].source, "ghsa");
    assert_eq!(jline.affected[0].versions, Vec::<String>::new(), "its range covers all 38");
    assert!(maven.advisories.iter().any(|it| it.withdrawn.is_some()));
    let bitnami = corpus::read("osv/Bitnami").expect("the corpus is there");
    let activemq = of(&bitnami, "BIT-activemq-2020-11998");
    assert_eq!(activemq.affected[0].severity, Some(Severity::Critical));
    assert_eq!(activemq.affected[0].ranges[0].last_affected.as_deref(), Some("5.15.12"));
    // Fifteen records of this zip are schema examples: `"versions": 188`, dates in words.
    let gems = corpus::read("osv/RubyGems").expect("the corpus is there");
    let unreadable = gems.notes.iter().filter(|it| it.text.contains("`versions` is no list"));
    assert!(unreadable.count() >= 10, "{:?}", gems.notes);
    assert!(!gems.about("GHSA-353f-x4gh-cqq8", "nokogiri").is_empty());
    let npm = corpus::read("osv/npm").expect("the corpus is there");
    assert_eq!(npm.about("GHSA-2ccf-ffrj-m4qw", "@fastify/passport").len(), 2);
    let go = corpus::read("osv/Go").expect("the corpus is there");
    let signature = of(&go, "GO-2020-0050");
    assert_eq!(signature.vulnerabilities, ["CVE-2020-15216"], "four related ids are other flaws");
    let pypi = corpus::read("osv/PyPI").expect("the corpus is there");
    let git_only = pypi.notes.iter().filter(|it| it.text.contains("not matched"));
    assert!(git_only.count() >= 1);
}
