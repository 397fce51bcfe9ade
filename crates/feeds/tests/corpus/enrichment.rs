//! KEV, EPSS and NVD.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;

use serde_json::Value;

use pratique_feeds::Container;
use pratique_model::{Enrichment, is_cve};

use crate::corpus;

/// A document's text, unpacked.
fn text(part: &str, index: usize) -> String {
    let document = &corpus::part(part).documents[index];
    let file = corpus::file_of(document).expect("the corpus has it");
    let bytes = fs::read(file).expect("the file is read");
    let mut text = String::new();
    match document.container {
        Container::Gzip => {
            flate2::bufread::MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text)
        }
        _ => (&bytes[..]).read_to_string(&mut text),
    }
    .expect("the document is text");
    text
}

#[test]
fn trap_8_kev_whole_file_is_read() {
    let Some(read) = corpus::read("kev") else { return };
    assert_eq!(read.quarantined, []);
    let catalogue: Value = serde_json::from_str(&text("kev", 0)).expect("the catalogue is JSON");
    let count = catalogue["count"].as_u64().expect("it has a count");
    assert_eq!((read.enrichments.len() as u64, count), (1662, 1662));
    let published = catalogue["vulnerabilities"].as_array().expect("a list");
    for (entry, fact) in published.iter().zip(&read.enrichments) {
        let Enrichment::KnownExploited(fact) = fact else { panic!("{fact:?}") };
        assert_eq!(entry["cveID"], fact.vulnerability);
        assert_eq!(entry["dateAdded"], fact.added.to_string());
        assert_eq!(entry["dueDate"], fact.due.expect("each has one").to_string());
        assert_eq!(entry["knownRansomwareCampaignUse"] == "Known", fact.ransomware);
    }
    let as_of = read.summary.as_of.map(|at| at.to_string());
    assert_eq!(as_of.as_deref(), Some("2026-08-07T16:45:47.0648Z"));
}

#[test]
fn trap_8_epss_whole_file_is_read() {
    let Some(read) = corpus::read("epss") else { return };
    assert_eq!(read.quarantined, []);
    let text = text("epss", 0);
    assert_eq!(read.enrichments.len(), text.lines().count() - 2);
    for (line, fact) in text.lines().skip(2).zip(&read.enrichments) {
        let Enrichment::Epss(fact) = fact else { panic!("{fact:?}") };
        let fields = [&*fact.vulnerability, &fact.score.to_string(), &fact.percentile.to_string()];
        let published: Vec<&str> = line.split(',').collect();
        assert_eq!(published[0], fields[0]);
        assert_eq!(published[1].parse(), fields[1].parse::<f64>(), "{line}");
        assert_eq!(published[2].parse(), fields[2].parse::<f64>(), "{line}");
        assert_eq!(fact.date.to_string(), "2026-08-16");
    }
    let as_of = read.summary.as_of.map(|at| at.to_string());
    assert_eq!(as_of.as_deref(), Some("2026-08-16T12:55:00Z"));
}

/// Trap 8: with the `.meta` beside each year, whose digest has to be that of the unpacked file.
#[test]
fn trap_8_nvd_whole_years_are_read_as_their_meta_says() {
    if corpus::feeds().is_none() {
        return;
    }
    let (mut total, mut rejected, mut scores) = (0, 0, 0);
    for part in corpus::source("nvd").parts(2026) {
        if corpus::file_of(&part.documents[1]).is_none() {
            continue;
        }
        let name = part.id.to_string();
        assert!(text(&name, 0).contains("\r\n"), "{name}: the .meta has CRLF");
        let read = corpus::read(&name).expect("the corpus is there");
        assert_eq!((&*read.quarantined, &*read.notes), (&[][..], &[][..]), "{name}");
        let year: Value = serde_json::from_str(&text(&name, 1)).expect("the year is JSON");
        let published = year["vulnerabilities"].as_array().expect("a list");
        assert_eq!(read.enrichments.len(), published.len(), "{name}");
        for (item, fact) in published.iter().zip(&read.enrichments) {
            let Enrichment::Nvd(fact) = fact else { panic!("{fact:?}") };
            let cve = &item["cve"];
            assert_eq!(cve["id"], fact.vulnerability);
            let english = cve["descriptions"].as_array().expect("a list").iter();
            let english = english.into_iter().find(|it| it["lang"] == "en").map(|it| &it["value"]);
            assert_eq!(english.and_then(Value::as_str), fact.description.as_deref());
            let metrics = cve["metrics"].as_object().into_iter().flatten();
            let vectors: BTreeSet<&str> = metrics
                .flat_map(|(_, list)| list.as_array().expect("a list"))
                .filter_map(|metric| metric["cvssData"]["vectorString"].as_str())
                .collect();
            let found: BTreeSet<&str> = fact.cvss.iter().map(|cvss| &*cvss.vector).collect();
            if fact.is_rejected {
                rejected += 1;
            } else {
                assert_eq!(found, vectors, "{}", fact.vulnerability);
                let own = fact.cvss.iter().position(|cvss| cvss.source != "nvd");
                let last_own = fact.cvss.iter().rposition(|cvss| cvss.source == "nvd");
                assert!(last_own.is_none_or(|last| own.is_none_or(|other| last < other)));
            }
            scores += found.len();
            assert!(is_cve(&fact.vulnerability));
        }
        total += published.len();
        assert!(read.summary.as_of.is_some(), "{name}");
    }
    assert_eq!((total, rejected), (163, 3));
    assert!(scores > 150, "{scores}");
}
