//! Free text of feeds, made fit to be kept: one line, and not long.

/// How long a kept summary is, in bytes: a line that a person reads in a list. Descriptions run to
/// kilobytes, and the whole database is to stay small.
const SUMMARY_BYTES_MAX: usize = 240;

/// One line of at most [`SUMMARY_BYTES_MAX`] bytes: white space and control characters become
/// single spaces, and what is too long is cut at a word. `None` when nothing is left.
pub(crate) fn summary(text: &str) -> Option<String> {
    let mut line = String::with_capacity(text.len().min(SUMMARY_BYTES_MAX + 4));
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        if word.is_empty() {
            continue;
        }
        if line.len() + word.len() >= SUMMARY_BYTES_MAX {
            if line.is_empty() {
                line.extend(word.chars().take(SUMMARY_BYTES_MAX / 4));
            }
            line.push_str(" …");
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    (!line.is_empty()).then_some(line)
}

/// A text as it may stand in a note: quoted, and at most 120 characters.
pub(crate) fn quoted(text: &str) -> String {
    let cut: String = text.chars().take(120).collect();
    format!("{cut:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_one_short_line() {
        assert_eq!(summary("  a\n b\t c\u{7} "), Some("a b c".to_owned()));
        assert_eq!(summary(" \n"), None);
        let long = summary(&"word ".repeat(1000)).unwrap();
        assert!(long.len() <= SUMMARY_BYTES_MAX + 4 && long.ends_with("word …"), "{long}");
        let unbroken = summary(&"ü".repeat(10_000)).unwrap();
        assert!(unbroken.len() <= SUMMARY_BYTES_MAX, "{unbroken}");
    }
}
