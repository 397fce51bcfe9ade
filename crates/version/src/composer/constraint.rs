//! Constraints of Composer: `^1.2 || ~3.4.5`, `>=1.0,<2.0`, `1.0 - 2.0`, `1.*`.
//!
//! Read and applied as composer/semver's `VersionParser::parseConstraints` does. What surprises:
//! `>=` and `<` without a stability mean the development version of the bound, so that `<2.0` takes
//! no pre-release of 2.0; and a branch without a number is only ever equal to itself.

use std::cmp::Ordering;

use super::{Form, Token, Version, number, parse as parse_version, parse_modifiers, strip_alias};
use crate::bound::Operator;
use crate::decimal;

/// Stabilities after a hyphen that keep a bound from becoming its development version; `rc` is not
/// among them, as composer/semver compares it in the wrong case.
const NAMED_STABILITIES: [&str; 8] = ["stable", "beta", "b", "alpha", "a", "patch", "pl", "p"];

/// Alternatives, each of clauses that must all hold; none of these takes everything.
#[derive(Clone, Debug)]
pub(crate) struct Constraint {
    alternatives: Vec<Vec<Clause>>,
}

#[derive(Clone, Debug)]
struct Clause {
    operator: Operator,
    bound: Bound,
}

/// A normalised version.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Bound {
    Branch(Vec<u8>),
    Tokens(Vec<Token>),
}

/// A version as `~`, `^` and `A - B` take it.
struct Partial<'a> {
    /// One to four numbers as written.
    numbers: Vec<&'a [u8]>,
    has_stability: bool,
    is_dev: bool,
    /// `1.2.x-dev`.
    is_branch: bool,
}

/// Reads a constraint.
pub(crate) fn parse(text: &str) -> Result<Constraint, &'static str> {
    let mut alternatives = Vec::new();
    for alternative in text.trim_matches(super::is_space).replace("||", "|").split('|') {
        let mut clauses = Vec::new();
        for part in split_clauses(alternative.trim())? {
            parse_one(part, &mut clauses)?;
        }
        alternatives.push(clauses);
    }
    Ok(Constraint { alternatives })
}

/// Splits at commas and spaces that stand neither beside an operator nor around a hyphen or `as`.
fn split_clauses(text: &str) -> Result<Vec<&str>, &'static str> {
    let is_separator = |c: char| matches!(c, ' ' | ',');
    let mut parts = Vec::new();
    let (mut start, mut index) = (0, 0);
    while let Some(found) = text[index..].find(is_separator) {
        let from = index + found;
        let to = text[from..].find(|c| !is_separator(c)).map_or(text.len(), |end| from + end);
        let (before, after) = (&text[start..from], &text[to..]);
        let is_inside = before.is_empty()
            || after.is_empty()
            || before.ends_with(['=', '>', '<', '-'])
            || before.ends_with("as")
            || after.starts_with('-')
            || after.starts_with("as");
        if text[from..to].matches(',').count() > 1 {
            return Err("a clause is empty");
        }
        if !is_inside {
            parts.push(before);
            start = to;
        }
        index = to;
    }
    parts.push(&text[start..]);
    Ok(parts)
}

