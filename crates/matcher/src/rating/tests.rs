//! Severity, score and risk, each by the order of `docs/matching.md`.

use pratique_model::{Ecosystem, Status};

use super::*;

const V3_CRITICAL: &str = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
const V3_MEDIUM: &str = "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:N/I:N/A:H";
const V4_HIGH: &str = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:H/SC:N/SI:N/SA:N";
const V2_HIGH: &str = "AV:N/AC:L/Au:N/C:N/I:N/A:C";

/// A publisher in a test: source, advisory id, severity of the statement, of the advisory, vectors.
type Said<'a> = (&'a str, &'a str, Option<Severity>, Option<Severity>, &'a [&'a str]);

fn cvss(vector: &str, source: &str) -> Cvss {
    Cvss::parse(vector, source).expect("a valid vector")
}

fn rated(said: &[Said<'_>], facts: &Facts) -> Rating {
    let advisories: Vec<(Advisory, Affected)> = said
        .iter()
        .map(|(source, id, of_package, of_advisory, vectors)| {
            let advisory = Advisory {
                id: (*id).to_owned(),
                severity: *of_advisory,
                cvss: vectors.iter().map(|vector| cvss(vector, source)).collect(),
                ..Advisory::default()
            };
            let mut affected = Affected::new(Ecosystem::Npm, None, "demo", Status::Fixed);
            affected.severity = *of_package;
            (advisory, affected)
        })
        .collect();
    let voices: Vec<Voice<'_>> = advisories
        .iter()
        .zip(said)
        .map(|((advisory, affected), (source, ..))| Voice { source, advisory, affected })
        .collect();
    rate(&voices, facts)
}

#[track_caller]
fn check(said: &[Said<'_>], facts: &Facts, severity: Severity, source: Option<&str>, why: &str) {
    let rating = rated(said, facts);
    let got = (rating.severity, rating.severity_source.as_deref(), &*rating.why);
    assert_eq!(got, (severity, source, why), "{said:?}");
}

fn nvd(scores: Vec<Cvss>) -> Facts {
    Facts { cvss: scores, ..Facts::default() }
}

#[test]
fn the_matched_publisher_is_asked_first_the_package_before_the_advisory() {
    let facts = nvd(vec![cvss(V3_CRITICAL, "nvd")]);
    let low = Some(Severity::Low);
    let high = Some(Severity::High);
    check(
        &[("debian", "CVE-1", low, high, &[])],
        &facts,
        Severity::Low,
        Some("debian"),
        "debian says low",
    );
    check(
        &[("debian", "CVE-1", None, high, &[])],
        &facts,
        Severity::High,
        Some("debian"),
        "debian says high",
    );
    check(
        &[("osv", "RUSTSEC-1", None, None, &[V3_MEDIUM])],
        &facts,
        Severity::Medium,
        Some("osv"),
        "osv CVSS 3.1 base score 5.5",
    );
}

#[test]
fn github_comes_before_nvd_and_nvd_before_other_publishers() {
    let facts = nvd(vec![cvss(V3_CRITICAL, "nvd")]);
    let silent = ("osv", "GO-1", None, None, &[][..]);
    let ghsa = ("osv", "GHSA-1", None, Some(Severity::High), &[][..]);
    let other = ("osv", "OSV-1", None, Some(Severity::Low), &[][..]);
    check(&[silent, other, ghsa], &facts, Severity::High, Some("ghsa"), "ghsa says high");
    check(&[silent, other], &facts, Severity::Critical, Some("nvd"), "nvd CVSS 3.1 base score 9.8");
    check(&[silent, other], &Facts::default(), Severity::Low, Some("osv"), "osv says low");
    check(&[silent], &Facts::default(), Severity::Unknown, None, "nobody rates it");
}

#[test]
fn an_unknown_of_the_publisher_counts_as_silence() {
    let facts = nvd(vec![cvss(V3_MEDIUM, "nvd")]);
    let unknown = Some(Severity::Unknown);
    check(
        &[("ubuntu", "CVE-1", unknown, unknown, &[])],
        &facts,
        Severity::Medium,
        Some("nvd"),
        "nvd CVSS 3.1 base score 5.5",
    );
}

#[test]
fn nvds_own_score_comes_before_those_it_passes_on() {
    let facts = nvd(vec![cvss(V3_CRITICAL, "redhat.com"), cvss(V3_MEDIUM, "nvd")]);
    let silent = ("alpine", "CVE-1", None, None, &[][..]);
    assert_eq!(rated(&[silent], &facts).cvss.map(|cvss| cvss.source), Some("nvd".to_owned()));
    let facts = nvd(vec![cvss(V3_CRITICAL, "redhat.com")]);
    check(
        &[silent],
        &facts,
        Severity::Critical,
        Some("redhat.com"),
        "redhat.com CVSS 3.1 base score 9.8",
    );
    let rejected = Facts { nvd_rejected: true, ..facts };
    check(&[silent], &rejected, Severity::Unknown, None, "nobody rates it");
}

#[test]
fn the_newest_version_of_cvss_is_shown() {
    let silent = ("alpine", "CVE-1", None, None, &[][..]);
    let shown = |scores: Vec<Cvss>| {
        rated(&[silent], &nvd(scores)).cvss.expect("there is a score").version.to_string()
    };
    assert_eq!(shown(vec![cvss(V3_CRITICAL, "nvd"), cvss(V4_HIGH, "nvd")]), "4.0");
    assert_eq!(shown(vec![cvss(V2_HIGH, "nvd"), cvss(V3_CRITICAL, "nvd")]), "3.1");
    assert_eq!(shown(vec![cvss(V2_HIGH, "nvd")]), "2.0");
}

#[test]
fn the_score_is_chosen_on_its_own_where_the_publisher_gives_a_word_only() {
    let facts = nvd(vec![cvss(V3_CRITICAL, "nvd")]);
    let rating = rated(&[("debian", "CVE-1", Some(Severity::Negligible), None, &[])], &facts);
    assert_eq!(rating.severity, Severity::Negligible);
    assert_eq!(rating.cvss.map(|cvss| cvss.score), Some(9.8));
}

#[test]
fn risk_is_the_probability_of_exploitation_times_the_score() {
    let none = Severity::Unknown;
    for (cvss, severity, epss, is_exploited, expected) in [
        (Some(9.8), none, None, false, 2.0),
        (Some(9.8), none, None, true, 88.2),
        (Some(9.8), none, Some(0.5), false, 49.0),
        (Some(9.8), none, Some(0.5), true, 88.2),
        (Some(9.8), none, Some(0.97), true, 95.1),
        (Some(10.0), none, Some(1.0), true, 100.0),
        (Some(7.5), none, Some(0.001), false, 1.5),
        (Some(0.0), none, Some(0.5), false, 0.0),
        (None, Severity::Critical, None, true, 85.5),
        (None, Severity::High, None, false, 1.6),
        (None, Severity::Medium, None, false, 1.1),
        (None, Severity::Low, None, false, 0.5),
        (None, Severity::Negligible, None, false, 0.1),
        (None, Severity::Unknown, None, false, 1.0),
    ] {
        let got = risk(cvss, severity, epss, is_exploited);
        assert!((got - expected).abs() < 1e-9, "{cvss:?} {severity} {epss:?}: {got}");
    }
}
