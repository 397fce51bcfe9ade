//! Cases about feeds that look broken, and about attempts that are written down.

use pratique_model::{Advisory, Note, PartId};

use super::sample::{advisory, at, commit, looked_up, options, part};
use super::{Case, list};
use crate::{CommitOptions, Database, Staging, StoreError};

pub(super) const CASES: &[Case] = list![
    a_feed_that_shrinks_by_more_than_a_fifth_is_refused,
    a_small_feed_may_lose_an_entry,
    a_feed_that_becomes_empty_is_refused,
    one_bad_entry_costs_only_itself,
    many_bad_entries_cost_the_feed,
    force_accepts_what_the_guards_refuse,
    remarks_are_kept_for_the_present_content,
    a_failure_leaves_the_data_and_is_forgotten_with_success,
    absence_is_no_failure_and_leaves_the_data,
    a_release_without_advisories_can_be_covered,
];

fn feed(count: usize) -> Vec<Advisory> {
    (0..count).map(|index| advisory(&format!("CVE-2024-{index:04}"), "a", None)).collect()
}

fn note(subject: &str) -> Note {
    Note { subject: subject.to_owned(), text: "cannot be read".to_owned() }
}

/// Stages `good` entries and `bad` ones.
fn staged(good: usize, bad: usize) -> Staging {
    let mut staging = Staging::new(part(), None);
    for advisory in feed(good) {
        staging.advisory(&advisory);
    }
    for index in 0..bad {
        staging.quarantine(note(&format!("entry {index}")));
    }
    staging
}

fn a_feed_that_shrinks_by_more_than_a_fifth_is_refused(database: &mut Database) {
    commit(database, &part(), 1, &feed(100)).expect("a commit");
    let before = database.part(&part()).expect("an answer");
    let error = commit(database, &part(), 2, &feed(79)).expect_err("refused");
    assert!(matches!(error, StoreError::Shrunk { before: 100, after: 79, .. }), "{error}");
    assert_eq!(looked_up(database, "a").len(), 100);
    assert_eq!(database.part(&part()).expect("an answer"), before);
    let applied = commit(database, &part(), 3, &feed(80)).expect("a fifth is allowed");
    assert_eq!((applied.withdrawn, applied.unchanged), (20, 80));
}

fn a_small_feed_may_lose_an_entry(database: &mut Database) {
    commit(database, &part(), 1, &feed(3)).expect("a commit");
    let applied = commit(database, &part(), 2, &feed(2)).expect("a commit");
    assert_eq!(applied.withdrawn, 1);
}

fn a_feed_that_becomes_empty_is_refused(database: &mut Database) {
    commit(database, &part(), 1, &feed(1)).expect("a commit");
    let error = commit(database, &part(), 2, &[]).expect_err("refused");
    assert!(matches!(error, StoreError::Shrunk { before: 1, after: 0, .. }), "{error}");
}

fn one_bad_entry_costs_only_itself(database: &mut Database) {
    let applied = database.commit(staged(9_999, 1), &options(1)).expect("a commit");
    assert_eq!((applied.entries, applied.quarantined), (9_999, 1));
    let notes = database.notes(&part()).expect("notes");
    assert_eq!(notes.len(), 1);
    assert!(notes[0].is_quarantine && notes[0].note.subject == "entry 0");
    database.commit(staged(3, 1), &CommitOptions { force: true, ..options(2) }).expect("forced");
    let few = PartId::new("alpine", "v3.20");
    let mut staging = Staging::new(few, None);
    staging.advisory(&advisory("CVE-2024-0001", "b", None));
    staging.quarantine(note("CVE-2024-0002"));
    database.commit(staging, &options(3)).expect("a small feed has one bad entry");
}

