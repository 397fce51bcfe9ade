//! The verifier and the resolver before it: by example, and against an oracle that is written as
//! the rules are, over text and maps, without the numbers that the product uses.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::reply::{RawPoint, read_export};
use crate::resolve::Resolver;

const REGISTRATION: &str = r#"{"metrics":[
    {"name":"/g","prometheus_name":"g","description":"G."},
    {"name":"/c","prometheus_name":"c","cumulative":true,"fields":[
        {"field_name":"x","allowed_values":["1","2"]},{"field_name":"a","allowed_values":["3"]}]},
    {"name":"/h","prometheus_name":"h","type":1,"distribution_bucket_lower_bounds":[0,10]}]}"#;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).expect("a time")
}

struct Bench {
    registration: Arc<Registration>,
    verifier: Verifier,
    mode: Mode,
}

impl Bench {
    fn new(mode: Mode) -> Self {
        let registration = Registration::parse(REGISTRATION.as_bytes()).expect("valid");
        Self { registration: Arc::new(registration), verifier: Verifier::default(), mode }
    }

    /// Gives an answer with these points, taken at one second and read at another.
    fn answer(&mut self, points: &str, taken: i64, now: i64) -> Result<usize, Reason> {
        let text = format!(
            "{{\"success\":true,\"result\":{{\"snapshot\":{{\"when\":\"{}\",\
             \"data\":[{points}]}}}}}}",
            at(taken)
        );
        let mut resolver = Resolver::new(Arc::clone(&self.registration), None, self.mode);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let mut sink = |point: &RawPoint| resolver.point(point);
        let taken_at = runtime
            .block_on(read_export(text.as_bytes(), &mut sink))
            .map_err(|refusal| refusal.reason)?;
        let mut resolved = resolver.finish();
        let registration = &self.registration;
        self.verifier
            .verify(registration, &mut resolved, taken_at, at(now), self.mode)
            .map(|snapshot| snapshot.points.len())
            .map_err(|refusal| refusal.reason)
    }
}

fn gauge(value: &str) -> String {
    format!("{{\"metric\":{{\"name\":\"g\",\"type\":1,\"help\":\"G.\"}},\"val\":{value}}}")
}

fn counter(x: &str, value: &str) -> String {
    format!(
        "{{\"metric\":{{\"name\":\"c\",\"type\":2}},\
         \"labels\":{{\"a\":\"3\",\"x\":\"{x}\"}},\"val\":{value}}}"
    )
}

fn histogram(min: &str, max: &str, ssd: &str, counts: [u64; 3]) -> String {
    let [first, second, third] = counts;
    format!(
        "{{\"metric\":{{\"name\":\"h\",\"type\":3}},\"histogram\":{{\"total\":{{\"int\":7}},\
         \"min\":{min},\"max\":{max},\"ssd\":{ssd},\"buckets\":[{{\"le\":{{}},\"n\":{first}}},\
         {{\"le\":{{\"int\":10}},\"n\":{second}}},\
         {{\"le\":{{\"float\":\"+Inf\"}},\"n\":{third}}}]}}}}"
    )
}

#[track_caller]
fn check(bad: &str, reason: Reason) {
    let mut bench = Bench::new(Mode::Snapshot);
    let good = [
        gauge("{\"int\":-5}"),
        counter("1", "{\"int\":5}"),
        histogram("{\"int\":2}", "{\"int\":20}", "{\"float\":4.5}", [0, 1, 2]),
    ]
    .join(",");
    assert_eq!(bench.answer(&good, 0, 0), Ok(3), "{good}");
    assert_eq!(bench.answer(bad, 1, 1), Err(reason), "{bad}");
    assert_eq!(bench.answer(&good, 2, 2), Ok(3), "the next good one after {bad}");
    let mut bench = Bench::new(Mode::Series);
    assert_eq!(bench.answer(&good, 0, 0), Ok(3));
    let with_gauge = format!("{bad},{}", gauge("{}"));
    let kept = bench.answer(&with_gauge, 1, 1).expect("only the series is dropped");
    assert!(kept >= 1, "{bad}");
    assert_eq!(bench.answer(&good, 2, 2), Ok(3), "the next good one after {bad}");
}

