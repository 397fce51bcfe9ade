//! Semantic versions, the common ground of Cargo, npm and Go.
//!
//! Here are the parts that the three share: a version split into its numbers and pre-release
//! identifiers, their order and sort key. `Scheme::Semver` is the specification (2.0.0) to the
//! letter, with numbers of any size; npm's and Go's own rules are in [`crate::npm`] and
//! [`crate::golang`]. Build metadata is checked and then ignored, also for Cargo, whose library
//! would use it to break ties: the specification forbids it, and an advisory never means it.

pub(crate) mod requirement;

use std::cmp::Ordering;

use crate::decimal;
use crate::key::{KeyWriter, NumberLeads};

/// Numbers of the release; nothing else stands in their places.
const NUMBER: NumberLeads = NumberLeads::between(0, 0xff);

/// After the numbers: either no pre-release, which sorts last, or its identifiers.
const RELEASE: u8 = 0xff;
const IDENTIFIERS_END: u8 = 0x01;
pub(crate) const NUMERIC_IDENTIFIER: NumberLeads = NumberLeads::between(0x02, 0x20);
const OTHER_IDENTIFIER: u8 = 0x21;

/// A version in its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version<'a> {
    /// Major, minor, patch, in digits.
    pub(crate) numbers: [&'a [u8]; 3],
    /// The identifiers, separated by dots; `None`: a release. Empty identifiers sort first of all
    /// (only Go's language versions have them).
    pub(crate) prerelease: Option<&'a [u8]>,
}

/// How many of the three numbers must be there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// All, as the specification says.
    Three,
    /// Go's shorthands `1` and `1.2`, which then have no pre-release.
    UpToThree,
}

/// Splits a version by the grammar of the specification.
pub(crate) fn parse(text: &str) -> Result<Version<'_>, &'static str> {
    parse_numbers(text.as_bytes(), Numbers::Three)
}

/// As [`parse`], where some numbers may be missing.
pub(crate) fn parse_numbers(text: &[u8], count: Numbers) -> Result<Version<'_>, &'static str> {
    let mut numbers = [&b"0"[..]; 3];
    let mut rest = text;
    for (index, number) in numbers.iter_mut().enumerate() {
        if index > 0 {
            rest = match rest {
                [] if count == Numbers::UpToThree => break,
                [b'.', rest @ ..] => rest,
                _ => return Err("it is not three numbers separated by dots"),
            };
        }
        (*number, rest) = decimal::take(rest);
        if !decimal::is_number(number) {
            return Err("it is not three numbers separated by dots");
        }
        if number.len() > 1 && number[0] == b'0' {
            return Err("a number has a leading zero");
        }
    }
    let (rest, build) = split_at_byte(rest, b'+');
    if build.is_some_and(|build| !are_identifiers(build, LeadingZeros::Allowed)) {
        return Err("the build metadata are not identifiers separated by dots");
    }
    match rest {
        [] => Ok(Version { numbers, prerelease: None }),
        [b'-', identifiers @ ..] => {
            if are_identifiers(identifiers, LeadingZeros::Refused) {
                Ok(Version { numbers, prerelease: Some(identifiers) })
            } else {
                Err("the pre-release is not identifiers separated by dots")
            }
        }
        _ => Err("something follows the third number"),
    }
}

/// Whether numeric identifiers may start with a zero.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeadingZeros {
    /// In build metadata.
    Allowed,
    /// In pre-releases.
    Refused,
}

/// Whether the text is identifiers of ASCII letters, digits and hyphens, separated by dots.
pub(crate) fn are_identifiers(text: &[u8], zeros: LeadingZeros) -> bool {
    let mut rest = text;
    loop {
        let mut has_others = false;
        let mut length = 0;
        for &byte in rest {
            match CLASSES[usize::from(byte)] {
                Class::Digit => {}
                Class::Other => has_others = true,
                Class::Foreign => break,
            }
            length += 1;
        }
        let is_zero_led = length > 1 && rest[0] == b'0' && !has_others;
        if length == 0 || (is_zero_led && zeros == LeadingZeros::Refused) {
            return false;
        }
        match &rest[length..] {
            [] => return true,
            [b'.', after @ ..] => rest = after,
            _ => return false,
        }
    }
}

