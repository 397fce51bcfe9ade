//! What honest fakes register and answer, in runsc's form.

use std::fmt::Write as _;

use regex::Regex;

use super::now;

/// How many points an idle sandbox answers, as a real one that sleeps.
pub const IDLE_POINTS: usize = 9;
/// How many metrics runsc of 2026 registers.
const METRICS: usize = 178;
/// How many values the longest label has: one for each system call and some.
const LABEL_VALUES: usize = 500;

/// The JSON of `registeredMetrics`.
pub(super) fn registration() -> String {
    let mut text = String::from("{\"metrics\":[");
    for index in 0..METRICS {
        let _ = write!(
            text,
            "{{\"name\":\"/work/{index}\",\"prometheus_name\":\"{}\",\"description\":\"{}\",\
             \"cumulative\":true}},",
            name(index),
            help(index)
        );
    }
    text += "{\"name\":\"/calls\",\"prometheus_name\":\"unimplemented_syscalls\",\"description\":\
             \"Number of times the application tried to call an unimplemented syscall.\",\
             \"cumulative\":true,\"fields\":[{\"field_name\":\"sysno\",\"allowed_values\":[";
    let values: Vec<String> = (0..LABEL_VALUES).map(|value| format!("\"{value}\"")).collect();
    text += &values.join(",");
    text += "]}]}],\"stages\":[\"task_start\"]}";
    text
}

/// Stands for the number of the call in a [`Template`]; no text of an answer holds it.
const CALL: char = '@';

/// The points of an honest answer, ready but for their values.
pub(super) struct Template {
    /// What stands before and between the values.
    pieces: Vec<Box<str>>,
}

impl Template {
    /// Those of an idle sandbox.
    pub(super) fn idle() -> Self {
        Self::split(&join((0..IDLE_POINTS).map(|index| point(index, "@"))))
    }

    /// Those of a sandbox that does everything.
    pub(super) fn busy() -> Self {
        let work = (0..METRICS).map(|index| point(index, "@"));
        Self::split(&join(work.chain((0..LABEL_VALUES).map(call_point))))
    }

    /// Writes the whole answer to one call over what `out` held; counters grow with each call. A
    /// filter leaves out points whose names do not fit, as runsc does.
    pub(super) fn write(&self, call: i64, filter: Option<&Regex>, out: &mut Vec<u8>) {
        out.clear();
        let value = (100 + call).to_string();
        let (before, after) = around();
        out.extend_from_slice(before.as_bytes());
        match filter {
            None => {
                for (index, piece) in self.pieces.iter().enumerate() {
                    if index > 0 {
                        out.extend_from_slice(value.as_bytes());
                    }
                    out.extend_from_slice(piece.as_bytes());
                }
            }
            Some(_) => {
                let points = self.pieces.join(&*value);
                out.extend_from_slice(fitting(&points, filter).as_bytes());
            }
        }
        out.extend_from_slice(after.as_bytes());
    }

    fn split(points: &str) -> Self {
        Self { pieces: points.split(CALL).map(Into::into).collect() }
    }
}

fn join(points: impl Iterator<Item = String>) -> String {
    points.collect::<Vec<_>>().join(",")
}

/// The filter of a request, which honest sandboxes keep to; `None`: all is asked for.
pub(super) fn requested_filter(request: &[u8]) -> Option<Regex> {
    let request: serde_json::Value = serde_json::from_slice(request).ok()?;
    let text = request["arg"]["only_metrics"].as_str().filter(|text| !text.is_empty())?;
    Regex::new(text).ok()
}

/// The points whose names fit a filter.
fn fitting(points: &str, filter: Option<&Regex>) -> String {
    let Some(filter) = filter else { return points.to_owned() };
    let name = |point: &str| {
        let (_, rest) = point.split_once("\"name\":\"")?;
        rest.split_once('"').map(|(name, _)| name.to_owned())
    };
    let split = points.replace("},{\"metric\"", "}\n{\"metric\"");
    let fitting =
        split.lines().filter(|point| name(point).is_some_and(|name| filter.is_match(&name)));
    fitting.collect::<Vec<_>>().join(",")
}

/// A whole answer around points.
pub(super) fn reply(points: &str) -> String {
    let (before, after) = around();
    [&before, points, after].concat()
}

/// What stands before and after the points of an answer that is given now.
fn around() -> (String, &'static str) {
    let before = format!(
        "{{\"success\":true,\"err\":\"\",\"result\":{{\"snapshot\":{{\"when\":\"{}\",\"data\":[",
        now()
    );
    (before, "]}}}")
}

/// The points of an idle sandbox, counters growing with each call.
pub(super) fn idle(call: i64) -> String {
    join((0..IDLE_POINTS).map(|index| point(index, &(100 + call).to_string())))
}

/// One point of the metric with a label; its value stands for the call.
fn call_point(value: usize) -> String {
    format!(
        "{{\"metric\":{{\"name\":\"unimplemented_syscalls\",\"type\":2,\"help\":\"Number of \
         times the application tried to call an unimplemented syscall.\"}},\
         \"labels\":{{\"sysno\":\"{value}\"}},\"val\":{{\"int\":{CALL}}}}}"
    )
}

/// One point of a registered counter.
pub(super) fn point(index: usize, value: &str) -> String {
    format!(
        "{{\"metric\":{{\"name\":\"{}\",\"type\":2,\"help\":\"{}\"}},\"val\":{{\"int\":{value}}}}}",
        name(index),
        help(index)
    )
}

fn name(index: usize) -> String {
    format!("netstack_some_layer_work_done_{index:03}")
}

fn help(index: usize) -> String {
    format!("Number of times that work of kind {index} was done by some layer of the network.")
}