#[test]
fn each_fault_is_refused_for_its_reason_and_forgotten() {
    check(r#"{"metric":{"name":"z","type":1},"val":{}}"#, Reason::UnknownMetric);
    check(&gauge("{}").replace("G.", "g."), Reason::Definition);
    check(&gauge("{}").replace("\"type\":1", "\"type\":2"), Reason::Definition);
    check(&counter("3", "{\"int\":9}"), Reason::Labels);
    check(&counter("1", "{\"int\":9}").replace("\"a\":\"3\",", ""), Reason::Labels);
    check(&counter("1", "{\"int\":9}").replace("\"a\":", "\"b\":"), Reason::Labels);
    check(&gauge("{}").replace("\"val\"", "\"labels\":{\"x\":\"1\"},\"val\""), Reason::Labels);
    let twice = format!("{0},{0}", counter("1", "{\"int\":5}"));
    check(&twice, Reason::Duplicate);
    check(&gauge("{\"float\":0.5}"), Reason::Value);
    check(&gauge("{}").replace(",\"val\":{}", ""), Reason::Value);
    check(&counter("1", "{\"int\":4}"), Reason::Decrease);
    check(&counter("1", "{\"float\":4.0}"), Reason::Decrease);
    check(&counter("2", "{\"int\":-1}"), Reason::Decrease);
    check(&counter("1", "{}"), Reason::Decrease);
    let (two, twenty, ssd) = ("{\"int\":2}", "{\"int\":20}", "{\"float\":4.5}");
    check(&histogram(two, twenty, ssd, [0, 0, 3]), Reason::Decrease);
    check(&histogram("{\"int\":3}", twenty, ssd, [0, 1, 2]), Reason::Decrease);
    check(&histogram(two, "{\"int\":19}", ssd, [0, 1, 2]), Reason::Decrease);
    check(&histogram(two, twenty, "{\"float\":4.4}", [0, 1, 2]), Reason::Decrease);
    check(&histogram(two, twenty, "{\"int\":5}", [0, 1, 2]), Reason::Value);
    check(&histogram(two, twenty, "{\"float\":-1.5}", [0, 1, 2]), Reason::Value);
    check(&histogram("{\"float\":1.5}", twenty, ssd, [0, 1, 2]), Reason::Value);
    check(&histogram("{\"int\":21}", twenty, ssd, [0, 1, 2]), Reason::Value);
    check(&histogram(two, twenty, ssd, [u64::MAX, 1, 2]), Reason::Value);
    let bound = histogram(two, twenty, ssd, [0, 1, 2]).replace("\"int\":10", "\"int\":11");
    check(&bound, Reason::Value);
    let finite = histogram(two, twenty, ssd, [0, 1, 2]).replace("\"float\":\"+Inf\"", "\"int\":99");
    check(&finite, Reason::Value);
}

#[test]
fn time_does_not_run_backwards_and_is_not_made_up() {
    let mut bench = Bench::new(Mode::Snapshot);
    let point = gauge("{}");
    assert_eq!(bench.answer(&point, 1, 0), Err(Reason::Future));
    assert_eq!(bench.answer(&point, 0, 11), Err(Reason::Stale));
    assert_eq!(bench.answer(&point, 0, 10), Ok(1));
    assert_eq!(bench.answer(&point, 5, 10), Ok(1));
    assert_eq!(bench.answer(&point, 4, 10), Err(Reason::Stale));
    assert_eq!(bench.answer(&point, 5, 10), Ok(1), "the same time again is none earlier");
}

#[test]
fn counters_that_were_not_asked_for_are_remembered() {
    let mut bench = Bench::new(Mode::Snapshot);
    assert_eq!(bench.answer(&counter("1", "{\"int\":5}"), 0, 0), Ok(1));
    assert_eq!(bench.answer(&gauge("{}"), 1, 1), Ok(1));
    assert_eq!(bench.answer(&counter("1", "{\"int\":4}"), 2, 2), Err(Reason::Decrease));
    assert_eq!(bench.answer(&counter("1", "{\"float\":5.0}"), 3, 3), Ok(1));
}

#[test]
fn the_first_observation_may_be_half_recorded() {
    let mut bench = Bench::new(Mode::Snapshot);
    let first = histogram("{\"int\":5}", "{}", "{}", [0, 1, 0]);
    assert_eq!(bench.answer(&first, 0, 0), Ok(1));
    let then = histogram("{\"int\":5}", "{\"int\":5}", "{}", [0, 1, 0]);
    assert_eq!(bench.answer(&then, 1, 1), Ok(1));
}

/// What the oracle remembers: the text of each series and its last value.
#[derive(Clone, Default)]
struct Oracle {
    taken: Option<i64>,
    counters: BTreeMap<String, f64>,
}

/// One point that proptest made: which series, its value, and how it is written.
type Drawn = (u8, i32, bool);

impl Oracle {
    fn answer(&mut self, points: &[Drawn], taken: i64, now: i64) -> bool {
        let is_timely = taken <= now && now - taken <= 10 && self.taken.is_none_or(|t| taken >= t);
        let mut seen: Vec<String> = Vec::new();
        let mut counters = self.counters.clone();
        for (series, value, _) in points {
            let name = match series {
                0 => "gauge".to_owned(),
                1 | 2 => format!("counter {series}"),
                _ => return false,
            };
            if seen.contains(&name) {
                return false;
            }
            seen.push(name.clone());
            if *series > 0 {
                let last = self.counters.get(&name).copied().unwrap_or(0.0);
                if f64::from(*value) < last {
                    return false;
                }
                counters.insert(name, f64::from(*value));
            }
        }
        if is_timely {
            *self = Self { taken: Some(taken), counters };
        }
        is_timely
    }
}

fn text(drawn: &Drawn) -> String {
    let (series, value, is_float) = *drawn;
    let value = match (value, is_float) {
        (0, _) => "{}".to_owned(),
        (_, true) => format!("{{\"float\":{value}}}"),
        (_, false) => format!("{{\"int\":{value}}}"),
    };
    match series {
        0 => gauge(&value),
        1 => counter("1", &value),
        2 => counter("2", &value),
        _ => counter("4", &value),
    }
}

proptest! {
    #[test]
    fn sequences_of_answers_end_as_the_oracle_says(
        answers in proptest::collection::vec(
            (
                proptest::collection::vec((0_u8..3, -1_i32..6, any::<bool>()), 0..4),
                -2_i64..12,
                0_i64..2,
                0_u8..20,
            ),
            1..12,
        ),
    ) {
        let mut bench = Bench::new(Mode::Snapshot);
        let mut oracle = Oracle::default();
        let mut now = 0;
        for (points, age, pause, oddity) in answers {
            now += pause;
            let mut points = points;
            if oddity == 0 {
                points.push((3, 1, false));
            }
            let texts: Vec<String> = points.iter().map(text).collect();
            let expected = oracle.answer(&points, now - age, now);
            let got = bench.answer(&texts.join(","), now - age, now);
            let case = format!("{points:?} at {now}, age {age}: {got:?}");
            prop_assert_eq!(got.is_ok(), expected, "{}", case);
        }
    }
}
