//! What a scraper asks for: the parts of a request that choose among answers.
//!
//! Pure: text in, choice out. Surprising: Prometheus' `metrics_path` encodes a question mark, so
//! `/metrics%3Fa=b` is read as `/metrics?a=b`, as runsc's server does.

use std::time::Duration;

use regex::{Regex, RegexBuilder};

use crate::exposition::Format;

/// The parameter that chooses metrics, from runsc's metric server.
const METRICS_FILTER: &str = "runsc-sandbox-metrics-filter";
/// The parameter that chooses capabilities, likewise.
const CAPABILITY_FILTER: &str = "runsc-capability-filter";
/// The longest filter, in bytes.
const FILTER_BYTES_MAX: usize = 1_024;
/// Memory of one compiled filter, in bytes: `\pL{1000}` would take more.
const FILTER_SIZE_MAX: usize = 1024 * 1024;
/// The part of the scraper's patience that is left for the way back.
const PATIENCE: f64 = 0.9;

/// The filters of one scrape.
#[derive(Debug, Default)]
pub(crate) struct Filters {
    /// What a metric's name must fit.
    pub(crate) metrics: Option<Regex>,
    /// What a capability's name must fit.
    pub(crate) capabilities: Option<Regex>,
}

/// How the body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    /// Not at all.
    Plain,
    /// gzip, RFC 1952.
    Gzip,
    /// Zstandard, RFC 8878.
    Zstd,
}

/// The path and query that are meant.
pub(crate) fn route(path: &str, query: Option<&str>) -> (String, String) {
    let decoded = decode(path, false);
    match decoded.split_once('?') {
        Some(("/metrics", query)) => ("/metrics".to_owned(), query.to_owned()),
        _ => (decoded, query.unwrap_or_default().to_owned()),
    }
}

/// The first value of a name in a query or form; empty if there is none.
pub(crate) fn value(form: &str, name: &str) -> String {
    let pairs = form.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let mut values = pairs.filter(|(key, _)| decode(key, true) == name);
    values.next().map(|(_, value)| decode(value, true)).unwrap_or_default()
}

/// Reads both filters; the error is what the scraper is told.
pub(crate) fn filters(query: &str) -> Result<Filters, &'static str> {
    let read = |name: &str, too_long: &'static str, invalid: &'static str| {
        let text = value(query, name);
        if text.len() > FILTER_BYTES_MAX {
            return Err(too_long);
        }
        if text.is_empty() {
            return Ok(None);
        }
        RegexBuilder::new(&text).size_limit(FILTER_SIZE_MAX).build().map(Some).map_err(|_| invalid)
    };
    Ok(Filters {
        metrics: read(
            METRICS_FILTER,
            "provided metric filter is longer than 1024 bytes",
            "provided metric filter is not a valid regular expression",
        )?,
        capabilities: read(
            CAPABILITY_FILTER,
            "provided capability filter is longer than 1024 bytes",
            "provided capability filter is not a valid regular expression",
        )?,
    })
}

/// How long a scrape may take: a tenth less than the scraper waits, and never more than `most`.
pub(crate) fn patience(seconds: Option<&str>, most: Duration) -> Duration {
    seconds
        .and_then(|text| text.trim().parse::<f64>().ok())
        .and_then(|seconds| Duration::try_from_secs_f64(seconds * PATIENCE).ok())
        .filter(|patience| !patience.is_zero())
        .map_or(most, |patience| patience.min(most))
}

/// The format that the scraper likes best; text if it does not say.
pub(crate) fn format(accept: Option<&str>) -> Format {
    let (mut text, mut open_metrics) = (0.0, 0.0);
    for (name, parameters, weight) in weighted(accept.unwrap_or_default()) {
        let version =
            parameters.iter().find_map(|(key, value)| (*key == "version").then_some(*value));
        match (name, version) {
            ("application/openmetrics-text", None | Some("1.0.0")) => {
                open_metrics = f64::max(open_metrics, weight);
            }
            ("text/plain", None | Some("0.0.4")) | ("text/*" | "*/*", _) => {
                text = f64::max(text, weight);
            }
            _ => {}
        }
    }
    if open_metrics > 0.0 && open_metrics >= text { Format::OpenMetrics } else { Format::Text }
}

/// The packing that the scraper likes best, the smaller one of two.
pub(crate) fn packing(accept_encoding: Option<&str>) -> Packing {
    let mut best = (0.0, Packing::Plain);
    for (name, _, weight) in weighted(accept_encoding.unwrap_or_default()) {
        let packing = match name {
            "gzip" | "x-gzip" => Packing::Gzip,
            "zstd" => Packing::Zstd,
            _ => continue,
        };
        if weight > best.0 || (weight == best.0 && weight > 0.0 && packing == Packing::Zstd) {
            best = (weight, packing);
        }
    }
    best.1
}

/// The entries of an `Accept` or `Accept-Encoding` header with parameters and weight.
fn weighted(header: &str) -> impl Iterator<Item = (&str, Vec<(&str, &str)>, f64)> {
    header.split(',').map(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let parameters: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
        let weight = parameters.iter().find_map(|(key, value)| {
            (*key == "q").then(|| value.parse::<f64>().unwrap_or(0.0).clamp(0.0, 1.0))
        });
        (name, parameters, weight.unwrap_or(1.0))
    })
}

/// Undoes percent encoding; what is not encoded rightly stays as it is.
fn decode(text: &str, is_form: bool) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while let Some(byte) = bytes.get(index) {
        let digits = text.get(index + 1..index + 3).unwrap_or_default();
        match (byte, u8::from_str_radix(digits, 16)) {
            (b'%', Ok(value)) if !digits.starts_with('+') => {
                decoded.push(value);
                index += 2;
            }
            (b'+', _) if is_form => decoded.push(b' '),
            _ => decoded.push(*byte),
        }
        index += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests;
