//! Cases about several who have the same database open, and about what only a server does.

use std::time::Duration;

use pratique_clockwork::lease::{Lease, Owner};
use pratique_model::{Advisory, PartId, Release};
use pratique_testkit::postgres;

use super::sample::{
    advisory, affected, assert_whole, at, bookworm, commit, looked_up, options, part,
};
use super::{Place, on_disk, on_server};
use crate::lease::Acquisition;
use crate::session::{Mode, values};
use crate::{Access, CommitOptions, Database, Staging, Store, StoreError};

/// Runs a case in an empty file, and in an empty database of a server where there is one.
fn everywhere(case: fn(&Store)) {
    for place in [Some(on_disk()), on_server()].into_iter().flatten() {
        case(store_of(&place));
        assert_whole(&place.database);
    }
}

fn store_of(place: &Place) -> &Store {
    place.store.as_ref().expect("it lies somewhere")
}

fn writer(store: &Store) -> Database {
    store.open(Access::ReadWrite).expect("a writer")
}

fn acquire(database: &Database, seconds: f64) -> Lease {
    let owner = Owner::draw();
    let ttl = Duration::from_secs_f64(seconds);
    match database.acquire_lease("part/debian", &owner, ttl).expect("an answer") {
        Acquisition::Acquired(lease) => lease,
        Acquisition::Held { .. } => panic!("it was free"),
    }
}

#[test]
fn a_held_state_does_not_move() {
    everywhere(|store| {
        let mut database = writer(store);
        commit(&mut database, &part(), 1, &[advisory("CVE-2024-0001", "a", None)]).expect("done");
        let reader = store.open(Access::ReadOnly).expect("a reader");
        let hold = reader.hold().expect("a hold");
        let both = [advisory("CVE-2024-0001", "a", None), advisory("CVE-2024-0002", "a", None)];
        commit(&mut database, &part(), 2, &both).expect("done");
        assert_eq!(looked_up(&reader, "a").len(), 1);
        assert!(reader.hold().is_err(), "it is held already");
        drop(hold);
        assert_eq!(looked_up(&reader, "a").len(), 2);
    });
}

#[test]
fn a_reader_cannot_write() {
    everywhere(|store| {
        let mut reader = store.open(Access::ReadOnly).expect("a reader");
        let feed = [advisory("CVE-2024-0001", "a", None)];
        let error = commit(&mut reader, &part(), 1, &feed).expect_err("refused");
        assert!(matches!(error, StoreError::ReadOnly), "{error}");
        let error = reader.touch_unchanged(&part(), at(1), None).expect_err("refused");
        assert!(matches!(error, StoreError::ReadOnly), "{error}");
    });
}

/// A feed whose releases and remarks are the same for all parts and new in every round, so that
/// everyone needs the same rows at the same time.
fn shared_feed(round: usize) -> Vec<Advisory> {
    (0..40)
        .map(|index| {
            let mut advisory = advisory(&format!("CVE-2024-{index:04}"), "a", None);
            let mut other = affected(&format!("p{index}"), Some("1"));
            other.release = Some(Release::new("debian", &(round * 40 + index).to_string()));
            other.remark = Some(format!("remark {round} {index}"));
            advisory.affected.push(other);
            advisory
        })
        .collect()
}

/// How often each of several writers commits.
const ROUNDS: usize = 8;

#[test]
fn parts_are_committed_at_the_same_time() {
    everywhere(|store| {
        std::thread::scope(|scope| {
            for source in ["debian", "ubuntu", "alpine"] {
                scope.spawn(move || {
                    let mut database = writer(store);
                    let part = PartId::new(source, source);
                    for round in 0..ROUNDS {
                        commit(&mut database, &part, 1, &shared_feed(round)).expect("a commit");
                    }
                });
            }
        });
        let database = store.open(Access::ReadOnly).expect("a reader");
        assert_eq!(looked_up(&database, "a").len(), 3 * 40);
        let states = database.parts().expect("parts");
        assert!(states.iter().all(|state| state.generation == ROUNDS as u64), "{states:?}");
    });
}

