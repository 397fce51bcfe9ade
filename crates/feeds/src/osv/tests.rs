//! The source as a whole: parts, files, what is put aside.

use super::*;
use crate::collector::Collector;

#[test]
fn parts_have_one_zip_each_and_a_parser() {
    let parts = Osv.parts(2026);
    assert_eq!(parts.len(), ECOSYSTEMS.len());
    for part in parts {
        assert_eq!(part.documents.len(), 1, "{}", part.id);
        assert!(Osv.parser(&part.id).wants("GHSA-1.json"));
    }
}

#[test]
fn trap_9_files_of_a_flat_zip_are_records() {
    let parser = Osv.parser(&PartId::new("osv", "Go"));
    assert!(parser.wants("GO-2020-0001.json"));
    assert!(!parser.wants("README.md"));
}

#[test]
fn a_bad_record_is_put_aside_and_the_others_are_kept() {
    let mut parser = Osv.parser(&PartId::new("osv", "npm"));
    let mut sink = Collector::default();
    let good = br#"{"id": "GHSA-1", "modified": "2026-01-02T00:00:00Z", "affected": [{"package":
        {"ecosystem": "npm", "name": "a"}, "versions": ["1.0.0"]}]}"#;
    let older =
        br#"{"id": "GHSA-2", "modified": "2025-01-02T00:00:00Z", "aliases": ["CVE-2025-0001"]}"#;
    for (path, content) in [("a.json", &good[..]), ("b.json", b"{\"id\": "), ("c.json", &older[..])]
    {
        parser.file(path, &mut &*content, &mut sink).expect("readable");
    }
    let summary = parser.finish(&mut sink).expect("whole");
    let ids: Vec<&str> = sink.advisories.iter().map(|advisory| advisory.id.as_str()).collect();
    assert_eq!(ids, ["GHSA-1", "GHSA-2"]);
    assert_eq!(sink.quarantined.len(), 1);
    assert_eq!(sink.quarantined[0].subject, "b.json");
    assert_eq!(summary.as_of.map(|at| at.to_string()).as_deref(), Some("2026-01-02T00:00:00Z"));
}

#[test]
fn a_zip_without_a_record_fails_the_part() {
    let mut sink = Collector::default();
    let error = Osv.parser(&PartId::new("osv", "npm")).finish(&mut sink).expect_err("empty");
    assert_eq!(error.to_string(), "npm/all.zip: holds no OSV record");
}

#[test]
fn a_broken_stream_fails_the_part() {
    struct Broken;
    impl std::io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("cut"))
        }
    }
    let mut sink = Collector::default();
    let mut content = std::io::BufReader::new(Broken);
    let mut parser = Osv.parser(&PartId::new("osv", "npm"));
    assert!(matches!(parser.file("a.json", &mut content, &mut sink), Err(FeedError::Read { .. })));
}

#[test]
fn one_flaw_under_several_ids_is_kept_under_each() {
    let mut parser = Osv.parser(&PartId::new("osv", "PyPI"));
    let mut sink = Collector::default();
    for (id, alias) in [("GHSA-1", "PYSEC-1"), ("PYSEC-1", "GHSA-1")] {
        let json = format!(
            r#"{{"id": "{id}", "aliases": ["CVE-2024-0001", "{alias}"], "affected": [{{
                "package": {{"ecosystem": "PyPI", "name": "a"}}, "versions": ["1.0"]}}]}}"#
        );
        parser.file("a.json", &mut json.as_bytes(), &mut sink).expect("readable");
    }
    let ids: Vec<(&str, &str)> = sink
        .advisories
        .iter()
        .map(|advisory| (advisory.id.as_str(), advisory.vulnerabilities[0].as_str()))
        .collect();
    assert_eq!(ids, [("GHSA-1", "CVE-2024-0001"), ("PYSEC-1", "CVE-2024-0001")]);
}
