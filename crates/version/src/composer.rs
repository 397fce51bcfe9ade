//! Versions of Composer packages (PHP).
//!
//! Read as composer/semver's `VersionParser::normalize` does and ordered as PHP's
//! `version_compare` orders what that gives: numbers, then a stability with its numbers, then
//! `dev`. Branches with a number (`1.2.x-dev`) are the versions 1.2.9999999.9999999-dev. What
//! surprises: numbers at or above 2^63 are equal, since PHP's integers end there; and branches
//! without a number (`dev-main`), which Composer leaves unordered, sort before everything, by name.

pub(crate) mod constraint;

use std::cmp::Ordering;

use crate::decimal;
use crate::key::{KeyWriter, NumberLeads};

/// What `x` stands for in the name of a branch. From composer/semver.
const BRANCH_NUMBER: &[u8] = b"9999999";

/// Where PHP's integers end; larger numbers are read as this.
const NUMBER_MAX: u64 = i64::MAX as u64;

/// How many digits the first number of a version may have, else it is a date. From
/// composer/semver.
const FIRST_DIGITS_MAX: usize = 5;

/// The lead byte of a branch without a number; other lead bytes are [`Token`]s.
const BRANCH: u8 = 0x00;
const WORD_FLOOR: u8 = 0x01;
const END: u8 = 0x07;
const NUMBER: NumberLeads = NumberLeads::between(0x08, 0xfe);
const PATCH: u8 = 0xff;

/// Flags that may follow an `@`.
const STABILITY_FLAGS: [&str; 5] = ["stable", "rc", "beta", "alpha", "dev"];

/// Words before a stability's numbers, longer ones before those that they start with.
const STABILITIES: [(&str, Token); 9] = [
    ("stable", Token::Stable),
    ("beta", Token::Beta),
    ("b", Token::Beta),
    ("rc", Token::Candidate),
    ("alpha", Token::Alpha),
    ("a", Token::Alpha),
    ("patch", Token::Patch),
    ("pl", Token::Patch),
    ("p", Token::Patch),
];

/// What a normalised version consists of. The derived order is that of `version_compare`, in which
/// a version that ends compares like [`Token::End`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Token {
    /// `stable` in another case than lower, a word that `version_compare` does not know.
    Stable,
    Dev,
    Alpha,
    Beta,
    Candidate,
    End,
    Number(u64),
    Patch,
}

/// A version in its parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Version<'a> {
    form: Form<'a>,
    stability: Option<Token>,
    /// The numbers of the stability, separated by dots or hyphens.
    stability_numbers: &'a [u8],
    is_dev: bool,
}

