//! What the JSON feeds have in common: text borrowed from the buffer, maps in their order, and
//! files too large to be held, cut into their members.
//!
//! A feed is parsed from slices, never from a reader: `serde_json` borrows strings only from
//! slices, and reads them several times faster. What would surprise: [`members`] looks only at
//! quotes and brackets. Whether a member is JSON is found out by whoever parses it, so that one
//! bad member costs only itself.

use std::borrow::Cow;
use std::fmt;
use std::io::{BufRead, Read};
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::FeedError;
use crate::json_value::ValueEnd;

/// How long the name of a top-level member may be, in bytes: package names and CVE ids are far
/// shorter, and a name is held in memory.
const KEY_BYTES_MAX: usize = 1024;

/// Text of a JSON string, borrowed unless it has escapes. `Cow` alone would be owned inside `Vec`
/// and `Option`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(transparent)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

/// A JSON object as pairs in the order of the file; a name that comes twice stands twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pairs<K, V>(pub(crate) Vec<(K, V)>);

/// Reads a whole document that fits in memory.
///
/// # Errors
/// [`FeedError::Read`] from the stream, [`FeedError::Form`] when it is longer than `limit` bytes.
pub(crate) fn read_whole(
    path: &str,
    content: &mut dyn BufRead,
    limit: usize,
    buffer: &mut Vec<u8>,
) -> Result<(), FeedError> {
    buffer.clear();
    let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    content
        .take(bound)
        .read_to_end(buffer)
        .map_err(|source| FeedError::Read { path: path.to_owned(), source })?;
    if buffer.len() > limit {
        return Err(FeedError::form(path, format!("longer than {limit} bytes")));
    }
    Ok(())
}

/// Gives `each` the name and the text of every member of the object that a document consists of.
/// Only one member is in memory at a time; of one longer than `limit` bytes only the name is given,
/// with no text.
///
/// # Errors
/// [`FeedError::Read`] from the stream; [`FeedError::Form`] when the document is no object, is cut,
/// or goes on after its end.
pub(crate) fn members(
    path: &str,
    content: &mut dyn BufRead,
    limit: usize,
    each: &mut dyn FnMut(&str, Option<&[u8]>),
) -> Result<(), FeedError> {
    let mut cutter = Cutter::new(limit);
    loop {
        let chunk = content
            .fill_buf()
            .map_err(|source| FeedError::Read { path: path.to_owned(), source })?;
        if chunk.is_empty() {
            return match cutter.place {
                Place::After => Ok(()),
                Place::Before => Err(FeedError::form(path, "empty".to_owned())),
                _ => Err(FeedError::form(path, "ends in the middle of the object".to_owned())),
            };
        }
        let length = chunk.len();
        cutter.take(chunk, each).map_err(|problem| FeedError::form(path, problem.to_owned()))?;
        content.consume(length);
    }
}

/// Where in the document the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Before,
    KeyOrEnd,
    Key,
    Colon,
    Value,
    After,
}

struct Cutter {
    place: Place,
    key: Vec<u8>,
    value: Vec<u8>,
    limit: usize,
    is_too_long: bool,
    end: ValueEnd,
    is_key_escaped: bool,
    is_after_comma: bool,
}

impl Cutter {
    fn new(limit: usize) -> Self {
        Self {
            place: Place::Before,
            key: Vec::new(),
            value: Vec::new(),
            limit,
            is_too_long: false,
            end: ValueEnd::default(),
            is_key_escaped: false,
            is_after_comma: false,
        }
    }

    fn take(
        &mut self,
        chunk: &[u8],
        each: &mut dyn FnMut(&str, Option<&[u8]>),
    ) -> Result<(), &'static str> {
        let mut rest = chunk;
        while let Some((&byte, after)) = rest.split_first() {
            match self.place {
                Place::Value => {
                    let length = self.end.length(rest, |byte| matches!(byte, b'}' | b','));
                    let (part, tail) = rest.split_at(length);
                    self.keep(part);
                    rest = tail;
                    if let Some((&end, tail)) = rest.split_first() {
                        self.give(each)?;
                        self.is_after_comma = end == b',';
                        self.place = if end == b',' { Place::KeyOrEnd } else { Place::After };
                        rest = tail;
                    }
                    continue;
                }
                Place::Key => self.key_byte(byte)?,
                _ if byte.is_ascii_whitespace() => {}
                Place::Before if byte == b'{' => self.place = Place::KeyOrEnd,
                Place::KeyOrEnd if byte == b'"' => {
                    self.key.clear();
                    self.place = Place::Key;
                }
                Place::KeyOrEnd if byte == b'}' && !self.is_after_comma => {
                    self.place = Place::After;
                }
                Place::Colon if byte == b':' => self.place = Place::Value,
                Place::Before => return Err("not a JSON object"),
                Place::KeyOrEnd => return Err("a member's name does not begin with a quote"),
                Place::Colon => return Err("no colon after a member's name"),
                Place::After => return Err("goes on after the end of the object"),
            }
            rest = after;
        }
        Ok(())
    }

    fn key_byte(&mut self, byte: u8) -> Result<(), &'static str> {
        if self.is_key_escaped {
            self.is_key_escaped = false;
        } else if byte == b'"' {
            self.place = Place::Colon;
            self.value.clear();
            self.is_too_long = false;
            return Ok(());
        } else if byte == b'\\' {
            self.is_key_escaped = true;
        }
        if self.key.len() == KEY_BYTES_MAX {
            return Err("a member's name is longer than 1024 bytes");
        }
        self.key.push(byte);
        Ok(())
    }

    fn keep(&mut self, part: &[u8]) {
        if self.is_too_long {
            return;
        }
        if self.value.len().saturating_add(part.len()) > self.limit {
            self.is_too_long = true;
            self.value = Vec::new();
        } else {
            self.value.extend_from_slice(part);
        }
    }

    fn give(&mut self, each: &mut dyn FnMut(&str, Option<&[u8]>)) -> Result<(), &'static str> {
        let raw = std::str::from_utf8(&self.key).map_err(|_| "a member's name is not UTF-8")?;
        let value = (!self.is_too_long).then_some(&*self.value);
        if raw.contains('\\') {
            let quoted = format!("\"{raw}\"");
            let key: String =
                serde_json::from_str(&quoted).map_err(|_| "a member's name is not JSON text")?;
            each(&key, value);
        } else {
            each(raw, value);
        }
        Ok(())
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Deserialize<'de> for Pairs<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor(PhantomData))
    }
}

impl<K, V> Default for Pairs<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

struct PairsVisitor<K, V>(PhantomData<(K, V)>);

impl<'de, K: Deserialize<'de>, V: Deserialize<'de>> Visitor<'de> for PairsVisitor<K, V> {
    type Value = Pairs<K, V>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }
}

#[cfg(test)]
mod tests;
