//! The matcher against plain evaluations made afresh.
//!
//! Random statements that come, change and go meet random packages that come and go. Whenever the
//! matcher has nothing left to do, every stored finding must be what an assessment of its package
//! alone shows, and what was told must be the difference between two such assessments, found by
//! plain comparison of every pair.

use std::collections::{BTreeMap, BTreeSet};

use pratique_matcher::{StepLimits, step};
use pratique_model::{
    Advisory, Affected, Ecosystem, NameKind, Package, Range, Release, Severity, Status,
};
use pratique_store::{
    Access, ChangeKind, Database, ImageFilter, PackageKey, Store, StoreError, StoredPackage,
};
use pratique_testkit::postgres;

use crate::world::{Shown, Told, World, built, deb, pypi};

/// How many worlds are made up in memory.
const WORLDS: u64 = 120;

/// How many on PostgreSQL, where a step takes longer.
const POSTGRES_WORLDS: u64 = 3;

/// How many rounds each goes through.
const ROUNDS: u64 = 12;

/// The parts; some of them are loaded for the first time in a later round.
const PARTS: [&str; 5] = ["debian", "ghsa", "osv/PyPI", "wolfi", "chainguard"];

const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];

const VERSIONS: [&str; 5] = ["1.0", "1.1", "1.10", "2.0", "3.0"];

/// A small generator of numbers (SplitMix64, Steele and others 2014), so that a seed gives the same
/// world everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let length = u64::try_from(from.len()).expect("a short list");
        from[usize::try_from(self.below(length)).expect("an index")]
    }
}

/// What was shown of every package: by vulnerability, with its other ids.
type Snapshot = BTreeMap<PackageKey, (StoredPackage, BTreeMap<String, (Shown, Vec<String>)>)>;

#[test]
fn findings_and_notifications_equal_fresh_computations() {
    for seed in 0..WORLDS {
        live(World::in_memory(), seed);
    }
}

#[test]
fn findings_and_notifications_equal_fresh_computations_on_postgresql() {
    for seed in 0..POSTGRES_WORLDS {
        let open = |url: &str| -> Database {
            let store = Store::parse(url).expect("an address");
            store.open(Access::ReadWrite).expect("a database")
        };
        let Some(place) = postgres::fresh_database(|url| drop(open(url))) else { return };
        live(World::new(open(&place.url())), 1_000 + seed);
    }
}

/// Lets a world of a seed go through its rounds.
fn live(mut world: World, seed: u64) {
    let mut random = Random(seed);
    for round in 0..ROUNDS {
        let context = format!("seed {seed}, round {round}");
        world.limits = StepLimits {
            changes_max: random.pick(&[1, 3, 100]),
            packages_max: random.pick(&[1, 4, 100]),
        };
        match random.below(4) {
            0 => stir(&mut world, &mut random),
            1 => load_first(&mut world, &mut random, &context),
            _ => compare(&mut world, &mut random, &context),
        }
        world.drain();
        world.check_findings(&context);
        assert!(world.step().is_none(), "{context}: the matcher found more to do");
        world.told();
    }
}

/// Changes anything, in any order, while the matcher is at work.
fn stir(world: &mut World, random: &mut Random) {
    for _ in 0..8 {
        match random.below(6) {
            0 | 1 => register(world, random),
            2 => world.remove(u8::try_from(random.below(6)).expect("a small number")),
            3 => change(world, random),
            4 => {
                world.step();
            }
            _ => fail_a_step(world),
        }
    }
}

/// A part is loaded for the first time, or whole after a mere choice: it tells nothing.
fn load_first(world: &mut World, random: &mut Random, context: &str) {
    register(world, random);
    world.drain();
    world.told();
    let is_first = |part: &&str| !world.parts.contains_key(*part) || world.choices.contains(*part);
    let Some(part) = PARTS.into_iter().find(is_first) else { return };
    let is_partial = !world.parts.contains_key(part) && random.one_in(3);
    mutate(world, random, part);
    world.commit(part, is_partial);
    world.drain();
    assert_eq!(world.told(), [], "{context}: {part} was loaded for the first time");
}

/// Parts change while images stay: what is told is the difference.
fn compare(world: &mut World, random: &mut Random, context: &str) {
    register(world, random);
    world.drain();
    world.told();
    while !world.database.sweep_images(world.now, 1_000).expect("a sweep").is_empty() {}
    let before = snapshot(world);
    for _ in 0..=random.below(3) {
        change(world, random);
        if random.one_in(3) {
            fail_a_step(world);
        }
    }
    world.drain();
    let after = snapshot(world);
    let mut told = world.told();
    told.sort();
    assert_eq!(told, expected(world, &before, &after), "{context}: told (left) and expected");
}

