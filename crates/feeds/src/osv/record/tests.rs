//! Records whose fields have another form than the schema wants.

use super::*;

#[track_caller]
fn read(json: &str) -> Record {
    Record::parse(json.as_bytes()).expect("a record")
}

#[test]
fn fields_of_free_form_never_cost_the_record() {
    let record = read(
        r#"{"id": "GHSA-x", "modified": "<some date>", "published": 5, "summary": null,
            "aliases": null, "severity": null, "references": "none", "database_specific": "<any>",
            "affected": [{"package": {"ecosystem": "npm", "name": "left-pad"}, "versions": 188,
                "database_specific": ["a"], "ecosystem_specific": {"imports": 1, "affects": []},
                "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}]}]}"#,
    );
    assert_eq!((record.modified, record.published), (None, None));
    assert!(record.aliases.is_empty() && record.severity.is_empty());
    assert_eq!(record.database_specific.severity, None);
    assert_eq!(record.affected[0].versions, Versions::Unreadable);
    assert_eq!(record.affected[0].ranges.len(), 1);
}

#[test]
fn fields_that_decide_are_strict() {
    for bad in [
        "",
        "[]",
        r#"{"modified": "2026-01-01T00:00:00Z"}"#,
        r#"{"id": ""}"#,
        r#"{"id": "A-1", "withdrawn": "yes"}"#,
        r#"{"id": "A-1", "affected": [{"ranges": "all"}]}"#,
        r#"{"id": "A-1", "affected": [{"ranges": [{"events": [{"fixed": "1"}]}]}]}"#,
        r#"{"id": "A-1", "aliases": ["CVE-2020-0001"]"#,
        r#"{"id": "A-1"} {"id": "A-2"}"#,
    ] {
        assert!(Record::parse(bad.as_bytes()).is_err(), "{bad:?} was taken");
    }
}

#[test]
fn cves_come_from_id_aliases_and_upstream_but_not_from_related() {
    let record = read(
        r#"{"id": "UBUNTU-CVE-2024-1", "aliases": ["GHSA-b", "CVE-2024-20002", "CVE-2024-10001"],
            "upstream": ["CVE-2024-10001", "GHSA-a"], "related": ["CVE-2024-30003"]}"#,
    );
    assert_eq!(record.cves(), ["CVE-2024-10001", "CVE-2024-20002"]);
    assert_eq!(record.other_ids(), ["GHSA-a", "GHSA-b"]);
    assert_eq!(read(r#"{"id": "CVE-2024-0001"}"#).cves(), ["CVE-2024-0001"]);
}

#[test]
fn ecosystem_is_split_at_the_first_colon() {
    for (text, parts) in [
        ("PyPI", ("PyPI", "")),
        ("AlmaLinux:8", ("AlmaLinux", "8")),
        ("Ubuntu:Pro:18.04:LTS", ("Ubuntu", "Pro:18.04:LTS")),
        ("Maven:https://repo.example/m2", ("Maven", "https://repo.example/m2")),
    ] {
        let package = PackageName { ecosystem: text.to_owned(), name: String::new() };
        assert_eq!(package.ecosystem_parts(), parts);
    }
}

#[test]
fn one_line_of_text_is_the_summary_or_the_first_line_of_details() {
    let details = r#"{"id": "P-1", "details": "\n  First.  \nSecond."}"#;
    assert_eq!(read(details).one_line().as_deref(), Some("First."));
    let both = r#"{"id": "P-1", "summary": "Short.", "details": "Long."}"#;
    assert_eq!(read(both).one_line().as_deref(), Some("Short."));
    let blank = r#"{"id": "P-1", "summary": " ", "details": " \n "}"#;
    assert_eq!(read(blank).one_line(), None);
    let long = format!(r#"{{"id": "P-1", "details": "{}"}}"#, "é".repeat(400));
    assert_eq!(read(&long).one_line().map(|line| line.len()), Some(DETAILS_BYTES_MAX));
}

#[test]
fn a_record_beyond_the_limit_is_put_aside_unread() {
    let mut huge = std::io::BufReader::new(std::io::repeat(b' '));
    let problem = Record::read("a.json", &mut huge).expect("no stream error").expect_err("refused");
    assert!(problem.contains("larger than"), "{problem}");
}
