//! The JSON report against `docs/report.schema.json`, by the part of JSON Schema that it uses.

use std::path::Path;

use serde_json::Value;

use pratique_model::{Assessment, IndexReport};

use crate::{Answer, Format, Options, fixture, render};

/// Keywords that the checker knows; any other in the schema fails the test.
const KEYWORDS: [&str; 11] = [
    "$schema",
    "$defs",
    "$ref",
    "title",
    "description",
    "type",
    "const",
    "enum",
    "pattern",
    "required",
    "properties",
];

fn docs(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    std::fs::read_to_string(path).expect("the page is read")
}

fn json(report: &IndexReport, assessment: &Assessment) -> Value {
    let options =
        Options { now: Some(fixture::time("2026-11-21T02:00:00Z")), ..Options::default() };
    let mut out = Vec::new();
    render(Format::Json, &Answer::new(report, assessment, &options), &mut out).expect("memory");
    serde_json::from_slice(&out).expect("the report is JSON")
}

/// Whether `text` is of a pattern; the schema's patterns are few and spelled out here.
fn is_of(pattern: &str, text: &str) -> bool {
    let is_date = |text: &str| text.parse::<jiff::civil::Date>().is_ok() && text.len() == 10;
    match pattern {
        "^pkg:" => text.starts_with("pkg:"),
        "^sha256:[0-9a-f]{64}$" => text.parse::<pratique_model::Digest>().is_ok(),
        "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" => is_date(text),
        "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z$" => {
            text.parse::<jiff::Timestamp>().is_ok() && text.ends_with('Z')
        }
        other => panic!("the checker does not know the pattern {other}"),
    }
}

fn is_type(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the checker does not know the type {other}"),
    }
}

/// What is wrong with `value`, each with its place.
fn check(root: &Value, schema: &Value, value: &Value, place: &str, wrong: &mut Vec<String>) {
    let known = |key: &String| KEYWORDS.contains(&&**key) || key == "items";
    let keys = schema.as_object().expect("a schema is an object").keys();
    assert!(keys.clone().all(known), "a keyword that the checker does not know: {schema}");
    if let Some(target) = schema["$ref"].as_str() {
        let target = root.pointer(target.trim_start_matches('#')).expect("the reference exists");
        check(root, target, value, place, wrong);
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !types.is_empty() && !types.iter().any(|name| is_type(name, value)) {
        wrong.push(format!("{place}: {value} is not of {types:?}"));
    }
    if schema.get("const").is_some_and(|expected| expected != value) {
        wrong.push(format!("{place}: {value} is not {}", schema["const"]));
    }
    if schema["enum"].as_array().is_some_and(|allowed| !allowed.contains(value)) {
        wrong.push(format!("{place}: {value} is none of {}", schema["enum"]));
    }
    if let (Some(pattern), Some(text)) = (schema["pattern"].as_str(), value.as_str())
        && !is_of(pattern, text)
    {
        wrong.push(format!("{place}: {text:?} is not of {pattern}"));
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        if let Some(items) = schema.get("items") {
            check(root, items, item, &format!("{place}[{index}]"), wrong);
        }
    }
    let Some(fields) = value.as_object() else { return };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !fields.contains_key(name) {
            wrong.push(format!("{place}: `{name}` is missing"));
        }
    }
    for (name, field) in fields {
        match schema["properties"].get(name) {
            Some(of_field) => check(root, of_field, field, &format!("{place}.{name}"), wrong),
            // Fields may be added within a version, but not without the schema.
            None if schema.get("properties").is_some() => {
                wrong.push(format!("{place}: `{name}` is not in the schema"));
            }
            None => {}
        }
    }
}

fn wrong(report: &Value) -> Vec<String> {
    let schema: Value = serde_json::from_str(&docs("report.schema.json")).expect("a schema");
    let mut wrong = Vec::new();
    check(&schema, &schema, report, "report", &mut wrong);
    wrong
}

#[test]
fn reports_are_valid_by_the_schema_and_name_every_field() {
    let full = json(&fixture::report(), &fixture::assessment());
    assert_eq!(wrong(&full), [""; 0]);
    assert_eq!(wrong(&json(&IndexReport::default(), &Assessment::default())), [""; 0]);
    let purls: Vec<&Value> =
        full["packages"].as_array().expect("a list").iter().map(|one| &one["purl"]).collect();
    for finding in full["findings"].as_array().expect("a list") {
        assert!(purls.contains(&&finding["package"]), "{finding}");
    }
}

#[test]
fn the_schema_finds_what_is_wrong() {
    let mut report = json(&fixture::report(), &fixture::assessment());
    report["findings"][0]["severity"] = "severe".into();
    report["findings"][1]["advisory"] = Value::Null;
    report["suppressed"][0].as_object_mut().expect("an object").remove("reason");
    report["surprise"] = 1.into();
    let wrong = wrong(&report);
    assert_eq!(wrong.len(), 4, "{wrong:#?}");
}

#[test]
fn every_test_that_the_page_names_exists() {
    let page = docs("report.md");
    let sources = [
        include_str!("tests.rs"),
        include_str!("schema.rs"),
        include_str!("../csv.rs"),
        include_str!("../sbom/tests.rs"),
    ];
    let is_test = |name: &str| {
        let heading = format!("#[test]\nfn {name}(");
        let inner = format!("#[test]\n    fn {name}(");
        sources.iter().any(|source| source.contains(&heading) || source.contains(&inner))
    };
    let named: Vec<&str> =
        page.split('`').skip(1).step_by(2).filter(|word| word.matches('_').count() > 3).collect();
    assert!(named.len() > 12, "the page has lost its tests");
    for name in named {
        assert!(is_test(name), "the page names {name}, which is no test");
    }
}
