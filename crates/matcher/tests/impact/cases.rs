//! One rule each.

use jiff::SignedDuration;
use pratique_matcher::{StepLimits, step};
use pratique_model::{Affected, Ecosystem, Enrichment, NameKind, NvdScore, Severity, Status};
use pratique_store::{ChangeKind, StoreError};

use crate::world::{World, advisory, below, built, cve, deb, epss, kev, pypi, pypi_below};

/// A world with one image of bookworm that holds openssl 1.0 in two binary packages, and whose
/// advisories were read.
fn bookworm(advisories: &[pratique_model::Advisory]) -> World {
    let mut world = World::in_memory();
    world.publish("debian", advisories);
    world.register(
        1,
        Some("debian:12"),
        &[
            deb("openssl", "openssl", "1.0"),
            deb("libssl3", "openssl", "1.0"),
            deb("zlib1g", "zlib", "1.0"),
        ],
    );
    world.drain();
    assert_eq!(lines(&mut world), [""; 0], "nothing that was there at the beginning is news");
    world
}

/// What was told since, a line each.
fn lines(world: &mut World) -> Vec<String> {
    world.drain();
    world.check_findings("after a drain");
    world.told().iter().map(ToString::to_string).collect()
}

#[test]
fn a_new_advisory_is_told_once_for_all_binary_packages_of_its_source() {
    let mut world = bookworm(&[cve("CVE-2024-0001", "zlib", "2.0")]);
    let old = cve("CVE-2024-0001", "zlib", "2.0");
    world.publish("debian", &[old.clone(), cve("CVE-2024-0002", "openssl", "2.0")]);
    assert_eq!(lines(&mut world), ["new CVE-2024-0002 debian:12/openssl - fixed 1"]);
    world.publish("debian", &[old, cve("CVE-2024-0002", "openssl", "2.0")]);
    assert_eq!(lines(&mut world), [""; 0]);
}

#[test]
fn an_advisory_about_what_no_image_holds_is_not_told() {
    let mut world = bookworm(&[cve("CVE-2024-0001", "zlib", "2.0")]);
    let old = cve("CVE-2024-0001", "zlib", "2.0");
    world.publish(
        "debian",
        &[
            old,
            cve("CVE-2024-0002", "curl", "2.0"),
            cve("CVE-2024-0003", "openssl", "0.5"),
            advisory("CVE-2024-0004", &["CVE-2024-0004"], &[below("debian:13", "openssl", "2.0")]),
        ],
    );
    assert_eq!(lines(&mut world), [""; 0]);
}

#[test]
fn what_no_image_holds_any_more_is_not_told() {
    let mut world = bookworm(&[cve("CVE-2024-0001", "zlib", "2.0")]);
    world.remove(1);
    world.publish(
        "debian",
        &[cve("CVE-2024-0001", "zlib", "2.0"), cve("CVE-2024-0002", "openssl", "2.0")],
    );
    assert_eq!(lines(&mut world), [""; 0]);
}

#[test]
fn what_a_publisher_takes_back_is_withdrawn() {
    let both = [cve("CVE-2024-0001", "zlib", "2.0"), cve("CVE-2024-0002", "openssl", "2.0")];
    let mut world = bookworm(&both);
    world.publish("debian", &both[..1]);
    assert_eq!(lines(&mut world), ["withdrawn CVE-2024-0002 debian:12/openssl fixed - 1"]);
}

#[test]
fn what_a_publisher_rules_out_is_not_affected() {
    let mut world = bookworm(&[cve("CVE-2024-0001", "openssl", "2.0")]);
    let mut ruled_out = cve("CVE-2024-0001", "openssl", "");
    ruled_out.affected[0].status = Status::NotAffected;
    world.publish("debian", &[ruled_out]);
    let told = ["not_affected CVE-2024-0001 debian:12/openssl fixed not_affected 1"];
    assert_eq!(lines(&mut world), told);
    world.publish("debian", &[cve("CVE-2024-0001", "openssl", "2.0")]);
    assert_eq!(lines(&mut world), ["new CVE-2024-0001 debian:12/openssl not_affected fixed 1"]);
}

#[test]
fn a_first_fix_is_available_and_a_later_one_is_changed() {
    let mut world = bookworm(&[cve("CVE-2024-0001", "openssl", "")]);
    for (fixed, told) in [
        ("2.0", "fix_available CVE-2024-0001 debian:12/openssl - 2.0 1"),
        ("3.0", "fix_changed CVE-2024-0001 debian:12/openssl 2.0 3.0 1"),
        ("", "fix_changed CVE-2024-0001 debian:12/openssl 3.0 - 1"),
    ] {
        world.publish("debian", &[cve("CVE-2024-0001", "openssl", fixed)]);
        assert_eq!(lines(&mut world), [told]);
    }
}

