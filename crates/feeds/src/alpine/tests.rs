//! secdb: files written in its form, and what becomes of versions and ids.

use super::*;
use crate::collector::Collector;

fn database(branch: &str, packages: &str) -> String {
    format!(
        r#"{{"apkurl": "{{{{urlprefix}}}}", "archs": ["x86_64"], "reponame": "main",
            "urlprefix": "https://dl-cdn.alpinelinux.org/alpine", "distroversion": "{branch}",
            "packages": [{packages}]}}"#
    )
}

fn read(packages: &str) -> Collector {
    let text = database("v3.10", packages);
    Collector::read(&ALPINE, "v3.10", &[("main.json", &text)]).unwrap()
}

fn package(name: &str, secfixes: &str) -> String {
    format!(r#"{{"pkg": {{"name": "{name}", "secfixes": {secfixes}}}}}"#)
}

fn facts(collected: &Collector, name: &str) -> Vec<(String, Status, Vec<Range>)> {
    let of = |(id, it): &(&str, &Affected)| ((*id).to_owned(), it.status, it.ranges.clone());
    collected.statements(name, "alpine:3.10").iter().map(of).collect()
}

#[test]
fn a_version_mends_every_id_below_it() {
    let collected = read(&package(
        "demo",
        r#"{"1.2-r1": ["CVE-2031-0001", "CVE-2031-0002"], "1.0-r0": ["CVE-2030-0003"]}"#,
    ));
    let fixed =
        |id: &str, version: &str| (id.to_owned(), Status::Fixed, vec![Range::below(version)]);
    assert_eq!(
        facts(&collected, "demo"),
        [
            fixed("CVE-2031-0001", "1.2-r1"),
            fixed("CVE-2031-0002", "1.2-r1"),
            fixed("CVE-2030-0003", "1.0-r0"),
        ]
    );
    let (_, affected) = collected.statements("demo", "alpine:3.10")[0];
    assert_eq!(affected.name_kind, NameKind::Source);
    assert_eq!(affected.ecosystem, Ecosystem::Apk);
    assert_eq!(collected.summary, Summary::default());
}

#[test]
fn version_zero_was_never_affected() {
    for zero in ["0", r#"\"0\""#] {
        let collected = read(&package("demo", &format!(r#"{{"{zero}": ["CVE-2031-0001"]}}"#)));
        let expected = [("CVE-2031-0001".to_owned(), Status::NotAffected, vec![])];
        assert_eq!(facts(&collected, "demo"), expected, "{zero}");
        assert_eq!(collected.notes.len(), usize::from(zero != "0"), "{zero}");
    }
}

#[test]
fn a_version_that_mends_it_outweighs_a_zero() {
    let collected = read(&package(
        "demo",
        r#"{"0": ["CVE-2031-0001", "CVE-2031-0002"], "1.2-r1": ["CVE-2031-0001"]}"#,
    ));
    assert_eq!(
        facts(&collected, "demo"),
        [
            ("CVE-2031-0002".to_owned(), Status::NotAffected, vec![]),
            ("CVE-2031-0001".to_owned(), Status::Fixed, vec![Range::below("1.2-r1")]),
        ]
    );
    assert_eq!(collected.note_subjects(), ["demo 0"]);
}

#[test]
fn one_string_with_several_ids_gives_one_advisory_per_cve() {
    let collected = read(&package(
        "demo",
        r#"{"1.2-r1": ["CVE-2031-0001 CVE-2031-0002 XSA-7", "XSA-8", "CVE-2031-0003 (LDP)"]}"#,
    ));
    let found: Vec<(&str, &[String], &[String])> = collected
        .advisories
        .iter()
        .map(|it| (&*it.id, &*it.vulnerabilities, &*it.aliases))
        .collect();
    let text = |text: &str| vec![text.to_owned()];
    let (one, two, three) = (text("CVE-2031-0001"), text("CVE-2031-0002"), text("CVE-2031-0003"));
    let alias = text("XSA-7");
    let expected: [(&str, &[String], &[String]); 4] = [
        ("CVE-2031-0001", &one, &alias),
        ("CVE-2031-0002", &two, &alias),
        ("XSA-8", &[], &[]),
        ("CVE-2031-0003", &three, &[]),
    ];
    assert_eq!(found, expected);
    assert_eq!(collected.advisories[3].affected[0].remark.as_deref(), Some("LDP"));
}

#[test]
fn a_string_without_an_id_is_put_aside_and_the_rest_is_kept() {
    let collected = read(&package("demo", r#"{"1.2-r1": ["CVE-46838", "CVE-2031-0001"]}"#));
    assert_eq!(collected.quarantined_subjects(), ["demo 1.2-r1"]);
    assert_eq!(facts(&collected, "demo").len(), 1);
}

#[test]
fn a_broken_package_costs_only_itself() {
    let good = package("good", r#"{"1-r0": ["CVE-2031-0001"]}"#);
    for bad in [
        "5".to_owned(),
        r#"{"pkg": {"name": "x"}}"#.to_owned(),
        package("x", "[]"),
        package("x", r#"{"1-r0": "CVE-2031-0001"}"#),
        package("x", r#"{"1-r0": [7]}"#),
    ] {
        let collected = read(&format!("{bad}, {good}"));
        assert_eq!(collected.quarantined_subjects(), ["main.json: packages[0]"], "{bad}");
        assert_eq!(facts(&collected, "good").len(), 1, "{bad}");
    }
    let collected = read(&package("empty", r#"{"1-r0": null, "2-r0": []}"#));
    assert!(collected.advisories.is_empty() && collected.quarantined.is_empty());
}

#[test]
fn a_file_that_is_cut_or_of_another_branch_fails_the_part() {
    let text = database("v3.11", "");
    let error = Collector::read(&ALPINE, "v3.10", &[("main.json", &text)]).unwrap_err();
    assert_eq!(error.to_string(), "main.json: is of branch \"v3.11\", not v3.10");
    let text = database("v3.10", &package("demo", "{}"));
    let cut = &text[..text.len() / 2];
    let error = Collector::read(&ALPINE, "v3.10", &[("main.json", cut)]).unwrap_err();
    assert!(error.to_string().starts_with("main.json: not a secdb: EOF"), "{error}");
}

#[test]
fn wolfi_and_chainguard_are_rolling_and_have_one_part() {
    for source in [&WOLFI, &CHAINGUARD] {
        let part = source.parts(2026).remove(0);
        assert_eq!(part.covers, Coverage::Release(Release::new(source.name(), "")));
        let text = r#"{"packages": [{"pkg": {"name": "demo", "secfixes":
            {"0": ["CVE-2031-0001"], "1.2-r1": ["GHSA-aaaa-bbbb-cccc"]}}}]}"#;
        let name = source.name();
        let collected = Collector::read(source, name, &[("security.json", text)]).unwrap();
        let statuses: Vec<Status> =
            collected.statements("demo", name).iter().map(|(_, it)| it.status).collect();
        assert_eq!(statuses, [Status::NotAffected, Status::Fixed], "{name}");
    }
}

#[test]
fn alpine_has_a_part_for_every_branch_and_edge() {
    let parts = ALPINE.parts(2025);
    let names: Vec<String> = parts.iter().map(|part| part.id.to_string()).collect();
    assert_eq!(names.first().map(String::as_str), Some("alpine/v3.2"));
    assert_eq!(names[names.len() - 2..], ["alpine/v3.23", "alpine/edge"]);
    let ten = parts.iter().find(|part| part.id.part() == "v3.10").unwrap();
    assert_eq!(ten.covers, Coverage::Release(Release::new("alpine", "3.10")));
    let urls: Vec<(&str, bool)> =
        ten.documents.iter().map(|document| (&*document.url, document.optional)).collect();
    assert_eq!(
        urls,
        [
            ("https://secdb.alpinelinux.org/v3.10/main.json", false),
            ("https://secdb.alpinelinux.org/v3.10/community.json", true),
        ]
    );
    assert_eq!(ALPINE.parts(u16::MAX).len(), 60);
}
