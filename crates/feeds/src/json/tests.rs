//! Cutting of large objects, wherever the stream is cut, and refusal of what is none.

use std::io::BufReader;

use super::*;

type Member = (String, Option<String>);

fn cut(text: &str, capacity: usize, limit: usize) -> Result<Vec<Member>, String> {
    let mut found = Vec::new();
    let mut content = BufReader::with_capacity(capacity, text.as_bytes());
    members("f", &mut content, limit, &mut |key, value| {
        let value = value.map(|value| String::from_utf8(value.to_vec()).unwrap());
        found.push((key.to_owned(), value));
    })
    .map_err(|error| error.to_string())?;
    Ok(found)
}

#[test]
fn an_object_is_cut_into_its_members_wherever_the_stream_is_cut() {
    let text = r#" {"a": {"x": "}\"]{", "y": [1, {"z": 2}]} , "b\u0041\"" :[] ,"c":"q,}\\", "d":1 }
    "#;
    let expected = [
        ("a", r#" {"x": "}\"]{", "y": [1, {"z": 2}]} "#),
        ("bA\"", "[] "),
        ("c", r#""q,}\\""#),
        ("d", "1 "),
    ];
    for capacity in 1..text.len() + 1 {
        let found = cut(text, capacity, 1000).unwrap();
        let found: Vec<(&str, &str)> =
            found.iter().map(|(key, value)| (&**key, value.as_deref().unwrap())).collect();
        assert_eq!(found, expected, "capacity {capacity}");
    }
    assert_eq!(cut("{}", 9, 9).unwrap(), []);
}

#[test]
fn what_is_no_whole_object_is_refused() {
    for (text, problem) in [
        ("", "empty"),
        (" \n", "empty"),
        ("[]", "not a JSON object"),
        ("<html>", "not a JSON object"),
        ("{\"a\": {\"b\": 1}", "ends in the middle of the object"),
        ("{\"a\": {\"b\"", "ends in the middle of the object"),
        ("{\"a", "ends in the middle of the object"),
        ("{\"a\":1,}", "a member's name does not begin with a quote"),
        ("{\"a\":1} {", "goes on after the end of the object"),
        ("{a:1}", "a member's name does not begin with a quote"),
        ("{\"a\" 1}", "no colon after a member's name"),
    ] {
        assert_eq!(cut(text, 3, 100), Err(format!("f: {problem}")), "{text:?}");
    }
    let long = format!("{{\"{}\": 1}}", "k".repeat(2000));
    assert_eq!(cut(&long, 64, 100), Err("f: a member's name is longer than 1024 bytes".to_owned()));
}

#[test]
fn a_member_that_is_too_long_is_only_named() {
    let text = format!("{{\"a\": [{}], \"b\": 2}}", "1,".repeat(100));
    let found = cut(&text, 16, 50).unwrap();
    assert_eq!(found, [("a".to_owned(), None), ("b".to_owned(), Some(" 2".to_owned()))]);
}

#[test]
fn a_document_that_is_too_long_is_refused() {
    let mut buffer = Vec::new();
    let mut content = &b"12345"[..];
    assert!(read_whole("f", &mut content, 5, &mut buffer).is_ok());
    let mut content = &b"123456"[..];
    let error = read_whole("f", &mut content, 5, &mut buffer).unwrap_err();
    assert_eq!(error.to_string(), "f: longer than 5 bytes");
}

#[test]
fn text_is_borrowed_unless_it_has_escapes() {
    let texts: Vec<Text<'_>> = serde_json::from_str(r#"["plain", "esc\n"]"#).unwrap();
    assert!(matches!(texts[0].0, Cow::Borrowed("plain")));
    assert!(matches!(&texts[1].0, Cow::Owned(text) if text == "esc\n"));
}
