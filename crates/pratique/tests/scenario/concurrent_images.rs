//! Scenario 8: vulnerabilities come in while images are registered; in the end the findings are
//! those of a computation from nothing.

use std::collections::BTreeSet;
use std::thread;

use pratique_testkit::feed::DebianEntry;
use pratique_testkit::process::eventually;
use serde_json::Value;

use crate::bed::{Bed, DEADLINE, DEBIAN, ballast, text};
use crate::on_both_stores;
use crate::service::Service;

/// Images, each with one version of every package: 100 package versions in all.
const IMAGES: usize = 20;
const PACKAGES: [&str; 5] = ["bash", "curl", "zlib", "perl", "tar"];

/// Vulnerabilities, published in so many steps.
const VULNERABILITIES: usize = 100;
const STEPS: usize = 5;

on_both_stores!(findings_of_images_added_meanwhile_equal_a_computation_from_nothing);

fn findings_of_images_added_meanwhile_equal_a_computation_from_nothing(bed: &Bed) {
    bed.publish_debian(&ballast(100));
    bed.update(DEBIAN, 0);
    let service = Service::start(bed, "service", DEBIAN, "update,match");
    thread::scope(|scope| {
        scope.spawn(|| {
            for image in 0..IMAGES {
                let versions: Vec<String> =
                    (0..PACKAGES.len()).map(|package| version(image, package)).collect();
                let packages: Vec<(&str, &str)> =
                    PACKAGES.into_iter().zip(versions.iter().map(String::as_str)).collect();
                bed.register(&format!("app-{image}"), &packages);
            }
        });
        for step in 1..=STEPS {
            let mut entries = ballast(100);
            entries.extend((0..VULNERABILITIES * step / STEPS).map(vulnerability));
            bed.publish_debian(&entries);
            eventually("the step is stored", DEADLINE, || {
                bed.status(DEBIAN)["entries"] == entries.len()
            });
        }
    });
    let expected = from_nothing();
    assert!(expected.len() > IMAGES, "the case says little");
    eventually("nothing is left to match", DEADLINE, || {
        let answer = ask(bed, "CVE-2026-0000");
        answer["unmatched_parts"] == 0 && answer["unmatched_packages"] == false
    });
    assert_eq!(stored(bed), expected);
    service.stop(bed);
}

/// The version that an image has of a package.
fn version(image: usize, package: usize) -> String {
    format!("1.{}", (image * 7 + package * 3) % 20)
}

/// What is fixed where: every version before it is affected.
fn fixed_minor(number: usize) -> usize {
    number * 13 % 22
}

fn cve(number: usize) -> String {
    format!("CVE-2026-{number:04}")
}

fn vulnerability(number: usize) -> DebianEntry {
    let package = PACKAGES[number % PACKAGES.len()];
    DebianEntry::new(package, &cve(number), Some(&format!("1.{}", fixed_minor(number))))
}

/// Every (vulnerability, image, package) by the plainest comparison there is.
fn from_nothing() -> BTreeSet<(String, String, String)> {
    let mut found = BTreeSet::new();
    for number in 0..VULNERABILITIES {
        let package = number % PACKAGES.len();
        for image in 0..IMAGES {
            if (image * 7 + package * 3) % 20 < fixed_minor(number) {
                found.insert((cve(number), format!("app-{image}"), PACKAGES[package].to_owned()));
            }
        }
    }
    found
}

/// The same, as the program answers for each vulnerability.
fn stored(bed: &Bed) -> BTreeSet<(String, String, String)> {
    let mut found = BTreeSet::new();
    for number in 0..VULNERABILITIES {
        let answer = ask(bed, &cve(number));
        for image in answer["images"].as_array().expect("a list") {
            let name = text(&image["reference"]);
            let name = name.rsplit('/').next().unwrap_or_default().trim_end_matches(":1");
            let name = name.trim_end_matches(".tar").to_owned();
            for package in image["packages"].as_array().expect("a list") {
                found.insert((cve(number), name.clone(), text(&package["name"])));
            }
        }
    }
    found
}

fn ask(bed: &Bed, question: &str) -> Value {
    let ran = bed.run(&["ask", question, "--format", "json", "--limit", "1000"]);
    let ran = ran.expect(&[0, 1, 3]);
    serde_json::from_str(&ran.stdout).expect("standard output is JSON")
}