/// What a byte is to identifiers.
#[derive(Clone, Copy)]
enum Class {
    Digit,
    /// A letter or a hyphen.
    Other,
    Foreign,
}

/// The class of each byte: every version of three schemes goes through it, byte by byte.
const CLASSES: [Class; 256] = {
    let mut classes = [Class::Foreign; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        if byte.is_ascii_digit() {
            classes[byte as usize] = Class::Digit;
        } else if byte.is_ascii_alphabetic() || byte == b'-' {
            classes[byte as usize] = Class::Other;
        }
        byte += 1;
    }
    classes
};

/// The text before the first such byte and the text after it, if there is one.
pub(crate) fn split_at_byte(text: &[u8], byte: u8) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|&other| other == byte) {
        Some(index) => (&text[..index], Some(&text[index + 1..])),
        None => (text, None),
    }
}

/// Orders two versions.
pub(crate) fn compare(left: &Version<'_>, right: &Version<'_>) -> Ordering {
    compare_with(left, right, decimal::compare)
}

/// Orders two versions, numeric identifiers as `compare_numbers` says.
pub(crate) fn compare_with(
    left: &Version<'_>,
    right: &Version<'_>,
    compare_numbers: fn(&[u8], &[u8]) -> Ordering,
) -> Ordering {
    for (left, right) in left.numbers.iter().zip(&right.numbers) {
        let order = decimal::compare(left, right);
        if order != Ordering::Equal {
            return order;
        }
    }
    match (left.prerelease, right.prerelease) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(left), Some(right)) => compare_identifiers(left, right, compare_numbers),
    }
}

fn compare_identifiers(
    left: &[u8],
    right: &[u8],
    compare_numbers: fn(&[u8], &[u8]) -> Ordering,
) -> Ordering {
    // What they share is equal, but for an identifier that goes on.
    let mut shared = decimal::shared_length(left, right);
    if shared == left.len() && shared == right.len() {
        return Ordering::Equal;
    }
    while shared > 0 && left[shared - 1] != b'.' {
        shared -= 1;
    }
    let (mut left, mut right) = (&left[shared..], &right[shared..]);
    loop {
        if left.is_empty() || right.is_empty() {
            return left.len().min(1).cmp(&right.len().min(1));
        }
        let (left_first, left_rest) = split_at_byte(left, b'.');
        let (right_first, right_rest) = split_at_byte(right, b'.');
        let order = match (decimal::is_number(left_first), decimal::is_number(right_first)) {
            (true, true) => compare_numbers(left_first, right_first),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => left_first.cmp(right_first),
        };
        if order != Ordering::Equal {
            return order;
        }
        (left, right) = (left_rest.unwrap_or_default(), right_rest.unwrap_or_default());
    }
}

/// Writes the sort key.
pub(crate) fn write_key(version: &Version<'_>, key: &mut KeyWriter) {
    write_key_with(version, key, |key, digits| key.number(NUMERIC_IDENTIFIER, digits));
}

/// Writes the sort key, numeric identifiers by `write_number`, which must lead with a byte of
/// [`NUMERIC_IDENTIFIER`].
pub(crate) fn write_key_with(
    version: &Version<'_>,
    key: &mut KeyWriter,
    write_number: impl Fn(&mut KeyWriter, &[u8]),
) {
    for number in version.numbers {
        key.number(NUMBER, number);
    }
    let Some(identifiers) = version.prerelease else {
        key.byte(RELEASE);
        return;
    };
    if !identifiers.is_empty() {
        for identifier in identifiers.split(|&byte| byte == b'.') {
            if decimal::is_number(identifier) {
                write_number(key, identifier);
            } else {
                key.byte(OTHER_IDENTIFIER);
                key.text(identifier);
            }
        }
    }
    key.byte(IDENTIFIERS_END);
}
