//! The distro packages of every image, against the tools and the given truth.

use std::fs;
use std::path::Path;

use pratique_model::IndexReport;
use pratique_scan::ScanOptions;

use crate::corpus::{corpus, distro_lines, image, report};
use crate::tool;
use crate::unpack::unpack;

const ALPINE_FOR_THIS_MACHINE: &str = "alpine-3.17.10.oci.tar";

/// Scans an image and unpacks it; `compare` gets the report's lines and the root.
fn with_root(
    file: &str,
    platform: Option<&str>,
    distro: &str,
    package_count: usize,
    compare: impl FnOnce(&[String], &Path),
) {
    let Some(path) = image(file) else {
        return;
    };
    let report = report(file, platform, &ScanOptions::default());
    assert_eq!(report.partial, [], "{file}");
    assert_eq!(distro_of(&report), distro, "{file}");
    let lines = distro_lines(&report);
    let root = tempfile::tempdir().expect("a folder");
    unpack(&path, platform, root.path());
    compare(&lines, root.path());
    assert_eq!(lines.len(), package_count, "{file}");
}

/// The distribution as text, with the release that its advisories speak of.
fn distro_of(report: &IndexReport) -> String {
    report.distro.as_ref().map_or_else(
        || "none".to_owned(),
        |distro| format!("{} {} {}", distro.id, distro.version, distro.release()),
    )
}

#[track_caller]
fn assert_same(lines: &[String], truth: &[String]) {
    let missing: Vec<&String> = truth.iter().filter(|line| !lines.contains(line)).collect();
    let extra: Vec<&String> = lines.iter().filter(|line| !truth.contains(line)).collect();
    assert!(missing.is_empty() && extra.is_empty(), "missing {missing:#?}, extra {extra:#?}");
    assert_eq!(lines.len(), truth.len(), "doubles");
}

