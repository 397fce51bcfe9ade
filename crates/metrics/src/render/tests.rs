//! Whole answers over sandboxes of two runtimes that do not agree, read back strictly.

use std::sync::Arc;

use super::*;
use crate::collect::Collection;
use crate::discovery::Table;
use crate::exposition::strict;
use crate::process::Process;
use crate::registration::Registration;
use crate::sandbox::{Found, Memory};
use crate::state_file::{self, ContainerName};

const ONE: &str = r#"{"metrics":[
    {"name":"/a","prometheus_name":"a","description":"One's \\ \"a\".","cumulative":true,"fields":[
        {"field_name":"z","allowed_values":["\"","\\"]},
        {"field_name":"b","allowed_values":["\n"]}]},
    {"name":"/h","prometheus_name":"h","type":1,"distribution_bucket_lower_bounds":[-5,10]},
    {"name":"/t","prometheus_name":"t_total","cumulative":true},
    {"name":"/x","prometheus_name":"x"}]}"#;
const OTHER: &str = r#"{"metrics":[
    {"name":"/a","prometheus_name":"a","description":"Another's.","cumulative":true},
    {"name":"/hs","prometheus_name":"h_sum"},
    {"name":"/hm","prometheus_name":"h_min"},
    {"name":"/t","prometheus_name":"t"},
    {"name":"/x","prometheus_name":"x","cumulative":true}]}"#;

fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000 + milliseconds).expect("a time")
}

fn sandbox(id: &str, registration: &str) -> Arc<Sandbox> {
    let state = format!(
        r#"{{"id":"{id}","createdAt":"2026-11-21T04:57:26.5Z","spec":{{"ociVersion":"1\"0",
        "process":{{"user":{{"uid":5}},"capabilities":{{"ambient":["CAP_CHOWN","CAP_BPF"]}}}}}},
        "sandbox":{{"id":"{id}","podName":"p\n{id}","metricMetadata":{{"go":"1","9":"no",
        "sandbox":"no","le gal":"no"}}}}}}"#
    );
    let name = ContainerName { sandbox: id.into(), container: id.into() };
    let (container, _) = state_file::parse(&name, state.as_bytes()).expect("valid");
    let container = Arc::new(container);
    let pid = i32::try_from(std::process::id()).expect("a process id");
    let found = Found {
        id: id.into(),
        root_index: 0,
        process: Process::find(pid).expect("it is us"),
        registration: Arc::new(Registration::parse(registration.as_bytes()).expect("valid")),
        memory: Arc::new(Memory::new()),
    };
    let folder = std::path::Path::new("/r");
    Arc::new(Sandbox::new(found, &container, &[Arc::clone(&container)], folder, None))
}

/// Every metric of a sandbox with its first combination; histograms count 1, 2 and 3.
fn snapshot(sandbox: &Sandbox, value: i64) -> Outcome {
    let names = ["a", "h", "h_min", "h_sum", "t", "t_total", "x"];
    let found = names.iter().filter_map(|name| sandbox.registration.find(name));
    let points = found.map(|(definition, about)| Point {
        definition,
        combination: 0,
        value: match about.kind {
            Kind::Histogram => Value::Histogram(Box::new(Histogram {
                total: Number::Integer(77),
                min: Number::Integer(-7),
                max: Number::Integer(70),
                ssd: Number::Float(1.5),
                counts: Box::new([1, 2, 3]),
                count: 6,
            })),
            Kind::Gauge | Kind::Counter => Value::Number(Number::Integer(value)),
        },
    });
    Outcome::Snapshot(Snapshot { taken_at: at(value), points: points.collect() })
}

fn answer(format: Format, capabilities: Option<&Regex>) -> String {
    let sandboxes = vec![sandbox("one", ONE), sandbox("other", OTHER), sandbox("silent", ONE)];
    let outcomes = vec![
        Some(snapshot(&sandboxes[0], 11)),
        Some(snapshot(&sandboxes[1], 22)),
        Some(Outcome::LeftOut),
    ];
    let table = Table { sandboxes, total: 5, refused: [0; 8] };
    let body = render(&Scrape {
        collection: &Collection::of(table, at(0), outcomes),
        counters: &Counters::default(),
        prefix: "runsc_",
        comment: "hello",
        capabilities,
        started_at: at(-1),
        lag: 0.5,
        format,
        timestamps: Timestamps::Keep,
    });
    String::from_utf8(body).expect("UTF-8")
}

