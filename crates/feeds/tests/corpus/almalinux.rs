//! AlmaLinux's errata.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use pratique_model::{Affected, Severity};
use pratique_version::Scheme;

use crate::corpus::{self, Read};

/// The records of a zip by untyped JSON.
fn records(part: &str) -> Vec<Value> {
    let mut records = Vec::new();
    corpus::each_file(&corpus::part(part).documents[0], &mut |_, content| {
        let mut text = String::new();
        content.read_to_string(&mut text).expect("the record is UTF-8");
        records.push(serde_json::from_str(&text).expect("the record is JSON"));
    });
    records
}

/// The (erratum, package, fixed version) that the security errata name in one release.
fn fixes(records: &[Value], ecosystem: &str, is_modular: bool) -> BTreeSet<[String; 3]> {
    let mut fixes = BTreeSet::new();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for record in records.iter().filter(|it| text(&it["id"]).starts_with("ALSA-")) {
        for affected in record["affected"].as_array().expect("a list") {
            if affected["package"]["ecosystem"] == ecosystem {
                let fixed = text(&affected["ranges"][0]["events"][1]["fixed"]);
                if fixed.contains(".module") == is_modular {
                    fixes.insert([text(&record["id"]), text(&affected["package"]["name"]), fixed]);
                }
            }
        }
    }
    fixes
}

/// The same of what was read.
fn fixes_read(read: &Read, is_modular: bool) -> BTreeSet<[String; 3]> {
    read.statements()
        .filter(|(_, it)| it.module.is_some() == is_modular)
        .flat_map(|(id, it)| it.ranges.iter().map(move |range| (id, it, range)))
        .map(|(id, it, range)| {
            [id.to_owned(), it.package.clone(), range.fixed.clone().expect("every range ends")]
        })
        .collect()
}

#[test]
fn almalinux_whole_files_are_read() {
    let mut totals = Vec::new();
    for number in ["8", "9", "10"] {
        let part = format!("almalinux/{number}");
        let Some(read) = corpus::read(&part) else { return };
        assert_eq!((&*read.quarantined, &*read.notes), (&[][..], &[][..]), "{part}");
        let records = records(&part);
        let id = |it: &&Value| it["id"].as_str().is_some_and(|id| id.starts_with("ALSA-"));
        assert_eq!(read.advisories.len(), records.iter().filter(id).count(), "{part}");
        let ecosystem = format!("AlmaLinux:{number}");
        assert_eq!(fixes_read(&read, false), fixes(&records, &ecosystem, false), "{part}");
        let newest = records.iter().filter(id).filter_map(|it| it["modified"].as_str()).max();
        assert_eq!(read.summary.as_of.map(|it| it.to_string()).as_deref(), newest, "{part}");
        let severities = read.advisories.iter().filter(|it| it.severity.is_none()).count();
        assert_eq!(severities, 0, "{part}: errata without severity");
        totals.push(read.advisories.len());
    }
    assert_eq!(totals, [2040, 1780, 660]);
}

/// Trap 2: 19,082 of 40,838 fixed versions of release 8 are modular and say nothing of the plain
/// package of that name.
#[test]
fn trap_2_almalinux_modular_versions_are_kept_from_plain_packages() {
    let Some(read) = corpus::read("almalinux/8") else { return };
    let records = records("almalinux/8");
    let is_modular = |range: &pratique_model::Range| {
        range.fixed.as_deref().is_some_and(|fixed| fixed.contains("module"))
    };
    for (id, affected) in read.statements() {
        let modular = affected.ranges.iter().any(is_modular);
        assert_eq!(affected.module.is_some(), modular, "{id}: {affected:?}");
    }
    let published = fixes(&records, "AlmaLinux:8", true);
    let read_fixes = fixes_read(&read, true);
    assert!(read_fixes.is_subset(&published));
    let package = |it: &[String; 3]| [it[0].clone(), it[1].clone()];
    let packages: BTreeSet<_> = published.iter().map(package).collect();
    assert_eq!(read_fixes.iter().map(package).collect::<BTreeSet<_>>(), packages);
    assert!(packages.len() > 8_000, "{}", packages.len());
    let any: BTreeSet<&str> = read
        .statements()
        .filter(|(_, it)| it.module.as_deref() == Some("*"))
        .map(|(id, _)| id)
        .collect();
    assert_eq!(any.len(), 7, "{any:?}");
}

