//! Makes the answer of one scrape out of what was collected.
//!
//! Families are sorted by name and within them sandboxes by id, so two scrapes of the same values
//! are equal byte by byte. A sandbox that failed keeps every series that its state files give; only
//! what it would have said itself is missing. Names and help texts of the `meta_` families are
//! those of runsc's metric server; what Pratique adds begins with `pratique_sandbox_`. Where the
//! two differ from it: least, greatest and squared deviations of a histogram are families of their
//! own, because no format lets them stand within it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use regex::Regex;

use crate::collect::{Collection, Outcome};
use crate::counters::{Counters, SCRAPE_BOUNDS_MS};
use crate::discovery::FileReason;
use crate::exposition::{Exposition, FamilyKind, Format, Label, Names, Timestamps};
use crate::number::Number;
use crate::refusal::Reason;
use crate::registration::{Definition, Kind};
use crate::sandbox::Sandbox;
use crate::snapshot::{Histogram, Point, Snapshot, Value};
use crate::state_file::CAPABILITIES;

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

/// A family of the server's own.
struct Meta {
    name: &'static str,
    help: &'static str,
    kind: FamilyKind,
    write: fn(&Scrape<'_>, &mut Exposition),
}

const fn gauge(
    name: &'static str,
    help: &'static str,
    write: fn(&Scrape<'_>, &mut Exposition),
) -> Meta {
    Meta { name, help, kind: FamilyKind::Gauge, write }
}

/// Families with the exporter's prefix and `meta_`; names and texts are those of gVisor's
/// `runsc/metricserver`.
static META: [Meta; 16] = [
    gauge(
        "metric_server_presence",
        "Boolean metric always set to 1 for the metric server process.",
        |scrape, out| scrape.one(out, Number::Integer(1)),
    ),
    gauge("num_sandboxes_running", "Number of sandboxes running at present.", |scrape, out| {
        scrape.count(out, |_, outcome| is_running(outcome));
    }),
    gauge(
        "num_sandboxes_broken_metrics",
        "Number of sandboxes from which we cannot export metrics.",
        |scrape, out| {
            scrape.count(out, |_, outcome| {
                is_running(outcome) && !matches!(outcome, Some(Outcome::Snapshot(_)))
            });
        },
    ),
    Meta {
        name: "num_sandboxes_total",
        help: "Counter of sandboxes that have ever been started.",
        kind: FamilyKind::Counter,
        write: |scrape, out| scrape.one(out, Number::Unsigned(scrape.collection.table.total)),
    },
    gauge(
        "num_sandboxes_checkpointed",
        "Counter of sandboxes that have been checkpointed.",
        |scrape, out| scrape.count(out, |sandbox, _| sandbox.is_checkpointed),
    ),
    gauge(
        "num_sandboxes_restored",
        "Counter of sandboxes that have been restored.",
        |scrape, out| scrape.count(out, |sandbox, _| sandbox.is_restored),
    ),
    gauge("sandbox_presence", "Boolean metric set to 1 for each known sandbox.", |scrape, out| {
        scrape.each(out, |_, _| Number::Integer(1));
    }),
    gauge("sandbox_running", "Boolean metric set to 1 for each running sandbox.", |scrape, out| {
        scrape.each(out, |_, outcome| truth(is_running(outcome)));
    }),
    gauge(
        "sandbox_checkpointed",
        "Boolean metric set to 1 for each checkpointed sandbox.",
        |scrape, out| scrape.each(out, |sandbox, _| truth(sandbox.is_checkpointed)),
    ),
    gauge(
        "sandbox_restored",
        "Boolean metric set to 1 for each restored sandbox.",
        |scrape, out| scrape.each(out, |sandbox, _| truth(sandbox.is_restored)),
    ),
    gauge(
        "sandbox_cpu_time_saved_milliseconds",
        "CPU time saved for each restored sandbox (in milliseconds).",
        |scrape, out| scrape.each(out, |sandbox, _| Number::Integer(sandbox.savings().cpu_ms)),
    ),
    gauge(
        "sandbox_wall_time_saved_milliseconds",
        "Wall time saved for each restored sandbox (in milliseconds).",
        |scrape, out| scrape.each(out, |sandbox, _| Number::Integer(sandbox.savings().wall_ms)),
    ),
    gauge("sandbox_metadata", "Key-value pairs about per-sandbox metadata.", |scrape, out| {
        scrape.words(out, |sandbox| &sandbox.metadata);
    }),
    gauge(
        "sandbox_capabilities",
        "Linux capabilities added within containers of the sandbox.",
        write_capabilities,
    ),
    gauge("spec_metadata", "Key-value pairs about OCI spec metadata.", |scrape, out| {
        scrape.words(out, |sandbox| &sandbox.spec);
    }),
    gauge(
        "sandbox_creation_time_seconds",
        "When the sandbox was created, as a unix timestamp in seconds.",
        |scrape, out| scrape.each(out, |sandbox, _| seconds(sandbox.created_at)),
    ),
];

/// Families whose names stand alone.
static OWN: [Meta; 7] = [
    gauge(
        "process_start_time_seconds",
        "Start time of the process since unix epoch in seconds.",
        |scrape, out| scrape.one(out, seconds(scrape.started_at)),
    ),
    gauge(
        "pratique_sandbox_scrape_success",
        "Whether the sandbox answered this scrape and its answer was believed.",
        |scrape, out| {
            scrape.each(out, |_, outcome| truth(matches!(outcome, Some(Outcome::Snapshot(_)))));
        },
    ),
    gauge(
        "pratique_sandbox_breaker_open",
        "Whether the sandbox was not asked because it failed too often.",
        |scrape, out| {
            scrape.each(out, |_, outcome| truth(matches!(outcome, Some(Outcome::LeftOut))));
        },
    ),
    Meta {
        name: "pratique_sandbox_scrape_failures_total",
        help: "Answers of sandboxes that were refused, by reason.",
        kind: FamilyKind::Counter,
        write: |scrape, out| {
            for reason in Reason::ALL {
                let label = Label::new("reason", reason.as_str());
                let count = Number::Unsigned(scrape.counters.failures(reason));
                out.sample("", (&[], &[&label]), None, count, scrape.collection.started_at);
            }
        },
    },
    Meta {
        name: "pratique_sandbox_scrape_seconds",
        help: "How long asking all sandboxes took.",
        kind: FamilyKind::Histogram,
        write: write_scrapes,
    },
    gauge(
        "pratique_sandbox_discovery_lag_seconds",
        "How long ago all state files were looked at.",
        |scrape, out| scrape.one(out, Number::Float(scrape.lag)),
    ),
    Meta {
        name: "pratique_sandbox_state_files_refused_total",
        help: "State files that were refused, by reason.",
        kind: FamilyKind::Counter,
        write: |scrape, out| {
            let refused = &scrape.collection.table.refused;
            for ((_, reason), count) in FileReason::ALL.iter().zip(refused) {
                let label = Label::new("reason", reason);
                let count = Number::Unsigned(*count);
                out.sample("", (&[], &[&label]), None, count, scrape.collection.started_at);
            }
        },
    },
];

impl Scrape<'_> {
    fn one(&self, out: &mut Exposition, number: Number) {
        out.sample("", (&[], &[]), None, number, self.collection.started_at);
    }

    fn sandboxes(&self) -> impl Iterator<Item = (&Sandbox, Option<&Outcome>)> {
        let sandboxes = self.collection.table.sandboxes.iter().enumerate();
        sandboxes.map(|(index, sandbox)| (&**sandbox, self.collection.outcome(index)))
    }

    fn count(&self, out: &mut Exposition, holds: fn(&Sandbox, Option<&Outcome>) -> bool) {
        let count = self.sandboxes().filter(|(sandbox, outcome)| holds(sandbox, *outcome)).count();
        self.one(out, Number::Unsigned(count as u64));
    }

    fn each(&self, out: &mut Exposition, number: fn(&Sandbox, Option<&Outcome>) -> Number) {
        for (sandbox, outcome) in self.sandboxes() {
            let number = number(sandbox, outcome);
            out.sample("", (&sandbox.labels, &[]), None, number, self.collection.started_at);
        }
    }

    /// A family whose labels say everything.
    fn words(&self, out: &mut Exposition, labels: fn(&Sandbox) -> &[Label]) {
        for (sandbox, _) in self.sandboxes() {
            let words: Vec<&Label> = labels(sandbox).iter().collect();
            let one = Number::Integer(1);
            out.sample("", (&sandbox.labels, &words), None, one, self.collection.started_at);
        }
    }
}

fn write_capabilities(scrape: &Scrape<'_>, out: &mut Exposition) {
    let is_shown = |name: &str| {
        scrape
            .capabilities
            .is_none_or(|filter| filter.is_match(&format!("CAP_{name}")) || filter.is_match(name))
    };
    let shown: Vec<Option<Label>> = CAPABILITIES
        .iter()
        .map(|name| is_shown(name).then(|| Label::new("capability", name)))
        .collect();
    for (sandbox, _) in scrape.sandboxes() {
        for (number, label) in shown.iter().enumerate() {
            if let Some(label) = label
                && sandbox.capabilities & (1 << number) != 0
            {
                let labels: (&[Label], &[&Label]) = (&sandbox.labels, &[label]);
                out.sample("", labels, None, Number::Integer(1), scrape.collection.started_at);
            }
        }
    }
}

fn write_scrapes(scrape: &Scrape<'_>, out: &mut Exposition) {
    let at = scrape.collection.started_at;
    let (counts, sum) = scrape.counters.scrapes();
    let bounds = SCRAPE_BOUNDS_MS.iter().map(|bound| {
        let seconds = std::time::Duration::from_millis(*bound).as_secs_f64();
        Number::Float(seconds)
    });
    let mut total = 0;
    for (bound, count) in bounds.chain([Number::Float(f64::INFINITY)]).zip(counts) {
        total += count;
        out.sample("_bucket", (&[], &[]), Some(bound), Number::Unsigned(total), at);
    }
    out.sample("_sum", (&[], &[]), None, Number::Float(sum), at);
    out.sample("_count", (&[], &[]), None, Number::Unsigned(total), at);
}

/// A sandbox that was not asked yet counts as running: it ran when it was found.
fn is_running(outcome: Option<&Outcome>) -> bool {
    !matches!(outcome, Some(Outcome::Ended))
}

fn truth(holds: bool) -> Number {
    Number::Integer(i64::from(holds))
}

/// A time as Unix seconds; exact to the microsecond, as floats are.
fn seconds(at: Timestamp) -> Number {
    Number::Float(at.as_duration().as_secs_f64())
}

#[cfg(test)]
mod tests;