#[test]
fn both_formats_are_accepted_by_a_strict_reader_and_agree() {
    let text = strict::read(Format::Text, &answer(Format::Text, None)).expect("text");
    let open = answer(Format::OpenMetrics, None);
    let open = strict::read(Format::OpenMetrics, &open).expect("OpenMetrics");
    let plain: Vec<&String> = text.keys().filter(|key| !key.contains("le=")).collect();
    let same: Vec<&String> = open.keys().filter(|key| !key.contains("le=")).collect();
    assert_eq!(plain, same);
    assert_eq!(text.len(), open.len());
}

#[test]
fn histograms_are_added_up_and_their_ends_stand_apart() {
    let text = answer(Format::Text, None);
    let series = strict::read(Format::Text, &text).expect("text");
    let of = |name: &str, le: &str| {
        let found = series.iter().find(|(key, _)| {
            key.starts_with(&format!("{name}{{"))
                && key.contains("sandbox=\"one\"")
                && key.contains(le)
        });
        found.map(|(_, value)| value.as_str())
    };
    assert_eq!(of("runsc_h_bucket", "le=\"-5\""), Some("1"));
    assert_eq!(of("runsc_h_bucket", "le=\"10\""), Some("3"));
    assert_eq!(of("runsc_h_bucket", "le=\"+Inf\""), Some("6"));
    assert_eq!((of("runsc_h_sum", ""), of("runsc_h_count", "")), (Some("77"), Some("6")));
    assert_eq!((of("runsc_h_max", ""), of("runsc_h_ssd", "")), (Some("70"), Some("1.5")));
    assert!(text.contains("# TYPE runsc_h_max gauge\n"));
}

#[test]
fn sandboxes_of_two_runtimes_cannot_spoil_each_others_names() {
    let text = answer(Format::Text, None);
    assert!(text.contains("# HELP runsc_a One's"), "the first one by id says what it means");
    assert!(text.contains("runsc_a{iteration=") && text.contains(",sandbox=\"other\"} 22 "));
    let gauge = text.lines().filter(|line| line.starts_with("runsc_x{"));
    assert_eq!(gauge.count(), 1, "a counter of that name is another thing");
    assert!(!text.contains("runsc_h_sum{iteration=\"x"), "taken by the histogram");
    // x of another kind; h_sum and the second h_min; t_total, whose family is t in OpenMetrics.
    assert!(text.contains("\npratique_sandbox_families_dropped 4 "), "{text}");
}

#[test]
fn a_silent_sandbox_keeps_what_its_state_says() {
    let text = answer(Format::Text, Some(&Regex::new("^CAP_B|^CHO").expect("valid")));
    let silent = |name: &str| {
        let mut lines = text.lines().filter(|line| line.contains("sandbox=\"silent\""));
        lines.find(|line| line.starts_with(name)).map(str::to_owned)
    };
    for name in ["presence 1", "running 1", "creation_time_seconds 1795237046.5"] {
        let (name, value) = name.split_once(' ').expect("both");
        let line = silent(&format!("runsc_meta_sandbox_{name}")).expect(name);
        assert!(line.contains(&format!("}} {value} ")), "{line}");
    }
    assert!(silent("pratique_sandbox_breaker_open").is_some_and(|line| line.contains("} 1 ")));
    assert!(silent("pratique_sandbox_scrape_success").is_some_and(|line| line.contains("} 0 ")));
    let metadata = silent("runsc_meta_sandbox_metadata{go=\"1\",iteration=").expect("its words");
    assert!(!metadata.contains("no"), "{metadata}");
    let spec = silent("runsc_meta_spec_metadata").expect("its specification");
    assert!(spec.contains("hasuid0=\"false\"") && spec.contains("ociversion=\"1\\\"0\""), "{spec}");
    assert!(text.contains("capability=\"BPF\"") && text.contains("capability=\"CHOWN\""));
    assert!(text.contains("\nrunsc_meta_num_sandboxes_broken_metrics 1 "));
    assert!(text.contains("\nrunsc_meta_num_sandboxes_running 3 "));
    assert!(text.contains("\nrunsc_meta_num_sandboxes_total 5 "));
}