/// A step that is not kept.
fn fail_a_step(world: &World) {
    let result: Result<(), StoreError> = world.database.transaction(None, |database| {
        step(database, None, world.limits, world.now).expect("a step");
        Err(StoreError::ReadOnly)
    });
    assert!(result.is_err());
}

fn register(world: &mut World, random: &mut Random) {
    let number = u8::try_from(random.below(6)).expect("a small number");
    let release = random.pick(&[Some("debian:12"), Some("debian:13"), Some("chainguard"), None]);
    let mut packages: Vec<Package> = Vec::new();
    for _ in 0..=random.below(5) {
        let (name, source) = (random.pick(&NAMES), random.pick(&NAMES));
        let version = random.pick(&VERSIONS);
        packages.push(match release {
            _ if random.one_in(3) => pypi(name, random.pick(&["1.0", "1.10", "one?", "2.0"])),
            Some("chainguard") => built(Ecosystem::Apk, name, source, &format!("{version}-r0")),
            _ => deb(name, source, version),
        });
        if random.one_in(8) {
            packages.last_mut().expect("it was pushed").owned_by = Some("owner".to_owned());
        }
    }
    world.register(number, release, &packages);
}

/// A part that was loaded whole, if any was.
fn random_loaded(world: &World, random: &mut Random) -> Option<&'static str> {
    let is_loaded = |part: &&str| world.parts.contains_key(*part) && !world.choices.contains(*part);
    let loaded: Vec<&'static str> = PARTS.into_iter().filter(is_loaded).collect();
    (!loaded.is_empty()).then(|| random.pick(&loaded))
}

fn change(world: &mut World, random: &mut Random) {
    if let Some(part) = random_loaded(world, random) {
        mutate(world, random, part);
        world.commit(part, false);
    }
}

/// Adds, changes and withdraws a few advisories of a part, of which one stays at least.
fn mutate(world: &mut World, random: &mut Random, part: &str) {
    let count = 1 + random.below(4);
    let advisories = world.parts.entry(part.to_owned()).or_default();
    for _ in 0..count {
        let advisory = random_advisory(random, part);
        let is_known = advisories.contains_key(&advisory.id);
        if is_known && random.one_in(2) && advisories.len() > 1 {
            advisories.remove(&advisory.id);
        } else if is_known && random.one_in(2) {
            let old = advisories.get_mut(&advisory.id).expect("it is known");
            tweak(old, random, advisory);
        } else {
            advisories.insert(advisory.id.clone(), advisory);
        }
    }
}

/// Changes one thing of an advisory to what another one says.
fn tweak(old: &mut Advisory, random: &mut Random, new: Advisory) {
    match random.below(6) {
        0 => old.severity = new.severity,
        1 => old.vulnerabilities = new.vulnerabilities,
        2 => old.aliases = new.aliases,
        3 => old.withdrawn = new.withdrawn,
        4 => old.summary = Some(format!("Text {}.", random.below(9))),
        _ => old.affected = new.affected,
    }
}

fn random_advisory(random: &mut Random, part: &str) -> Advisory {
    let cve = |random: &mut Random| format!("CVE-2024-000{}", 1 + random.below(5));
    let (mut id, mut cves, mut aliases) = (cve(random), Vec::new(), Vec::new());
    match part {
        "ghsa" | "osv/PyPI" => {
            let ghsa = format!("GHSA-{}", random.pick(&["a", "b", "c"]));
            let pysec = format!("PYSEC-{}", 1 + random.below(3));
            (id, aliases) = if part == "ghsa" { (ghsa, vec![pysec]) } else { (pysec, vec![ghsa]) };
            if random.one_in(2) {
                aliases.clear();
            }
            for _ in 0..random.below(3) {
                cves.push(cve(random));
            }
        }
        "debian" if random.one_in(3) => {
            id = format!("DSA-{}", 1 + random.below(2));
            cves = vec![cve(random), cve(random)];
        }
        _ => cves.push(id.clone()),
    }
    cves.sort();
    cves.dedup();
    Advisory {
        id,
        vulnerabilities: cves,
        aliases,
        withdrawn: random.one_in(10).then(|| "2026-01-01T00:00:00Z".parse().expect("a time")),
        informational: random.one_in(12).then(|| "unmaintained".to_owned()),
        severity: Some(random.pick(&[Severity::Low, Severity::High, Severity::Critical])),
        affected: (0..=random.below(2)).map(|_| random_statement(random, part)).collect(),
        ..Advisory::default()
    }
}

