//! What a sandbox said, before its containers started, that it will measure.
//!
//! The registration stands in the state file of the root container, written by runsc before any
//! code of a container ran, and is what later answers are held against. It is refused as a whole
//! when a part of it could not be shown beside other sandboxes: then nothing of that sandbox is
//! believed. Definitions are sorted by name and a series is known by two numbers, its definition
//! and its combination of field values, so that no answer's text needs to be kept. Surprising:
//! registrations of many sandboxes are equal, so whoever reads them shares one by its hash.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde::Deserialize;

use crate::exposition::Label;

/// Names that Prometheus reserves for the process that is scraped
/// (<https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>), and one more
/// from gVisor's `pkg/prometheus`.
const PROCESS_NAMES: [&str; 9] = [
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_max_fds",
    "process_virtual_memory_bytes",
    "process_virtual_memory_max_bytes",
    "process_resident_memory_bytes",
    "process_heap_bytes",
    "process_start_time_seconds",
    "process_threads",
];
/// What the names of the server's own metrics begin with.
const META_PREFIX: &str = "meta_";
/// Labels that say which sandbox a series is of, and the bound of a bucket.
const RESERVED_LABELS: [&str; 5] = ["sandbox", "iteration", "pod_name", "namespace_name", "le"];
/// Bounds of one histogram; from gVisor's `pkg/prometheus`: 256 buckets with the last.
const BOUNDS_MAX: usize = 255;
/// Metrics of one registration. runsc of 2026 has 178; this leaves room for many years.
const DEFINITIONS_MAX: usize = 4_096;
/// Series of one metric: runsc keeps an array of all of them, the largest has about 500.
const COMBINATIONS_MAX: u32 = 1_000_000;
/// `TYPE_DISTRIBUTION` of gVisor's `metric.proto`; absent or 0 is an integer.
const TYPE_DISTRIBUTION: i64 = 1;

/// The metrics of one version of the runtime, sorted by name.
#[derive(Debug, Default)]
pub(crate) struct Registration {
    definitions: Vec<Definition>,
    by_name: HashMap<Box<str>, u32>,
}

/// One registered metric.
#[derive(Debug, PartialEq)]
pub(crate) struct Definition {
    /// The name without the exporter's prefix.
    pub name: Box<str>,
    /// The sentence about it; may be empty.
    pub help: Box<str>,
    /// What its values are.
    pub kind: Kind,
    /// Its labels, in the order in which they were registered.
    pub fields: Vec<Field>,
    /// Upper bounds of all buckets but the last, whose bound is infinite; empty unless it is a
    /// histogram.
    pub bounds: Vec<i64>,
    /// Places in `fields`, sorted by the fields' names.
    by_field_name: Vec<usize>,
    /// How many series it can have.
    combination_count: u32,
}

/// A label and the values it may have.
#[derive(Debug, PartialEq)]
pub(crate) struct Field {
    /// The label's name.
    pub name: Box<str>,
    /// Its values, at least one.
    pub values: Vec<Box<str>>,
    /// The label of each value, ready to be written.
    pub labels: Vec<Label>,
    by_value: HashMap<Box<str>, u32>,
}

/// What the values of a metric are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An integer that rises and falls.
    Gauge,
    /// An integer that only rises.
    Counter,
    /// Counts of observations by size.
    Histogram,
}

/// A registration that cannot be believed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegistrationError {
    /// It is not the JSON that runsc writes.
    #[error("registered metrics")]
    Json(#[from] serde_json::Error),
    /// More metrics than any honest runtime has.
    #[error("{0} registered metrics are too many")]
    TooMany(usize),
    /// One metric makes the whole unfit.
    #[error("registered metric {name:?}: {problem}")]
    Metric {
        /// Its name as it was given.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl Registration {
    /// Reads the JSON of `registeredMetrics` in a state file. Members that are not known are
    /// passed over, so that a newer runtime can be read.
    ///
    /// # Errors
    /// [`RegistrationError`]; the same text fails again.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, RegistrationError> {
        let wire: WireRegistration = serde_json::from_slice(text)?;
        let metrics = wire.metrics.unwrap_or_default();
        if metrics.len() > DEFINITIONS_MAX {
            return Err(RegistrationError::TooMany(metrics.len()));
        }
        let mut definitions = Vec::with_capacity(metrics.len());
        for metric in metrics {
            let name = metric.prometheus_name.clone();
            let definition = Definition::try_new(metric)
                .map_err(|problem| RegistrationError::Metric { name, problem })?;
            definitions.push(definition);
        }
        definitions.sort_by(|left, right| left.name.cmp(&right.name));
        let mut by_name = HashMap::with_capacity(definitions.len());
        for (index, definition) in (0_u32..).zip(&definitions) {
            if by_name.insert(definition.name.clone(), index).is_some() {
                let name = definition.name.to_string();
                return Err(RegistrationError::Metric { name, problem: "it is registered twice" });
            }
        }
        Ok(Self { definitions, by_name })
    }

    /// All metrics, sorted by name.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn definitions(&self) -> &[Definition] {
        &self.definitions
    }

    /// The number and definition of a name.
    pub(crate) fn find(&self, name: &str) -> Option<(u32, &Definition)> {
        let index = *self.by_name.get(name)?;
        Some((index, self.definition(index)))
    }

    /// The definition of a number that [`Registration::find`] gave.
    pub(crate) fn definition(&self, index: u32) -> &Definition {
        &self.definitions[index as usize]
    }
}

