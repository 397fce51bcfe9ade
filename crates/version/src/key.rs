//! Builds sort keys: bytes whose order is the order of versions.
//!
//! A scheme writes its version as a row of *elements*. Each element starts with a lead byte that
//! says what it is, and the scheme gives its lead bytes out in the order of its elements ("the end"
//! is an element too), so that the first differing byte decides as the first differing element
//! would. An element never is the beginning of another one. Numbers take one byte when they are
//! small, as nearly all are; texts end with a byte that is below every byte they may contain.

use crate::decimal;

/// A number's lead bytes: [`NumberLeads::COUNT_BEYOND_SMALL`] more than `small`, from `floor` on.
#[derive(Clone, Copy)]
pub(crate) struct NumberLeads {
    /// The lead byte of zero.
    pub(crate) floor: u8,
    /// How many numbers, from zero on, are their lead byte alone.
    pub(crate) small: u8,
}

impl NumberLeads {
    /// Lead bytes above those of the small numbers: one for each length of a `u64` in bytes, and
    /// one for everything longer.
    pub(crate) const COUNT_BEYOND_SMALL: u8 = 9;

    /// Lead bytes from `floor` to `ceiling`, both included.
    pub(crate) const fn between(floor: u8, ceiling: u8) -> Self {
        Self { floor, small: ceiling - floor - (Self::COUNT_BEYOND_SMALL - 1) }
    }
}

/// A sort key being written.
pub(crate) struct KeyWriter {
    bytes: Vec<u8>,
}

impl KeyWriter {
    /// An empty key; room for `version_bytes` and a little more.
    pub(crate) fn new(version_bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(version_bytes.saturating_add(4)) }
    }

    /// The finished key.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// A lead byte, or an element that is its lead byte alone.
    pub(crate) fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// Bytes as they are: the caller sees to it that they end.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// A text without zero bytes, and the zero byte that ends it.
    pub(crate) fn text(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.bytes.push(0);
    }

    /// A number written in decimal digits.
    pub(crate) fn number(&mut self, leads: NumberLeads, digits: &[u8]) {
        if let Some(value) = decimal::value(digits) {
            self.value(leads, value);
            return;
        }
        let digits = decimal::trim(digits);
        self.bytes.push(leads.floor + leads.small + (NumberLeads::COUNT_BEYOND_SMALL - 1));
        self.count(digits.len());
        self.bytes.extend_from_slice(digits);
    }

    /// A number that fits.
    pub(crate) fn value(&mut self, leads: NumberLeads, value: u64) {
        if let Ok(small) = u8::try_from(value)
            && small < leads.small
        {
            self.bytes.push(leads.floor + small);
            return;
        }
        let wide = value.to_be_bytes();
        let zeros = wide.iter().take_while(|&&byte| byte == 0).count().min(7);
        let length = 8 - zeros;
        let above_small = u8::try_from(length - 1).expect("a u64 has at most 8 bytes");
        self.bytes.push(leads.floor + leads.small + above_small);
        self.bytes.extend_from_slice(&wide[zeros..]);
    }

    /// A count of bytes or elements, in four bytes.
    pub(crate) fn count(&mut self, count: usize) {
        let count = u32::try_from(count).expect("versions are at most VERSION_BYTES_MAX long");
        self.bytes.extend_from_slice(&count.to_be_bytes());
    }

    /// A count in four bytes, the larger the earlier.
    pub(crate) fn count_descending(&mut self, count: usize) {
        let count = u32::try_from(count).expect("versions are at most VERSION_BYTES_MAX long");
        self.bytes.extend_from_slice(&(u32::MAX - count).to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_sort_bytewise_across_all_their_lengths() {
        let leads = NumberLeads::between(3, 60);
        let mut values: Vec<String> =
            (0..64).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit]).map(|v| v.to_string()).collect();
        values.dedup();
        values.extend([u64::MAX.to_string(), "18446744073709551616".into(), "9".repeat(300)]);
        let mut last = Vec::new();
        for value in values {
            let mut key = KeyWriter::new(0);
            key.number(leads, value.as_bytes());
            let bytes = key.into_bytes();
            assert!(last < bytes || value == "0", "{value}");
            assert!((3..=60).contains(&bytes[0]), "{value} leads with {}", bytes[0]);
            last = bytes;
        }
    }
}
