//! Reads JSON from a stranger, byte by byte as it comes, and keeps none of it.
//!
//! A document has a budget in bytes, every text and number has a longest length, and nothing is
//! read recursively, so a hostile sender costs one buffer whatever it sends. Stricter than Go's
//! `encoding/json`, which honest senders use to write: no lone surrogate, no invalid UTF-8. What
//! the members mean is the caller's: see [`crate::reply`]. Surprising: descriptors attached to the
//! bytes of a unix socket never come in, because a plain `read` makes the kernel drop them. And
//! strings, numbers and names of members are read twice over: at once where the buffer holds them
//! whole, as it nearly always does, and byte by byte where it does not. The first is three times
//! as fast and gives way to the second whenever it is in doubt.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::refusal::{Reason, Refusal};

/// How much is read at once. One such buffer stands for each call in flight.
const BUFFER_BYTES: usize = 8 * 1024;
/// The longest number: an integer has at most 20 characters, Go's floats at most 26.
const NUMBER_BYTES_MAX: usize = 64;
/// The longest name of a member within one that nobody knows.
const SKIPPED_KEY_BYTES_MAX: usize = 16 * 1024;
/// How deep a member that nobody knows may be nested.
const DEPTH_MAX: usize = 16;

/// A place in a document that is being received.
pub(crate) struct Reader<R> {
    source: R,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    /// Bytes that may still be received.
    budget: usize,
}

/// The members of an object or the elements of an array, as they are passed.
#[derive(Default)]
pub(crate) struct Sequence {
    is_started: bool,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    /// Reads at most `budget` bytes from a source.
    pub(crate) fn new(source: R, budget: usize) -> Self {
        let buffer = vec![0; BUFFER_BYTES].into_boxed_slice();
        Self { source, buffer, start: 0, end: 0, budget }
    }

    /// The next byte that is not white space, without passing it.
    pub(crate) async fn peek(&mut self) -> Result<u8, Refusal> {
        loop {
            if let Some(byte) = self.peek_held() {
                return Ok(byte);
            }
            self.fill().await?;
        }
    }

    /// Passes one byte, white space before it left out.
    pub(crate) async fn expect(&mut self, expected: u8) -> Result<(), Refusal> {
        let byte = match self.peek_held() {
            Some(byte) => byte,
            None => self.peek().await?,
        };
        if byte != expected {
            return Err(unexpected(byte, char::from(expected)));
        }
        self.start += 1;
        Ok(())
    }

    /// Passes the name of an object's next member into `key`; `false` when the object ends. The
    /// opening brace must have been passed.
    pub(crate) async fn next_member(
        &mut self,
        sequence: &mut Sequence,
        key: &mut String,
        key_max: usize,
    ) -> Result<bool, Refusal> {
        if self.next_member_held(sequence, key, key_max) {
            return Ok(true);
        }
        if !self.next_item(sequence, b'}').await? {
            return Ok(false);
        }
        self.string(key, key_max).await?;
        self.expect(b':').await?;
        Ok(true)
    }

    /// Goes to an array's next element; `false` when the array ends. The opening bracket must have
    /// been passed.
    pub(crate) async fn next_element(&mut self, sequence: &mut Sequence) -> Result<bool, Refusal> {
        self.next_item(sequence, b']').await
    }

    /// Reads a string into `text`, which is emptied first.
    pub(crate) async fn string(&mut self, text: &mut String, max: usize) -> Result<(), Refusal> {
        if self.string_held(text, max) {
            return Ok(());
        }
        self.expect(b'"').await?;
        let mut bytes = std::mem::take(text).into_bytes();
        bytes.clear();
        loop {
            let byte = self.next_raw().await?;
            match byte {
                b'"' => break,
                b'\\' => self.escape(&mut bytes).await?,
                0..=0x1f => return Err(decode("a control character in a string")),
                _ => {
                    bytes.push(byte);
                    self.plain(&mut bytes);
                }
            }
            if bytes.len() > max {
                return Err(Refusal::new(
                    Reason::Budget,
                    format_args!("a text is longer than {max} bytes"),
                ));
            }
        }
        *text = String::from_utf8(bytes).map_err(|_| decode("a string is not UTF-8"))?;
        Ok(())
    }

    /// Reads the text of a number into `text`, which is emptied first.
    pub(crate) async fn number(&mut self, text: &mut String) -> Result<(), Refusal> {
        if self.number_held(text) {
            return Ok(());
        }
        text.clear();
        self.peek().await?;
        loop {
            let byte = self.peek_raw().await?;
            if !is_of_number(byte) {
                break;
            }
            self.start += 1;
            text.push(char::from(byte));
            if text.len() > NUMBER_BYTES_MAX {
                return Err(Refusal::new(Reason::Budget, "a number is too long"));
            }
        }
        if is_number(text.as_bytes()) { Ok(()) } else { Err(decode("a number is malformed")) }
    }