fn random_statement(random: &mut Random, part: &str) -> Affected {
    let statuses =
        [Status::Fixed, Status::Fixed, Status::Affected, Status::NotAffected, Status::Undetermined];
    let (ecosystem, release) = match part {
        "debian" => (Ecosystem::Deb, Some(random.pick(&["debian:12", "debian:13"]))),
        "wolfi" | "chainguard" => (Ecosystem::Apk, Some(part)),
        _ => (Ecosystem::Pypi, None),
    };
    let release = release.map(Release::from_text);
    let mut affected =
        Affected::new(ecosystem, release, random.pick(&NAMES), random.pick(&statuses));
    affected.name_kind = match part {
        "debian" => random.pick(&[NameKind::Source, NameKind::Binary, NameKind::Either]),
        "wolfi" | "chainguard" => NameKind::Source,
        _ => NameKind::Binary,
    };
    for _ in 0..random.below(3) {
        let bound =
            |random: &mut Random| (!random.one_in(3)).then(|| random.pick(&VERSIONS).to_owned());
        let (introduced, fixed) = (bound(random), bound(random));
        affected.ranges.push(Range { introduced, fixed, last_affected: None });
    }
    if random.one_in(6) {
        affected.severity = Some(Severity::Medium);
    }
    if random.one_in(8) {
        affected.remark = Some("unimportant".to_owned());
    }
    if random.one_in(8) {
        affected.arches = vec!["arm64".to_owned()];
    }
    affected
}

fn snapshot(world: &World) -> Snapshot {
    let look = |(key, package): (PackageKey, StoredPackage)| {
        let scanned = world.scanned(&package);
        (key, (package, scanned))
    };
    world.held().into_iter().map(look).collect()
}

/// What is to be told of one vulnerability, name and reason.
#[derive(Default)]
struct Notice {
    old: BTreeSet<String>,
    new: BTreeSet<String>,
    packages: BTreeSet<PackageKey>,
}

type Notices = BTreeMap<(ChangeKind, String, String), Notice>;

/// What must be told when `before` becomes `after`, sorted.
fn expected(world: &World, before: &Snapshot, after: &Snapshot) -> Vec<Told> {
    let mut notices = Notices::new();
    for (key, (package, now)) in after {
        let (_, was) = &before[key];
        let renamed = renames(was, now);
        for (id, (shown, _)) in now {
            let old_id = renamed.get(id).unwrap_or(id);
            let is_known = is_known(before, id, package);
            let old = was.get(old_id).map(|(shown, _)| shown);
            put(&mut notices, (id, package), changes(old, Some(shown), is_known, false));
        }
        for (id, (shown, _)) in was {
            if !now.contains_key(id) && !renamed.values().any(|old| old == id) {
                let is_stated = is_stated(world, id, package);
                put(&mut notices, (id, package), changes(Some(shown), None, false, is_stated));
            }
        }
    }
    let joined = |values: BTreeSet<String>| {
        let values: Vec<String> = values.into_iter().collect();
        (!values.is_empty()).then(|| values.join(", "))
    };
    let told = |((reason, vulnerability, package), notice): (_, Notice)| Told {
        reason,
        vulnerability,
        package,
        image_count: image_count(world, &notice.packages),
        old: joined(notice.old),
        new: joined(notice.new),
    };
    notices.into_iter().map(told).collect()
}

/// Findings that stand under another id now: the new id and the old.
fn renames(
    was: &BTreeMap<String, (Shown, Vec<String>)>,
    now: &BTreeMap<String, (Shown, Vec<String>)>,
) -> BTreeMap<String, String> {
    let mut renamed = BTreeMap::new();
    for (id, (_, aliases)) in now.iter().filter(|(id, _)| !was.contains_key(*id)) {
        let old = aliases.iter().find(|old| was.contains_key(*old) && !now.contains_key(*old));
        renamed.extend(old.map(|old| (id.clone(), old.clone())));
    }
    renamed
}

type Change = (ChangeKind, Option<String>, Option<String>);

