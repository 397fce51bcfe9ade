//! What is remembered of a body, so that the same one is not read twice.

use std::fmt::{self, Write as _};
use std::str::FromStr;
use std::time::SystemTime;

use jiff::Timestamp;

/// How long an `ETag` or a date may be, in bytes; longer ones are not remembered.
const HEADER_BYTES_MAX: usize = 1024;

/// What tells one version of a file from another. Its text form is for the store:
/// `sha256 …`, `etag …`, `last-modified …`, one to a line, missing ones left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint {
    /// The SHA-256 of the file as it was published (packed, if it is).
    pub sha256: Option<[u8; 32]>,
    /// The server's `ETag`, as sent.
    pub etag: Option<String>,
    /// The server's `Last-Modified`, as sent.
    pub last_modified: Option<String>,
}

/// A text that is no fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("fingerprint line {0:?}: expected `sha256`, `etag` or `last-modified` and a value")]
pub struct FingerprintError(
    /// The line, at most 200 characters.
    pub String,
);

/// A time as HTTP writes it, `Sun, 16 Aug 2026 12:55:00 GMT`.
pub(crate) fn http_date(time: SystemTime) -> Option<String> {
    let time = Timestamp::try_from(time).ok()?;
    jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&time).ok()
}

impl Fingerprint {
    /// When the publisher last changed the file, as the server said, or the file system of a
    /// `file://` mirror; `None` when nobody said it in the form of HTTP.
    pub fn modified(&self) -> Option<Timestamp> {
        let text = self.last_modified.as_deref()?;
        jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
    }

    /// The SHA-256 as 64 hexadecimal digits, if it is known.
    pub fn sha256_hex(&self) -> Option<String> {
        self.sha256.as_ref().map(hex)
    }

    /// A header as it is remembered: printable, of bearable length, not empty.
    pub(crate) fn header(value: Option<&str>) -> Option<String> {
        let value = value?.trim();
        let is_printable = value.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        (is_printable && !value.is_empty() && value.len() <= HEADER_BYTES_MAX)
            .then(|| value.to_owned())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = [
            ("sha256", self.sha256_hex()),
            ("etag", self.etag.clone()),
            ("last-modified", self.last_modified.clone()),
        ];
        let mut separator = "";
        for (name, value) in lines {
            if let Some(value) = value {
                write!(f, "{separator}{name} {value}")?;
                separator = "\n";
            }
        }
        Ok(())
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut fingerprint = Self::default();
        for line in text.lines() {
            let error = || FingerprintError(line.chars().take(200).collect());
            let (name, value) = line.split_once(' ').ok_or_else(error)?;
            match name {
                "sha256" => fingerprint.sha256 = Some(from_hex(value).ok_or_else(error)?),
                "etag" => fingerprint.etag = Self::header(Some(value)),
                "last-modified" => fingerprint.last_modified = Self::header(Some(value)),
                _ => return Err(error()),
            }
        }
        Ok(fingerprint)
    }
}

fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0_u8; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let digit = |index: usize| char::from(*pair.get(index)?).to_digit(16);
        *byte = u8::try_from(digit(0)? << 4 | digit(1)?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_survives_a_round_trip() {
        for fingerprint in [
            Fingerprint::default(),
            Fingerprint { sha256: Some([0xa5; 32]), ..Fingerprint::default() },
            Fingerprint {
                sha256: Some([7; 32]),
                etag: Some("W/\"a b c\"".to_owned()),
                last_modified: Some("Sat, 16 Aug 2026 12:55:00 GMT".to_owned()),
            },
        ] {
            assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
        }
    }

    #[test]
    fn what_is_no_fingerprint_is_refused() {
        for bad in ["sha256", "sha256 12", "md5 00", &format!("sha256 {}", "g".repeat(64))] {
            assert!(bad.parse::<Fingerprint>().is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn headers_that_would_break_the_text_are_not_remembered() {
        assert_eq!(Fingerprint::header(Some("\"a\"")).as_deref(), Some("\"a\""));
        for bad in ["", "  ", "a\nb", "é", &"a".repeat(HEADER_BYTES_MAX + 1)] {
            assert_eq!(Fingerprint::header(Some(bad)), None, "{bad:?} was taken");
        }
    }
}
