//! What the user hides is kept and counted.

use pratique_matcher::{Filters, filter};
use pratique_model::{Assessment, Ecosystem, Severity, Status};

use crate::world::{World, about, advisory, below, package};

/// Three findings: critical with a fix, low with a fix, unknown without.
fn assessment() -> Assessment {
    let flaw = |id: &str, fixed: &str, severity: Option<Severity>| {
        let mut affected = below(Ecosystem::Npm, "demo", fixed);
        affected.severity = severity;
        about(advisory(id, &[], &[]), affected)
    };
    World::new(None)
        .install(package(Ecosystem::Npm, "demo", "1.0.0"))
        .publish(
            "osv/npm",
            &[
                flaw("CRITICAL", "2.0.0", Some(Severity::Critical)),
                flaw("LOW", "2.0.0", Some(Severity::Low)),
                flaw("UNKNOWN", "", None),
            ],
        )
        .assess()
}

#[track_caller]
fn check(filters: &Filters, shown: &[&str], suppressed: &[(&str, &str)]) {
    let filtered = filter(assessment(), filters);
    let ids: Vec<&str> = filtered.findings.iter().map(|finding| &*finding.id).collect();
    let reasons: Vec<(&str, &str)> =
        filtered.suppressed.iter().map(|one| (&*one.finding.id, one.reason.as_str())).collect();
    assert_eq!((&ids[..], &reasons[..]), (shown, suppressed), "{filters:?}");
}

#[test]
fn what_a_filter_hides_is_kept_with_its_reason() {
    let none = Filters::default();
    check(&none, &["CRITICAL", "UNKNOWN", "LOW"], &[]);
    let severe = Filters { severity_min: Some(Severity::High), ..Filters::default() };
    check(&severe, &["CRITICAL"], &[("UNKNOWN", "below_severity"), ("LOW", "below_severity")]);
    let all = Filters { severity_min: Some(Severity::Unknown), ..Filters::default() };
    check(&all, &["CRITICAL", "UNKNOWN", "LOW"], &[]);
    let fixed = Filters { only_fixed: true, ..Filters::default() };
    check(&fixed, &["CRITICAL", "LOW"], &[("UNKNOWN", "no_fix")]);
    let status = Filters { ignored_statuses: vec![Status::Fixed, Status::Undetermined], ..none };
    check(&status, &["UNKNOWN"], &[("CRITICAL", "ignored_status"), ("LOW", "ignored_status")]);
}
