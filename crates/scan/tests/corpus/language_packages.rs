//! The language packages of the images that have any, against independent readers.
//!
//! Goal: name, version and place of every package, no more and no fewer. The second opinion is
//! `scripts/installed-languages.py`, for Go the given truth and `go version -m`; the groups of four
//! jars that say nothing of theirs are those on Maven Central.

use std::fs;

use pratique_model::{Ecosystem, IndexReport};
use pratique_scan::ScanOptions;

use crate::corpus::{corpus, image, report};
use crate::tool;
use crate::unpack::unpack;

/// `TYPE NAME VERSION PATH` of every language package and place, sorted.
fn lines(report: &IndexReport) -> Vec<String> {
    let languages = report.packages.iter().filter(|package| !package.ecosystem.is_distro());
    let mut lines: Vec<String> = languages
        .flat_map(|package| {
            let (name, version) = (&package.name, &package.version);
            let line = move |path| format!("{} {name} {version} {path}", package.ecosystem);
            package.paths.iter().map(line)
        })
        .collect();
    lines.sort();
    lines
}

/// Scans an image and compares with what the second opinion says of its files, and `more`.
fn check(file: &str, package_count: usize, more: &[&str]) -> Option<IndexReport> {
    let path = image(file)?;
    let report = report(file, None, &ScanOptions::default());
    assert_eq!(report.partial, [], "{file}");
    let root = tempfile::tempdir().expect("a folder");
    unpack(&path, None, root.path());
    if let Some(mut truth) = tool::installed_languages(root.path()) {
        truth.extend(more.iter().map(|line| (*line).to_owned()));
        truth.sort();
        let lines = lines(&report);
        let missing: Vec<&String> = truth.iter().filter(|line| !lines.contains(line)).collect();
        let extra: Vec<&String> = lines.iter().filter(|line| !truth.contains(line)).collect();
        assert!(missing.is_empty() && extra.is_empty(), "missing {missing:#?}, extra {extra:#?}");
    }
    let languages = report.packages.iter().filter(|package| !package.ecosystem.is_distro());
    assert_eq!(languages.count(), package_count, "{file}");
    Some(report)
}

fn count(report: &IndexReport, ecosystem: Ecosystem) -> usize {
    report.packages.iter().filter(|package| package.ecosystem == ecosystem).count()
}

#[test]
fn whiteouts_and_lock_files_leave_what_is_installed() {
    let Some(report) = check("node-python-whiteout.oci.tar", 130, &[]) else {
        return;
    };
    assert_eq!(count(&report, Ecosystem::Npm), 116);
    assert_eq!(count(&report, Ecosystem::Pypi), 14);
    let names: Vec<&str> = report.packages.iter().map(|package| &*package.name).collect();
    // Removed by a whiteout, though the lock file names it; the application itself.
    for absent in ["lodash", "idna", "pratique-fixture-app"] {
        assert!(!names.contains(&absent), "{absent}");
    }
}

#[test]
fn jars_inside_jars_are_found_with_their_groups() {
    let unnamed = [
        ("org.apache.tomcat.embed", "tomcat-embed-core", "9.0.30"),
        ("org.springframework", "spring-beans", "5.3.17"),
        ("org.springframework", "spring-core", "5.3.17"),
        ("org.springframework", "spring-webmvc", "5.3.17"),
    ];
    let more = unnamed.map(|(group, artifact, version)| {
        let place = format!("/app/orders.jar!/BOOT-INF/lib/{artifact}-{version}.jar");
        format!("maven {group}:{artifact} {version} {place}")
    });
    let more: Vec<&str> = more.iter().map(String::as_str).collect();
    check("java-app.oci.tar", 18, &more);
}

#[test]
fn an_audited_program_names_its_crates() {
    check("scratch-rust.oci.tar", 19, &[]);
}

#[test]
fn gems_and_python_packages_of_debian_are_owned_by_its_packages() {
    let Some(report) = check("debian-bullseye-app.oci.tar", 66, &[]) else {
        return;
    };
    assert_eq!((count(&report, Ecosystem::Gem), count(&report, Ecosystem::Pypi)), (59, 7));
    let languages = report.packages.iter().filter(|package| !package.ecosystem.is_distro());
    for package in languages {
        assert!(package.owned_by.is_some(), "{} {}", package.name, package.version);
    }
}

#[test]
fn a_go_program_lists_its_modules_and_the_standard_library() {
    let Some(path) = image("distroless-go.oci.tar") else {
        return;
    };
    let report = report("distroless-go.oci.tar", None, &ScanOptions::default());
    let truth = corpus().expect("the corpus is there").join("truth");
    let text = fs::read_to_string(truth.join("distroless-go.language-packages.tsv"));
    let text = text.expect("the truth");
    let row = |line: &str| {
        let columns: Vec<&str> = line.split('\t').collect();
        format!("golang {} {} {}", columns[2], columns[3], columns[4])
    };
    let mut expected: Vec<String> = text.lines().skip(1).map(row).collect();
    expected.sort();
    assert_eq!(lines(&report), expected);
    for package in report.packages.iter().filter(|one| one.ecosystem == Ecosystem::Golang) {
        assert_eq!(package.built_for.as_deref(), Some("linux/amd64"), "{}", package.name);
    }
    let root = tempfile::tempdir().expect("a folder");
    unpack(&path, None, root.path());
    if let Some(said) = tool::go_modules(&root.path().join("app/server")) {
        let found = lines(&report).into_iter().filter(|line| !line.contains(" stdlib "));
        let found: Vec<String> = found
            .map(|line| line.trim_start_matches("golang ").trim_end_matches(" /app/server").into())
            .collect();
        assert_eq!(found, said);
    }
}
