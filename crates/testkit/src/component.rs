//! Real components that a machine may lack.

use std::path::PathBuf;

/// Where a program that `cargo xtask test` builds lies: in the component cache, by the name of its
/// component and its own.
pub fn built(component: &str, program: &str) -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")));
    let folder = cache.unwrap_or_else(std::env::temp_dir).join("pratique-components");
    folder.join(component).join("bin").join(program)
}

/// Says loudly that tests of a component are skipped, and why.
///
/// # Panics
/// When `PRATIQUE_REQUIRE`, a list with commas, names the component: then its absence is a
/// failure.
#[allow(clippy::print_stderr, reason = "what is skipped is said loudly")]
pub fn absent(name: &str, reason: &str) {
    let required = std::env::var("PRATIQUE_REQUIRE").unwrap_or_default();
    let is_required = required.split(',').any(|word| word.trim() == name);
    assert!(!is_required, "{name} is required by PRATIQUE_REQUIRE: {reason}");
    eprintln!("SKIPPED: {name}: {reason}");
}

/// Whether a program is in one of the folders of `PATH`.
pub fn is_in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
