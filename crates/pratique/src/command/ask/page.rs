//! An answer as `--format json` has it.

use pratique_matcher::{Answer, AnswerVerdict, Reason};
use pratique_model::Severity;
use pratique_store::{StoredFinding, StoredImage};
use serde::Serialize;

/// The answer.
#[derive(Serialize)]
pub(super) struct Page {
    question: String,
    verdict: &'static str,
    image_count: u64,
    images: Vec<ImageRow>,
    next: Option<i64>,
    watched_count: u64,
    outside_count: u64,
    suppressed_count: u64,
    unclear_count: u64,
    unreadable_count: u64,
    unreadable: Vec<UnreadableRow>,
    vulnerabilities: Vec<String>,
    known: Option<bool>,
    unmatched_parts: usize,
    unmatched_packages: bool,
}

#[derive(Serialize)]
struct ImageRow {
    number: i64,
    digest: String,
    reference: String,
    packages: Vec<PackageRow>,
}

#[derive(Serialize)]
struct PackageRow {
    #[serde(rename = "type")]
    kind: &'static str,
    release: Option<String>,
    name: String,
    installed: String,
    compared: String,
    finding: Option<FindingRow>,
}

#[derive(Serialize)]
struct FindingRow {
    id: String,
    source: String,
    part: String,
    advisory: String,
    status: &'static str,
    severity: Option<&'static str>,
    fixed: Option<String>,
}

#[derive(Serialize)]
struct UnreadableRow {
    digest: String,
    reference: String,
    problems: Vec<String>,
}

/// Writes an answer down.
pub(super) fn of(answer: &Answer) -> Page {
    let image = |concerned: &pratique_matcher::ConcernedImage| ImageRow {
        number: concerned.image.key.0,
        digest: concerned.image.digest.to_string(),
        reference: concerned.image.reference.clone(),
        packages: concerned.packages.iter().map(package).collect(),
    };
    Page {
        question: answer.question.to_string(),
        verdict: match answer.verdict {
            AnswerVerdict::Yes => "yes",
            AnswerVerdict::No => "no",
            AnswerVerdict::Unproven => "unproven",
        },
        image_count: answer.image_count,
        images: answer.images.iter().map(image).collect(),
        next: answer.next.map(|key| key.0),
        watched_count: answer.watched_count,
        outside_count: answer.outside_count,
        suppressed_count: answer.suppressed_count,
        unclear_count: answer.unclear_count,
        unreadable_count: answer.unreadable_count,
        unreadable: answer.unreadable.iter().map(unreadable).collect(),
        vulnerabilities: answer.vulnerabilities.clone(),
        known: answer.is_known,
        unmatched_parts: answer.backlog.part_count,
        unmatched_packages: answer.backlog.has_pending,
    }
}

fn package(reason: &Reason) -> PackageRow {
    let package = &reason.package.package;
    PackageRow {
        kind: package.ecosystem.as_str(),
        release: reason.package.release.as_ref().map(ToString::to_string),
        name: package.name.clone(),
        installed: package.version.clone(),
        compared: reason.version.clone(),
        finding: reason.finding.as_ref().map(finding),
    }
}

fn finding(finding: &StoredFinding) -> FindingRow {
    FindingRow {
        id: finding.vulnerability.clone(),
        source: finding.part.source().to_owned(),
        part: finding.part.to_string(),
        advisory: finding.advisory.clone(),
        status: finding.status.as_str(),
        severity: finding.severity.map(Severity::as_str),
        fixed: finding.fixed.clone(),
    }
}

fn unreadable(image: &StoredImage) -> UnreadableRow {
    UnreadableRow {
        digest: image.digest.to_string(),
        reference: image.reference.clone(),
        problems: image.problems.clone(),
    }
}