/// Trap 2: the counts of the whole feed, bug-fix errata included, by another route.
#[test]
fn trap_2_almalinux_counts_of_the_feed_hold() {
    if corpus::feeds().is_none() {
        return;
    }
    let mut counts = BTreeMap::new();
    for record in records("almalinux/8") {
        for affected in record["affected"].as_array().expect("a list") {
            let package = &affected["package"];
            let events = affected["ranges"][0]["events"].as_array().expect("a list");
            for fixed in events.iter().filter_map(|it| it["fixed"].as_str()) {
                *counts.entry(("fixed", package["ecosystem"] == "AlmaLinux:8")).or_insert(0) += 1;
                for (what, is) in
                    [("modular", fixed.contains(".module")), ("epoch", fixed.contains(':'))]
                {
                    *counts.entry((what, is)).or_insert(0) += 1;
                }
            }
        }
    }
    assert_eq!(counts[&("modular", true)], 19_082, "{counts:?}");
}

/// Trap 2: CVEs stand in `related`; ALBA and ALEA are not vulnerabilities.
#[test]
fn trap_2_almalinux_cves_are_related_and_only_alsa_counts() {
    let Some(read) = corpus::read("almalinux/8") else { return };
    assert!(read.advisories.iter().all(|it| it.id.starts_with("ALSA-")));
    let kernel = read.advisories.iter().find(|it| it.id == "ALSA-2022:1988").expect("it is there");
    assert_eq!(kernel.vulnerabilities.len(), 40);
    assert_eq!(kernel.severity, Some(Severity::High));
    assert_eq!(kernel.url.as_deref(), Some("https://errata.almalinux.org/8/ALSA-2022-1988.html"));
    let without = read.advisories.iter().filter(|it| it.vulnerabilities.is_empty()).count();
    assert!((1..9).contains(&without), "{without}");
}

/// The expected findings of an image with AlmaLinux's plain packages: every row of a security
/// erratum, and no other.
#[test]
fn almalinux_findings_of_el8_5_are_the_expected_ones() {
    let Some(read) = corpus::read("almalinux/8") else { return };
    let truth = corpus::feeds().expect("the corpus is there").with_file_name("truth");
    let lines = |name: &str| fs::read_to_string(truth.join(name)).expect("the file is there");
    let mut expected = BTreeSet::new();
    for line in lines("el8.5-bdb-rebuilt.expected-almalinux.tsv").lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        if fields[0].starts_with("ALSA-") {
            expected.insert(format!("{} {} < {}", fields[0], fields[1], fields[3]));
        }
    }
    let mut by_name: BTreeMap<&str, Vec<(&str, &Affected)>> = BTreeMap::new();
    for (id, affected) in read.statements().filter(|(_, it)| it.module.is_none()) {
        by_name.entry(&affected.package).or_default().push((id, affected));
    }
    let mut found = BTreeSet::new();
    for line in lines("el8.5-bdb-rebuilt.packages.tsv").lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let epoch = if fields[1] == "(none)" { "0" } else { fields[1] };
        let installed = format!("{epoch}:{}-{}", fields[2], fields[3]);
        for (id, affected) in by_name.get(fields[0]).into_iter().flatten() {
            for fixed in affected.ranges.iter().filter_map(|range| range.fixed.as_deref()) {
                if Scheme::Rpm.compare(&installed, fixed).expect("rpm orders it").is_lt() {
                    found.insert(format!("{id} {} < {fixed}", fields[0]));
                }
            }
        }
    }
    assert_eq!(found, expected);
    assert_eq!(expected.len(), 257);
}
