//! Puts a table into `docs/benchmarks.md`, between the two comments that name its benchmark.

use std::fs;
use std::path::Path;

/// Replaces what stands between `<!-- bench NAME -->` and `<!-- end NAME -->`.
///
/// # Errors
/// The page or its comments are missing, or it cannot be written.
pub(super) fn replace(root: &Path, name: &str, table: &str) -> Result<(), String> {
    let path = root.join("docs/benchmarks.md");
    let place = |e: std::io::Error| format!("{}: {e}", path.display());
    let page = fs::read_to_string(&path).map_err(place)?;
    let page = with_table(&page, name, table)
        .ok_or_else(|| format!("{}: no `<!-- bench {name} -->`", path.display()))?;
    fs::write(&path, page).map_err(place)
}

fn with_table(page: &str, name: &str, table: &str) -> Option<String> {
    let begin = format!("<!-- bench {name} -->\n");
    let end = format!("<!-- end {name} -->");
    let start = page.find(&begin)? + begin.len();
    let stop = start + page.get(start..)?.find(&end)?;
    Some(format!("{}{}\n{}", page.get(..start)?, table.trim_end(), page.get(stop..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_table_is_replaced() {
        let page =
            "a\n<!-- bench x -->\nold\n<!-- end x -->\nb\n<!-- bench y -->\n<!-- end y -->\n";
        let expected =
            "a\n<!-- bench x -->\nnew\n<!-- end x -->\nb\n<!-- bench y -->\n<!-- end y -->\n";
        assert_eq!(with_table(page, "x", "new\n").as_deref(), Some(expected));
        assert_eq!(with_table(page, "z", "new\n"), None);
    }
}
