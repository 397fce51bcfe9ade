//! Whole scans of folders made by code. Layers over layers are tested on images, in the corpus.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use pratique_image::{OpenOptions, open};

use super::*;
use crate::os::rpm::tests::build::{package, sqlite};
use crate::os::rpm::write_ahead::tests::log_of;

fn write(root: &Path, path: &str, content: impl AsRef<[u8]>) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, content).expect("writes");
}

fn scan_folder(root: &Path, cache: Option<&Cache>) -> IndexReport {
    let target = format!("rootfs:{}", root.display());
    let image = open(&target, &OpenOptions::default()).expect("opens");
    scan(&image, &ScanOptions { cache, ..ScanOptions::default() }).expect("scans")
}

/// `type name version owner` of each package.
fn lines(report: &IndexReport) -> Vec<String> {
    let packages = report.packages.iter();
    packages
        .map(|package| {
            let owner = package.owned_by.as_deref().unwrap_or("-");
            format!("{} {} {} {owner}", package.ecosystem, package.name, package.version)
        })
        .collect()
}

#[test]
fn a_debian_root_gives_distribution_packages_and_owners() {
    let root = tempfile::tempdir().expect("a folder");
    write(root.path(), "usr/lib/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
    fs::create_dir_all(root.path().join("etc")).expect("a folder");
    symlink("../usr/lib/os-release", root.path().join("etc/os-release")).expect("a link");
    write(
        root.path(),
        "var/lib/dpkg/status",
        "Package: python3-six\nStatus: install ok installed\nVersion: 1.16.0-4\nSource: six\n\
         Architecture: all\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1\n",
    );
    let metadata = "usr/lib/python3/dist-packages/six-1.16.0.dist-info/METADATA";
    write(root.path(), "var/lib/dpkg/info/python3-six.list", format!("/.\n/usr\n/{metadata}\n"));
    write(root.path(), metadata, "Metadata-Version: 2.1\nName: six\nVersion: 1.16.0\n");
    let local = "usr/local/lib/python3.11/site-packages/idna-3.4.dist-info/METADATA";
    write(root.path(), local, "Metadata-Version: 2.1\nName: idna\nVersion: 3.4\n");
    let report = scan_folder(root.path(), None);
    assert_eq!(
        lines(&report),
        ["deb python3-six 1.16.0-4 -", "pypi idna 3.4 -", "pypi six 1.16.0 python3-six"]
    );
    assert_eq!(report.partial, []);
    let distro = report.distro.expect("a distribution");
    assert_eq!(distro.release().as_str(), "debian:12");
    assert_eq!(report.packages[1].paths, [format!("/{local}")]);
    assert_eq!(report.packages[1].layer, None, "a folder has no layers");
}

#[test]
fn a_log_beside_an_rpm_database_is_applied() {
    let root = tempfile::tempdir().expect("a folder");
    let after = sqlite(&[package("new", 0), package("more", 900)]);
    write(root.path(), "var/lib/rpm/rpmdb.sqlite", sqlite(&[package("old", 0)]));
    assert_eq!(lines(&scan_folder(root.path(), None)), ["rpm old 1.0-2.el9 -"]);
    write(root.path(), "var/lib/rpm/rpmdb.sqlite-wal", log_of(&after));
    write(root.path(), "var/lib/rpm/rpmdb.sqlite-shm", [0; 64]);
    let report = scan_folder(root.path(), None);
    assert_eq!(lines(&report), ["rpm more 1.0-2.el9 -", "rpm new 1.0-2.el9 -"]);
    assert_eq!(report.distro, None);
}

#[test]
fn damaged_records_are_named_and_the_rest_is_kept() {
    let root = tempfile::tempdir().expect("a folder");
    write(root.path(), "var/lib/rpm/rpmdb.sqlite", "garbage");
    write(root.path(), "lib/apk/db/installed", "P:musl\nV:1.2.4-r0\n\nV:1\n");
    let report = scan_folder(root.path(), None);
    assert_eq!(lines(&report), ["apk musl 1.2.4-r0 -"]);
    let problems: Vec<String> = report
        .partial
        .iter()
        .map(|partial| format!("{}: {}", partial.path.as_deref().unwrap_or(""), partial.problem))
        .collect();
    assert_eq!(
        problems,
        [
            "/lib/apk/db/installed: apk: a record has no `P:` or no `V:`: \"\"",
            "/var/lib/rpm/rpmdb.sqlite: rpm: no SQLite database",
        ]
    );
}

#[test]
fn an_empty_folder_is_an_empty_report_and_no_cache_is_made_for_it() {
    let root = tempfile::tempdir().expect("a folder");
    let folder = tempfile::tempdir().expect("a folder");
    let cache = Cache::new(folder.path());
    let report = scan_folder(root.path(), Some(&cache));
    assert_eq!(lines(&report), Vec::<String>::new());
    assert_eq!(report.partial, []);
    assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 0);
}