    /// Reads `true` or `false`.
    pub(crate) async fn boolean(&mut self) -> Result<bool, Refusal> {
        let is_true = self.peek().await? == b't';
        self.word(if is_true { b"true" } else { b"false" }).await?;
        Ok(is_true)
    }

    /// Passes `null` if it stands here.
    pub(crate) async fn is_null(&mut self) -> Result<bool, Refusal> {
        if self.peek().await? != b'n' {
            return Ok(false);
        }
        self.word(b"null").await?;
        Ok(true)
    }

    /// Passes a value that nobody knows, whatever it is. Nothing of it is kept, so its strings may
    /// be as long as the document, and hold any bytes.
    pub(crate) async fn skip(&mut self) -> Result<(), Refusal> {
        let mut text = String::new();
        let mut open: Vec<(u8, Sequence)> = Vec::new();
        loop {
            match self.peek().await? {
                byte @ (b'{' | b'[') => {
                    self.start += 1;
                    if open.len() == DEPTH_MAX {
                        return Err(Refusal::new(Reason::Budget, "nested too deeply"));
                    }
                    open.push((byte, Sequence::default()));
                }
                b'"' => self.skip_string().await?,
                b't' | b'f' => {
                    self.boolean().await?;
                }
                b'n' => self.word(b"null").await?,
                _ => self.number(&mut text).await?,
            }
            loop {
                let Some((opening, sequence)) = open.last_mut() else { return Ok(()) };
                let is_more = if *opening == b'{' {
                    self.next_member(sequence, &mut text, SKIPPED_KEY_BYTES_MAX).await?
                } else {
                    self.next_element(sequence).await?
                };
                if is_more {
                    break;
                }
                open.pop();
            }
        }
    }

    /// Says whether anything but white space has come after the document by now: what is there
    /// already is read, nothing is waited for, since an honest sender keeps the line open.
    pub(crate) async fn has_trailing(&mut self) -> bool {
        while self.peek_held().is_none() {
            let mut filling = pin!(self.fill());
            let outcome = poll_fn(|context| Poll::Ready(filling.as_mut().poll(context))).await;
            if !matches!(outcome, Poll::Ready(Ok(()))) {
                return false;
            }
        }
        true
    }

    async fn next_item(&mut self, sequence: &mut Sequence, close: u8) -> Result<bool, Refusal> {
        let byte = self.peek().await?;
        if byte == close {
            self.start += 1;
            return Ok(false);
        }
        if sequence.is_started {
            self.expect(b',').await?;
            // A comma before the end is no honest writer's.
            let next = self.peek().await?;
            if next == close {
                return Err(unexpected(next, 'x'));
            }
        }
        sequence.is_started = true;
        Ok(true)
    }

    async fn skip_string(&mut self) -> Result<(), Refusal> {
        self.expect(b'"').await?;
        let mut escaped = Vec::new();
        loop {
            match self.next_raw().await? {
                b'"' => return Ok(()),
                b'\\' => {
                    escaped.clear();
                    self.escape(&mut escaped).await?;
                }
                0..=0x1f => return Err(decode("a control character in a string")),
                _ => self.start += plain_length(self.held()),
            }
        }
    }

    async fn word(&mut self, word: &[u8]) -> Result<(), Refusal> {
        for expected in word {
            if self.next_raw().await? != *expected {
                return Err(decode("a word that is not JSON"));
            }
        }
        Ok(())
    }

    /// Takes what lies in the buffer up to the next byte that means something in a string.
    fn plain(&mut self, bytes: &mut Vec<u8>) {
        let length = plain_length(self.held());
        bytes.extend_from_slice(&self.held()[..length]);
        self.start += length;
    }

