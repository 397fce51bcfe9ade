//! Where the corpus lies, and a scan of one of its images.

use std::path::PathBuf;

use pratique_image::{OpenOptions, open};
use pratique_model::{IndexReport, Package};
use pratique_scan::{ScanOptions, scan};

/// The corpus's folder; `None`, and a line on stderr, when it is not there.
pub(crate) fn corpus() -> Option<PathBuf> {
    let folder = std::env::var_os("PRATIQUE_CORPUS");
    if folder.is_none() {
        skip("PRATIQUE_CORPUS is not set");
    }
    folder.map(PathBuf::from)
}

/// Says that the running test, or a part of it, is skipped.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub(crate) fn skip(why: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    eprintln!("SKIPPED: {test}: {why}");
}

/// The path of an image, by its file's name in `images/`.
pub(crate) fn image(file: &str) -> Option<PathBuf> {
    let path = corpus()?.join("images").join(file);
    assert!(path.is_file(), "{} is not in the corpus", path.display());
    Some(path)
}

/// The report of an image; `platform` as on the command line.
pub(crate) fn report(file: &str, platform: Option<&str>, options: &ScanOptions<'_>) -> IndexReport {
    let path = image(file).expect("the corpus is there");
    let platform = platform.map(|platform| platform.parse().expect("a platform"));
    let image = open(&path.to_string_lossy(), &OpenOptions { platform, ..OpenOptions::default() })
        .expect("opens");
    scan(&image, options).expect("scans")
}

/// The distro packages, a line each: name, version, architecture, source's name and version, with
/// `-` for what there is not; sorted.
pub(crate) fn distro_lines(report: &IndexReport) -> Vec<String> {
    let line = |package: &Package| {
        let source = package.source.as_ref();
        let source = source.map_or_else(
            || "- -".to_owned(),
            |source| format!("{} {}", source.name, source.version),
        );
        let arch = package.arch.as_deref().unwrap_or("-");
        format!("{} {} {arch} {source}", package.name, package.version)
    };
    let distro = report.packages.iter().filter(|package| package.ecosystem.is_distro());
    let mut lines: Vec<String> = distro.map(line).collect();
    lines.sort();
    lines
}
