//! Which questions read a whole table: those that are meant to.
//!
//! SQLite says how it would answer. What it decides without having seen the rows is what it does in
//! the field, as nothing here gathers statistics for it.

use std::collections::BTreeSet;

use super::cases;
use crate::Database;
use crate::session::sqlite::asked;

/// Tables that have hundreds of thousands of rows, or millions.
const LARGE: [&str; 14] = [
    "advisory",
    "advisory_text",
    "affected",
    "vulnerability",
    "change",
    "term",
    "epss",
    "kev",
    "nvd",
    "package",
    "package_set",
    "image",
    "finding",
    "notification",
];

/// What such a table is read for from one end to the other: daily work, a feed of facts that is
/// held against all of them, an alias that a person asks for, how many images there are, and what
/// an index has few rows of.
const WHOLE: [&str; 6] = [
    "counting images",
    "reading facts",
    "removing images",
    "removing old rows",
    "removing unused texts",
    "searching by id",
];

/// What the cases themselves ask for.
const OWN: [&str; 2] = ["counting", "listing"];

#[test]
fn no_other_question_reads_a_whole_large_table() {
    for case in cases() {
        (case.run)(&mut Database::in_memory().expect("memory"));
    }
    let database = Database::in_memory().expect("memory");
    let connection = database.session.sqlite().expect("SQLite");
    let mut whole = BTreeSet::new();
    for (doing, sql) in asked().into_iter().filter(|(doing, _)| !OWN.contains(doing)) {
        // A transaction's beginning and the like have no plan.
        let Ok(mut plan) = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")) else {
            continue;
        };
        let mut steps = plan.raw_query();
        while let Some(step) = steps.next().expect("a plan") {
            let step: String = step.get(3).expect("a text");
            let table = step.strip_prefix("SCAN ").and_then(|rest| rest.split(' ').next());
            if table.is_some_and(|table| LARGE.contains(&table)) {
                assert!(WHOLE.contains(&doing), "{doing}: {step}: {sql}");
                whole.insert(doing);
            }
        }
    }
    assert_eq!(whole.into_iter().collect::<Vec<_>>(), WHOLE, "a name of the list is no more");
}
