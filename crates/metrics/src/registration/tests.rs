//! Registrations, good and bad, by example.

use super::*;

#[track_caller]
fn check(metrics: &str, expected: &str) {
    let text = format!("{{\"metrics\":[{metrics}],\"stages\":[\"boot\"]}}");
    let got = match Registration::parse(text.as_bytes()) {
        Ok(_) => "accepted".to_owned(),
        Err(error) => error.to_string(),
    };
    assert!(got.contains(expected), "{metrics}\nexpected: {expected}\ngot: {got}");
}

fn named(name: &str) -> String {
    format!("{{\"name\":\"/x\",\"prometheus_name\":\"{name}\"}}")
}

#[test]
fn each_kind_of_metric_is_read_and_sorted() {
    let text = br#"{"metrics":[
        {"name":"/z","prometheus_name":"z","description":"Z.","cumulative":true,"sync":true},
        {"name":"/h","prometheus_name":"h","type":1,"distribution_bucket_lower_bounds":[0,10]},
        {"name":"/g","prometheus_name":"g","units":1,"newer":{"a":[1]},"fields":[
            {"field_name":"a","allowed_values":["x","y","z"]},
            {"field_name":"b","allowed_values":["1","2"]}]}]}"#;
    let registration = Registration::parse(text).expect("valid");
    let kinds: Vec<(&str, Kind)> =
        registration.definitions.iter().map(|d| (&*d.name, d.kind)).collect();
    assert_eq!(kinds, [("g", Kind::Gauge), ("h", Kind::Histogram), ("z", Kind::Counter)]);
    let (_, gauge) = registration.find("g").expect("registered");
    assert_eq!(gauge.combination_count, 6);
    let mut labels = Vec::new();
    gauge.labels(3, &mut labels);
    assert_eq!(labels, [&Label::new("a", "y"), &Label::new("b", "2")]);
    assert!(registration.find("y").is_none());
}

#[test]
fn what_cannot_stand_beside_other_sandboxes_is_refused() {
    check(&named("abc_1"), "accepted");
    check(&format!("{},{}", named("a"), named("a")), "registered twice");
    check(&named(""), "no name");
    check(r#"{"prometheus_name":"a"}"#, "no name");
    check(&named("meta_a"), "reserved for the metric server");
    for name in PROCESS_NAMES {
        check(&named(name), "reserved for processes");
    }
    for name in ["Ab", "1a", "_a", "a-b", "a:b", "é", "a b"] {
        check(&named(name), "a to z");
    }
    let with = |rest: &str| format!("{{\"name\":\"/x\",\"prometheus_name\":\"x\",{rest}}}");
    check(&with(r#""type":2"#), "type is unknown");
    check(&with(r#""type":-1"#), "type is unknown");
    check(&with(r#""type":1"#), "bounds");
    check(&with(r#""type":1,"distribution_bucket_lower_bounds":[2,1]"#), "do not rise");
    let bounds: Vec<String> = (0..256).map(|bound| bound.to_string()).collect();
    let with_bounds = |count: usize| {
        with(&format!(
            "\"type\":1,\"distribution_bucket_lower_bounds\":[{}]",
            bounds[..count].join(",")
        ))
    };
    check(&with_bounds(255), "accepted");
    check(&with_bounds(256), "1 to 255");
    check(&with(r#""name":"/y""#), "registered metrics");
}

#[test]
fn fields_that_do_not_make_labels_are_refused() {
    let with = |fields: &str| {
        format!("{{\"name\":\"/x\",\"prometheus_name\":\"x\",\"fields\":[{fields}]}}")
    };
    let field = |name: &str, values: &str| {
        format!("{{\"field_name\":\"{name}\",\"allowed_values\":[{values}]}}")
    };
    check(&with(&field("a", r#""1","2""#)), "accepted");
    check(&with(&field("a", "")), "no values");
    check(&with(r#"{"field_name":"a"}"#), "no values");
    check(&with(&field("a", r#""1","1""#)), "value twice");
    check(&with(&format!("{0},{0}", field("a", r#""1""#))), "field stands there twice");
    for name in RESERVED_LABELS {
        check(&with(&field(name, r#""1""#)), "reserved for the sandbox");
    }
    for name in ["", "1a", "__a", "a-b"] {
        check(&with(&field(name, r#""1""#)), "not one of a label");
    }
    let thousand: Vec<String> = (0..1_001).map(|value| format!("\"{value}\"")).collect();
    let (a, b) = (field("a", &thousand.join(",")), field("b", &thousand.join(",")));
    check(&with(&format!("{a},{b}")), "too many combinations");
}

#[test]
fn broken_text_is_an_error() {
    for text in ["", "[]", "{", r#"{"metrics":{}}"#, r#"{"metrics":[null]}"#] {
        assert!(Registration::parse(text.as_bytes()).is_err(), "{text}");
    }
    assert!(Registration::parse(b"{}").expect("nothing is measured").definitions.is_empty());
}
