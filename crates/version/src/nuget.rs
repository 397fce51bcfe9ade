//! Versions of NuGet packages.
//!
//! Read and ordered as NuGet.Versioning does (`NuGetVersion.Parse` and `VersionComparer.Default`):
//! one to four numbers, missing ones are zero, then pre-release labels and metadata as in semantic
//! versions. What surprises: labels are compared without case; a label counts as a number only if
//! it is an `int` of .NET, so a time stamp of 14 digits is a text, and `-5` (after a second hyphen)
//! is a negative number.

pub(crate) mod range;

use std::cmp::Ordering;

use crate::decimal;
use crate::key::{KeyWriter, NumberLeads};
use crate::semver::{self, LeadingZeros};

/// The largest of the four numbers: `int.MaxValue` of .NET.
const NUMBER_MAX: u64 = 0x7fff_ffff;

const NUMBER: NumberLeads = NumberLeads::between(0, u8::MAX);

/// After the numbers: either no label, which sorts last, or labels and their end.
const LABELS_END: u8 = 0x01;
const NUMERIC_LABEL: u8 = 0x02;
const OTHER_LABEL: u8 = 0x03;
const RELEASE: u8 = 0xff;

/// A version in its parts.
#[derive(Clone, Copy)]
pub(crate) struct Version<'a> {
    numbers: [u32; 4],
    /// The labels, separated by dots.
    labels: Option<&'a [u8]>,
}

/// Splits a version.
pub(crate) fn parse(text: &str) -> Result<Version<'_>, &'static str> {
    let (rest, metadata) = semver::split_at_byte(text.trim().as_bytes(), b'+');
    let (numbers, labels) = semver::split_at_byte(rest, b'-');
    if labels.is_some_and(|labels| !semver::are_identifiers(labels, LeadingZeros::Refused)) {
        return Err("the pre-release is not labels separated by dots");
    }
    if metadata.is_some_and(|text| !semver::are_identifiers(text, LeadingZeros::Allowed)) {
        return Err("the metadata are not identifiers separated by dots");
    }
    Ok(Version { numbers: parse_numbers(numbers)?, labels })
}

/// Reads one to four numbers; spaces around them are allowed.
fn parse_numbers(text: &[u8]) -> Result<[u32; 4], &'static str> {
    let mut numbers = [0; 4];
    let mut rest = text;
    for number in &mut numbers {
        let (digits, after) = decimal::take(rest.trim_ascii_start());
        if digits.is_empty() {
            return Err("it is not numbers separated by dots");
        }
        *number = decimal::value(digits)
            .filter(|&value| value <= NUMBER_MAX)
            .and_then(|value| u32::try_from(value).ok())
            .ok_or("a number is above 2147483647")?;
        rest = match after.trim_ascii_start() {
            [] => return Ok(numbers),
            [b'.', after @ ..] => after,
            _ => return Err("it is not numbers separated by dots"),
        };
    }
    Err("it has more than four numbers")
}

/// The value of a label that is an `int` of .NET.
fn label_number(label: &[u8]) -> Option<i32> {
    let may_be_number = matches!(label.first()?, b'0'..=b'9' | b'-');
    if !may_be_number || !label.last()?.is_ascii_digit() {
        return None;
    }
    std::str::from_utf8(label).ok()?.parse().ok()
}

/// Orders two versions.
pub(crate) fn compare(left: &Version<'_>, right: &Version<'_>) -> Ordering {
    left.numbers.cmp(&right.numbers).then_with(|| match (left.labels, right.labels) {
        (Some(left), Some(right)) => compare_labels(left, right),
        (left, right) => left.is_none().cmp(&right.is_none()),
    })
}

fn compare_labels(left: &[u8], right: &[u8]) -> Ordering {
    let (mut left, mut right) =
        (left.split(|&byte| byte == b'.'), right.split(|&byte| byte == b'.'));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (Some(left), Some(right)) => compare_label(left, right),
            (left, right) => left.is_some().cmp(&right.is_some()),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

fn compare_label(left: &[u8], right: &[u8]) -> Ordering {
    match (label_number(left), label_number(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => {
            let left = left.iter().map(u8::to_ascii_uppercase);
            left.cmp(right.iter().map(u8::to_ascii_uppercase))
        }
    }
}

/// Writes the sort key.
pub(crate) fn write_key(version: &Version<'_>, key: &mut KeyWriter) {
    for number in version.numbers {
        key.value(NUMBER, number.into());
    }
    let Some(labels) = version.labels else {
        key.byte(RELEASE);
        return;
    };
    for label in labels.split(|&byte| byte == b'.') {
        if let Some(number) = label_number(label) {
            key.byte(NUMERIC_LABEL);
            // The sign bit flipped, negative numbers sort before the others.
            key.bytes(&(number.cast_unsigned() ^ (1 << 31)).to_be_bytes());
        } else {
            key.byte(OTHER_LABEL);
            key.text(&label.to_ascii_uppercase());
        }
    }
    key.byte(LABELS_END);
}
