//! Versions of rpm: `[epoch:]version[-release]`.
//!
//! Split as `rpmverParse` splits and ordered as `rpmverCmp` and `rpmvercmp` order. Runs of letters
//! and runs of digits are compared one by one, everything else only separates them; `~` sorts
//! before the end of the text and `^` right after it. What surprises: a missing release sorts
//! before any release, even an empty one, and a missing epoch is zero.

use std::cmp::Ordering;

use crate::decimal;
use crate::key::{KeyWriter, NumberLeads};

/// Lead bytes, in the order of what they lead; letters are their own bytes, ended by zero.
const TILDE: u8 = 0x01;
const END: u8 = 0x02;
const CARET: u8 = 0x03;
const NUMBER: NumberLeads = NumberLeads::between(b'z' + 1, u8::MAX);

/// A version in its parts.
#[derive(Clone, Copy)]
pub(crate) struct Version<'a> {
    epoch: &'a [u8],
    version: &'a [u8],
    release: Option<&'a [u8]>,
}

/// One step of `rpmvercmp`. The derived order is that of rpm.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Segment<'a> {
    Tilde,
    End,
    Caret,
    Letters(&'a [u8]),
    /// The count of digits without leading zeros, and these digits.
    Number(usize, &'a [u8]),
}

/// Splits a version; rpm takes any text but none.
pub(crate) fn parse(text: &str) -> Result<Version<'_>, &'static str> {
    if text.contains('\0') {
        return Err("it has a zero byte inside");
    }
    let text = text.as_bytes();
    let (digits, rest) = decimal::take(text);
    let (epoch, rest) = match rest {
        [b':', rest @ ..] => (digits, rest),
        _ => (&b""[..], text),
    };
    let (version, release) = match rest.iter().rposition(|&byte| byte == b'-') {
        Some(dash) => (&rest[..dash], Some(&rest[dash + 1..])),
        None => (rest, None),
    };
    Ok(Version { epoch, version, release })
}

/// Orders two versions.
pub(crate) fn compare(left: &Version<'_>, right: &Version<'_>) -> Ordering {
    decimal::compare(left.epoch, right.epoch)
        .then_with(|| compare_part(left.version, right.version))
        .then_with(|| match (left.release, right.release) {
            (Some(left), Some(right)) => compare_part(left, right),
            (left, right) => left.is_some().cmp(&right.is_some()),
        })
}

fn compare_part(left: &[u8], right: &[u8]) -> Ordering {
    // What they share is equal, but for a run of letters or digits that goes on.
    let mut shared = decimal::shared_length(left, right);
    if shared == left.len() && shared == right.len() {
        return Ordering::Equal;
    }
    while shared > 0 && left[shared - 1].is_ascii_alphanumeric() {
        shared -= 1;
    }
    let (mut left, mut right) = (&left[shared..], &right[shared..]);
    loop {
        let (left_segment, left_rest) = next_segment(left);
        let (right_segment, right_rest) = next_segment(right);
        let order = left_segment.cmp(&right_segment);
        if order != Ordering::Equal || left_segment == Segment::End {
            return order;
        }
        (left, right) = (left_rest, right_rest);
    }
}

fn next_segment(text: &[u8]) -> (Segment<'_>, &[u8]) {
    let is_segment = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'~' | b'^');
    let Some(start) = text.iter().position(is_segment) else {
        return (Segment::End, &[]);
    };
    let text = &text[start..];
    match text[0] {
        b'~' => (Segment::Tilde, &text[1..]),
        b'^' => (Segment::Caret, &text[1..]),
        b'0'..=b'9' => {
            let (digits, rest) = decimal::take(text);
            let digits = decimal::trim(digits);
            (Segment::Number(digits.len(), digits), rest)
        }
        _ => {
            let count = text.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
            (Segment::Letters(&text[..count]), &text[count..])
        }
    }
}

/// Writes the sort key.
pub(crate) fn write_key(version: &Version<'_>, key: &mut KeyWriter) {
    key.number(NUMBER, version.epoch);
    write_part(version.version, key);
    // A missing release is the shorter key, so that it sorts first.
    if let Some(release) = version.release {
        write_part(release, key);
    }
}

fn write_part(mut text: &[u8], key: &mut KeyWriter) {
    loop {
        let (segment, rest) = next_segment(text);
        match segment {
            Segment::Tilde => key.byte(TILDE),
            Segment::Caret => key.byte(CARET),
            Segment::Letters(letters) => key.text(letters),
            Segment::Number(_, digits) => key.number(NUMBER, digits),
            Segment::End => {
                key.byte(END);
                return;
            }
        }
        text = rest;
    }
}
