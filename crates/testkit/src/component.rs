//! Real components that a machine may lack.

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
