//! Several writers register, remove and sweep images at once, each with a connection of its own.

use std::collections::BTreeSet;

use jiff::Timestamp;

use pratique_model::{Digest, Ecosystem, IndexReport, Package, PartId, Status, Target};
use pratique_store::{Access, Database, ImageFilter, Impact, PackageKey, Store, StoredFinding};
use pratique_testkit::postgres;

/// How many writers there are, and how often each does its work.
const WRITERS: u64 = 4;
const ROUNDS: u64 = 15;

/// How many images all writers register, and how many each has for itself and removes again.
const SHARED: u64 = 20;
const OWN: u64 = 3;

/// How many packages there are, so that all images share them.
const PACKAGES: u64 = 30;

fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).expect("a time")
}

fn digest(image: u64) -> Digest {
    let mut bytes = [1; 32];
    bytes[..8].copy_from_slice(&image.to_be_bytes());
    Digest::from_bytes(bytes)
}

/// Neighbours have the same packages, so sets are shared too.
fn packages(image: u64) -> BTreeSet<u64> {
    (0..6).map(|index| (image / 2 * 7 + index * 5) % PACKAGES).collect()
}

fn report(image: u64) -> IndexReport {
    let package = |number: u64| Package {
        ecosystem: Ecosystem::Npm,
        name: format!("package-{number}"),
        version: "1.0.0".to_owned(),
        arch: None,
        source: None,
        module: None,
        vendor: None,
        layer: None,
        paths: vec!["/package.json".to_owned()],
        owned_by: None,
        built_for: None,
        cataloger: "test",
    };
    IndexReport {
        target: Target {
            reference: format!("registry.example/app-{image}"),
            digest: Some(digest(image)),
            ..Target::default()
        },
        packages: packages(image).into_iter().map(package).collect(),
        ..IndexReport::default()
    }
}

fn migrate(url: &str) {
    let store = Store::parse(url).expect("an address");
    drop(store.open(Access::ReadWrite).expect("a database"));
}

fn work(store: &Store, writer: u64) {
    let mut database = store.open(Access::ReadWrite).expect("a database");
    for round in 0..ROUNDS {
        for index in 0..SHARED {
            // Everybody in another order, so that everybody comes first somewhere.
            let image = (index * (2 * writer + 1) + round) % SHARED;
            database.register_image(&report(image), &[], now()).expect("registered");
        }
        let own = |index: u64| 1_000 * (writer + 1) + index;
        for index in 0..OWN {
            database.register_image(&report(own(index)), &[], now()).expect("registered");
        }
        for index in 0..OWN {
            let name = digest(own(index)).to_string();
            let image = database.images_named(&name, 1).expect("an answer")[0].key;
            assert!(database.remove_image(image).expect("removed"));
        }
        database.sweep_images(now(), 100).expect("swept");
    }
}

/// The keys of packages by their numbers.
fn key(database: &Database, package: u64) -> Vec<PackageKey> {
    let name = format!("package-{package}");
    let found = database.packages_named(Ecosystem::Npm, None, &[&name]).expect("an answer");
    found.into_iter().map(|stored| stored.key).collect()
}

fn writers_at_once_lose_and_double_nothing(store: &Store) {
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            scope.spawn(move || work(store, writer));
        }
    });
    let mut database = store.open(Access::ReadWrite).expect("a database");
    while !database.sweep_images(now(), 1_000).expect("swept").is_empty() {}
    let images = database.images(&ImageFilter::default(), None, 1_000).expect("images");
    assert_eq!(images.len() as u64, SHARED);
    let sets: BTreeSet<BTreeSet<u64>> = (0..SHARED).map(packages).collect();
    let counts = database.image_counts().expect("counts");
    assert_eq!((counts.watched, counts.package_sets), (SHARED, sets.len() as u64));
    for package in 0..PACKAGES {
        let holders = (0..SHARED).filter(|image| packages(*image).contains(&package)).count();
        let keys = key(&database, package);
        assert_eq!(keys.len(), usize::from(holders > 0), "package {package}");
        let reach = database.reach(&keys).expect("a reach");
        assert_eq!(reach.image_count, holders as u64, "package {package}");
        let found = database.images_holding(&keys, None, 1_000).expect("images");
        assert_eq!(found.len(), holders, "package {package}");
    }
}

/// A matcher has read a package; before it writes, the package is swept.
#[test]
fn a_package_that_is_swept_meanwhile_gets_no_finding() {
    let Some(server) = postgres::fresh_database(migrate) else { return };
    let store = Store::parse(&server.url()).expect("an address");
    let mut other = store.open(Access::ReadWrite).expect("a database");
    let part = PartId::new("osv", "npm");
    other.record_failure(&part, "down", now(), None).expect("the part is known");
    other.register_image(&report(1), &[], now()).expect("registered");
    let image = other.images(&ImageFilter::default(), None, 1).expect("images")[0].key;
    let matcher = store.open(Access::ReadWrite).expect("a database");
    let mut tries = 0;
    let written = matcher.transaction(None, |matcher| {
        tries += 1;
        let packages = matcher.pending_packages(100)?;
        if tries == 1 {
            other.remove_image(image)?;
            while !other.sweep_images(now(), 1_000)?.is_empty() {}
        }
        let findings = packages.iter().map(|package| StoredFinding {
            package: package.key,
            vulnerability: "CVE-2024-0001".to_owned(),
            part: part.clone(),
            advisory: "GHSA-1".to_owned(),
            status: Status::Affected,
            severity: None,
            fixed: None,
            suppression: None,
            unparsable: None,
            notified: None,
        });
        let impact = Impact { findings: findings.collect(), ..Impact::default() };
        matcher.write_impact(&impact, now()).map(|()| packages.len())
    });
    assert_eq!((written.expect("written"), tries), (0, 2), "it began anew and saw nothing");
    assert_eq!(matcher.findings_about(&["CVE-2024-0001"]).expect("an answer"), []);
}

#[test]
fn sqlite_writers_at_once_lose_and_double_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::file(&folder.path().join("db.sqlite"));
    drop(store.open(Access::ReadWrite).expect("a new file"));
    writers_at_once_lose_and_double_nothing(&store);
}

#[test]
fn postgresql_writers_at_once_lose_and_double_nothing() {
    let Some(database) = postgres::fresh_database(migrate) else { return };
    writers_at_once_lose_and_double_nothing(&Store::parse(&database.url()).expect("an address"));
}
