//! Cases about what goes with time, and about updates that bring only what is new.

use pratique_model::{Advisory, Note, PartId};

use super::registering::{deb, register};
use super::sample::{advisory, at, commit, commit_facts, looked_up, nvd, options, part, rich};
use super::{Case, list};
use crate::{Cursor, Database, Impact, Retired, Staging};

pub(super) const CASES: &[Case] = list![
    changes_and_traces_go_after_90_days,
    nothing_goes_that_the_matcher_has_not_read,
    a_trace_stays_as_long_as_a_change_speaks_of_it,
    a_part_without_a_source_is_emptied_first_and_then_removed,
    a_slice_is_bounded,
    texts_go_when_nothing_uses_them,
    additions_leave_everything_else,
    additions_that_say_nothing_new_move_the_fingerprint_only,
];

/// The hour after which everything of the first hours is older than 90 days.
const LATE: i64 = 90 * 24 + 100;

const SOURCES: [&str; 2] = ["debian", "osv"];

fn feed(count: usize) -> Vec<Advisory> {
    (0..count).map(|index| advisory(&format!("CVE-2024-{index:04}"), "a", None)).collect()
}

fn change_count(database: &Database) -> usize {
    database.changes(&part(), 0, usize::MAX).expect("an answer").len()
}

/// Removes slice by slice, and gives the sum.
fn retire(database: &mut Database, hour: i64, sources: &[&str]) -> Retired {
    let mut sum = Retired::default();
    loop {
        let slice = database.retire(at(hour), sources, None).expect("a slice");
        if slice.is_empty() {
            return sum;
        }
        sum.changes += slice.changes;
        sum.tombstones += slice.tombstones;
        sum.orphans += slice.orphans;
        sum.parts += slice.parts;
    }
}

fn read_up_to(database: &Database, generation: u64) {
    let cursors = vec![Cursor { part: part(), generation, position: 0 }];
    let impact = Impact { cursors, ..Impact::default() };
    database.write_impact(&impact, at(1)).expect("a cursor");
}

fn changes_and_traces_go_after_90_days(database: &mut Database) {
    commit(database, &part(), 1, &feed(10)).expect("a commit");
    commit(database, &part(), 2, &feed(9)).expect("a commit");
    assert_eq!(retire(database, 3, &SOURCES), Retired::default());
    commit(database, &part(), LATE, &feed(8)).expect("a commit");
    let retired = retire(database, LATE + 1, &SOURCES);
    let expected = Retired { changes: 2, tombstones: 1, ..Retired::default() };
    assert_eq!(retired, expected, "the baseline and the first withdrawal");
    assert_eq!(change_count(database), 1);
    assert_eq!(looked_up(database, "a").len(), 8);
    let applied = commit(database, &part(), LATE + 2, &feed(10)).expect("a commit");
    assert_eq!((applied.new, applied.entries), (2, 10), "what comes back is new");
}

fn nothing_goes_that_the_matcher_has_not_read(database: &mut Database) {
    register(database, 1, &[deb("a", "1")], at(0));
    commit(database, &part(), 1, &feed(10)).expect("a commit");
    commit(database, &part(), 2, &feed(9)).expect("a commit");
    assert_eq!(retire(database, LATE, &SOURCES), Retired::default());
    read_up_to(database, 1);
    assert_eq!(retire(database, LATE, &SOURCES).changes, 1);
    read_up_to(database, 2);
    let retired = retire(database, LATE, &SOURCES);
    assert_eq!((retired.changes, retired.tombstones), (1, 1));
}

fn a_trace_stays_as_long_as_a_change_speaks_of_it(database: &mut Database) {
    commit(database, &part(), 1, &feed(10)).expect("a commit");
    commit(database, &part(), LATE - 1, &feed(9)).expect("a commit");
    let retired = retire(database, LATE, &SOURCES);
    assert_eq!((retired.changes, retired.tombstones), (1, 0), "only the baseline is old");
    let told = database.changes(&part(), 1, 10).expect("an answer");
    assert_eq!(told[0].advisory.as_deref(), Some("CVE-2024-0009"));
}

fn a_part_without_a_source_is_emptied_first_and_then_removed(database: &mut Database) {
    commit(database, &part(), 1, &feed(10)).expect("a commit");
    assert_eq!(retire(database, 2, &["osv"]), Retired::default(), "it was tried not long ago");
    let retired = retire(database, LATE, &["osv"]);
    assert_eq!((retired.changes, retired.orphans, retired.parts), (1, 10, 0));
    assert_eq!(looked_up(database, "a"), []);
    assert_eq!(change_count(database), 10, "the matcher is told");
    let retired = retire(database, 2 * LATE, &["osv"]);
    let expected = Retired { changes: 10, tombstones: 10, parts: 1, ..Retired::default() };
    assert_eq!(retired, expected);
    assert_eq!(database.parts().expect("an answer"), []);
}

