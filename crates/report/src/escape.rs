//! Makes text from an image safe to show on a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Replaces what could move the cursor, change colours or turn the direction of text by its code in
/// braces, `\u{1b}`; all else stays.
pub(crate) fn for_terminal(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        if is_harmful(letter) {
            write!(escaped, "\\u{{{:x}}}", u32::from(letter))
                .expect("writing to a string cannot fail");
        } else {
            escaped.push(letter);
        }
    }
    escaped.into()
}

/// Control characters, and Unicode's marks that are not seen but change what is: direction
/// overrides and isolates, zero-width characters, line and paragraph separators, the byte order
/// mark and tag characters.
fn is_harmful(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{61c}'
                | '\u{feff}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_that_it_would_obey() {
        for (text, escaped) in [
            ("libc6", "libc6"),
            ("größe-日本", "größe-日本"),
            ("a\x1b[31mb", "a\\u{1b}[31mb"),
            ("a\nb\r\tc", "a\\u{a}b\\u{d}\\u{9}c"),
            ("\u{9b}0m", "\\u{9b}0m"),
            ("x\u{202e}y", "x\\u{202e}y"),
        ] {
            assert_eq!(for_terminal(text), escaped);
        }
    }
}
