//! Findings of the built program on real images with real feeds equal the expected ones.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::house::{House, corpus};

#[test]
fn findings_on_real_images_equal_the_expected_lists() {
    let Some(corpus) = corpus() else { return };
    let house = House::new();
    let mirror = format!("file://{}/feeds", corpus.display());
    let sources = "debian,alpine/v3.10,almalinux/8,osv/Go";
    house
        .run(&["db", "update", "--sources", sources, "--mirror", &mirror, "--db", &house.db()])
        .expect(0);
    for (image, truth, columns) in [
        ("alpine-3.10.3-multiarch", "alpine-3.10.3-multiarch.amd64.expected.tsv", [0, 1, 4]),
        ("debian-bookworm-dpkgonly", "debian-bookworm-dpkgonly.expected-tracker.tsv", [0, 1, 5]),
    ] {
        let found = findings(&house, &corpus, image, "linux/amd64");
        let expected = rows(&corpus.join("truth").join(truth))
            .into_iter()
            .map(|row| columns.map(|column| row[column].clone()))
            .collect::<BTreeSet<_>>();
        assert_eq!(found, expected, "{image}");
    }
}

#[test]
fn security_errata_on_el8_equal_the_expected_list() {
    let Some(corpus) = corpus() else { return };
    let house = House::new();
    let mirror = format!("file://{}/feeds", corpus.display());
    house
        .run(&[
            "db",
            "update",
            "--sources",
            "almalinux/8",
            "--mirror",
            &mirror,
            "--db",
            &house.db(),
        ])
        .expect(0);
    let found: BTreeSet<(String, String)> =
        findings(&house, &corpus, "el8.5-bdb-rebuilt", "linux/amd64")
            .into_iter()
            .map(|[id, package, _]| (id, package))
            .collect();
    let truth = rows(&corpus.join("truth/el8.5-bdb-rebuilt.expected-almalinux.tsv"));
    let expected: BTreeSet<(String, String)> = truth
        .iter()
        .filter(|row| row[0].starts_with("ALSA-"))
        .flat_map(|row| {
            row[4]
                .split([' ', ','])
                .filter(|id| !id.is_empty())
                .map(|id| (id.to_owned(), row[1].clone()))
        })
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn reports_of_real_images_are_read_back_as_they_were_written() {
    let Some(corpus) = corpus() else { return };
    let house = House::with_database();
    let db = house.db();
    let entries = fs::read_dir(corpus.join("images")).expect("the corpus has images");
    let mut count = 0;
    for entry in entries {
        let image = entry.expect("readable").path();
        if image.extension().is_none_or(|extension| extension != "tar") {
            continue;
        }
        let flags = ["-o", "json", "--offline", "--db", &db, "--platform", "linux/amd64"];
        let mut arguments = vec!["scan", image.to_str().expect("UTF-8")];
        arguments.extend(flags);
        // Most distributions are not in this database; the report is written all the same.
        let written = house.run(&arguments).stdout;
        let again = house.run_with_input(
            &["scan", "sbom:-", "-o", "json", "--offline", "--db", &db],
            written.as_bytes(),
        );
        let written: serde_json::Value = serde_json::from_str(&written).expect("a report");
        let again = again.json();
        assert!(written["packages"].as_array().is_some_and(|list| !list.is_empty()), "{image:?}");
        for field in ["target", "distro", "partial", "unassessed", "findings", "suppressed"] {
            assert_eq!(again[field], written[field], "{image:?}: {field}");
        }
        assert_eq!(without_cataloger(&again), without_cataloger(&written), "{image:?}");
        count += 1;
    }
    assert!(count > 10, "the corpus has lost its images");
}

/// The packages of a report; read from a report, they have that for their cataloger.
fn without_cataloger(report: &serde_json::Value) -> Vec<serde_json::Value> {
    let mut packages = report["packages"].as_array().expect("a list").clone();
    for package in &mut packages {
        package.as_object_mut().expect("an object").remove("cataloger");
    }
    packages
}

/// (id, package name, fixed version) of every finding shown.
fn findings(house: &House, corpus: &Path, image: &str, platform: &str) -> BTreeSet<[String; 3]> {
    let target = corpus.join(format!("images/{image}.oci.tar")).display().to_string();
    let ran = house.run(&[
        "scan",
        &target,
        "--platform",
        platform,
        "--offline",
        "--db",
        &house.db(),
        "-o",
        "json",
    ]);
    let report = ran.expect(0).json();
    let packages = report["packages"].as_array().expect("list");
    let name = |purl: &serde_json::Value| {
        let package = packages.iter().find(|package| package["purl"] == *purl);
        package.and_then(|package| package["name"].as_str()).expect("it is listed").to_owned()
    };
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("").to_owned();
    report["findings"]
        .as_array()
        .expect("list")
        .iter()
        .map(|finding| [text(&finding["id"]), name(&finding["package"]), text(&finding["fixed"])])
        .collect()
}

/// Rows of a table with a head, by tabs.
fn rows(path: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(path).expect("the corpus has it");
    text.lines().skip(1).map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}
