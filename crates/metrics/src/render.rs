//! Makes the answer of one scrape out of what was collected.
//!
//! Families are sorted by name and within them sandboxes by id, so two scrapes of the same values
//! are equal byte by byte. A sandbox that failed keeps every series that its state files give; only
//! what it would have said itself is missing. The server's own families are those of
//! [`crate::metrics`]. Where this differs from runsc's metric server: least, greatest and squared
//! deviations of a histogram are families of their own, because no format lets them stand within
//! it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use regex::Regex;

use crate::collect::{Collection, Outcome};
use crate::exposition::{Exposition, FamilyKind, Format, Label, Names, Timestamps};
use crate::metrics::{Counters, META, Meta, OWN};
use crate::number::Number;
use crate::registration::{Definition, Kind};
use crate::sandbox::Sandbox;
use crate::snapshot::{Histogram, Point, Snapshot, Value};

/// A guess of the bytes that one sandbox adds, for the first allocation.
const SANDBOX_BYTES: usize = 4 * 1024;

/// What an answer is made of.
pub(crate) struct Scrape<'a> {
    /// What the sandboxes said.
    pub(crate) collection: &'a Collection,
    /// What the server counts itself.
    pub(crate) counters: &'a Counters,
    /// What all names of runsc's begin with.
    pub(crate) prefix: &'a str,
    /// The first line.
    pub(crate) comment: &'a str,
    /// Which capabilities are shown.
    pub(crate) capabilities: Option<&'a Regex>,
    /// When the server started.
    pub(crate) started_at: Timestamp,
    /// How long ago all state files were looked at, in seconds.
    pub(crate) lag: f64,
    /// How the answer is written.
    pub(crate) format: Format,
    /// Whether samples carry their time.
    pub(crate) timestamps: Timestamps,
}

/// Writes the whole answer.
pub(crate) fn render(scrape: &Scrape<'_>) -> Vec<u8> {
    let sandboxes = &scrape.collection.table.sandboxes;
    let capacity = SANDBOX_BYTES * (sandboxes.len() + 1);
    let mut out = Exposition::new(scrape.format, scrape.timestamps, capacity);
    out.comment(scrape.comment);
    let (plans, conflict_count) = plan(scrape);
    for (name, plan) in &plans {
        match plan {
            Plan::Meta(meta) => {
                out.family(name, meta.help, meta.kind);
                (meta.write)(scrape, &mut out);
            }
            Plan::Conflicts => {
                out.family(name, CONFLICTS_HELP, FamilyKind::Gauge);
                scrape.one(&mut out, Number::Unsigned(conflict_count));
            }
            Plan::Series(series, part) => write_series(&mut out, name, series, *part),
        }
    }
    out.finish()
}

/// The family that tells how many others are missing.
const CONFLICTS: &str = "pratique_sandbox_families_dropped";
const CONFLICTS_HELP: &str =
    "Families that are missing in this answer because their name means something else in it.";

/// All families by name, and how many had to be left out. The server's own come first, so that no
/// sandbox can take their names.
fn plan<'a>(scrape: &Scrape<'a>) -> (BTreeMap<String, Plan<'a>>, u64) {
    let mut names = Names::default();
    let mut plans = BTreeMap::new();
    let named = META.iter().map(|meta| (format!("{}meta_{}", scrape.prefix, meta.name), meta));
    let own = OWN.iter().map(|meta| (meta.name.to_owned(), meta));
    for (name, meta) in named.chain(own) {
        names.claim(&name, meta.kind);
        plans.insert(name, Plan::Meta(meta));
    }
    names.claim(CONFLICTS, FamilyKind::Gauge);
    plans.insert(CONFLICTS.to_owned(), Plan::Conflicts);
    let mut conflict_count = 0;
    for (name, series) in series(scrape.collection, &mut conflict_count) {
        for (suffix, part) in series.parts() {
            let full = format!("{}{name}{suffix}", scrape.prefix);
            if names.claim(&full, series.kind(*part)) {
                plans.insert(full, Plan::Series(series.clone(), *part));
            } else {
                conflict_count += 1;
            }
        }
    }
    (plans, conflict_count)
}

/// A family that is going to be written.
enum Plan<'a> {
    Meta(&'static Meta),
    Conflicts,
    Series(Series<'a>, Part),
}

/// Which numbers of a family's points are written.
#[derive(Clone, Copy)]
enum Part {
    Whole,
    Min,
    Max,
    Deviations,
}

/// The points of all sandboxes that have this family.
#[derive(Clone)]
struct Series<'a> {
    definition: &'a Definition,
    members: Vec<(&'a Sandbox, &'a Snapshot, &'a [Point])>,
}

impl Series<'_> {
    fn kind(&self, part: Part) -> FamilyKind {
        match (self.definition.kind, part) {
            (Kind::Histogram, Part::Whole) => FamilyKind::Histogram,
            (Kind::Counter, _) => FamilyKind::Counter,
            (Kind::Gauge | Kind::Histogram, _) => FamilyKind::Gauge,
        }
    }

    /// The families that one metric becomes, by the ending of their names.
    fn parts(&self) -> &'static [(&'static str, Part)] {
        match self.definition.kind {
            Kind::Histogram => &[
                ("", Part::Whole),
                ("_max", Part::Max),
                ("_min", Part::Min),
                ("_ssd", Part::Deviations),
            ],
            Kind::Gauge | Kind::Counter => &[("", Part::Whole)],
        }
    }
}

