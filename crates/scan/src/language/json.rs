//! Reads package metadata from JSON that people and tools wrote more or less carefully.
//!
//! Only the few members that name a package are kept; everything else is passed over without being
//! stored or checked. A member of another kind than expected (`"version": 1`, `"name": null`)
//! counts as missing: it must not lose the file's other packages. What would surprise: nesting is
//! not limited here, because `serde_json` limits what it stores and passes over the rest in a loop.

use std::fmt;

use serde::de::{self, Deserialize, DeserializeOwned, Deserializer, IgnoredAny, Visitor};

use crate::cataloger::CatalogError;

/// Text, or `None` where there is something else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text(pub(super) Option<String>);

impl Text {
    /// The text without white space around it; `None` if nothing is left.
    pub(super) fn as_filled(&self) -> Option<&str> {
        self.0.as_deref().map(str::trim).filter(|text| !text.is_empty())
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

/// Whether an object or array has any member; other values have none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HasMembers(pub(super) bool);

impl<'de> Deserialize<'de> for HasMembers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MembersVisitor)
    }
}

/// Reads a document that is an object; a byte order mark before it is passed over, as npm and .NET
/// do.
///
/// # Errors
/// [`CatalogError::Malformed`] with the place of the first fault.
pub(super) fn object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CatalogError> {
    // Without this a list would be taken for an object's members in their order.
    if first(bytes).is_some_and(|byte| byte != b'{') {
        return Err(CatalogError::Malformed("JSON: not an object".to_owned()));
    }
    value(bytes)
}

/// Reads a document of any kind, otherwise like [`object`].
///
/// # Errors
/// Like [`object`].
pub(super) fn value<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CatalogError> {
    serde_json::from_slice(without_mark(bytes))
        .map_err(|error| CatalogError::Malformed(format!("JSON: {error}")))
}

/// The first byte that is no white space.
pub(super) fn first(bytes: &[u8]) -> Option<u8> {
    without_mark(bytes).iter().copied().find(|byte| !byte.is_ascii_whitespace())
}

fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
        Ok(Text(Some(text.to_owned())))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Text, E> {
        Ok(Text(Some(text)))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Text, E> {
        Ok(Text(None))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Text, E> {
        Ok(Text(None))
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Text, E> {
        Ok(Text(None))
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Text, E> {
        Ok(Text(None))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Text, E> {
        Ok(Text(None))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Text, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Text(None))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Text, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Text(None))
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = HasMembers;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<HasMembers, E> {
        Ok(HasMembers(false))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<HasMembers, E> {
        Ok(HasMembers(false))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<HasMembers, E> {
        Ok(HasMembers(false))
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<HasMembers, E> {
        Ok(HasMembers(false))
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<HasMembers, E> {
        Ok(HasMembers(false))
    }

    fn visit_unit<E: de::Error>(self) -> Result<HasMembers, E> {
        Ok(HasMembers(false))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<HasMembers, A::Error> {
        let mut has_members = HasMembers(false);
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            has_members.0 = true;
        }
        Ok(has_members)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<HasMembers, A::Error> {
        let mut has_members = HasMembers(false);
        while list.next_element::<IgnoredAny>()?.is_some() {
            has_members.0 = true;
        }
        Ok(has_members)
    }
}
