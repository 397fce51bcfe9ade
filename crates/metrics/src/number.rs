//! One number of a sample, as exactly as it was sent.
//!
//! Sandboxes count in 64-bit integers, and a scraper's parser reads floats. Both are kept here as
//! they came, so that comparing never rounds: 2⁵³ + 1 is more than 2⁵³ whichever way either is
//! written.

use std::cmp::Ordering;
use std::io::Write as _;

/// 2⁶³ as a float: the first float above every `i64`.
const INTEGER_END: f64 = 9_223_372_036_854_775_808.0;

/// An integer or a float; a float is what was written as one, `5.0` too.
///
/// The default is nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    /// A count.
    Integer(i64),
    /// A count above all `i64`: sums of buckets.
    Unsigned(u64),
    /// Anything else; may be infinite or not a number where the program itself makes it.
    Float(f64),
}

impl Default for Number {
    fn default() -> Self {
        Self::ZERO
    }
}

impl Number {
    /// Nothing: what a missing value means.
    pub(crate) const ZERO: Self = Self::Integer(0);

    /// The exact integer that this is, also when it was written as a float.
    #[expect(clippy::cast_possible_truncation, reason = "the range was compared before")]
    pub(crate) fn as_integer(self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(value),
            Self::Unsigned(value) => i64::try_from(value).ok(),
            Self::Float(value) => {
                let is_integer = value.fract() == 0.0;
                (is_integer && (-INTEGER_END..INTEGER_END).contains(&value)).then_some(value as i64)
            }
        }
    }

    /// Whether this is nothing, whichever way it is written.
    pub(crate) fn is_zero(self) -> bool {
        self.as_integer() == Some(0)
    }

    /// Whether both are written in the same way; zero is written in each.
    pub(crate) fn is_same_kind(self, other: Self) -> bool {
        let is_float = |number: Self| matches!(number, Self::Float(_));
        self.is_zero() || other.is_zero() || is_float(self) == is_float(other)
    }

    /// Orders by exact value; `None` if one of them is not a number.
    pub(crate) fn compare(self, other: Self) -> Option<Ordering> {
        match (self.whole(), other.whole()) {
            (Ok(left), Ok(right)) => Some(left.cmp(&right)),
            (Err(left), Err(right)) => left.partial_cmp(&right),
            (Err(left), Ok(right)) => compare_float(left, right),
            (Ok(left), Err(right)) => compare_float(right, left).map(Ordering::reverse),
        }
    }

    /// Appends the shortest text that reads back as this number, in the words of Prometheus.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        // Writing to a vector cannot fail.
        let _ = match self {
            Self::Integer(value) => write!(out, "{value}"),
            Self::Unsigned(value) => write!(out, "{value}"),
            Self::Float(value) if value.is_nan() => out.write_all(b"NaN"),
            Self::Float(value) if value.is_infinite() => {
                out.write_all(if value > 0.0 { b"+Inf" } else { b"-Inf" })
            }
            Self::Float(value) if value != 0.0 && !(1e-5..1e21).contains(&value.abs()) => {
                write!(out, "{value:e}")
            }
            Self::Float(value) => write!(out, "{value}"),
        };
    }

    /// An integer with room for both kinds, or the float.
    fn whole(self) -> Result<i128, f64> {
        match self {
            Self::Integer(value) => Ok(i128::from(value)),
            Self::Unsigned(value) => Ok(i128::from(value)),
            Self::Float(value) => Err(value),
        }
    }
}

/// Orders a float and an integer without rounding the integer.
#[expect(clippy::cast_possible_truncation, reason = "floats here are within 2⁶⁵")]
fn compare_float(float: f64, integer: i128) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    if float.abs() > 4.0 * INTEGER_END {
        return Some(if float > 0.0 { Ordering::Greater } else { Ordering::Less });
    }
    let whole = float.trunc();
    let ordering = (whole as i128).cmp(&integer);
    Some(ordering.then_with(|| float.partial_cmp(&whole).unwrap_or(Ordering::Equal)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_text(number: Number, expected: &str) {
        let mut out = Vec::new();
        number.write(&mut out);
        assert_eq!(String::from_utf8(out).expect("ASCII"), expected, "{number:?}");
    }

    #[test]
    fn numbers_are_written_exactly_and_briefly() {
        check_text(Number::Integer(i64::MIN), "-9223372036854775808");
        check_text(Number::Unsigned(u64::MAX), "18446744073709551615");
        check_text(Number::Float(0.1), "0.1");
        check_text(Number::Float(-2.0), "-2");
        check_text(Number::Float(1e300), "1e300");
        check_text(Number::Float(5e-324), "5e-324");
        check_text(Number::Float(f64::INFINITY), "+Inf");
        check_text(Number::Float(f64::NAN), "NaN");
    }

    #[test]
    fn comparing_does_not_round() {
        let big = 9_007_199_254_740_993_i64;
        let float = Number::Float(9_007_199_254_740_992.0);
        assert_eq!(Number::Integer(big).compare(float), Some(Ordering::Greater));
        assert_eq!(float.compare(Number::Integer(big)), Some(Ordering::Less));
        assert_eq!(Number::Float(-0.5).compare(Number::ZERO), Some(Ordering::Less));
        assert_eq!(Number::Float(1e300).compare(Number::Unsigned(9)), Some(Ordering::Greater));
        assert_eq!(Number::Float(f64::NAN).compare(Number::ZERO), None);
        assert_eq!(
            Number::Unsigned(u64::MAX).compare(Number::Integer(-1)),
            Some(Ordering::Greater)
        );
    }

    #[test]
    fn a_float_that_is_an_integer_is_known_as_one() {
        assert_eq!(Number::Float(5.0).as_integer(), Some(5));
        assert_eq!(Number::Float(5.5).as_integer(), None);
        assert_eq!(Number::Float(INTEGER_END).as_integer(), None);
        assert_eq!(Number::Float(-INTEGER_END).as_integer(), Some(i64::MIN));
        assert_eq!(Number::Float(f64::INFINITY).as_integer(), None);
    }
}
