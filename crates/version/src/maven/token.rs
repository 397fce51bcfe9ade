//! Splits a Maven version into the items that ComparableVersion compares.
//!
//! Maven builds lists in lists, but a list can only be the last item of its parent, so a version is
//! one row of items, with [`Item::Enter`] where an inner list starts. Items that are null (zero,
//! `final` and its kin) do not count at the end of a list; [`Items`] leaves them out.

use crate::decimal;

/// Digits that Maven keeps in an `int`, and in a `long`. From ComparableVersion.
const INT_DIGITS_MAX: usize = 9;
const LONG_DIGITS_MAX: usize = 18;

/// The qualifiers that Maven knows, in its order; the empty one is the release.
const QUALIFIERS: [(&[u8], u8); 11] = [
    (b"alpha", 0),
    (b"beta", 1),
    (b"milestone", 2),
    (b"rc", 3),
    (b"cr", 3),
    (b"snapshot", 4),
    (b"", RELEASE_RANK),
    (b"ga", RELEASE_RANK),
    (b"final", RELEASE_RANK),
    (b"release", RELEASE_RANK),
    (b"sp", 6),
];

/// Qualifiers of one letter, known only before a digit.
const SHORT_QUALIFIERS: [(&[u8], u8); 3] = [(b"a", 0), (b"b", 1), (b"m", 2)];

/// The rank of the release, which is null.
pub(super) const RELEASE_RANK: u8 = 5;

/// The rank of all qualifiers that Maven does not know.
pub(super) const UNKNOWN_RANK: u8 = 7;

/// A part of a version.
#[derive(Clone, Copy, Debug)]
pub(super) enum Item<'a> {
    /// The start of an inner list, which is all that follows.
    Enter,
    /// A number without leading zeros. Its width is 0 for an `int`, 1 for a `long`, 2 above; only
    /// of a row of many zeros it is not clear from the digits.
    Number {
        /// How wide a number Maven keeps it in; wider ones are larger, whatever their value.
        width: u8,
        /// The digits; none for zero.
        digits: &'a [u8],
    },
    /// A qualifier, by its rank among the known ones, and its text if it is unknown.
    Qualifier {
        /// The place among the known qualifiers.
        rank: u8,
        /// The text in any case; empty if known.
        text: &'a [u8],
    },
}

impl Item<'_> {
    /// Whether it does not count at the end of a list.
    pub(super) fn is_null(&self) -> bool {
        match self {
            Self::Enter => false,
            Self::Number { digits, .. } => digits.is_empty(),
            Self::Qualifier { rank, .. } => *rank == RELEASE_RANK,
        }
    }
}

/// Gives the items as they are read, null ones included.
#[derive(Clone, Copy)]
struct RawItems<'a> {
    text: &'a [u8],
    /// Where the part being read starts, and how far it is read.
    start: usize,
    index: usize,
    /// Whether the last character that was no separator was a digit.
    is_digit: bool,
    /// Whether the current list has an item.
    has_items: bool,
    /// Items that were read at once, the last one first.
    queue: [Item<'a>; 3],
    queue_length: usize,
}

/// Gives the items that count.
#[derive(Clone, Copy)]
pub(super) struct Items<'a> {
    raw: RawItems<'a>,
    /// How many raw items are left before the null ones at the end.
    raw_left: usize,
    /// How many null items are to be given, since another item of their list follows.
    nulls_kept: usize,
}

