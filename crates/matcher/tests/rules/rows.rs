//! One row per vulnerability and package.

use pratique_model::{Ecosystem, Range};

use crate::world::{World, about, advisory, below, package, source_below};

const GO: Ecosystem = Ecosystem::Golang;
const PYPI: Ecosystem = Ecosystem::Pypi;

fn with_gin() -> World {
    World::new(None).install(package(GO, "gin", "v1.6.3"))
}

#[test]
fn an_advisory_of_several_cves_gives_a_row_for_each() {
    let both = advisory("GO-2020-0046", &["CVE-2020-7711", "CVE-2020-7731"], &["GHSA-a"]);
    let world = with_gin().publish("osv/Go", &[about(both, below(GO, "gin", "1.7.0"))]);
    assert_eq!(
        world.shown(),
        [
            "CVE-2020-7711 gin 1.7.0 fixed by GO-2020-0046 also GHSA-a+GO-2020-0046",
            "CVE-2020-7731 gin 1.7.0 fixed by GO-2020-0046 also GHSA-a+GO-2020-0046",
        ]
    );
}

#[test]
fn an_advisory_without_a_cve_is_known_by_its_own_id() {
    let alone = advisory("GHSA-a", &[], &["SNYK-1"]);
    let world = with_gin().publish("osv/Go", &[about(alone, below(GO, "gin", ""))]);
    assert_eq!(world.shown(), ["GHSA-a gin - affected by GHSA-a also SNYK-1"]);
}

#[test]
fn of_several_errata_for_one_cve_the_version_that_satisfies_all_is_shown() {
    let release = "almalinux:8";
    let erratum = |id: &str, fixed: &str| {
        let mut affected = source_below(Ecosystem::Rpm, release, "glibc", fixed);
        affected.name_kind = pratique_model::NameKind::Binary;
        about(advisory(id, &["CVE-2024-2961"], &[]), affected)
    };
    let world = World::new(Some(("almalinux", "8.5")))
        .install(package(Ecosystem::Rpm, "glibc", "2.28-164.el8"))
        .publish(
            "almalinux/8",
            &[erratum("ALSA-1", "2.28-251.el8_10.1"), erratum("ALSA-2", "2.28-236.el8_9.13")],
        );
    assert_eq!(
        world.shown(),
        ["CVE-2024-2961 glibc 2.28-251.el8_10.1 fixed by ALSA-1 also ALSA-1+ALSA-2"]
    );
}

#[test]
fn of_equal_fixes_the_ecosystems_own_database_is_named_then_github() {
    for (ecosystem, own) in [(GO, "GO-1"), (PYPI, "PYSEC-1"), (Ecosystem::Cargo, "RUSTSEC-1")] {
        let say = |id: &str| {
            about(advisory(id, &["CVE-2026-0001"], &[]), below(ecosystem, "gin", "2.0.0"))
        };
        let world = World::new(None)
            .install(package(ecosystem, "gin", "1.0.0"))
            .publish("osv/X", &[say("AAA-1"), say("GHSA-a"), say(own)]);
        let expected = format!("CVE-2026-0001 gin 2.0.0 fixed by {own} also AAA-1+GHSA-a+{own}");
        assert_eq!(world.shown(), [expected]);
    }
}

#[test]
fn an_advisory_with_a_fix_is_preferred_to_one_without() {
    let without = about(advisory("GO-1", &["CVE-2026-0001"], &[]), below(GO, "gin", ""));
    let with = about(advisory("GHSA-a", &["CVE-2026-0001"], &[]), below(GO, "gin", "1.7.0"));
    let world = with_gin().publish("osv/Go", &[without, with]);
    assert_eq!(world.shown(), ["CVE-2026-0001 gin 1.7.0 fixed by GHSA-a also GHSA-a+GO-1"]);
}

