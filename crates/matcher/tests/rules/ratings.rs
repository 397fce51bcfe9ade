//! Facts from other sources, joined when read.

use pratique_model::{Cvss, Ecosystem, Enrichment, Epss, KnownExploited, NvdScore, Severity};

use crate::world::{World, about, advisory, below, package, source_below};

const CVE: &str = "CVE-2026-0001";
const CRITICAL: &str = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";

fn alpine() -> World {
    let affected = source_below(Ecosystem::Apk, "alpine:3.10", "zlib", "1.3-r0");
    World::new(Some(("alpine", "3.10.3")))
        .install(package(Ecosystem::Apk, "zlib", "1.2-r0"))
        .publish("alpine/v3.10", &[about(advisory(CVE, &[CVE], &[]), affected)])
}

fn score(source: &str) -> Cvss {
    Cvss::parse(CRITICAL, source).expect("a vector")
}

#[test]
fn scores_predictions_and_known_exploitation_are_joined_by_the_cve() {
    let bare = alpine().assess();
    let finding = &bare.findings[0];
    assert_eq!((finding.severity, finding.severity_source.as_deref()), (Severity::Unknown, None));
    assert!((finding.risk - 1.0).abs() < 1e-9, "{}", finding.risk);
    let world = alpine()
        .know(
            "nvd/2026",
            &[Enrichment::Nvd(NvdScore {
                vulnerability: CVE.to_owned(),
                cvss: vec![score("nvd")],
                is_rejected: false,
                description: None,
            })],
        )
        .know(
            "epss",
            &[Enrichment::Epss(Epss {
                vulnerability: CVE.to_owned(),
                score: 0.25,
                percentile: 0.9,
                date: "2026-11-20".parse().expect("a date"),
            })],
        );
    let known = world.assess();
    let finding = &known.findings[0];
    assert_eq!(
        (finding.severity, finding.severity_source.as_deref()),
        (Severity::Critical, Some("nvd"))
    );
    assert!((finding.risk - 24.5).abs() < 1e-9, "{}", finding.risk);
    let world = world.know(
        "kev",
        &[Enrichment::KnownExploited(KnownExploited {
            vulnerability: CVE.to_owned(),
            added: "2026-11-01".parse().expect("a date"),
            due: None,
            ransomware: false,
        })],
    );
    let finding = &world.assess().findings[0];
    assert!(finding.kev.is_some());
    assert!((finding.risk - 88.2).abs() < 1e-9, "{}", finding.risk);
}

#[test]
fn what_nobody_else_rates_has_the_severity_of_any_publisher() {
    let mut other = source_below(Ecosystem::Deb, "ubuntu:22.04", "zlib", "1:1.3");
    other.severity = Some(Severity::High);
    let world = alpine().publish("ubuntu", &[about(advisory(CVE, &[CVE], &[]), other)]);
    let assessment = world.assess();
    let finding = &assessment.findings[0];
    assert_eq!(
        (finding.severity, finding.severity_source.as_deref()),
        (Severity::High, Some("ubuntu"))
    );
    assert_eq!(finding.explanation.severity, "ubuntu says high, of CVE-2026-0001");
    assert!((finding.risk - 1.6).abs() < 1e-9, "{}", finding.risk);
}

#[test]
fn findings_are_sorted_by_risk_then_id_then_package() {
    let flaw = |id: &str, name: &str, severity| {
        let mut affected = below(Ecosystem::Npm, name, "9.0.0");
        affected.severity = Some(severity);
        about(advisory(id, &[], &[]), affected)
    };
    let world = World::new(None)
        .install(package(Ecosystem::Npm, "a", "1.0.0"))
        .install(package(Ecosystem::Npm, "b", "1.0.0"))
        .publish(
            "osv/npm",
            &[
                flaw("GHSA-2", "b", Severity::High),
                flaw("GHSA-1", "a", Severity::Low),
                flaw("GHSA-3", "a", Severity::High),
            ],
        );
    let findings = world.assess().findings;
    let order: Vec<&str> = findings.iter().map(|finding| &*finding.id).collect();
    assert_eq!(order, ["GHSA-2", "GHSA-3", "GHSA-1"]);
}
