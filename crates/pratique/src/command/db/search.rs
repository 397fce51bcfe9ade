//! `pratique db search`: what publishers state of a vulnerability or a package.

use pratique_model::{Range, Severity};
use pratique_store::Statement;
use serde::Serialize;

use crate::args::{DbSearchArguments, ListFormat};
use crate::columns::Columns;
use crate::exit::{Exit, Failure};
use crate::json;
use crate::say::{self, say};

/// How many statements are shown; the kernel has more, and nobody reads them.
const STATEMENTS_MAX: usize = 5_000;

/// One statement as `--format json` has it.
#[derive(Serialize)]
struct Row {
    id: String,
    vulnerabilities: Vec<String>,
    aliases: Vec<String>,
    source: String,
    part: String,
    ecosystem: Option<&'static str>,
    release: Option<String>,
    package: Option<String>,
    ranges: Vec<String>,
    fixed: Vec<String>,
    status: Option<&'static str>,
    remark: Option<String>,
    severity: Option<&'static str>,
    withdrawn: bool,
    url: Option<String>,
}

/// Runs the command; finding nothing is an answer too.
pub(super) fn run(arguments: &DbSearchArguments) -> Result<Exit, Failure> {
    let database = arguments.list.database.open_to_read()?;
    let statements = database
        .search(&arguments.text, STATEMENTS_MAX)
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    let rows: Vec<Row> = statements.into_iter().map(row).collect();
    match arguments.list.format {
        ListFormat::Json => json::print(&rows)?,
        ListFormat::Table if rows.is_empty() => {
            say!("nothing in the database speaks of {:?}", arguments.text);
        }
        ListFormat::Table => say::print(table(&rows))?,
    }
    if rows.len() >= STATEMENTS_MAX {
        eprintln!("warning: only the first {STATEMENTS_MAX} statements are shown");
    }
    Ok(Exit::Clean)
}

fn table(rows: &[Row]) -> String {
    let mut columns =
        Columns::new(&["ID", "SOURCE", "RELEASE", "PACKAGE", "AFFECTED", "STATUS", "SEVERITY"]);
    for row in rows {
        let place = row.release.clone().or(row.ecosystem.map(str::to_owned));
        let mut status = row.status.unwrap_or("").to_owned();
        if let Some(remark) = &row.remark {
            status = format!("{status} ({remark})");
        }
        if row.withdrawn {
            "withdrawn".clone_into(&mut status);
        }
        columns.row(vec![
            row.id.clone(),
            row.part.clone(),
            place.unwrap_or_default(),
            row.package.clone().unwrap_or_default(),
            row.ranges.join(" or "),
            status,
            row.severity.unwrap_or("").to_owned(),
        ]);
    }
    columns.to_text()
}

fn row(statement: Statement) -> Row {
    let fixed = statement.fixed().map(str::to_owned).collect();
    let package = statement.package;
    Row {
        fixed,
        id: statement.id,
        vulnerabilities: statement.vulnerabilities,
        aliases: statement.aliases,
        source: statement.part.source().to_owned(),
        part: statement.part.to_string(),
        ecosystem: package.as_ref().map(|package| package.ecosystem.as_str()),
        release: package
            .as_ref()
            .and_then(|package| package.release.as_ref().map(ToString::to_string)),
        ranges: package.as_ref().map_or_else(Vec::new, |package| {
            let mut ranges: Vec<String> = package.ranges.iter().map(range).collect();
            if package.listed_count > 0 {
                ranges.push(format!("{} versions by name", package.listed_count));
            }
            if ranges.is_empty() {
                ranges.push("every version".to_owned());
            }
            ranges
        }),
        status: package.as_ref().map(|package| package.status.as_str()),
        remark: package.as_ref().and_then(|package| package.remark.clone()),
        package: package.map(|package| package.name),
        severity: statement.severity.map(Severity::as_str),
        withdrawn: statement.is_withdrawn,
        url: statement.url,
    }
}

/// A range in words: `>= 2.0, < 2.15.0`.
fn range(range: &Range) -> String {
    let bound = |sign: &str, version: &Option<String>| {
        version.as_ref().map(|version| format!("{sign} {version}"))
    };
    let bounds = [
        bound(">=", &range.introduced),
        bound("<", &range.fixed),
        bound("<=", &range.last_affected),
    ];
    let bounds: Vec<String> = bounds.into_iter().flatten().collect();
    if bounds.is_empty() { "every version".to_owned() } else { bounds.join(", ") }
}
