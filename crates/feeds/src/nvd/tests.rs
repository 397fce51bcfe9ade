//! Years of a few entries in NVD's envelope, and their `.meta`.

use super::*;
use crate::collector::Collector;

const V31: &str = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
const V30: &str = "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:N/A:N";

/// A year with the given entries.
fn year(entries: &str) -> String {
    format!(
        r#"{{"resultsPerPage": 1, "startIndex": 0, "totalResults": 1, "format": "NVD_CVE",
            "version": "2.0", "timestamp": "2026-08-22T03:00:01.500",
            "vulnerabilities": [{entries}]}}"#
    )
}

fn metric(source: &str, kind: &str, vector: &str) -> String {
    format!(
        r#"{{"source": "{source}", "type": "{kind}", "cvssData": {{"vectorString": "{vector}"}}}}"#
    )
}

#[track_caller]
fn read(parser: &mut NvdParser, text: &str) -> Collector {
    let mut sink = Collector::default();
    parser.file("nvdcve-2.0-2024.json.gz", &mut text.as_bytes(), &mut sink).expect("readable");
    sink
}

#[test]
fn nvds_own_scores_come_first_and_newest_versions_before_older_ones() {
    let metrics = format!(
        r#""cvssMetricV31": [{}, {}, {}], "cvssMetricV30": [{}], "ssvcV203": [{{"source": "x"}}],
            "cvssMetricV2": [{}]"#,
        metric("cna@vendor.example", "Secondary", V31),
        metric("134c704f-9b21-4f2e-91b3-4a467353bcc0", "Primary", V31),
        metric("nvd@nist.gov", "Primary", V31),
        metric("nvd@nist.gov", "Primary", V30),
        metric("nvd@nist.gov", "Primary", "(AV:N/AC:L/Au:N/C:P/I:P/A:P)"),
    );
    let entry = format!(
        r#"{{"cve": {{"id": "CVE-2024-0001", "vulnStatus": "Analyzed", "metrics": {{{metrics}}},
            "descriptions": [{{"lang": "es", "value": "Hola"}},
                {{"lang": "en", "value": "A flaw."}}]}}}}"#
    );
    let mut parser = NvdParser::default();
    let sink = read(&mut parser, &year(&entry));
    let [Enrichment::Nvd(score)] = sink.enrichments.as_slice() else {
        panic!("one score expected: {sink:?}");
    };
    let order: Vec<String> =
        score.cvss.iter().map(|cvss| format!("{} {}", cvss.source, cvss.version)).collect();
    assert_eq!(order, ["nvd 3.1", "nvd 3.0", "nvd 2.0", "cisa.gov 3.1", "vendor.example 3.1"]);
    assert_eq!(score.description.as_deref(), Some("A flaw."));
    let as_of = parser.finish(&mut Collector::default()).expect("whole").as_of;
    assert_eq!(as_of.map(|at| at.to_string()).as_deref(), Some("2026-08-22T03:00:01.5Z"));
}

#[test]
fn a_rejected_entry_keeps_no_score() {
    for status in ["Rejected", "rejected"] {
        let entry = format!(
            r#"{{"cve": {{"id": "CVE-2024-0001", "vulnStatus": "{status}",
                "metrics": {{"cvssMetricV31": [{}]}}}}}}"#,
            metric("nvd@nist.gov", "Primary", V31)
        );
        let sink = read(&mut NvdParser::default(), &year(&entry));
        let [Enrichment::Nvd(score)] = sink.enrichments.as_slice() else {
            panic!("one score expected: {sink:?}");
        };
        assert!(score.is_rejected && score.cvss.is_empty() && score.description.is_none());
    }
}

#[test]
fn a_bad_entry_is_put_aside_and_a_bad_score_is_said() {
    let entries = format!(
        r#"{{"cve": {{"id": "CVE-2024-0001", "metrics": {{"cvssMetricV31": [{}]}}}}}},
            {{"cve": {{"id": "X"}}}}, {{"cve": 5}}, {{"cve": {{"id": "CVE-2024-0002"}}}}"#,
        metric("nvd@nist.gov", "Primary", "CVSS:3.1/AV:N")
    );
    let sink = read(&mut NvdParser::default(), &year(&entries));
    assert_eq!(sink.enrichments.len(), 2);
    assert_eq!(sink.notes.len(), 1);
    assert_eq!(sink.notes[0].subject, "CVE-2024-0001");
    let aside: Vec<&str> = sink.quarantined.iter().map(|note| note.subject.as_str()).collect();
    assert_eq!(aside, ["entry 2", "entry 3"]);
}

/// Reads a `.meta` with the digest of `meta_of`, then `text`.
fn with_meta(meta_of: &str, text: &str) -> Result<(), String> {
    use sha2::{Digest as _, Sha256};
    let digest: String = Sha256::digest(meta_of).iter().map(|byte| format!("{byte:02X}")).collect();
    let meta =
        format!("lastModifiedDate:2026-08-22T00:00:00-04:00\r\nsize:1\r\nsha256:{digest}\r\n");
    let (mut parser, mut sink) = (NvdParser::default(), Collector::default());
    let mut file = |path: &str, text: &str| {
        parser.file(path, &mut text.as_bytes(), &mut sink).map_err(|error| error.to_string())
    };
    file("nvdcve-2.0-2024.meta", &meta)?;
    file("nvdcve-2.0-2024.json.gz", text)
}

#[test]
fn trap_8_nvds_meta_tells_another_file() {
    let text = year("");
    assert_eq!(with_meta(&text, &text), Ok(()));
    assert_eq!(
        with_meta(&text, &year(r#"{"cve": {"id": "CVE-2024-0001"}}"#)),
        Err("nvdcve-2.0-2024.json.gz: is not the file that its .meta speaks of".to_owned())
    );
}

#[test]
fn a_meta_without_a_digest_fails_the_part() {
    let mut sink = Collector::default();
    for meta in ["", "sha256:12\r\n", "size:5\r\n"] {
        let mut content = meta.as_bytes();
        assert!(NvdParser::default().file("a.meta", &mut content, &mut sink).is_err(), "{meta:?}");
    }
}

#[test]
fn years_are_parts_and_the_meta_comes_first() {
    let parts = Nvd.parts(2026);
    assert_eq!(parts.len(), 25);
    assert_eq!(parts[0].id.to_string(), "nvd/2002");
    assert!(parts[24].documents[0].url.ends_with("nvdcve-2.0-2026.meta"));
    assert!(parts[24].documents[1].url.ends_with("nvdcve-2.0-2026.json.gz"));
    assert!(Nvd.parts(2001).is_empty());
}
