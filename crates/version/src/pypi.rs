//! Versions of Python packages (PEP 440).
//!
//! `[N!]N(.N)*[{a|b|rc}N][.postN][.devN][+local]` in all the spellings that PyPI's `packaging`
//! takes, and in its order; numbers of any size. Legacy versions are refused, as `packaging` does
//! since 22. What surprises: a development release without a pre-release (`1.0.dev1`) sorts before
//! all pre-releases of `1.0`, and a local version after the same version without.

pub(crate) mod specifier;

use std::cmp::Ordering;

use crate::decimal;
use crate::key::{KeyWriter, NumberLeads};

const EPOCH: NumberLeads = NumberLeads::between(0, u8::MAX);

/// After the epoch: the numbers of the release, ended by its [`Phase`], which sorts before them.
const RELEASE: NumberLeads = NumberLeads::between(0x10, u8::MAX);

/// After the phase and its number: a development release, nothing, or a post-release.
const DEV: u8 = 0x01;
const NO_SUFFIX: u8 = 0x02;
const POST: u8 = 0x03;

/// Parts of the local version; none at all is the shorter key, which sorts first.
const LOCAL_TEXT: u8 = 0x01;
const LOCAL_NUMBER: NumberLeads = NumberLeads::between(0x02, u8::MAX);

const NUMBER: NumberLeads = NumberLeads::between(0, u8::MAX);

/// Spellings of pre-releases, longer ones before those that they start with.
const PHASE_NAMES: [(&str, Phase); 8] = [
    ("alpha", Phase::Alpha),
    ("a", Phase::Alpha),
    ("beta", Phase::Beta),
    ("b", Phase::Beta),
    ("preview", Phase::Candidate),
    ("pre", Phase::Candidate),
    ("c", Phase::Candidate),
    ("rc", Phase::Candidate),
];

/// How far a version is on its way to the release. The order is that of PEP 440.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// A development release of no pre-release.
    Development,
    /// `a`.
    Alpha,
    /// `b`.
    Beta,
    /// `rc`.
    Candidate,
    /// No pre-release.
    Final,
}

/// A version in its parts; numbers are digits, possibly with leading zeros, possibly none for zero.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Version<'a> {
    pub(crate) epoch: &'a [u8],
    /// The numbers of the release, separated by dots.
    pub(crate) release: &'a [u8],
    /// The pre-release; [`Phase::Final`] and [`Phase::Development`] have no number.
    pub(crate) phase: Phase,
    pub(crate) phase_number: &'a [u8],
    pub(crate) post: Option<&'a [u8]>,
    pub(crate) dev: Option<&'a [u8]>,
    pub(crate) local: Option<&'a [u8]>,
}

/// Splits a version as `packaging.version.Version` does.
pub(crate) fn parse(text: &str) -> Result<Version<'_>, &'static str> {
    let text = text.trim_matches(is_space).as_bytes();
    let text = text.strip_prefix(b"v").or_else(|| text.strip_prefix(b"V")).unwrap_or(text);
    let (digits, rest) = decimal::take(text);
    let (epoch, text) = match rest {
        [b'!', rest @ ..] if !digits.is_empty() => (digits, rest),
        _ => (&b""[..], text),
    };
    let (release, rest) = take_release(text).ok_or("it does not start with a number")?;
    let (phase, phase_number, rest) = take_phase(rest);
    let (post, rest) = take_post(rest);
    let (dev, rest) = take_suffix(rest, "dev");
    let local = match rest {
        [] => None,
        [b'+', local @ ..] if is_local(local) => Some(local),
        [b'+', ..] => return Err("the local version is not letters and digits"),
        _ => return Err("it does not follow PEP 440"),
    };
    let phase = match (phase, post, dev) {
        (Phase::Final, None, Some(_)) => Phase::Development,
        _ => phase,
    };
    Ok(Version { epoch, release, phase, phase_number, post, dev, local })
}

/// What Python's `\s` takes for a space.
pub(crate) fn is_space(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\u{1c}'..='\u{1f}')
}

/// Splits off numbers separated by dots.
fn take_release(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (first, mut rest) = decimal::take(text);
    if first.is_empty() {
        return None;
    }
    while let [b'.', after @ ..] = rest {
        let (number, after) = decimal::take(after);
        if number.is_empty() {
            break;
        }
        rest = after;
    }
    Some((&text[..text.len() - rest.len()], rest))
}

fn take_phase(text: &[u8]) -> (Phase, &[u8], &[u8]) {
    if text.is_empty() {
        return (Phase::Final, b"", text);
    }
    for (name, phase) in PHASE_NAMES {
        if let (Some(number), rest) = take_suffix(text, name) {
            return (phase, number, rest);
        }
    }
    (Phase::Final, b"", text)
}

fn take_post(text: &[u8]) -> (Option<&[u8]>, &[u8]) {
    if text.is_empty() {
        return (None, text);
    }
    // The implicit form `1.0-1`.
    if let [b'-', rest @ ..] = text
        && let (number @ [_, ..], rest) = decimal::take(rest)
    {
        return (Some(number), rest);
    }
    for name in ["post", "rev", "r"] {
        if let (Some(number), rest) = take_suffix(text, name) {
            return (Some(number), rest);
        }
    }
    (None, text)
}

