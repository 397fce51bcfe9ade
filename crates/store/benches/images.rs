//! What the image side costs: `cargo bench -p pratique-store --bench images`.
//!
//! Images of 100 packages drawn from 200,000 distinct ones, in sets that images share. Two of the
//! packages are in every image (as openssl is), 58 are of the 2,000 popular ones, 40 of all. One
//! more is in 1,000 images, and one in a single image.
//!
//! Reports are made on a thread of their own, so that filling a store takes little longer than
//! registering.
//!
//! Settings by environment: `IMAGES` (10000), `SETS` (a twentieth of the images), `BATCH` (1000),
//! `REPORTS` (1 keeps them), `STORE` (`postgres` for a private server, or the address of an empty
//! database; otherwise a new file).

#![allow(clippy::print_stdout, reason = "a program for people")]
#![allow(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use jiff::Timestamp;

use pratique_model::{
    Digest, Distro, Ecosystem, IndexReport, Package, Release, SourcePackage, Target,
};
use pratique_store::{
    Access, Database, ImageFilter, PackageKey, RegisterOptions, Registration, Store,
};
use pratique_testkit::postgres::{Cluster, Durability};

/// How many distinct packages there are, as versions of [`NAMES`] names.
const PACKAGES: u64 = 200_000;
const NAMES: u64 = 20_000;
const POPULAR: u64 = 2_000;

/// Batches of reports that wait to be registered.
const BATCHES_WAITING: usize = 2;

/// The source package that is in this many images.
const OF_A_THOUSAND: (&str, u64) = ("source-of-a-thousand", 1_000);

/// The source package that only the first image has.
const OF_ONE: &str = "source-of-one-image";

fn main() {
    let images = setting("IMAGES", 10_000);
    let sets = setting("SETS", images / 20);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("db.sqlite");
    let mut address = std::env::var("STORE").unwrap_or_else(|_| file.display().to_string());
    let cluster = (address == "postgres")
        .then(|| Cluster::start(Durability::Full).expect("PostgreSQL is installed"));
    let server = cluster.as_ref().map(Cluster::empty_database);
    if let Some(server) = &server {
        address = server.url();
    }
    let store = Store::parse(&address).expect("an address");
    let mut database = store.open(Access::ReadWrite).expect("a database");
    let mut watch = Watch::start();
    println!("{images} images in {sets} sets, {store}");
    register(&mut database, images, sets);
    watch.tell("register all");
    register(&mut database, images.min(10_000), sets);
    watch.tell("register 10,000 again");
    let one = versions_of_one(10_000);
    database.register_image(&one, &[], Timestamp::UNIX_EPOCH).expect("registered");
    watch.tell("register one image with 10,000 versions of a package");
    println!("{} MB in the store", database.size_bytes().expect("a size") / 1_000_000);
    drop(database);
    let database = store.open(Access::ReadOnly).expect("a database");
    for round in ["first", "second"] {
        watch.skip();
        ask(&database, round, &mut watch);
    }
}

fn ask(database: &Database, round: &str, watch: &mut Watch) {
    let counts = database.image_counts().expect("counts");
    watch.tell(&format!("{round}: {counts:?}"));
    let bookworm = Release::new("debian", "12");
    for names in [["source-0"].as_slice(), &["source-77"], &["source-9000"]] {
        let found = database.packages_named(Ecosystem::Deb, Some(&bookworm), names);
        let found = found.expect("an answer");
        watch.tell(&format!("{round}: {} packages named {names:?}", found.len()));
        let keys: Vec<PackageKey> = found.iter().map(|package| package.key).collect();
        for keys in [&keys[..keys.len().min(1)], &keys[..]] {
            let reach = database.reach(keys).expect("a reach");
            watch.tell(&format!("{round}: {} of them reach {reach:?}", keys.len()));
            let holders = database.images_holding(keys, None, 100).expect("images");
            watch.tell(&format!("{round}: the first {} images", holders.len()));
        }
    }
    let found = database.packages_named(Ecosystem::Deb, Some(&bookworm), &["source-of-one"]);
    watch.tell(&format!("{round}: {} versions of a package", found.expect("an answer").len()));
    let page = database.images(&ImageFilter::default(), None, 1_000).expect("images");
    watch.tell(&format!("{round}: a page of {} images", page.len()));
}