fn many_bad_entries_cost_the_feed(database: &mut Database) {
    database.commit(staged(300, 0), &options(1)).expect("a commit");
    let error = database.commit(staged(296, 4), &options(2)).expect_err("refused");
    assert!(matches!(error, StoreError::TooManyBad { quarantined: 4, total: 300, .. }), "{error}");
    database.commit(staged(297, 3), &options(3)).expect("one in a hundred is allowed");
    let mut all_bad = Staging::new(PartId::new("x", "x"), None);
    all_bad.quarantine(note("everything"));
    let error = database.commit(all_bad, &options(4)).expect_err("nothing could be read");
    assert!(matches!(error, StoreError::TooManyBad { total: 1, .. }), "{error}");
}

fn force_accepts_what_the_guards_refuse(database: &mut Database) {
    let forced = |hour| CommitOptions { force: true, ..options(hour) };
    database.commit(staged(100, 0), &options(1)).expect("a commit");
    let applied = database.commit(staged(10, 50), &forced(2)).expect("forced");
    assert_eq!((applied.entries, applied.withdrawn, applied.quarantined), (10, 90, 50));
    database.commit(staged(0, 0), &forced(3)).expect("forced");
    assert!(looked_up(database, "a").is_empty());
}

fn remarks_are_kept_for_the_present_content(database: &mut Database) {
    let mut staging = staged(1, 0);
    for index in 0..250 {
        staging.note(note(&format!("release {index} {}", "x".repeat(5_000))));
    }
    assert_eq!(staging.note_count(), 250);
    database.commit(staging, &options(1)).expect("a commit");
    let notes = database.notes(&part()).expect("notes");
    assert_eq!(notes.len(), 100);
    assert!(notes.iter().all(|kept| kept.note.subject.len() <= 300 && !kept.is_quarantine));
    database.commit(staged(1, 0), &options(2)).expect("a commit");
    assert!(database.notes(&part()).expect("notes").is_empty());
}

fn a_failure_leaves_the_data_and_is_forgotten_with_success(database: &mut Database) {
    database.record_failure(&part(), "no answer", at(1), None).expect("written");
    let state = database.part(&part()).expect("an answer").expect("a part");
    assert!(!state.is_loaded());
    assert_eq!((state.last_attempt, state.last_success), (Some(at(1)), None));
    commit(database, &part(), 2, &feed(3)).expect("a commit");
    let long = format!("cut {}", "x".repeat(100_000));
    database.record_failure(&part(), &long, at(3), None).expect("written");
    let state = database.part(&part()).expect("an answer").expect("a part");
    assert!(state.last_error.as_ref().is_some_and(|text| text.len() <= 1_000));
    assert_eq!((state.last_attempt, state.last_success), (Some(at(3)), Some(at(2))));
    assert_eq!((state.entries, state.generation), (3, 1));
    database.touch_unchanged(&part(), at(4), None).expect("written");
    let state = database.part(&part()).expect("an answer").expect("a part");
    assert_eq!((state.last_error, state.last_success), (None, Some(at(4))));
    assert_eq!((state.as_of, state.generation), (Some(at(2)), 1));
    assert_eq!(looked_up(database, "a").len(), 3);
}

fn absence_is_no_failure_and_leaves_the_data(database: &mut Database) {
    commit(database, &part(), 1, &feed(3)).expect("a commit");
    database.record_absent(&part(), at(2), None).expect("written");
    let state = database.part(&part()).expect("an answer").expect("a part");
    assert!(state.is_absent && state.last_error.is_none());
    assert_eq!((state.last_attempt, state.last_success), (Some(at(2)), Some(at(1))));
    assert_eq!(looked_up(database, "a").len(), 3);
    commit(database, &part(), 3, &feed(3)).expect("a commit");
    assert!(!database.part(&part()).expect("an answer").expect("a part").is_absent);
}

fn a_release_without_advisories_can_be_covered(database: &mut Database) {
    use pratique_model::{Ecosystem, Release};
    let fresh = Release::new("alpine", "3.99");
    let covers = vec![(Ecosystem::Apk, Some(fresh.clone()))];
    let staging = Staging::new(PartId::new("alpine", "v3.99"), None);
    database.commit(staging, &CommitOptions { covers, ..options(1) }).expect("a commit");
    assert!(database.covers(&fresh).expect("an answer"));
    assert!(database.covers_ecosystem(Ecosystem::Apk).expect("an answer"));
}
