//! The answer for people: a table sorted by risk, then lines that say what it does not show.
//!
//! Cells that do not fit the width are broken over several lines, never cut: a version or an id
//! that cannot be copied is worth nothing. Text from the image is escaped.

use std::io::{self, Write};

use pratique_model::{DataPart, Finding, Severity, Status, Suppression};

use crate::escape::for_terminal;
use crate::{Answer, Summary, counted};

const HEADINGS: [&str; 8] =
    ["PACKAGE", "INSTALLED", "FIXED", "ID", "SEVERITY", "EPSS", "KEV", "RISK"];

/// The columns that may be made narrower; the others have short words only.
const FLEXIBLE: [usize; 3] = [0, 1, 2];

/// How narrow a flexible column may become, in columns of the terminal: with GitHub's ids, the
/// longest, the table then fits a terminal of 80.
const FLEXIBLE_WIDTH_MIN: usize = 8;

/// The column that colours show.
const SEVERITY_COLUMN: usize = 4;

/// Between two columns.
const GAP: &str = "  ";

/// How many parts the line of data ages names one by one.
const PARTS_LISTED_MAX: usize = 12;

/// One finding as text.
struct Line {
    cells: [String; 8],
    severity: Severity,
}

/// Writes the answer as a table.
pub(crate) fn write(answer: &Answer<'_>, out: &mut dyn Write) -> io::Result<()> {
    heading(answer, out)?;
    let lines: Vec<Line> = answer.listed().map(|(one, why)| line(answer, one, why)).collect();
    if !lines.is_empty() {
        let widths = widths(&lines, answer.options.width);
        let headings = HEADINGS.map(str::to_owned);
        write_cells(out, &headings, &widths, None)?;
        for line in &lines {
            let colour = answer.options.has_colour.then(|| colour(line.severity));
            write_cells(out, &line.cells, &widths, colour)?;
        }
        writeln!(out)?;
    }
    totals(answer, out)?;
    gaps(answer, out)?;
    ages(answer, out)
}

fn heading(answer: &Answer<'_>, out: &mut dyn Write) -> io::Result<()> {
    let report = answer.report;
    let distro = match &report.distro {
        Some(distro) if !distro.name.is_empty() => distro.name.clone(),
        Some(distro) => format!("{} {}", distro.id, distro.version).trim_end().to_owned(),
        None => "no distribution".to_owned(),
    };
    let platform =
        report.target.platform.as_ref().map_or_else(String::new, |one| format!(", {one}"));
    writeln!(
        out,
        "{}: {}{platform}, {}\n",
        for_terminal(answer.reference()),
        for_terminal(&distro),
        counted(report.packages.len(), "package")
    )
}

fn line(answer: &Answer<'_>, finding: &Finding, suppression: Option<Suppression>) -> Line {
    let doubt = if finding.unparsable.is_some() { "?" } else { "" };
    let severity = match suppression {
        Some(reason) => format!("{} ({})", finding.severity, reason.as_str()),
        None => finding.severity.to_string(),
    };
    let cells = [
        for_terminal(&answer.package(finding).name).into_owned(),
        for_terminal(&format!("{}{doubt}", finding.installed)).into_owned(),
        for_terminal(fix(finding)).into_owned(),
        for_terminal(&finding.id).into_owned(),
        severity,
        finding.epss.as_ref().map_or_else(String::new, |epss| percent(epss.score)),
        if finding.kev.is_some() { "yes".to_owned() } else { String::new() },
        format!("{:.1}", finding.risk),
    ];
    Line { cells, severity: finding.severity }
}

/// The fixed version, or why there is none.
fn fix(finding: &Finding) -> &str {
    match (&finding.fixed, finding.status) {
        (Some(fixed), _) => fixed,
        (None, Status::Affected | Status::Fixed) => "-",
        (None, status) => status.as_str(),
    }
}

fn percent(probability: f64) -> String {
    let percent = probability * 100.0;
    if percent > 0.0 && percent < 0.1 { "<0.1%".to_owned() } else { format!("{percent:.1}%") }
}

/// The widths of the columns: what their text needs, less what does not fit the terminal, taken
/// from the widest flexible column first.
fn widths(lines: &[Line], limit: Option<usize>) -> [usize; 8] {
    let mut widths = HEADINGS.map(str::len);
    for line in lines {
        for (width, cell) in widths.iter_mut().zip(&line.cells) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let Some(limit) = limit else { return widths };
    let gaps = GAP.len() * (HEADINGS.len() - 1);
    let mut excess = (widths.iter().sum::<usize>() + gaps).saturating_sub(limit);
    while excess > 0 {
        let widest = FLEXIBLE.into_iter().max_by_key(|column| widths[*column]);
        let Some(widest) = widest.filter(|column| widths[*column] > FLEXIBLE_WIDTH_MIN) else {
            break;
        };
        widths[widest] -= 1;
        excess -= 1;
    }
    widths
}

/// Writes one row, over as many lines as its longest cell takes.
fn write_cells(
    out: &mut dyn Write,
    cells: &[String; 8],
    widths: &[usize; 8],
    colour: Option<&str>,
) -> io::Result<()> {
    let mut rests: [&str; 8] = std::array::from_fn(|column| cells[column].as_str());
    loop {
        let mut text = String::new();
        for (column, (rest, width)) in rests.iter_mut().zip(widths).enumerate() {
            let (piece, left) = split(rest, *width);
            *rest = left;
            if column > 0 {
                text.push_str(GAP);
            }
            let padding = " ".repeat(width - piece.chars().count());
            match colour {
                Some(colour) if column == SEVERITY_COLUMN && !piece.is_empty() => {
                    text.push_str(colour);
                    text.push_str(piece);
                    text.push_str(PLAIN);
                    text.push_str(&padding);
                }
                _ if column + 1 == HEADINGS.len() => {
                    text.push_str(&padding);
                    text.push_str(piece);
                }
                _ => {
                    text.push_str(piece);
                    text.push_str(&padding);
                }
            }
        }
        writeln!(out, "{}", text.trim_end())?;
        if rests.iter().all(|rest| rest.is_empty()) {
            return Ok(());
        }
    }
}

/// The first `width` characters and the others.
fn split(text: &str, width: usize) -> (&str, &str) {
    match text.char_indices().nth(width) {
        Some((end, _)) => text.split_at(end),
        None => (text, ""),
    }
}

/// Ends a colour.
const PLAIN: &str = "\x1b[0m";

/// The terminal's code for a severity's colour.
fn colour(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "\x1b[1;31m",
        Severity::High => "\x1b[31m",
        Severity::Medium => "\x1b[33m",
        Severity::Low => "\x1b[36m",
        Severity::Negligible | Severity::Unknown => "\x1b[2m",
    }
}

