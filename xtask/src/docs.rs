//! `cargo xtask docs`: pages that are made from the program itself.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Every command whose help is printed, in the order of the page.
const COMMANDS: &[&[&str]] = &[
    &[],
    &["scan"],
    &["images"],
    &["images", "add"],
    &["images", "list"],
    &["images", "show"],
    &["images", "remove"],
    &["ask"],
    &["notify", "list"],
    &["db"],
    &["db", "update"],
    &["db", "status"],
    &["db", "search"],
    &["db", "changes"],
    &["db", "size"],
    &["db", "backup"],
    &["db", "restore"],
    &["db", "move"],
    &["serve"],
    &["compare"],
    &["demo"],
    &["metric-server"],
    &["agent"],
    &["watch"],
    &["events"],
];

/// Rewrites `docs/cli.md`, or with `--check` says that it is old.
pub(crate) fn run(root: &Path, flags: &[&str]) -> Result<(), String> {
    let is_check = match flags {
        [] => false,
        ["--check"] => true,
        _ => return Err(format!("docs: unknown flags: {}", flags.join(" "))),
    };
    let path = root.join("docs/cli.md");
    let page = command_line_page(root)?;
    if is_check {
        let written = fs::read_to_string(&path).unwrap_or_default();
        return if written == page {
            Ok(())
        } else {
            Err("docs/cli.md is old: run `cargo xtask docs`".to_owned())
        };
    }
    fs::write(&path, page).map_err(|e| format!("{}: {e}", path.display()))
}

fn command_line_page(root: &Path) -> Result<String, String> {
    let mut page = String::from(
        "# Command line\n\nMade by `cargo xtask docs` from the program's own help; do not edit.\n",
    );
    for words in COMMANDS {
        let help = help(root, words)?;
        let title = std::iter::once(&"pratique").chain(*words).copied().collect::<Vec<_>>();
        let level = if words.len() < 2 { "##" } else { "###" };
        write!(page, "\n{level} {}\n\n```text\n{}\n```\n", title.join(" "), help.trim_end())
            .expect("writing to a string cannot fail");
    }
    Ok(page)
}

fn help(root: &Path, words: &[&str]) -> Result<String, String> {
    let output = Command::new("cargo")
        .current_dir(root)
        .args(["run", "--quiet", "--package", "pratique", "--"])
        .args(words)
        .arg("--help")
        .env("COLUMNS", "100")
        .env_remove("PRATIQUE_DB")
        .env_remove("PRATIQUE_MIRROR")
        .env_remove("PRATIQUE_CACHE_DIR")
        .output()
        .map_err(|e| format!("cargo run: {e}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let text = String::from_utf8(output.stdout).map_err(|e| format!("help of {words:?}: {e}"))?;
    Ok(text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n"))
}
