//! Microsoft's OVAL: definitions written in its form, and what becomes of each of their words.

use pratique_model::Range;

use super::*;
use crate::collector::Collector;

/// A definition whose criteria hold when `bounds` (operation, version) all do.
struct Given<'a> {
    number: u32,
    cve: &'a str,
    patchable: &'a str,
    severity: &'a str,
    package: &'a str,
    bounds: &'a [(&'a str, &'a str)],
}

const PLAIN: Given<'static> = Given {
    number: 1,
    cve: "CVE-2031-0001",
    patchable: "true",
    severity: "High",
    package: "demo",
    bounds: &[("less than", "0:1.2-3.cm2")],
};

fn definition(given: &Given<'_>) -> String {
    let Given { number, cve, patchable, severity, package, bounds } = given;
    let criteria: String = (0..bounds.len())
        .map(|index| format!(r#"<criterion comment="c" test_ref="t:tst:{number}{index}"/>"#))
        .collect();
    format!(
        r#"<definition class="vulnerability" id="o:def:{number}" version="1"><metadata>
           <title>{cve} affecting package {package} &lt; 9 &#38; more</title>
           <affected family="unix"><platform>CBL-Mariner</platform></affected>
           <reference ref_id="{cve}" ref_url="https://nvd.nist.gov/vuln/detail/{cve}" source="CVE"/>
           <patchable>{patchable}</patchable>
           <advisory_date>2031-01-19T03:54:24Z</advisory_date><advisory_id>{number}-1</advisory_id>
           <severity>{severity}</severity><description>d</description></metadata>
           <criteria operator="AND">{criteria}</criteria></definition>"#
    )
}

fn referred(given: &Given<'_>) -> [String; 3] {
    let number = given.number;
    let [mut tests, mut objects, mut states] = [String::new(), String::new(), String::new()];
    for (index, (operation, version)) in given.bounds.iter().enumerate() {
        let id = format!("{number}{index}");
        tests += &format!(
            r#"<l:rpminfo_test check="at least one" comment="c" id="t:tst:{id}" version="1">
               <l:object object_ref="t:obj:{id}"/><l:state state_ref="t:ste:{id}"/>
               </l:rpminfo_test>"#
        );
        objects += &format!(
            r#"<l:rpminfo_object id="t:obj:{id}" version="1"><l:name>{}</l:name>
               </l:rpminfo_object>"#,
            given.package
        );
        states += &format!(
            r#"<l:rpminfo_state id="t:ste:{id}" version="1"><l:evr datatype="evr_string"
               operation="{operation}">{version}</l:evr></l:rpminfo_state>"#
        );
    }
    [tests, objects, states]
}

fn file(givens: &[Given<'_>]) -> String {
    let definitions: String = givens.iter().map(definition).collect();
    let [mut tests, mut objects, mut states] = [String::new(), String::new(), String::new()];
    for given in givens {
        let [a, b, c] = referred(given);
        (tests, objects, states) = (tests + &a, objects + &b, states + &c);
    }
    wrapped(&[
        &format!("<definitions>{definitions}</definitions>"),
        &format!("<tests>{tests}</tests>"),
        &format!("<objects>{objects}</objects>"),
        &format!("<states>{states}</states>"),
    ])
}

fn wrapped(sections: &[&str]) -> String {
    format!(
        r#"<oval_definitions xmlns="urn:o" xmlns:oval="urn:c" xmlns:l="urn:l"><generator>
           <oval:timestamp>2031-01-22T13:02:00.991Z</oval:timestamp></generator>{}
           </oval_definitions>"#,
        sections.concat()
    )
}

fn read(text: &str) -> Result<Collector, FeedError> {
    Collector::read(&AzureLinux, "cbl-mariner-2.0", &[("cbl-mariner-2.0-oval.xml", text)])
}

#[track_caller]
fn check(given: Given<'_>, status: Status, remark: Option<&str>, range: &Range) {
    let collector = read(&file(&[given])).unwrap();
    assert_eq!(collector.quarantined, []);
    let statements = collector.statements("demo", "mariner:2.0");
    assert_eq!(statements.len(), 1, "{collector:?}");
    let (id, affected) = statements[0];
    assert_eq!((id, affected.status), ("CVE-2031-0001", status));
    assert_eq!(affected.remark.as_deref(), remark);
    assert_eq!(affected.ranges, std::slice::from_ref(range));
    assert_eq!(affected.name_kind, NameKind::Either);
}

#[test]
fn less_than_is_fixed_from_that_version_on() {
    check(PLAIN, Status::Fixed, None, &Range::below("1.2-3.cm2"));
    for version in ["0: 1.2-3.cm2", " 0:1.2-3.cm2\n", "1.2-3.cm2"] {
        let given = Given { bounds: &[("less than", version)], ..PLAIN };
        check(given, Status::Fixed, None, &Range::below("1.2-3.cm2"));
    }
    let given = Given { bounds: &[("less than", "2:1.2-3.cm2")], patchable: "", ..PLAIN };
    check(given, Status::Fixed, None, &Range::below("2:1.2-3.cm2"));
}

#[test]
fn patchable_false_is_affected_without_a_fix() {
    let range = Range { last_affected: Some("1.2-3.cm2".to_owned()), ..Range::default() };
    let bounds = &[("less than or equal", "0:1.2-3.cm2")];
    let given = Given { patchable: "false", bounds, ..PLAIN };
    check(given, Status::Affected, Some("patchable=false"), &range);
    check(Given { bounds, ..PLAIN }, Status::Affected, None, &range);
}

#[test]
fn greater_than_begins_a_range() {
    let bounds = &[("less than", "0:1.2-3.azl3"), ("greater than", "0:0.0.0.azl3")];
    let range = Range { introduced: Some("0.0.0.azl3".to_owned()), ..Range::below("1.2-3.azl3") };
    check(Given { bounds, ..PLAIN }, Status::Fixed, None, &range);
}

#[test]
fn equals_lists_a_version_by_name() {
    let text = file(&[Given { bounds: &[("equals", "0:1.2-3.cm2")], ..PLAIN }]);
    let collector = read(&text).unwrap();
    let (_, affected) = collector.statements("demo", "mariner:2.0")[0];
    assert_eq!(
        (&affected.versions[..], affected.status),
        (&["1.2-3.cm2".to_owned()][..], Status::Affected)
    );
    assert!(affected.ranges.is_empty());
}

#[test]
fn not_applicable_is_left_out() {
    let other = Given { number: 2, cve: "CVE-2031-0002", ..PLAIN };
    let text = file(&[Given { patchable: "Not Applicable", ..PLAIN }, other]);
    let collector = read(&text).unwrap();
    let ids: Vec<&str> = collector.advisories.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(ids, ["CVE-2031-0002"]);
    assert_eq!(collector.quarantined, []);
}

#[test]
fn a_definition_carries_severity_text_date_and_link() {
    for (word, severity) in [
        ("Critical", Some(Severity::Critical)),
        ("High", Some(Severity::High)),
        ("Medium", Some(Severity::Medium)),
        ("Low", Some(Severity::Low)),
        ("", None),
    ] {
        let collector = read(&file(&[Given { severity: word, ..PLAIN }])).unwrap();
        let advisory = &collector.advisories[0];
        assert_eq!(advisory.affected[0].severity, severity, "{word}");
        assert_eq!(
            advisory.summary.as_deref(),
            Some("CVE-2031-0001 affecting package demo < 9 & more")
        );
        assert_eq!(advisory.url.as_deref(), Some("https://nvd.nist.gov/vuln/detail/CVE-2031-0001"));
        assert_eq!(advisory.modified, Some("2031-01-19T03:54:24Z".parse().unwrap()));
        assert_eq!(collector.summary.as_of, Some("2031-01-22T13:02:00.991Z".parse().unwrap()));
    }
}

#[test]
fn sections_may_stand_in_any_order() {
    let [tests, objects, states] = referred(&PLAIN);
    let text = wrapped(&[
        &format!("<states>{states}</states>"),
        &format!("<objects>{objects}</objects>"),
        &format!("<tests>{tests}</tests>"),
        &format!("<definitions>{}</definitions>", definition(&PLAIN)),
    ]);
    assert_eq!(read(&text).unwrap().statements("demo", "mariner:2.0").len(), 1);
}

#[test]
fn what_is_not_understood_costs_only_its_definition() {
    let good = Given { number: 2, cve: "CVE-2031-0002", ..PLAIN };
    let is_put_aside = |text: &str, problem: &str| {
        let collector = read(text).unwrap();
        assert_eq!(collector.quarantined_subjects(), ["o:def:1"], "{problem}: {collector:?}");
        assert!(collector.quarantined[0].text.contains(problem), "{collector:?}");
        assert_eq!(collector.advisories.len(), 1, "{problem}");
    };
    for (bad, problem) in [
        (Given { patchable: "maybe", ..PLAIN }, "unknown word for patchable"),
        (Given { bounds: &[("less than", "0:null.cm2")], ..PLAIN }, "no version"),
        (Given { bounds: &[("less than", " ")], ..PLAIN }, "without a version"),
        (Given { bounds: &[("pattern match", "1")], ..PLAIN }, "the operation"),
        (Given { bounds: &[("less than", "1"), ("less than", "2")], ..PLAIN }, "two states"),
        (Given { bounds: &[], ..PLAIN }, "no tests"),
        (Given { cve: "", ..PLAIN }, "no reference"),
    ] {
        is_put_aside(&file(&[bad, Given { number: 2, ..good }]), problem);
    }
    let text = file(&[PLAIN, good]);
    for (from, to, problem) in [
        ("object_ref=\"t:obj:10\"", "object_ref=\"t:obj:99\"", "no object t:obj:99"),
        ("state_ref=\"t:ste:10\"", "state_ref=\"t:ste:99\"", "no state t:ste:99"),
        ("test_ref=\"t:tst:10\"", "test_ref=\"t:tst:99\"", "no test t:tst:99"),
        ("test_ref=\"t:tst:10\"", "negate=\"true\" test_ref=\"t:tst:10\"", "negation"),
        ("<criteria operator=\"AND\">", "<criteria operator=\"XOR\">", "criteria with XOR"),
    ] {
        is_put_aside(&text.replacen(from, to, 1), problem);
    }
}

#[test]
fn a_list_of_versions_is_kept_as_published_and_named() {
    let bounds = &[("less than", "0:1.1-2,1.2-1.azl3")];
    let collector = read(&file(&[Given { bounds, ..PLAIN }])).unwrap();
    assert_eq!(collector.note_subjects(), ["o:def:1"]);
    let (_, affected) = collector.statements("demo", "mariner:2.0")[0];
    assert_eq!(affected.ranges, [Range::below("1.1-2,1.2-1.azl3")]);
}

#[test]
fn a_file_that_is_cut_or_something_else_fails_as_a_whole() {
    let text = file(&[PLAIN]);
    let fails = |text: &str, problem: &str| {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains(problem), "{problem}: {error}");
    };
    fails(&text[..text.len() / 2], "");
    fails("<oval_definitions><definitions>", "ends in the middle");
    fails("", "has no `oval_definitions`");
    fails("<html></html>", "has no `oval_definitions`");
    fails("<oval_definitions></oval_definitions>", "holds no definition");
    fails("<a></b>", "");
    fails(&"<a>".repeat(100), "nested deeper");
    fails(
        &format!("<oval_definitions><definition id=\"x\">{}", "<criteria>".repeat(40)),
        "nested deeper",
    );
    fails("<oval_definitions>&unknown;</oval_definitions>", "unknown entity");
}

#[test]
fn each_release_is_a_part_with_its_own_file() {
    let parts: Vec<(String, Coverage)> =
        AzureLinux.parts(2026).into_iter().map(|it| (it.id.to_string(), it.covers)).collect();
    let release = |id, version| Coverage::Release(Release::new(id, version));
    assert_eq!(
        parts,
        [
            ("azurelinux/cbl-mariner-1.0".to_owned(), release("mariner", "1.0")),
            ("azurelinux/cbl-mariner-2.0".to_owned(), release("mariner", "2.0")),
            ("azurelinux/azurelinux-3.0".to_owned(), release("azurelinux", "3.0")),
        ]
    );
}
