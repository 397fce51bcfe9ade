//! Versions of Go modules and of Go itself.
//!
//! Three forms, in one order: module versions (`v1.2.3`, pseudo-versions, `+incompatible`) as
//! golang.org/x/mod/semver orders them; the same without the `v`, as OSV writes them; and Go's own
//! releases (`go1.21rc2`, also `1.21rc2`, since that cannot be a module's version) as go/version
//! orders them. What surprises: `go1.21` is not `go1.21.0` but sorts before `go1.21rc1`, since from
//! Go 1.21 on it names the language. Go's releases are placed among the semantic versions as the
//! Go vulnerability database writes them, `go1.21rc2` as `1.21.0-rc.2`.

use std::cmp::Ordering;

use crate::decimal;
use crate::key::KeyWriter;
use crate::semver::{self, Numbers};

/// The first minor version whose name without a patch is the language, not a release. From
/// `internal/gover`.
const LANGUAGE_MINOR: &[u8] = b"21";

/// A version in its parts.
#[derive(Clone, Copy)]
pub(crate) enum Version<'a> {
    /// A semantic version, or a release of Go that is one in other letters.
    Semantic(semver::Version<'a>),
    /// A pre-release of Go: `go1.21rc2` is 1, 21, `rc`, 2; the last is empty in `go1.21rc`.
    Prerelease { numbers: [&'a [u8]; 2], kind: &'a [u8], number: &'a [u8] },
}

/// Splits a version of any of the three forms.
pub(crate) fn parse(text: &str) -> Result<Version<'_>, &'static str> {
    let bytes = text.as_bytes();
    if let Some(release) = bytes.strip_prefix(b"go") {
        // What a vendor appends (`go1.21.3-fips`) does not count, as in go/version.
        let (release, _) = semver::split_at_byte(release, b'-');
        return parse_release(release).ok_or("it is not a release of Go");
    }
    if let Some(version) = bytes.strip_prefix(b"v") {
        return semver::parse_numbers(version, Numbers::UpToThree).map(Version::Semantic);
    }
    match semver::parse_numbers(bytes, Numbers::UpToThree) {
        Ok(version) => Ok(Version::Semantic(version)),
        Err(problem) => match parse_release(bytes) {
            Some(release @ Version::Prerelease { kind: b"beta" | b"rc", .. }) => Ok(release),
            _ => Err(problem),
        },
    }
}

/// Reads a release of Go as `internal/gover` does, without the `go`.
fn parse_release(text: &[u8]) -> Option<Version<'_>> {
    let semantic = |major, minor, patch, prerelease| {
        Some(Version::Semantic(semver::Version { numbers: [major, minor, patch], prerelease }))
    };
    let (major, rest) = take_number(text)?;
    if rest.is_empty() {
        return semantic(major, b"0", b"0", None);
    }
    let (minor, rest) = take_number(rest.strip_prefix(b".")?)?;
    match rest {
        [] if decimal::compare(minor, LANGUAGE_MINOR) == Ordering::Less => {
            semantic(major, minor, b"0", None)
        }
        [] => semantic(major, minor, b"0", Some(b"")),
        [b'.', rest @ ..] => {
            let (patch, rest) = take_number(rest)?;
            if rest.is_empty() { semantic(major, minor, patch, None) } else { None }
        }
        _ => {
            let count = rest.iter().take_while(|byte| byte.is_ascii_lowercase()).count();
            let (kind, number) = rest.split_at(count);
            let is_number = |number| take_number(number).is_some_and(|(_, rest)| rest.is_empty());
            if kind.is_empty() || !(number.is_empty() || is_number(number)) {
                return None;
            }
            Some(Version::Prerelease { numbers: [major, minor], kind, number })
        }
    }
}

/// Splits off a number without leading zeros.
fn take_number(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (digits, rest) = decimal::take(text);
    let is_plain = !digits.is_empty() && (digits.len() == 1 || digits[0] != b'0');
    is_plain.then_some((digits, rest))
}

/// Orders two versions.
pub(crate) fn compare(left: &Version<'_>, right: &Version<'_>) -> Ordering {
    match (left, right) {
        (Version::Semantic(left), Version::Semantic(right)) => semver::compare(left, right),
        _ => with_semantic(left, |left| with_semantic(right, |right| semver::compare(left, right))),
    }
}

/// Calls `use_it` with the semantic version that stands for this one.
fn with_semantic<T>(version: &Version<'_>, use_it: impl FnOnce(&semver::Version<'_>) -> T) -> T {
    match version {
        Version::Semantic(version) => use_it(version),
        Version::Prerelease { numbers: [major, minor], kind, number } => {
            let mut identifiers = kind.to_vec();
            if !number.is_empty() {
                identifiers.push(b'.');
                identifiers.extend_from_slice(number);
            }
            let numbers = [*major, *minor, b"0"];
            use_it(&semver::Version { numbers, prerelease: Some(&identifiers) })
        }
    }
}

/// Writes the sort key.
pub(crate) fn write_key(version: &Version<'_>, key: &mut KeyWriter) {
    with_semantic(version, |version| semver::write_key(version, key));
}
