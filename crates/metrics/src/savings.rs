//! What a sandbox saved by being restored instead of started, by its own word.
//!
//! runsc writes the savings into the state file only when somebody there has asked; where it holds
//! none, a restored sandbox is asked here (`containerManager.GetSavings`, `runsc/boot` of gVisor).
//! The word is two durations in nanoseconds. Nothing can be held against them, so they are only
//! shown, and a sandbox that gives none loses nothing else.

use tokio::io::AsyncRead;

use crate::json::{Reader, Sequence, decode};
use crate::refusal::{Reason, Refusal};

/// The longest answer; an honest one has about 100 bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// The longest name of a member.
const KEY_BYTES_MAX: usize = 256;
/// Nanoseconds in a millisecond.
const NANOSECONDS: i64 = 1_000_000;

/// Time that a restore saved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Savings {
    /// Of the processor, in milliseconds; below zero when restoring took longer than starting.
    pub(crate) cpu_ms: i64,
    /// Of the clock on the wall, likewise.
    pub(crate) wall_ms: i64,
}

impl Savings {
    /// Those of Go's durations.
    pub(crate) fn from_nanoseconds(cpu: i64, wall: i64) -> Self {
        Self { cpu_ms: cpu / NANOSECONDS, wall_ms: wall / NANOSECONDS }
    }
}

/// Reads the answer to `containerManager.GetSavings`.
///
/// # Errors
/// The [`Refusal`]; [`Reason::Refused`] when the sandbox has no such method.
pub(crate) async fn read_savings(source: impl AsyncRead + Unpin) -> Result<Savings, Refusal> {
    let mut reader = Reader::new(source, ANSWER_BYTES_MAX);
    let (mut key, mut is_success, mut savings) = (String::new(), false, None);
    let mut sequence = Sequence::default();
    reader.expect(b'{').await?;
    while reader.next_member(&mut sequence, &mut key, KEY_BYTES_MAX).await? {
        match key.as_str() {
            "success" => is_success = reader.boolean().await?,
            "result" if !reader.is_null().await? => savings = Some(read_result(&mut reader).await?),
            "result" => {}
            _ => reader.skip().await?,
        }
    }
    match savings {
        _ if !is_success => Err(Refusal::new(Reason::Refused, "it does not tell its savings")),
        Some(savings) => Ok(savings),
        None => Err(decode("no savings")),
    }
}

async fn read_result<R: AsyncRead + Unpin>(reader: &mut Reader<R>) -> Result<Savings, Refusal> {
    let (mut key, mut text) = (String::new(), String::new());
    let (mut cpu, mut wall) = (0, 0);
    let mut sequence = Sequence::default();
    reader.expect(b'{').await?;
    while reader.next_member(&mut sequence, &mut key, KEY_BYTES_MAX).await? {
        let duration = match key.as_str() {
            "CPUTimeSaved" => &mut cpu,
            "WallTimeSaved" => &mut wall,
            _ => {
                reader.skip().await?;
                continue;
            }
        };
        reader.number(&mut text).await?;
        *duration = text.parse().map_err(|_| decode("a duration is no whole number"))?;
    }
    Ok(Savings::from_nanoseconds(cpu, wall))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<(i64, i64), Reason>) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let got = runtime.block_on(read_savings(text.as_bytes()));
        let got = got.map(|savings| (savings.cpu_ms, savings.wall_ms));
        assert_eq!(got.map_err(|refusal| refusal.reason), expected, "{text}");
    }

    #[test]
    fn savings_are_read_or_refused() {
        let with = |result: &str| format!(r#"{{"success":true,"err":"","result":{result}}}"#);
        let good = r#"{"CPUTimeSaved":1500000000,"WallTimeSaved":-2999999,"new":[1]}"#;
        check(&with(good), Ok((1_500, -2)));
        check(&with("{}"), Ok((0, 0)));
        check(&with("null"), Err(Reason::Decode));
        check(r#"{"success":false,"err":"no such method","result":null}"#, Err(Reason::Refused));
        check(&with(r#"{"CPUTimeSaved":1.5}"#), Err(Reason::Decode));
        check(&with(r#"{"CPUTimeSaved":"1"}"#), Err(Reason::Decode));
        check(&with(r#"{"CPUTimeSaved":9223372036854775808}"#), Err(Reason::Decode));
        check(&with(good)[..60], Err(Reason::Decode));
        check(&with(&"x".repeat(10)), Err(Reason::Decode));
        let long = format!("\"{}\"", "x".repeat(ANSWER_BYTES_MAX));
        check(&with(&format!("{{\"new\":{long}}}")), Err(Reason::TooLarge));
    }
}
