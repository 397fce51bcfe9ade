//! Ranges of npm: `^1.2 || ~3.4 >=3.4.5 || 1.x || 1.2 - 2`.
//!
//! Read and applied as node-semver's `Range` does. What surprises: a pre-release is taken only if a
//! bound of the same alternative is a pre-release of the very same version, unless pre-releases are
//! included; `~1.2` and `1.2.x` are the same; `>1` means `>=2.0.0`.

use super::{NUMBER_MAX, compare, is_space, parse as parse_version, parse_loose};
use crate::bound::Operator;
use crate::decimal;
use crate::requirement::{Prereleases, RequirementOptions};
use crate::semver::{self, LeadingZeros, Version};

const TOO_BIG: &str = "a number is above 2^53 - 1";
const NOT_A_VERSION: &str = "a bound is not a version, not even a partial one";

/// The lowest pre-release, which ends ranges so that those of the next version stay out.
const LOWEST: Option<&str> = Some("0");

/// Alternatives, each of bounds that must all hold; none of these takes everything.
#[derive(Clone, Debug)]
pub(crate) struct Range {
    alternatives: Vec<Vec<Bound>>,
}

#[derive(Clone, Debug)]
struct Bound {
    operator: Operator,
    numbers: [String; 3],
    prerelease: Option<String>,
}

/// A version of which numbers can be missing or `x`: `1`, `1.x`, `v1.2.3-rc.1`.
#[derive(Clone, Copy, Debug)]
struct Partial<'a> {
    /// The `v` and `=` before it.
    prefix: &'a str,
    /// The numbers; `None` if missing or `x`.
    numbers: [Option<u64>; 3],
    prerelease: Option<&'a str>,
}

/// The bounds of one alternative, as they are read.
struct Bounds {
    options: RequirementOptions,
    bounds: Vec<Bound>,
}

/// Reads a range.
pub(crate) fn parse(text: &str, options: RequirementOptions) -> Result<Range, &'static str> {
    let words: Vec<&str> = text.split(is_space).filter(|word| !word.is_empty()).collect();
    let text = words.join(" ");
    let mut alternatives = Vec::new();
    for alternative in text.split("||") {
        let alternative = strip_builds(alternative.trim_matches(' '));
        let mut bounds = Bounds { options, bounds: Vec::new() };
        if bounds.read(&alternative)? {
            alternatives.push(bounds.bounds);
        }
    }
    if alternatives.is_empty() {
        return Err("it has no valid alternative");
    }
    Ok(Range { alternatives })
}

/// Leaves out build metadata wherever they stand.
fn strip_builds(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(plus) = rest.find('+') {
        let build = &rest[plus + 1..];
        let is_identifier = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let mut length = build.find(|c| !is_identifier(c)).unwrap_or(build.len());
        while length > 0 && build[length..].starts_with('.') {
            let next = &build[length + 1..];
            match next.find(|c| !is_identifier(c)).unwrap_or(next.len()) {
                0 => break,
                more => length += 1 + more,
            }
        }
        kept.push_str(if length == 0 { &rest[..=plus] } else { &rest[..plus] });
        rest = &build[length..];
    }
    kept.push_str(rest);
    kept
}

