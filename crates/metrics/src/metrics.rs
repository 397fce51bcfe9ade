//! The server's own metrics: what each is called and means, and what is counted for them.
//!
//! Names and help texts of the `meta_` families are those of runsc's metric server; what Pratique
//! adds begins with `pratique_sandbox_`. They are written by hand, like the sandboxes' series, not
//! by a library: both stand sorted in one answer, and most are read off the sandboxes at the time
//! of the scrape.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

use crate::collect::Outcome;
use crate::discovery::FileReason;
use crate::exposition::{Exposition, FamilyKind, Label};
use crate::number::Number;
use crate::refusal::Reason;
use crate::render::Scrape;
use crate::state_file::CAPABILITIES;

/// Upper bounds of `pratique_sandbox_scrape_seconds`, in milliseconds: from a small node's scrape
/// to the longest.
const SCRAPE_BOUNDS_MS: [u64; 10] = [5, 10, 25, 50, 100, 250, 1_000, 2_500, 10_000, 30_000];

/// Counts that only rise.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    failures: [AtomicU64; Reason::ALL.len()],
    scrapes: [AtomicU64; SCRAPE_BOUNDS_MS.len() + 1],
    scrape_micros: AtomicU64,
}

impl Counters {
    /// An answer, or a series of one, was refused.
    pub(crate) fn failed(&self, reason: Reason) {
        self.failures[reason.index()].fetch_add(1, Ordering::Relaxed);
    }

    /// A collection ended after this time.
    pub(crate) fn scraped(&self, after: Duration) {
        let bucket = SCRAPE_BOUNDS_MS
            .iter()
            .position(|bound| after <= Duration::from_millis(*bound))
            .unwrap_or(SCRAPE_BOUNDS_MS.len());
        self.scrapes[bucket].fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(after.as_micros()).unwrap_or(u64::MAX);
        self.scrape_micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// Refusals with this reason.
    pub(crate) fn failures(&self, reason: Reason) -> u64 {
        self.failures[reason.index()].load(Ordering::Relaxed)
    }

    /// Collections by duration, not added up, and the sum of their durations in seconds.
    pub(crate) fn scrapes(&self) -> ([u64; SCRAPE_BOUNDS_MS.len() + 1], f64) {
        let counts = std::array::from_fn(|index| self.scrapes[index].load(Ordering::Relaxed));
        let sum = Duration::from_micros(self.scrape_micros.load(Ordering::Relaxed));
        (counts, sum.as_secs_f64())
    }
}

/// A family of the server's own.
pub(crate) struct Meta {
    /// Its name, without what [`META`] adds.
    pub(crate) name: &'static str,
    /// The sentence about it.
    pub(crate) help: &'static str,
    /// What its values are.
    pub(crate) kind: FamilyKind,
    /// Writes its samples.
    pub(crate) write: fn(&Scrape<'_>, &mut Exposition),
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
pub(crate) static META: [Meta; 16] = [
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
pub(crate) static OWN: [Meta; 7] = [
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
