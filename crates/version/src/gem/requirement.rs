//! Requirements of RubyGems: `~> 2.3.14`, `>= 1.0, < 2`.
//!
//! Read and applied as `Gem::Requirement` does. What surprises: `~> 2.3` takes pre-releases of 3.0
//! no more than 3.0, but `>= 2.3` takes those of 3.0.

use super::{Version, compare, is_space, parse as parse_version};
use crate::bound::Operator;
use crate::decimal;

/// Requirements that must all hold; none takes everything.
#[derive(Clone, Debug)]
pub(crate) struct Requirement {
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
struct Part {
    kind: Kind,
    version: String,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Compare(Operator),
    /// `~>`.
    Pessimistic,
}

/// Reads requirements separated by commas.
pub(crate) fn parse(text: &str) -> Result<Requirement, &'static str> {
    let parts = text.split(',').map(|part| {
        let part = part.trim_matches(is_space);
        let (kind, version) = if let Some(version) = part.strip_prefix("~>") {
            (Kind::Pessimistic, version)
        } else if let Some(version) = part.strip_prefix("!=") {
            (Kind::Compare(Operator::NotEqual), version)
        } else {
            let (operator, version) = Operator::split(part);
            (Kind::Compare(operator.unwrap_or(Operator::Equal)), version)
        };
        let version = version.trim_matches(is_space);
        parse_version(version)?;
        Ok(Part { kind, version: version.to_owned() })
    });
    Ok(Requirement { parts: parts.collect::<Result<_, _>>()? })
}

impl Requirement {
    /// Whether all parts take a version.
    pub(crate) fn matches(&self, text: &str) -> Result<bool, &'static str> {
        let version = parse_version(text)?;
        for part in &self.parts {
            let bound = parse_version(&part.version)?;
            let order = compare(&version, &bound);
            let holds = match part.kind {
                Kind::Compare(operator) => operator.holds(order),
                Kind::Pessimistic => order.is_ge() && is_below_next(&version, &bound),
            };
            if !holds {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether the version's release is below the bound with its last number dropped and the one before
/// that counted up (a single number is counted up itself).
fn is_below_next(version: &Version<'_>, bound: &Version<'_>) -> bool {
    let numbers: Vec<&[u8]> = release(bound).collect();
    let kept = &numbers[..numbers.len().saturating_sub(1).max(1)];
    let (last, before) = kept.split_last().expect("a version starts with a number");
    let mut version = release(version);
    for number in before {
        let order = decimal::compare(version.next().unwrap_or_default(), number);
        if order.is_ne() {
            return order.is_lt();
        }
    }
    // Below the next number means not above this one.
    decimal::compare(version.next().unwrap_or_default(), last).is_le()
}

/// The numbers before the first letters.
fn release<'a>(version: &Version<'a>) -> impl Iterator<Item = &'a [u8]> {
    let is_release = |byte: &&u8| byte.is_ascii_digit() || **byte == b'.';
    let count = version.text.iter().take_while(is_release).count();
    version.text[..count].split(|&byte| byte == b'.').filter(|number| !number.is_empty())
}
