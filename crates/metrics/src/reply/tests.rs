//! Answers of honest and hostile senders, whole and cut.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::*;

/// Reads an answer; the result is each point's name and labels, or the refusal.
async fn read(text: &[u8]) -> Result<Vec<String>, Refusal> {
    let points = Arc::new(Mutex::new(Vec::new()));
    let sink_points = Arc::clone(&points);
    read_export(text, &mut |point: &RawPoint| {
        let number = point.number.map(|number| {
            let mut out = Vec::new();
            number.write(&mut out);
            String::from_utf8(out).expect("ASCII")
        });
        let line = format!("{} {} {:?} {number:?}", point.name, point.kind, point.labels());
        sink_points.lock().expect("one thread").push(line);
        Ok(())
    })
    .await?;
    Ok(std::mem::take(&mut points.lock().expect("one thread")))
}

fn export(data: &str) -> String {
    format!(
        "{{\"success\":true,\"err\":\"\",\"result\":{{\"snapshot\":{{\
         \"when\":\"2026-11-21T04:57:47.045146781Z\",\"data\":[{data}]}}}}}}"
    )
}

#[track_caller]
fn check(text: &str, expected: Result<&[&str], Reason>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let got = runtime.block_on(read(text.as_bytes()));
    match (got, expected) {
        (Ok(got), Ok(expected)) => assert_eq!(got, expected, "{text}"),
        (Err(got), Err(expected)) => assert_eq!(got.reason, expected, "{text}: {got}"),
        (got, expected) => panic!("{text}\nexpected: {expected:?}\ngot: {got:?}"),
    }
}

#[test]
fn points_of_an_honest_sandbox_are_read() {
    let point = r#"{"metric":{"name":"a","type":2,"help":"A."},
        "labels":{"x":"1\u00e9\n","y":""},"val":{"int":4}}"#;
    check(&export(point), Ok(&["a 2 [(\"x\", \"1é\\n\"), (\"y\", \"\")] Some(\"4\")"]));
    let two =
        r#"{"val":{},"metric":{"type":1,"name":"a"}} , {"metric":{"name":"b"},"new":[{"x":null}]}"#;
    check(&export(two), Ok(&["a 1 [] Some(\"0\")", "b 0 [] None"]));
    check(&export(""), Ok(&[]));
    let newer = export(point).replace("\"err\"", "\"newer\":{\"a\":[1,{}]},\"err\"");
    check(&newer, Ok(&["a 2 [(\"x\", \"1é\\n\"), (\"y\", \"\")] Some(\"4\")"]));
}

