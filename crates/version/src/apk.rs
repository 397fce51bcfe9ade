//! Versions of apk-tools: `digits{.digits}[letter]{_suffix[number]}[-r#]`.
//!
//! Read and ordered as apk-tools 2.14 does (`src/version.c`): a version is a row of tokens, each
//! with a number for its value, and the first differing value decides, then the kind of the token
//! that follows. What surprises: the tokenizer takes more than the format above (`1_p_p`,
//! `1-r1-r2`, `.5`, `1.`), a component with leading zeros sorts before every other one, and a run
//! of 18 digits or more is refused.

use std::cmp::Ordering;

use crate::decimal;
use crate::key::{KeyWriter, NumberLeads};

/// Runs of this many digits are refused. From `get_token` in apk-tools.
const DIGITS_REFUSED: usize = 18;

/// Suffixes before a release, then those after it, each in its order. An earlier name is tried
/// first, so that `_pre` is not read as `_p`.
const SUFFIXES: [(&[u8], i8); 9] = [
    (b"alpha", -4),
    (b"beta", -3),
    (b"pre", -2),
    (b"rc", -1),
    (b"cvs", 0),
    (b"svn", 1),
    (b"git", 2),
    (b"hg", 3),
    (b"p", 4),
];

/// A token's lead byte is its [`Kind`]; of a component, the last kind, it is part of the value. The
/// more leading zeros a component has, the earlier it sorts.
const LEADING_ZEROS: u8 = Kind::Component as u8;
const COMPONENT: NumberLeads = NumberLeads::between(LEADING_ZEROS + 1, u8::MAX);

/// Numbers at the start and after the lead byte of other kinds.
const NUMBER: NumberLeads = NumberLeads::between(0, u8::MAX - 1);

/// What a token is. The order is that of apk for what follows an equal beginning: the end sorts
/// before all but the suffixes of pre-releases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    PreSuffix,
    End,
    Revision,
    SuffixNumber,
    PostSuffix,
    Letter,
    /// A number that is not the first digit after a dot.
    Digits,
    /// The start of a component after a dot: its leading zeros, or all of it when there are none.
    Component,
}

/// A valid version.
#[derive(Clone, Copy)]
pub(crate) struct Version<'a> {
    text: &'a [u8],
}

/// Reads the tokens of a version one by one.
#[derive(Clone, Copy)]
struct Tokens<'a> {
    rest: &'a [u8],
    /// What the rest starts with.
    kind: Kind,
}

/// Checks a version as `apk version --check` does.
pub(crate) fn parse(text: &str) -> Result<Version<'_>, &'static str> {
    let version = Version { text: text.as_bytes() };
    let mut tokens = version.tokens();
    while tokens.kind != Kind::End {
        tokens.next_value()?;
    }
    Ok(version)
}

/// Orders two versions.
pub(crate) fn compare(left: &Version<'_>, right: &Version<'_>) -> Ordering {
    compare_unchecked(left.text, right.text).expect("both were checked by parse")
}

/// Checks and orders two versions in one go; `None` if one of them is none.
pub(crate) fn compare_unchecked(left: &[u8], right: &[u8]) -> Option<Ordering> {
    let mut left = Version { text: left }.tokens();
    let mut right = Version { text: right }.tokens();
    let mut order = Ordering::Equal;
    while order.is_eq() && left.kind != Kind::End {
        order = left.next_value().ok()?.cmp(&right.next_value().ok()?);
        order = order.then_with(|| left.kind.cmp(&right.kind));
    }
    // What follows the first difference must be valid too.
    for tokens in [&mut left, &mut right] {
        while tokens.kind != Kind::End {
            tokens.next_value().ok()?;
        }
    }
    Some(order)
}

impl<'a> Version<'a> {
    fn tokens(&self) -> Tokens<'a> {
        Tokens { rest: self.text, kind: Kind::Digits }
    }
}

