//! Hides what the user asked not to see. Nothing is dropped: what is hidden is kept in
//! `suppressed`, with the reason, and counted in every format.

use pratique_model::{Assessment, Finding, Severity, Status, Suppressed, Suppression};

use crate::assess::by_risk;

/// What the user asked not to see. The default hides nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters {
    /// The least severity shown; `None` shows all. `Some(Severity::Unknown)` is the same, since
    /// unknown is the least.
    pub severity_min: Option<Severity>,
    /// Whether findings without a fixed version are hidden.
    pub only_fixed: bool,
    /// Statuses that are hidden.
    pub ignored_statuses: Vec<Status>,
}

/// Moves the findings that the filters hide to `suppressed`. A finding that several of them hide
/// has the first reason in the order status, fix, severity.
pub fn filter(mut assessment: Assessment, filters: &Filters) -> Assessment {
    let mut shown = Vec::with_capacity(assessment.findings.len());
    let before = assessment.suppressed.len();
    for finding in assessment.findings {
        match reason(&finding, filters) {
            Some(reason) => assessment.suppressed.push(Suppressed { finding, reason }),
            None => shown.push(finding),
        }
    }
    assessment.findings = shown;
    if assessment.suppressed.len() != before {
        assessment.suppressed = by_risk(assessment.suppressed, |one| &one.finding);
    }
    assessment
}

fn reason(finding: &Finding, filters: &Filters) -> Option<Suppression> {
    if filters.ignored_statuses.contains(&finding.status) {
        Some(Suppression::IgnoredStatus)
    } else if filters.only_fixed && finding.fixed.is_none() {
        Some(Suppression::NoFix)
    } else if filters.severity_min.is_some_and(|least| finding.severity < least) {
        Some(Suppression::BelowSeverity)
    } else {
        None
    }
}