/// Splits off `[._-]NAME[._-]N`, where all but the name may be missing.
fn take_suffix<'a>(text: &'a [u8], name: &str) -> (Option<&'a [u8]>, &'a [u8]) {
    let after_separator = skip_separator(text);
    match after_separator.split_at_checked(name.len()) {
        Some((found, rest)) if found.eq_ignore_ascii_case(name.as_bytes()) => {
            let (number, rest) = decimal::take(skip_separator(rest));
            (Some(number), rest)
        }
        _ => (None, text),
    }
}

fn skip_separator(text: &[u8]) -> &[u8] {
    match text {
        [b'.' | b'-' | b'_', rest @ ..] => rest,
        _ => text,
    }
}

/// Whether the text is parts of letters and digits, separated by `.`, `-` or `_`.
fn is_local(text: &[u8]) -> bool {
    local_parts(text).all(|part| !part.is_empty() && part.iter().all(u8::is_ascii_alphanumeric))
}

fn local_parts(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| matches!(byte, b'.' | b'-' | b'_'))
}

impl<'a> Version<'a> {
    /// The numbers of the release, without the zeros at its end.
    pub(crate) fn release_numbers(&self) -> impl Iterator<Item = &'a [u8]> {
        let significant = self.release.iter().rposition(|byte| matches!(byte, b'1'..=b'9'));
        // The last number that is not zero may go on with zeros (`1.10.0`).
        let kept = significant.map_or(0, |index| {
            let digits = self.release[index..].iter().take_while(|&&byte| byte != b'.').count();
            index + digits
        });
        self.release[..kept].split(|&byte| byte == b'.')
    }
}

/// Orders two versions.
pub(crate) fn compare(left: &Version<'_>, right: &Version<'_>) -> Ordering {
    compare_public(left, right).then_with(|| match (left.local, right.local) {
        (Some(left), Some(right)) => compare_local(left, right),
        (left, right) => left.is_some().cmp(&right.is_some()),
    })
}

/// Orders two versions without their local parts.
pub(crate) fn compare_public(left: &Version<'_>, right: &Version<'_>) -> Ordering {
    decimal::compare(left.epoch, right.epoch)
        .then_with(|| compare_release(left, right))
        .then_with(|| left.phase.cmp(&right.phase))
        .then_with(|| decimal::compare(left.phase_number, right.phase_number))
        .then_with(|| match (left.post, right.post) {
            (Some(left), Some(right)) => decimal::compare(left, right),
            (left, right) => left.is_some().cmp(&right.is_some()),
        })
        .then_with(|| match (left.dev, right.dev) {
            (Some(left), Some(right)) => decimal::compare(left, right),
            (left, right) => left.is_none().cmp(&right.is_none()),
        })
}

/// Orders by the numbers of the release; zeros at the end do not count.
pub(crate) fn compare_release(left: &Version<'_>, right: &Version<'_>) -> Ordering {
    let (mut left, mut right) =
        (left.release.split(|&byte| byte == b'.'), right.release.split(|&byte| byte == b'.'));
    loop {
        let (left, right) = (left.next(), right.next());
        if left.is_none() && right.is_none() {
            return Ordering::Equal;
        }
        let order = decimal::compare(left.unwrap_or_default(), right.unwrap_or_default());
        if order != Ordering::Equal {
            return order;
        }
    }
}

fn compare_local(left: &[u8], right: &[u8]) -> Ordering {
    let (mut left, mut right) = (local_parts(left), local_parts(right));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (Some(left), Some(right)) => compare_local_part(left, right),
            (left, right) => left.is_some().cmp(&right.is_some()),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

fn compare_local_part(left: &[u8], right: &[u8]) -> Ordering {
    match (decimal::is_number(left), decimal::is_number(right)) {
        (true, true) => decimal::compare(left, right),
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => {
            let left = left.iter().map(u8::to_ascii_lowercase);
            left.cmp(right.iter().map(u8::to_ascii_lowercase))
        }
    }
}

/// Writes the sort key.
pub(crate) fn write_key(version: &Version<'_>, key: &mut KeyWriter) {
    key.number(EPOCH, version.epoch);
    for number in version.release_numbers() {
        key.number(RELEASE, number);
    }
    key.byte(version.phase as u8);
    if !matches!(version.phase, Phase::Final | Phase::Development) {
        key.number(NUMBER, version.phase_number);
    }
    if let Some(post) = version.post {
        key.byte(POST);
        key.number(NUMBER, post);
    }
    match version.dev {
        Some(dev) => {
            key.byte(DEV);
            key.number(NUMBER, dev);
        }
        None => key.byte(NO_SUFFIX),
    }
    for part in version.local.into_iter().flat_map(local_parts) {
        if decimal::is_number(part) {
            key.number(LOCAL_NUMBER, part);
        } else {
            key.byte(LOCAL_TEXT);
            key.text(&part.to_ascii_lowercase());
        }
    }
}
