//! What no data speaks of, and what the answer rests on.

use jiff::SignedDuration;

use pratique_model::{Ecosystem, Enrichment, NvdScore};

use crate::world::{World, about, advisory, below, package, source_below};

/// What was not assessed, each in one line.
fn gaps(world: &World) -> Vec<String> {
    let line = |gap: &pratique_model::Unassessed| format!("{}: {}", gap.package_count, gap.why);
    world.assess().unassessed.iter().map(line).collect()
}

fn debian_data(world: World) -> World {
    let affected = source_below(Ecosystem::Deb, "debian:12", "bash", "1");
    world.publish("debian", &[about(advisory("CVE-2026-0001", &["CVE-2026-0001"], &[]), affected)])
}

fn npm_data(world: World) -> World {
    let flaw = about(advisory("GHSA-a", &[], &[]), below(Ecosystem::Npm, "left-pad", "1.0.0"));
    world.publish("osv/npm", &[flaw])
}

#[test]
fn a_release_without_advisories_is_not_assessed() {
    let world = |version| {
        let world = World::new(Some(("debian", version)));
        debian_data(world.install(package(Ecosystem::Deb, "hello", "2.10-3")))
    };
    assert_eq!(gaps(&world("12")), [""; 0]);
    assert_eq!(gaps(&world("9")), ["1: no advisories for deb packages of debian:9"]);
}

#[test]
fn an_ecosystem_without_advisories_is_not_assessed() {
    let world = World::new(Some(("debian", "12")))
        .install(package(Ecosystem::Gem, "rake", "13.0.6"))
        .install(package(Ecosystem::Gem, "json", "2.0"))
        .install(package(Ecosystem::Npm, "lodash", "4.17.0"));
    assert_eq!(gaps(&npm_data(world)), ["2: no advisories for gem packages"]);
}

#[test]
fn packages_of_a_distribution_that_is_not_named_are_not_assessed() {
    let world = World::new(None)
        .install(package(Ecosystem::Rpm, "bash", "5.1-1"))
        .install(package(Ecosystem::Npm, "left-pad", "0.9.0"));
    let world = npm_data(world);
    assert_eq!(gaps(&world), ["1: the image does not say which distribution it is"]);
    assert_eq!(world.shown(), ["GHSA-a left-pad 1.0.0 fixed by GHSA-a"]);
}

#[test]
fn public_keys_in_an_rpm_database_are_no_packages() {
    let world = World::new(Some(("rhel", "9"))).install(package(
        Ecosystem::Rpm,
        "gpg-pubkey",
        "fd431d51-4ae0493b",
    ));
    assert_eq!(gaps(&world), [""; 0]);
}

#[test]
fn what_a_distro_package_owns_is_not_matched_and_not_missed() {
    let mut owned = package(Ecosystem::Npm, "left-pad", "0.9.0");
    owned.owned_by = Some("node-left-pad".to_owned());
    let world = npm_data(World::new(None).install(owned.clone()));
    assert_eq!((world.shown(), gaps(&world)), (vec![], vec![]));
    // A copy that nobody owns is matched, and its row is its own.
    let mut copy = owned.clone();
    copy.owned_by = None;
    let world = npm_data(World::new(None).install(owned).install(copy));
    assert_eq!(world.assess().findings[0].package_index, 1);
}

#[test]
fn a_choice_of_advisories_leaves_what_it_does_not_name_unassessed() {
    let affected = source_below(Ecosystem::Deb, "debian:12", "bash", "6");
    let flaw = about(advisory("CVE-2026-0001", &["CVE-2026-0001"], &[]), affected);
    let world = World::new(Some(("debian", "12")))
        .install(package(Ecosystem::Deb, "bash", "5"))
        .install(package(Ecosystem::Deb, "hello", "2.10-3"))
        .load("debian", &[flaw], &[], true, SignedDuration::ZERO);
    let why = "1: the data at hand is a choice of advisories that does not name them";
    assert_eq!(gaps(&world), [why]);
    assert_eq!(world.shown(), ["CVE-2026-0001 bash 6 fixed by CVE-2026-0001"]);
}

