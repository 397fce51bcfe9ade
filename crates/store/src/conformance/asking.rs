//! Cases about answers.

use pratique_model::{Cvss, Ecosystem, PartId, Release, Severity};

use super::sample::{
    advisory, affected, bookworm, commit, commit_facts, epss, kev, nvd, part, rich,
};
use super::{Case, list};
use crate::Database;

pub(super) const CASES: &[Case] = list![
    every_field_survives,
    names_are_asked_in_one_release_only,
    coverage_is_by_release_and_ecosystem,
    facts_of_all_sources_are_joined,
    severities_come_from_every_live_advisory,
    an_address_that_holds_the_id_survives,
    a_person_finds_ids_aliases_and_packages,
];

fn every_field_survives(database: &mut Database) {
    commit(database, &PartId::new("osv", "AlmaLinux:8"), 1, &[rich()]).expect("a commit");
    let eight = Release::new("almalinux", "8");
    let found = database.affected(Ecosystem::Rpm, Some(&eight), &["nodejs"]).expect("an answer");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].affected, rich().affected[0]);
    let nine = Release::new("almalinux", "9");
    let others = database.affected(Ecosystem::Rpm, Some(&nine), &["kernel: core"]).expect("answer");
    assert_eq!(others[0].affected, rich().affected[1]);
    let stored = database.advisories(&[found[0].advisory]).expect("an answer");
    assert_eq!(stored[0].part, PartId::new("osv", "AlmaLinux:8"));
    let mut expected = rich();
    expected.affected.clear();
    (expected.summary, expected.published, expected.modified) = (None, None, None);
    assert_eq!(stored[0].advisory, expected);
}

fn names_are_asked_in_one_release_only(database: &mut Database) {
    let mut two = advisory("CVE-2024-0001", "openssl", Some("3.0.2"));
    let mut other = affected("openssl", Some("1.1.1"));
    other.release = Some(Release::new("debian", "11"));
    two.affected.push(other);
    let one = advisory("CVE-2024-0002", "openssl", None);
    commit(database, &part(), 1, &[two, one]).expect("a commit");
    let ask = |release: &Release, names: &[&str]| {
        database.affected(Ecosystem::Deb, Some(release), names).expect("an answer").len()
    };
    assert_eq!(ask(&bookworm(), &["openssl"]), 2);
    assert_eq!(ask(&bookworm(), &["zlib", "openssl", "openssl"]), 2);
    assert_eq!(ask(&Release::new("debian", "11"), &["openssl"]), 1);
    assert_eq!(ask(&Release::new("debian", "10"), &["openssl"]), 0);
    assert_eq!(ask(&bookworm(), &["opensslx", "openss", ""]), 0);
    assert_eq!(ask(&bookworm(), &[]), 0);
}

fn coverage_is_by_release_and_ecosystem(database: &mut Database) {
    assert!(!database.covers(&bookworm()).expect("an answer"));
    commit(database, &part(), 1, &[advisory("CVE-2024-0001", "a", None)]).expect("a commit");
    assert!(database.covers(&bookworm()).expect("an answer"));
    assert!(!database.covers(&Release::new("debian", "11")).expect("an answer"));
    assert!(database.covers_ecosystem(Ecosystem::Deb).expect("an answer"));
    assert!(!database.covers_ecosystem(Ecosystem::Npm).expect("an answer"));
    assert_eq!(database.covered_releases().expect("an answer"), [bookworm()]);
    let parts = database.parts_covering(Ecosystem::Deb, Some(&bookworm()));
    assert_eq!(parts.expect("an answer"), [part()]);
}

fn facts_of_all_sources_are_joined(database: &mut Database) {
    let (known, scored) = ("CVE-2021-44228", "CVE-2019-0001");
    let vectors = ["CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", "AV:N/AC:M/Au:N/C:C/I:C/A:C"];
    commit_facts(database, &PartId::new("epss", "epss"), 1, &[epss(known, 0.944)]);
    commit_facts(database, &PartId::new("kev", "kev"), 1, &[kev(known)]);
    let scores = [nvd(known, &vectors), nvd(scored, &[])];
    commit_facts(database, &PartId::new("nvd", "2021"), 1, &scores);
    let facts = database.facts(&[scored, known, known, "GHSA-x", "CVE-2000-0001"]).expect("facts");
    assert_eq!(facts.len(), 2);
    let facts = &facts[known];
    assert_eq!(facts.epss.as_ref().map(|epss| epss.score), Some(0.944));
    assert!(facts.kev.as_ref().is_some_and(|kev| kev.ransomware && kev.due.is_some()));
    let expected = vectors.map(|text| Cvss::parse(text, "nvd").expect("a vector"));
    assert_eq!(facts.cvss, expected);
    assert!(!facts.nvd_rejected);
}

