//! What the outcome of a scan means for the exit code.

use std::time::Duration;

use jiff::Timestamp;
use pratique_model::{Assessment, IndexReport};
use pratique_report::counted;

use crate::args::{FailOn, ScanArguments};
use crate::exit::Exit;

/// The exit codes that apply, each with the line that tells a person why; none for a clean scan.
pub(super) fn apply(
    report: &IndexReport,
    assessment: &Assessment,
    arguments: &ScanArguments,
    now: Timestamp,
) -> Vec<(Exit, String)> {
    let mut applying = Vec::new();
    if !report.partial.is_empty() && !arguments.allow_partial {
        let count = report.partial.len();
        let first = report.partial.first().map_or("", |partial| &*partial.problem);
        applying
            .push((Exit::Failed, format!("the scan is partial, {count} named, first: {first}")));
    }
    for unassessed in &assessment.unassessed {
        let packages = counted(unassessed.package_count, "package");
        applying.push((Exit::Data, format!("{packages} not assessed: {}", unassessed.why)));
    }
    if let Some(max) = arguments.max_data_age {
        applying.extend(too_old(assessment, max, now).map(|line| (Exit::Data, line)));
    }
    if let Some(fail_on) = arguments.fail_on {
        let count = assessment.findings.iter().filter(|finding| reaches(finding, fail_on)).count();
        if count > 0 {
            applying.push((
                Exit::Findings,
                format!("{} at or above --fail-on", counted(count, "finding")),
            ));
        }
    }
    if arguments.fail_on_eol
        && let Some(date) = assessment.end_of_life
    {
        applying.push((Exit::EndOfLife, format!("the distribution's end of life was {date}")));
    }
    if arguments.fail_on_empty && report.packages.is_empty() {
        applying.push((Exit::Empty, "no package was recognised".to_owned()));
    }
    applying
}

/// Parts whose data are older than `max`, by their own date.
fn too_old(assessment: &Assessment, max: Duration, now: Timestamp) -> impl Iterator<Item = String> {
    assessment.data.iter().filter_map(move |data| {
        let age = Duration::try_from(now.duration_since(data.as_of)).unwrap_or_default();
        (age > max).then(|| {
            let words = crate::units::age_words(age);
            format!("data of {} are {words} old, more than --max-data-age", data.part)
        })
    })
}

fn reaches(finding: &pratique_model::Finding, fail_on: FailOn) -> bool {
    match fail_on {
        FailOn::Any => true,
        FailOn::KnownExploited => finding.kev.is_some(),
        FailOn::Severity(least) => finding.severity >= least,
    }
}