fn parse_one(text: &str, clauses: &mut Vec<Clause>) -> Result<(), &'static str> {
    let (text, modifier) = split_modifier(strip_alias(text));
    let text = strip_commit(text);
    if is_everything(text) {
        if text.len() > 1 {
            let lowest = vec![Token::Number(0); 4].into_iter().chain([Token::Dev]).collect();
            push(clauses, Operator::GreaterOrEqual, Bound::Tokens(lowest));
        }
        return Ok(());
    }
    if let Some(rest) = text.strip_prefix('~')
        && let Some(partial) = parse_partial(rest)
    {
        let position = partial.numbers.len() + usize::from(partial.is_branch);
        push(clauses, Operator::GreaterOrEqual, lower_bound(rest, &partial)?);
        let upper = next_release(&partial.numbers, (position - 1).max(1), 1);
        push(clauses, Operator::Less, upper);
        return Ok(());
    }
    if let Some(rest) = text.strip_prefix('^')
        && let Some(partial) = parse_partial(rest)
    {
        push(clauses, Operator::GreaterOrEqual, lower_bound(rest, &partial)?);
        let position = match &partial.numbers[..] {
            [b"0", b"0", _, ..] => 3,
            [b"0", _, ..] => 2,
            _ => 1,
        };
        push(clauses, Operator::Less, next_release(&partial.numbers, position, 1));
        return Ok(());
    }
    if let Some(numbers) = parse_wildcard(text) {
        if numbers.iter().any(|number| !decimal::trim(number).is_empty()) {
            push(clauses, Operator::GreaterOrEqual, next_release(&numbers, numbers.len(), 0));
        }
        push(clauses, Operator::Less, next_release(&numbers, numbers.len(), 1));
        return Ok(());
    }
    if let Some((from, to)) = split_hyphen(text) {
        return push_hyphen(from, to, clauses);
    }
    push_comparison(text, modifier, clauses)
}

fn push(clauses: &mut Vec<Clause>, operator: Operator, bound: Bound) {
    clauses.push(Clause { operator, bound });
}

/// `CONSTRAINT@STABILITY`; a constraint of nothing is `*`.
fn split_modifier(text: &str) -> (&str, Option<&str>) {
    let is_stability =
        |flag: &str| super::STABILITY_FLAGS.iter().any(|known| known.eq_ignore_ascii_case(flag));
    match text.split_once('@') {
        Some((constraint, flag))
            if is_stability(flag) && !constraint.contains([',', ' ', '\t', '\n', '\r']) =>
        {
            let constraint = if constraint.is_empty() { "*" } else { constraint };
            (constraint, Some(flag).filter(|flag| *flag != "stable"))
        }
        _ => (text, None),
    }
}

/// `dev-main#COMMIT` is `dev-main`.
fn strip_commit(text: &str) -> &str {
    match text.split_once('#') {
        Some((branch, commit))
            if !commit.is_empty()
                && !branch.contains([',', ' ', '@'])
                && (branch.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("dev-"))
                    || branch.to_ascii_lowercase().ends_with(".x-dev")) =>
        {
            branch
        }
        _ => text,
    }
}

/// `*`, `x.x`, `v*`.
fn is_everything(text: &str) -> bool {
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    text.split('.').all(|part| matches!(part, "x" | "X" | "*"))
}

fn parse_partial(text: &str) -> Option<Partial<'_>> {
    let (text, build) = match text.split_once('+') {
        Some((text, build)) => (text, Some(build)),
        None => (text, None),
    };
    if build.is_some_and(|build| build.is_empty() || build.contains(char::is_whitespace)) {
        return None;
    }
    let mut rest = super::strip_v(text.as_bytes());
    let mut numbers = Vec::with_capacity(4);
    while numbers.len() < 4 {
        let digits = if numbers.is_empty() { Some(rest) } else { rest.strip_prefix(b".") };
        let Some((number @ [_, ..], after)) = digits.map(decimal::take) else {
            break;
        };
        numbers.push(number);
        rest = after;
    }
    if numbers.is_empty() {
        return None;
    }
    if let [b'.', b'x' | b'X' | b'*', dev @ ..] = rest {
        let dev = dev.strip_prefix(b".").or_else(|| dev.strip_prefix(b"-")).unwrap_or(dev);
        return dev.eq_ignore_ascii_case(b"dev").then_some(Partial {
            numbers,
            has_stability: false,
            is_dev: false,
            is_branch: true,
        });
    }
    let modifiers = parse_modifiers(Form::Date(b""), rest)?;
    // `stable` counts as a stability, though it does not change the version.
    let after_separator = rest.strip_prefix(b".").or_else(|| rest.strip_prefix(b"-"));
    let word = after_separator.or_else(|| rest.strip_prefix(b"_")).unwrap_or(rest);
    let is_stable = word.get(..6).is_some_and(|word| word.eq_ignore_ascii_case(b"stable"));
    Some(Partial {
        numbers,
        has_stability: modifiers.stability.is_some() || is_stable,
        is_dev: modifiers.is_dev || rest.to_ascii_lowercase().ends_with(b"dev"),
        is_branch: false,
    })
}