#[test]
fn an_advisory_that_can_be_read_is_preferred_to_one_that_cannot() {
    let doubtful = about(advisory("GO-1", &["CVE-2026-0001"], &[]), below(GO, "gin", "soon!"));
    let certain = about(advisory("GHSA-a", &["CVE-2026-0001"], &[]), below(GO, "gin", "1.7.0"));
    let world = with_gin().publish("osv/Go", &[doubtful.clone(), certain]);
    assert_eq!(world.shown(), ["CVE-2026-0001 gin 1.7.0 fixed by GHSA-a also GHSA-a+GO-1"]);
    let world = with_gin().publish("osv/Go", &[doubtful]);
    let assessment = world.assess();
    assert!(assessment.findings[0].unparsable.is_some(), "{assessment:?}");
}

#[test]
fn an_advisory_without_a_cve_joins_the_row_that_shares_a_name() {
    let go = about(advisory("GO-1", &["CVE-2026-0001"], &["GHSA-a"]), below(GO, "gin", "1.7.0"));
    let ghsa = about(advisory("GHSA-a", &[], &[]), below(GO, "gin", "1.7.0"));
    let world = with_gin().publish("osv/Go", &[go, ghsa]);
    assert_eq!(world.shown(), ["CVE-2026-0001 gin 1.7.0 fixed by GO-1 also GHSA-a+GO-1"]);
}

#[test]
fn names_are_followed_from_advisory_to_advisory() {
    let say = |id: &str, cves: &[&str], aliases: &[&str]| {
        about(advisory(id, cves, aliases), below(GO, "gin", "1.7.0"))
    };
    // Only the chain A, B, C joins the first to the last; D stands alone.
    let world = with_gin().publish(
        "osv/Go",
        &[say("A", &[], &["B"]), say("C", &["CVE-2026-0001"], &["B"]), say("D", &[], &["E"])],
    );
    assert_eq!(
        world.shown(),
        ["CVE-2026-0001 gin 1.7.0 fixed by A also A+B+C", "D gin 1.7.0 fixed by D also E",]
    );
    let world =
        with_gin().publish("osv/Go", &[say("GHSA-z", &[], &["GO-1"]), say("GO-1", &[], &["X"])]);
    assert_eq!(world.shown(), ["GO-1 gin 1.7.0 fixed by GO-1 also GHSA-z+X"]);
}

#[test]
fn the_most_trusted_publisher_can_rule_a_package_out() {
    let mut windows = below(GO, "gin", "1.7.0");
    windows.platforms = vec!["windows".to_owned()];
    let go = about(advisory("GO-1", &["CVE-2026-0001"], &[]), windows);
    let ghsa = about(advisory("GHSA-a", &["CVE-2026-0001"], &[]), below(GO, "gin", "1.7.0"));
    let mut gin = package(GO, "gin", "v1.6.3");
    gin.built_for = Some("linux/amd64".to_owned());
    let world = World::new(None).install(gin).publish("osv/Go", &[go, ghsa]);
    assert_eq!(world.shown(), [""; 0]);
    assert_eq!(
        world.suppressed(),
        ["other_platform: CVE-2026-0001 gin 1.7.0 fixed by GO-1 also GHSA-a+GO-1"]
    );
}

#[test]
fn what_says_nothing_gives_way_to_what_says_something() {
    let mut notice = about(advisory("RUSTSEC-1", &["CVE-2026-0001"], &[]), {
        below(Ecosystem::Cargo, "time", "")
    });
    notice.informational = Some("notice".to_owned());
    let ghsa = about(
        advisory("GHSA-a", &["CVE-2026-0001"], &[]),
        below(Ecosystem::Cargo, "time", "0.2.23"),
    );
    let world = World::new(None)
        .install(package(Ecosystem::Cargo, "time", "0.1.43"))
        .publish("osv/crates.io", &[notice, ghsa]);
    assert_eq!(world.shown(), ["CVE-2026-0001 time 0.2.23 fixed by GHSA-a also GHSA-a+RUSTSEC-1"]);
}