#[test]
fn a_sandbox_that_will_not_is_refused() {
    check(r#"{"success":false,"err":"unknown method","result":null}"#, Err(Reason::Refused));
    check(r#"{"success":true,"err":"","result":null}"#, Err(Reason::Decode));
    check(r#"{"success":true,"result":{}}"#, Err(Reason::Decode));
    check(r#"{"err":"","result":null}"#, Err(Reason::Decode));
}

#[test]
fn what_is_not_the_json_agreed_on_is_refused() {
    let point = r#"{"metric":{"name":"a","type":1},"val":{"int":1}}"#;
    let good = export(point);
    let doubled = [
        ("\"success\":true", "\"success\":true,\"success\":true"),
        ("\"val\":{\"int\":1}", "\"val\":{},\"val\":{}"),
        ("\"name\":\"a\"", "\"name\":\"a\",\"name\":\"a\""),
        ("\"data\":", "\"data\":[],\"data\":"),
        ("\"val\"", "\"labels\":{\"x\":\"1\",\"x\":\"1\"},\"val\""),
        ("\"name\":\"a\"", "\"name\":null"),
        ("{\"int\":1}", "null"),
        ("\"type\":1", "\"type\":-1"),
        ("\"type\":1", "\"type\":1.5"),
        (point, "null"),
        (point, "{}"),
        (point, "{\"metric\":{\"name\":\"a\"}},"),
        ("2026-11-21T04", "yesterday"),
        ("\"name\":\"a\"", "\"name\":\"\\ud800\""),
        ("\"name\":\"a\"", "\"name\":\"\\ud800\\u0041\""),
        ("\"name\":\"a\"", "\"name\":\"\\x\""),
        ("\"name\":\"a\"", "\"name\":\"a\nb\""),
        ("{\"int\":1}", "{\"int\":01}"),
        ("{\"int\":1}", "{\"float\":.5}"),
    ];
    for (from, to) in doubled {
        check(&good.replace(from, to), Err(Reason::Decode));
    }
    check(&format!("{good}x"), Err(Reason::Decode));
    check(&format!("{good}\n"), Ok(&["a 1 [] Some(\"1\")"]));
    for end in 0..good.len() {
        check(&good[..end], Err(Reason::Decode));
    }
    let invalid = good.replace("\"a\"", "\"\u{1}\"").into_bytes();
    check(&String::from_utf8(invalid).expect("UTF-8"), Err(Reason::Decode));
}

#[test]
fn values_that_no_honest_sandbox_has_are_refused() {
    let with = |value: &str| {
        export(&format!("{{\"metric\":{{\"name\":\"a\",\"type\":1}},\"val\":{value}}}"))
    };
    check(&with("{\"int\":9223372036854775807}"), Ok(&["a 1 [] Some(\"9223372036854775807\")"]));
    check(&with("{\"int\":9223372036854775808}"), Err(Reason::Value));
    check(&with("{\"int\":1,\"float\":2}"), Err(Reason::Value));
    check(&with("{\"int\":1.0}"), Err(Reason::Value));
    check(&with("{\"float\":1e999}"), Err(Reason::Value));
    check(&with("{\"float\":1e300}"), Ok(&["a 1 [] Some(\"1e300\")"]));
    let external = r#"{"metric":{"name":"a"},"external_labels":{"sandbox":"other"}}"#;
    check(&export(external), Err(Reason::Labels));
}

#[test]
fn a_flood_ends_at_its_budget() {
    let long = "a".repeat(TEXT_BYTES_MAX + 1);
    check(&export(&format!("{{\"metric\":{{\"name\":\"{long}\"}}}}")), Err(Reason::Budget));
    let labels: Vec<String> = (0..40).map(|n| format!("\"l{n}\":\"\"")).collect();
    let many = format!("{{\"metric\":{{\"name\":\"a\"}},\"labels\":{{{}}}}}", labels.join(","));
    check(&export(&many), Err(Reason::Budget));
    let deep = format!("{{\"new\":{}1{}}}", "[".repeat(17), "]".repeat(17));
    check(&deep, Err(Reason::Budget));
    check(&"[".repeat(100_000), Err(Reason::Decode));
    let number = format!("{{\"metric\":{{\"name\":\"a\",\"type\":{}}}}}", "1".repeat(100));
    check(&export(&number), Err(Reason::Budget));
    let point = r#"{"metric":{"name":"a","type":1},"val":{"int":1}}"#;
    let flood = vec![point; REPLY_BYTES_MAX / point.len() + 1].join(",");
    check(&export(&flood), Err(Reason::TooLarge));
    check(&format!("{{\"new\":\"{}", "x".repeat(REPLY_BYTES_MAX)), Err(Reason::TooLarge));
    let buckets = vec!["{\"le\":{\"int\":1},\"n\":1}"; 257].join(",");
    let buckets = format!("\"histogram\":{{\"buckets\":[{buckets}]}}");
    let histogram = format!("{{\"metric\":{{\"name\":\"a\"}},{buckets}}}");
    check(&export(&histogram), Err(Reason::Budget));
}

proptest! {
    /// However the bytes are cut, the answer is the same; and nothing panics.
    #[test]
    fn an_answer_does_not_depend_on_how_its_bytes_come(
        noise in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4),
        size in 1_usize..40,
    ) {
        let mut text = export(
            r#"{"metric":{"name":"a","type":3,"help":"\u00e9"},"labels":{"x":"1"},
            "histogram":{"total":{"int":5},"min":{},"max":{"float":1.5},"ssd":{},
            "buckets":[{"le":{"int":1},"n":2},{"le":{"float":"+Inf"}}]}}"#,
        )
        .into_bytes();
        for (index, byte) in &noise {
            let place = index.index(text.len());
            text[place] = *byte;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let whole = runtime.block_on(read(&text));
        let (mut sender, receiver) = tokio::io::duplex(size);
        let cut = runtime.block_on(async {
            let points = Arc::new(Mutex::new(0));
            let counted = Arc::clone(&points);
            let sending = async {
                use tokio::io::AsyncWriteExt as _;
                // The reader may have left already.
                let _ = sender.write_all(&text).await;
                drop(sender);
            };
            let mut sink = move |_: &RawPoint| {
                *counted.lock().expect("one thread") += 1;
                Ok(())
            };
            let (_, got) = tokio::join!(sending, read_export(receiver, &mut sink));
            got.map(|_| *points.lock().expect("one thread"))
        });
        prop_assert_eq!(whole.is_ok(), cut.is_ok());
        if noise.is_empty() {
            prop_assert_eq!(cut, Ok(1));
        }
    }
}
