//! The platforms that a Go or Rust advisory is limited to, in Go's words.
//!
//! Whether an image has such a platform is the matcher's question.

use super::record::{GoImport, RustLimits};

/// The operating systems that container images are made for. A limit to architectures alone is
/// written out for each of them, because a platform without its system has no text form.
const IMAGE_SYSTEMS: [&str; 4] = ["darwin", "freebsd", "linux", "windows"];

/// What Rust calls otherwise than Go: `target_os` of the reference against `go tool dist list`.
const RUST_SYSTEMS: [(&str, &str); 2] = [("macos", "darwin"), ("wasi", "wasip1")];

/// Rust's `target_arch` and the `GOARCH` words that it covers, where they differ; byte orders
/// that Rust keeps apart in `target_endian` are architectures of their own in Go.
const RUST_ARCHITECTURES: [(&str, &[&str]); 10] = [
    ("aarch64", &["arm64"]),
    ("loongarch64", &["loong64"]),
    ("mips", &["mips", "mipsle"]),
    ("mips64", &["mips64", "mips64le"]),
    ("powerpc", &["ppc"]),
    ("powerpc64", &["ppc64", "ppc64le"]),
    ("riscv32", &["riscv"]),
    ("wasm32", &["wasm"]),
    ("x86", &["386"]),
    ("x86_64", &["amd64"]),
];

/// The platforms of a Go module's vulnerable packages, sorted; empty if one of them is not
/// limited or none is named, because then the module is concerned everywhere.
pub(super) fn of_go(imports: &[GoImport]) -> Vec<String> {
    let mut platforms = Vec::new();
    for import in imports {
        if import.goos.is_empty() && import.goarch.is_empty() {
            return Vec::new();
        }
        let words = |list: &[String]| list.iter().map(|word| word.trim().to_owned()).collect();
        platforms.extend(combined(words(&import.goos), &words(&import.goarch)));
    }
    platforms.sort_unstable();
    platforms.dedup();
    platforms
}

/// The platforms of a RustSec advisory, sorted; empty if it has no limit.
pub(super) fn of_rust(limits: &RustLimits) -> Vec<String> {
    let system = |word: &String| {
        let found = RUST_SYSTEMS.iter().find(|(rust, _)| rust == word);
        found.map_or_else(|| word.clone(), |(_, go)| (*go).to_owned())
    };
    let architectures = |word: &String| -> Vec<String> {
        let found = RUST_ARCHITECTURES.iter().find(|(rust, _)| rust == word);
        found.map_or_else(
            || vec![word.clone()],
            |(_, go)| go.iter().map(|&word| word.to_owned()).collect(),
        )
    };
    let mut platforms = combined(
        limits.os.iter().map(system).collect(),
        &limits.arch.iter().flat_map(architectures).collect::<Vec<_>>(),
    );
    platforms.sort_unstable();
    platforms.dedup();
    platforms
}

/// `os` words alone, or each `os/architecture`.
fn combined(mut systems: Vec<String>, architectures: &[String]) -> Vec<String> {
    if architectures.is_empty() {
        return systems;
    }
    if systems.is_empty() {
        systems = IMAGE_SYSTEMS.map(str::to_owned).to_vec();
    }
    let pairs = systems.iter().flat_map(|system| {
        architectures.iter().map(move |architecture| format!("{system}/{architecture}"))
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_go(imports: &[(&[&str], &[&str])], expected: &[&str]) {
        let words = |list: &[&str]| list.iter().map(|&word| word.to_owned()).collect();
        let imports: Vec<GoImport> = imports
            .iter()
            .map(|(goos, goarch)| GoImport { goos: words(goos), goarch: words(goarch) })
            .collect();
        assert_eq!(of_go(&imports), expected);
    }

    #[test]
    fn a_module_is_limited_only_if_all_its_packages_are() {
        check_go(&[], &[]);
        check_go(&[(&["windows"], &[])], &["windows"]);
        check_go(&[(&["windows"], &[]), (&["windows", "darwin"], &[])], &["darwin", "windows"]);
        check_go(&[(&["windows"], &[]), (&[], &[])], &[]);
        check_go(&[(&["linux"], &["arm", "386"])], &["linux/386", "linux/arm"]);
        check_go(&[(&[], &["386"])], &["darwin/386", "freebsd/386", "linux/386", "windows/386"]);
    }

    #[track_caller]
    fn check_rust(os: &[&str], arch: &[&str], expected: &[&str]) {
        let words = |list: &[&str]| list.iter().map(|&word| word.to_owned()).collect();
        assert_eq!(of_rust(&RustLimits { arch: words(arch), os: words(os) }), expected);
    }

    #[test]
    fn rust_words_become_go_words() {
        check_rust(&[], &[], &[]);
        check_rust(&["windows", "macos"], &[], &["darwin", "windows"]);
        check_rust(&["linux"], &["x86_64", "x86"], &["linux/386", "linux/amd64"]);
        check_rust(&["linux"], &["powerpc64"], &["linux/ppc64", "linux/ppc64le"]);
        check_rust(&["redox"], &["sparc64"], &["redox/sparc64"]);
    }
}
