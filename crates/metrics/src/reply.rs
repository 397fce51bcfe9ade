//! The answer of a sandbox to `Metrics.Export`, read as it comes.
//!
//! The shape is that of gVisor's `pkg/urpc` and `pkg/prometheus`: one object
//! `{"success", "err", "result": {"snapshot": {"when", "data": [point …]}}}`, its members in any
//! order. Each point goes to the caller as soon as it is complete and is then forgotten. Members
//! that are not known are passed over, so that a newer runtime can be read, except those that
//! would change what is known (`external_labels`). What a point *means* is judged in
//! [`crate::resolve`].

use jiff::Timestamp;
use tokio::io::AsyncRead;

use crate::json::{Reader, Sequence, decode};
use crate::number::Number;
use crate::refusal::{Reason, Refusal, quoted};

/// The longest answer. The largest honest one, a full registration with 500 values of a label,
/// has less than 1 MiB.
pub(crate) const REPLY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The longest text in an answer; the longest honest help text has about 200 bytes.
const TEXT_BYTES_MAX: usize = 16 * 1024;
/// The longest name of a member or label.
const KEY_BYTES_MAX: usize = 256;
/// Labels of one point; runsc's have at most two.
const LABELS_MAX: usize = 32;
/// Buckets of one histogram, from gVisor's `pkg/prometheus`.
const BUCKETS_MAX: usize = 256;

/// One point as it was sent. The caller sees it filled anew for each point.
#[derive(Debug, Default)]
pub(crate) struct RawPoint {
    /// Metric name.
    pub(crate) name: String,
    /// Metric type: 0 untyped, 1 gauge, 2 counter, 3 histogram.
    pub(crate) kind: u64,
    /// Help text.
    pub(crate) help: String,
    /// Labels; the first `label_count` are this point's.
    labels: Vec<(String, String)>,
    label_count: usize,
    /// `val`.
    pub(crate) number: Option<Number>,
    /// `histogram`.
    pub(crate) histogram: Option<RawHistogram>,
}

/// A histogram as it was sent.
#[derive(Debug, Default)]
pub(crate) struct RawHistogram {
    /// Sum of all observations.
    pub(crate) total: Number,
    /// The least observation.
    pub(crate) min: Number,
    /// The greatest.
    pub(crate) max: Number,
    /// Sum of squared deviations.
    pub(crate) ssd: Number,
    /// Upper bound and count of each bucket, not added up.
    pub(crate) buckets: Vec<(Number, u64)>,
}

impl RawPoint {
    /// The labels in the order in which they were sent, no name twice.
    pub(crate) fn labels(&self) -> &[(String, String)] {
        &self.labels[..self.label_count]
    }

    fn clear(&mut self) {
        self.name.clear();
        self.help.clear();
        self.kind = 0;
        self.label_count = 0;
        self.number = None;
        self.histogram = None;
    }
}

/// Reads an answer and gives each of its points to `sink`, in order. The result is the time that
/// the snapshot claims.
///
/// # Errors
/// The first [`Refusal`], `sink`'s too. Points given before it must not be believed.
pub(crate) async fn read_export<R: AsyncRead + Unpin>(
    source: R,
    sink: &mut (impl FnMut(&RawPoint) -> Result<(), Refusal> + Send),
) -> Result<Timestamp, Refusal> {
    let mut reader = Reader::new(source, REPLY_BYTES_MAX);
    let (mut key, mut error) = (String::new(), String::new());
    let (mut is_success, mut when) = (None, None);
    let mut members = Seen::default();
    reader.expect(b'{').await?;
    let mut sequence = Sequence::default();
    while reader.next_member(&mut sequence, &mut key, KEY_BYTES_MAX).await? {
        match key.as_str() {
            "success" => {
                members.once(0)?;
                is_success = Some(reader.boolean().await?);
            }
            "err" => {
                members.once(1)?;
                reader.string(&mut error, TEXT_BYTES_MAX).await?;
            }
            "result" => {
                members.once(2)?;
                if !reader.is_null().await? {
                    when = read_result(&mut reader, sink).await?;
                }
            }
            _ => reader.skip().await?,
        }
    }
    if reader.has_trailing().await {
        return Err(decode("bytes after the answer"));
    }
    match (is_success, when) {
        (Some(true), Some(when)) => Ok(when),
        (Some(true), None) => Err(decode("no snapshot")),
        (Some(false), _) => Err(Refusal::new(Reason::Refused, quoted(&error))),
        (None, _) => Err(decode("no word whether it succeeded")),
    }
}

async fn read_result<R: AsyncRead + Unpin>(
    reader: &mut Reader<R>,
    sink: &mut (impl FnMut(&RawPoint) -> Result<(), Refusal> + Send),
) -> Result<Option<Timestamp>, Refusal> {
    let mut key = String::new();
    let mut when = None;
    let mut members = Seen::default();
    reader.expect(b'{').await?;
    let mut sequence = Sequence::default();
    while reader.next_member(&mut sequence, &mut key, KEY_BYTES_MAX).await? {
        if key == "snapshot" {
            members.once(0)?;
            when = Some(read_snapshot(reader, sink).await?);
        } else {
            reader.skip().await?;
        }
    }
    Ok(when)
}

