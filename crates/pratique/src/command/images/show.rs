//! `pratique images show`: one image, what is in it and what is wrong with it.

use std::collections::BTreeMap;

use pratique_clockwork::Clock;
use pratique_matcher::Options as MatchOptions;
use pratique_model::{IndexReport, Severity};
use pratique_report::{Summary, counted};
use pratique_store::{Database, StoredImage};
use serde::Serialize;

use super::row;
use crate::args::{ImagesShowArguments, ListFormat};
use crate::database;
use crate::exit::{Exit, Failure};
use crate::json;
use crate::say::say;

/// What `--format json` has beside the image's row in a list.
#[derive(Serialize)]
struct Page {
    #[serde(flatten)]
    image: row::Row,
    aliases: Vec<String>,
    packages_by_type: BTreeMap<&'static str, usize>,
    packages_watched: usize,
    problems_named: Vec<String>,
    findings: Counts,
}

/// How many findings there are, as a scan of the image would count them now.
#[derive(Serialize)]
struct Counts {
    critical: usize,
    high: usize,
    medium: usize,
    low: usize,
    negligible: usize,
    unknown: usize,
    fixable: usize,
    suppressed: usize,
}

/// Runs the command.
pub(super) fn run(arguments: &ImagesShowArguments) -> Result<Exit, Failure> {
    let database = arguments.list.database.open_to_read()?;
    let image = super::only(&database, &arguments.image)?;
    let page = page(&database, &image)?;
    match arguments.list.format {
        ListFormat::Json => json::print(&page)?,
        ListFormat::Table => print(&image, &page)?,
    }
    Ok(Exit::Clean)
}

fn page(database: &Database, image: &StoredImage) -> Result<Page, Failure> {
    let watched = database.image_packages(image.key).map_err(database::failed)?;
    let report = database.image_report(image.key).map_err(database::failed)?;
    let mut packages_by_type = BTreeMap::new();
    for package in report.iter().flat_map(|report| &report.packages) {
        *packages_by_type.entry(package.ecosystem.as_str()).or_default() += 1;
    }
    let findings = match &report {
        Some(report) => counts_of_report(database, report)?,
        None => counts_of_rows(database, &watched)?,
    };
    Ok(Page {
        image: row::of(image),
        aliases: database.image_aliases(image.key).map_err(database::failed)?,
        packages_by_type,
        packages_watched: watched.len(),
        problems_named: image.problems.clone(),
        findings,
    })
}

/// The findings of the whole report, with the severities of the present data.
fn counts_of_report(database: &Database, report: &IndexReport) -> Result<Counts, Failure> {
    let now = Clock::system().now();
    let assessment = pratique_matcher::assess(report, database, &MatchOptions::default(), now)
        .map_err(|error| Failure::new(Exit::Failed, error))?;
    let summary = Summary::of(&assessment);
    Ok(Counts {
        critical: summary.critical,
        high: summary.high,
        medium: summary.medium,
        low: summary.low,
        negligible: summary.negligible,
        unknown: summary.unknown,
        fixable: summary.fixable,
        suppressed: assessment.suppressed.len(),
    })
}

/// The findings that are kept, where the report is kept no more: as their publishers rate them.
fn counts_of_rows(
    database: &Database,
    packages: &[pratique_store::PackageKey],
) -> Result<Counts, Failure> {
    let rows = database.findings_of(packages, None).map_err(database::failed)?;
    let shown: Vec<_> = rows.iter().filter(|row| row.suppression.is_none()).collect();
    let of = |severity| shown.iter().filter(|row| row.severity == Some(severity)).count();
    let unrated = shown.iter().filter(|row| row.severity.is_none()).count();
    Ok(Counts {
        critical: of(Severity::Critical),
        high: of(Severity::High),
        medium: of(Severity::Medium),
        low: of(Severity::Low),
        negligible: of(Severity::Negligible),
        unknown: of(Severity::Unknown) + unrated,
        fixable: shown.iter().filter(|row| row.fixed.is_some()).count(),
        suppressed: rows.len() - shown.len(),
    })
}

fn print(image: &StoredImage, page: &Page) -> Result<(), Failure> {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "none told".to_owned());
    say!("{}", clean(&image.reference));
    say!("  digest      {}", image.digest);
    for alias in &page.aliases {
        say!("  also        {}", clean(alias));
    }
    say!("  platform    {}", or_none(image.platform.as_ref().map(ToString::to_string)));
    say!("  distro      {}", clean(&or_none(image.distro.clone())));
    say!("  registered  {}", image.registered_at.strftime("%Y-%m-%d %H:%M:%SZ"));
    say!("  last seen   {}", image.last_seen_at.strftime("%Y-%m-%d %H:%M:%SZ"));
    say!("  state       {}", row::state(image));
    let types: Vec<String> =
        page.packages_by_type.iter().map(|(name, count)| format!("{count} {name}")).collect();
    let types = if types.is_empty() { String::new() } else { format!(" ({})", types.join(", ")) };
    let packages = usize::try_from(image.package_count).unwrap_or(usize::MAX);
    say!("  packages    {packages}{types}");
    let found = &page.findings;
    let all = found.critical + found.high + found.medium + found.low;
    let all = all + found.negligible + found.unknown;
    say!(
        "  findings    {all} ({} critical, {} high, {} medium, {} low, {} negligible, {} unknown), \
         {} with a fix; {} suppressed",
        found.critical,
        found.high,
        found.medium,
        found.low,
        found.negligible,
        found.unknown,
        found.fixable,
        found.suppressed,
    );
    for problem in &page.problems_named {
        say!("  not read    {}", clean(problem));
    }
    let more = usize::try_from(image.problem_count).unwrap_or(usize::MAX);
    let more = more.saturating_sub(page.problems_named.len());
    if more > 0 {
        say!("  not read    {} more", counted(more, "thing"));
    }
    Ok(())
}

/// Images choose some of the words; none of them may move the cursor.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