#[derive(Clone, Copy, Debug)]
enum Form<'a> {
    /// A branch without a number, by its name.
    Branch(&'a [u8]),
    /// Four numbers.
    Numbers([&'a [u8]; 4]),
    /// The digits of a date, with separators between some of them.
    Date(&'a [u8]),
}

/// Reads a version as `VersionParser::normalize` does.
pub(crate) fn parse(text: &str) -> Result<Version<'_>, &'static str> {
    let text = strip_flag(strip_alias(text.trim_matches(is_space)));
    if matches!(text, "master" | "trunk" | "default") {
        return Ok(Version::plain(Form::Branch(text.as_bytes())));
    }
    if let Some((prefix, name)) = text.split_at_checked("dev-".len())
        && prefix.eq_ignore_ascii_case("dev-")
    {
        return Ok(Version::plain(Form::Branch(name.as_bytes())));
    }
    let text = strip_build(text).as_bytes();
    parse_numbers(text)
        .or_else(|| parse_date(text))
        .or_else(|| parse_branch(text))
        .ok_or("Composer does not know its form")
}

/// What PHP's `trim` takes for a space.
fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r' | '\0' | '\u{b}')
}

/// `VERSION as ALIAS` is VERSION.
fn strip_alias(text: &str) -> &str {
    let is_word = |text: &str| !text.is_empty() && !text.contains([',', ' ', '\t', '\n', '\r']);
    match text.split_once(' ') {
        Some((version, rest)) if is_word(version) => {
            let alias = rest.trim_start_matches(' ').strip_prefix("as ");
            let alias = alias.map(|alias| alias.trim_start_matches(' '));
            if alias.is_some_and(is_word) { version } else { text }
        }
        _ => text,
    }
}

/// `VERSION@STABILITY` is VERSION.
fn strip_flag(text: &str) -> &str {
    match text.rsplit_once('@') {
        Some((version, flag))
            if STABILITY_FLAGS.iter().any(|known| known.eq_ignore_ascii_case(flag)) =>
        {
            version
        }
        _ => text,
    }
}

/// `VERSION+BUILD` is VERSION, whatever BUILD is made of.
fn strip_build(text: &str) -> &str {
    let is_space = |c: char| matches!(c, ' ' | '\t'..='\r');
    match text.split_once('+') {
        Some((version, build))
            if !version.is_empty()
                && !version.contains(|c| c == ',' || is_space(c))
                && !build.is_empty()
                && !build.contains(is_space) =>
        {
            version
        }
        _ => text,
    }
}

fn strip_v(text: &[u8]) -> &[u8] {
    match text {
        [b'v' | b'V', rest @ ..] => rest,
        _ => text,
    }
}

/// Reads one to four numbers and modifiers.
fn parse_numbers(text: &[u8]) -> Option<Version<'_>> {
    let (first, mut rest) = decimal::take(strip_v(text));
    if first.is_empty() || first.len() > FIRST_DIGITS_MAX {
        return None;
    }
    let mut numbers = [first, b"0", b"0", b"0"];
    for number in &mut numbers[1..] {
        let Some((digits @ [_, ..], after)) = rest.strip_prefix(b".").map(decimal::take) else {
            break;
        };
        (*number, rest) = (digits, after);
    }
    parse_modifiers(Form::Numbers(numbers), rest)
}

/// Reads a date: a year, one to six groups of two digits, and up to two of one to three.
fn parse_date(text: &[u8]) -> Option<Version<'_>> {
    let text = strip_v(text);
    let (year, mut rest) = text.split_at_checked(4)?;
    if !decimal::is_number(year) {
        return None;
    }
    // Where the groups end is open where no separators are: take as many as possible first.
    let mut ends = Vec::with_capacity(6);
    while ends.len() < 6
        && let Some(after) = skip_group(rest, 2)
    {
        ends.push(after);
        rest = after;
    }
    ends.into_iter().rev().find_map(|end| parse_date_end(text, end, 2))
}

/// Reads the last groups of a date, at most so many, and modifiers.
fn parse_date_end<'a>(text: &'a [u8], rest: &'a [u8], groups: usize) -> Option<Version<'a>> {
    let longer = (1..=3)
        .rev()
        .filter(|_| groups > 0)
        .find_map(|digit_count| parse_date_end(text, skip_group(rest, digit_count)?, groups - 1));
    longer.or_else(|| parse_modifiers(Form::Date(&text[..text.len() - rest.len()]), rest))
}

/// Skips an optional separator and so many digits.
fn skip_group(text: &[u8], digit_count: usize) -> Option<&[u8]> {
    let digits = match text {
        [b'.' | b':' | b'-', rest @ ..] => rest,
        _ => text,
    };
    let (group, rest) = digits.split_at_checked(digit_count)?;
    decimal::is_number(group).then_some(rest)
}

/// Reads `[._-]?(STABILITY([.-]?N)*)?([.-]?dev)?` to the end.
fn parse_modifiers<'a>(form: Form<'a>, text: &'a [u8]) -> Option<Version<'a>> {
    let after_separator = match text {
        [b'.' | b'_' | b'-', rest @ ..] => rest,
        _ => text,
    };
    let mut version = Version::plain(form);
    if text.is_empty() {
        return Some(version);
    }
    let stability = STABILITIES.into_iter().find_map(|(word, token)| {
        let (found, rest) = after_separator.split_at_checked(word.len())?;
        found.eq_ignore_ascii_case(word.as_bytes()).then_some((token, found, rest))
    });
    let mut rest = after_separator;
    if let Some((token, word, numbers)) = stability {
        rest = skip_numbers(numbers);
        version.stability_numbers = &numbers[..numbers.len() - rest.len()];
        // In lower case it says nothing, and what follows it is dropped as well.
        if word == b"stable" {
            version.stability_numbers = b"";
        } else {
            version.stability = Some(token);
        }
        version.is_dev = !rest.is_empty() && word != b"stable";
    } else {
        version.is_dev = !rest.is_empty();
    }
    let dev = match rest {
        [b'.' | b'-', dev @ ..] => dev,
        _ => rest,
    };
    (rest.is_empty() || dev.eq_ignore_ascii_case(b"dev")).then_some(version)
}