/// All families that sandboxes gave, by name. The first sandbox by id says what a name means; the
/// points of one that means another kind are left out and counted.
fn series<'a>(
    collection: &'a Collection,
    conflict_count: &mut u64,
) -> BTreeMap<&'a str, Series<'a>> {
    let mut families: BTreeMap<&str, Series<'_>> = BTreeMap::new();
    for (index, sandbox) in collection.table.sandboxes.iter().enumerate() {
        let Some(Outcome::Snapshot(snapshot)) = collection.outcome(index) else { continue };
        for points in snapshot.points.chunk_by(|left, right| left.definition == right.definition) {
            let definition = sandbox.registration.definition(points[0].definition);
            let family = families
                .entry(&definition.name)
                .or_insert_with(|| Series { definition, members: Vec::new() });
            if family.definition.kind == definition.kind {
                family.members.push((sandbox, snapshot, points));
            } else {
                *conflict_count += 1;
            }
        }
    }
    families
}

fn write_series(out: &mut Exposition, name: &str, series: &Series<'_>, part: Part) {
    out.family(name, &series.definition.help, series.kind(part));
    let mut labels = Vec::new();
    for (sandbox, snapshot, points) in &series.members {
        for point in *points {
            let definition = sandbox.registration.definition(point.definition);
            definition.labels(point.combination, &mut labels);
            let both = (&*sandbox.labels, &*labels);
            let number = match (&point.value, part) {
                (Value::Number(number), _) => *number,
                (Value::Histogram(histogram), Part::Whole) => {
                    let at = snapshot.taken_at;
                    write_histogram(out, both, definition, histogram, at);
                    continue;
                }
                (Value::Histogram(histogram), Part::Min) => histogram.min,
                (Value::Histogram(histogram), Part::Max) => histogram.max,
                (Value::Histogram(histogram), Part::Deviations) => histogram.ssd,
            };
            out.sample("", both, None, number, snapshot.taken_at);
        }
    }
}

fn write_histogram(
    out: &mut Exposition,
    labels: (&[Label], &[&Label]),
    definition: &Definition,
    histogram: &Histogram,
    at: Timestamp,
) {
    let mut count = 0;
    let bounds = definition.bounds.iter().map(|bound| Number::Integer(*bound));
    let bounds = bounds.chain([Number::Float(f64::INFINITY)]);
    for (bound, in_bucket) in bounds.zip(&histogram.counts) {
        count += in_bucket;
        out.sample("_bucket", labels, Some(bound), Number::Unsigned(count), at);
    }
    out.sample("_sum", labels, None, histogram.total, at);
    out.sample("_count", labels, None, Number::Unsigned(count), at);
}

impl Scrape<'_> {
    /// Writes a family's only sample.
    pub(crate) fn one(&self, out: &mut Exposition, number: Number) {
        out.sample("", (&[], &[]), None, number, self.collection.started_at);
    }

    /// All sandboxes with what became of their calls.
    pub(crate) fn sandboxes(&self) -> impl Iterator<Item = (&Sandbox, Option<&Outcome>)> {
        let sandboxes = self.collection.table.sandboxes.iter().enumerate();
        sandboxes.map(|(index, sandbox)| (&**sandbox, self.collection.outcome(index)))
    }

    /// Writes how many sandboxes are so.
    pub(crate) fn count(
        &self,
        out: &mut Exposition,
        holds: fn(&Sandbox, Option<&Outcome>) -> bool,
    ) {
        let count = self.sandboxes().filter(|(sandbox, outcome)| holds(sandbox, *outcome)).count();
        self.one(out, Number::Unsigned(count as u64));
    }

    /// Writes a number of each sandbox.
    pub(crate) fn each(
        &self,
        out: &mut Exposition,
        number: fn(&Sandbox, Option<&Outcome>) -> Number,
    ) {
        for (sandbox, outcome) in self.sandboxes() {
            let number = number(sandbox, outcome);
            out.sample("", (&sandbox.labels, &[]), None, number, self.collection.started_at);
        }
    }

    /// Writes a family whose labels say everything.
    pub(crate) fn words(&self, out: &mut Exposition, labels: fn(&Sandbox) -> &[Label]) {
        for (sandbox, _) in self.sandboxes() {
            let words: Vec<&Label> = labels(sandbox).iter().collect();
            let one = Number::Integer(1);
            out.sample("", (&sandbox.labels, &words), None, one, self.collection.started_at);
        }
    }
}

#[cfg(test)]
mod tests;