async fn read_snapshot<R: AsyncRead + Unpin>(
    reader: &mut Reader<R>,
    sink: &mut (impl FnMut(&RawPoint) -> Result<(), Refusal> + Send),
) -> Result<Timestamp, Refusal> {
    let (mut key, mut text) = (String::new(), String::new());
    let mut when = None;
    let mut members = Seen::default();
    reader.expect(b'{').await?;
    let mut sequence = Sequence::default();
    while reader.next_member(&mut sequence, &mut key, KEY_BYTES_MAX).await? {
        match key.as_str() {
            "when" => {
                members.once(0)?;
                reader.string(&mut text, KEY_BYTES_MAX).await?;
                let time = text.parse::<Timestamp>();
                when = Some(time.map_err(|_| decode("the time of the snapshot is no time"))?);
            }
            "data" => {
                members.once(1)?;
                read_data(reader, sink).await?;
            }
            _ => reader.skip().await?,
        }
    }
    when.ok_or_else(|| decode("a snapshot without a time"))
}

async fn read_data<R: AsyncRead + Unpin>(
    reader: &mut Reader<R>,
    sink: &mut (impl FnMut(&RawPoint) -> Result<(), Refusal> + Send),
) -> Result<(), Refusal> {
    let mut scratch = Scratch::default();
    let mut point = RawPoint::default();
    reader.expect(b'[').await?;
    let mut sequence = Sequence::default();
    while reader.next_element(&mut sequence).await? {
        point.clear();
        read_point(reader, &mut point, &mut scratch).await?;
        sink(&point)?;
    }
    Ok(())
}

/// Text that is read and at once forgotten.
#[derive(Default)]
struct Scratch {
    key: String,
    text: String,
}

async fn read_point<R: AsyncRead + Unpin>(
    reader: &mut Reader<R>,
    point: &mut RawPoint,
    scratch: &mut Scratch,
) -> Result<(), Refusal> {
    let mut members = Seen::default();
    reader.expect(b'{').await?;
    let mut sequence = Sequence::default();
    while reader.next_member(&mut sequence, &mut scratch.key, KEY_BYTES_MAX).await? {
        match scratch.key.as_str() {
            "metric" => {
                members.once(0)?;
                read_metric(reader, point, scratch).await?;
            }
            "labels" => {
                members.once(1)?;
                read_labels(reader, point).await?;
            }
            "val" => {
                members.once(2)?;
                point.number = Some(read_number(reader, scratch, Infinity::Refused).await?);
            }
            "histogram" => {
                members.once(3)?;
                point.histogram = Some(read_histogram(reader, scratch).await?);
            }
            "external_labels" => {
                return Err(Refusal::new(
                    Reason::Labels,
                    "labels that are not the sandbox's to set",
                ));
            }
            _ => reader.skip().await?,
        }
    }
    if members.has(0) { Ok(()) } else { Err(decode("a point without a metric")) }
}

async fn read_metric<R: AsyncRead + Unpin>(
    reader: &mut Reader<R>,
    point: &mut RawPoint,
    scratch: &mut Scratch,
) -> Result<(), Refusal> {
    let mut members = Seen::default();
    reader.expect(b'{').await?;
    let mut sequence = Sequence::default();
    while reader.next_member(&mut sequence, &mut scratch.key, KEY_BYTES_MAX).await? {
        match scratch.key.as_str() {
            "name" => {
                members.once(0)?;
                reader.string(&mut point.name, TEXT_BYTES_MAX).await?;
            }
            "help" => {
                members.once(1)?;
                reader.string(&mut point.help, TEXT_BYTES_MAX).await?;
            }
            "type" => {
                members.once(2)?;
                reader.number(&mut scratch.text).await?;
                point.kind = scratch.text.parse().map_err(|_| decode("a type is no number"))?;
            }
            _ => reader.skip().await?,
        }
    }
    Ok(())
}

async fn read_labels<R: AsyncRead + Unpin>(
    reader: &mut Reader<R>,
    point: &mut RawPoint,
) -> Result<(), Refusal> {
    reader.expect(b'{').await?;
    let mut sequence = Sequence::default();
    loop {
        if point.label_count == point.labels.len() {
            point.labels.push(Default::default());
        }
        let (known, rest) = point.labels.split_at_mut(point.label_count);
        let (name, value) = &mut rest[0];
        if !reader.next_member(&mut sequence, name, KEY_BYTES_MAX).await? {
            return Ok(());
        }
        if known.iter().any(|(earlier, _)| earlier == name) {
            return Err(decode("a label stands there twice"));
        }
        if known.len() == LABELS_MAX {
            return Err(Refusal::new(Reason::Budget, "too many labels"));
        }
        reader.string(value, TEXT_BYTES_MAX).await?;
        point.label_count += 1;
    }
}