fn changes(
    old: Option<&Shown>,
    new: Option<&Shown>,
    is_known: bool,
    is_stated: bool,
) -> Vec<Change> {
    let is_shown = |shown: Option<&Shown>| shown.is_some_and(|shown| shown.suppression.is_none());
    let reason = |shown: &Shown| shown.suppression.map(str::to_owned);
    let status = |shown: &Shown| Some(shown.status.as_str().to_owned());
    match (old, new) {
        (old, new) if !is_shown(old) && !is_shown(new) => Vec::new(),
        (None, Some(new)) if is_known => vec![(ChangeKind::RangeChanged, None, status(new))],
        (None, Some(new)) => vec![(ChangeKind::New, None, status(new))],
        (Some(old), None) if is_stated => vec![(ChangeKind::RangeChanged, status(old), None)],
        (Some(old), None) => vec![(ChangeKind::Withdrawn, status(old), None)],
        (Some(old), Some(new)) if old.suppression.is_some() => {
            vec![(ChangeKind::New, reason(old), status(new))]
        }
        (Some(old), Some(new)) if new.suppression.is_some() => {
            vec![(ChangeKind::NotAffected, status(old), reason(new))]
        }
        (Some(old), Some(new)) => {
            let mut changes = Vec::new();
            if old.fixed.is_none() && new.fixed.is_some() {
                changes.push((ChangeKind::FixAvailable, None, new.fixed.clone()));
            } else if old.fixed != new.fixed {
                changes.push((ChangeKind::FixChanged, old.fixed.clone(), new.fixed.clone()));
            }
            let word = |shown: &Shown| shown.severity.map(|severity| severity.to_string());
            if old.severity < new.severity {
                changes.push((ChangeKind::SeverityRaised, word(old), word(new)));
            } else if old.severity > new.severity {
                changes.push((ChangeKind::SeverityLowered, word(old), word(new)));
            }
            changes
        }
        (None, None) => Vec::new(),
    }
}

fn put(notices: &mut Notices, about: (&str, &StoredPackage), changes: Vec<Change>) {
    let (id, package) = about;
    for (reason, old, new) in changes {
        let key = (reason, id.to_owned(), name(package));
        let notice = notices.entry(key).or_default();
        notice.old.extend(old);
        notice.new.extend(new);
        notice.packages.insert(package.key);
    }
}

/// What a package is called in notifications.
fn name(package: &StoredPackage) -> String {
    match &package.release {
        Some(release) => format!("{release}/{}", package.package.source_name()),
        None if package.package.ecosystem.is_distro() => {
            format!("{}/{}", package.package.ecosystem, package.package.source_name())
        }
        None => format!("{}/{}", package.package.ecosystem, package.package.name),
    }
}

/// Whether a vulnerability was shown of some package of that name.
fn is_known(before: &Snapshot, id: &str, package: &StoredPackage) -> bool {
    before.values().any(|(other, shown)| {
        name(other) == name(package)
            && shown.get(id).is_some_and(|(shown, _)| shown.suppression.is_none())
    })
}

/// Whether some live advisory speaks of a vulnerability and of a package of that name.
fn is_stated(world: &World, id: &str, package: &StoredPackage) -> bool {
    let StoredPackage { release, package, .. } = package;
    let is_about = |affected: &Affected| {
        let is_here = match (&affected.release, release) {
            (Some(stated), Some(own)) => {
                stated == own || (stated.as_str() == "wolfi" && own.as_str() == "chainguard")
            }
            (stated, _) => stated.is_none(),
        };
        let is_named =
            affected.package == package.name || affected.package == package.source_name();
        affected.ecosystem == package.ecosystem && is_here && is_named
    };
    world.parts.values().flat_map(BTreeMap::values).any(|advisory| {
        let mut ids = advisory.vulnerabilities.iter().chain(&advisory.aliases);
        let is_meant = advisory.id == id || ids.any(|other| other == id);
        advisory.withdrawn.is_none() && is_meant && advisory.affected.iter().any(is_about)
    })
}

fn image_count(world: &World, packages: &BTreeSet<PackageKey>) -> u64 {
    let filter = ImageFilter::default();
    let images = world.database.images(&filter, None, 10_000).expect("the images");
    let holds = |image: &&pratique_store::StoredImage| {
        let own = world.database.image_packages(image.key).expect("an image's packages");
        own.iter().any(|key| packages.contains(key))
    };
    images.iter().filter(holds).count() as u64
}
