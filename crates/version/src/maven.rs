//! Versions of Maven artifacts.
//!
//! Any text is a version. Ordered as ComparableVersion of Maven 3.9 does: numbers and qualifiers,
//! where `1`, `1.0` and `1.0-ga` are equal and `alpha < beta < milestone < rc < snapshot < release
//! < sp < other words < numbers`. What surprises: Maven's comparison is no order, it goes round in
//! circles for some texts that nobody publishes (docs/versions.md). [`compare`] answers what Maven
//! answers, even there; the sort key is an order, and agrees wherever Maven's is one.

pub(crate) mod range;
mod token;

use std::borrow::Cow;
use std::cmp::Ordering;

use token::{Item, Items, RELEASE_RANK, UNKNOWN_RANK};

use crate::key::{KeyWriter, NumberLeads};

/// Lead bytes, in the order of what they lead. Null items, and inner lists, sort by whether what
/// follows them is before or after the release. Qualifiers before the release are their rank.
const QUALIFIER_FLOOR: u8 = 0x01;
const NULL_QUALIFIER_BEFORE: u8 = 0x06;
const ENTER_BEFORE: u8 = 0x07;
const ZERO_BEFORE: u8 = 0x08;
const END: u8 = 0x09;
const NULL_QUALIFIER_AFTER: u8 = 0x0a;
const QUALIFIER_SP: u8 = 0x0b;
const QUALIFIER_UNKNOWN: u8 = 0x0c;
const ENTER_AFTER: u8 = 0x0d;
const ZERO_THEN_QUALIFIER: u8 = 0x0e;
const ZERO_THEN_NUMBER: u8 = 0x0f;
const NUMBER: NumberLeads = NumberLeads::between(0x10, 0xff);

/// A version, in lower case if that is more than a matter of ASCII.
pub(crate) struct Version<'a> {
    text: Cow<'a, str>,
    significant: usize,
}

/// Takes any text without zero bytes.
pub(crate) fn parse(text: &str) -> Result<Version<'_>, &'static str> {
    if text.contains('\0') {
        return Err("it has a zero byte inside");
    }
    let text = if text.is_ascii() { Cow::from(text) } else { Cow::from(text.to_lowercase()) };
    // A number above zero at the end, as most have, makes all items count.
    let significant = match text.as_bytes() {
        [.., b'1'..=b'9'] => usize::MAX,
        bytes => token::count_significant(bytes),
    };
    Ok(Version { text, significant })
}

impl Version<'_> {
    fn items(&self) -> Items<'_> {
        Items::new(self.text.as_bytes(), self.significant)
    }
}

/// Orders two versions as Maven does.
pub(crate) fn compare(left: &Version<'_>, right: &Version<'_>) -> Ordering {
    let (mut left_items, mut right_items) = (left.items(), right.items());
    loop {
        let order = match (left_items.next(), right_items.next()) {
            (None, None) => return Ordering::Equal,
            (Some(left), Some(right)) => compare_items(&left, &right),
            (Some(left), None) => return compare_with_none(left, left_items),
            (None, Some(right)) => return compare_with_none(right, right_items).reverse(),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

fn compare_items(left: &Item<'_>, right: &Item<'_>) -> Ordering {
    let kind = |item: &Item<'_>| match item {
        Item::Qualifier { .. } => 0,
        Item::Enter => 1,
        Item::Number { .. } => 2,
    };
    match (left, right) {
        (
            Item::Number { width: left_width, digits: left },
            Item::Number { width: right_width, digits: right },
        ) => left_width
            .cmp(right_width)
            .then_with(|| left.len().cmp(&right.len()))
            .then_with(|| left.cmp(right)),
        (
            Item::Qualifier { rank: left_rank, text: left },
            Item::Qualifier { rank: right_rank, text: right },
        ) => left_rank.cmp(right_rank).then_with(|| {
            let left = left.iter().map(u8::to_ascii_lowercase);
            left.cmp(right.iter().map(u8::to_ascii_lowercase))
        }),
        _ => kind(left).cmp(&kind(right)),
    }
}

/// Orders a row of items against nothing: the first that is not null decides.
fn compare_with_none(first: Item<'_>, rest: Items<'_>) -> Ordering {
    let decides = |item: &Item<'_>| !matches!(item, Item::Enter) && !item.is_null();
    match std::iter::once(first).chain(rest).find(decides) {
        Some(Item::Qualifier { rank, .. }) => rank.cmp(&RELEASE_RANK),
        Some(_) => Ordering::Greater,
        None => Ordering::Equal,
    }
}

/// What the next item that is not null says of those before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Follows {
    Before,
    AfterByQualifier,
    AfterByNumber,
}

/// Writes the sort key.
pub(crate) fn write_key(version: &Version<'_>, key: &mut KeyWriter) {
    let items: Vec<Item<'_>> = version.items().collect();
    let mut follows = Follows::AfterByNumber;
    let mut all_follows = vec![follows; items.len()];
    for (item, slot) in items.iter().zip(&mut all_follows).rev() {
        match item {
            Item::Number { digits, .. } if !digits.is_empty() => follows = Follows::AfterByNumber,
            Item::Qualifier { rank, .. } if *rank < RELEASE_RANK => follows = Follows::Before,
            Item::Qualifier { rank, .. } if *rank > RELEASE_RANK => {
                follows = Follows::AfterByQualifier;
            }
            _ => {}
        }
        *slot = follows;
    }
    for (item, follows) in items.iter().zip(all_follows) {
        write_item(item, follows, key);
    }
    key.byte(END);
}

fn write_item(item: &Item<'_>, follows: Follows, key: &mut KeyWriter) {
    let is_before = follows == Follows::Before;
    match item {
        Item::Number { digits: [], .. } => key.byte(match follows {
            Follows::Before => ZERO_BEFORE,
            Follows::AfterByQualifier => ZERO_THEN_QUALIFIER,
            Follows::AfterByNumber => ZERO_THEN_NUMBER,
        }),
        Item::Number { digits, .. } => key.number(NUMBER, digits),
        Item::Enter => key.byte(if is_before { ENTER_BEFORE } else { ENTER_AFTER }),
        Item::Qualifier { rank: RELEASE_RANK, .. } => {
            key.byte(if is_before { NULL_QUALIFIER_BEFORE } else { NULL_QUALIFIER_AFTER });
        }
        Item::Qualifier { rank: UNKNOWN_RANK, text } => {
            key.byte(QUALIFIER_UNKNOWN);
            key.text(&text.to_ascii_lowercase());
        }
        Item::Qualifier { rank, .. } if *rank < RELEASE_RANK => key.byte(QUALIFIER_FLOOR + rank),
        Item::Qualifier { .. } => key.byte(QUALIFIER_SP),
    }
}
