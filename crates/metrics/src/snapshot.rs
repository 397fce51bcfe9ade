//! What a sandbox measured, held against what it registered.
//!
//! A point's metric and labels are two numbers that lead into the registration, so a snapshot
//! keeps no text of the sandbox and its size is bounded by the registration.

use jiff::Timestamp;

use crate::number::Number;

/// The points of one answer that are believed.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// When the sandbox took it, by its own word.
    pub taken_at: Timestamp,
    /// Sorted by definition, then combination; none twice.
    pub points: Vec<Point>,
}

/// One series at one time.
#[derive(Debug)]
pub(crate) struct Point {
    /// Which metric, see [`crate::registration::Registration::definition`].
    pub definition: u32,
    /// Which values its fields have, see [`crate::registration::Definition::values`].
    pub combination: u32,
    /// The value.
    pub value: Value,
}

impl Point {
    /// What tells it from other points of its sandbox.
    pub(crate) fn key(&self) -> (u32, u32) {
        (self.definition, self.combination)
    }
}

/// The value of a series.
#[derive(Debug)]
pub(crate) enum Value {
    /// Of a gauge or counter.
    Number(Number),
    /// Of a histogram.
    Histogram(Box<Histogram>),
}

/// A histogram; its bounds are the registration's.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    /// Sum of all observations.
    pub total: Number,
    /// The least observation; nothing while the first is being recorded.
    pub min: Number,
    /// The greatest observation, likewise.
    pub max: Number,
    /// Sum of squared deviations from the mean.
    pub ssd: Number,
    /// Observations of each bucket, not added up; one more than bounds.
    pub counts: Box<[u64]>,
    /// The sum of `counts`.
    pub count: u64,
}