#[test]
fn a_severity_that_goes_up_or_down_is_told() {
    let mut world = bookworm(&[cve("CVE-2024-0001", "openssl", "2.0")]);
    for (severity, told) in [
        (Severity::Critical, "severity_raised CVE-2024-0001 debian:12/openssl high critical 1"),
        (Severity::Low, "severity_lowered CVE-2024-0001 debian:12/openssl critical low 1"),
    ] {
        let mut rated = cve("CVE-2024-0001", "openssl", "2.0");
        rated.severity = Some(severity);
        world.publish("debian", &[rated]);
        assert_eq!(lines(&mut world), [told]);
    }
}

#[test]
fn a_range_that_comes_to_hold_other_versions_is_told_where_a_verdict_changed() {
    let mut world = bookworm(&[cve("CVE-2024-0001", "openssl", "2.0")]);
    world.register(2, Some("debian:12"), &[deb("openssl", "openssl", "3.0")]);
    assert_eq!(lines(&mut world), [""; 0]);
    let mut wide = cve("CVE-2024-0001", "openssl", "2.0");
    wide.affected[0].ranges.push(pratique_model::Range {
        introduced: Some("3.0".to_owned()),
        fixed: Some("4.0".to_owned()),
        last_affected: None,
    });
    world.publish("debian", &[wide]);
    assert_eq!(lines(&mut world), ["range_changed CVE-2024-0001 debian:12/openssl - fixed 1"]);
    let mut narrow = cve("CVE-2024-0001", "openssl", "2.0");
    narrow.affected[0].ranges[0].introduced = Some("0.5".to_owned());
    world.publish("debian", &[narrow]);
    assert_eq!(lines(&mut world), ["range_changed CVE-2024-0001 debian:12/openssl fixed - 1"]);
    world.publish("debian", &[cve("CVE-2024-0001", "openssl", "2.0")]);
    assert_eq!(lines(&mut world), [""; 0], "a range that changed without changing a verdict");
}

#[test]
fn a_text_is_never_told() {
    let mut world = bookworm(&[cve("CVE-2024-0001", "openssl", "2.0")]);
    let mut described = cve("CVE-2024-0001", "openssl", "2.0");
    described.summary = Some("Described at last.".to_owned());
    described.url = Some("https://example.test/1".to_owned());
    world.publish("debian", &[described]);
    assert_eq!(lines(&mut world), [""; 0]);
}

#[test]
fn known_exploitation_and_its_probability_are_told_of_what_is_shown() {
    let mut world =
        bookworm(&[cve("CVE-2024-0001", "openssl", "2.0"), cve("CVE-2024-0002", "curl", "2.0")]);
    world.know("kev", &[kev("CVE-2024-0009")]);
    world.know("epss", &[epss("CVE-2024-0001", 0.01)]);
    assert_eq!(lines(&mut world), [""; 0]);
    world.know("kev", &[kev("CVE-2024-0009"), kev("CVE-2024-0001"), kev("CVE-2024-0002")]);
    let told = lines(&mut world);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("known_exploited CVE-2024-0001 debian:12/openssl "), "{told:?}");
    world.know("epss", &[epss("CVE-2024-0001", 0.2)]);
    let told = lines(&mut world);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("epss_crossed CVE-2024-0001 debian:12/openssl "), "{told:?}");
    world.know("epss", &[epss("CVE-2024-0001", 0.3)]);
    assert_eq!(lines(&mut world), [""; 0]);
}

#[test]
fn a_score_of_nvd_is_never_told_and_touches_no_finding() {
    let mut world = bookworm(&[cve("CVE-2024-0001", "openssl", "2.0")]);
    let score = |is_rejected| {
        Enrichment::Nvd(NvdScore {
            vulnerability: "CVE-2024-0001".to_owned(),
            cvss: Vec::new(),
            is_rejected,
            description: None,
        })
    };
    world.know("nvd/2024", &[score(false)]);
    assert_eq!(lines(&mut world), [""; 0]);
    world.know("nvd/2024", &[score(true)]);
    let progress = world.drain();
    assert_eq!((progress.written_count, progress.removed_count), (0, 0));
    assert_eq!(lines(&mut world), [""; 0]);
}

#[test]
fn a_source_that_is_added_later_does_not_flood_and_silences_no_other() {
    let zlib = cve("CVE-2024-0001", "zlib", "2.0");
    let mut world = bookworm(std::slice::from_ref(&zlib));
    world.register(2, None, &[pypi("six", "1.0"), pypi("flask", "1.0")]);
    world.drain();
    let six = advisory("PYSEC-1", &["CVE-2024-0003"], &[pypi_below("six", "2.0")]);
    world.publish("osv/PyPI", std::slice::from_ref(&six));
    world.publish("debian", &[zlib, cve("CVE-2024-0002", "openssl", "2.0")]);
    assert_eq!(lines(&mut world), ["new CVE-2024-0002 debian:12/openssl - fixed 1"]);
    let flask = advisory("PYSEC-2", &["CVE-2024-0004"], &[pypi_below("flask", "2.0")]);
    world.publish("osv/PyPI", &[six, flask]);
    assert_eq!(lines(&mut world), ["new CVE-2024-0004 pypi/flask - fixed 1"]);
}

