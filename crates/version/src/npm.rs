//! Versions of npm packages, as node-semver reads them when it is not told to be loose.
//!
//! Semantic versions, with a `v` and spaces around allowed, at most 256 characters, and release
//! numbers that a JavaScript number holds exactly. What surprises: numeric pre-release identifiers
//! are compared as JavaScript numbers, so that two above 2^53 can be equal though their digits
//! differ. node-semver then ignores the identifiers after them; we go on, else the order would not
//! be one (docs/versions.md).

pub(crate) mod range;

use std::cmp::Ordering;

use crate::decimal;
use crate::key::KeyWriter;
use crate::semver::{self, LeadingZeros, NUMERIC_IDENTIFIER, Numbers, Version};

/// The longest text taken, in UTF-16 units. `MAX_LENGTH` in node-semver's `constants.js`.
const LENGTH_MAX: usize = 256;

/// The largest release number: `Number.MAX_SAFE_INTEGER`.
pub(crate) const NUMBER_MAX: u64 = (1 << 53) - 1;

/// Splits a version as `new SemVer(text)` does.
pub(crate) fn parse(text: &str) -> Result<Version<'_>, &'static str> {
    let text = trimmed(text)?;
    let text = text.strip_prefix('v').unwrap_or(text);
    checked(semver::parse_numbers(text.as_bytes(), Numbers::Three)?)
}

/// Splits a version as `new SemVer(text, {loose: true})` does: any of `v`, `=` and spaces before
/// it, leading zeros, and a pre-release that no hyphen introduces.
pub(crate) fn parse_loose(text: &str) -> Result<Version<'_>, &'static str> {
    let text = trimmed(text)?;
    let text = text.trim_start_matches(|c| matches!(c, 'v' | '=') || is_space(c));
    checked(split_loose(text.as_bytes()).ok_or("it is not a version, even a loose one")?)
}

fn split_loose(text: &[u8]) -> Option<Version<'_>> {
    let mut numbers = [&b""[..]; 3];
    let mut rest = text;
    for (index, number) in numbers.iter_mut().enumerate() {
        if index > 0 {
            rest = rest.strip_prefix(b".")?;
        }
        (*number, rest) = decimal::take(rest);
        if number.is_empty() {
            return None;
        }
    }
    // What a regular expression gives back: `1.2.10.x` is 1.2.1 with the identifiers `0.x`.
    if rest.starts_with(b".") && numbers[2].len() > 1 {
        let (patch, _) = numbers[2].split_at(numbers[2].len() - 1);
        numbers[2] = patch;
        rest = &text[text.len() - rest.len() - 1..];
    }
    let (rest, build) = semver::split_at_byte(rest, b'+');
    if build.is_some_and(|build| !semver::are_identifiers(build, LeadingZeros::Allowed)) {
        return None;
    }
    let identifiers = match rest {
        [] => return Some(Version { numbers, prerelease: None }),
        // The hyphen may also belong to the first identifier, if it would be empty else.
        [b'-', identifiers @ ..] if !matches!(identifiers, [] | [b'.', ..]) => identifiers,
        identifiers => identifiers,
    };
    semver::are_identifiers(identifiers, LeadingZeros::Allowed)
        .then_some(Version { numbers, prerelease: Some(identifiers) })
}

fn trimmed(text: &str) -> Result<&str, &'static str> {
    if text.len() > LENGTH_MAX && text.encode_utf16().count() > LENGTH_MAX {
        return Err("it is longer than 256 characters");
    }
    Ok(text.trim_matches(is_space))
}

/// What JavaScript takes for a space.
pub(crate) fn is_space(character: char) -> bool {
    character == '\u{feff}' || (character.is_whitespace() && character != '\u{85}')
}

fn checked(version: Version<'_>) -> Result<Version<'_>, &'static str> {
    let is_safe = |number: &&[u8]| decimal::value(number).is_some_and(|value| value <= NUMBER_MAX);
    if version.numbers.iter().all(is_safe) {
        Ok(version)
    } else {
        Err("a number is above 2^53 - 1")
    }
}

/// Orders two versions.
pub(crate) fn compare(left: &Version<'_>, right: &Version<'_>) -> Ordering {
    semver::compare_with(left, right, compare_numbers)
}

/// Orders two numbers by the JavaScript numbers next to them.
fn compare_numbers(left: &[u8], right: &[u8]) -> Ordering {
    rounded(left).cmp(&rounded(right))
}

/// The bits of the nearest `f64`: of numbers that are not negative they sort as the numbers do.
fn rounded(digits: &[u8]) -> u64 {
    if let Some(value) = decimal::value(digits)
        && value <= NUMBER_MAX
    {
        return value;
    }
    let digits = std::str::from_utf8(digits).expect("digits are ASCII");
    // Above NUMBER_MAX the exponent alone makes the bits larger than any exact value.
    digits.parse::<f64>().expect("digits are a number").to_bits()
}

/// Writes the sort key.
pub(crate) fn write_key(version: &Version<'_>, key: &mut KeyWriter) {
    semver::write_key_with(version, key, |key, digits| {
        key.value(NUMERIC_IDENTIFIER, rounded(digits));
    });
}
