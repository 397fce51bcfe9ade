//! What holds of sessions beneath the domain.

use super::*;
use crate::Database;
use crate::conformance::on_server;

/// Runs a case on both databases, in an empty table.
fn on_both(case: fn(&dyn Session)) {
    let server = on_server();
    let memory = Database::in_memory().expect("memory");
    for database in [Some(&memory), server.as_ref().map(|place| &place.database)] {
        let Some(Database { session, .. }) = database else { continue };
        // Both know these words.
        let sql = "CREATE TABLE t (a BIGINT, b TEXT, c DOUBLE PRECISION, d BYTEA)";
        session.script("making", sql).expect("made");
        let sql = "CREATE INDEX t_a ON t (a); CREATE INDEX t_b ON t (b)";
        session.script("making", sql).expect("made");
        case(&**session);
    }
}

#[test]
fn every_kind_of_value_survives() {
    on_both(every_kind);
}

fn every_kind(session: &dyn Session) {
    let mut rows = session.bulk("adding", "t", "a, b, c, d").expect("a bulk");
    rows.row(values![7_i64, "text \u{0} end", 0.5, &b"\x00\xff"[..]]).expect("a row");
    rows.row(values![None::<i64>, None::<&str>, 1.0, None::<&[u8]>]).expect("a row");
    assert_eq!(rows.finish().expect("written"), 2);
    let found = session
        .all("asking", "SELECT a, b, c, d FROM t ORDER BY c", &[], |row| {
            let blob = row.optional_blob(3)?.map(<[u8]>::to_vec);
            Ok((row.optional_integer(0)?, row.optional_string(1)?, row.real(2)?, blob))
        })
        .expect("an answer");
    let first = (Some(7), Some("text \u{fffd} end".to_owned()), 0.5, Some(vec![0, 0xff]));
    assert_eq!(found, [first, (None, None, 1.0, None)]);
    let error = session.first("asking", "SELECT b FROM t WHERE a = 7", &[], |row| row.integer(0));
    assert!(matches!(error, Err(StoreError::Damaged { .. })), "{error:?}");
}

#[test]
fn lists_are_one_parameter() {
    on_both(lists);
}

fn lists(session: &dyn Session) {
    let mut rows = session.batch("adding", "INSERT INTO t (a, b) VALUES (?1, ?2)").expect("batch");
    for number in 0..20_000_i64 {
        rows.row(values![number, &format!("n\"{number}")]).expect("a row");
    }
    assert_eq!(rows.finish().expect("written"), 20_000);
    for count in [0, 1, 10_000] {
        let numbers: Vec<i64> = (0..count).collect();
        let names: Vec<String> = numbers.iter().map(|number| format!("n\"{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let ask = |sql: &str, list: Value<'_>| {
            session.one("asking", sql, &[list], |row| row.integer(0)).expect("a count")
        };
        let by_number = "SELECT count(*) FROM t WHERE a IN LIST(?1)";
        assert_eq!(ask(by_number, Value::Integers(&numbers)), count);
        let by_name = "SELECT count(*) FROM t WHERE b IN LIST(?1)";
        assert_eq!(ask(by_name, Value::Texts(&names)), count);
        let joined = "SELECT count(*) FROM TEXTS(?1) JOIN t ON b = list.value";
        assert_eq!(ask(joined, Value::Texts(&names)), count);
        let joined = "SELECT count(*) FROM INTEGERS(?1) JOIN t ON a = list.value";
        assert_eq!(ask(joined, Value::Integers(&numbers)), count);
    }
}

#[test]
fn an_answer_larger_than_a_journey_comes_whole_and_others_can_be_asked_meanwhile() {
    on_both(|session| {
        let mut rows = session.bulk("adding", "t", "a, b").expect("a bulk");
        let text = "x".repeat(200);
        for number in 0..20_000_i64 {
            rows.row(values![number, &text]).expect("a row");
        }
        assert_eq!(rows.finish().expect("written"), 20_000);
        for is_within in [false, true] {
            if is_within {
                session.begin("trying", Mode::Write).expect("begun");
            }
            let (mut next, mut asked) = (0, 0);
            session
                .stream("reading", "SELECT a FROM t ORDER BY a", &[], &mut |row| {
                    assert_eq!(row.integer(0)?, next);
                    next += 1;
                    if next % 5_000 == 0 {
                        let sql = "SELECT count(*) FROM t WHERE a < ?1";
                        let count =
                            session.one("asking", sql, values![next], |row| row.count(0))?;
                        assert_eq!(count.cast_signed(), next);
                        asked += 1;
                    }
                    Ok(())
                })
                .expect("all rows");
            assert_eq!((next, asked), (20_000, 4));
            let stop = |row: &Row<'_>| match row.integer(0)? {
                7 => Err(StoreError::ReadOnly),
                _ => Ok(()),
            };
            let mut stop = stop;
            let sql = "SELECT a FROM t ORDER BY a";
            let stopped = session.stream("reading", sql, &[], &mut stop);
            assert!(matches!(stopped, Err(StoreError::ReadOnly)));
            session.rollback();
        }
    });
}

#[test]
fn many_questions_are_answered_in_their_order() {
    on_both(|session| {
        let mut rows = session.bulk("adding", "t", "a, b").expect("a bulk");
        for number in 0..1_000_i64 {
            rows.row(values![number % 500, &format!("n{number}")]).expect("a row");
        }
        rows.finish().expect("written");
        let keys: Vec<String> = (0..1_500).map(|number| format!("n{number}")).collect();
        let values: Vec<Value<'_>> = (0..1_500)
            .zip(&keys)
            .flat_map(|(number, key)| [Value::Integer(number % 500), Value::Text(key)])
            .collect();
        let mut answered = Vec::new();
        let sql = "SELECT b FROM t WHERE a = ?1 AND b = ?2";
        session
            .many("asking", sql, &values, 2, &mut |index, row| {
                assert_eq!(row.text(0)?, keys[index]);
                answered.push(index);
                Ok(())
            })
            .expect("answers");
        assert_eq!(answered, (0..1_000).collect::<Vec<_>>());
        let delete = "DELETE FROM t WHERE a = ?1 AND b = ?2";
        let mut rows = session.batch("removing", delete).expect("a batch");
        for pair in values.chunks(2) {
            rows.row(pair).expect("a row");
        }
        assert_eq!(rows.finish().expect("removed"), 1_000);
    });
}
