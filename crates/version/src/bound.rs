//! The operators that ranges of all schemes are made of.

use std::cmp::Ordering;

/// How a version relates to a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
    GreaterOrEqual,
    Greater,
}

impl Operator {
    /// Whether it holds for a version that compares so to the bound.
    pub(crate) fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Greater => order.is_gt(),
        }
    }

    /// Splits `<`, `<=`, `>`, `>=` or `=` off the start of a text; none of them is `None`.
    pub(crate) fn split(text: &str) -> (Option<Self>, &str) {
        for (name, operator) in [
            ("<=", Self::LessOrEqual),
            (">=", Self::GreaterOrEqual),
            ("<", Self::Less),
            (">", Self::Greater),
            ("=", Self::Equal),
        ] {
            if let Some(rest) = text.strip_prefix(name) {
                return (Some(operator), rest);
            }
        }
        (None, text)
    }
}
