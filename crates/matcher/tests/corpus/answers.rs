//! The four images that have answers.

use std::collections::BTreeSet;

use pratique_model::{
    Assessment, Ecosystem, IndexReport, Package, SourcePackage, Status, Suppression, is_cve,
};

use crate::world::{assessed, corpus, listed, package, scanned, table};

/// Id, package, installed version, fixed version.
type Line = (String, String, String, String);

fn found(report: &IndexReport, assessment: &Assessment) -> BTreeSet<Line> {
    let line = |finding: &pratique_model::Finding| {
        (
            finding.id.clone(),
            report.packages[finding.package_index].name.clone(),
            finding.installed.clone(),
            finding.fixed.clone().unwrap_or_default(),
        )
    };
    assessment.findings.iter().map(line).collect()
}

#[track_caller]
fn check_equal(found: &BTreeSet<Line>, expected: &BTreeSet<Line>) {
    let missing: Vec<_> = expected.difference(found).collect();
    let surplus: Vec<_> = found.difference(expected).collect();
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "{} missing: {missing:#?}\n{} too many: {surplus:#?}",
        missing.len(),
        surplus.len()
    );
    assert!(!expected.is_empty());
}

fn with_source(mut package: Package, arch: &str, name: &str, version: &str) -> Package {
    package.arch = Some(arch.to_owned());
    package.source = Some(SourcePackage { name: name.to_owned(), version: version.to_owned() });
    package
}

/// `id, package, version, …, fixed` of a table.
fn lines(rows: &[Vec<String>], fixed: usize) -> BTreeSet<Line> {
    let line =
        |row: &Vec<String>| (row[0].clone(), row[1].clone(), row[2].clone(), row[fixed].clone());
    rows.iter().map(line).collect()
}

#[test]
fn alpine_3_10_is_as_a_plain_evaluation_of_secdb() {
    let Some(corpus) = corpus() else { return };
    let packages = table(&corpus, "alpine-3.10.3-multiarch.amd64.packages.tsv")
        .iter()
        .map(|row| {
            let package = package(Ecosystem::Apk, &row[0], &row[1]);
            with_source(package, &row[2], &row[3], &row[4])
        })
        .collect();
    let expected = table(&corpus, "alpine-3.10.3-multiarch.amd64.expected.tsv");
    for report in [
        listed(Some(("alpine", "3.10.3")), packages),
        scanned(&corpus, "alpine-3.10.3-multiarch.oci.tar"),
    ] {
        let assessment = assessed(&corpus, &["alpine/v3.10"], &report);
        check_equal(&found(&report, &assessment), &lines(&expected, 4));
        assert!(assessment.unassessed.is_empty());
    }
}

#[test]
fn bookworm_is_as_debsecan_says_over_the_same_tracker() {
    let Some(corpus) = corpus() else { return };
    let packages = table(&corpus, "debian-bookworm-dpkgonly.packages.tsv")
        .iter()
        .map(|row| {
            let package = package(Ecosystem::Deb, &row[0], &row[1]);
            with_source(package, &row[2], &row[3], &row[4])
        })
        .collect();
    let expected = table(&corpus, "debian-bookworm-dpkgonly.expected-tracker.tsv");
    let expected = lines(&expected, 5);
    for report in [
        listed(Some(("debian", "12")), packages),
        scanned(&corpus, "debian-bookworm-dpkgonly.oci.tar"),
    ] {
        let assessment = assessed(&corpus, &["debian"], &report);
        check_equal(&found(&report, &assessment), &expected);
    }
    let name = "debian-bookworm-dpkgonly.debsecan.txt";
    let debsecan = std::fs::read_to_string(corpus.join("truth").join(name)).expect("the answer");
    let debsecan: BTreeSet<(String, String)> = debsecan
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(id, package)| (id.to_owned(), package.to_owned()))
        .collect();
    let pairs: BTreeSet<(String, String)> =
        expected.into_iter().map(|(id, package, ..)| (id, package)).collect();
    assert_eq!(pairs, debsecan);
}

