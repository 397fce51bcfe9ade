//! What SQLite and PostgreSQL spell differently.
//!
//! | written | SQLite | PostgreSQL |
//! |---|---|---|
//! | `?1` | the same | `$1` |
//! | `x IN LIST(?1)` | `x IN (SELECT value FROM json_each(?1))` | `x = ANY($1)` |
//! | `INTEGERS(?1)` | `json_each(?1) AS list` | `unnest($1::BIGINT[]) AS list (value)` |
//! | `TEXTS(?1)` | `json_each(?1) AS list` | `unnest($1::TEXT[]) AS list (value)` |
//! | `CLOCK()` | the machine's microseconds since 1970 | the server's |
//! | `FOR UPDATE SKIP LOCKED`, `FOR UPDATE`, `FOR SHARE` | nothing | the same |
//! | `instr(a, b)` | the same | `strpos(a, b)` |
//!
//! A list that is joined as a table wants an index on the other side: without one SQLite reads
//! the whole list again for each of its rows. The words stand in capitals as above. A parameter has
//! one type wherever it stands; PostgreSQL finds it out, and where it cannot (`?1 IS NULL`) a
//! `CAST(?1 AS BIGINT)` tells it.

/// Which database a text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// Words and what they become; `(?` begins one parameter, whose number and `)` are kept.
const SQLITE: &[(&str, &str)] = &[
    (" IN LIST(?", " IN (SELECT value FROM json_each(?"),
    ("CLOCK()", "CAST(unixepoch('subsec') * 1000000 AS INTEGER)"),
    (" FOR UPDATE SKIP LOCKED", ""),
    (" FOR UPDATE", ""),
    (" FOR SHARE", ""),
];

const POSTGRES: &[(&str, &str)] = &[
    (" IN LIST(?", " = ANY($"),
    ("CLOCK()", "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"),
    ("instr(", "strpos("),
];

/// The text as the database reads it.
pub(crate) fn translate(dialect: Dialect, sql: &str) -> String {
    let words = match dialect {
        Dialect::Sqlite => SQLITE,
        Dialect::Postgres => POSTGRES,
    };
    let mut text = sql.to_owned();
    for (word, meaning) in words {
        if dialect == Dialect::Sqlite && word.ends_with("(?") {
            // The list is a question within the question, so it ends with one more bracket.
            text = with_parameter(&text, word, |number| format!("{meaning}{number}))"));
        } else {
            text = text.replace(word, meaning);
        }
    }
    for (word, postgres_type) in [("INTEGERS(?", "BIGINT[]"), ("TEXTS(?", "TEXT[]")] {
        text = with_parameter(&text, word, |number| match dialect {
            Dialect::Sqlite => format!("json_each(?{number}) AS list"),
            Dialect::Postgres => format!("unnest(${number}::{postgres_type}) AS list (value)"),
        });
    }
    if dialect == Dialect::Postgres { text.replace('?', "$") } else { text }
}

/// Replaces every `word` with the number and the bracket that follow it.
fn with_parameter(text: &str, word: &str, make: impl Fn(&str) -> String) -> String {
    let mut pieces = text.split(word);
    let mut result = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        match piece.split_once(')') {
            Some((number, rest)) => {
                result.push_str(&make(number));
                result.push_str(rest);
            }
            None => result.push_str(piece),
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sql: &str, sqlite: &str, postgres: &str) {
        assert_eq!(translate(Dialect::Sqlite, sql), sqlite);
        assert_eq!(translate(Dialect::Postgres, sql), postgres);
    }

    #[test]
    fn every_word_has_a_meaning_in_both() {
        check(
            "SELECT a FROM t WHERE b = ?1 AND c IN LIST(?12) AND d > 0",
            "SELECT a FROM t WHERE b = ?1 AND c IN (SELECT value FROM json_each(?12)) AND d > 0",
            "SELECT a FROM t WHERE b = $1 AND c = ANY($12) AND d > 0",
        );
        check(
            "SELECT a FROM INTEGERS(?1) JOIN t ON b = list.value, TEXTS(?2)",
            "SELECT a FROM json_each(?1) AS list JOIN t ON b = list.value, json_each(?2) AS list",
            "SELECT a FROM unnest($1::BIGINT[]) AS list (value) JOIN t ON b = list.value, \
             unnest($2::TEXT[]) AS list (value)",
        );
        check("SELECT 1 FOR UPDATE SKIP LOCKED", "SELECT 1", "SELECT 1 FOR UPDATE SKIP LOCKED");
        check("SELECT 1 FOR UPDATE", "SELECT 1", "SELECT 1 FOR UPDATE");
        check("SELECT instr(a, ?1)", "SELECT instr(a, ?1)", "SELECT strpos(a, $1)");
    }
}