/// Rows of a file in `truth/` without its head.
fn truth_rows(file: &str) -> Vec<Vec<String>> {
    let path = corpus().expect("the corpus is there").join("truth").join(file);
    let text = fs::read_to_string(path).expect("the truth");
    text.lines().skip(1).map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

/// Truth of five columns in the order of the lines.
fn truth(file: &str) -> Vec<String> {
    truth_rows(file).iter().map(|row| row[..5].join(" ")).collect()
}

fn check_dpkg(file: &str, distro: &str, package_count: usize) {
    with_root(file, None, distro, package_count, |lines, root| {
        if let Some(truth) = tool::dpkg(root) {
            assert_same(lines, &truth);
        }
    });
}

fn check_rpm(file: &str, folder: &str, distro: &str, package_count: usize) {
    with_root(file, None, distro, package_count, |lines, root| {
        if let Some(truth) = tool::rpm(root, folder) {
            assert_same(lines, &truth);
        }
    });
}

fn check_apk(file: &str, platform: Option<&str>, distro: &str, package_count: usize) {
    with_root(file, platform, distro, package_count, |lines, root| {
        assert_same(lines, &tool::apk_records(root));
        let host = tempfile::tempdir().expect("a folder");
        let alpine = image(ALPINE_FOR_THIS_MACHINE).expect("the corpus is there");
        unpack(&alpine, None, host.path());
        if let Some(truth) = tool::apk(host.path(), root) {
            let names = lines.iter().map(|line| {
                let mut words = line.split(' ');
                [words.next(), words.next()].map(|word| word.expect("a word")).join("-")
            });
            assert_same(&names.collect::<Vec<_>>(), &truth);
        }
    });
}

#[test]
fn alpine_3_10_has_on_every_platform_what_apk_says() {
    let file = "alpine-3.10.3-multiarch.oci.tar";
    for platform in ["linux/amd64", "linux/arm64/v8", "linux/arm/v7"] {
        check_apk(file, Some(platform), "alpine 3.10.3 alpine:3.10", 14);
    }
    with_root(file, Some("linux/amd64"), "alpine 3.10.3 alpine:3.10", 14, |lines, _| {
        assert_same(lines, &truth("alpine-3.10.3-multiarch.amd64.packages.tsv"));
    });
}

#[test]
fn alpine_3_11_from_docker_save_has_what_apk_says() {
    check_apk("alpine-3.11.13.docker.tar", None, "alpine 3.11.13 alpine:3.11", 14);
}

#[test]
fn alpine_3_17_has_what_apk_says() {
    check_apk("alpine-3.17.10.oci.tar", None, "alpine 3.17.10 alpine:3.17", 15);
}

#[test]
fn alpine_edge_is_edge_and_has_what_apk_says() {
    check_apk("alpine-edge-20240923-zstd.oci.tar", None, "alpine edge alpine:edge", 14);
}

#[test]
fn alpine_under_applications_has_what_apk_says() {
    check_apk("java-app.oci.tar", None, "alpine 3.11.13 alpine:3.11", 14);
    check_apk("node-python-whiteout.oci.tar", None, "alpine 3.10.3 alpine:3.10", 14);
}

#[test]
fn debian_bookworm_has_what_dpkg_query_says() {
    let file = "debian-bookworm-dpkgonly.oci.tar";
    check_dpkg(file, "debian 12 debian:12", 88);
    with_root(file, None, "debian 12 debian:12", 88, |lines, _| {
        assert_same(lines, &truth("debian-bookworm-dpkgonly.packages.tsv"));
    });
}

#[test]
fn debian_trixie_has_what_dpkg_query_says() {
    check_dpkg("debian-trixie-dpkgonly.oci.tar", "debian 13 debian:13", 78);
}

#[test]
fn debian_bullseye_of_two_layers_has_what_dpkg_query_says() {
    check_dpkg("debian-bullseye-app.oci.tar", "debian 11 debian:11", 185);
}

#[test]
fn ubuntu_bionic_has_what_dpkg_query_says() {
    check_dpkg("ubuntu-bionic-20220801-rebuilt.oci.tar", "ubuntu 18.04 ubuntu:18.04", 89);
}

#[test]
fn distroless_has_what_dpkg_query_says_of_its_stanzas() {
    check_dpkg("distroless-go.oci.tar", "debian 12 debian:12", 12);
    with_root("distroless-go.oci.tar", None, "debian 12 debian:12", 12, |lines, _| {
        assert_same(lines, &truth("distroless-go.packages.tsv"));
    });
}

#[test]
fn el8_in_berkeley_db_has_what_rpm_says() {
    let (file, distro) = ("el8.5-bdb-rebuilt.oci.tar", "almalinux 8.5 almalinux:8");
    check_rpm(file, "var/lib/rpm", distro, 147);
    with_root(file, None, distro, 147, |lines, _| {
        let rows = truth_rows("el8.5-bdb-rebuilt.packages.tsv");
        let line = |row: &Vec<String>| {
            let version = format!("{}-{}", row[2], row[3]);
            tool::rpm_line(&row[0], &row[1], &version, &row[4], &row[5])
        };
        assert_same(lines, &rows.iter().map(line).collect::<Vec<_>>());
    });
}

#[test]
fn rocky_9_in_sqlite_has_what_rpm_says() {
    check_rpm("rocky-9.4-rebuilt.oci.tar", "var/lib/rpm", "rocky 9.4 rocky:9", 142);
}

#[test]
fn mariner_in_sqlite_has_what_rpm_says() {
    check_rpm("cbl-mariner-2.0-rpmdb.oci.tar", "var/lib/rpm", "mariner 2.0 mariner:2.0", 129);
}

#[test]
fn sle_15_in_ndb_has_what_rpm_says() {
    let file = "sle15-bci-rpmdb.oci.tar";
    with_root(file, None, "sles 15.3 sles:15.3", 35, |lines, root| {
        let database = root.join("usr/lib/sysimage/rpm/Packages.db");
        if let Some(truth) = tool::rpm_of_ndb(&database) {
            assert_same(lines, &truth);
        }
    });
}

#[test]
fn an_image_without_a_distribution_says_so() {
    with_root("scratch-rust.oci.tar", None, "none", 0, |lines, _| {
        assert!(lines.is_empty());
    });
}

#[test]
fn changes_that_sqlite_has_not_applied_count_as_rpm_counts_them() {
    let Some(path) = image("rocky-9.4-rebuilt.oci.tar") else {
        return;
    };
    let root = tempfile::tempdir().expect("a folder");
    unpack(&path, None, root.path());
    if !tool::leave_log(&root.path().join("var/lib/rpm/rpmdb.sqlite")) {
        return;
    }
    let target = format!("rootfs:{}", root.path().display());
    let image = pratique_image::open(&target, &Default::default()).expect("opens");
    let report = pratique_scan::scan(&image, &ScanOptions::default()).expect("scans");
    let lines = distro_lines(&report);
    assert_eq!(lines.len(), 142 - 9);
    if let Some(truth) = tool::rpm(root.path(), "var/lib/rpm") {
        assert_same(&lines, &truth);
    }
}
