//! Cases about how many rows a commit writes, counted by the databases themselves. Time is for the
//! benchmark (`cargo xtask bench large`); rows say the same on every machine.

use pratique_model::{Advisory, PartId};

use super::sample::{advisory, commit, commit_facts, epss, kev, options, part};
use super::{Case, list};
use crate::session::Session;
use crate::{Database, Staging};

pub(super) const CASES: &[Case] = list![
    the_same_input_again_writes_the_times_only,
    one_change_in_a_thousand_writes_rows_in_proportion,
    additions_write_what_they_add,
];

/// How many entries the feeds have.
const ENTRIES: usize = 3_000;

/// How many rows one changed advisory with one package costs at most: itself; its statement, its
/// vulnerability, its text and its page of the roll, which are each taken out and put in again; the
/// change.
const ROWS_PER_CHANGE: u64 = 10;

/// The part's own row.
const ROWS_PER_COMMIT: u64 = 1;

fn feed() -> Vec<Advisory> {
    (0..ENTRIES)
        .map(|index| {
            let id = format!("CVE-2024-{index:04}");
            let mut advisory = advisory(&id, &format!("p{}", index % 100), Some("1"));
            advisory.summary = Some(format!("a flaw, the {index}th"));
            advisory
        })
        .collect()
}

/// How many rows the database's tables have gained, lost and changed so far; `None`, said loudly,
/// where it cannot tell.
#[allow(clippy::print_stdout, reason = "a test that is skipped says so")]
fn written(session: &dyn Session) -> Option<u64> {
    let count = |sql: &str| session.one("counting", sql, &[], |row| row.count(0)).expect("a count");
    if session.sqlite().is_some() {
        return Some(count("SELECT total_changes()"));
    }
    let flush = "pg_stat_force_next_flush";
    if count(&format!("SELECT count(*) FROM pg_catalog.pg_proc WHERE proname = '{flush}'")) == 0 {
        println!("skipped: this PostgreSQL is older than 15 and counts rows some time later");
        return None;
    }
    session.script("counting", &format!("SELECT {flush}()")).expect("flushed");
    let sql = "SELECT CAST(coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0) AS BIGINT) \
               FROM pg_stat_user_tables";
    Some(count(sql))
}

/// The rows that `work` writes.
fn rows_of(database: &mut Database, work: impl FnOnce(&mut Database)) -> Option<u64> {
    let before = written(&*database.session)?;
    work(database);
    Some(written(&*database.session)? - before)
}

fn the_same_input_again_writes_the_times_only(database: &mut Database) {
    let feed = feed();
    let first = rows_of(database, |database| {
        commit(database, &part(), 1, &feed).expect("a commit");
    });
    let Some(first) = first else { return };
    assert!(first >= 3 * ENTRIES as u64, "rows are counted: {first}");
    let again = rows_of(database, |database| {
        commit(database, &part(), 2, &feed).expect("a commit");
    });
    assert_eq!(again, Some(ROWS_PER_COMMIT));
    let facts = [epss("CVE-2024-0001", 0.5), kev("CVE-2024-0001")];
    let other = PartId::new("epss", "epss");
    commit_facts(database, &other, 1, &facts);
    let again = rows_of(database, |database| {
        commit_facts(database, &other, 2, &facts);
    });
    assert_eq!(again, Some(ROWS_PER_COMMIT));
}

fn one_change_in_a_thousand_writes_rows_in_proportion(database: &mut Database) {
    let mut feed = feed();
    commit(database, &part(), 1, &feed).expect("a commit");
    for advisory in feed.iter_mut().step_by(1_000) {
        advisory.affected[0].ranges[0].fixed = Some("2".to_owned());
    }
    let rows = rows_of(database, |database| {
        let applied = commit(database, &part(), 2, &feed).expect("a commit");
        assert_eq!(applied.changed, 3);
    });
    let Some(rows) = rows else { return };
    assert!(rows <= ROWS_PER_COMMIT + 3 * ROWS_PER_CHANGE, "{rows} rows for 3 changes");
}

fn additions_write_what_they_add(database: &mut Database) {
    commit(database, &part(), 1, &feed()).expect("a commit");
    let rows = rows_of(database, |database| {
        let mut staging = Staging::additions(part());
        staging.advisory(&advisory("CVE-2025-0001", "p1", None));
        staging.advisory(&advisory("CVE-2024-0001", "p1", Some("2")));
        database.commit(staging, &options(2)).expect("a commit");
    });
    let Some(rows) = rows else { return };
    // One row of the coverage counts the new statement.
    assert!(rows <= ROWS_PER_COMMIT + 2 * ROWS_PER_CHANGE + 1, "{rows} rows for 2 advisories");
}