/// Skips `([.-]?N)*`.
fn skip_numbers(mut text: &[u8]) -> &[u8] {
    loop {
        let digits = match text {
            [b'.' | b'-', rest @ ..] => rest,
            _ => text,
        };
        match decimal::take(digits) {
            ([], _) => return text,
            (_, rest) => text = rest,
        }
    }
}

/// Reads a branch with a number, `1.2.x-dev`.
fn parse_branch(text: &[u8]) -> Option<Version<'_>> {
    let (name, dev) = text.split_at_checked(text.len().checked_sub(3)?)?;
    if !dev.eq_ignore_ascii_case(b"dev") {
        return None;
    }
    let name = match name {
        [rest @ .., b'.' | b'-'] => rest,
        _ => name,
    };
    let name = strip_v(name.trim_ascii());
    let (first, mut rest) = decimal::take(name);
    if first.is_empty() {
        return None;
    }
    let mut numbers = [first, BRANCH_NUMBER, BRANCH_NUMBER, BRANCH_NUMBER];
    for number in &mut numbers[1..] {
        match rest {
            [] => break,
            [b'.', b'x' | b'X' | b'*', after @ ..] => rest = after,
            [b'.', after @ ..] => {
                (*number, rest) = decimal::take(after);
                if number.is_empty() {
                    return None;
                }
            }
            _ => return None,
        }
    }
    rest.is_empty().then(|| Version { is_dev: true, ..Version::plain(Form::Numbers(numbers)) })
}

impl<'a> Version<'a> {
    fn plain(form: Form<'a>) -> Self {
        Self { form, stability: None, stability_numbers: b"", is_dev: false }
    }

    /// The tokens of a version that is no branch.
    fn tokens(&self) -> impl Iterator<Item = Token> {
        let (numbers, date) = match self.form {
            Form::Numbers(numbers) => (Some(numbers), None),
            Form::Date(date) => (None, Some(date)),
            Form::Branch(_) => (None, None),
        };
        let date = date.into_iter().flat_map(|date| date.split(|byte| !byte.is_ascii_digit()));
        let numbers = numbers.into_iter().flatten().chain(date).map(number);
        let stability_numbers = self
            .stability_numbers
            .split(|byte| !byte.is_ascii_digit())
            .filter(|digits| !digits.is_empty())
            .map(number);
        let dev = self.is_dev.then_some(Token::Dev);
        numbers.chain(self.stability).chain(stability_numbers).chain(dev)
    }
}

fn number(digits: &[u8]) -> Token {
    Token::Number(decimal::value(digits).unwrap_or(NUMBER_MAX).min(NUMBER_MAX))
}

/// Orders two versions.
pub(crate) fn compare(left: &Version<'_>, right: &Version<'_>) -> Ordering {
    match (left.form, right.form) {
        (Form::Branch(left), Form::Branch(right)) => return left.cmp(right),
        (Form::Branch(_), _) => return Ordering::Less,
        (_, Form::Branch(_)) => return Ordering::Greater,
        _ => {}
    }
    if let (Form::Numbers(left), Form::Numbers(right)) = (left.form, right.form) {
        let order = left.map(number).cmp(&right.map(number));
        if order != Ordering::Equal {
            return order;
        }
    }
    let (mut left, mut right) = (left.tokens(), right.tokens());
    loop {
        let left = left.next().unwrap_or(Token::End);
        let right = right.next().unwrap_or(Token::End);
        if left != right || left == Token::End {
            return left.cmp(&right);
        }
    }
}

/// Writes the sort key.
pub(crate) fn write_key(version: &Version<'_>, key: &mut KeyWriter) {
    if let Form::Branch(name) = version.form {
        key.byte(BRANCH);
        key.bytes(name);
        return;
    }
    for token in version.tokens() {
        match token {
            Token::Stable => key.byte(WORD_FLOOR),
            Token::Dev => key.byte(WORD_FLOOR + 1),
            Token::Alpha => key.byte(WORD_FLOOR + 2),
            Token::Beta => key.byte(WORD_FLOOR + 3),
            Token::Candidate => key.byte(WORD_FLOOR + 4),
            Token::Number(value) => key.value(NUMBER, value),
            Token::Patch => key.byte(PATCH),
            Token::End => {}
        }
    }
    key.byte(END);
}