impl Tokens<'_> {
    /// The value of the next token of a version that was found valid.
    fn valid_value(&mut self) -> i64 {
        self.next_value().expect("the version was checked by parse")
    }

    /// Takes the next token and gives its value.
    fn next_value(&mut self) -> Result<i64, &'static str> {
        match self.kind {
            Kind::End => Ok(0),
            // What introduces a token may be the last of the text; the token then counts as zero.
            _ if self.rest.is_empty() => {
                self.kind = Kind::End;
                Ok(0)
            }
            // The last zero stays, to be the next token or its first digit.
            Kind::Component if self.rest.first() == Some(&b'0') => {
                let zeros = self.rest.iter().skip(1).take_while(|&&byte| byte == b'0').count();
                self.rest = &self.rest[zeros..];
                self.kind = Kind::Digits;
                Ok(-i64::try_from(zeros).expect("texts are shorter than VERSION_BYTES_MAX"))
            }
            Kind::Component | Kind::Digits | Kind::SuffixNumber | Kind::Revision => {
                let (digits, rest) = decimal::take(self.rest);
                if digits.len() >= DIGITS_REFUSED {
                    return Err("a number has more than 17 digits");
                }
                let add = |value: i64, byte: &u8| value * 10 + i64::from(byte - b'0');
                let value = digits.iter().fold(0, add);
                self.rest = rest;
                self.find_kind()?;
                Ok(value)
            }
            Kind::Letter => {
                let letter = self.rest[0];
                self.rest = &self.rest[1..];
                self.find_kind()?;
                Ok(i64::from(letter))
            }
            Kind::PreSuffix | Kind::PostSuffix => {
                let (name, value) = find_suffix(self.rest).ok_or("it has an unknown suffix")?;
                self.rest = &self.rest[name.len()..];
                self.find_kind()?;
                Ok(i64::from(value))
            }
        }
    }

    /// Says what the rest starts with, after a token of the kind [`Self::kind`], and drops what
    /// introduces it.
    fn find_kind(&mut self) -> Result<(), &'static str> {
        let after = self.kind;
        let after_suffix = matches!(after, Kind::PreSuffix | Kind::PostSuffix);
        let after_number = matches!(after, Kind::Component | Kind::Digits);
        let (kind, rest) = match self.rest {
            [] => (Kind::End, self.rest),
            [b'a'..=b'z', ..] if after_number => (Kind::Letter, self.rest),
            [b'0'..=b'9', ..] if after == Kind::Letter => (Kind::Digits, self.rest),
            [b'0'..=b'9', ..] if after_suffix => (Kind::SuffixNumber, self.rest),
            [b'.', rest @ ..] if after_number => (Kind::Component, rest),
            [b'_', rest @ ..] if after != Kind::Revision => {
                let (_, value) = find_suffix(rest).ok_or("it has an unknown suffix")?;
                (if value < 0 { Kind::PreSuffix } else { Kind::PostSuffix }, rest)
            }
            [b'-', b'r', rest @ ..] => (Kind::Revision, rest),
            _ => return Err("a character stands where apk allows none"),
        };
        (self.kind, self.rest) = (kind, rest);
        Ok(())
    }
}

/// The suffix that the text starts with, and its value; nothing at all has the value zero.
fn find_suffix(text: &[u8]) -> Option<(&'static [u8], i8)> {
    if text.is_empty() {
        return Some((b"", 0));
    }
    SUFFIXES.into_iter().find(|(name, _)| text.starts_with(name))
}

/// Writes the sort key.
pub(crate) fn write_key(version: &Version<'_>, key: &mut KeyWriter) {
    let mut tokens = version.tokens();
    key.value(NUMBER, u64::try_from(tokens.valid_value()).expect("only components are negative"));
    loop {
        let kind = tokens.kind;
        let value = tokens.valid_value();
        match kind {
            Kind::PreSuffix | Kind::PostSuffix | Kind::Letter => {
                key.byte(kind as u8);
                key.byte(u8::try_from(value + 5).expect("letters and suffixes are small"));
            }
            Kind::Component => match u64::try_from(value) {
                Ok(value) => key.value(COMPONENT, value),
                Err(_) => {
                    key.byte(LEADING_ZEROS);
                    key.count_descending(usize::try_from(-value).expect("a count of bytes"));
                }
            },
            Kind::Digits | Kind::SuffixNumber | Kind::Revision => {
                key.byte(kind as u8);
                key.value(NUMBER, u64::try_from(value).expect("only components are negative"));
            }
            Kind::End => {
                key.byte(kind as u8);
                return;
            }
        }
    }
}