fn register(database: &mut Database, images: u64, sets: u64) {
    let now = Timestamp::from_second(1_790_000_000).expect("a time");
    let options = RegisterOptions { now, keep_reports: setting("REPORTS", 0) > 0 };
    let batch_size = setting("BATCH", 1_000);
    let (made, reports) = mpsc::sync_channel::<Vec<IndexReport>>(BATCHES_WAITING);
    thread::spawn(move || {
        let mut first = 0;
        while first < images {
            let end = images.min(first + batch_size);
            let batch = (first..end).map(|image| report(image, images, sets)).collect();
            if made.send(batch).is_err() {
                return;
            }
            first = end;
        }
    });
    for reports in reports {
        let batch: Vec<Registration<'_>> =
            reports.iter().map(|report| Registration { report, references: &[] }).collect();
        database.register_images(&batch, &options).expect("registered");
    }
}

fn report(image: u64, images: u64, sets: u64) -> IndexReport {
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&mixed(image).to_be_bytes());
    digest[8..16].copy_from_slice(&image.to_be_bytes());
    // Neighbours share sets: versions of one application on the same base.
    let set = image % sets;
    let mut packages: Vec<u64> = vec![0, NAMES];
    packages.extend((0..58).map(|index| mixed(set * 1_000 + index) % POPULAR));
    packages.extend((58..98).map(|index| mixed(set * 1_000 + index) % PACKAGES));
    let mut packages: Vec<Package> = packages.into_iter().map(package).collect();
    if set < OF_A_THOUSAND.1 * sets / images {
        packages.push(special(OF_A_THOUSAND.0));
    }
    if image == 0 {
        packages.push(special(OF_ONE));
    }
    IndexReport {
        target: Target {
            reference: format!("registry.example.org/team-{}/app-{image}:1.0", image % 100),
            digest: Some(Digest::from_bytes(digest)),
            platform: Some("linux/amd64".parse().expect("a platform")),
            source: "registry".to_owned(),
            ..Target::default()
        },
        distro: Some(Distro {
            id: "debian".to_owned(),
            version: "12".to_owned(),
            name: "Debian GNU/Linux 12 (bookworm)".to_owned(),
            ..Distro::default()
        }),
        packages,
        partial: Vec::new(),
    }
}

/// The `number`-th package: a version of a name, two names to a source package.
fn package(number: u64) -> Package {
    let (name, version) = (number % NAMES, number / NAMES);
    let version = format!("1:2.{version}.{}-1+deb12u{}", name % 17, name % 3);
    Package {
        ecosystem: Ecosystem::Deb,
        name: format!("package-{name}"),
        version: version.clone(),
        arch: Some("amd64".to_owned()),
        source: Some(SourcePackage { name: format!("source-{}", name / 2), version }),
        module: None,
        vendor: None,
        layer: None,
        paths: vec!["/var/lib/dpkg/status".to_owned()],
        owned_by: None,
        built_for: None,
        cataloger: "bench",
    }
}

/// A package of its own name and source.
fn special(source: &str) -> Package {
    let version = "1:2.1.0-1";
    Package {
        name: source.replace("source", "package"),
        version: version.to_owned(),
        source: Some(SourcePackage { name: source.to_owned(), version: version.to_owned() }),
        ..package(0)
    }
}

/// An image that holds many versions of one package, as images of a build server do together.
fn versions_of_one(count: u64) -> IndexReport {
    let mut report = report(u64::MAX, u64::MAX, 1);
    let version = |number: u64| Package {
        name: "one".to_owned(),
        version: format!("1.0.{number}"),
        source: Some(SourcePackage {
            name: "source-of-one".to_owned(),
            version: format!("1.0.{number}"),
        }),
        ..package(0)
    };
    report.packages = (0..count).map(version).collect();
    report
}

/// An evenly spread number (the finaliser of SplitMix64).
fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// Tells what every step cost.
struct Watch {
    wall: Instant,
}

impl Watch {
    fn start() -> Self {
        Self { wall: Instant::now() }
    }

    fn tell(&mut self, step: &str) {
        println!("{step}: {:.4} s, {} MB at most", self.wall.elapsed().as_secs_f64(), peak_mb());
        self.skip();
    }

    fn skip(&mut self) {
        *self = Self::start();
    }
}

/// The most memory this process had.
fn peak_mb() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().expect("a number") / 1024
}
