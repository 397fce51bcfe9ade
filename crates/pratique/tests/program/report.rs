//! What a scan prints and writes, and what its flags do.

use crate::house::House;

#[test]
fn the_table_has_the_findings_and_the_ages_of_the_data() {
    let house = House::with_database();
    let image = house.alpine();
    let ran = house.run(&["scan", &image, "--offline", "--db", &house.db()]).expect(0);
    let ran =
        ran.says(&["CVE-2019-1551", "libssl1.1", "1.1.1d-r2", "CVE-2020-28928", "alpine/v3.10"]);
    assert!(!ran.stdout.contains("CVE-2018-0001"), "what is not affected is not shown");
    assert!(!ran.stdout.contains('\u{1b}'), "no colours where there is no terminal");
    let position = |text: &str| ran.stdout.find(text).expect("it is in the table");
    assert!(position("CVE-2020-28928") < position("CVE-2019-1551"), "known exploited comes first");
}

#[test]
fn the_same_image_gives_the_same_bytes_when_reproducible() {
    let house = House::with_database();
    let image = house.alpine();
    let flags = ["-o", "json", "--reproducible", "--offline", "--db"];
    let mut arguments = vec!["scan", &image];
    arguments.extend(flags);
    let db = house.db();
    arguments.push(&db);
    let first = house.run(&arguments).expect(0).stdout;
    let again = house.run(&arguments).expect(0).stdout;
    assert_eq!(first, again);
    arguments.extend(["--cache-dir", "elsewhere"]);
    assert_eq!(first, house.run(&arguments).expect(0).stdout, "the cache changes nothing");
}

#[test]
fn every_finding_names_a_package_of_the_report() {
    let house = House::with_database();
    let image = house.alpine();
    let report = house.run(&["scan", &image, "-o", "json", "--offline", "--db", &house.db()]);
    let report = report.expect(0).json();
    assert_eq!(report["schema"], "pratique.report/1");
    let purls: Vec<&str> = report["packages"]
        .as_array()
        .expect("list")
        .iter()
        .filter_map(|p| p["purl"].as_str())
        .collect();
    let findings = report["findings"].as_array().expect("list");
    assert_eq!(findings.len(), 2);
    for finding in findings {
        assert!(purls.contains(&finding["package"].as_str().expect("text")), "{finding}");
        assert!(finding["advisory"].is_object() && !finding["explain"].is_null(), "{finding}");
    }
    assert_eq!(report["suppressed"][0]["reason"], "not_affected");
}

#[test]
fn filters_hide_and_count() {
    let house = House::with_database();
    let image = house.alpine();
    let db = house.db();
    let scan = |flags: &[&str]| {
        let mut arguments = vec!["scan", &image, "-o", "json", "--offline", "--db", &db];
        arguments.extend(flags);
        house.run(&arguments).expect(0).json()
    };
    let report = scan(&["--severity", "high"]);
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(0), "nobody rates them");
    assert_eq!(report["suppressed"].as_array().map(Vec::len), Some(3));
    let report = scan(&["--ignore-status", "fixed"]);
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(0));
    let report = scan(&["--only-fixed"]);
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(2));
}

#[test]
fn thresholds_decide_the_exit_code() {
    let house = House::with_database();
    let image = house.alpine();
    let db = house.db();
    for (flags, code) in [
        (&["--fail-on", "any"][..], 1),
        (&["--fail-on", "kev"], 1),
        (&["--fail-on", "critical"], 0),
        (&["--fail-on-eol"], 6),
        (&["--fail-on-eol", "--fail-on", "any"], 1),
        (&["--fail-on-empty"], 0),
    ] {
        let mut arguments = vec!["scan", &image, "--offline", "--db", &db];
        arguments.extend(flags);
        let ran = house.run(&arguments).expect(code);
        assert!(ran.stdout.contains("CVE-2019-1551"), "{flags:?}: the report is written");
    }
}

#[test]
fn several_outputs_are_written_whole() {
    let house = House::with_database();
    let image = house.alpine();
    let (json, csv) = (house.text_path("out.json"), house.text_path("out.csv"));
    let (json_flag, csv_flag) = (format!("json={json}"), format!("csv={csv}"));
    let arguments = [
        "scan",
        &image,
        "--offline",
        "--db",
        &house.db(),
        "-o",
        "table",
        "-o",
        &json_flag,
        "-o",
        &csv_flag,
    ];
    house.run(&arguments).expect(0).says(&["CVE-2019-1551"]);
    let report = std::fs::read_to_string(&json).expect("was written");
    assert!(serde_json::from_str::<serde_json::Value>(&report).is_ok());
    assert_eq!(std::fs::read_to_string(&csv).expect("was written").lines().count(), 3);
    // A report is an SBOM too: its findings come out again.
    let again = house.run(&[
        "scan",
        &format!("sbom:{json}"),
        "--offline",
        "--db",
        &house.db(),
        "-o",
        "json",
    ]);
    let again = again.expect(0).json();
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(again["findings"], report["findings"]);
}

#[test]
fn a_finding_is_explained_and_its_absence_too() {
    let house = House::with_database();
    let image = house.alpine();
    let db = house.db();
    let explain = |asked: &str| {
        house.run(&["scan", &image, "--offline", "--db", &db, "--explain", asked]).expect(0)
    };
    explain("CVE-2019-1551").says(&["openssl", "1.1.1d-r0", "1.1.1d-r2", "alpine/v3.10"]);
    explain("CVE-2019-1551@libssl1.1").says(&["libssl1.1"]);
    explain("CVE-2018-0001").says(&["not_affected"]);
    explain("CVE-2021-44228").says(&["no finding", "3 packages"]);
}
