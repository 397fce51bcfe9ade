//! Checks rows of expected comparisons, `A OP B`.
//!
//! What `pratique compare SCHEME -` reads and what the vectors in `tests/data` are. The program and
//! the tests bring the lines; here is what a line means.

use std::cmp::Ordering;
use std::fmt;

use crate::{Scheme, VersionError};

/// Why a row does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowFailure {
    /// It is not two versions with an operator between them.
    Fields {
        /// How many fields it has.
        count: usize,
    },
    /// The operator is none of `<`, `=`, `>`.
    Operator(
        /// The field as given, at most 20 characters.
        String,
    ),
    /// The scheme refuses one of the versions.
    Version(VersionError),
    /// The versions compare differently.
    Order {
        /// How they compare.
        actual: Ordering,
    },
}

impl fmt::Display for RowFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fields { count } => write!(f, "expected A OP B, got {count} fields"),
            Self::Operator(operator) => {
                write!(f, "unknown operator: {operator:?}; one of <, =, >")
            }
            Self::Version(error) => error.fmt(f),
            Self::Order { actual } => write!(f, "it is {}", operator(*actual)),
        }
    }
}

impl std::error::Error for RowFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        None
    }
}

/// The operator of a row, `<`, `=` or `>`.
pub const fn operator(order: Ordering) -> &'static str {
    match order {
        Ordering::Less => "<",
        Ordering::Equal => "=",
        Ordering::Greater => ">",
    }
}

/// Checks one line.
///
/// Fields are separated by white space. `None`: the line is no row (it is empty, or starts with `#`
/// or `//`).
pub fn check_row(scheme: Scheme, line: &str) -> Option<Result<(), RowFailure>> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') || line.starts_with("//") {
        return None;
    }
    Some(check_fields(scheme, line))
}

fn check_fields(scheme: Scheme, line: &str) -> Result<(), RowFailure> {
    let mut fields = line.split_ascii_whitespace();
    let (Some(left), Some(expected), Some(right), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err(RowFailure::Fields { count: line.split_ascii_whitespace().count() });
    };
    let expected = match expected {
        "<" => Ordering::Less,
        "=" => Ordering::Equal,
        ">" => Ordering::Greater,
        _ => return Err(RowFailure::Operator(expected.chars().take(20).collect())),
    };
    let actual = scheme.compare(left, right).map_err(RowFailure::Version)?;
    if actual == expected { Ok(()) } else { Err(RowFailure::Order { actual }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<&str>) {
        let failure = check_row(Scheme::Deb, line).and_then(Result::err);
        assert_eq!(failure.map(|failure| failure.to_string()).as_deref(), expected, "{line:?}");
    }

    #[test]
    fn failures_say_why() {
        check("1 < 2", None);
        check(" 1.0\t=  1.0-0 ", None);
        check("1 > 2", Some("it is <"));
        check("1 <= 2", Some("unknown operator: \"<=\"; one of <, =, >"));
        check("1 < 2 3", Some("expected A OP B, got 4 fields"));
        check("1 <", Some("expected A OP B, got 2 fields"));
        check("a:1 < 2", Some("deb version \"a:1\": the epoch is not a number"));
    }

    #[test]
    fn comments_and_empty_lines_are_no_rows() {
        for line in ["", "  ", "# 1 < 2", "// 1 < 2", "#", " # x"] {
            assert_eq!(check_row(Scheme::Deb, line), None, "{line:?}");
        }
        assert_eq!(check_row(Scheme::Deb, "1 < 2"), Some(Ok(())));
    }
}