#[test]
fn a_part_does_not_wait_for_another_that_is_being_written() {
    let Some(place) = on_server() else { return };
    let store = store_of(&place);
    let (large, mut small) = (writer(store), writer(store));
    let mut staging = Staging::new(part(), None);
    for advisory in shared_feed(1) {
        staging.advisory(&advisory);
    }
    staging.finish().expect("filled");
    crate::part::ensure_apart(&large, &part()).expect("a part");
    // Both need the same releases and texts, which are new. Were one to wait for the other, it
    // would wait for ever: the other goes on when it is done.
    large
        .transaction(None, |large| {
            large.commit_finished(&mut staging, &options(1))?;
            commit(&mut small, &PartId::new("ubuntu", "ubuntu"), 1, &shared_feed(1))
        })
        .expect("nobody waits");
    assert_eq!(looked_up(&large, "a").len(), 2 * 40);
    assert_whole(&place.database);
}

#[test]
fn one_part_is_committed_by_one_after_the_other() {
    everywhere(|store| {
        std::thread::scope(|scope| {
            for writer_index in 0..3 {
                scope.spawn(move || {
                    let mut database = writer(store);
                    for round in 0..ROUNDS {
                        let feed = shared_feed(writer_index * ROUNDS + round);
                        commit(&mut database, &part(), 1, &feed).expect("a commit");
                    }
                });
            }
        });
        let database = store.open(Access::ReadOnly).expect("a reader");
        assert_eq!(looked_up(&database, "a").len(), 40);
        let state = database.part(&part()).expect("an answer").expect("a part");
        assert_eq!(state.generation, 3 * ROUNDS as u64, "no commit got lost");
    });
}

#[test]
fn a_lease_that_expires_within_a_transaction_is_lost() {
    let Some(place) = on_server() else { return };
    let database = writer(store_of(&place));
    let lease = acquire(&database, 0.3);
    let result: Result<(), StoreError> = database.transaction(Some(&lease), |database| {
        let insert = "INSERT INTO flag (name, value, updated_at) VALUES ('a', 'x', CLOCK())";
        database.session.execute("adding", insert, &[])?;
        // Waits for the database's time to come; nothing else makes a lease expire.
        while database.now()? <= lease.expires_at {
            std::thread::yield_now();
        }
        Ok(())
    });
    let error = result.expect_err("lost");
    assert!(matches!(error, StoreError::LeaseLost { .. }), "{error}");
    let count = "SELECT count(*) FROM flag";
    let count = database.session.one("counting", count, &[], |row| row.integer(0));
    assert_eq!(count.expect("a count"), 0);
}

#[test]
fn a_lease_that_is_renewed_within_a_transaction_is_held() {
    let Some(place) = on_server() else { return };
    let store = store_of(&place);
    let (mut database, other) = (writer(store), writer(store));
    let lease = acquire(&database, 60.0);
    let mut staging = Staging::new(part(), None);
    staging.advisory(&advisory("CVE-2024-0001", "a", None));
    let inside = |_: &Database| other.renew_lease(&lease, Duration::from_secs(60)).map(|_| ());
    database.transaction(Some(&lease), inside).expect("a renewal is no loss");
    let take = |database: &Database| {
        database.release_lease(&lease)?;
        acquire(database, 60.0);
        Ok::<_, StoreError>(())
    };
    let inside = |_: &Database| take(&other);
    let error = database.transaction(Some(&lease), inside).expect_err("taken over");
    assert!(matches!(error, StoreError::LeaseLost { .. }), "{error}");
    let fenced = CommitOptions { fence: Some(lease), ..options(1) };
    let error = database.commit(staging, &fenced).expect_err("lost");
    assert!(matches!(error, StoreError::LeaseLost { .. }), "{error}");
}

#[test]
fn a_new_database_is_prepared_by_one_of_many() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = Store::file(&folder.path().join("db.sqlite"));
    let server = postgres::cluster().map(postgres::Cluster::empty_database);
    let address = server.as_ref().map(|server| Store::parse(&server.url()).expect("an address"));
    for store in [Some(file), address].into_iter().flatten() {
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| writer(&store).parts().expect("an answer"));
            }
        });
    }
}

