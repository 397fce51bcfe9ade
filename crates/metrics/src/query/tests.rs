//! What a request asks for, by example.

use super::*;

#[test]
fn a_question_mark_that_was_encoded_is_one() {
    let route = |path, query| route(path, query);
    let pair = |path: &str, query: &str| (path.to_owned(), query.to_owned());
    assert_eq!(route("/metrics", Some("a=b")), pair("/metrics", "a=b"));
    assert_eq!(route("/metrics%3Fa=b&c=%2525", None), pair("/metrics", "a=b&c=%25"));
    assert_eq!(route("/other%3Fa=b", None), pair("/other?a=b", ""));
}

#[test]
fn forms_are_decoded_and_the_first_value_counts() {
    assert_eq!(value("root=%2Frun%2Ba+b&root=x", "root"), "/run+a b");
    assert_eq!(value("a=1&b", "b"), "");
    assert_eq!(value("", "root"), "");
    assert_eq!(value("root=%zz%4", "root"), "%zz%4");
    assert_eq!(value("root=%+1", "root"), "% 1");
}

#[test]
fn filters_are_not_anchored_and_must_compile() {
    let query = "runsc-sandbox-metrics-filter=fs_.*&runsc-capability-filter=";
    let both = filters(query).expect("valid");
    assert!(both.metrics.expect("given").is_match("gofer_fs_opens"));
    assert!(both.capabilities.is_none());
    let message = |query: &str| filters(query).expect_err("invalid");
    assert_eq!(
        message("runsc-sandbox-metrics-filter=("),
        "provided metric filter is not a valid regular expression"
    );
    assert_eq!(
        message("runsc-capability-filter=%5B"),
        "provided capability filter is not a valid regular expression"
    );
    let long = format!("runsc-sandbox-metrics-filter={}", "a".repeat(1_025));
    assert!(message(&long).contains("longer than 1024 bytes"));
    let large = "runsc-sandbox-metrics-filter=%5CpL%7B900%7D%7B900%7D";
    assert!(message(large).contains("not a valid"), "a filter that would take much memory");
}

#[test]
fn a_tenth_of_the_scrapers_patience_is_left() {
    let most = Duration::from_secs(30);
    for (text, expected) in [
        (None, 30.0),
        (Some("10"), 9.0),
        (Some("0.5"), 0.45),
        (Some("1000"), 30.0),
        (Some("-1"), 30.0),
        (Some("NaN"), 30.0),
        (Some("0"), 30.0),
        (Some("1e300"), 30.0),
        (Some("x"), 30.0),
    ] {
        let got = patience(text, most).as_secs_f64();
        assert!((got - expected).abs() < 1e-6, "{text:?}: expected {expected}, got {got}");
    }
}

#[test]
fn the_scraper_chooses_format_and_packing() {
    let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,\
        application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
    assert_eq!(format(Some(prometheus)), Format::OpenMetrics);
    assert_eq!(format(Some("application/openmetrics-text; version=0.0.1")), Format::Text);
    assert_eq!(format(Some("text/plain, application/openmetrics-text;q=0.2")), Format::Text);
    assert_eq!(format(Some("*/*")), Format::Text);
    assert_eq!(format(None), Format::Text);
    assert_eq!(packing(Some("gzip")), Packing::Gzip);
    assert_eq!(packing(Some("gzip, deflate, br, zstd")), Packing::Zstd);
    assert_eq!(packing(Some("gzip;q=1, zstd;q=0.5")), Packing::Gzip);
    assert_eq!(packing(Some("gzip;q=0")), Packing::Plain);
    assert_eq!(packing(None), Packing::Plain);
}