impl Definition {
    fn try_new(metric: WireMetric) -> Result<Self, &'static str> {
        let name = metric.prometheus_name;
        check_name(&metric.name, &name)?;
        let mut fields: Vec<Field> = Vec::new();
        let mut combination_count = 1_u32;
        for field in metric.fields.unwrap_or_default() {
            if fields.iter().any(|known| *known.name == *field.field_name) {
                return Err("a field stands there twice");
            }
            let field = Field::try_new(field)?;
            let value_count = u32::try_from(field.values.len()).unwrap_or(u32::MAX);
            combination_count = combination_count
                .checked_mul(value_count)
                .filter(|count| *count <= COMBINATIONS_MAX)
                .ok_or("its fields have too many combinations")?;
            fields.push(field);
        }
        let bounds = metric.distribution_bucket_lower_bounds.unwrap_or_default();
        let kind = match metric.kind.unwrap_or(0) {
            0 if metric.cumulative.unwrap_or(false) => Kind::Counter,
            0 => Kind::Gauge,
            TYPE_DISTRIBUTION => Kind::Histogram,
            _ => return Err("its type is unknown"),
        };
        if kind == Kind::Histogram {
            check_bounds(&bounds)?;
        }
        let bounds = if kind == Kind::Histogram { bounds } else { Vec::new() };
        let help = metric.description.unwrap_or_default().into();
        let mut by_field_name: Vec<usize> = (0..fields.len()).collect();
        by_field_name.sort_by(|left, right| fields[*left].name.cmp(&fields[*right].name));
        let name = name.into();
        Ok(Self { name, help, kind, fields, bounds, by_field_name, combination_count })
    }

    /// The label of each field, in order, in a combination: the digits of a number whose places
    /// count the fields' values, the first field first.
    fn values(&self, combination: u32) -> impl Iterator<Item = &Label> {
        let mut rest = combination;
        let mut weight = self.combination_count;
        self.fields.iter().map(move |field| {
            weight /= u32::try_from(field.values.len()).unwrap_or(1).max(1);
            let value = rest / weight;
            rest %= weight;
            &field.labels[value as usize]
        })
    }

    /// The labels of a combination, sorted by name, into `labels`, which is emptied first.
    pub(crate) fn labels<'this>(&'this self, combination: u32, labels: &mut Vec<&'this Label>) {
        labels.clear();
        labels.extend(self.values(combination));
        if self.by_field_name.len() > 1 {
            let unsorted = std::mem::take(labels);
            labels.extend(self.by_field_name.iter().map(|place| unsorted[*place]));
        }
    }
}

impl Field {
    fn try_new(field: WireField) -> Result<Self, &'static str> {
        let name = field.field_name;
        let is_name = |byte: (usize, u8)| {
            matches!(byte.1, b'a'..=b'z' | b'A'..=b'Z' | b'_')
                || (byte.0 > 0 && byte.1.is_ascii_digit())
        };
        if name.is_empty() || name.starts_with("__") || !name.bytes().enumerate().all(is_name) {
            return Err("the name of a field is not one of a label");
        }
        if RESERVED_LABELS.contains(&&*name) {
            return Err("the name of a field is reserved for the sandbox");
        }
        let values: Vec<Box<str>> =
            field.allowed_values.unwrap_or_default().into_iter().map(Into::into).collect();
        if values.is_empty() {
            return Err("a field has no values");
        }
        let mut by_value = HashMap::with_capacity(values.len());
        for (index, value) in (0_u32..).zip(&values) {
            match by_value.entry(value.clone()) {
                Entry::Occupied(_) => return Err("a field has a value twice"),
                Entry::Vacant(slot) => slot.insert(index),
            };
        }
        let labels = values.iter().map(|value| Label::new(&name, value)).collect();
        Ok(Self { name: name.into(), values, labels, by_value })
    }

    /// The number of a value; `None` if it was not registered.
    pub(crate) fn value_index(&self, value: &str) -> Option<u32> {
        self.by_value.get(value).copied()
    }
}

fn check_name(name: &str, prometheus_name: &str) -> Result<(), &'static str> {
    if name.is_empty() || prometheus_name.is_empty() {
        return Err("it has no name");
    }
    let is_name = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    if !prometheus_name.bytes().all(is_name) || !prometheus_name.as_bytes()[0].is_ascii_lowercase()
    {
        return Err("its name is not made of a to z, 0 to 9 and _");
    }
    if PROCESS_NAMES.contains(&prometheus_name) {
        return Err("its name is reserved for processes");
    }
    if prometheus_name.starts_with(META_PREFIX) {
        return Err("its name is reserved for the metric server");
    }
    Ok(())
}

fn check_bounds(bounds: &[i64]) -> Result<(), &'static str> {
    if bounds.is_empty() || bounds.len() > BOUNDS_MAX {
        return Err("the number of its bounds is not 1 to 255");
    }
    if !bounds.is_sorted_by(|left, right| left < right) {
        return Err("its bounds do not rise");
    }
    Ok(())
}

/// `MetricRegistration` of gVisor's `metric.proto`, as Go's `encoding/json` writes it.
#[derive(Deserialize)]
struct WireRegistration {
    metrics: Option<Vec<WireMetric>>,
}

#[derive(Deserialize)]
struct WireMetric {
    #[serde(default)]
    name: String,
    #[serde(default)]
    prometheus_name: String,
    description: Option<String>,
    cumulative: Option<bool>,
    #[serde(rename = "type")]
    kind: Option<i64>,
    fields: Option<Vec<WireField>>,
    distribution_bucket_lower_bounds: Option<Vec<i64>>,
}

#[derive(Deserialize)]
struct WireField {
    #[serde(default)]
    field_name: String,
    allowed_values: Option<Vec<String>>,
}

#[cfg(test)]
mod tests;