impl Bounds {
    /// Reads bounds separated by spaces, or `A - B`. False: nothing of a loose range is valid.
    fn read(&mut self, text: &str) -> Result<bool, &'static str> {
        if let Some((from, to)) = text.split_once(" - ")
            && let (Some(from), Some(to)) = (self.partial(from), self.partial(to))
        {
            self.push_hyphen(&from, &to)?;
            return Ok(true);
        }
        let mut has_valid = text.is_empty();
        let mut rest = text;
        while !rest.is_empty() {
            let (comparator, after) = split_comparator(rest);
            let length = self.bounds.len();
            match self.push_comparator(&comparator.replacen(' ', "", 1)) {
                Ok(()) => has_valid = true,
                Err(problem) if !self.options.loose || problem == TOO_BIG => return Err(problem),
                Err(_) => self.bounds.truncate(length),
            }
            rest = after;
        }
        Ok(has_valid)
    }

    fn includes_prereleases(&self) -> bool {
        self.options.prereleases == Prereleases::Included
    }

    /// The pre-release of a lower bound of which numbers are missing.
    fn lowest_included(&self) -> Option<&'static str> {
        if self.includes_prereleases() { LOWEST } else { None }
    }

    fn push(
        &mut self,
        operator: Operator,
        numbers: [u64; 3],
        prerelease: Option<&str>,
    ) -> Result<(), &'static str> {
        if numbers.iter().any(|&number| number > NUMBER_MAX) {
            return Err(TOO_BIG);
        }
        // Of all versions, says node-semver, and takes no offence at pre-releases then.
        let is_everything = operator == Operator::GreaterOrEqual
            && numbers == [0; 3]
            && prerelease.is_none()
            && !self.includes_prereleases();
        if !is_everything {
            let numbers = numbers.map(|number| number.to_string());
            self.bounds.push(Bound { operator, numbers, prerelease: prerelease.map(Into::into) });
        }
        Ok(())
    }

    /// `A - B`.
    fn push_hyphen(&mut self, from: &Partial<'_>, to: &Partial<'_>) -> Result<(), &'static str> {
        let lowest = self.lowest_included();
        match from.numbers {
            [None, ..] => {}
            [Some(major), Some(minor), Some(patch)] => {
                self.check_prefix(from)?;
                let prerelease = from.prerelease.or(lowest);
                self.push(Operator::GreaterOrEqual, [major, minor, patch], prerelease)?;
            }
            [Some(major), minor, _] => {
                let numbers = [major, minor.unwrap_or(0), 0];
                self.push(Operator::GreaterOrEqual, numbers, lowest)?;
            }
        }
        match to.numbers {
            [None, ..] => Ok(()),
            [Some(major), Some(minor), Some(patch)] => {
                if to.prerelease.is_some() {
                    return self.push(Operator::LessOrEqual, [major, minor, patch], to.prerelease);
                }
                if self.includes_prereleases() {
                    return self.push(Operator::Less, [major, minor, after(patch)], LOWEST);
                }
                self.check_prefix(to)?;
                self.push(Operator::LessOrEqual, [major, minor, patch], None)
            }
            [Some(major), minor, _] => self.push(Operator::Less, next(major, minor), LOWEST),
        }
    }

    fn push_comparator(&mut self, text: &str) -> Result<(), &'static str> {
        if let Some(rest) = text.strip_prefix('^') {
            return self.push_caret(&self.partial(rest).ok_or(NOT_A_VERSION)?);
        }
        if let Some(rest) = text.strip_prefix('~') {
            let rest = rest.strip_prefix('>').unwrap_or(rest);
            return self.push_tilde(&self.partial(rest).ok_or(NOT_A_VERSION)?);
        }
        let (operator, rest) = Operator::split(text);
        self.push_plain(operator, &self.partial(rest).ok_or(NOT_A_VERSION)?)
    }

    /// `^`: the first number that is not zero stays.
    fn push_caret(&mut self, partial: &Partial<'_>) -> Result<(), &'static str> {
        let [Some(major), minor, patch] = partial.numbers else {
            return Ok(());
        };
        self.push_lower(partial)?;
        let upper = match (minor, patch) {
            (Some(0), Some(patch)) if major == 0 => [0, 0, after(patch)],
            (Some(minor), _) if major == 0 => [0, after(minor), 0],
            _ => [after(major), 0, 0],
        };
        self.push(Operator::Less, upper, LOWEST)
    }

    /// `~`: the minor number stays, if there is one.
    fn push_tilde(&mut self, partial: &Partial<'_>) -> Result<(), &'static str> {
        let [Some(major), minor, _] = partial.numbers else {
            return Ok(());
        };
        self.push_lower(partial)?;
        self.push(Operator::Less, next(major, minor), LOWEST)
    }

    /// The lower bound of `^` and `~`.
    fn push_lower(&mut self, partial: &Partial<'_>) -> Result<(), &'static str> {
        let (numbers, prerelease) = match partial.numbers {
            [Some(major), Some(minor), Some(patch)] => ([major, minor, patch], partial.prerelease),
            [major, minor, _] => {
                ([major.unwrap_or(0), minor.unwrap_or(0), 0], self.lowest_included())
            }
        };
        self.push(Operator::GreaterOrEqual, numbers, prerelease)
    }

    /// A comparison, or a version alone, whole or with numbers left open.
    fn push_plain(
        &mut self,
        operator: Option<Operator>,
        partial: &Partial<'_>,
    ) -> Result<(), &'static str> {
        if partial.is_disordered() {
            return Err("a number follows one that is left open");
        }
        let (major, minor) = match partial.numbers {
            [Some(major), Some(minor), Some(patch)] => {
                self.check_prefix(partial)?;
                let operator = operator.unwrap_or(Operator::Equal);
                return self.push(operator, [major, minor, patch], partial.prerelease);
            }
            [None, ..] => {
                return match operator {
                    Some(Operator::Less | Operator::Greater) => {
                        self.push(Operator::Less, [0; 3], LOWEST)
                    }
                    _ => Ok(()),
                };
            }
            [Some(major), minor, _] => (major, minor),
        };
        let first = [major, minor.unwrap_or(0), 0];
        let lowest = self.lowest_included();
        match operator {
            None | Some(Operator::Equal | Operator::NotEqual) => {
                self.push(Operator::GreaterOrEqual, first, lowest)?;
                self.push(Operator::Less, next(major, minor), LOWEST)
            }
            Some(Operator::Greater) => {
                self.push(Operator::GreaterOrEqual, next(major, minor), lowest)
            }
            Some(Operator::GreaterOrEqual) => self.push(Operator::GreaterOrEqual, first, lowest),
            Some(Operator::Less) => self.push(Operator::Less, first, LOWEST),
            Some(Operator::LessOrEqual) => self.push(Operator::Less, next(major, minor), LOWEST),
        }
    }

    /// Only a `v` may stand before a whole version, unless the range is loose.
    fn check_prefix(&self, partial: &Partial<'_>) -> Result<(), &'static str> {
        if self.options.loose || matches!(partial.prefix, "" | "v") {
            Ok(())
        } else {
            Err("a bound has more than a `v` before its version")
        }
    }

    fn partial<'a>(&self, text: &'a str) -> Option<Partial<'a>> {
        let start = text.find(|c| !matches!(c, 'v' | '=')).unwrap_or(text.len());
        let (prefix, mut rest) = text.split_at(start);
        let mut numbers = [None; 3];
        for (index, number) in numbers.iter_mut().enumerate() {
            if index > 0 {
                match rest.strip_prefix('.') {
                    Some(after) => rest = after,
                    None => break,
                }
            }
            (*number, rest) = take_number(rest, self.options.loose)?;
            if index == 2 && !rest.is_empty() {
                let prerelease = self.prerelease(rest)?;
                return Some(Partial { prefix, numbers, prerelease: Some(prerelease) });
            }
        }
        rest.is_empty().then_some(Partial { prefix, numbers, prerelease: None })
    }

    fn prerelease<'a>(&self, text: &'a str) -> Option<&'a str> {
        let (identifiers, zeros) = match (text.strip_prefix('-'), self.options.loose) {
            (Some(identifiers), false) => (identifiers, LeadingZeros::Refused),
            (None, false) => return None,
            (Some(rest), true) if !rest.is_empty() && !rest.starts_with('.') => {
                (rest, LeadingZeros::Allowed)
            }
            (_, true) => (text, LeadingZeros::Allowed),
        };
        semver::are_identifiers(identifiers.as_bytes(), zeros).then_some(identifiers)
    }
}

