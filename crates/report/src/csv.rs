//! One line per finding, for spreadsheets: RFC 4180 with a header line.
//!
//! A field that a spreadsheet would take for a formula is given a leading apostrophe, because
//! package names and versions come from strangers.

use std::io::{self, Write};

use crate::Answer;

const COLUMNS: [&str; 20] = [
    "id",
    "aliases",
    "package",
    "type",
    "name",
    "installed",
    "fixed",
    "status",
    "severity",
    "severity_source",
    "cvss",
    "epss",
    "kev",
    "risk",
    "advisory_source",
    "advisory_id",
    "advisory_url",
    "layer",
    "paths",
    "suppressed",
];

/// Writes the answer as CSV; suppressed findings, if asked for, follow with their reason in the
/// last column.
pub(crate) fn write(answer: &Answer<'_>, out: &mut dyn Write) -> io::Result<()> {
    write_line(out, COLUMNS.iter().map(|name| (*name).to_owned()))?;
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    for (finding, suppression) in answer.listed() {
        let package = answer.package(finding);
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        write_line(
            out,
            [
                finding.id.clone(),
                finding.aliases.join(" "),
                answer.purl(finding).to_owned(),
                package.ecosystem.to_string(),
                package.name.clone(),
                finding.installed.clone(),
                text(&finding.fixed),
                finding.status.to_string(),
                finding.severity.to_string(),
                text(&finding.severity_source),
                number(finding.cvss.as_ref().map(|cvss| cvss.score)),
                number(finding.epss.as_ref().map(|epss| epss.score)),
                finding.kev.is_some().to_string(),
                format!("{:.1}", finding.risk),
                finding.advisory.source.clone(),
                finding.advisory.id.clone(),
                text(&finding.advisory.url),
                package.layer.map_or_else(String::new, |layer| layer.to_string()),
                package.paths.join(" "),
                suppression.map_or_else(String::new, |reason| reason.as_str().to_owned()),
            ]
            .into_iter(),
        )?;
    }
    Ok(())
}

fn write_line(out: &mut dyn Write, fields: impl Iterator<Item = String>) -> io::Result<()> {
    let mut line = String::new();
    for (index, field) in fields.enumerate() {
        if index > 0 {
            line.push(',');
        }
        push_field(&mut line, &field);
    }
    line.push_str("\r\n");
    out.write_all(line.as_bytes())
}

/// Appends a field: guarded against formulas, quoted where a comma, a quote or a line end demands.
fn push_field(line: &mut String, field: &str) {
    let is_formula = field.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let is_quoted = field.contains([',', '"', '\r', '\n']);
    if is_quoted {
        line.push('"');
    }
    if is_formula {
        line.push('\'');
    }
    if is_quoted {
        line.push_str(&field.replace('"', "\"\""));
        line.push('"');
    } else {
        line.push_str(field);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_and_never_start_a_formula() {
        for (field, written) in [
            ("libc6", "libc6"),
            ("", ""),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("-2,3", "\"'-2,3\""),
            ("@angular/core", "'@angular/core"),
        ] {
            let mut line = String::new();
            push_field(&mut line, field);
            assert_eq!(line, written);
        }
    }
}
