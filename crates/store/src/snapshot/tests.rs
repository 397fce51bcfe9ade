//! Snapshots are written, loaded, cut and damaged.

use pratique_model::Range;

use super::*;
use crate::conformance::sample::{
    advisory, affected, assert_whole, bookworm, commit, commit_facts, epss, kev, looked_up, nvd,
    part, rich,
};

fn full() -> Database {
    let mut database = Database::in_memory().expect("memory");
    let mut both = advisory("CVE-2024-0001", "a", Some("1 2|3"));
    both.affected.push(affected("b", None));
    let mut taken_back = advisory("CVE-2024-0009", "a", None);
    taken_back.withdrawn = Some(crate::conformance::sample::at(0));
    let feed = [both, advisory("CVE-2024-0002", "c", None), taken_back];
    commit(&mut database, &part(), 1, &feed).expect("a commit");
    commit(&mut database, &PartId::new("osv", "AlmaLinux:8"), 2, &[rich()]).expect("a commit");
    let vectors = ["CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"];
    let facts = [
        epss("CVE-2024-0001", 0.25),
        kev("CVE-2024-0001"),
        nvd("CVE-2024-0001", &vectors),
        epss("CVE-2024-0002", 0.5),
    ];
    commit_facts(&mut database, &PartId::new("a-facts", "a-facts"), 3, &facts);
    database
}

fn written(database: &Database, filter: &SnapshotFilter) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_snapshot(database, filter, &mut bytes).expect("written");
    bytes
}

fn loaded(bytes: &[u8]) -> Database {
    let mut database = Database::in_memory().expect("memory");
    load_snapshot(bytes, &mut database).expect("loaded");
    assert_whole(&database);
    database
}

#[test]
fn a_database_loaded_from_its_snapshot_gives_the_same_snapshot() {
    let all = SnapshotFilter { with_texts: true, ..SnapshotFilter::default() };
    let first = written(&full(), &all);
    let copy = loaded(&first);
    assert_eq!(written(&copy, &all), first);
    let states = copy.parts().expect("parts");
    for (state, original) in states.iter().zip(full().parts().expect("parts")) {
        assert_eq!(state.as_of, original.as_of, "{}", state.id);
        assert_eq!(state.last_success, original.last_success, "{}", state.id);
        assert_eq!(state.entries, original.entries, "{}", state.id);
        assert!(!state.is_partial);
    }
    assert_eq!(looked_up(&copy, "a"), [("CVE-2024-0001".to_owned(), vec![Range::below("1 2|3")])]);
}

#[test]
fn an_excerpt_is_marked_as_partial_and_nothing_is_cut() {
    let filter = SnapshotFilter { excerpts: [part()].into(), ..SnapshotFilter::default() };
    let copy = loaded(&written(&full(), &filter));
    assert!(copy.part(&part()).expect("an answer").expect("a part").is_partial);
    assert_eq!(looked_up(&copy, "a"), looked_up(&full(), "a"));
}

#[test]
fn a_filter_keeps_what_it_names_and_its_facts() {
    let filter = SnapshotFilter {
        packages: [(Ecosystem::Deb, "a".to_owned())].into(),
        ..SnapshotFilter::default()
    };
    let copy = loaded(&written(&full(), &filter));
    assert_eq!(looked_up(&copy, "a").len(), 1);
    assert!(looked_up(&copy, "b").is_empty());
    assert!(looked_up(&copy, "c").is_empty());
    let facts = copy.facts(&["CVE-2024-0001", "CVE-2024-0002"]).expect("facts");
    assert_eq!(facts.len(), 1);
    let facts = &facts["CVE-2024-0001"];
    assert!(facts.epss.is_some() && facts.kev.is_some() && facts.cvss.len() == 1);
    assert!(copy.part(&part()).expect("an answer").expect("a part").is_partial);
    let filter = SnapshotFilter { releases: [bookworm()].into(), ..SnapshotFilter::default() };
    let copy = loaded(&written(&full(), &filter));
    assert!(copy.covers(&bookworm()).expect("an answer"));
    assert!(!copy.covers(&Release::new("almalinux", "8")).expect("an answer"));
}

#[test]
fn a_cut_or_damaged_snapshot_changes_nothing() {
    let mut database = Database::in_memory().expect("memory");
    let whole = written(&full(), &SnapshotFilter::default());
    let plain = zstd::decode_all(&*whole).expect("zstd");
    let packed = |plain: &[u8]| zstd::encode_all(plain, 1).expect("zstd");
    let mut cases: Vec<Vec<u8>> = vec![Vec::new(), b"SQLite".to_vec(), packed(b"{}\n")];
    cases.extend((0..10).map(|tenth| whole[..whole.len() * tenth / 10].to_vec()));
    let lines: Vec<&[u8]> = plain.split_inclusive(|byte| *byte == b'\n').collect();
    for index in 0..lines.len() {
        let mut without = lines.clone();
        without.remove(index);
        cases.push(packed(&without.concat()));
    }
    cases.push(packed(&[&plain, lines[1]].concat()));
    for (index, case) in cases.iter().enumerate() {
        let error = load_snapshot(&**case, &mut database).expect_err("damaged");
        assert!(matches!(error, StoreError::Snapshot { .. }), "case {index}: {error}");
        assert_eq!(database.parts().expect("parts"), [], "case {index}");
    }
}

#[test]
fn an_unknown_word_is_named_with_its_line() {
    let plain = zstd::decode_all(&*written(&full(), &SnapshotFilter::default())).expect("zstd");
    let text = String::from_utf8(plain).expect("text");
    let text = text.replace("\"status\":\"fixed\"", "\"status\":\"mended\"");
    let bytes = zstd::encode_all(text.as_bytes(), 1).expect("zstd");
    let mut database = Database::in_memory().expect("memory");
    let error = load_snapshot(&*bytes, &mut database).expect_err("unknown").to_string();
    assert!(error.starts_with("snapshot: line ") && error.contains("\"mended\""), "{error}");
}

#[test]
fn a_partial_part_gives_way_to_the_whole_and_never_replaces_it() {
    let filter = SnapshotFilter {
        packages: [(Ecosystem::Deb, "a".to_owned())].into(),
        ..SnapshotFilter::default()
    };
    let bytes = written(&full(), &filter);
    let mut database = loaded(&bytes);
    let feed = [advisory("CVE-2024-0001", "a", None), advisory("CVE-2024-0003", "b", None)];
    let applied = commit(&mut database, &part(), 9, &feed).expect("a commit");
    assert!(applied.is_baseline, "the first whole load tells no changes");
    let kinds: Vec<_> = database
        .changes(&part(), 0, 100)
        .expect("changes")
        .into_iter()
        .map(|change| change.kind)
        .collect();
    assert_eq!(kinds, [crate::ChangeKind::Baseline; 2]);
    assert!(!database.part(&part()).expect("an answer").expect("a part").is_partial);
    let taken = load_snapshot(&*bytes, &mut database).expect("loaded");
    assert!(!taken.contains(&part()));
    assert_eq!(looked_up(&database, "b").len(), 1);
    assert_whole(&database);
}
