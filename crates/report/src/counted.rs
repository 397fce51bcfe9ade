//! Numbers with their nouns: `1 package`, `2 packages`.

/// The number with its noun, which takes an `s` in the plural; thousands are not parted, so that
/// the text can be searched for.
pub fn counted(count: usize, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        for (count, text) in [(0, "0 packages"), (1, "1 package"), (1204, "1204 packages")] {
            assert_eq!(counted(count, "package"), text);
        }
    }
}
