//! Writes a profile as `profile.proto` of <https://github.com/google/pprof> has it.
//!
//! Protocol buffers are a few rules, and seven small messages need no compiler for them: a field
//! is its number and kind in a byte, then a variable-length integer or a length and bytes.

use std::collections::HashMap;
use std::hash::Hash;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use pprof::{Report, Symbol};

/// Nanoseconds of a second.
const SECOND_NS: u64 = 1_000_000_000;

/// A message of numbered fields.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            let [low, ..] = value.to_le_bytes();
            self.0.push(low | 0x80);
            value >>= 7;
        }
        let [low, ..] = value.to_le_bytes();
        self.0.push(low);
    }

    /// A whole number; nothing for zero, which is what a missing one means.
    fn number(mut self, field: u64, value: u64) -> Self {
        if value != 0 {
            self.varint(field << 3);
            self.varint(value);
        }
        self
    }

    fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    fn message(self, field: u64, message: &Self) -> Self {
        self.bytes(field, &message.0)
    }

    /// Several numbers in one field.
    fn numbers(self, field: u64, values: impl IntoIterator<Item = u64>) -> Self {
        let mut packed = Self::default();
        for value in values {
            packed.varint(value);
        }
        self.bytes(field, &packed.0)
    }
}

/// Things that are written once and told by a number from then on.
struct Table<T>(HashMap<T, u64>);

impl<T: Hash + Eq> Table<T> {
    /// The number of a thing, counted from `first`, and whether it is new.
    fn place(&mut self, thing: T, first: u64) -> (u64, bool) {
        let next = first + self.0.len() as u64;
        let place = *self.0.entry(thing).or_insert(next);
        (place, place == next)
    }
}

/// What is being written.
struct Writer {
    message: Message,
    strings: Table<String>,
    functions: Table<(String, String)>,
    locations: Table<(u64, u32)>,
}

/// The whole profile: how often each stack was seen, and the time that this stands for.
pub(super) fn profile(report: &Report, frequency_hz: u16) -> Vec<u8> {
    let period_ns = SECOND_NS / u64::from(frequency_hz);
    let mut writer = Writer {
        message: Message::default(),
        strings: Table(HashMap::new()),
        functions: Table(HashMap::new()),
        locations: Table(HashMap::new()),
    };
    // The first text has to be empty.
    writer.string("");
    let samples = writer.value_type("samples", "count");
    let cpu = writer.value_type("cpu", "nanoseconds");
    writer.field(|message| message.message(1, &samples).message(1, &cpu));
    for (frames, count) in &report.data {
        // A frame with inlined functions is as many symbols, the innermost first.
        let symbols = frames.frames.iter().flatten();
        let stack: Vec<u64> = symbols.map(|symbol| writer.location(symbol)).collect();
        let count = u64::try_from(*count).unwrap_or(0);
        let sample = Message::default().numbers(1, stack).numbers(2, [count, count * period_ns]);
        writer.field(|message| message.message(2, &sample));
    }
    let started_at = report.timing.start_time.duration_since(std::time::UNIX_EPOCH);
    let started_ns = started_at.map_or(0, |since| since.as_nanos());
    let lasted_ns = report.timing.duration.as_nanos();
    let number = |nanoseconds: u128| u64::try_from(nanoseconds).unwrap_or(u64::MAX);
    writer.field(|message| {
        message
            .number(9, number(started_ns))
            .number(10, number(lasted_ns))
            .message(11, &cpu)
            .number(12, period_ns)
    });
    writer.message.0
}

impl Writer {
    fn field(&mut self, write: impl FnOnce(Message) -> Message) {
        self.message = write(std::mem::take(&mut self.message));
    }

    fn string(&mut self, text: &str) -> u64 {
        let (place, is_new) = self.strings.place(text.to_owned(), 0);
        if is_new {
            self.field(|message| message.bytes(6, text.as_bytes()));
        }
        place
    }

    fn value_type(&mut self, kind: &str, unit: &str) -> Message {
        let (kind, unit) = (self.string(kind), self.string(unit));
        Message::default().number(1, kind).number(2, unit)
    }

    fn function(&mut self, symbol: &Symbol) -> u64 {
        let (name, file) = (symbol.name(), symbol.filename().into_owned());
        let (place, is_new) = self.functions.place((name.clone(), file.clone()), 1);
        if is_new {
            let (name, file) = (self.string(&name), self.string(&file));
            let raw = self.string(&symbol.sys_name());
            let function =
                Message::default().number(1, place).number(2, name).number(3, raw).number(4, file);
            self.field(|message| message.message(5, &function));
        }
        place
    }

    fn location(&mut self, symbol: &Symbol) -> u64 {
        let function = self.function(symbol);
        let line = symbol.lineno.unwrap_or(0);
        let (place, is_new) = self.locations.place((function, line), 1);
        if is_new {
            let line = Message::default().number(1, function).number(2, u64::from(line));
            let location = Message::default().number(1, place).message(4, &line);
            self.field(|message| message.message(4, &location));
        }
        place
    }
}

/// Packs a profile; `None` does not happen, because memory takes all.
pub(super) fn gzip(profile: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(profile).and_then(|()| encoder.finish()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message: &Message, expected: &[u8]) {
        assert_eq!(message.0, expected);
    }

    #[test]
    fn fields_are_written_as_protocol_buffers_are() {
        check(&Message::default().number(1, 150), &[0x08, 0x96, 0x01]);
        check(&Message::default().number(1, 0), &[]);
        check(
            &Message::default().number(9, u64::MAX),
            &[0x48, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        );
        check(&Message::default().bytes(2, b"testing"), b"\x12\x07testing");
        check(
            &Message::default().numbers(6, [3, 270, 86_942]),
            &[0x32, 0x06, 0x03, 0x8e, 0x02, 0x9e, 0xa7, 0x05],
        );
    }
}