/// Whether a number may be infinite: the bound of the last bucket alone. JSON has no word for it,
/// so it is read from `"+Inf"` and from a number too large for a float. No published runtime sends
/// either: Go's encoder refuses to write an infinite float, and with it the whole answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Infinity {
    Allowed,
    Refused,
}

async fn read_number<R: AsyncRead + Unpin>(
    reader: &mut Reader<R>,
    scratch: &mut Scratch,
    infinity: Infinity,
) -> Result<Number, Refusal> {
    let mut number = None;
    reader.expect(b'{').await?;
    let mut sequence = Sequence::default();
    while reader.next_member(&mut sequence, &mut scratch.key, KEY_BYTES_MAX).await? {
        let value = match scratch.key.as_str() {
            "int" => {
                reader.number(&mut scratch.text).await?;
                let value = scratch.text.parse::<i64>();
                Number::Integer(value.map_err(|_| malformed("an integer beyond 64 bits"))?)
            }
            "float" => Number::Float(read_float(reader, scratch, infinity).await?),
            _ => {
                reader.skip().await?;
                continue;
            }
        };
        if number.replace(value).is_some() {
            return Err(malformed("a value stands there twice"));
        }
    }
    Ok(number.unwrap_or(Number::ZERO))
}

async fn read_float<R: AsyncRead + Unpin>(
    reader: &mut Reader<R>,
    scratch: &mut Scratch,
    infinity: Infinity,
) -> Result<f64, Refusal> {
    if infinity == Infinity::Allowed && reader.peek().await? == b'"' {
        reader.string(&mut scratch.text, KEY_BYTES_MAX).await?;
        let is_infinite = scratch.text == "+Inf";
        return if is_infinite { Ok(f64::INFINITY) } else { Err(malformed("a bound is text")) };
    }
    reader.number(&mut scratch.text).await?;
    let value: f64 = scratch.text.parse().map_err(|_| decode("a number is malformed"))?;
    if value.is_finite() || infinity == Infinity::Allowed {
        Ok(value)
    } else {
        Err(malformed("a float beyond 64 bits"))
    }
}

async fn read_histogram<R: AsyncRead + Unpin>(
    reader: &mut Reader<R>,
    scratch: &mut Scratch,
) -> Result<RawHistogram, Refusal> {
    let mut histogram = RawHistogram::default();
    let mut members = Seen::default();
    reader.expect(b'{').await?;
    let mut sequence = Sequence::default();
    while reader.next_member(&mut sequence, &mut scratch.key, KEY_BYTES_MAX).await? {
        let (place, part) = match scratch.key.as_str() {
            "total" => (0, &mut histogram.total),
            "min" => (1, &mut histogram.min),
            "max" => (2, &mut histogram.max),
            "ssd" => (3, &mut histogram.ssd),
            "buckets" => {
                members.once(4)?;
                read_buckets(reader, &mut histogram.buckets, scratch).await?;
                continue;
            }
            _ => {
                reader.skip().await?;
                continue;
            }
        };
        members.once(place)?;
        *part = read_number(reader, scratch, Infinity::Refused).await?;
    }
    Ok(histogram)
}

async fn read_buckets<R: AsyncRead + Unpin>(
    reader: &mut Reader<R>,
    buckets: &mut Vec<(Number, u64)>,
    scratch: &mut Scratch,
) -> Result<(), Refusal> {
    reader.expect(b'[').await?;
    let mut elements = Sequence::default();
    while reader.next_element(&mut elements).await? {
        if buckets.len() == BUCKETS_MAX {
            return Err(Refusal::new(Reason::Budget, "too many buckets"));
        }
        let (mut bound, mut count) = (Number::ZERO, 0);
        let mut members = Seen::default();
        reader.expect(b'{').await?;
        let mut sequence = Sequence::default();
        while reader.next_member(&mut sequence, &mut scratch.key, KEY_BYTES_MAX).await? {
            match scratch.key.as_str() {
                "le" => {
                    members.once(0)?;
                    bound = read_number(reader, scratch, Infinity::Allowed).await?;
                }
                "n" => {
                    members.once(1)?;
                    reader.number(&mut scratch.text).await?;
                    let value = scratch.text.parse();
                    count = value.map_err(|_| malformed("a bucket's count is no count"))?;
                }
                _ => reader.skip().await?,
            }
        }
        buckets.push((bound, count));
    }
    Ok(())
}

/// Which members of an object have been read.
#[derive(Default)]
struct Seen(u8);

impl Seen {
    fn once(&mut self, place: u8) -> Result<(), Refusal> {
        if self.has(place) {
            return Err(decode("a member stands there twice"));
        }
        self.0 |= 1 << place;
        Ok(())
    }

    fn has(&self, place: u8) -> bool {
        self.0 & (1 << place) != 0
    }
}

fn malformed(detail: &str) -> Refusal {
    Refusal::new(Reason::Value, detail)
}

#[cfg(test)]
mod tests;
