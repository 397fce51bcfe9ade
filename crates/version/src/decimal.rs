//! Decimal numbers of any length, kept as the digits they are written with.
//!
//! Versions contain dates, build numbers and jokes that no machine integer holds, and every scheme
//! but Maven and NuGet orders them by value without a limit. Here is the comparison that needs no
//! conversion. Texts come in as bytes, since all schemes give meaning to ASCII only.

use std::cmp::Ordering;

/// How many bytes the two texts share from the start.
pub(crate) fn shared_length(left: &[u8], right: &[u8]) -> usize {
    let mut shared = 0;
    // Eight bytes at once: versions of one package mostly share a long beginning.
    for (left, right) in left.chunks_exact(8).zip(right.chunks_exact(8)) {
        let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("chunks of 8"));
        let difference = word(left) ^ word(right);
        if difference != 0 {
            return shared + difference.trailing_zeros() as usize / 8;
        }
        shared += 8;
    }
    let rest = left[shared..].iter().zip(&right[shared..]);
    shared + rest.take_while(|(left, right)| left == right).count()
}

/// The number without its leading zeros; the number zero becomes empty.
pub(crate) fn trim(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|&&byte| byte == b'0').count();
    &digits[zeros..]
}

/// Orders two numbers by value; leading zeros do not count and an empty text is zero.
pub(crate) fn compare(left: &[u8], right: &[u8]) -> Ordering {
    // Mostly neither has any.
    let (left, right) = match (left, right) {
        ([b'1'..=b'9', ..], [b'1'..=b'9', ..]) => (left, right),
        _ => (trim(left), trim(right)),
    };
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

/// Splits off the digits that the text starts with; may be none.
pub(crate) fn take(text: &[u8]) -> (&[u8], &[u8]) {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    text.split_at(count)
}

/// Whether the text is one or more digits.
pub(crate) fn is_number(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

/// The value, or `None` above `u64::MAX`; an empty text is zero.
pub(crate) fn value(digits: &[u8]) -> Option<u64> {
    let digits = trim(digits);
    // Twenty digits may or may not fit; nineteen always do.
    if digits.len() > 20 {
        return None;
    }
    digits
        .iter()
        .try_fold(0_u64, |value, byte| value.checked_mul(10)?.checked_add(u64::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_ordered_by_value_whatever_their_length() {
        let ordered: [&[u8]; 6] =
            [b"", b"1", b"0009", b"10", b"18446744073709551616", b"99999999999999999999999999"];
        for (index, left) in ordered.iter().enumerate() {
            for (other, right) in ordered.iter().enumerate() {
                assert_eq!(compare(left, right), index.cmp(&other), "{left:?} {right:?}");
            }
        }
        assert_eq!(compare(b"000", b""), Ordering::Equal);
    }

    #[test]
    fn shared_beginnings_end_at_the_first_difference() {
        let text = b"abcdefghijklmnopqrstuvwxyz";
        for length in 0..text.len() {
            let mut other = *text;
            other[length] = b'!';
            assert_eq!(shared_length(text, &other), length);
            assert_eq!(shared_length(text, &text[..length]), length);
        }
    }

    #[test]
    fn values_end_where_u64_ends() {
        assert_eq!(value(b"00018446744073709551615"), Some(u64::MAX));
        assert_eq!(value(b"18446744073709551616"), None);
        assert_eq!(value(b"100000000000000000000000"), None);
        assert_eq!(value(b""), Some(0));
    }
}