#[test]
fn a_first_load_that_speaks_of_the_same_package_tells_only_what_the_other_part_says() {
    let mut world = World::in_memory();
    let old = advisory("PYSEC-1", &["CVE-2024-0001"], &[pypi_below("six", "2.0")]);
    world.publish("osv/PyPI", std::slice::from_ref(&old));
    world.register(1, None, &[pypi("six", "1.0")]);
    assert_eq!(lines(&mut world), [""; 0]);
    world.publish("ghsa", &[advisory("GHSA-a", &["CVE-2024-0002"], &[pypi_below("six", "2.0")])]);
    let new = advisory("PYSEC-3", &["CVE-2024-0003"], &[pypi_below("six", "2.0")]);
    world.publish("osv/PyPI", &[old, new]);
    assert_eq!(lines(&mut world), ["new CVE-2024-0003 pypi/six - fixed 1"]);
}

#[test]
fn a_part_that_becomes_whole_is_read_like_a_first_load() {
    let mut world = World::in_memory();
    world.publish_choice("debian", &[cve("CVE-2024-0001", "openssl", "2.0")]);
    world.register(1, Some("debian:12"), &[deb("openssl", "openssl", "1.0")]);
    assert_eq!(lines(&mut world), [""; 0]);
    world.publish("debian", &[cve("CVE-2024-0002", "openssl", "2.0")]);
    assert_eq!(lines(&mut world), [""; 0]);
    world.publish("debian", &[cve("CVE-2024-0003", "openssl", "2.0")]);
    assert_eq!(
        lines(&mut world),
        [
            "withdrawn CVE-2024-0002 debian:12/openssl fixed - 1",
            "new CVE-2024-0003 debian:12/openssl - fixed 1",
        ]
    );
}

#[test]
fn a_new_image_is_never_told() {
    let mut world = bookworm(&[cve("CVE-2024-0001", "openssl", "2.0")]);
    world.register(2, Some("debian:12"), &[deb("openssl", "openssl", "1.5")]);
    assert_eq!(lines(&mut world), [""; 0]);
}

/// Goal: between an image's registration and the matcher's first look at it, nothing is lost.
#[test]
fn what_comes_while_a_package_waits_for_its_first_look_is_told() {
    let old = [cve("CVE-2024-0001", "zlib", "2.0"), cve("CVE-2024-0002", "curl", "2.0")];
    let all = [old[0].clone(), old[1].clone(), cve("CVE-2024-0003", "curl", "2.0")];
    let mut world = bookworm(&old);
    world.register(2, Some("debian:12"), &[deb("curl", "curl", "1.0")]);
    world.publish("debian", &all);
    assert_eq!(lines(&mut world), ["new CVE-2024-0003 debian:12/curl - fixed 1"]);

    let mut world = bookworm(&old);
    world.publish("debian", &all);
    world.register(2, Some("debian:12"), &[deb("curl", "curl", "1.0")]);
    assert_eq!(lines(&mut world), [""; 0], "it was there when the image was registered");
}

#[test]
fn what_was_told_of_a_package_that_waits_is_taken_back_too() {
    let old = [cve("CVE-2024-0001", "zlib", "2.0"), cve("CVE-2024-0002", "curl", "2.0")];
    let all = [old[0].clone(), old[1].clone(), cve("CVE-2024-0003", "curl", "2.0")];
    let mut world = bookworm(&old);
    world.register(2, Some("debian:12"), &[deb("curl", "curl", "1.0")]);
    world.publish("debian", &all);
    world.step();
    let told: Vec<String> = world.told().iter().map(ToString::to_string).collect();
    assert_eq!(told, ["new CVE-2024-0003 debian:12/curl - fixed 1"]);
    world.publish("debian", &old);
    assert_eq!(lines(&mut world), ["withdrawn CVE-2024-0003 debian:12/curl fixed - 1"]);
}

#[test]
fn what_a_source_said_that_is_gone_is_withdrawn() {
    let mut world = bookworm(&[cve("CVE-2024-0001", "zlib", "2.0")]);
    world.now += SignedDuration::from_hours(91 * 24);
    world.database.retire(world.now, &["debian"], None).expect("a slice");
    assert_eq!(lines(&mut world), [""; 0], "the source is there");
    while !world.database.retire(world.now, &["kev"], None).expect("a slice").is_empty() {
        world.drain();
    }
    assert_eq!(lines(&mut world), ["withdrawn CVE-2024-0001 debian:12/zlib fixed - 1"]);
}