#[test]
fn a_server_that_is_not_ours_or_too_new_is_left_alone() {
    let Some(server) = postgres::cluster().map(postgres::Cluster::empty_database) else { return };
    let store = Store::parse(&server.url()).expect("an address");
    let open = |access| store.open(access).err().expect("refused");
    assert!(matches!(open(Access::ReadOnly), StoreError::Older { found: 0, .. }));
    server.execute("CREATE TABLE migration (id bigint)");
    for access in [Access::ReadOnly, Access::ReadWrite] {
        let error = open(access);
        assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
    }
    server.execute("DROP TABLE migration");
    drop(writer(&store));
    server.execute("INSERT INTO migration VALUES (98, 'sum', 1)");
    drop(writer(&store));
    server.execute("INSERT INTO migration VALUES (99, 'sum', 99)");
    assert!(matches!(open(Access::ReadWrite), StoreError::Newer { needed: 99, .. }));
}

#[test]
fn who_waits_in_vain_is_told_for_whom() {
    let place = on_disk();
    let (first, mut second) = (writer(store_of(&place)), writer(store_of(&place)));
    let connection = second.session.sqlite().expect("a file");
    connection.busy_timeout(Duration::from_millis(20)).expect("set");
    first
        .transaction(None, |_| {
            let error = second.touch_unchanged(&part(), at(1), None).expect_err("it waits");
            let holder = format!("being updated by process {}", std::process::id());
            assert!(error.to_string().ends_with(&holder), "{error}");
            assert!(error.is_transient());
            Ok::<_, StoreError>(())
        })
        .expect("an answer");
    second.touch_unchanged(&part(), at(1), None).expect("it was let go");
}

#[test]
fn a_lost_connection_is_transient_and_never_used_again() {
    let Some(place) = on_server() else { return };
    let store = store_of(&place);
    let mut database = writer(store);
    let server = place.server.as_ref().expect("a server");
    server.disconnect_all();
    let error = database.parts().expect_err("the connection is gone");
    assert!(error.is_transient(), "{error:?}");
    let error = database.parts().expect_err("it does not come back");
    assert!(error.is_transient(), "{error:?}");
    drop(database);
    database = writer(store);
    // Lost in the middle of a transaction, and while it lies in the pool.
    let result = database.transaction(None, |database| {
        database.session.execute("locking", "SELECT id FROM part FOR UPDATE", &[])?;
        server.disconnect_all();
        database.parts()
    });
    assert!(result.expect_err("gone").is_transient());
    drop(database);
    drop(writer(store));
    server.disconnect_all();
    assert_eq!(writer(store).parts().expect("a new connection"), []);
}

#[test]
fn what_is_dropped_by_an_asynchronous_task_does_not_wait() {
    let Some(place) = on_server() else { return };
    let store = store_of(&place).clone();
    let (idle, busy) = (writer(&store), writer(&store));
    busy.session.begin("trying", Mode::Write).expect("begun");
    drop((idle, place));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async move { drop((busy, store)) });
}

#[test]
fn a_client_that_stops_in_a_transaction_does_not_block_others_for_ever() {
    let Some(place) = on_server() else { return };
    let store = store_of(&place);
    let (stopped, mut other) = (writer(store), writer(store));
    commit(&mut other, &part(), 1, &[advisory("CVE-2024-0001", "a", None)]).expect("a commit");
    stopped.session.script("setting", "SET idle_in_transaction_session_timeout = 300").expect("ok");
    let result = stopped.transaction(None, |stopped| {
        let sql = "UPDATE part SET entries = 77";
        stopped.session.execute("holding", sql, &[])?;
        // The other one waits until the server has ended the silent transaction.
        other.touch_unchanged(&part(), at(2), None).expect("it gets its turn");
        stopped.parts()
    });
    let error = result.expect_err("it was ended");
    assert!(error.is_transient(), "{error:?}");
    let state = other.part(&part()).expect("an answer").expect("a part");
    assert_eq!((state.entries, state.last_success), (1, Some(at(2))));
}

