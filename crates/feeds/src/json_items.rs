//! Cuts a JSON file that is one object with one long list into the items of that list.
//!
//! NVD's years and CISA's catalogue have this form: a few facts about the file, and everything else
//! in `vulnerabilities`. Only one item is in memory at a time. As in `crate::json`, only quotes and
//! brackets are looked at; whether an item is JSON is found out by whoever parses it, so that a
//! bad item costs only itself.

use std::io::BufRead;

use crate::FeedError;
use crate::json_value::ValueEnd;

/// How long a member beside the list may be to be given, in bytes; they are versions and dates.
const MEMBER_BYTES_MAX: usize = 4096;

/// How long the name of a member may be, in bytes.
const KEY_BYTES_MAX: usize = 256;

/// What a file is cut into.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// A member beside the list that is not too long: its name and its text.
    Member(&'a str, &'a [u8]),
    /// The text of an item; `None` if it is longer than the limit.
    Item(Option<&'a [u8]>),
}

/// Gives `each` the pieces of a file whose list is called `list`, in their order.
///
/// # Errors
/// [`FeedError::Read`] from the stream; [`FeedError::Form`] when the file is no object, has no such
/// list, is cut, or goes on after its end.
pub(crate) fn items(
    path: &str,
    content: &mut dyn BufRead,
    list: &str,
    limit: usize,
    each: &mut dyn FnMut(Piece<'_>),
) -> Result<(), FeedError> {
    let mut cutter = Cutter::new(list, limit);
    loop {
        let chunk = content
            .fill_buf()
            .map_err(|source| FeedError::Read { path: path.to_owned(), source })?;
        if chunk.is_empty() {
            break;
        }
        let length = chunk.len();
        cutter.take(chunk, each).map_err(|problem| FeedError::form(path, problem.to_owned()))?;
        content.consume(length);
    }
    let problem = match (cutter.place, cutter.has_list) {
        (Place::After, true) => return Ok(()),
        (Place::After, false) => format!("has no list {list:?}"),
        (Place::Before, _) => "empty".to_owned(),
        _ => "ends in the middle of the object".to_owned(),
    };
    Err(FeedError::form(path, problem))
}

/// Where in the file the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Before,
    KeyOrEnd,
    Key,
    Colon,
    ValueStart,
    Value,
    ItemOrEnd,
    Item,
    AfterList,
    After,
}

struct Cutter<'a> {
    list: &'a str,
    item_limit: usize,
    place: Place,
    has_list: bool,
    key: Vec<u8>,
    kept: Kept,
    end: ValueEnd,
}

/// The text of the present member or item, up to a limit.
#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    limit: usize,
    is_too_long: bool,
}

impl<'a> Cutter<'a> {
    fn new(list: &'a str, item_limit: usize) -> Self {
        Self {
            list,
            item_limit,
            place: Place::Before,
            has_list: false,
            key: Vec::new(),
            kept: Kept::default(),
            end: ValueEnd::default(),
        }
    }

    fn take(&mut self, chunk: &[u8], each: &mut dyn FnMut(Piece<'_>)) -> Result<(), &'static str> {
        let mut rest = chunk;
        while let Some((&byte, after)) = rest.split_first() {
            if matches!(self.place, Place::Value | Place::Item) {
                let length = self.end.length(rest, |byte| matches!(byte, b'}' | b']' | b','));
                let (part, tail) = rest.split_at(length);
                self.kept.add(part);
                rest = tail;
                if let Some((&end, tail)) = rest.split_first() {
                    self.give(each)?;
                    self.place = match (self.place, end) {
                        (Place::Value, b',') => Place::KeyOrEnd,
                        (Place::Value, _) => Place::After,
                        (_, b',') => Place::ItemOrEnd,
                        _ => Place::AfterList,
                    };
                    rest = tail;
                }
            } else if self.place == Place::ValueStart && !byte.is_ascii_whitespace() {
                rest = if self.start_value(byte) { after } else { rest };
            } else {
                self.between(byte)?;
                rest = after;
            }
        }
        Ok(())
    }

    /// Takes a byte that belongs to no value.
    fn between(&mut self, byte: u8) -> Result<(), &'static str> {
        match self.place {
            Place::Key => return self.key_byte(byte),
            _ if byte.is_ascii_whitespace() => {}
            Place::Before if byte == b'{' => self.place = Place::KeyOrEnd,
            Place::KeyOrEnd if byte == b'"' => {
                self.key.clear();
                self.place = Place::Key;
            }
            Place::KeyOrEnd | Place::AfterList if byte == b'}' => self.place = Place::After,
            Place::AfterList if byte == b',' => self.place = Place::KeyOrEnd,
            Place::Colon if byte == b':' => self.place = Place::ValueStart,
            Place::ItemOrEnd if byte == b']' => self.place = Place::AfterList,
            Place::ItemOrEnd => {
                self.kept.start(self.item_limit);
                self.kept.add(&[byte]);
                self.place = Place::Item;
                self.end.first_byte(byte);
            }
            Place::Before => return Err("not a JSON object"),
            Place::KeyOrEnd => return Err("a member's name does not begin with a quote"),
            Place::Colon => return Err("no colon after a member's name"),
            Place::AfterList => return Err("no comma after the list"),
            Place::After => return Err("goes on after the end of the object"),
            Place::ValueStart | Place::Value | Place::Item => {}
        }
        Ok(())
    }

    /// Starts a member's value with its first byte; whether the byte is done with.
    fn start_value(&mut self, byte: u8) -> bool {
        if byte == b'[' && self.key == self.list.as_bytes() {
            self.has_list = true;
            self.place = Place::ItemOrEnd;
            return true;
        }
        self.kept.start(MEMBER_BYTES_MAX);
        self.place = Place::Value;
        false
    }

    fn key_byte(&mut self, byte: u8) -> Result<(), &'static str> {
        match byte {
            b'"' => self.place = Place::Colon,
            b'\\' => return Err("a member's name has an escape"),
            _ if self.key.len() == KEY_BYTES_MAX => return Err("a member's name is too long"),
            _ => self.key.push(byte),
        }
        Ok(())
    }

