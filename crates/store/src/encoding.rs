//! How values of the domain stand in rows.
//!
//! Words become small numbers that never change their meaning; lists become one text with its items
//! between spaces; ranges become a text a person can read in a database shell, `>=1.0 <1.2.3`.
//! Everything read back is checked: a row may come from a damaged file.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::civil::Date;

use pratique_model::{Ecosystem, NameKind, Range, Severity, Status, Suppression};

use crate::StoreError;

/// What separates items of a list, and the bounds of a range.
const ITEM_END: char = ' ';

/// What separates ranges.
const RANGE_END: char = '|';

/// Stands before two hexadecimal digits of a character that would separate, and alone for an empty
/// item.
const ESCAPE: char = '\\';

/// How many numbers a year has room for, so that a CVE id reads the same as its number.
const CVE_NUMBERS: i64 = 100_000_000;

pub(crate) const fn status_code(status: Status) -> i64 {
    match status {
        Status::Affected => 0,
        Status::Fixed => 1,
        Status::NotAffected => 2,
        Status::WillNotFix => 3,
        Status::FixDeferred => 4,
        Status::EndOfLife => 5,
        Status::UnderInvestigation => 6,
        Status::Undetermined => 7,
    }
}

pub(crate) fn status(code: i64) -> Result<Status, StoreError> {
    Status::ALL
        .into_iter()
        .find(|status| status_code(*status) == code)
        .ok_or_else(|| StoreError::damaged(format!("status {code}")))
}

pub(crate) const fn severity_code(severity: Severity) -> i64 {
    match severity {
        Severity::Unknown => 0,
        Severity::Negligible => 1,
        Severity::Low => 2,
        Severity::Medium => 3,
        Severity::High => 4,
        Severity::Critical => 5,
    }
}

pub(crate) fn severity(code: i64) -> Result<Severity, StoreError> {
    Severity::ALL
        .into_iter()
        .find(|severity| severity_code(*severity) == code)
        .ok_or_else(|| StoreError::damaged(format!("severity {code}")))
}

pub(crate) const fn name_kind_code(kind: NameKind) -> i64 {
    match kind {
        NameKind::Binary => 0,
        NameKind::Source => 1,
        NameKind::Either => 2,
    }
}

pub(crate) fn name_kind(code: i64) -> Result<NameKind, StoreError> {
    match code {
        0 => Ok(NameKind::Binary),
        1 => Ok(NameKind::Source),
        2 => Ok(NameKind::Either),
        _ => Err(StoreError::damaged(format!("kind of name {code}"))),
    }
}

pub(crate) const fn suppression_code(suppression: Suppression) -> i64 {
    match suppression {
        Suppression::NotAffected => 0,
        Suppression::Undetermined => 1,
        Suppression::Unimportant => 2,
        Suppression::Ignored => 3,
        Suppression::Informational => 4,
        Suppression::Withdrawn => 5,
        Suppression::OtherPlatform => 6,
        Suppression::IgnoredStatus => 7,
        Suppression::NoFix => 8,
        Suppression::BelowSeverity => 9,
    }
}

pub(crate) fn suppression(code: i64) -> Result<Suppression, StoreError> {
    Suppression::ALL
        .into_iter()
        .find(|suppression| suppression_code(*suppression) == code)
        .ok_or_else(|| StoreError::damaged(format!("suppression {code}")))
}

pub(crate) fn ecosystem(text: &str) -> Result<Ecosystem, StoreError> {
    text.parse()
        .map_err(|error: pratique_model::UnknownEcosystem| StoreError::damaged(error.to_string()))
}

pub(crate) fn timestamp(microseconds: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(microseconds)
        .map_err(|_| StoreError::damaged(format!("time {microseconds}")))
}

pub(crate) fn date_code(date: Date) -> i64 {
    i64::from(date.year()) * 10_000 + i64::from(date.month()) * 100 + i64::from(date.day())
}

pub(crate) fn date(code: i64) -> Result<Date, StoreError> {
    let date = || {
        let year = i16::try_from(code.div_euclid(10_000)).ok()?;
        let month = i8::try_from(code.rem_euclid(10_000) / 100).ok()?;
        let day = i8::try_from(code.rem_euclid(100)).ok()?;
        Date::new(year, month, day).ok()
    };
    date().ok_or_else(|| StoreError::damaged(format!("date {code}")))
}

/// The number of a CVE id, `None` for other ids and for numbers that are not written canonically
/// (more digits than needed), so that id and number name each other.
pub(crate) fn cve_code(id: &str) -> Option<i64> {
    let year = pratique_model::vulnerability_year(id)?;
    let digits = id.get("CVE-YYYY-".len()..)?;
    if digits.len() > 8 || (digits.len() > 4 && digits.starts_with('0')) {
        return None;
    }
    Some(i64::from(year) * CVE_NUMBERS + digits.parse::<i64>().ok()?)
}

pub(crate) fn cve(code: i64) -> String {
    format!("CVE-{:04}-{:04}", code.div_euclid(CVE_NUMBERS), code.rem_euclid(CVE_NUMBERS))
}

