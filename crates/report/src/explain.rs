//! Says in words why something is a finding: as one sentence for the JSON report, as a block of
//! text for `--explain`.

use std::fmt::Write as _;

use pratique_model::{Comparison, Finding, Suppression};

use crate::Answer;
use crate::escape::for_terminal;

/// One sentence with all the facts that led to a finding: what was looked up, the versions
/// compared, the range or fixed version, the advisory, the data and its date, why this severity.
pub(crate) fn sentence(finding: &Finding) -> String {
    let explanation = &finding.explanation;
    let mut text = String::with_capacity(256);
    let written = write!(
        text,
        "{}: {}; {}; advisory {} of {}, data as of {}; severity {}: {}",
        explanation.looked_up,
        comparison(finding),
        mended(finding),
        finding.advisory.id,
        explanation.part,
        explanation.as_of,
        finding.severity,
        explanation.severity,
    );
    written.expect("writing to a string cannot fail");
    text
}

/// The explanation of what `id` (a finding's id or one of its aliases, in any case) means for each
/// package of the image, or for the one named or with the package URL `package`; a block of text
/// for each, also for suppressed findings. `None` when there is no such finding.
pub fn explain(answer: &Answer<'_>, id: &str, package: Option<&str>) -> Option<String> {
    let is_meant = |finding: &Finding| {
        let is_id = finding.id.eq_ignore_ascii_case(id)
            || finding.advisory.id.eq_ignore_ascii_case(id)
            || finding.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(id));
        let is_package = package.is_none_or(|package| {
            answer.package(finding).name == package || answer.purl(finding) == package
        });
        is_id && is_package
    };
    let shown = answer.assessment.findings.iter().map(|finding| (finding, None));
    let suppressed = answer.assessment.suppressed.iter();
    let blocks: Vec<String> = shown
        .chain(suppressed.map(|one| (&one.finding, Some(one.reason))))
        .filter(|(finding, _)| is_meant(finding))
        .map(|(finding, reason)| block(answer, finding, reason))
        .collect();
    (!blocks.is_empty()).then(|| blocks.join("\n"))
}

fn block(answer: &Answer<'_>, finding: &Finding, reason: Option<Suppression>) -> String {
    let package = answer.package(finding);
    let explanation = &finding.explanation;
    let mut lines = vec![("package", answer.purl(finding).to_owned())];
    let mut aliases = finding.aliases.join(", ");
    if aliases.is_empty() {
        aliases.push_str("none");
    }
    lines.push(("found at", package.paths.join(", ")));
    if let Some(layer) = package.layer {
        lines.push(("layer", layer.to_string()));
    }
    lines.push(("aliases", aliases));
    lines.push(("looked up", explanation.looked_up.clone()));
    lines.push(("compared", comparison(finding)));
    lines.push(("fix", mended(finding)));
    lines.push(("status", status(finding)));
    if let Some(reason) = reason {
        lines.push(("suppressed", format!("yes, {}", reason.as_str())));
    }
    lines.push(("severity", format!("{}: {}", finding.severity, explanation.severity)));
    if let Some(cvss) = &finding.cvss {
        lines.push(("cvss", format!("{:.1} by {}, {}", cvss.score, cvss.source, cvss.vector)));
    }
    lines.push(("risk", risk(finding)));
    let url = finding.advisory.url.as_deref().unwrap_or("no address");
    lines.push(("advisory", format!("{}, {url}", finding.advisory.id)));
    lines.push(("data", data(answer, finding)));
    let mut text = format!(
        "{} in {} {}\n",
        for_terminal(&finding.id),
        for_terminal(&package.name),
        for_terminal(&finding.installed)
    );
    for (name, value) in lines {
        let written = writeln!(text, "  {name:<11} {}", for_terminal(&value));
        written.expect("writing to a string cannot fail");
    }
    text
}

/// `1.1.1d-r0 is in < 1.1.1g-r0 as apk orders versions`.
fn comparison(finding: &Finding) -> String {
    let explanation = &finding.explanation;
    let (version, range) = (&explanation.compared, &explanation.range);
    match explanation.comparison {
        Comparison::Ordered(ecosystem) => {
            format!("{version} is in {range} as {ecosystem} orders versions")
        }
        Comparison::Listed => format!("{version} is listed by name"),
        Comparison::Everything => format!("{version}; every version is meant"),
        Comparison::Unknown => {
            let why = finding.unparsable.as_deref().unwrap_or("the versions cannot be compared");
            format!("{version} and {range}: nobody can tell, {why}")
        }
    }
}

fn mended(finding: &Finding) -> String {
    match &finding.fixed {
        Some(fixed) => format!("fixed in {fixed}"),
        None => "no fixed version".to_owned(),
    }
}

fn status(finding: &Finding) -> String {
    match &finding.remark {
        Some(remark) => format!("{} ({remark})", finding.status),
        None => finding.status.to_string(),
    }
}

fn risk(finding: &Finding) -> String {
    let mut text = format!("{:.1}", finding.risk);
    if let Some(epss) = &finding.epss {
        let written = write!(
            text,
            ", EPSS {:.3} % on {} (higher than {:.1} % of all)",
            epss.score * 100.0,
            epss.date,
            epss.percentile * 100.0
        );
        written.expect("writing to a string cannot fail");
    }
    if let Some(kev) = &finding.kev {
        let written = write!(text, ", known to be exploited since {}", kev.added);
        written.expect("writing to a string cannot fail");
    }
    text
}

fn data(answer: &Answer<'_>, finding: &Finding) -> String {
    let explanation = &finding.explanation;
    let part = answer.assessment.data.iter().find(|data| data.part == explanation.part);
    let age = part.and_then(|part| answer.age_days(part));
    let age = age.map_or_else(String::new, |days| format!(", {days} days old"));
    format!("{} as of {}{age}", explanation.part, explanation.as_of)
}
