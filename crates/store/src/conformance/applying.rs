//! Cases about what a commit changes.

use pratique_model::{PartId, Range};

use super::sample::{advisory, at, commit, commit_facts, epss, kev, looked_up, part};
use super::{Case, list};
use crate::{Applied, Database};

pub(super) const CASES: &[Case] = list![
    the_first_load_is_a_baseline,
    the_same_input_again_changes_nothing,
    a_new_a_changed_and_a_missing_entry_are_told_apart,
    pieces_of_one_advisory_are_united,
];

fn the_first_load_is_a_baseline(database: &mut Database) {
    let feed = [advisory("CVE-2024-0001", "a", None), advisory("CVE-2024-0002", "b", Some("2"))];
    let applied = commit(database, &part(), 1, &feed).expect("a commit");
    let expected =
        Applied { generation: 1, is_baseline: true, entries: 2, new: 2, ..Applied::default() };
    assert_eq!(applied, expected);
    let state = database.part(&part()).expect("an answer").expect("a part");
    assert_eq!((state.generation, state.entries), (1, 2));
    assert_eq!((state.as_of, state.last_success), (Some(at(1)), Some(at(1))));
    assert_eq!(state.fingerprint.as_deref(), Some("etag-1"));
}

fn the_same_input_again_changes_nothing(database: &mut Database) {
    let feed = [advisory("CVE-2024-0001", "a", None), advisory("CVE-2024-0002", "b", Some("2"))];
    commit(database, &part(), 1, &feed).expect("a commit");
    let reversed = [feed[1].clone(), feed[0].clone()];
    let applied = commit(database, &part(), 2, &reversed).expect("a commit");
    let expected = Applied { generation: 1, entries: 2, unchanged: 2, ..Applied::default() };
    assert_eq!(applied, expected);
    assert!(!applied.is_changed());
    let facts = [epss("CVE-2024-0001", 0.5), kev("CVE-2024-0001")];
    let other = PartId::new("epss", "epss");
    commit_facts(database, &other, 1, &facts);
    let applied = commit_facts(database, &other, 2, &facts);
    let expected = Applied { generation: 1, entries: 2, unchanged: 2, ..Applied::default() };
    assert_eq!(applied, expected);
}

fn a_new_a_changed_and_a_missing_entry_are_told_apart(database: &mut Database) {
    let feed = [
        advisory("CVE-2024-0001", "a", Some("1")),
        advisory("CVE-2024-0002", "a", Some("2")),
        advisory("CVE-2024-0003", "a", Some("3")),
    ];
    commit(database, &part(), 1, &feed).expect("a commit");
    let feed = [
        advisory("CVE-2024-0001", "a", Some("1")),
        advisory("CVE-2024-0002", "a", Some("2.1")),
        advisory("CVE-2024-0004", "a", Some("4")),
    ];
    let applied = commit(database, &part(), 2, &feed).expect("a commit");
    let expected = Applied {
        generation: 2,
        entries: 3,
        new: 1,
        changed: 1,
        withdrawn: 1,
        unchanged: 1,
        ..Applied::default()
    };
    assert_eq!(applied, expected);
    let expected = [("CVE-2024-0001", "1"), ("CVE-2024-0002", "2.1"), ("CVE-2024-0004", "4")]
        .map(|(id, fixed)| (id.to_owned(), vec![Range::below(fixed)]));
    assert_eq!(looked_up(database, "a"), expected);
}

fn pieces_of_one_advisory_are_united(database: &mut Database) {
    let mut first = advisory("CVE-2024-0001", "a", Some("1"));
    let other = advisory("CVE-2024-0002", "a", None);
    let second = advisory("CVE-2024-0001", "b", Some("2"));
    first.aliases.push("X-1".to_owned());
    let pieces = [first.clone(), other.clone(), second.clone(), first.clone()];
    let applied = commit(database, &part(), 1, &pieces).expect("a commit");
    assert_eq!((applied.entries, applied.new), (2, 2));
    assert_eq!(looked_up(database, "a").len(), 2);
    assert_eq!(looked_up(database, "b"), [("CVE-2024-0001".to_owned(), vec![Range::below("2")])]);
    let applied = commit(database, &part(), 2, &[second, first, other]).expect("a commit");
    assert_eq!((applied.unchanged, applied.changed, applied.generation), (2, 0, 1));
}