/// One text for a list; `None` for the empty one.
pub(crate) fn list<S: AsRef<str>>(items: &[S]) -> Option<String> {
    if items.is_empty() {
        return None;
    }
    let mut text = String::with_capacity(items.iter().map(|item| item.as_ref().len() + 1).sum());
    for item in items {
        if !text.is_empty() {
            text.push(ITEM_END);
        }
        push_item(&mut text, item.as_ref());
    }
    Some(text)
}

pub(crate) fn items(text: Option<&str>) -> Result<Vec<String>, StoreError> {
    let Some(text) = text else { return Ok(Vec::new()) };
    text.split(ITEM_END).map(|item| item_of(item).map(Cow::into_owned)).collect()
}

/// The text of ranges: `>=` introduced, `<` fixed, `<=` last affected, between spaces; `*` for a
/// range without bounds; `|` between ranges. `None` when there are none.
pub(crate) fn ranges_text(ranges: &[Range]) -> Option<String> {
    if ranges.is_empty() {
        return None;
    }
    let mut text = String::new();
    for range in ranges {
        if !text.is_empty() {
            text.push(RANGE_END);
        }
        let bounds = [(">=", &range.introduced), ("<", &range.fixed), ("<=", &range.last_affected)];
        let mut is_first = true;
        for (operator, version) in bounds {
            let Some(version) = version else { continue };
            if !is_first {
                text.push(ITEM_END);
            }
            is_first = false;
            text.push_str(operator);
            push_item(&mut text, version);
        }
        if is_first {
            text.push('*');
        }
    }
    Some(text)
}

pub(crate) fn ranges(text: Option<&str>) -> Result<Vec<Range>, StoreError> {
    let Some(text) = text else { return Ok(Vec::new()) };
    text.split(RANGE_END).map(range).collect()
}

fn range(text: &str) -> Result<Range, StoreError> {
    let mut range = Range::default();
    if text == "*" {
        return Ok(range);
    }
    for bound in text.split(ITEM_END) {
        let (place, version) = if let Some(version) = bound.strip_prefix(">=") {
            (&mut range.introduced, version)
        } else if let Some(version) = bound.strip_prefix("<=") {
            (&mut range.last_affected, version)
        } else if let Some(version) = bound.strip_prefix('<') {
            (&mut range.fixed, version)
        } else {
            return Err(StoreError::damaged(format!("range {text:?}")));
        };
        *place = Some(item_of(version)?.into_owned());
    }
    Ok(range)
}

fn push_item(text: &mut String, item: &str) {
    if item.is_empty() {
        text.push(ESCAPE);
        return;
    }
    let is_plain = |byte: u8| byte > b' ' && byte != b'|' && byte != b'\\' && byte != b'=';
    if item.bytes().all(is_plain) {
        text.push_str(item);
        return;
    }
    for character in item.chars() {
        match u8::try_from(character) {
            Ok(byte) if !is_plain(byte) => {
                text.push(ESCAPE);
                for digit in [byte >> 4, byte & 15] {
                    text.push(char::from_digit(u32::from(digit), 16).expect("below 16"));
                }
            }
            _ => text.push(character),
        }
    }
}

fn item_of(text: &str) -> Result<Cow<'_, str>, StoreError> {
    let Some((plain, escaped)) = text.split_once(ESCAPE) else { return Ok(Cow::Borrowed(text)) };
    if plain.is_empty() && escaped.is_empty() {
        return Ok(Cow::Borrowed(""));
    }
    let mut item = plain.to_owned();
    for piece in escaped.split(ESCAPE) {
        let byte = piece.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let byte = byte
            .filter(u8::is_ascii)
            .ok_or_else(|| StoreError::damaged(format!("item {text:?}")))?;
        item.push(char::from(byte));
        item.push_str(&piece[2..]);
    }
    Ok(Cow::Owned(item))
}

/// Versions listed by name, each without what it shares with the one before it: lists of hundreds
/// of versions shrink to a third. `None` when there are none.
pub(crate) fn versions_blob(versions: &[String]) -> Option<Vec<u8>> {
    if versions.is_empty() {
        return None;
    }
    let mut blob = Vec::new();
    let mut before: &[u8] = b"";
    for version in versions {
        let bytes = version.as_bytes();
        let shared = before.iter().zip(bytes).take_while(|(left, right)| left == right).count();
        push_number(&mut blob, shared);
        push_number(&mut blob, bytes.len() - shared);
        blob.extend_from_slice(&bytes[shared..]);
        before = bytes;
    }
    Some(blob)
}

pub(crate) fn versions(blob: Option<&[u8]>) -> Result<Vec<String>, StoreError> {
    let mut rest = blob.unwrap_or_default();
    let mut versions: Vec<String> = Vec::new();
    let mut before: Vec<u8> = Vec::new();
    while !rest.is_empty() {
        let version = || -> Option<(Vec<u8>, &[u8])> {
            let (shared, rest) = number(rest)?;
            let (length, rest) = number(rest)?;
            let mut bytes = before.get(..shared)?.to_vec();
            bytes.extend_from_slice(rest.get(..length)?);
            Some((bytes, &rest[length..]))
        };
        let Some((bytes, after)) = version() else {
            return Err(StoreError::damaged("list of versions"));
        };
        rest = after;
        before.clone_from(&bytes);
        versions
            .push(String::from_utf8(bytes).map_err(|_| StoreError::damaged("list of versions"))?);
    }
    Ok(versions)
}