/// The version itself, as a development version if it says no stability.
fn lower_bound(text: &str, partial: &Partial<'_>) -> Result<Bound, &'static str> {
    if partial.says_stability() {
        return Ok(Bound::of(&parse_version(text)?));
    }
    // As composer/semver does: appended to the text it is lost in build metadata, and makes a
    // branch of a number that is too long for a version.
    Ok(Bound::of(&parse_version(&format!("{text}-dev"))?))
}

/// The development version of the numbers, those after `position` (from 1) being zero and the one
/// at it `step` larger.
fn next_release(numbers: &[&[u8]], position: usize, step: u64) -> Bound {
    let number_at = |index: usize| match number(numbers.get(index).copied().unwrap_or(b"0")) {
        Token::Number(value) if index + 1 == position => Token::Number(value.saturating_add(step)),
        _ if index >= position => Token::Number(0),
        token => token,
    };
    Bound::Tokens((0..4).map(number_at).chain([Token::Dev]).collect())
}

/// One to three numbers, then `.*` or `.x`, once or more.
fn parse_wildcard(text: &str) -> Option<Vec<&[u8]>> {
    let mut rest = text.as_bytes();
    rest = rest.strip_prefix(b"v").unwrap_or(rest);
    while let [before @ .., b'.', b'x' | b'X' | b'*'] = rest {
        rest = before;
    }
    let numbers: Vec<&[u8]> = rest.split(|&byte| byte == b'.').collect();
    let is_wildcard = text.ends_with(['x', 'X', '*']);
    (is_wildcard && numbers.len() <= 3 && numbers.iter().all(|part| decimal::is_number(part)))
        .then_some(numbers)
}

/// `A - B`.
fn split_hyphen(text: &str) -> Option<(&str, &str)> {
    let (from, to) = text.split_once(" - ")?;
    let (from, to) = (from.trim_end_matches(' '), to.trim_start_matches(' '));
    (parse_partial(from).is_some() && parse_partial(to).is_some()).then_some((from, to))
}

fn push_hyphen(from: &str, to: &str, clauses: &mut Vec<Clause>) -> Result<(), &'static str> {
    const CHECKED: &str = "both sides were read";
    let low = parse_partial(from).expect(CHECKED);
    let mut lower = Bound::of(&parse_version(from)?);
    if !low.says_stability() {
        lower.push(Token::Dev);
    }
    push(clauses, Operator::GreaterOrEqual, lower);
    let high = parse_partial(to).expect(CHECKED);
    let version = Bound::of(&parse_version(to)?);
    if high.numbers.len() >= 3 || high.says_stability() {
        push(clauses, Operator::LessOrEqual, version);
    } else {
        push(clauses, Operator::Less, next_release(&high.numbers, high.numbers.len(), 1));
    }
    Ok(())
}

