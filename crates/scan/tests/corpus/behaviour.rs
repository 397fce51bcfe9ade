//! What holds for a scan of any image.

use std::fs;

use pratique_model::Ecosystem;
use pratique_scan::{Cache, ScanOptions};

use crate::corpus::{image, report};

const IMAGES: [&str; 4] = [
    "debian-bullseye-app.oci.tar",
    "node-python-whiteout.oci.tar",
    "distroless-go.oci.tar",
    "el8.5-bdb-rebuilt.oci.tar",
];

#[test]
fn the_cache_changes_nothing_whether_whole_damaged_or_empty() {
    if image(IMAGES[0]).is_none() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let cache = Cache::new(folder.path());
    let cached = ScanOptions { cache: Some(&cache), ..ScanOptions::default() };
    for file in IMAGES {
        let expected = report(file, None, &ScanOptions::default());
        assert!(!expected.packages.is_empty(), "{file}");
        for round in ["empty", "image known"] {
            assert_eq!(report(file, None, &cached), expected, "{file}: {round}");
        }
        let version = fs::read_dir(folder.path()).expect("the cache").next().expect("a version");
        let version = version.expect("an entry").path();
        fs::remove_dir_all(version.join("images")).expect("removes");
        assert_eq!(report(file, None, &cached), expected, "{file}: layers known");
        fs::remove_dir_all(version.join("images")).expect("removes");
        for entry in fs::read_dir(version.join("layers")).expect("layers") {
            let path = entry.expect("an entry").path();
            let mut bytes = fs::read(&path).expect("an entry");
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(&path, bytes).expect("writes");
        }
        assert_eq!(report(file, None, &cached), expected, "{file}: layers damaged");
    }
}

#[test]
fn packages_are_sorted_single_and_placed() {
    if image(IMAGES[0]).is_none() {
        return;
    }
    for file in IMAGES {
        let report = report(file, None, &ScanOptions::default());
        let keys: Vec<_> = report
            .packages
            .iter()
            .map(|package| (package.ecosystem, &package.name, &package.version, &package.paths))
            .collect();
        assert!(keys.is_sorted(), "{file}");
        for package in &report.packages {
            assert!(!package.paths.is_empty(), "{file}: {package:?}");
            assert!(package.paths.is_sorted(), "{file}: {package:?}");
            assert!(package.paths.iter().all(|path| path.starts_with('/')), "{file}: {package:?}");
            let layer = package.layer.expect("an image has layers");
            assert!(report.target.layers.contains(&layer), "{file}: {package:?}");
        }
    }
}

#[test]
fn python_packages_of_debian_belong_to_debian() {
    if image(IMAGES[0]).is_none() {
        return;
    }
    let report = report("debian-bullseye-app.oci.tar", None, &ScanOptions::default());
    let owners: Vec<(&str, Option<&str>)> = report
        .packages
        .iter()
        .filter(|package| package.ecosystem == Ecosystem::Pypi)
        .map(|package| (package.name.as_str(), package.owned_by.as_deref()))
        .collect();
    for (name, owner) in [("six", "python3-six"), ("Jinja2", "python3-jinja2")] {
        assert!(owners.contains(&(name, Some(owner))), "{name}: {owners:?}");
    }
    assert!(owners.iter().all(|(_, owner)| owner.is_some()), "{owners:?}");
}