impl<'a> RawItems<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            start: 0,
            index: 0,
            is_digit: false,
            has_items: false,
            queue: [Item::Enter; 3],
            queue_length: 0,
        }
    }

    fn push(&mut self, item: Item<'a>) {
        self.queue[self.queue_length] = item;
        self.queue_length += 1;
        self.has_items = !matches!(item, Item::Enter);
    }

    /// The part from `start` to `index`; an empty one is the number zero.
    fn part(&self) -> Item<'a> {
        let part = &self.text[self.start..self.index];
        if self.is_digit || part.is_empty() { number(part) } else { qualifier(part, &[]) }
    }

    /// Reads on until there is an item in the queue or the text ends.
    fn fill(&mut self) {
        while self.queue_length == 0 && self.index < self.text.len() {
            let is_inside = self.index > self.start;
            match self.text[self.index] {
                separator @ (b'.' | b'-') => {
                    self.push(self.part());
                    if separator == b'-' {
                        self.push(Item::Enter);
                    }
                    self.start = self.index + 1;
                }
                b'0'..=b'9' => {
                    if !self.is_digit && is_inside {
                        let part = &self.text[self.start..self.index];
                        // A qualifier after a dot counts as if it came after a hyphen.
                        if self.has_items {
                            self.push(Item::Enter);
                        }
                        self.push(qualifier(part, &SHORT_QUALIFIERS));
                        self.push(Item::Enter);
                        self.start = self.index;
                    }
                    self.is_digit = true;
                }
                _ => {
                    if self.is_digit && is_inside {
                        self.push(self.part());
                        self.push(Item::Enter);
                        self.start = self.index;
                    }
                    self.is_digit = false;
                }
            }
            self.index += 1;
        }
        if self.queue_length == 0 && self.index > self.start {
            if !self.is_digit && self.has_items {
                self.push(Item::Enter);
            }
            self.push(self.part());
            self.start = self.index;
        }
        self.queue[..self.queue_length].reverse();
    }
}

impl<'a> Iterator for RawItems<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        if self.queue_length == 0 {
            self.fill();
        }
        self.queue_length = self.queue_length.checked_sub(1)?;
        Some(self.queue[self.queue_length])
    }
}

fn number(digits: &[u8]) -> Item<'_> {
    let significant = decimal::trim(digits);
    // Maven strips leading zeros, but not from a row of nothing else.
    let length = if significant.is_empty() { digits.len() } else { significant.len() };
    let width = u8::from(length > INT_DIGITS_MAX) + u8::from(length > LONG_DIGITS_MAX);
    Item::Number { width, digits: significant }
}

fn qualifier<'a>(text: &'a [u8], short: &[(&[u8], u8)]) -> Item<'a> {
    let mut known = short.iter().chain(&QUALIFIERS);
    match known.find(|(name, _)| name.eq_ignore_ascii_case(text)) {
        Some((_, rank)) => Item::Qualifier { rank: *rank, text: b"" },
        None => Item::Qualifier { rank: UNKNOWN_RANK, text },
    }
}

/// How many items of a version, as read, come before the null ones at its end.
pub(super) fn count_significant(text: &[u8]) -> usize {
    let mut significant = 0;
    for (index, item) in RawItems::new(text).enumerate() {
        if !matches!(item, Item::Enter) && !item.is_null() {
            significant = index + 1;
        }
    }
    significant
}

impl<'a> Items<'a> {
    /// The items of a version of which [`count_significant`] was taken.
    pub(super) fn new(text: &'a [u8], significant: usize) -> Self {
        Self { raw: RawItems::new(text), raw_left: significant, nulls_kept: 0 }
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        loop {
            self.raw_left = self.raw_left.checked_sub(1)?;
            let item = self.raw.next()?;
            if !item.is_null() {
                return Some(item);
            }
            if self.nulls_kept == 0 {
                let mut after_nulls = self.raw;
                let mut ahead = self.raw;
                let mut nulls_after = 0;
                let mut following = ahead.next();
                while following.is_some_and(|item| item.is_null()) {
                    nulls_after += 1;
                    after_nulls = ahead;
                    following = ahead.next();
                }
                if let Some(Item::Enter) | None = following {
                    // They were the last of their list.
                    self.raw_left -= nulls_after;
                    self.raw = after_nulls;
                    continue;
                }
                self.nulls_kept = nulls_after + 1;
            }
            self.nulls_kept -= 1;
            return Some(item);
        }
    }
}
