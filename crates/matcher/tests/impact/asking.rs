//! Questions to what is registered.

use pratique_matcher::{Answer, AnswerVerdict, AskOptions, Question, ask};
use pratique_model::{Digest, Distro, Ecosystem, IndexReport, Partial, Status, Target};

use crate::world::{World, advisory, below, built, cve, deb, pypi, pypi_below};

fn asked(world: &World, question: &str) -> Answer {
    let question: Question = question.parse().expect("a question");
    ask(&world.database, &question, &AskOptions::default()).expect("an answer")
}

/// Verdict, images concerned, outside, unclear and suppressed, of how many.
fn counts(world: &World, question: &str) -> (AnswerVerdict, [u64; 5]) {
    let answer = asked(world, question);
    let Answer { image_count, outside_count, unclear_count, suppressed_count, .. } = answer;
    let counts =
        [image_count, outside_count, unclear_count, suppressed_count, answer.watched_count];
    (answer.verdict, counts)
}

/// Three images of bookworm and one of trixie with versions of xz-utils, one of Alpine, and one
/// with Python packages.
fn fleet() -> World {
    let mut world = World::in_memory();
    for (number, release, version) in [
        (1, "debian:12", "5.4.1-1"),
        (2, "debian:12", "5.6.0-1"),
        (3, "debian:12", "5.6.1-1"),
        (4, "debian:13", "5.6.1-2"),
    ] {
        world.register(number, Some(release), &[deb("liblzma5", "xz-utils", version)]);
    }
    let xz = built(Ecosystem::Apk, "xz", "xz", "5.6.1-r0");
    world.register(5, Some("alpine:3.20"), &[xz]);
    world.register(6, None, &[pypi("Flask.Login", "0.4"), pypi("odd", "one?")]);
    world
}

use AnswerVerdict::{No, Unproven, Yes};

#[test]
fn a_package_is_found_before_any_advisory_exists() {
    let world = fleet();
    for (question, expected) in [
        ("deb/xz-utils>=5.6.0", (Yes, [3, 1, 0, 0, 6])),
        ("deb/liblzma5>=5.6.0", (Yes, [3, 1, 0, 0, 6])),
        ("debian:12/xz-utils>=5.6.0", (Yes, [2, 1, 0, 0, 6])),
        ("debian:trixie/xz-utils", (Yes, [1, 0, 0, 0, 6])),
        ("debian/xz-utils<5.6.0", (Yes, [1, 3, 0, 0, 6])),
        ("apk/xz>=5.6", (Yes, [1, 0, 0, 0, 6])),
        ("pypi/flask-login", (Yes, [1, 0, 0, 0, 6])),
    ] {
        assert_eq!(counts(&world, question), expected, "{question}");
    }
    let answer = asked(&world, "deb/xz-utils>=5.6.1");
    let named: Vec<(&str, &str)> = answer
        .images
        .iter()
        .map(|image| (&*image.image.reference, &*image.packages[0].version))
        .collect();
    assert_eq!(named, [("app-3", "5.6.1-1"), ("app-4", "5.6.1-2")]);
}

#[test]
fn a_no_says_what_it_rests_on() {
    let mut world = fleet();
    assert_eq!(counts(&world, "deb/xz-utils>=5.7"), (No, [0, 4, 0, 0, 6]));
    assert_eq!(counts(&world, "ubuntu:22.04/xz-utils"), (No, [0, 0, 0, 0, 6]));
    assert_eq!(counts(&world, "npm/xz"), (No, [0, 0, 0, 0, 6]));
    assert_eq!(counts(&world, "pypi/odd>=1.0"), (Unproven, [0, 0, 1, 0, 6]));
    let report = IndexReport {
        target: Target {
            reference: "broken".to_owned(),
            digest: Some(Digest::from_bytes([9; 32])),
            ..Target::default()
        },
        distro: None::<Distro>,
        packages: Vec::new(),
        partial: vec![Partial { layer: None, path: None, problem: "a cut layer".to_owned() }],
    };
    world.database.register_image(&report, &[], world.now).expect("registered");
    let answer = asked(&world, "npm/xz");
    assert_eq!((answer.verdict, answer.unreadable_count), (No, 1));
    assert_eq!(answer.unreadable[0].reference, "broken");
}

#[test]
fn a_vulnerability_is_answered_from_findings_and_from_who_holds_the_package() {
    let mut world = fleet();
    let mut ruled_out = advisory(
        "CVE-2024-3094",
        &["CVE-2024-3094"],
        &[below("debian:12", "xz-utils", "5.6.1-1"), below("debian:13", "xz-utils", "")],
    );
    ruled_out.affected[1].status = Status::NotAffected;
    world.publish("debian", &[ruled_out, cve("CVE-2024-0002", "curl", "9")]);
    let answer = asked(&world, "CVE-2024-3094");
    assert_eq!(answer.verdict, Unproven, "the matcher has not looked yet");
    assert!(answer.backlog.has_pending && answer.backlog.part_count == 1, "{answer:?}");
    world.drain();
    assert_eq!(counts(&world, "cve-2024-3094"), (Yes, [2, 1, 0, 1, 6]));
    let answer = asked(&world, "CVE-2024-3094");
    let finding = answer.images[0].packages[0].finding.as_ref().expect("a finding");
    assert_eq!(finding.fixed.as_deref(), Some("5.6.1-1"));
    assert_eq!(counts(&world, "CVE-2024-0002"), (No, [0, 0, 0, 0, 6]));
    assert_eq!(asked(&world, "CVE-2024-0002").is_known, Some(true));
    let unknown = asked(&world, "CVE-2024-9999");
    assert_eq!((unknown.verdict, unknown.is_known), (No, Some(false)));
}

#[test]
fn a_vulnerability_is_found_by_any_publishers_id() {
    let mut world = fleet();
    let mut ghsa =
        advisory("GHSA-aaaa-bbbb-cccc", &["CVE-2024-0007"], &[pypi_below("flask-login", "0.5")]);
    ghsa.aliases.push("PYSEC-2024-7".to_owned());
    world.publish("ghsa", &[ghsa]);
    world.drain();
    for id in ["CVE-2024-0007", "ghsa-aaaa-bbbb-cccc", "PYSEC-2024-7"] {
        assert_eq!(counts(&world, id), (Yes, [1, 0, 0, 0, 6]), "{id}");
    }
}

#[test]
fn the_images_of_an_answer_are_paged_without_gaps_and_repetitions() {
    let world = fleet();
    let question: Question = "deb/xz-utils".parse().expect("a question");
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let options = AskOptions { after, limit: 3 };
        let answer = ask(&world.database, &question, &options).expect("an answer");
        assert_eq!(answer.image_count, 4);
        found.extend(answer.images.iter().map(|image| image.image.reference.clone()));
        after = answer.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, ["app-1", "app-2", "app-3", "app-4"]);
}
