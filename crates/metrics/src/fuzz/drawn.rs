//! Sequences of answers, drawn from bytes, held against an oracle.
//!
//! The oracle is written as the rules are, over names and whole numbers, without the numbers and
//! memory that the verifier uses. Each answer is text that goes through reader, resolver and
//! verifier.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;

use super::ready;
use crate::registration::Registration;
use crate::reply::{RawPoint, read_export};
use crate::resolve::{Mode, Resolver};
use crate::verifier::Verifier;

const REGISTRATION: &str = r#"{"metrics":[
    {"name":"/g","prometheus_name":"g"},
    {"name":"/c","prometheus_name":"c","cumulative":true},
    {"name":"/l","prometheus_name":"l","cumulative":true,"fields":[
        {"field_name":"x","allowed_values":["0","1","2"]}]},
    {"name":"/h","prometheus_name":"h","type":1,"distribution_bucket_lower_bounds":[0]}]}"#;
/// Values at the edges of what floats and integers hold.
const VALUES: [i128; 12] = [
    0,
    1,
    2,
    7,
    -1,
    1 << 53,
    (1 << 53) + 1,
    (1 << 53) + 2,
    i64::MAX as i128 - 1,
    i64::MAX as i128,
    i64::MAX as i128 + 1,
    i64::MIN as i128,
];
/// Answers of one sequence; more find nothing new.
const ANSWERS_MAX: usize = 32;
/// The age that the rules allow, in seconds.
const AGE_MAX: i64 = 10;

/// What the rules say about one answer after those before it.
#[derive(Default)]
struct Oracle {
    taken: Option<i64>,
    last: BTreeMap<String, i128>,
}

/// One point: its series, its value and how that is written.
struct Drawn {
    series: String,
    value: i128,
    is_float: bool,
}

impl Drawn {
    /// Draws from two bytes.
    fn new(which: u8, how: u8) -> Self {
        let series = match which % 8 {
            0 => "g".to_owned(),
            1 | 2 => "c".to_owned(),
            3..=5 => format!("l{}", which % 8 - 3),
            // A value of the label that was not registered.
            6 => "l9".to_owned(),
            _ => "unknown".to_owned(),
        };
        let value = VALUES[usize::from(how & 0x7f) % VALUES.len()];
        Self { series, value, is_float: how & 0x80 != 0 }
    }

    /// The number that its text stands for; `None` if no integer of 64 bits is meant.
    fn meant(&self) -> Option<i128> {
        #[expect(clippy::cast_precision_loss, reason = "that floats round is the point")]
        #[expect(clippy::cast_possible_truncation, reason = "they are far from 128 bits")]
        let meant = if self.is_float { self.value as f64 as i128 } else { self.value };
        i64::try_from(meant).is_ok().then_some(meant)
    }

    fn write(&self, text: &mut String) {
        let (name, kind, labels) = match self.series.strip_prefix('l') {
            Some(label) => ("l", 2, format!("\"labels\":{{\"x\":\"{label}\"}},")),
            None => (&*self.series, if self.series == "g" { 1 } else { 2 }, String::new()),
        };
        let value = if self.is_float {
            format!("\"float\":{}.0", self.value)
        } else {
            format!("\"int\":{}", self.value)
        };
        let _ = write!(
            text,
            "{{\"metric\":{{\"name\":\"{name}\",\"type\":{kind}}},{labels}\"val\":{{{value}}}}},"
        );
    }
}

impl Oracle {
    fn allows(&mut self, points: &[Drawn], taken: i64, now: i64) -> bool {
        let mut next = self.last.clone();
        let mut seen: Vec<&str> = Vec::new();
        for point in points {
            let is_known = matches!(&*point.series, "g" | "c" | "l0" | "l1" | "l2");
            let Some(value) = point.meant() else { return false };
            if !is_known || seen.contains(&&*point.series) {
                return false;
            }
            seen.push(&point.series);
            let least = self.last.get(&point.series).copied().unwrap_or(0);
            if point.series != "g" {
                if value < least {
                    return false;
                }
                next.insert(point.series.clone(), value);
            }
        }
        let is_timely =
            taken <= now && now - taken <= AGE_MAX && self.taken.is_none_or(|last| last <= taken);
        if is_timely {
            *self = Self { taken: Some(taken), last: next };
        }
        is_timely
    }
}

/// Sequences of answers end as the oracle says.
///
/// # Panics
/// When they do not.
pub fn verifier(data: &[u8]) {
    let registration = Arc::new(Registration::parse(REGISTRATION.as_bytes()).expect("valid"));
    let (mut verifier, mut oracle) = (Verifier::default(), Oracle::default());
    let mut bytes = data.iter().copied();
    let mut now = 0;
    for _ in 0..ANSWERS_MAX {
        let (Some(time), Some(count)) = (bytes.next(), bytes.next()) else { return };
        now += i64::from(time >> 4);
        let taken = now - i64::from(time & 0xf) + 1;
        let draws = (0..count % 5).map_while(|_| Some(Drawn::new(bytes.next()?, bytes.next()?)));
        let points: Vec<Drawn> = draws.collect();
        let text = answer(&points, taken);
        let expected = oracle.allows(&points, taken, now);
        let got = judge(&mut verifier, &registration, &text, now);
        assert_eq!(got.is_ok(), expected, "at {now}: {text}: {got:?}");
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).expect("a time")
}

fn answer(points: &[Drawn], taken: i64) -> String {
    let mut text = format!(
        "{{\"success\":true,\"result\":{{\"snapshot\":{{\"when\":\"{}\",\"data\":[",
        at(taken)
    );
    for point in points {
        point.write(&mut text);
    }
    if text.ends_with(',') {
        text.pop();
    }
    text + "]}}}"
}

fn judge(
    verifier: &mut Verifier,
    registration: &Arc<Registration>,
    text: &str,
    now: i64,
) -> Result<usize, String> {
    let mut resolver = Resolver::new(Arc::clone(registration), None, Mode::Snapshot);
    let mut sink = |point: &RawPoint| resolver.point(point);
    let taken = ready(read_export(text.as_bytes(), &mut sink));
    let taken = taken.map_err(|refusal| refusal.to_string())?;
    let mut resolved = resolver.finish();
    verifier
        .verify(registration, &mut resolved, taken, at(now), Mode::Snapshot)
        .map(|snapshot| snapshot.points.len())
        .map_err(|refusal| refusal.to_string())
}