fn push_comparison(
    text: &str,
    modifier: Option<&str>,
    clauses: &mut Vec<Clause>,
) -> Result<(), &'static str> {
    let (operator, rest) = if let Some(rest) = text.strip_prefix("<>") {
        (Operator::NotEqual, rest)
    } else if let Some(rest) = text.strip_prefix("!=") {
        (Operator::NotEqual, rest)
    } else if let Some(rest) = text.strip_prefix("==") {
        (Operator::Equal, rest)
    } else {
        let (operator, rest) = Operator::split(text);
        (operator.unwrap_or(Operator::Equal), rest)
    };
    let rest = rest.trim_start();
    let mut bound = match parse_version(rest) {
        Ok(version) => Bound::of(&version),
        Err(problem) => {
            // `main-dev` for `dev-main` is a common mistake.
            let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '/');
            match rest.strip_suffix("-dev") {
                Some(name) if rest.chars().all(is_name) => Bound::Branch(name.into()),
                _ => return Err(problem),
            }
        }
    };
    match (operator, modifier) {
        (Operator::Equal, _) => {}
        (_, Some(modifier)) if bound.is_stable() => bound.push(stability_token(modifier)),
        (Operator::Less | Operator::GreaterOrEqual, _)
            if !says_stability(rest) && !rest.starts_with("dev-") =>
        {
            bound.push(Token::Dev);
        }
        _ => {}
    }
    push(clauses, operator, bound);
    Ok(())
}

/// The token of a stability as PHP's `version_compare` reads it.
fn stability_token(word: &str) -> Token {
    match word {
        "dev" => Token::Dev,
        "alpha" => Token::Alpha,
        "beta" => Token::Beta,
        "RC" | "rc" => Token::Candidate,
        _ => Token::Stable,
    }
}

/// Whether the text ends in a hyphen and modifiers (`-beta2`, `-dev`, or nothing after the hyphen).
fn says_stability(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.match_indices('-').any(|(index, _)| {
        let rest = &text[index + 1..];
        let rest = rest.strip_prefix(['.', '_', '-']).unwrap_or(rest);
        let is_end = |rest: &str| {
            let dev = rest.strip_prefix(['.', '-']).unwrap_or(rest);
            rest.is_empty() || dev == "dev"
        };
        is_end(rest)
            || NAMED_STABILITIES.iter().any(|word| {
                rest.strip_prefix(word).is_some_and(|numbers| {
                    let after = super::skip_numbers(numbers.as_bytes());
                    is_end(&numbers[numbers.len() - after.len()..])
                })
            })
    })
}

impl Partial<'_> {
    fn says_stability(&self) -> bool {
        self.has_stability || self.is_dev || self.is_branch
    }
}

impl Bound {
    fn of(version: &Version<'_>) -> Self {
        match version.form {
            Form::Branch(name) => Self::Branch(name.to_vec()),
            _ => Self::Tokens(version.tokens().collect()),
        }
    }

    fn push(&mut self, token: Token) {
        match self {
            // The name becomes another one, as in composer/semver.
            Self::Branch(name) => name.extend_from_slice(b"-dev"),
            Self::Tokens(tokens) => tokens.push(token),
        }
    }

    fn is_stable(&self) -> bool {
        let is_unstable = |token: &Token| {
            matches!(token, Token::Dev | Token::Alpha | Token::Beta | Token::Candidate)
        };
        matches!(self, Self::Tokens(tokens) if !tokens.iter().any(is_unstable))
    }
}

impl Constraint {
    /// Whether the constraint takes a version.
    pub(crate) fn matches(&self, text: &str) -> Result<bool, &'static str> {
        let version = Bound::of(&parse_version(text)?);
        let takes = |clause: &Clause| clause.takes(&version);
        Ok(self.alternatives.iter().any(|clauses| clauses.iter().all(takes)))
    }
}

impl Clause {
    fn takes(&self, version: &Bound) -> bool {
        match (version, &self.bound) {
            (Bound::Tokens(version), Bound::Tokens(bound)) => {
                self.operator.holds(compare_tokens(version, bound))
            }
            (version, bound) => match self.operator {
                Operator::Equal => version == bound,
                Operator::NotEqual => version != bound,
                _ => false,
            },
        }
    }
}

fn compare_tokens(left: &[Token], right: &[Token]) -> Ordering {
    let length = left.len().max(right.len());
    let token = |tokens: &[Token], index| tokens.get(index).copied().unwrap_or(Token::End);
    (0..length)
        .map(|index| token(left, index).cmp(&token(right, index)))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}
