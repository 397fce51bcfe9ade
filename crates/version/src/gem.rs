//! Versions of RubyGems.
//!
//! Read and ordered as `Gem::Version` does: segments of letters and of digits, letters before
//! digits, and a missing segment is zero. A hyphen stands for a segment `pre`. What surprises: the
//! zeros before the first letters and those at the end do not count (`1.0.0.a` is `1.a`), those in
//! between do.

pub(crate) mod requirement;

use std::cmp::{Ordering, Reverse};

use crate::decimal;
use crate::key::{KeyWriter, NumberLeads};

/// Lead bytes, in the order of what follows: since a missing segment is zero, zeros sort by what
/// comes after them.
const LETTERS: u8 = 0x10;
const ZEROS_THEN_LETTERS: u8 = 0x11;
const END: u8 = 0x12;
const ZEROS_THEN_NUMBER: u8 = 0x13;
const NUMBER: NumberLeads = NumberLeads::between(0x14, 0xff);

/// The segment that a hyphen stands for.
const HYPHEN_SEGMENT: &[u8] = b"pre";

/// A valid version.
#[derive(Clone, Copy)]
pub(crate) struct Version<'a> {
    text: &'a [u8],
}

/// One segment that counts, and the zero segments before it. The derived order is that of
/// `Gem::Version`: since a missing segment is zero, zeros sort by what comes after them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Segment<'a> {
    Letters {
        zeros: usize,
        letters: &'a [u8],
    },
    End,
    /// A number above zero, without leading zeros.
    Number {
        zeros: Reverse<usize>,
        length: usize,
        digits: &'a [u8],
    },
}

/// Gives the segments that count, and [`Segment::End`] ever after.
#[derive(Clone, Copy)]
struct Segments<'a> {
    rest: &'a [u8],
    letters_seen: bool,
}

/// Checks a version as `Gem::Version.correct?` does, but that an empty text is refused.
pub(crate) fn parse(text: &str) -> Result<Version<'_>, &'static str> {
    let text = text.trim_matches(is_space).as_bytes();
    let mut parts = text.splitn(2, |&byte| byte == b'-');
    let mut release = parts.next().unwrap_or_default().split(|&byte| byte == b'.');
    if !release.next().is_some_and(decimal::is_number) {
        return Err("it does not start with a number");
    }
    let is_part = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_alphanumeric);
    if !release.all(is_part) {
        return Err("a part is not of ASCII letters and digits");
    }
    if let Some(prerelease) = parts.next() {
        let is_part = |part: &[u8]| {
            !part.is_empty()
                && part.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
        };
        if !prerelease.split(|&byte| byte == b'.').all(is_part) {
            return Err("a part is not of ASCII letters, digits and hyphens");
        }
    }
    Ok(Version { text })
}

/// What Ruby's `\s` takes for a space.
fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t'..='\r')
}

impl<'a> Version<'a> {
    fn segments(&self) -> Segments<'a> {
        Segments { rest: self.text, letters_seen: false }
    }
}

impl<'a> Segments<'a> {
    fn next(&mut self) -> Segment<'a> {
        let mut zeros = 0;
        loop {
            match *self.rest {
                [] => return Segment::End,
                [b'.', ref rest @ ..] => self.rest = rest,
                [b'-', ref rest @ ..] => {
                    self.rest = rest;
                    return self.letters(zeros, HYPHEN_SEGMENT);
                }
                [b'0'..=b'9', ..] => {
                    let (digits, rest) = decimal::take(self.rest);
                    self.rest = rest;
                    match decimal::trim(digits) {
                        [] => zeros += 1,
                        digits => {
                            let (zeros, length) = (Reverse(zeros), digits.len());
                            return Segment::Number { zeros, length, digits };
                        }
                    }
                }
                _ => {
                    let is_letter = |byte: &&u8| byte.is_ascii_alphabetic();
                    let count = self.rest.iter().take_while(is_letter).count();
                    let (letters, rest) = self.rest.split_at(count);
                    self.rest = rest;
                    return self.letters(zeros, letters);
                }
            }
        }
    }

    fn letters(&mut self, zeros: usize, letters: &'a [u8]) -> Segment<'a> {
        let are_first = !std::mem::replace(&mut self.letters_seen, true);
        Segment::Letters { zeros: if are_first { 0 } else { zeros }, letters }
    }
}

/// Orders two versions.
pub(crate) fn compare(left: &Version<'_>, right: &Version<'_>) -> Ordering {
    let (mut left, mut right) = (left.segments(), right.segments());
    loop {
        let (left, right) = (left.next(), right.next());
        if left != right || left == Segment::End {
            return left.cmp(&right);
        }
    }
}

/// Writes the sort key.
pub(crate) fn write_key(version: &Version<'_>, key: &mut KeyWriter) {
    let mut segments = version.segments();
    loop {
        match segments.next() {
            Segment::Letters { zeros: 0, letters } => {
                key.byte(LETTERS);
                key.text(letters);
            }
            Segment::Letters { zeros, letters } => {
                key.byte(ZEROS_THEN_LETTERS);
                key.count(zeros);
                key.text(letters);
            }
            Segment::Number { zeros: Reverse(0), digits, .. } => key.number(NUMBER, digits),
            Segment::Number { zeros: Reverse(zeros), digits, .. } => {
                key.byte(ZEROS_THEN_NUMBER);
                // Nearly always there are few; the rare long run sorts before them.
                match u8::try_from(zeros) {
                    Ok(few) if few < u8::MAX => key.byte(u8::MAX - few),
                    _ => {
                        key.byte(0);
                        key.count_descending(zeros);
                    }
                }
                key.number(NUMBER, digits);
            }
            Segment::End => {
                key.byte(END);
                return;
            }
        }
    }
}
