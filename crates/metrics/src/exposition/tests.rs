//! Both formats, read back by a strict reader.

use super::*;

fn at() -> Timestamp {
    "2026-11-20T10:00:00.25Z".parse().expect("a time")
}

fn example(format: Format) -> String {
    let mut out = Exposition::new(format, Timestamps::Keep, 0);
    out.comment("one\nline \u{7} only");
    let sandbox = [Label::new("pod_name", "a\"b\\c\nd"), Label::new("sandbox", "s1")];
    let (first, last) = (Label::new("entry", "x"), Label::new("sysno", "3"));
    out.family("runsc_opens", "Opens \\ of\n\"files\".", FamilyKind::Counter);
    out.sample("", (&sandbox, &[&first, &last]), None, Number::Integer(7), at());
    out.family("runsc_empty", "Nothing.", FamilyKind::Gauge);
    out.family("runsc_starts_total", "Starts.", FamilyKind::Counter);
    out.sample("", (&[], &[]), None, Number::Integer(1), at());
    out.family("runsc_wait", "", FamilyKind::Histogram);
    for (bound, count) in [(Number::Integer(5), 2), (Number::Float(f64::INFINITY), 3)] {
        out.sample("_bucket", (&sandbox, &[]), Some(bound), Number::Unsigned(count), at());
    }
    out.sample("_sum", (&sandbox, &[]), None, Number::Float(0.5), at());
    out.sample("_count", (&sandbox, &[]), None, Number::Unsigned(3), at());
    String::from_utf8(out.finish()).expect("UTF-8")
}

#[test]
fn text_is_as_the_format_0_0_4_has_it() {
    let text = example(Format::Text);
    let expected = "# one line   only\n\
        # HELP runsc_opens Opens \\\\ of\\n\"files\".\n\
        # TYPE runsc_opens counter\n\
        runsc_opens{entry=\"x\",pod_name=\"a\\\"b\\\\c\\nd\",sandbox=\"s1\",sysno=\"3\"} \
        7 1795168800250\n\
        # HELP runsc_starts_total Starts.\n\
        # TYPE runsc_starts_total counter\n\
        runsc_starts_total 1 1795168800250\n";
    assert!(text.starts_with(expected), "{text}");
    assert!(text.contains("sandbox=\"s1\",le=\"5\"} 2 1795168800250\n"), "{text}");
    strict::read(Format::Text, &text).expect("a strict reader accepts it");
}

#[test]
fn open_metrics_keeps_the_names_of_series() {
    let text = example(Format::OpenMetrics);
    assert!(text.starts_with("# HELP runsc_opens Opens \\\\ of\\n\\\"files\\\".\n"), "{text}");
    assert!(text.contains("# TYPE runsc_opens unknown\nrunsc_opens{"), "{text}");
    assert!(text.contains("# TYPE runsc_starts counter\nrunsc_starts_total 1 "), "{text}");
    assert!(text.contains(",le=\"5.0\"} 2 1795168800.250\n"), "{text}");
    let text_series = strict::read(Format::Text, &example(Format::Text)).expect("text");
    let series = strict::read(Format::OpenMetrics, &text).expect("OpenMetrics");
    assert_eq!(series.len(), text_series.len());
}

#[test]
fn a_family_whose_names_are_taken_gets_none() {
    let mut names = Names::default();
    assert!(names.claim("a", FamilyKind::Histogram));
    for taken in ["a", "a_bucket", "a_sum", "a_count"] {
        assert!(!names.claim(taken, FamilyKind::Gauge), "{taken}");
    }
    assert!(names.claim("a_max", FamilyKind::Gauge));
    assert!(names.claim("b", FamilyKind::Gauge));
    assert!(!names.claim("b_total", FamilyKind::Counter), "its family is b in OpenMetrics");
}

#[test]
fn times_can_be_left_out() {
    let mut out = Exposition::new(Format::Text, Timestamps::Drop, 0);
    out.family("a", "", FamilyKind::Gauge);
    out.sample("", (&[], &[]), None, Number::Integer(1), at());
    assert_eq!(out.finish(), b"# TYPE a gauge\na 1\n");
}
