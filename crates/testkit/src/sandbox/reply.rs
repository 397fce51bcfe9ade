//! What honest fakes register and answer, in runsc's form.

use std::fmt::Write as _;

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

/// A whole answer around points.
pub(super) fn reply(points: &str) -> String {
    format!(
        "{{\"success\":true,\"err\":\"\",\"result\":{{\"snapshot\":{{\"when\":\"{}\",\
         \"data\":[{points}]}}}}}}",
        now()
    )
}

/// The points of an idle sandbox, counters growing with each call.
pub(super) fn idle(call: i64) -> String {
    let points: Vec<String> =
        (0..IDLE_POINTS).map(|index| point(index, &(100 + call).to_string())).collect();
    points.join(",")
}

/// The points of a sandbox that does everything.
pub(super) fn busy(call: i64) -> String {
    let mut points: Vec<String> =
        (0..METRICS).map(|index| point(index, &(100 + call).to_string())).collect();
    points.extend((0..LABEL_VALUES).map(|value| {
        format!(
            "{{\"metric\":{{\"name\":\"unimplemented_syscalls\",\"type\":2,\"help\":\"Number of \
             times the application tried to call an unimplemented syscall.\"}},\
             \"labels\":{{\"sysno\":\"{value}\"}},\"val\":{{\"int\":{call}}}}}"
        )
    }));
    points.join(",")
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