fn totals(answer: &Answer<'_>, out: &mut dyn Write) -> io::Result<()> {
    let assessment = answer.assessment;
    let summary = Summary::of(assessment);
    let counts = [
        (summary.critical, Severity::Critical),
        (summary.high, Severity::High),
        (summary.medium, Severity::Medium),
        (summary.low, Severity::Low),
        (summary.negligible, Severity::Negligible),
        (summary.unknown, Severity::Unknown),
    ];
    let counts: Vec<String> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, severity)| format!("{count} {severity}"))
        .collect();
    if counts.is_empty() {
        writeln!(out, "Findings: none")?;
    } else {
        let total = assessment.findings.len();
        let (counts, fixable) = (counts.join(", "), summary.fixable);
        writeln!(out, "Findings: {total} ({counts}), {fixable} with a fix")?;
    }
    let doubtful = assessment.findings.iter().filter(|one| one.unparsable.is_some()).count();
    if doubtful > 0 {
        writeln!(out, "Versions marked ? could not be compared: {doubtful}, shown to be safe")?;
    }
    if !assessment.suppressed.is_empty() {
        let reasons: Vec<String> = answer
            .suppressed_counts()
            .into_iter()
            .map(|(reason, count)| format!("{count} {}", reason.as_str()))
            .collect();
        let hint = if answer.options.shows_suppressed { "" } else { "; see --show-suppressed" };
        let total = assessment.suppressed.len();
        writeln!(out, "Suppressed: {total} ({}){hint}", reasons.join(", "))?;
    }
    Ok(())
}

/// What the findings leave out.
fn gaps(answer: &Answer<'_>, out: &mut dyn Write) -> io::Result<()> {
    let report = answer.report;
    if report.distro.is_none() {
        writeln!(out, "No distribution is named in the image: only language packages are matched")?;
    }
    for gap in &answer.assessment.unassessed {
        let packages = counted(gap.package_count, &format!("{} package", gap.ecosystem));
        writeln!(out, "Not assessed: {packages}: {}", for_terminal(&gap.why))?;
    }
    if let (Some(date), Some(distro)) = (answer.assessment.end_of_life, &report.distro) {
        let release = distro.release();
        let release = for_terminal(release.as_str());
        writeln!(out, "End of life: {release} has had no security support since {date}")?;
    }
    for partial in &report.partial {
        let layer = partial.layer.map_or_else(String::new, |layer| format!("layer {layer}: "));
        let path = partial.path.as_ref().map_or_else(String::new, |path| format!("{path}: "));
        let text = format!("{layer}{path}{}", partial.problem);
        writeln!(out, "Not read whole: {}", for_terminal(&text))?;
    }
    Ok(())
}

/// The line of data ages. Parts of one source that are many (NVD has one a year) are summed up by
/// their oldest.
fn ages(answer: &Answer<'_>, out: &mut dyn Write) -> io::Result<()> {
    let data = &answer.assessment.data;
    if data.is_empty() {
        return writeln!(out, "Data: none");
    }
    let mut texts = Vec::new();
    for parts in data.chunk_by(|a, b| a.part.source() == b.part.source()) {
        match parts {
            [only] => texts.push(age(answer, &only.part.to_string(), only)),
            parts if data.len() <= PARTS_LISTED_MAX => {
                texts.extend(parts.iter().map(|part| age(answer, &part.part.to_string(), part)));
            }
            parts => {
                let oldest = parts.iter().min_by_key(|part| (!part.is_stale, part.as_of));
                let oldest = oldest.expect("a chunk is never empty");
                let name = format!("{} ({} parts, oldest)", oldest.part.source(), parts.len());
                texts.push(age(answer, &name, oldest));
            }
        }
    }
    writeln!(out, "Data: {}", texts.join("; "))
}

fn age(answer: &Answer<'_>, name: &str, part: &DataPart) -> String {
    let date = part.as_of.to_zoned(jiff::tz::TimeZone::UTC).date();
    let age = match answer.age_days(part) {
        Some(0) => " (today)".to_owned(),
        Some(1) => " (1 day old)".to_owned(),
        Some(days) => format!(" ({days} days old)"),
        None => String::new(),
    };
    let stale = if part.is_stale { ", stale" } else { "" };
    format!("{name} of {date}{age}{stale}")
}
