//! Reads the keys of a TOML table, each into what it means, and knows which ones nobody asked for.
//!
//! Keys are asked for one by one and taken out; what is left at the end is a key that there is not.
//! The nearest of those that were asked for is named, since most wrong keys are slips.

use std::num::NonZeroUsize;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What is wrong with the text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// The line, from 1.
    pub(super) line: usize,
    /// What is wrong, with the key.
    pub(super) what: String,
}

/// A table of which some keys were taken.
pub(super) struct Table<'a> {
    /// Before its keys in messages: empty, or `updater.`.
    prefix: String,
    /// The whole file.
    text: &'a str,
    entries: DeTable<'a>,
    /// The keys that were asked for, there or not.
    known: Vec<String>,
}

impl<'a> Table<'a> {
    /// The table of a whole file.
    pub(super) fn parse(text: &'a str) -> Result<Self, Problem> {
        let (entries, errors) = DeTable::parse_recoverable(text);
        let start = |error: &toml::de::Error| error.span().map_or(0, |span| span.start);
        // What follows the first one may be its consequence.
        if let Some(error) = errors.iter().min_by_key(|error| start(error)) {
            let what = error.message().to_owned();
            return Err(Problem { line: line(text, start(error)), what });
        }
        let entries = entries.into_inner();
        Ok(Self { prefix: String::new(), text, entries, known: Vec::new() })
    }

    /// A table within.
    pub(super) fn table(&mut self, key: &str) -> Result<Option<Self>, Problem> {
        let (prefix, text) = (format!("{}{key}.", self.prefix), self.text);
        self.take(key, |value| match value {
            DeValue::Table(entries) => Ok(Self { prefix, text, entries, known: Vec::new() }),
            other => Err(expected("a table", &other)),
        })
    }

    /// A text, and what it means.
    pub(super) fn text<T>(
        &mut self,
        key: &str,
        meaning: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Problem> {
        self.take(key, |value| match value {
            DeValue::String(text) => meaning(&text),
            other => Err(expected("a text", &other)),
        })
    }

    /// A list of texts, each with its meaning; empty when the key is not there.
    pub(super) fn texts<T>(
        &mut self,
        key: &str,
        meaning: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, Problem> {
        let list = self.take(key, |value| {
            let DeValue::Array(items) = value else {
                return Err(expected("a list of texts", &value));
            };
            let item = |item: &Spanned<DeValue<'_>>| match item.get_ref() {
                DeValue::String(text) => meaning(text),
                other => Err(expected("a list of texts", other)),
            };
            items.iter().map(item).collect::<Result<Vec<T>, String>>()
        })?;
        Ok(list.unwrap_or_default())
    }

    /// A whole number, at least 1.
    pub(super) fn count(&mut self, key: &str) -> Result<Option<NonZeroUsize>, Problem> {
        self.take(key, |value| {
            let DeValue::Integer(number) = &value else {
                return Err(expected("a whole number", &value));
            };
            let number = usize::from_str_radix(number.as_str(), number.radix());
            let number = number.ok().and_then(NonZeroUsize::new);
            number.ok_or_else(|| "expected a whole number of at least 1".to_owned())
        })
    }

    /// Yes or no.
    pub(super) fn flag(&mut self, key: &str) -> Result<Option<bool>, Problem> {
        self.take(key, |value| match value {
            DeValue::Boolean(flag) => Ok(flag),
            other => Err(expected("true or false", &other)),
        })
    }

    /// Says which key there is not, if one is left.
    pub(super) fn finish(self) -> Result<(), Problem> {
        let Some(key) = self.entries.keys().min_by_key(|key| key.span().start) else {
            return Ok(());
        };
        let name: &str = key.get_ref();
        let nearest = self.known.iter().min_by_key(|known| strsim::levenshtein(known, name));
        let mut what = format!("{}{name}: there is no such key", self.prefix);
        if let Some(nearest) = nearest {
            what.push_str(&format!("; the nearest is {}{nearest}", self.prefix));
        }
        Err(Problem { line: line(self.text, key.span().start), what })
    }

    fn take<T>(
        &mut self,
        key: &str,
        meaning: impl FnOnce(DeValue<'a>) -> Result<T, String>,
    ) -> Result<Option<T>, Problem> {
        self.known.push(key.to_owned());
        let Some(value) = self.entries.remove(key) else { return Ok(None) };
        let Range { start, .. } = value.span();
        meaning(value.into_inner()).map(Some).map_err(|what| Problem {
            line: line(self.text, start),
            what: format!("{}{key}: {what}", self.prefix),
        })
    }
}

fn expected(what: &str, found: &DeValue<'_>) -> String {
    format!("expected {what}, found {}", found.type_str())
}

/// The line of a byte, from 1.
fn line(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}