impl Partial<'_> {
    fn is_disordered(&self) -> bool {
        let [major, minor, patch] = self.numbers.map(|number| number.is_some());
        (!major && minor) || (!minor && patch)
    }
}

/// Splits off an operator and its version, which a space may stand between.
fn split_comparator(text: &str) -> (&str, &str) {
    let operator_length = text.find(|c| !matches!(c, '<' | '>' | '=' | '~' | '^'));
    let operator_length = operator_length.unwrap_or(text.len());
    let version = &text[operator_length..];
    let is_joined = version.starts_with(' ') && operator_length > 0 && {
        !version[1..].starts_with(['<', '>', '~', '^']) || text.starts_with('~')
    };
    let space = usize::from(is_joined);
    let end = version[space..].find(' ').map_or(text.len(), |end| operator_length + space + end);
    (&text[..end], text[end..].trim_start_matches(' '))
}

/// Splits off a number, or an `x` that stands for any (`None`).
fn take_number(text: &str, loose: bool) -> Option<(Option<u64>, &str)> {
    if let Some(rest) = text.strip_prefix(['x', 'X', '*']) {
        return Some((None, rest));
    }
    let (digits, _) = decimal::take(text.as_bytes());
    if digits.is_empty() || (!loose && digits.len() > 1 && digits[0] == b'0') {
        return None;
    }
    Some((Some(decimal::value(digits).unwrap_or(u64::MAX)), &text[digits.len()..]))
}

/// The number after this one.
fn after(number: u64) -> u64 {
    number.saturating_add(1)
}

/// The first release after all of `MAJOR` or `MAJOR.MINOR`.
fn next(major: u64, minor: Option<u64>) -> [u64; 3] {
    match minor {
        Some(minor) => [major, after(minor), 0],
        None => [after(major), 0, 0],
    }
}

impl Range {
    /// Whether the range takes a version.
    pub(crate) fn matches(
        &self,
        text: &str,
        options: RequirementOptions,
    ) -> Result<bool, &'static str> {
        let version = if options.loose { parse_loose(text)? } else { parse_version(text)? };
        let any_prerelease = options.prereleases == Prereleases::Included;
        Ok(self.alternatives.iter().any(|bounds| {
            let is_within = bounds
                .iter()
                .all(|bound| bound.operator.holds(compare(&version, &bound.version())));
            let is_named = |bound: &Bound| {
                let bound = bound.version();
                let mut pairs = bound.numbers.iter().zip(&version.numbers);
                bound.prerelease.is_some()
                    && pairs.all(|(left, right)| decimal::compare(left, right).is_eq())
            };
            is_within
                && (version.prerelease.is_none() || any_prerelease || bounds.iter().any(is_named))
        }))
    }
}

impl Bound {
    fn version(&self) -> Version<'_> {
        let [major, minor, patch] = &self.numbers;
        Version {
            numbers: [major.as_bytes(), minor.as_bytes(), patch.as_bytes()],
            prerelease: self.prerelease.as_deref().map(str::as_bytes),
        }
    }
}
