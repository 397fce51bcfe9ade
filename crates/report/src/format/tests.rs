//! Every format, written from the same answer, against golden files; `UPDATE_GOLDEN=1` rewrites
//! them.

use std::path::Path;

use pratique_model::{Assessment, IndexReport};

use crate::{Options, explain, fixture, parse_report};

use super::*;

fn options() -> Options {
    Options { now: Some(fixture::time("2026-11-21T02:00:00Z")), ..Options::default() }
}

fn written(
    format: Format,
    report: &IndexReport,
    assessment: &Assessment,
    options: &Options,
) -> String {
    let mut out = Vec::new();
    let answer = Answer::new(report, assessment, options);
    render(format, &answer, &mut out).expect("writing to memory");
    String::from_utf8(out).expect("every format is UTF-8")
}

fn of_fixture(format: Format, options: &Options) -> String {
    written(format, &fixture::report(), &fixture::assessment(), options)
}

#[track_caller]
fn check_golden(name: &str, got: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, got).expect("the golden file can be written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(got, expected, "{name} differs; UPDATE_GOLDEN=1 rewrites it");
}

#[test]
fn every_format_is_known_by_its_name() {
    for format in [Format::Table, Format::Json, Format::Csv] {
        assert_eq!(format.as_str().parse(), Ok(format));
    }
    assert!("Table".parse::<Format>().is_err());
}

#[test]
fn formats_are_as_their_golden_files() {
    let all = Options { shows_suppressed: true, ..options() };
    check_golden("table.txt", &of_fixture(Format::Table, &options()));
    check_golden("table-suppressed.txt", &of_fixture(Format::Table, &all));
    let narrow = Options { width: Some(80), ..options() };
    check_golden("table-narrow.txt", &of_fixture(Format::Table, &narrow));
    check_golden("report.json", &of_fixture(Format::Json, &options()));
    check_golden("report.csv", &of_fixture(Format::Csv, &all));
}

#[test]
fn an_empty_image_has_an_answer_in_every_format() {
    let (report, assessment) = (IndexReport::default(), Assessment::default());
    let options = Options::default();
    let table = written(Format::Table, &report, &assessment, &options);
    check_golden("empty.txt", &table);
    check_golden("empty.json", &written(Format::Json, &report, &assessment, &options));
    assert_eq!(written(Format::Csv, &report, &assessment, &options).lines().count(), 1);
}

#[test]
fn explanations_are_as_their_golden_file() {
    let (report, assessment, options) = (fixture::report(), fixture::assessment(), options());
    let answer = Answer::new(&report, &assessment, &options);
    let mut text = String::new();
    for id in ["CVE-2020-1967", "ghsa-xxxx-yyyy-zzzz", "CVE-2019-0001", "CVE-2019-0002"] {
        text.push_str(&explain(&answer, id, None).expect("there is such a finding"));
        text.push('\n');
    }
    check_golden("explain.txt", &text);
}

#[test]
fn an_explanation_is_found_by_alias_and_by_package() {
    let (report, assessment, options) = (fixture::report(), fixture::assessment(), options());
    let answer = Answer::new(&report, &assessment, &options);
    let purl = "pkg:apk/alpine/libssl1.1@1.1.1d-r0?arch=x86_64&distro=alpine-3.10.3";
    for (id, package, is_found) in [
        ("ALPINE-13661", None, true),
        ("CVE-2020-1967", Some("libssl1.1"), true),
        ("CVE-2020-1967", Some(purl), true),
        ("CVE-2020-1967", Some("rake"), false),
        ("CVE-2020-1968", None, false),
    ] {
        assert_eq!(explain(&answer, id, package).is_some(), is_found, "{id} {package:?}");
    }
}

#[test]
fn nothing_from_the_image_controls_the_terminal() {
    let (report, assessment, options) = (fixture::report(), fixture::assessment(), options());
    let table = of_fixture(Format::Table, &Options { shows_suppressed: true, ..options.clone() });
    let answer = Answer::new(&report, &assessment, &options);
    let explained = explain(&answer, "GHSA-xxxx-yyyy-zzzz", None).expect("a finding");
    for text in [table, explained] {
        assert!(text.chars().all(|letter| letter == '\n' || !letter.is_control()), "{text}");
    }
}

#[test]
fn colours_come_only_when_asked_for() {
    let coloured = of_fixture(Format::Table, &Options { has_colour: true, ..options() });
    assert!(coloured.contains("\x1b[31mhigh\x1b[0m"));
    let mut plain = coloured;
    for code in ["\x1b[1;31m", "\x1b[31m", "\x1b[2m", "\x1b[0m"] {
        plain = plain.replace(code, "");
    }
    assert_eq!(plain, of_fixture(Format::Table, &options()));
}

#[test]
fn a_narrow_table_breaks_cells_and_cuts_none() {
    let narrow = of_fixture(Format::Table, &Options { width: Some(80), ..options() });
    let rows: Vec<&str> = narrow.lines().skip(2).take_while(|line| !line.is_empty()).collect();
    assert!(rows.iter().all(|row| row.chars().count() <= 80), "{narrow}");
    assert!(narrow.contains("GHSA-xxxx-yyyy-zzzz"), "an id must stay whole: {narrow}");
}

#[test]
fn a_reproducible_report_has_no_time_and_no_folder_of_its_own() {
    let reproducible = |format: Format, now: &str, reference: &str| {
        let mut report = fixture::report();
        report.target.reference = reference.to_owned();
        let now = Some(fixture::time(now));
        let options = Options { now, is_reproducible: true, ..Options::default() };
        written(format, &report, &fixture::assessment(), &options)
    };
    for format in [Format::Table, Format::Json, Format::Csv] {
        assert_eq!(
            reproducible(format, "2026-11-21T02:00:00Z", "/tmp/a/alpine.tar"),
            reproducible(format, "2026-11-23T03:00:00Z", "/home/b/alpine.tar")
        );
    }
    assert_ne!(of_fixture(Format::Json, &options()), of_fixture(Format::Json, &Options::default()));
}

#[test]
fn a_report_read_back_is_the_inventory_it_was_made_from() {
    let mut report = fixture::report();
    report.packages.sort_by_key(|package| package.ecosystem);
    let json = written(Format::Json, &report, &Assessment::default(), &options());
    let mut read = parse_report(json.as_bytes()).expect("our own report");
    for package in &mut read.packages {
        package.cataloger = "test";
    }
    assert_eq!(read, report);
}