#[test]
fn chainguards_images_are_looked_up_in_wolfi_too() {
    let flaw = |id: &str, release: &str, fixed: &str| {
        about(advisory(id, &[id], &[]), source_below(Ecosystem::Apk, release, "zlib", fixed))
    };
    let image = |id: &str| {
        World::new(Some((id, "20230201")))
            .install(package(Ecosystem::Apk, "zlib", "1.2-r0"))
            .publish(
                "chainguard",
                &[
                    flaw("CVE-2026-0001", "chainguard", "1.3-r0"),
                    flaw("CVE-2026-0003", "chainguard", "1.3-r0"),
                ],
            )
            .publish(
                "wolfi",
                &[
                    flaw("CVE-2026-0002", "wolfi", "1.4-r0"),
                    flaw("CVE-2026-0003", "wolfi", "1.3-r0"),
                ],
            )
    };
    let sources = |world: &World| -> Vec<(String, String)> {
        let findings = world.assess().findings;
        findings.into_iter().map(|one| (one.id, one.advisory.source)).collect()
    };
    let pair = |id: &str, source: &str| (id.to_owned(), source.to_owned());
    assert_eq!(
        sources(&image("chainguard")),
        [
            pair("CVE-2026-0001", "chainguard"),
            pair("CVE-2026-0002", "wolfi"),
            pair("CVE-2026-0003", "chainguard"),
        ]
    );
    assert_eq!(
        sources(&image("wolfi")),
        [pair("CVE-2026-0002", "wolfi"), pair("CVE-2026-0003", "wolfi")]
    );
}

#[test]
fn a_release_past_its_end_is_said_so_the_day_after() {
    let mut world = World::new(Some(("debian", "12")));
    for (eol, is_over) in [("2026-11-20", true), ("2026-11-21", false), ("2028-06-30", false)] {
        let date = eol.parse().expect("a date");
        world.report.distro.as_mut().expect("a distribution").eol = Some(date);
        assert_eq!(world.assess().end_of_life, is_over.then_some(date), "{eol}");
    }
}

#[test]
fn the_answer_names_the_data_it_rests_on_and_what_of_it_is_stale() {
    let score = |cve: &str| {
        Enrichment::Nvd(NvdScore {
            vulnerability: cve.to_owned(),
            cvss: Vec::new(),
            is_rejected: false,
            description: None,
        })
    };
    let day = SignedDuration::from_hours(24);
    let flaw = |id: &str, fixed: &str| {
        about(advisory(id, &[id], &[]), below(Ecosystem::Npm, "demo", fixed))
    };
    let mut world = World::new(None)
        .install(package(Ecosystem::Npm, "demo", "1.0.0"))
        .load("osv/npm", &[flaw("CVE-2024-0001", "2.0.0")], &[], false, day)
        .publish("osv/Go", &[about(advisory("GO-1", &[], &[]), below(Ecosystem::Golang, "x", "1"))])
        .know("nvd/2024", &[score("CVE-2024-0001")])
        .know("nvd/2023", &[score("CVE-2023-0001")])
        .know("nvd/2002", &[score("CVE-1999-0001")]);
    let parts = |world: &World| -> Vec<String> {
        let data = world.assess().data;
        data.iter().map(|part| format!("{} {}", part.part, part.is_stale)).collect()
    };
    assert_eq!(parts(&world), ["nvd/2024 false", "osv/npm false"]);
    world.options.max_age = Some(SignedDuration::from_hours(6));
    assert_eq!(parts(&world), ["nvd/2024 false", "osv/npm true"]);
    let old = world.publish(
        "osv/PyPI",
        &[about(advisory("PYSEC-1", &["CVE-1999-0001"], &[]), below(Ecosystem::Pypi, "demo", "2"))],
    );
    let old = old.install(package(Ecosystem::Pypi, "demo", "1"));
    assert_eq!(parts(&old), ["nvd/2002 false", "nvd/2024 false", "osv/PyPI false", "osv/npm true"]);
}