fn a_slice_is_bounded(database: &mut Database) {
    commit(database, &part(), 1, &feed(6_000)).expect("a commit");
    let mut staging = Staging::new(part(), None);
    staging.advisory(&advisory("CVE-2025-0001", "a", None));
    let force = crate::CommitOptions { force: true, ..options(2) };
    database.commit(staging, &force).expect("a commit");
    let mut counts = Vec::new();
    loop {
        let slice = database.retire(at(LATE), &SOURCES, None).expect("a slice");
        if slice.is_empty() {
            break;
        }
        counts.push((slice.changes, slice.tombstones));
    }
    assert_eq!(counts, [(5_000, 0), (1_002, 0), (0, 5_000), (0, 1_000)]);
}

fn texts_go_when_nothing_uses_them(database: &mut Database) {
    let count = |database: &Database| {
        let sql = "SELECT count(*) FROM term";
        database.session.one("counting", sql, &[], |row| row.count(0)).expect("a count")
    };
    let mut noted = advisory("CVE-2024-0001", "a", None);
    noted.affected[0].remark = Some("no-dsa".to_owned());
    commit(database, &part(), 1, &[rich(), noted.clone()]).expect("a commit");
    let scores = PartId::new("nvd", "2024");
    let vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H";
    commit_facts(database, &scores, 1, &[nvd("CVE-2024-0001", &[vector])]);
    for _ in 0..2 {
        // The first makes the lock, which commits of PostgreSQL must have shared.
        let retired = database.retire(at(2), &SOURCES, None).expect("all texts are used");
        assert!(retired.is_empty(), "{retired:?}");
    }
    let all = count(database);
    noted.affected[0].remark = None;
    commit(database, &part(), 3, &[rich(), noted.clone()]).expect("a commit");
    assert_eq!(database.retire(at(4), &SOURCES, None).expect("a slice"), Retired::default());
    let retired = database.retire(at(48), &SOURCES, None).expect("a slice");
    assert_eq!(retired, Retired { terms: 1, ..Retired::default() }, "a day later");
    assert_eq!(count(database), all - 1);
    let retired = database.retire(at(96), &SOURCES, None).expect("a slice");
    assert!(retired.is_empty(), "nothing was committed since: {retired:?}");
    noted.affected[0].remark = Some("no-dsa".to_owned());
    commit(database, &part(), 97, &[rich(), noted]).expect("a commit");
    assert_eq!(count(database), all, "a text that was removed is written again");
}

fn additions_leave_everything_else(database: &mut Database) {
    let mut whole = Staging::new(part(), None);
    for advisory in feed(10) {
        whole.advisory(&advisory);
    }
    whole.note(Note { subject: "all".to_owned(), text: "a remark".to_owned() });
    database.commit(whole, &options(1)).expect("a commit");
    let mut staging = Staging::additions(part());
    staging.advisory(&advisory("CVE-2024-0003", "a", Some("2")));
    staging.advisory(&advisory("CVE-2025-0001", "a", None));
    staging.quarantine(Note { subject: "one".to_owned(), text: "cannot be read".to_owned() });
    let applied = database.commit(staging, &options(2)).expect("a commit");
    let counts = (applied.entries, applied.new, applied.changed, applied.withdrawn);
    assert_eq!(counts, (11, 1, 1, 0));
    assert_eq!(looked_up(database, "a").len(), 11);
    let state = database.part(&part()).expect("an answer").expect("a part");
    assert_eq!((state.generation, state.entries, state.quarantined), (2, 11, 1));
    assert_eq!(state.fingerprint.as_deref(), Some("etag-2"));
    assert_eq!(database.notes(&part()).expect("an answer").len(), 1, "the remarks of the whole");
    let applied = commit(database, &part(), 3, &feed(10)).expect("a whole reading");
    assert_eq!((applied.withdrawn, applied.changed), (1, 1), "it says what is gone");
}

fn additions_that_say_nothing_new_move_the_fingerprint_only(database: &mut Database) {
    commit(database, &part(), 1, &feed(10)).expect("a commit");
    let mut staging = Staging::additions(part());
    staging.advisory(&feed(1)[0]);
    let applied = database.commit(staging, &options(2)).expect("a commit");
    assert!(!applied.is_changed(), "{applied:?}");
    let state = database.part(&part()).expect("an answer").expect("a part");
    assert_eq!((state.generation, state.entries), (1, 10));
    assert_eq!(state.fingerprint.as_deref(), Some("etag-2"));
    let other = PartId::new("debian", "other");
    assert_eq!(database.change_counts(&other, 1).expect("an answer"), []);
    let counts = database.change_counts(&part(), 1).expect("an answer");
    assert_eq!(counts, [(crate::ChangeKind::Baseline, 1)]);
}
