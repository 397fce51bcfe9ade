//! Finds where a JSON value ends in a stream, by its quotes and brackets alone.
//!
//! Both cutters of large files stand on it (`crate::json`, `crate::json_items`). Whether what lies
//! between is JSON is found out by whoever parses it.

/// How far into a value a stream has been followed. Back at its default when the value has ended.
#[derive(Default)]
pub(crate) struct ValueEnd {
    depth: usize,
    in_string: bool,
    is_escaped: bool,
}

impl ValueEnd {
    /// Counts the first byte of a value whose cutter has taken it already.
    pub(crate) fn first_byte(&mut self, byte: u8) {
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            _ => {}
        }
    }

    /// How many bytes of `rest` belong to the value; all, if its end is not among them. `is_end`
    /// says which bytes end it where no bracket of its own is open.
    pub(crate) fn length(&mut self, rest: &[u8], is_end: impl Fn(u8) -> bool) -> usize {
        for (index, &byte) in rest.iter().enumerate() {
            if self.in_string {
                if self.is_escaped {
                    self.is_escaped = false;
                } else if byte == b'"' {
                    self.in_string = false;
                } else if byte == b'\\' {
                    self.is_escaped = true;
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth > 0 => self.depth -= 1,
                _ if self.depth == 0 && is_end(byte) => return index,
                _ => {}
            }
        }
        rest.len()
    }
}
