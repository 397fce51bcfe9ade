//! Durations and sizes as people write them on a command line: `6h`, `64MiB`.

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Reads a duration: a whole number and one of `s`, `m`, `h`, `d`, `w`; `0` needs no unit.
///
/// # Errors
/// A message that names the text and the units.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let error = || format!("{text:?} is no duration; write 30s, 15m, 6h, 7d or 2w");
    let (number, unit) = split(text).ok_or_else(error)?;
    let seconds: u64 = match unit {
        "" if number == 0 => 1,
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err(error()),
    };
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(error)
}

/// Reads a size in bytes: a whole number and one of `B`, `KiB`, `MiB`, `GiB`, `TiB`, or none.
///
/// # Errors
/// A message that names the text and the units.
pub(crate) fn size_bytes(text: &str) -> Result<u64, String> {
    let error = || format!("{text:?} is no size; write 4096, 64KiB, 256MiB, 4GiB or 1TiB");
    let (number, unit) = split(text).ok_or_else(error)?;
    let factor: u64 = match unit {
        "" | "B" => 1,
        "KiB" | "K" => 1 << 10,
        "MiB" | "M" => 1 << 20,
        "GiB" | "G" => 1 << 30,
        "TiB" | "T" => 1 << 40,
        _ => return Err(error()),
    };
    number.checked_mul(factor).ok_or_else(error)
}

/// Reads a point in time: RFC 3339, a date (its start in UTC), or a duration before `now`.
///
/// # Errors
/// A message that names the text and the forms.
pub(crate) fn time(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    if let Ok(date) = text.parse::<Date>()
        && let Ok(start) = date.to_zoned(TimeZone::UTC)
    {
        return Ok(start.timestamp());
    }
    let ago = duration(text).ok().and_then(|ago| SignedDuration::try_from(ago).ok());
    ago.and_then(|ago| now.checked_sub(ago).ok()).ok_or_else(|| {
        format!("{text:?} is no time; write 2026-11-20, 2026-11-20T08:00:00Z, 6h or 7d")
    })
}

/// A size in the unit that keeps it readable: `812 B`, `4.2 MiB`.
pub(crate) fn size_words(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // Three digits are shown, so what is lost here is not.
    #[allow(clippy::cast_precision_loss)]
    let mut size = bytes as f64 / 1024.0;
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        if size < 1024.0 {
            break;
        }
        size /= 1024.0;
        unit = larger;
    }
    format!("{size:.1} {unit}")
}

/// A duration in the largest unit that keeps it readable: `6 hours`, `3 days`.
pub(crate) fn age_words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (number, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

fn split(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    Some((digits.parse().ok()?, unit.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_wrong_ones_named() {
        for (text, seconds) in [("0", 0), ("30s", 30), ("6h", 21_600), (" 2 w", 1_209_600)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "6", "h", "-1h", "6 hours", "1.5h", "99999999999999999w"] {
            let message = duration(text).expect_err(text);
            assert!(message.contains(&format!("{text:?}")), "{message}");
        }
    }

    #[test]
    fn sizes_are_read_and_wrong_ones_named() {
        for (text, bytes) in [("4096", 4_096), ("64KiB", 65_536), ("1 GiB", 1 << 30)] {
            assert_eq!(size_bytes(text), Ok(bytes), "{text}");
        }
        for text in ["", "MiB", "-1", "1.5GiB", "1XB", "99999999TiB"] {
            assert!(size_bytes(text).is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn times_are_read_and_wrong_ones_named() {
        let now: Timestamp = "2026-11-21T05:00:00Z".parse().expect("a time");
        for (text, at) in [
            ("2026-11-20", "2026-11-20T00:00:00Z"),
            ("2026-11-20T08:00:00+02:00", "2026-11-20T06:00:00Z"),
            ("2d", "2026-11-19T05:00:00Z"),
        ] {
            assert_eq!(time(text, now).map(|at| at.to_string()), Ok(at.to_owned()), "{text}");
        }
        for text in ["", "yesterday", "2026-13-01", "99999999999w"] {
            assert!(time(text, now).is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn sizes_are_told_in_one_unit() {
        for (bytes, words) in [(812, "812 B"), (2_048, "2.0 KiB"), (5 << 30, "5.0 GiB")] {
            assert_eq!(size_words(bytes), words);
        }
    }

    #[test]
    fn ages_are_told_in_one_unit() {
        for (seconds, words) in [(1, "1 second"), (7_200, "2 hours"), (200_000, "2 days")] {
            assert_eq!(age_words(Duration::from_secs(seconds)), words);
        }
    }
}
