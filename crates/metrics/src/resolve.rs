//! Holds each point of an answer against the registration, as it comes.
//!
//! Everything that can be judged without the answer before is judged here; what remembers is
//! [`crate::verifier`]. One bad point refuses the whole answer, or, when told so, is dropped alone.

use std::collections::HashSet;
use std::sync::Arc;

use regex::Regex;

use crate::number::Number;
use crate::refusal::{Reason, Refusal, quoted};
use crate::registration::{Definition, Kind, Registration};
use crate::reply::{RawHistogram, RawPoint};
use crate::snapshot::{Histogram, Point, Value};

/// What one bad point costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// The snapshot that it stands in.
    #[default]
    Snapshot,
    /// Itself.
    Series,
}

/// The points of one answer so far.
pub(crate) struct Resolver {
    registration: Arc<Registration>,
    filter: Option<Regex>,
    mode: Mode,
    seen: HashSet<(u32, u32)>,
    resolved: Resolved,
}

/// Points that fit the registration, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Resolved {
    pub(crate) points: Vec<Point>,
    /// Why points were dropped, with [`Mode::Series`].
    pub(crate) dropped: Vec<Reason>,
}

impl Resolver {
    /// Starts an answer. `filter` is what was asked for: other metrics are refused.
    pub(crate) fn new(registration: Arc<Registration>, filter: Option<Regex>, mode: Mode) -> Self {
        Self { registration, filter, mode, seen: HashSet::new(), resolved: Resolved::default() }
    }

    /// Judges one point.
    ///
    /// # Errors
    /// The [`Refusal`] of the whole answer.
    pub(crate) fn point(&mut self, raw: &RawPoint) -> Result<(), Refusal> {
        match self.resolve(raw) {
            Ok(point) => self.resolved.points.push(point),
            Err(refusal) if self.mode == Mode::Snapshot => return Err(refusal),
            Err(refusal) => self.resolved.dropped.push(refusal.reason),
        }
        Ok(())
    }

    /// All points that fit.
    pub(crate) fn finish(self) -> Resolved {
        self.resolved
    }

    fn resolve(&mut self, raw: &RawPoint) -> Result<Point, Refusal> {
        let Some((index, definition)) = self.registration.find(&raw.name) else {
            return Err(Refusal::new(Reason::UnknownMetric, quoted(&raw.name)));
        };
        if self.filter.as_ref().is_some_and(|filter| !filter.is_match(&raw.name)) {
            let detail = format_args!("{} was not asked for", raw.name);
            return Err(Refusal::new(Reason::UnknownMetric, detail));
        }
        let refuse = |reason: Reason, detail: &str| {
            Refusal::new(reason, format_args!("{}: {detail}", definition.name))
        };
        if raw.kind != wire_kind(definition.kind) || *raw.help != *definition.help {
            return Err(refuse(Reason::Definition, "not as it was registered"));
        }
        let combination = combination(definition, raw.labels())
            .map_err(|detail| refuse(Reason::Labels, &detail))?;
        let value = value(definition, raw).map_err(|detail| refuse(Reason::Value, detail))?;
        if !self.seen.insert((index, combination)) {
            return Err(refuse(Reason::Duplicate, "a series stands there twice"));
        }
        Ok(Point { definition: index, combination, value })
    }
}

/// The numbers of types in an answer, from gVisor's `pkg/prometheus`.
fn wire_kind(kind: Kind) -> u64 {
    match kind {
        Kind::Gauge => 1,
        Kind::Counter => 2,
        Kind::Histogram => 3,
    }
}

fn combination(definition: &Definition, labels: &[(String, String)]) -> Result<u32, String> {
    if labels.len() != definition.fields.len() {
        return Err(format!("{} labels, registered {}", labels.len(), definition.fields.len()));
    }
    let mut combination = 0;
    for field in &definition.fields {
        let Some((_, value)) = labels.iter().find(|(name, _)| **name == *field.name) else {
            return Err(format!("no label {}", field.name));
        };
        let Some(index) = field.value_index(value) else {
            return Err(format!("label {} is {}", field.name, quoted(value)));
        };
        let value_count = u32::try_from(field.values.len()).unwrap_or(u32::MAX);
        combination = combination * value_count + index;
    }
    Ok(combination)
}

fn value(definition: &Definition, raw: &RawPoint) -> Result<Value, &'static str> {
    match (definition.kind, raw.number, &raw.histogram) {
        (Kind::Gauge | Kind::Counter, Some(number), None) => {
            let integer = number.as_integer().ok_or("not an integer")?;
            Ok(Value::Number(Number::Integer(integer)))
        }
        (Kind::Histogram, None, Some(raw)) => {
            histogram(definition, raw).map(|histogram| Value::Histogram(Box::new(histogram)))
        }
        _ => Err("not exactly one value of its kind"),
    }
}

fn histogram(definition: &Definition, raw: &RawHistogram) -> Result<Histogram, &'static str> {
    if raw.buckets.len() != definition.bounds.len() + 1 {
        return Err("not the registered number of buckets");
    }
    let mut count = 0_u64;
    for (index, (bound, in_bucket)) in raw.buckets.iter().enumerate() {
        let is_registered = match definition.bounds.get(index) {
            Some(registered) => bound.as_integer() == Some(*registered),
            None => matches!(bound, Number::Float(value) if *value == f64::INFINITY),
        };
        if !is_registered {
            return Err("a bucket's bound is not as it was registered");
        }
        count = count.checked_add(*in_bucket).ok_or("more observations than 64 bits count")?;
    }
    if !raw.ssd.is_zero() && !matches!(raw.ssd, Number::Float(value) if value > 0.0) {
        return Err("the sum of squared deviations is not a positive float");
    }
    let histogram = Histogram {
        total: raw.total,
        min: raw.min,
        max: raw.max,
        ssd: raw.ssd,
        counts: raw.buckets.iter().map(|(_, in_bucket)| *in_bucket).collect(),
        count,
    };
    let is_ordered = histogram.min.compare(histogram.max).is_some_and(std::cmp::Ordering::is_le);
    if is_settled(&histogram) && !is_ordered {
        return Err("the least observation is more than the greatest");
    }
    Ok(histogram)
}

/// Whether least and greatest are both known. The runtime counts its first observation before it
/// writes them down, one after the other (`distributionStatistics.Update` of gVisor's
/// `pkg/metric`), so an honest snapshot in between has a zero for either.
pub(crate) fn is_settled(histogram: &Histogram) -> bool {
    histogram.count >= 2
        || (histogram.count == 1 && !histogram.min.is_zero() && !histogram.max.is_zero())
}