/// Appends a number, seven bits a byte, the lowest first.
pub(crate) fn push_number(bytes: &mut Vec<u8>, mut number: usize) {
    loop {
        let low = u8::try_from(number & 0x7f).expect("seven bits");
        number >>= 7;
        if number == 0 {
            return bytes.push(low);
        }
        bytes.push(low | 0x80);
    }
}

/// Reads a number that [`push_number`] wrote; `None` when the bytes end before it or it is too
/// large.
pub(crate) fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut number = 0_usize;
    for (index, byte) in bytes.iter().enumerate().take(9) {
        number |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((number, &bytes[index + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_survives_a_round_trip() {
        for word in Status::ALL {
            assert_eq!(status(status_code(word)).expect("a status"), word);
        }
        for word in Severity::ALL {
            assert_eq!(severity(severity_code(word)).expect("a severity"), word);
        }
        for word in [NameKind::Binary, NameKind::Source, NameKind::Either] {
            assert_eq!(name_kind(name_kind_code(word)).expect("a kind"), word);
        }
        for word in Suppression::ALL {
            assert_eq!(suppression(suppression_code(word)).expect("a suppression"), word);
        }
        assert!(status(8).is_err() && severity(-1).is_err() && name_kind(3).is_err());
    }

    #[test]
    fn canonical_cve_ids_and_their_numbers_name_each_other() {
        for (id, number) in [
            ("CVE-2021-44228", 202_100_044_228),
            ("CVE-1999-0001", 199_900_000_001),
            ("CVE-2026-1234567", 202_601_234_567),
        ] {
            assert_eq!(cve_code(id), Some(number), "{id}");
            assert_eq!(cve(number), id);
        }
        for id in ["CVE-2021-012345", "CVE-2021-123456789", "GHSA-abcd", "CVE-2021-12", ""] {
            assert_eq!(cve_code(id), None, "{id}");
        }
    }

    #[test]
    fn lists_keep_every_character() {
        for list_of in [
            vec![],
            vec![""],
            vec!["", "a", ""],
            vec!["a b", "c|d", "e\\f", "g=h", "\n\u{7f}", "ü → 漢"],
        ] {
            let text = list(&list_of);
            assert_eq!(items(text.as_deref()).expect("readable"), list_of, "{text:?}");
        }
        assert!(items(Some("a\\zz")).is_err());
        assert!(items(Some("a\\2")).is_err());
        assert!(items(Some("a\\2ü")).is_err());
    }

    #[test]
    fn ranges_are_readable_and_survive_a_round_trip() {
        let version = |text: &str| Some(text.to_owned());
        let cases = [
            (Range::below("1.2.3"), "<1.2.3"),
            (Range::default(), "*"),
            (
                Range { introduced: version("1.0"), fixed: version("2 0"), last_affected: None },
                ">=1.0 <2\\200",
            ),
            (
                Range { introduced: version(""), last_affected: version("=1"), fixed: None },
                ">=\\ <=\\3d1",
            ),
            (Range::below("=1"), "<\\3d1"),
        ];
        for (range, text) in &cases {
            let found = ranges_text(std::slice::from_ref(range)).expect("a text");
            assert_eq!(&found, text);
            assert_eq!(ranges(Some(text)).expect("readable"), std::slice::from_ref(range));
        }
        let all: Vec<Range> = cases.into_iter().map(|(range, _)| range).collect();
        assert_eq!(ranges(ranges_text(&all).as_deref()).expect("readable"), all);
        assert!(ranges(Some("1.0")).is_err());
        assert!(ranges(Some("")).is_err());
    }

    #[test]
    fn listed_versions_survive_and_a_damaged_list_is_an_error() {
        let list: Vec<String> =
            ["1.0.0", "1.0.1", "1.0.10", "", "2", "ü", "û"].map(str::to_owned).into();
        let blob = versions_blob(&list).expect("a blob");
        assert_eq!(versions(Some(&blob)).expect("readable"), list);
        for cut in 1..blob.len() {
            if let Ok(short) = versions(Some(&blob[..cut])) {
                assert!(short.len() < list.len(), "cut at {cut}");
            }
        }
        assert!(versions(Some(&[5, 1, b'a'])).is_err());
        assert!(versions(Some(&[0xff; 20])).is_err());
        assert_eq!(versions(None).expect("empty"), Vec::<String>::new());
    }

    #[test]
    fn dates_survive_a_round_trip() {
        let day = Date::new(2026, 8, 16).expect("a date");
        assert_eq!(date_code(day), 20_260_816);
        assert_eq!(date(20_260_816).expect("a date"), day);
        assert!(date(20_261_316).is_err());
        assert!(date(i64::MAX).is_err());
    }
}
