//! What a fuzzer throws at this crate: one function for each thing that is read from outside.
//!
//! A function takes any bytes and panics when a promise is broken; that something is refused is
//! none. They are here, because what they call is nobody's business outside, and only when
//! built for a fuzzer (`cargo xtask fuzz`) or a test, which runs each over its seeds.

mod drawn;

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::exposition::{Exposition, FamilyKind, Format, Label, Names, Timestamps, strict};
use crate::number::Number;
use crate::query;
use crate::refusal::Reason;
use crate::registration::Registration;
use crate::reply::{RawPoint, read_export};
use crate::state_file::{self, ContainerName, STATE_SUFFIX};

pub use drawn::verifier;

/// A state file and, if it has one, its registration: what is believed hangs together.
pub fn state_file(data: &[u8]) {
    let name = ContainerName::parse("a_sandbox:a.state").expect("it is one");
    let Ok((container, registered)) = state_file::parse(&name, data) else { return };
    assert!(container.sandbox.pid.is_none_or(|pid| pid > 0));
    assert_eq!(container.capabilities >> state_file::CAPABILITIES.len(), 0);
    let Some(Ok(registration)) = registered.map(|text| Registration::parse(text.as_bytes())) else {
        return;
    };
    for definition in registration.definitions() {
        let (_, found) = registration.find(&definition.name).expect("each is found by its name");
        assert_eq!(found, definition);
        assert!(!definition.name.starts_with("meta_"), "{}", definition.name);
        assert!(definition.bounds.is_sorted(), "{:?}", definition.bounds);
    }
}

/// A file's name: what is taken is written again as it was, and leads nowhere else.
pub fn file_name(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Some(name) = ContainerName::parse(&text) else { return };
    assert_eq!(name.file_name(STATE_SUFFIX), text);
    assert!(!text.contains(['/', '\0']), "{text:?}");
    for id in [&name.sandbox, &name.container] {
        assert!(!id.is_empty() && !id.contains(':'), "{text:?}");
    }
}

/// An answer of a sandbox: read in one piece or in two, it is the same.
pub fn reply(data: &[u8]) {
    let (whole, points) = read(data);
    let cut = data.len() / 2;
    let (halves, again) = read(data[..cut].chain(&data[cut..]));
    assert_eq!((whole, points), (halves, again));
}

fn read(source: impl AsyncRead + Unpin) -> (Result<Timestamp, Reason>, Vec<String>) {
    let mut points = Vec::new();
    let mut sink = |point: &RawPoint| {
        points.push(format!("{point:?} {:?}", point.labels()));
        Ok(())
    };
    let outcome = ready(read_export(source, &mut sink));
    (outcome.map_err(|refusal| refusal.reason), points)
}

/// The outcome of reading bytes in memory, which are always there.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("there is nothing to wait for"),
    }
}

/// The writer: whatever texts and numbers are, a strict reader finds as many series as were
/// written, in both formats.
pub fn exposition(data: &[u8]) {
    let mut texts = data.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    let mut text = || texts.next().unwrap_or_default();
    let (comment, help) = (text(), text());
    let (first, second, third) = (text(), text(), text());
    let sandbox = [Label::new("pod_name", &first), Label::new("sandbox", &second)];
    let entry = Label::new("entry", &third);
    let number = |index: usize| {
        let bits = data.iter().skip(index).take(8);
        let bits = bits.fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        match index % 3 {
            0 => Number::Unsigned(bits),
            1 => Number::Integer(bits.cast_signed()),
            _ => Number::Float(f64::from_bits(bits)),
        }
    };
    let length = u16::try_from(data.len()).unwrap_or(u16::MAX);
    let at = Timestamp::from_millisecond(1_795_168_800_000 + i64::from(length))
        .expect("it is within bounds");
    for format in [Format::Text, Format::OpenMetrics] {
        let mut out = Exposition::new(format, Timestamps::Keep, 0);
        out.comment(&comment);
        out.family("a", &help, FamilyKind::Gauge);
        out.sample("", (&sandbox, &[&entry]), None, number(0), at);
        out.sample("", (&sandbox, &[]), None, number(1), at);
        out.family("b_total", &help, FamilyKind::Counter);
        out.sample("", (&[], &[&entry]), None, number(2), at);
        out.family("c", "", FamilyKind::Histogram);
        out.sample("_bucket", (&sandbox, &[&entry]), Some(number(4)), number(3), at);
        let body = String::from_utf8(out.finish()).expect("UTF-8");
        let series = strict::read(format, &body).unwrap_or_else(|what| panic!("{what}\n{body}"));
        assert_eq!(series.len(), 4, "{body}");
    }
    let mut names = Names::default();
    if names.claim(&help, FamilyKind::Histogram) {
        assert!(!names.claim(&help, FamilyKind::Gauge));
    }
}

/// Path, query and headers of a request, a line each.
pub fn query(data: &[u8]) {
    const MOST: Duration = Duration::from_secs(30);
    let text = String::from_utf8_lossy(data);
    let mut lines = text.lines();
    let (path, header) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let (path, inner) = query::route(path, lines.next());
    assert!(!path.starts_with("/metrics?"), "{path:?}");
    let _ = query::value(&inner, "root");
    if let Ok(filters) = query::filters(&inner) {
        let given = [filters.metrics, filters.capabilities].into_iter().flatten();
        assert!(
            given.map(|filter| filter.as_str().len()).all(|length| (1..=1_024).contains(&length))
        );
    }
    let patience = query::patience(Some(header), MOST);
    assert!(!patience.is_zero() && patience <= MOST, "{header:?}");
    let _ = query::packing(Some(header));
    assert!(query::format(Some(header)).content_type().ends_with("charset=utf-8"));
}

#[cfg(test)]
mod tests;
