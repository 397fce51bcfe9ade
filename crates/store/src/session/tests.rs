//! What holds of sessions beneath the domain.

use super::*;
use crate::Database;

fn memory() -> Database {
    Database::in_memory().expect("memory")
}

fn table(session: &dyn Session) {
    session.script("making", "CREATE TABLE t (a INTEGER, b TEXT, c REAL, d BLOB)").expect("made");
}

#[test]
fn every_kind_of_value_survives() {
    let database = memory();
    let session = &*database.session;
    table(session);
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
    let database = memory();
    let session = &*database.session;
    table(session);
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