#[test]
fn packages_with_one_url_share_a_row_and_others_do_not() {
    let install = |path: &str, version: &str, arch: Option<&str>| {
        let mut package = package(Ecosystem::Npm, "lodash", version);
        package.paths = vec![path.to_owned()];
        package.arch = arch.map(str::to_owned);
        package
    };
    let flaw = advisory("GHSA-a", &["CVE-2026-0001"], &[]);
    let world = World::new(None)
        .install(install("/a", "4.17.0", None))
        .install(install("/b", "4.17.0", None))
        .install(install("/c", "4.17.1", None))
        .publish("osv/npm", &[about(flaw, below(Ecosystem::Npm, "lodash", "4.17.21"))]);
    let assessment = world.assess();
    let indexes: Vec<usize> = assessment.findings.iter().map(|one| one.package_index).collect();
    assert_eq!(indexes, [0, 2]);
}

#[test]
fn a_binary_for_a_concerned_platform_is_not_hidden_by_one_for_another() {
    let built = |platform: &str| {
        let mut package = package(GO, "gin", "v1.6.3");
        package.paths = vec![format!("/{platform}")];
        package.built_for = Some(platform.to_owned());
        package
    };
    let mut windows = below(GO, "gin", "1.7.0");
    windows.platforms = vec!["windows".to_owned()];
    let world = World::new(None)
        .install(built("linux/amd64"))
        .install(built("windows/amd64"))
        .publish("osv/Go", &[about(advisory("GO-1", &["CVE-2026-0001"], &[]), windows)]);
    assert_eq!(world.shown(), ["CVE-2026-0001 gin 1.7.0 fixed by GO-1 also GO-1"]);
    assert_eq!(world.suppressed(), [""; 0]);
}

#[test]
fn a_binary_package_is_found_through_its_source_once_per_binary() {
    let mut libssl = package(Ecosystem::Apk, "libssl1.1", "1.1.1d-r0");
    libssl.source.as_mut().expect("a source").name = "openssl".to_owned();
    let mut libcrypto = libssl.clone();
    libcrypto.name = "libcrypto1.1".to_owned();
    let flaw = advisory("CVE-2020-1967", &["CVE-2020-1967"], &[]);
    let affected = source_below(Ecosystem::Apk, "alpine:3.10", "openssl", "1.1.1g-r0");
    let world = World::new(Some(("alpine", "3.10.3")))
        .install(libcrypto)
        .install(libssl)
        .publish("alpine/v3.10", &[about(flaw, affected)]);
    let assessment = world.assess();
    assert_eq!(
        world.shown(),
        [
            "CVE-2020-1967 libcrypto1.1 1.1.1g-r0 fixed by CVE-2020-1967",
            "CVE-2020-1967 libssl1.1 1.1.1g-r0 fixed by CVE-2020-1967",
        ]
    );
    let explanation = &assessment.findings[1].explanation;
    assert_eq!(explanation.looked_up, "source package openssl in alpine:3.10");
    assert_eq!(explanation.compared, "1.1.1d-r0");
    assert_eq!(explanation.range, "< 1.1.1g-r0");
    assert_eq!(explanation.part.to_string(), "alpine/v3.10");
    assert_eq!(explanation.as_of, crate::world::now());
}

#[test]
fn an_explanation_names_both_ends_of_the_range() {
    let mut affected = below(GO, "gin", "");
    affected.ranges = vec![
        Range { introduced: Some("2.0.0".to_owned()), ..Range::below("2.5.0") },
        Range {
            introduced: Some("1.2.0".to_owned()),
            last_affected: Some("1.6.9".to_owned()),
            fixed: None,
        },
    ];
    let world = with_gin().publish("osv/Go", &[about(advisory("GO-1", &[], &[]), affected)]);
    assert_eq!(world.assess().findings[0].explanation.range, ">= 1.2.0, <= 1.6.9");
}