    fn give(&mut self, each: &mut dyn FnMut(Piece<'_>)) -> Result<(), &'static str> {
        let text = (!self.kept.is_too_long).then_some(self.kept.bytes.as_slice());
        if self.place == Place::Item {
            each(Piece::Item(text));
        } else if let Some(text) = text {
            let key = std::str::from_utf8(&self.key).map_err(|_| "a member's name is no UTF-8")?;
            each(Piece::Member(key, text));
        }
        Ok(())
    }
}

impl Kept {
    fn start(&mut self, limit: usize) {
        self.bytes.clear();
        self.limit = limit;
        self.is_too_long = false;
    }

    fn add(&mut self, part: &[u8]) {
        if self.is_too_long || self.bytes.len().saturating_add(part.len()) > self.limit {
            self.is_too_long = true;
            self.bytes = Vec::new();
        } else {
            self.bytes.extend_from_slice(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    /// The pieces as texts, read in chunks of `size` bytes.
    fn pieces(text: &str, size: usize) -> Result<Vec<String>, String> {
        let mut found = Vec::new();
        let mut content = BufReader::with_capacity(size, text.as_bytes());
        let result = items("f", &mut content, "list", 24, &mut |piece| {
            found.push(match piece {
                Piece::Member(name, text) => format!("{name}={}", String::from_utf8_lossy(text)),
                Piece::Item(Some(text)) => String::from_utf8_lossy(text).into_owned(),
                Piece::Item(None) => "too long".to_owned(),
            });
        });
        result.map(|()| found).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        for size in [1, 2, 3, 7, 1000] {
            let found = pieces(text, size);
            let found = found.expect("of the expected form");
            assert_eq!(found, expected, "chunks of {size}");
        }
    }

    #[test]
    fn items_and_the_members_beside_them_are_given_in_order() {
        check(
            r#"{"a": "1]", "list": [{"x": [1, 2]}, "b}\",", 3 ], "z": {"list": [1]}}"#,
            &[r#"a="1]""#, r#"{"x": [1, 2]}"#, r#""b}\",""#, "3 ", r#"z={"list": [1]}"#],
        );
        check(" {\"list\":[]} \n", &[]);
        check(r#"{"list":[[],{}]}"#, &["[]", "{}"]);
    }

    #[test]
    fn an_item_beyond_the_limit_is_named_and_the_next_one_is_given() {
        check(r#"{"list": ["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 1]}"#, &["too long", "1"]);
    }

    #[test]
    fn files_of_another_form_are_refused() {
        for (text, problem) in [
            ("", "f: empty"),
            ("[]", "f: not a JSON object"),
            ("{}", "f: has no list \"list\""),
            (r#"{"list": 5}"#, "f: has no list \"list\""),
            (r#"{"list": [1, 2"#, "f: ends in the middle of the object"),
            (r#"{"list": [1, 2]"#, "f: ends in the middle of the object"),
            (r#"{"list": [1]} x"#, "f: goes on after the end of the object"),
            (r#"{"list": [1] "a": 1}"#, "f: no comma after the list"),
            (r#"{list: [1]}"#, "f: a member's name does not begin with a quote"),
        ] {
            for size in [1, 1000] {
                assert_eq!(pieces(text, size), Err(problem.to_owned()), "{text:?}");
            }
        }
    }
}