#[test]
fn who_meets_the_writes_of_others_tries_again() {
    let Some(place) = on_server() else { return };
    let store = store_of(&place);
    let (first, second) = (writer(store), writer(store));
    let insert = "INSERT INTO flag (name, value, updated_at) VALUES ('n', '0', 0)";
    first.session.execute("adding", insert, &[]).expect("a flag");
    let add = |database: &Database| -> Result<(), StoreError> {
        let read = "SELECT updated_at FROM flag WHERE name = 'n'";
        let number = database.session.one("reading", read, &[], |row| row.integer(0))?;
        let write = "UPDATE flag SET updated_at = ?1 WHERE name = 'n'";
        database.session.execute("writing", write, values![number + 1]).map(|_| ())
    };
    let mut tries = 0;
    first
        .transaction(None, |first| {
            tries += 1;
            let read = "SELECT count(*) FROM flag";
            first.session.one("reading", read, &[], |row| row.integer(0))?;
            if tries == 1 {
                second.transaction(None, add)?;
            }
            add(first)
        })
        .expect("the second try passes");
    assert_eq!(tries, 2);
    let read = "SELECT updated_at FROM flag WHERE name = 'n'";
    let number = first.session.one("reading", read, &[], |row| row.integer(0));
    assert_eq!(number.expect("a number"), 2, "none was lost");
}

#[test]
fn texts_are_ordered_by_their_bytes() {
    everywhere(|store| {
        let mut database = writer(store);
        let mut names = ["b", "B", "a", "ä", "Z", "_", "a-b", "a b", "aB", "\u{1f980}", "\u{ffee}"];
        let feed: Vec<Advisory> = (0..)
            .zip(names)
            .map(|(index, name)| advisory(&format!("CVE-2024-{index:04}"), name, None))
            .collect();
        commit(&mut database, &part(), 1, &feed).expect("a commit");
        let found = database.affected(pratique_model::Ecosystem::Deb, Some(&bookworm()), &names);
        let found: Vec<_> =
            found.expect("an answer").into_iter().map(|row| row.affected.package).collect();
        names.sort_unstable();
        assert_eq!(found, names);
    });
}

#[test]
fn ten_thousand_names_are_one_question() {
    everywhere(|store| {
        let mut database = writer(store);
        let feed: Vec<Advisory> = (0..100)
            .map(|index| advisory(&format!("CVE-2024-{index:04}"), &format!("p{index}"), None))
            .collect();
        commit(&mut database, &part(), 1, &feed).expect("a commit");
        let names: Vec<String> = (0..10_000).map(|index| format!("p{index}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for (count, expected) in [(0, 0), (1, 1), (10_000, 100)] {
            let names = &names[..count];
            let found = database.affected(pratique_model::Ecosystem::Deb, Some(&bookworm()), names);
            let found = found.expect("an answer");
            assert_eq!(found.len(), expected);
            let keys: Vec<_> = found.iter().map(|row| row.advisory).collect();
            assert_eq!(database.advisories(&keys).expect("an answer").len(), expected);
        }
    });
}

#[test]
fn odd_characters_and_long_names_cost_nobody_else_anything() {
    everywhere(|store| {
        let mut database = writer(store);
        let mut odd = advisory("CVE-2024-0001", "a\u{0}b", Some("1\u{0}2"));
        odd.summary = Some("nul \u{0} lone \u{fffd} crab \u{1f980} \\ \\000".to_owned());
        odd.affected[0].remark = Some("\u{0}".to_owned());
        let twin = advisory("CVE-2024-0001", "a\u{fffd}b", Some("2"));
        let long = advisory("CVE-2024-0002", &"x".repeat(5_000), None);
        let mut wide = advisory("CVE-2024-0003", "c", None);
        wide.affected[0].remark = Some("y".repeat(50_000));
        let mut feed: Vec<Advisory> =
            (10..99).map(|index| advisory(&format!("CVE-2024-00{index}"), "z", None)).collect();
        feed.extend([odd, twin, long, wide]);
        for hour in 1..=2 {
            let applied = commit(&mut database, &part(), hour, &feed).expect("a commit");
            assert_eq!((applied.entries, applied.quarantined, applied.generation), (91, 1, 1));
        }
        assert_eq!(looked_up(&database, "a\u{0}b").len(), 2);
        assert_eq!(looked_up(&database, "a\u{fffd}b").len(), 2);
        let release = bookworm();
        let found = database.affected(pratique_model::Ecosystem::Deb, Some(&release), &["c"]);
        let remark = found.expect("an answer").remove(0).affected.remark;
        assert_eq!(remark.map(|remark| remark.len()), Some(50_000));
    });
}
