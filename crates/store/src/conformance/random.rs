//! Random registrations, removals and sweeps, held against a model that is a map.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use pratique_clockwork::Random;
use pratique_model::Package;

use super::registering::{deb, digest, npm, report};
use super::sample::at;
use super::{Case, list};
use crate::{
    Database, ImageFilter, PackageKey, RegisterOptions, Registered, Registration, StoredPackage,
    SweptCounts,
};

pub(super) const CASES: &[Case] = list![images_equal_a_model_after_random_steps];

/// How many steps are taken, in how many runs with seeds of their own.
const STEPS: usize = 120;
const RUNS: u64 = 3;

/// So many images and packages that steps meet.
const IMAGES: u64 = 12;
const PACKAGES: u64 = 15;

const DAY: i64 = 24;

/// What an image should hold, and when it was last seen.
struct Expected {
    packages: BTreeSet<u64>,
    seen_at: Timestamp,
    is_watched: bool,
}

struct Model {
    images: BTreeMap<u64, Expected>,
    random: Random,
    now: i64,
}

#[allow(clippy::print_stdout, reason = "a failure is repeated by its seed")]
fn images_equal_a_model_after_random_steps(database: &mut Database) {
    for run in 0..RUNS {
        let seed = Random::from_system().next_number();
        println!("run {run}, seed {seed}");
        let mut model = Model { images: BTreeMap::new(), random: Random::from_seed(seed), now: 0 };
        clear(database);
        for _ in 0..STEPS {
            model.step(database);
            model.compare(database);
        }
    }
}

fn clear(database: &mut Database) {
    for image in database.images(&ImageFilter::default(), None, 1_000).expect("images") {
        database.remove_image(image.key).expect("removed");
    }
    while !database.sweep_images(at(0), 5_000).expect("swept").is_empty() {}
    assert_eq!(database.image_counts().expect("counts").package_sets, 0);
    assert_eq!(database.pending_packages(1).expect("an answer"), []);
}

/// The `number`-th package: three versions of each name.
fn package(number: u64) -> Package {
    let (name, version) = (format!("name-{}", number / 3), format!("1.{}", number % 3));
    if number.is_multiple_of(2) { deb(&name, &version) } else { npm(&name, &version) }
}

impl Model {
    fn below(&mut self, limit: u64) -> u64 {
        self.random.next_number() % limit
    }

    fn step(&mut self, database: &mut Database) {
        match self.below(10) {
            0..=5 => self.register(database),
            6 | 7 => self.remove(database),
            8 => self.sweep(database),
            _ => self.now += i64::try_from(self.below(20)).expect("small") * DAY,
        }
    }

    fn register(&mut self, database: &mut Database) {
        let count = self.below(4) + 1;
        let mut batch = Vec::new();
        let mut expected = Vec::new();
        for _ in 0..count {
            let image = self.below(IMAGES);
            let packages: BTreeSet<u64> =
                (0..self.below(5)).map(|_| self.below(PACKAGES)).collect();
            let list: Vec<Package> = packages.iter().map(|number| package(*number)).collect();
            batch.push(report(image, &list));
            let before = self.images.get(&image);
            expected.push(match before {
                None => Registered::New,
                Some(before) if before.packages == packages && before.is_watched => {
                    Registered::Unchanged
                }
                Some(_) => Registered::Changed,
            });
            let seen_at = at(self.now);
            self.images.insert(image, Expected { packages, seen_at, is_watched: true });
        }
        let batch: Vec<Registration<'_>> =
            batch.iter().map(|report| Registration { report, references: &[] }).collect();
        let options = RegisterOptions { now: at(self.now), keep_reports: true };
        let outcomes = database.register_images(&batch, &options).expect("registered");
        assert_eq!(outcomes, expected);
    }

    fn remove(&mut self, database: &mut Database) {
        let image = self.below(IMAGES);
        let found = database.images_named(&digest(image).to_string(), 1).expect("an answer");
        assert_eq!(!found.is_empty(), self.images.remove(&image).is_some(), "image {image}");
        for image in found {
            assert!(database.remove_image(image.key).expect("removed"));
        }
    }

    fn sweep(&mut self, database: &mut Database) {
        let now = at(self.now);
        let limit = usize::try_from(self.below(20) + 1).expect("small");
        let mut sum = SweptCounts::default();
        loop {
            let swept = database.sweep_images(now, limit).expect("swept");
            if swept.is_empty() {
                break;
            }
            sum.images += swept.images;
            sum.unwatched += swept.unwatched;
        }
        let (mut images, mut unwatched) = (0, 0);
        for image in self.images.values_mut() {
            let age = now.duration_since(image.seen_at);
            if age > crate::PACKAGES_KEPT && image.is_watched {
                image.is_watched = false;
                unwatched += 1;
            }
            images += u64::from(age > crate::REPORTS_KEPT);
        }
        self.images.retain(|_, image| now.duration_since(image.seen_at) <= crate::REPORTS_KEPT);
        assert_eq!((sum.images, sum.unwatched), (images, unwatched));
    }

    fn watched(&self) -> impl Iterator<Item = (&u64, &Expected)> {
        self.images.iter().filter(|(_, image)| image.is_watched)
    }

    fn compare(&mut self, database: &Database) {
        let counts = database.image_counts().expect("counts");
        assert_eq!(counts.watched, self.watched().count() as u64);
        let sets: BTreeSet<&BTreeSet<u64>> =
            self.watched().map(|(_, image)| &image.packages).collect();
        assert_eq!(counts.package_sets, sets.len() as u64);
        let stored = stored(database);
        for (number, image) in &self.images {
            let found = database.images_named(&digest(*number).to_string(), 1).expect("one");
            let held = database.image_packages(found[0].key).expect("packages");
            let expected: BTreeSet<PackageKey> = match image.is_watched {
                true => image.packages.iter().map(|package| stored[package].key).collect(),
                false => BTreeSet::new(),
            };
            assert_eq!(held.into_iter().collect::<BTreeSet<_>>(), expected, "image {number}");
        }
        let wanted: BTreeSet<u64> = (0..self.below(4)).map(|_| self.below(PACKAGES)).collect();
        let keys: Vec<PackageKey> = wanted
            .iter()
            .filter_map(|number| stored.get(number).map(|stored| stored.key))
            .collect();
        let holders: BTreeSet<String> = self
            .watched()
            .filter(|(_, image)| !image.packages.is_disjoint(&wanted))
            .map(|(number, _)| digest(*number).to_string())
            .collect();
        let reach = database.reach(&keys).expect("a reach");
        assert_eq!(reach.image_count, holders.len() as u64);
        let found = database.images_holding(&keys, None, 1_000).expect("images");
        let found: BTreeSet<String> =
            found.into_iter().map(|holder| holder.image.digest.to_string()).collect();
        assert_eq!(found, holders, "{wanted:?}");
    }
}

/// All packages that are stored, by their number in the model.
fn stored(database: &Database) -> BTreeMap<u64, StoredPackage> {
    let mut stored = BTreeMap::new();
    for number in 0..PACKAGES {
        let package = package(number);
        let release = package.ecosystem.is_distro().then(super::sample::bookworm);
        let found = database.packages_named(package.ecosystem, release.as_ref(), &[&package.name]);
        let found = found.expect("an answer");
        let found = found.into_iter().find(|one| one.package.version == package.version);
        stored.extend(found.map(|found| (number, found)));
    }
    stored
}