#[test]
fn an_advisory_that_is_given_its_cve_is_no_news() {
    let mut world = World::in_memory();
    let nameless = advisory("GHSA-a", &[], &[pypi_below("six", "2.0")]);
    world.publish("ghsa", std::slice::from_ref(&nameless));
    world.register(1, None, &[pypi("six", "1.0")]);
    assert_eq!(lines(&mut world), [""; 0]);
    let named = advisory("GHSA-a", &["CVE-2024-0001"], &[pypi_below("six", "3.0")]);
    world.publish("ghsa", &[named]);
    assert_eq!(lines(&mut world), ["fix_changed CVE-2024-0001 pypi/six 2.0 3.0 1"]);
}

#[test]
fn what_wolfi_says_is_told_of_chainguards_images_too() {
    let mut world = World::in_memory();
    let old = advisory("CVE-2024-0001", &["CVE-2024-0001"], &[below("wolfi", "curl", "2.0")]);
    world.publish("wolfi", std::slice::from_ref(&old));
    let curl = built(Ecosystem::Apk, "curl", "curl", "1.0-r0");
    world.register(1, Some("chainguard"), std::slice::from_ref(&curl));
    world.register(2, Some("wolfi"), &[curl]);
    assert_eq!(lines(&mut world), [""; 0]);
    let new = advisory("CVE-2024-0002", &["CVE-2024-0002"], &[below("wolfi", "curl", "2.0-r0")]);
    world.publish("wolfi", &[old, new]);
    assert_eq!(
        lines(&mut world),
        ["new CVE-2024-0002 chainguard/curl - fixed 1", "new CVE-2024-0002 wolfi/curl - fixed 1",]
    );
}

#[test]
fn a_statement_about_a_binary_package_is_told_under_its_source() {
    let mut world = bookworm(&[cve("CVE-2024-0001", "zlib", "2.0")]);
    let mut binary: Affected = below("debian:12", "libssl3", "2.0");
    binary.name_kind = NameKind::Binary;
    world.publish(
        "debian",
        &[
            cve("CVE-2024-0001", "zlib", "2.0"),
            advisory("CVE-2024-0002", &["CVE-2024-0002"], &[binary]),
        ],
    );
    assert_eq!(lines(&mut world), ["new CVE-2024-0002 debian:12/openssl - fixed 1"]);
}

#[test]
fn a_step_that_fails_leaves_everything_as_it_was() {
    let mut world = bookworm(&[cve("CVE-2024-0001", "zlib", "2.0")]);
    world.publish(
        "debian",
        &[cve("CVE-2024-0001", "zlib", "2.0"), cve("CVE-2024-0002", "openssl", "2.0")],
    );
    let failed: Result<(), StoreError> = world.database.transaction(None, |database| {
        let progress = step(database, None, StepLimits::default(), world.now).expect("a step");
        assert_eq!(progress.expect("there is work").told[&ChangeKind::New], 1);
        Err(StoreError::ReadOnly)
    });
    assert!(failed.is_err());
    assert_eq!(world.told(), []);
    assert_eq!(lines(&mut world), ["new CVE-2024-0002 debian:12/openssl - fixed 1"]);
}

#[test]
fn a_lost_cursor_sends_nothing_twice() {
    let mut world = bookworm(&[cve("CVE-2024-0001", "zlib", "2.0")]);
    world.publish(
        "debian",
        &[cve("CVE-2024-0001", "zlib", "2.0"), cve("CVE-2024-0002", "openssl", "2.0")],
    );
    assert_eq!(lines(&mut world).len(), 1);
    let cursors = world.database.cursors().expect("cursors");
    let back = cursors.into_iter().map(|cursor| pratique_store::Cursor { generation: 1, ..cursor });
    let impact = pratique_store::Impact { cursors: back.collect(), ..Default::default() };
    world.database.write_impact(&impact, world.now).expect("written");
    assert_eq!(world.drain().change_count, 1, "the change was read again");
    assert_eq!(lines(&mut world), [""; 0]);
}

#[test]
fn a_generation_that_is_read_in_slices_tells_the_same() {
    let count = 20;
    let advisories = |fixed: &str| -> Vec<_> {
        (1..=count).map(|number| cve(&format!("CVE-2024-{number:04}"), "openssl", fixed)).collect()
    };
    let mut world = bookworm(&advisories("2.0"));
    world.limits = StepLimits { changes_max: 3, packages_max: 1 };
    world.publish("debian", &advisories("3.0"));
    let progress = world.drain();
    assert_eq!(progress.step_count, 7, "20 changes in slices of 3: {progress:?}");
    let told = lines(&mut world);
    assert_eq!(told.len(), count, "{told:?}");
}
