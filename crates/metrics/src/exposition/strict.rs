//! A strict reader of both formats, written from their specifications alone: the outside view of
//! what the writer makes. Anything that a specification does not allow is an error.

use std::collections::{BTreeMap, HashSet};

use super::Format;

/// Values by series, as text.
pub(crate) type Series = BTreeMap<String, String>;

/// Reads a whole answer.
pub(crate) fn read(format: Format, text: &str) -> Result<Series, String> {
    let is_open_metrics = format == Format::OpenMetrics;
    let mut series = Series::new();
    let mut families: HashSet<String> = HashSet::new();
    let mut samples: HashSet<String> = HashSet::new();
    let mut current = Family::default();
    let mut lines = text.split('\n').collect::<Vec<_>>();
    if lines.pop() != Some("") {
        return Err("no line end at the end".to_owned());
    }
    if is_open_metrics && lines.pop() != Some("# EOF") {
        return Err("no # EOF".to_owned());
    }
    for line in lines {
        let fail = |what: &str| Err(format!("{what}: {line}"));
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let Some((name, help)) = rest.split_once(' ') else { return fail("help") };
            if !families.insert(name.to_owned()) {
                return fail("a family twice");
            }
            check_escapes(help, is_open_metrics).map_err(|what| format!("{what}: {line}"))?;
            current = Family { name: name.to_owned(), kind: String::new() };
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let Some((name, kind)) = rest.split_once(' ') else { return fail("type") };
            if current.name != name || !current.kind.is_empty() {
                if !families.insert(name.to_owned()) {
                    return fail("a family twice");
                }
                current.name = name.to_owned();
            }
            let known: &[&str] = if is_open_metrics {
                &["counter", "gauge", "histogram", "unknown"]
            } else {
                &["counter", "gauge", "histogram"]
            };
            if !known.contains(&kind) {
                return fail("type");
            }
            current.kind = kind.to_owned();
        } else if line.starts_with('#') {
            if is_open_metrics {
                return fail("a comment");
            }
        } else {
            let (name, key, value) = sample(line, is_open_metrics)?;
            let suffix = name.strip_prefix(current.name.as_str());
            let is_allowed = match (current.kind.as_str(), suffix) {
                ("histogram", Some("_bucket" | "_sum" | "_count")) => true,
                ("counter", Some("_total")) if is_open_metrics => true,
                ("counter", Some("")) => !is_open_metrics,
                ("gauge" | "unknown", Some("")) => true,
                _ => false,
            };
            if !is_allowed {
                return Err(format!("not of family {current:?}: {line}"));
            }
            samples.insert(name);
            if series.insert(key, value).is_some() {
                return fail("a series twice");
            }
        }
    }
    Ok(series)
}

#[derive(Debug, Default)]
struct Family {
    name: String,
    kind: String,
}

/// Name, series and value of a line.
fn sample(line: &str, is_open_metrics: bool) -> Result<(String, String, String), String> {
    let fail = |what: &str| Err(format!("{what}: {line}"));
    let end = line.find(['{', ' ']).ok_or_else(|| format!("no value: {line}"))?;
    let (name, mut rest) = line.split_at(end);
    let is_name = |text: &str| {
        text.bytes().enumerate().all(|(index, byte)| {
            byte.is_ascii_alphabetic() || byte == b'_' || (index > 0 && byte.is_ascii_digit())
        }) && !text.is_empty()
    };
    if !is_name(name) {
        return fail("name");
    }
    let mut seen = Vec::new();
    if let Some(labels) = rest.strip_prefix('{') {
        rest = labels;
        loop {
            let Some((label, after)) = rest.split_once("=\"") else { return fail("label") };
            if !is_name(label) || seen.iter().any(|known| known == label) {
                return fail("label's name");
            }
            if label != "le" && seen.last().is_some_and(|last: &String| last.as_str() > label) {
                return fail("labels out of order");
            }
            seen.push(label.to_owned());
            let mut is_escaped = false;
            let Some(end) = after.find(|character| {
                let is_end = character == '"' && !is_escaped;
                is_escaped = character == '\\' && !is_escaped;
                is_end
            }) else {
                return fail("label's value");
            };
            check_escapes(&after[..end], true).map_err(|what| format!("{what}: {line}"))?;
            rest = &after[end + 1..];
            match (rest.strip_prefix(','), rest.strip_prefix('}')) {
                (Some(more), _) => rest = more,
                (None, Some(more)) => {
                    rest = more;
                    break;
                }
                (None, None) => return fail("labels"),
            }
        }
    }
    let key = line[..line.len() - rest.len()].to_owned();
    let parts: Vec<&str> = rest.strip_prefix(' ').unwrap_or("?").split(' ').collect();
    let is_number = |text: &str| {
        matches!(text, "+Inf" | "-Inf" | "NaN")
            || (text.parse::<f64>().is_ok() && !text.contains(['i', 'n', 'I', 'N']))
    };
    let is_time = |text: &str| match is_open_metrics {
        true => text.parse::<f64>().is_ok_and(|time| time < 1e11),
        false => text.parse::<i64>().is_ok(),
    };
    match parts.as_slice() {
        [value] if is_number(value) => Ok((name.to_owned(), key, (*value).to_owned())),
        [value, time] if is_number(value) && is_time(time) => {
            Ok((name.to_owned(), key, (*value).to_owned()))
        }
        _ => fail("value"),
    }
}

fn check_escapes(text: &str, with_quotes: bool) -> Result<(), &'static str> {
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (character, with_quotes) {
            ('\\', _) => match (characters.next(), with_quotes) {
                (Some('\\' | 'n'), _) | (Some('"'), true) => {}
                _ => return Err("an unknown escape"),
            },
            ('"', true) => return Err("a quote that is not escaped"),
            _ => {}
        }
    }
    Ok(())
}