    /// What has been received and not been passed yet.
    fn held(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Passes white space; gives the byte behind it if it has been received.
    fn peek_held(&mut self) -> Option<u8> {
        let length = space_length(self.held());
        self.start += length;
        self.held().first().copied()
    }

    /// Passes the name of a member that is held whole, with its colon; `false`: nothing of note was
    /// passed, and it must be read byte by byte.
    fn next_member_held(
        &mut self,
        sequence: &mut Sequence,
        key: &mut String,
        key_max: usize,
    ) -> bool {
        let start = self.start;
        if sequence.is_started {
            if self.peek_held() != Some(b',') {
                return false;
            }
            self.start += 1;
        }
        if self.string_held(key, key_max) && self.peek_held() == Some(b':') {
            self.start += 1;
            sequence.is_started = true;
            return true;
        }
        self.start = start;
        false
    }

    /// Reads a string that is held whole and has no escapes; `false`, and it is still there, when
    /// it is not, or might be refused.
    fn string_held(&mut self, text: &mut String, max: usize) -> bool {
        if self.peek_held() != Some(b'"') {
            return false;
        }
        let rest = &self.held()[1..];
        let length = plain_length(rest);
        let (plain, end) = rest.split_at(length);
        let Ok(plain) = std::str::from_utf8(plain) else { return false };
        if end.first() != Some(&b'"') || length > max {
            return false;
        }
        text.clear();
        text.push_str(plain);
        self.start += length + 2;
        true
    }

    /// Reads a number that is held with the byte behind it; `false` as in
    /// [`Reader::string_held`].
    fn number_held(&mut self, text: &mut String) -> bool {
        self.peek_held();
        let rest = self.held();
        let Some(length) = rest.iter().position(|byte| !is_of_number(*byte)) else { return false };
        let number = &rest[..length];
        if length > NUMBER_BYTES_MAX || !is_number(number) {
            return false;
        }
        text.clear();
        text.extend(number.iter().map(|byte| char::from(*byte)));
        self.start += length;
        true
    }

    async fn escape(&mut self, bytes: &mut Vec<u8>) -> Result<(), Refusal> {
        let plain = match self.next_raw().await? {
            byte @ (b'"' | b'\\' | b'/') => byte,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => return self.unicode_escape(bytes).await,
            _ => return Err(decode("an unknown escape in a string")),
        };
        bytes.push(plain);
        Ok(())
    }

    async fn unicode_escape(&mut self, bytes: &mut Vec<u8>) -> Result<(), Refusal> {
        let mut code = self.hexadecimal().await?;
        if (0xd800..0xdc00).contains(&code) {
            if self.next_raw().await? != b'\\' || self.next_raw().await? != b'u' {
                return Err(decode("half a surrogate pair"));
            }
            let low = self.hexadecimal().await?;
            if !(0xdc00..0xe000).contains(&low) {
                return Err(decode("half a surrogate pair"));
            }
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
        let character = char::from_u32(code).ok_or_else(|| decode("half a surrogate pair"))?;
        bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    async fn hexadecimal(&mut self) -> Result<u32, Refusal> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = char::from(self.next_raw().await?).to_digit(16);
            code = code * 16 + digit.ok_or_else(|| decode("an escape is not hexadecimal"))?;
        }
        Ok(code)
    }

    async fn next_raw(&mut self) -> Result<u8, Refusal> {
        let byte = self.peek_raw().await?;
        self.start += 1;
        Ok(byte)
    }

    async fn peek_raw(&mut self) -> Result<u8, Refusal> {
        if self.start == self.end {
            self.fill().await?;
        }
        Ok(self.buffer[self.start])
    }

    async fn fill(&mut self) -> Result<(), Refusal> {
        if self.budget == 0 {
            return Err(Refusal::new(Reason::TooLarge, "the answer is too long"));
        }
        let room = self.buffer.len().min(self.budget);
        let count = self
            .source
            .read(&mut self.buffer[..room])
            .await
            .map_err(|error| Refusal::new(Reason::Connect, format_args!("reading: {error}")))?;
        if count == 0 {
            return Err(decode("the answer ends in the middle"));
        }
        self.start = 0;
        self.end = count;
        self.budget -= count;
        Ok(())
    }
}

/// How many bytes lie before the next one that means something in a string.
fn plain_length(bytes: &[u8]) -> usize {
    let end = memchr::memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len());
    let plain = &bytes[..end];
    // Controls are looked for only if there are any: the first look is many bytes at a time.
    let has_control = plain.iter().fold(false, |found, byte| found | (*byte < b' '));
    if has_control { plain.iter().position(|byte| *byte < b' ').unwrap_or(end) } else { end }
}

/// How many bytes of white space these begin with.
fn space_length(bytes: &[u8]) -> usize {
    let is_space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    bytes.iter().take_while(is_space).count()
}

fn is_of_number(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')
}

/// The grammar of RFC 8259, section 6.
fn is_number(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(text);
    if whole == 0 || (whole > 1 && text[0] == b'0') {
        return false;
    }
    let mut rest = &text[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let count = digits(fraction);
        if count == 0 {
            return false;
        }
        rest = &fraction[count..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = match exponent {
            [b'+' | b'-', exponent @ ..] => exponent,
            exponent => exponent,
        };
        return !exponent.is_empty() && digits(exponent) == exponent.len();
    }
    rest.is_empty()
}

/// A refusal of text that is not the JSON that was agreed on.
pub(crate) fn decode(detail: &str) -> Refusal {
    Refusal::new(Reason::Decode, detail)
}

fn unexpected(byte: u8, expected: char) -> Refusal {
    let byte = char::from(byte);
    let detail = if expected == 'x' {
        format!("{byte:?} where a value was expected")
    } else {
        format!("{byte:?} where {expected:?} was expected")
    };
    Refusal::new(Reason::Decode, detail)
}
