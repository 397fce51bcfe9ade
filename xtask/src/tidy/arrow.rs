//! Which crate may know which: the walls of the house.

use std::path::Path;

/// Every arrow that exists, from a crate to those it may depend on. The roof (`pratique`), the
/// chores (`xtask`) and what only tests use (`testkit`, development dependencies) see all.
/// Adding an arrow is a decision: write it down in `ARCHITECTURE.md` too.
const ARROWS: &[(&str, &[&str])] = &[
    ("version", &[]),
    ("model", &["version"]),
    ("feeds", &["model", "version"]),
    ("report", &["model"]),
    ("clockwork", &[]),
    ("fetch", &["clockwork"]),
    ("store", &["model", "version", "clockwork"]),
    ("containerd", &[]),
    ("image", &["model", "fetch", "containerd"]),
    ("scan", &["model", "image", "store", "clockwork"]),
    ("update", &["model", "version", "feeds", "fetch", "store", "clockwork"]),
    ("matcher", &["model", "version", "store", "clockwork"]),
    ("metrics", &["clockwork"]),
    ("watch", &["model", "containerd", "store", "clockwork"]),
];

/// Crates that may depend on everything.
const SEE_ALL: &[&str] = &["pratique", "testkit", "xtask"];

/// Adds a breach for each dependency of a crate on a crate that it must not know.
pub(super) fn check(manifest: &Path, text: &str, breaches: &mut Vec<String>) {
    let name = manifest
        .parent()
        .and_then(Path::file_name)
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    if SEE_ALL.contains(&&*name) {
        return;
    }
    let Some((_, allowed)) = ARROWS.iter().find(|(from, _)| *from == name) else {
        breaches.push(format!("{}: a crate that has no place in the house", manifest.display()));
        return;
    };
    let mut is_shipped = false;
    for (index, line) in text.lines().enumerate() {
        if line.starts_with('[') {
            is_shipped = line == "[dependencies]";
        } else if is_shipped && let Some(rest) = line.strip_prefix("pratique-") {
            let to = rest.split(['.', ' ', '=']).next().unwrap_or("");
            if !allowed.contains(&to) {
                breaches.push(format!(
                    "{}:{}: no arrow from {name} to {to}",
                    manifest.display(),
                    index + 1
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_manifest(name: &str, text: &str, expected: usize) {
        let mut breaches = Vec::new();
        check(&Path::new("crates").join(name).join("Cargo.toml"), text, &mut breaches);
        assert_eq!(breaches.len(), expected, "{name}: {breaches:?}");
    }

    #[test]
    fn an_arrow_that_was_not_decided_is_a_breach() {
        let upward = "[dependencies]\npratique-scan.workspace = true\n";
        check_manifest("model", upward, 1);
        check_manifest("pratique", upward, 0);
        check_manifest("model", "[dependencies]\npratique-version.workspace = true\n", 0);
        check_manifest("model", "[dev-dependencies]\npratique-testkit.workspace = true\n", 0);
        check_manifest("helpers", "", 1);
    }
}
