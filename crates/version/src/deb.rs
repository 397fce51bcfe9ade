//! Versions of dpkg: `[epoch:]upstream[-revision]`.
//!
//! Read and ordered as dpkg does (deb-version(7), `lib/dpkg/parsehelp.c` and `lib/dpkg/version.c`).
//! What surprises: dpkg only warns about characters that policy forbids, and its order covers them,
//! so they are accepted; bytes beyond ASCII sort between letters and punctuation, because dpkg
//! compares signed characters.

use std::cmp::Ordering;

use crate::decimal;
use crate::key::{KeyWriter, NumberLeads};

/// The largest epoch, an `int` in dpkg.
const EPOCH_MAX: u64 = 0x7fff_ffff;

/// The lead byte of the `~`, which sorts before everything, even the end.
const TILDE: u8 = 0x01;

/// The end of upstream or revision; at its place only bytes that are no digits can stand.
const END: u8 = 0x02;

/// Numbers: where a number is due, no other element can stand but a byte of the text before it,
/// and the end of that text sorts before all of them.
const NUMBER: NumberLeads = NumberLeads::between(0x02, 0x40);

/// Bytes beyond ASCII, followed by the byte itself: above the letters, which are their own bytes.
const BEYOND_ASCII: u8 = b'z' + 1;

/// Other ASCII bytes are raised by this much, above [`BEYOND_ASCII`].
const PUNCTUATION: u8 = 0x80;

/// A version in its parts.
#[derive(Clone, Copy)]
pub(crate) struct Version<'a> {
    epoch: u64,
    upstream: &'a [u8],
    revision: &'a [u8],
}

/// Splits a version.
pub(crate) fn parse(text: &str) -> Result<Version<'_>, &'static str> {
    let text = text.trim_matches(is_space).as_bytes();
    let (mut colon, mut hyphen) = (None, None);
    for (index, &byte) in text.iter().enumerate() {
        // Above the colon stands nothing that parts or spoils a version.
        if byte > b':' || byte.is_ascii_digit() {
            continue;
        }
        match byte {
            b':' if colon.is_none() => colon = Some(index),
            b'-' => hyphen = Some(index),
            0 => return Err("it has a zero byte inside"),
            b' ' | b'\t'..=b'\r' => return Err("it has a space inside"),
            _ => {}
        }
    }
    let (epoch, start) = match colon {
        Some(colon) => (parse_epoch(&text[..colon])?, colon + 1),
        None => (0, 0),
    };
    if start == text.len() {
        return Err("nothing follows the epoch");
    }
    let (upstream, revision) = match hyphen.filter(|&hyphen| hyphen >= start) {
        Some(hyphen) if hyphen + 1 == text.len() => return Err("the revision is empty"),
        Some(hyphen) => (&text[start..hyphen], &text[hyphen + 1..]),
        None => (&text[start..], &text[text.len()..]),
    };
    if upstream.is_empty() {
        return Err("the upstream version is empty");
    }
    Ok(Version { epoch, upstream, revision })
}

/// What C's `isspace` takes for a space.
fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t'..='\r')
}

/// Reads an epoch as C's `strtol` does: a sign is allowed, and minus zero is zero.
fn parse_epoch(text: &[u8]) -> Result<u64, &'static str> {
    let (digits, is_negative) = match text {
        [b'-', digits @ ..] => (digits, true),
        [b'+', digits @ ..] => (digits, false),
        digits => (digits, false),
    };
    if !decimal::is_number(digits) {
        return Err("the epoch is not a number");
    }
    match decimal::value(digits) {
        Some(0) => Ok(0),
        Some(_) | None if is_negative => Err("the epoch is negative"),
        Some(epoch) if epoch <= EPOCH_MAX => Ok(epoch),
        _ => Err("the epoch is too big"),
    }
}

/// Orders two versions.
pub(crate) fn compare(left: &Version<'_>, right: &Version<'_>) -> Ordering {
    left.epoch
        .cmp(&right.epoch)
        .then_with(|| compare_part(left.upstream, right.upstream))
        .then_with(|| compare_part(left.revision, right.revision))
}

/// Orders two texts by alternating runs of other bytes and of digits.
fn compare_part(left: &[u8], right: &[u8]) -> Ordering {
    // What they share is equal, but for the digits of a number that goes on.
    let mut shared = decimal::shared_length(left, right);
    if shared == left.len() && shared == right.len() {
        return Ordering::Equal;
    }
    while shared > 0 && left[shared - 1].is_ascii_digit() {
        shared -= 1;
    }
    let (mut left, mut right) = (&left[shared..], &right[shared..]);
    loop {
        loop {
            let (left_weight, right_weight) = (first_weight(left), first_weight(right));
            if left_weight != right_weight {
                return left_weight.cmp(&right_weight);
            }
            if left_weight == 0 {
                break;
            }
            (left, right) = (&left[1..], &right[1..]);
        }
        if left.is_empty() && right.is_empty() {
            return Ordering::Equal;
        }
        let ((left_number, left_rest), (right_number, right_rest)) =
            (decimal::take(left), decimal::take(right));
        let order = decimal::compare(left_number, right_number);
        if order != Ordering::Equal {
            return order;
        }
        (left, right) = (left_rest, right_rest);
    }
}

/// Where the next byte sorts among those that are no digits; a digit or the end is zero.
fn first_weight(text: &[u8]) -> i16 {
    match text.first() {
        None | Some(b'0'..=b'9') => 0,
        Some(b'~') => -1,
        Some(&letter) if letter.is_ascii_alphabetic() => i16::from(letter),
        Some(&other) => i16::from(other.cast_signed()) + 256,
    }
}

/// Writes the sort key.
pub(crate) fn write_key(version: &Version<'_>, key: &mut KeyWriter) {
    key.value(NUMBER, version.epoch);
    write_part(version.upstream, key);
    write_part(version.revision, key);
}

fn write_part(mut text: &[u8], key: &mut KeyWriter) {
    loop {
        let other_count = text.iter().take_while(|byte| !byte.is_ascii_digit()).count();
        let (others, rest) = text.split_at(other_count);
        for &byte in others {
            write_byte(byte, key);
        }
        // A text that is empty or ends without digits is followed by the number zero, as in dpkg.
        let (number, rest) = decimal::take(rest);
        key.number(NUMBER, number);
        if rest.is_empty() {
            break;
        }
        text = rest;
    }
    key.byte(END);
}

fn write_byte(byte: u8, key: &mut KeyWriter) {
    match byte {
        b'~' => key.byte(TILDE),
        _ if byte.is_ascii_alphabetic() => key.byte(byte),
        _ if byte.is_ascii() => key.byte(PUNCTUATION + byte),
        _ => {
            key.byte(BEYOND_ASCII);
            key.byte(byte);
        }
    }
}