#[test]
fn el8_is_as_the_errata_by_rpms_own_order_security_errata_only() {
    let Some(corpus) = corpus() else { return };
    let packages = table(&corpus, "el8.5-bdb-rebuilt.packages.tsv")
        .iter()
        .map(|row| {
            let epoch = if row[1] == "0" { String::new() } else { format!("{}:", row[1]) };
            let version = format!("{epoch}{}-{}", row[2], row[3]);
            let mut package = package(Ecosystem::Rpm, &row[0], &version);
            package.arch = Some(row[4].clone());
            package.module = Some(row[6].clone()).filter(|label| label != "(none)");
            package
        })
        .collect();
    // The answers have a row per erratum; a finding is per CVE, of the erratum that fixes last.
    let mut expected: BTreeSet<(String, String, String)> = BTreeSet::new();
    for row in table(&corpus, "el8.5-bdb-rebuilt.expected-almalinux.tsv") {
        let [advisory, package, _, fixed, cves] = &row[..] else { panic!("{row:?}") };
        if !advisory.starts_with("ALSA-") {
            continue;
        }
        for cve in cves.split(' ') {
            let key = |fixed: &str| (cve.to_owned(), package.clone(), fixed.to_owned());
            let earlier: Vec<_> = expected
                .iter()
                .filter(|(id, name, _)| id == cve && name == package)
                .cloned()
                .collect();
            let scheme = Ecosystem::Rpm.scheme();
            let is_later = earlier.iter().all(|(_, _, other)| {
                scheme.compare(fixed, other).expect("two rpm versions").is_gt()
            });
            if is_later {
                for line in &earlier {
                    expected.remove(line);
                }
                expected.insert(key(fixed));
            }
        }
    }
    assert_eq!(expected.len(), 415);
    for report in [
        listed(Some(("almalinux", "8.5")), packages),
        scanned(&corpus, "el8.5-bdb-rebuilt.oci.tar"),
    ] {
        let assessment = assessed(&corpus, &["almalinux/8"], &report);
        let found: BTreeSet<(String, String, String)> = found(&report, &assessment)
            .into_iter()
            .map(|(id, package, _, fixed)| (id, package, fixed))
            .collect();
        let missing: Vec<_> = expected.difference(&found).collect();
        let surplus: Vec<_> = found.difference(&expected).collect();
        assert_eq!((missing, surplus), (vec![], vec![]));
    }
}

#[test]
fn go_modules_are_as_the_ranges_of_the_go_database() {
    let Some(corpus) = corpus() else { return };
    let packages = table(&corpus, "distroless-go.language-packages.tsv")
        .iter()
        .map(|row| {
            let mut package = package(Ecosystem::Golang, &row[2], &row[3]);
            package.built_for = Some("linux/amd64".to_owned());
            package
        })
        .collect();
    // Rule "other platform": two entries are about Windows only.
    let windows_only = ["GO-2024-2961", "GO-2026-5024"];
    // Rule "one row per CVE": an entry with several CVEs gives several rows, with none its own id.
    let mut expected = BTreeSet::new();
    let mut suppressed = BTreeSet::new();
    for row in table(&corpus, "distroless-go.language.expected.tsv") {
        let [_, _, package, version, id, cves, fixed, _] = &row[..] else { panic!("{row:?}") };
        let ids: Vec<&str> = if cves.is_empty() { vec![id] } else { cves.split(' ').collect() };
        for one in ids {
            let line = (one.to_owned(), package.clone(), version.clone(), fixed.clone());
            if windows_only.contains(&&**id) { &mut suppressed } else { &mut expected }
                .insert(line);
        }
    }
    for report in [listed(None, packages), scanned(&corpus, "distroless-go.oci.tar")] {
        let assessment = assessed(&corpus, &["osv/Go"], &report);
        check_equal(&found(&report, &assessment), &expected);
        let other_platform: BTreeSet<Line> = assessment
            .suppressed
            .iter()
            .filter(|one| one.reason == Suppression::OtherPlatform)
            .map(|one| {
                let package = report.packages[one.finding.package_index].name.clone();
                let fixed = one.finding.fixed.clone().unwrap_or_default();
                (one.finding.id.clone(), package, one.finding.installed.clone(), fixed)
            })
            .collect();
        check_equal(&other_platform, &suppressed);
        for finding in &assessment.findings {
            let has_go_id = finding.aliases.iter().any(|alias| alias.starts_with("GO-"));
            assert!(has_go_id || !is_cve(&finding.id), "{finding:?}");
            assert_eq!(finding.status == Status::Fixed, finding.fixed.is_some(), "{finding:?}");
        }
    }
}