fn severities_come_from_every_live_advisory(database: &mut Database) {
    let cve = "CVE-2024-0001";
    let mut ubuntu = advisory(cve, "a", None);
    ubuntu.affected[0].severity = Some(Severity::Low);
    commit(database, &PartId::new("ubuntu", "ubuntu"), 1, &[ubuntu]).expect("a commit");
    let mut alma = advisory(cve, "b", None);
    alma.id = "ALSA-2024:1".to_owned();
    alma.severity = Some(Severity::High);
    commit(database, &PartId::new("osv", "AlmaLinux:8"), 1, &[alma]).expect("a commit");
    commit(database, &part(), 1, &[advisory(cve, "c", None)]).expect("a commit");
    let found = database.severities_of(&[cve, "CVE-2000-0001"]).expect("an answer");
    let found: Vec<_> =
        found[cve].iter().map(|found| (&*found.source, &*found.advisory, found.severity)).collect();
    let expected =
        [("osv", "ALSA-2024:1", Some(Severity::High)), ("ubuntu", cve, Some(Severity::Low))];
    assert_eq!(found, expected);
}

fn an_address_that_holds_the_id_survives(database: &mut Database) {
    let mut twice = advisory("CVE-2024-0001", "a", None);
    twice.url = Some("https://x.org/CVE-2024-0001#CVE-2024-0001".to_owned());
    let mut none = advisory("CVE-2024-0002", "a", None);
    none.url = None;
    commit(database, &part(), 1, &[twice.clone(), none]).expect("a commit");
    let found = database.affected(Ecosystem::Deb, Some(&bookworm()), &["a"]).expect("an answer");
    let keys: Vec<_> = found.iter().map(|found| found.advisory).collect();
    let urls: Vec<_> = database
        .advisories(&keys)
        .expect("an answer")
        .into_iter()
        .map(|stored| stored.advisory.url)
        .collect();
    assert_eq!(urls, [twice.url, None]);
}

fn a_person_finds_ids_aliases_and_packages(database: &mut Database) {
    commit(database, &PartId::new("almalinux", "8"), 1, &[rich()]).expect("a commit");
    let mut named = advisory("CVE-2020-4788", "nodejs", Some("12"));
    named.aliases = vec!["GHSA-aaaa-bbbb-cccc".to_owned()];
    named.affected[0].severity = Some(Severity::Low);
    let mut empty = advisory("CVE-2020-0001", "x", None);
    empty.affected.clear();
    commit(database, &part(), 2, &[named, empty]).expect("a commit");
    let find = |text: &str| -> Vec<(String, Option<String>)> {
        let found = database.search(text, 100).expect("an answer");
        let row = |found: &crate::Statement| {
            (found.id.clone(), found.package.as_ref().map(|package| package.name.clone()))
        };
        found.iter().map(row).collect()
    };
    let row = |id: &str, name: Option<&str>| (id.to_owned(), name.map(str::to_owned));
    let alma = "ALSA-2022:1988";
    let of_alma = [row(alma, Some("nodejs")), row(alma, Some("kernel: core"))];
    let of_debian = row("CVE-2020-4788", Some("nodejs"));
    assert_eq!(find(alma), of_alma);
    let [first, second] = of_alma.clone();
    assert_eq!(find("cve-2020-4788"), [first.clone(), second, of_debian.clone()]);
    assert_eq!(find(" nodejs "), [first, of_debian.clone()]);
    assert_eq!(find("GHSA-aaaa-bbbb-cccc"), [of_debian]);
    assert_eq!(find("CVE-2020-0001"), [row("CVE-2020-0001", None)]);
    for unknown in ["", "GHSA-aaaa", "CVE-2020-0002", "node", "%"] {
        assert_eq!(find(unknown), [], "{unknown:?}");
    }
    let found = database.search("CVE-2020-4788", 1).expect("an answer");
    assert_eq!(found.len(), 1);
    let found = database.search("nodejs", 100).expect("an answer");
    assert_eq!(found[0].severity, Some(Severity::Critical));
    assert_eq!(found[1].fixed().collect::<Vec<_>>(), ["12"]);
    assert_eq!(found[1].severity, Some(Severity::Low));
}
