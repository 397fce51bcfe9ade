//! Cases about what a commit changes.

use pratique_model::{Advisory, Ecosystem, PartId, Range};

use super::sample::{
    advisory, affected, at, bookworm, commit, commit_facts, epss, kev, looked_up, options, part,
};
use super::{Case, list};
use crate::{Applied, ChangeKind, CommitOptions, Database, Staging};

pub(super) const CASES: &[Case] = list![
    the_first_load_is_a_baseline,
    the_same_input_again_changes_nothing,
    a_new_a_changed_and_a_missing_entry_are_told_apart,
    pieces_of_one_advisory_are_united,
    what_the_publisher_withdraws_is_not_matched,
    an_entry_that_comes_back_is_new,
    a_text_alone_is_a_change_of_text,
    changes_are_told_by_generation,
    facts_are_added_changed_and_taken_away,
    parts_do_not_touch_each_other,
    the_names_of_shared_texts_survive_a_refused_commit,
    more_rows_than_a_run_holds_are_all_written,
    a_feed_that_grows_a_hundredfold_and_shrinks_is_compared_rightly,
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

fn what_the_publisher_withdraws_is_not_matched(database: &mut Database) {
    let mut feed = [advisory("CVE-2024-0001", "a", None), advisory("CVE-2024-0002", "a", None)];
    feed[1].withdrawn = Some(at(0));
    commit(database, &part(), 1, &feed).expect("a commit");
    assert_eq!(looked_up(database, "a").len(), 1);
    assert!(database.severities_of(&["CVE-2024-0002"]).expect("an answer").is_empty());
    feed[0].withdrawn = Some(at(1));
    feed[1].withdrawn = None;
    let applied = commit(database, &part(), 2, &feed).expect("a commit");
    assert_eq!((applied.changed, applied.withdrawn), (2, 0));
    assert_eq!(looked_up(database, "a"), [("CVE-2024-0002".to_owned(), vec![])]);
    assert_eq!(kinds(database, 1), [ChangeKind::Withdrawn, ChangeKind::New]);
}

fn an_entry_that_comes_back_is_new(database: &mut Database) {
    let feed = [advisory("CVE-2024-0001", "a", None), advisory("CVE-2024-0002", "b", None)];
    commit(database, &part(), 1, &feed).expect("a commit");
    let applied = commit(database, &part(), 2, &feed[..1]).expect("a commit");
    assert_eq!((applied.entries, applied.withdrawn), (1, 1));
    let applied = commit(database, &part(), 3, &feed[..1]).expect("a commit");
    assert_eq!((applied.withdrawn, applied.generation), (0, 2), "it is gone only once");
    let applied = commit(database, &part(), 4, &feed).expect("a commit");
    assert_eq!((applied.new, applied.changed, applied.generation), (1, 0, 3));
    assert_eq!(looked_up(database, "b").len(), 1);
    assert_eq!(kinds(database, 1), [ChangeKind::Withdrawn, ChangeKind::New]);
}

fn a_text_alone_is_a_change_of_text(database: &mut Database) {
    let mut feed = [advisory("CVE-2024-0001", "a", Some("1"))];
    commit(database, &part(), 1, &feed).expect("a commit");
    feed[0].summary = Some("a typo is mended".to_owned());
    let applied = commit(database, &part(), 2, &feed).expect("a commit");
    assert_eq!((applied.changed, applied.generation), (1, 2));
    assert_eq!(kinds(database, 1), [ChangeKind::Text]);
}

fn changes_are_told_by_generation(database: &mut Database) {
    let feed = |fixed| [advisory("CVE-2024-0001", "a", fixed)];
    commit(database, &part(), 1, &feed(None)).expect("a commit");
    commit(database, &part(), 2, &feed(Some("1"))).expect("a commit");
    commit(database, &part(), 3, &feed(Some("2"))).expect("a commit");
    assert_eq!(
        kinds(database, 0),
        [ChangeKind::Baseline, ChangeKind::FixAvailable, ChangeKind::FixChanged]
    );
    let changes = database.changes(&part(), 2, 10).expect("changes");
    assert_eq!(changes.len(), 1);
    let change = &changes[0];
    assert_eq!((change.generation, change.at), (3, at(3)));
    assert_eq!(change.advisory.as_deref(), Some("CVE-2024-0001"));
    assert_eq!((change.old.as_deref(), change.new.as_deref()), (Some("1"), Some("2")));
    assert_eq!(change.package, Some((Ecosystem::Deb, Some(bookworm()), "a".to_owned())));
    assert_eq!(database.changes(&part(), 0, 2).expect("changes").len(), 2);
}

fn facts_are_added_changed_and_taken_away(database: &mut Database) {
    let kevs = PartId::new("kev", "kev");
    let facts = [epss("CVE-2024-0001", 0.1), epss("CVE-2024-0002", 0.2), kev("CVE-2024-0001")];
    commit_facts(database, &kevs, 1, &facts);
    let facts = [epss("CVE-2024-0001", 0.5), kev("CVE-2024-0001"), kev("CVE-2024-0003")];
    let applied = commit_facts(database, &kevs, 2, &facts);
    let counts = (applied.new, applied.changed, applied.withdrawn, applied.unchanged);
    assert_eq!(counts, (1, 1, 1, 1));
    assert_eq!((applied.entries, applied.generation), (3, 2));
    let found = database.facts(&["CVE-2024-0001", "CVE-2024-0002"]).expect("facts");
    assert_eq!(found.len(), 1);
    assert_eq!(found["CVE-2024-0001"].epss.as_ref().map(|epss| epss.score), Some(0.5));
    let changes = database.changes(&kevs, 1, 10).expect("changes");
    let told: Vec<_> =
        changes.iter().map(|change| (change.kind, change.vulnerability.as_deref())).collect();
    let crossed = (ChangeKind::EpssCrossed, Some("CVE-2024-0001"));
    assert_eq!(told, [crossed, (ChangeKind::KnownExploited, Some("CVE-2024-0003"))]);
    let twice = [epss("CVE-2024-0001", 0.5), epss("CVE-2024-0001", 0.6), kev("CVE-2024-0001")];
    let applied = commit_facts(database, &kevs, 3, &twice);
    assert_eq!((applied.entries, applied.withdrawn), (2, 1));
    let found = database.facts(&["CVE-2024-0001"]).expect("facts");
    assert_eq!(found["CVE-2024-0001"].epss.as_ref().map(|epss| epss.score), Some(0.6));
}

fn parts_do_not_touch_each_other(database: &mut Database) {
    let other = PartId::new("alpine", "v3.20");
    let feed = [advisory("CVE-2024-0001", "a", Some("1")), advisory("CVE-2024-0002", "a", None)];
    commit(database, &part(), 1, &feed).expect("a commit");
    commit(database, &other, 2, &feed).expect("a commit");
    assert_eq!(looked_up(database, "a").len(), 4);
    commit(database, &other, 3, &feed[..1]).expect("a commit");
    assert_eq!(looked_up(database, "a").len(), 3);
    assert_eq!(database.part(&part()).expect("an answer").map(|part| part.entries), Some(2));
}

fn the_names_of_shared_texts_survive_a_refused_commit(database: &mut Database) {
    let with_remark = |cve: &str, remark: &str| {
        let mut advisory = advisory(cve, "a", None);
        advisory.affected[0].remark = Some(remark.to_owned());
        advisory
    };
    let feed: Vec<Advisory> =
        (0..10).map(|index| with_remark(&format!("CVE-2024-000{index}"), "no-dsa")).collect();
    commit(database, &part(), 1, &feed).expect("a commit");
    looked_up(database, "a");
    commit(database, &part(), 2, &[with_remark("CVE-2024-0100", "postponed")]).expect_err("shrunk");
    let other = PartId::new("ubuntu", "ubuntu");
    commit(database, &other, 3, &[with_remark("CVE-2024-0200", "ignored")]).expect("a commit");
    let found = database.affected(Ecosystem::Deb, Some(&bookworm()), &["a"]).expect("an answer");
    let remarks: Vec<_> = found.iter().map(|found| found.affected.remark.as_deref()).collect();
    assert_eq!(remarks.len(), 11);
    assert_eq!((remarks[0], remarks[10]), (Some("no-dsa"), Some("ignored")));
}

fn more_rows_than_a_run_holds_are_all_written(database: &mut Database) {
    let feed: Vec<Advisory> = (0..300)
        .map(|index| Advisory {
            affected: (0..300).map(|number| affected(&format!("p{number}"), Some("1"))).collect(),
            ..advisory(&format!("CVE-2024-{index:04}"), "a", None)
        })
        .collect();
    commit(database, &part(), 1, &feed).expect("a commit");
    for name in ["p0", "p150", "p299"] {
        let found = database.affected(Ecosystem::Deb, Some(&bookworm()), &[name]);
        assert_eq!(found.expect("an answer").len(), 300, "{name}");
    }
}

/// The roll of such a part is cut into pages anew, and additions meet pages that hold others.
fn a_feed_that_grows_a_hundredfold_and_shrinks_is_compared_rightly(database: &mut Database) {
    let one = |index: usize, fixed: &str| {
        advisory(&format!("CVE-2024-{index:04}"), &format!("p{}", index % 7), Some(fixed))
    };
    let mut feed: Vec<Advisory> = (0..20).map(|index| one(index, "1")).collect();
    commit(database, &part(), 1, &feed).expect("a commit");
    feed.extend((20..2_000).map(|index| one(index, "1")));
    let counts = |applied: &Applied| {
        (applied.new, applied.changed, applied.withdrawn, applied.unchanged, applied.entries)
    };
    let applied = commit(database, &part(), 2, &feed).expect("a commit");
    assert_eq!(counts(&applied), (1_980, 0, 0, 20, 2_000));
    let mut additions = Staging::additions(part());
    for index in 1_990..2_010 {
        additions.advisory(&one(index, if index % 2 == 0 { "1" } else { "2" }));
    }
    let applied = database.commit(additions, &options(3)).expect("a commit");
    assert_eq!(counts(&applied), (10, 5, 0, 5, 2_010));
    feed[0] = one(0, "2");
    let applied = commit(database, &part(), 4, &feed[..1_900]).expect("a commit");
    assert_eq!(counts(&applied), (0, 1, 110, 1_899, 1_900));
    let mut additions = Staging::additions(part());
    additions.advisory(&one(1_950, "1"));
    additions.advisory(&one(3_000, "1"));
    let applied = database.commit(additions, &options(5)).expect("a commit");
    assert_eq!(counts(&applied), (2, 0, 0, 0, 1_902), "one of them comes back");
    let mut staging = Staging::new(part(), None);
    feed.truncate(30);
    feed.iter().for_each(|advisory| staging.advisory(advisory));
    let force = CommitOptions { force: true, ..options(6) };
    let applied = database.commit(staging, &force).expect("a commit");
    assert_eq!(counts(&applied), (0, 0, 1_872, 30, 30));
    let applied = commit(database, &part(), 7, &feed).expect("a commit");
    assert_eq!(counts(&applied), (0, 0, 0, 30, 30));
}

/// The kinds of all changes after a generation.
fn kinds(database: &Database, after: u64) -> Vec<ChangeKind> {
    let changes = database.changes(&part(), after, 100).expect("changes");
    changes.into_iter().map(|change| change.kind).collect()
}
