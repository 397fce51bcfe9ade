//! Version ranges of Maven: `[1.0,2.0)`, `(,1.0],[1.2,)`.
//!
//! Read and applied as maven-artifact's `VersionRange` does. What surprises: a version without
//! brackets is a recommendation, and takes everything.

use super::{Version, compare, parse as parse_version};

/// Intervals, one of which must hold the version.
#[derive(Clone, Debug)]
pub(crate) struct VersionRange {
    intervals: Vec<Interval>,
}

#[derive(Clone, Debug, Default)]
struct Interval {
    lower: Option<Bound>,
    upper: Option<Bound>,
}

#[derive(Clone, Debug)]
struct Bound {
    version: String,
    is_inclusive: bool,
}

/// Reads a range.
pub(crate) fn parse(text: &str) -> Result<VersionRange, &'static str> {
    let mut intervals: Vec<Interval> = Vec::new();
    let mut rest = text;
    while rest.starts_with(['[', '(']) {
        let end = rest.find([']', ')']).ok_or("an interval has no end")?;
        let interval = parse_interval(&rest[..=end])?;
        if let Some(Interval { upper: Some(upper), .. }) = intervals.last() {
            check_after(upper, interval.lower.as_ref())?;
        }
        intervals.push(interval);
        rest = trim(&rest[end + 1..]);
        rest = rest.strip_prefix(',').map_or(rest, trim);
    }
    if !rest.is_empty() {
        if !intervals.is_empty() {
            return Err("something follows the intervals");
        }
        parse_version(rest)?;
        intervals.push(Interval::default());
    }
    Ok(VersionRange { intervals })
}

/// Java's `trim`.
fn trim(text: &str) -> &str {
    text.trim_matches(|c| c <= ' ')
}

fn parse_interval(text: &str) -> Result<Interval, &'static str> {
    let (from_inclusive, to_inclusive) = (text.starts_with('['), text.ends_with(']'));
    let inside = trim(&text[1..text.len() - 1]);
    let bound = |version: &str, is_inclusive| -> Result<Option<Bound>, &'static str> {
        if version.is_empty() {
            return Ok(None);
        }
        parse_version(version)?;
        Ok(Some(Bound { version: version.to_owned(), is_inclusive }))
    };
    let Some((from, to)) = inside.split_once(',') else {
        if !from_inclusive || !to_inclusive {
            return Err("a single version must stand in square brackets");
        }
        let only = Some(Bound { version: inside.to_owned(), is_inclusive: true });
        return Ok(Interval { lower: only.clone(), upper: only });
    };
    let (lower, upper) = (bound(trim(from), from_inclusive)?, bound(trim(to), to_inclusive)?);
    if let (Some(lower), Some(upper)) = (&lower, &upper) {
        let order = compare(&lower.parsed()?, &upper.parsed()?);
        if order.is_gt() || (order.is_eq() && !(from_inclusive && to_inclusive)) {
            return Err("an interval ends before it starts");
        }
    }
    Ok(Interval { lower, upper })
}

/// Intervals must be in order and not overlap.
fn check_after(upper: &Bound, lower: Option<&Bound>) -> Result<(), &'static str> {
    match lower {
        Some(lower) if compare(&lower.parsed()?, &upper.parsed()?).is_ge() => Ok(()),
        _ => Err("intervals overlap"),
    }
}

impl Bound {
    fn parsed(&self) -> Result<Version<'_>, &'static str> {
        parse_version(&self.version)
    }
}

impl VersionRange {
    /// Whether the range takes a version.
    pub(crate) fn matches(&self, text: &str) -> Result<bool, &'static str> {
        let version = parse_version(text)?;
        for interval in &self.intervals {
            if interval.contains(&version)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Interval {
    fn contains(&self, version: &Version<'_>) -> Result<bool, &'static str> {
        if let Some(lower) = &self.lower {
            let order = compare(&lower.parsed()?, version);
            if order.is_gt() || (order.is_eq() && !lower.is_inclusive) {
                return Ok(false);
            }
        }
        if let Some(upper) = &self.upper {
            let order = compare(&upper.parsed()?, version);
            if order.is_lt() || (order.is_eq() && !upper.is_inclusive) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
