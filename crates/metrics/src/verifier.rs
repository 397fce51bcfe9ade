//! Remembers what a sandbox said last, and refuses what cannot have become of it.
//!
//! A counter never falls, a clock never runs backwards, and neither was ever below zero. What is
//! refused leaves the memory as it was, so the next good answer is accepted again. Counters that
//! an answer leaves out are remembered: a filter may have been asked for. Surprising: a sandbox
//! that is restarted has another identity and so another verifier; its counters may start again.

use std::cmp::Ordering;
use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use crate::number::Number;
use crate::refusal::{Reason, Refusal};
use crate::registration::{Kind, Registration};
use crate::resolve::{Mode, Resolved, is_settled};
use crate::snapshot::{Histogram, Point, Snapshot, Value};

/// How old a snapshot may be. From gVisor's `pkg/prometheus`, `maxExportStaleness`.
const AGE_MAX: SignedDuration = SignedDuration::from_secs(10);

/// The memory of one sandbox.
#[derive(Debug, Default)]
pub(crate) struct Verifier {
    taken_at: Option<Timestamp>,
    last: HashMap<(u32, u32), Last>,
}

/// What only grows, as it was last believed.
#[derive(Debug)]
enum Last {
    Counter(Number),
    Histogram(Box<Histogram>),
}

impl Verifier {
    /// Believes an answer or refuses it. `now` is the time when it was complete. With
    /// [`Mode::Series`], points that fell are dropped and added to what `resolved` dropped.
    ///
    /// # Errors
    /// The [`Refusal`]; nothing was remembered then.
    pub(crate) fn verify(
        &mut self,
        registration: &Registration,
        resolved: &mut Resolved,
        taken_at: Timestamp,
        now: Timestamp,
        mode: Mode,
    ) -> Result<Snapshot, Refusal> {
        self.check_time(taken_at, now)?;
        let mut points = std::mem::take(&mut resolved.points);
        let mut refused = None;
        points.retain(|point| match self.check(registration, point) {
            Ok(()) => true,
            Err(refusal) => {
                resolved.dropped.push(refusal.reason);
                refused.get_or_insert(refusal);
                false
            }
        });
        if let (Some(refusal), Mode::Snapshot) = (refused, mode) {
            return Err(refusal);
        }
        points.sort_unstable_by_key(Point::key);
        self.taken_at = Some(taken_at);
        for point in &points {
            self.remember(registration, point);
        }
        Ok(Snapshot { taken_at, points })
    }

    fn check_time(&self, taken_at: Timestamp, now: Timestamp) -> Result<(), Refusal> {
        if taken_at > now {
            return Err(Refusal::new(Reason::Future, format_args!("taken at {taken_at}")));
        }
        if now.duration_since(taken_at) > AGE_MAX {
            return Err(Refusal::new(Reason::Stale, format_args!("taken at {taken_at}")));
        }
        if self.taken_at.is_some_and(|last| taken_at < last) {
            return Err(Refusal::new(Reason::Stale, "taken before the one before"));
        }
        Ok(())
    }

    fn check(&self, registration: &Registration, point: &Point) -> Result<(), Refusal> {
        let definition = registration.definition(point.definition);
        let last = self.last.get(&point.key());
        let outcome = match (&point.value, definition.kind, last) {
            (Value::Number(number), Kind::Counter, last) => {
                let last = match last {
                    Some(Last::Counter(last)) => *last,
                    _ => Number::ZERO,
                };
                match number.compare(last) {
                    Some(Ordering::Less) | None => Err((Reason::Decrease, "a counter fell")),
                    Some(_) => Ok(()),
                }
            }
            (Value::Histogram(histogram), _, Some(Last::Histogram(last))) => {
                check_growth(last, histogram)
            }
            _ => Ok(()),
        };
        outcome.map_err(|(reason, detail)| {
            Refusal::new(reason, format_args!("{}: {detail}", definition.name))
        })
    }

    fn remember(&mut self, registration: &Registration, point: &Point) {
        let last = match &point.value {
            Value::Number(number) => {
                if registration.definition(point.definition).kind != Kind::Counter {
                    return;
                }
                Last::Counter(*number)
            }
            Value::Histogram(histogram) => Last::Histogram(histogram.clone()),
        };
        self.last.insert(point.key(), last);
    }
}

fn check_growth(last: &Histogram, histogram: &Histogram) -> Result<(), (Reason, &'static str)> {
    let is_fallen = last.counts.iter().zip(&histogram.counts).any(|(last, now)| now < last);
    if is_fallen {
        return Err((Reason::Decrease, "a bucket's count fell"));
    }
    let parts =
        [(last.total, histogram.total), (last.min, histogram.min), (last.max, histogram.max)];
    if parts.iter().any(|(last, now)| !last.is_same_kind(*now)) {
        return Err((Reason::Value, "integers became floats, or floats integers"));
    }
    let is_before = |left: Number, right: Number| left.compare(right) == Some(Ordering::Less);
    if is_settled(last) && is_before(last.min, histogram.min) {
        return Err((Reason::Decrease, "the least observation rose"));
    }
    if is_settled(last) && is_before(histogram.max, last.max) {
        return Err((Reason::Decrease, "the greatest observation fell"));
    }
    if last.count >= 2 && is_before(histogram.ssd, last.ssd) {
        return Err((Reason::Decrease, "the sum of squared deviations fell"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
