//! Version ranges of NuGet: `[1.0,2.0)`, `1.0`, `(,1.0]`.
//!
//! Read as NuGet.Versioning's `VersionRange.Parse` does, without floating versions (`1.*`), which
//! say what to install and not what is affected. What surprises: a bare version is a lower bound,
//! unlike in Maven, whose brackets these are.

use super::{compare, parse as parse_version};

/// One interval.
#[derive(Clone, Debug)]
pub(crate) struct VersionRange {
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
    let text = text.trim();
    let bound = |version: &str, is_inclusive| -> Result<Option<Bound>, &'static str> {
        let version = version.trim();
        if version.is_empty() {
            return Ok(None);
        }
        parse_version(version)?;
        Ok(Some(Bound { version: version.to_owned(), is_inclusive }))
    };
    let from_inclusive = match text.chars().next() {
        Some('[') => true,
        Some('(') => false,
        None => return Err("it is empty"),
        Some(_) => return Ok(VersionRange { lower: bound(text, true)?, upper: None }),
    };
    let inside = &text[1..];
    let (inside, to_inclusive) = match (inside.strip_suffix(']'), inside.strip_suffix(')')) {
        (Some(inside), _) => (inside, true),
        (None, Some(inside)) => (inside, false),
        (None, None) => return Err("the interval has no end"),
    };
    let Some((from, to)) = inside.split_once(',') else {
        if !from_inclusive || !to_inclusive {
            return Err("a single version must stand in square brackets");
        }
        let only = bound(inside, true)?.ok_or("the interval is empty")?;
        return Ok(VersionRange { lower: Some(only.clone()), upper: Some(only) });
    };
    let (lower, upper) = (bound(from, from_inclusive)?, bound(to, to_inclusive)?);
    if let (Some(lower), Some(upper)) = (&lower, &upper) {
        let order = compare(&parse_version(&lower.version)?, &parse_version(&upper.version)?);
        if order.is_gt() || (order.is_eq() && !(from_inclusive && to_inclusive)) {
            return Err("the interval ends before it starts");
        }
    }
    Ok(VersionRange { lower, upper })
}

impl VersionRange {
    /// Whether the range takes a version.
    pub(crate) fn matches(&self, text: &str) -> Result<bool, &'static str> {
        let version = parse_version(text)?;
        if let Some(lower) = &self.lower {
            let order = compare(&version, &parse_version(&lower.version)?);
            if order.is_lt() || (order.is_eq() && !lower.is_inclusive) {
                return Ok(false);
            }
        }
        if let Some(upper) = &self.upper {
            let order = compare(&version, &parse_version(&upper.version)?);
            if order.is_gt() || (order.is_eq() && !upper.is_inclusive) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
