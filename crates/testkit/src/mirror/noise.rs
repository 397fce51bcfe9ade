//! Numbers and texts that look like those of feeds, from a seed.

use std::fmt::Write as _;

/// The words that texts and names are made from.
const WORDS: [&str; 120] = [
    "access",
    "address",
    "agent",
    "archive",
    "argument",
    "array",
    "attacker",
    "audio",
    "before",
    "block",
    "boundary",
    "buffer",
    "bypass",
    "cache",
    "callback",
    "certificate",
    "channel",
    "check",
    "cipher",
    "client",
    "code",
    "command",
    "component",
    "config",
    "connection",
    "content",
    "control",
    "cookie",
    "crafted",
    "crash",
    "data",
    "decode",
    "default",
    "denial",
    "device",
    "directory",
    "domain",
    "driver",
    "element",
    "encode",
    "engine",
    "entry",
    "error",
    "escape",
    "event",
    "execute",
    "expression",
    "extension",
    "field",
    "file",
    "filter",
    "flag",
    "font",
    "format",
    "fragment",
    "frame",
    "function",
    "gateway",
    "handler",
    "header",
    "heap",
    "host",
    "image",
    "index",
    "inject",
    "input",
    "integer",
    "kernel",
    "key",
    "length",
    "library",
    "link",
    "list",
    "local",
    "lock",
    "loop",
    "memory",
    "message",
    "method",
    "module",
    "network",
    "object",
    "offset",
    "option",
    "overflow",
    "packet",
    "page",
    "parser",
    "path",
    "payload",
    "plugin",
    "pointer",
    "policy",
    "process",
    "protocol",
    "proxy",
    "query",
    "queue",
    "race",
    "read",
    "record",
    "remote",
    "render",
    "request",
    "resource",
    "response",
    "scope",
    "script",
    "segment",
    "server",
    "session",
    "socket",
    "stack",
    "stream",
    "string",
    "table",
    "token",
    "traversal",
    "unsafe",
    "write",
];

/// The base metrics of CVSS 3.1, each with the letters that it may have.
const METRICS: [(&str, &str); 8] = [
    ("AV", "NALP"),
    ("AC", "LH"),
    ("PR", "NLH"),
    ("UI", "NR"),
    ("S", "UC"),
    ("C", "NLH"),
    ("I", "NLH"),
    ("A", "HLN"),
];

/// A source of numbers (SplitMix64).
pub(super) struct Noise {
    state: u64,
}

impl Noise {
    /// Everything follows from the seed and a name, so that a feed does not depend on which others
    /// were written before it.
    pub(super) fn new(seed: u64, name: &str) -> Self {
        let state = name.bytes().fold(seed, |state, byte| {
            (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3).rotate_left(5)
        });
        Self { state }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`; 0 when that is 0.
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    /// A number below `limit` that is more often small, as a few packages have most flaws.
    pub(super) fn skewed(&mut self, limit: u64) -> u64 {
        let bound = self.below(limit) + 1;
        self.below(bound)
    }

    /// Whether the one case in so many is met.
    pub(super) fn is_one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    /// One of several.
    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.index(from.len())]
    }

    fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).expect("it is below a length")
    }

    /// Adds words, about `bytes` long, that end with a stop; nothing in them needs an escape.
    pub(super) fn sentence(&mut self, target: &mut String, bytes: usize) {
        let end = target.len() + bytes;
        target.push_str("The");
        while target.len() < end {
            target.push(' ');
            target.push_str(self.pick(&WORDS));
        }
        target.push('.');
    }

    /// Adds so many hexadecimal digits.
    pub(super) fn hex(&mut self, target: &mut String, digits: usize) {
        for _ in 0..digits {
            target.push(char::from(self.pick(b"0123456789abcdef")));
        }
    }

    /// A version of three numbers.
    pub(super) fn version(&mut self) -> String {
        format!("{}.{}.{}", self.below(12), self.below(40), self.below(20))
    }

    /// A CVSS 3.1 vector.
    pub(super) fn vector(&mut self) -> String {
        let mut vector = String::from("CVSS:3.1");
        for (metric, letters) in METRICS {
            let letter = char::from(self.pick(letters.as_bytes()));
            let _ = write!(vector, "/{metric}:{letter}");
        }
        vector
    }

    /// A moment of the years 2015 to 2026, `2021-03-04T05:06:07Z`.
    pub(super) fn time(&mut self) -> String {
        let (year, month, day) = (2015 + self.below(11), 1 + self.below(12), 1 + self.below(28));
        let (hour, minute, second) = (self.below(24), self.below(60), self.below(60));
        format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// The `number`-th name of a package: letters, digits and hyphens.
pub fn package_name(number: u64) -> String {
    let count = WORDS.len() as u64;
    let word = |number: u64| WORDS[usize::try_from(number % count).expect("below a length")];
    let (first, second) = (word(number.wrapping_mul(7)), word(number / count + number % 11));
    format!("{first}-{second}{number}")
}
