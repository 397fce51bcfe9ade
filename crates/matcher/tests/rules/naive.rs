//! The matcher against a plain evaluation that has nothing in common with it but the version
//! comparator: every package against every statement, one at a time, no look-ups, no joining.

use std::collections::BTreeSet;

use pratique_model::{Advisory, Affected, Ecosystem, NameKind, Package, Range, Status};

use crate::world::{World, about, advisory, package};

/// How many images are made up.
const ROUNDS: u64 = 300;

/// A small generator of numbers (SplitMix64, Steele and others 2014), so that a seed gives the same
/// image everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let length = u64::try_from(from.len()).expect("a short list");
        from[usize::try_from(self.below(length)).expect("an index")]
    }
}

const NAMES: [&str; 4] = ["alpha", "beta", "gamma", "delta"];
const VERSIONS: [&str; 8] =
    ["1.0-1", "1.0-2", "1.9-1", "1.10-1", "2.0~rc1-1", "2.0-1", "1:0.5-1", "2.0-1+b1"];

fn random_package(random: &mut Random) -> Package {
    let mut package = package(Ecosystem::Deb, random.pick(&NAMES), random.pick(&VERSIONS));
    let source = package.source.as_mut().expect("a source");
    source.name = random.pick(&NAMES).to_owned();
    source.version = random.pick(&VERSIONS).to_owned();
    package.arch = random.pick(&[Some("amd64"), Some("arm64"), Some("all")]).map(str::to_owned);
    package
}

fn random_statement(random: &mut Random) -> Affected {
    let status = random.pick(&[Status::Fixed, Status::Affected, Status::NotAffected]);
    let release = pratique_model::Release::from_text("debian:12");
    let mut affected = Affected::new(Ecosystem::Deb, Some(release), random.pick(&NAMES), status);
    affected.name_kind = random.pick(&[NameKind::Source, NameKind::Binary, NameKind::Either]);
    for _ in 0..random.below(3) {
        let bound =
            |random: &mut Random| (random.below(3) > 0).then(|| random.pick(&VERSIONS).to_owned());
        let (introduced, fixed) = (bound(random), bound(random));
        let last_affected = if fixed.is_none() { bound(random) } else { None };
        affected.ranges.push(Range { introduced, fixed, last_affected });
    }
    if random.below(4) == 0 {
        affected.versions.push(random.pick(&VERSIONS).to_owned());
    }
    if random.below(4) == 0 {
        affected.arches = vec![random.pick(&["amd64", "arm64"]).to_owned()];
    }
    affected
}

/// Whether a statement's versions hold a version; by the comparator alone.
fn holds(affected: &Affected, version: &str) -> bool {
    let order = |other: &str| {
        Ecosystem::Deb.scheme().compare(version, other).expect("two versions of dpkg")
    };
    let in_range = |range: &Range| {
        range.introduced.as_ref().is_none_or(|from| order(from).is_ge())
            && range.fixed.as_ref().is_none_or(|until| order(until).is_lt())
            && range.last_affected.as_ref().is_none_or(|last| order(last).is_le())
    };
    (affected.ranges.is_empty() && affected.versions.is_empty())
        || affected.ranges.iter().any(in_range)
        || affected.versions.iter().any(|listed| order(listed).is_eq())
}

/// Whether a package is vulnerable by one statement, and whether it is ruled out by it.
fn judged(package: &Package, affected: &Affected) -> (bool, bool) {
    let source = package.source.as_ref().expect("a source");
    let is_binary = package.name == affected.package;
    let is_source = source.name == affected.package;
    let version = match affected.name_kind {
        NameKind::Binary if is_binary => &package.version,
        NameKind::Source if is_source => &source.version,
        NameKind::Either if is_binary => &package.version,
        NameKind::Either if is_source => &source.version,
        _ => return (false, false),
    };
    if !holds(affected, version) {
        return (false, false);
    }
    let arch = package.arch.as_deref().expect("an architecture");
    let is_here = affected.arches.is_empty()
        || arch == "all"
        || affected.arches.iter().any(|one| one == arch);
    let is_vulnerable = affected.status != Status::NotAffected;
    (is_vulnerable && is_here, !is_vulnerable || !is_here)
}

#[test]
fn findings_equal_a_plain_evaluation_of_every_pair() {
    for seed in 0..ROUNDS {
        let mut random = Random(seed);
        let mut world = World::new(Some(("debian", "12")));
        for _ in 0..1 + random.below(6) {
            world = world.install(random_package(&mut random));
        }
        let advisories: Vec<Advisory> = (0..1 + random.below(8))
            .map(|number| {
                let cve = format!("CVE-2026-{:04}", random.below(4));
                let mut one = advisory(&format!("DSA-{number}"), &[&cve], &[]);
                for _ in 0..1 + random.below(2) {
                    one = about(one, random_statement(&mut random));
                }
                one
            })
            .collect();
        let world = world.publish("debian", &advisories);
        let mut vulnerable = BTreeSet::new();
        let mut ruled_out = BTreeSet::new();
        for package in &world.report.packages {
            for advisory in &advisories {
                for affected in &advisory.affected {
                    let (is_vulnerable, is_ruled_out) = judged(package, affected);
                    let url = package.purl(None).to_string();
                    let row = (advisory.vulnerabilities[0].clone(), url);
                    if is_vulnerable {
                        vulnerable.insert(row.clone());
                    }
                    if is_ruled_out {
                        ruled_out.insert(row);
                    }
                }
            }
        }
        let ruled_out: BTreeSet<_> = ruled_out.difference(&vulnerable).cloned().collect();
        let assessment = world.assess();
        let row = |finding: &pratique_model::Finding| {
            let package = &world.report.packages[finding.package_index];
            (finding.id.clone(), package.purl(None).to_string())
        };
        let shown: Vec<_> = assessment.findings.iter().map(row).collect();
        let suppressed: Vec<_> =
            assessment.suppressed.iter().map(|one| row(&one.finding)).collect();
        let as_set = |rows: &[(String, String)]| rows.iter().cloned().collect::<BTreeSet<_>>();
        assert_eq!(as_set(&shown), vulnerable, "seed {seed}");
        assert_eq!(as_set(&suppressed), ruled_out, "seed {seed}");
        let row_count = as_set(&shown).len() + as_set(&suppressed).len();
        assert_eq!(row_count, shown.len() + suppressed.len(), "seed {seed}: a row stands twice");
    }
}
