//! `pratique demo`: the whole chain on bundled data, with the code that does it for real.
//!
//! Scan and explain first, then register, and an advisory that appears. Only the image and the data
//! are small; nothing leaves the machine and nothing stays but one file in the folder for temporary
//! files, so that the next commands can be tried on it.

mod advisory;
mod sample;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use pratique_clockwork::Clock;
use pratique_image::OpenOptions;
use pratique_image::build::{ArchiveBuilder, Compression, ImageBuilder, LayerBuilder};
use pratique_matcher::Options as MatchOptions;
use pratique_model::{Assessment, IndexReport, Platform, Unassessed};
use pratique_report::{Answer, Format, Options as ReportOptions, Summary, counted};
use pratique_scan::ScanOptions;
use pratique_store::Database;

use super::scan::{Output, terminal_width};
use crate::args::DemoArguments;
use crate::bundled;
use crate::columns::Columns;
use crate::exit::{Exit, Failure};
use crate::say::{self, say};

/// The vulnerability that is explained: in a jar within a jar, known exploited.
const EXPLAINED: &str = "CVE-2021-44228";

/// How many of the machine's own findings are shown.
const HOST_FINDINGS_SHOWN: usize = 8;

/// Runs the command.
pub(crate) fn run(arguments: &DemoArguments) -> Result<Exit, Failure> {
    let failed = |error: anyhow::Error| Failure::new(Exit::Failed, error);
    let now = Clock::system().now();
    let archive = write_archive()
        .map_err(|error| failed(anyhow::Error::from(error).context("the demo's image: writing")))?;
    let database = bundled::load().map_err(|error| failed(error.into()))?;
    say!("1. An image of three layers is written to {}:", archive.display());
    say!("   Debian 12, a jar within a jar, npm and Python; the last layer removes a package.\n");
    let target = format!("oci-archive:{}", archive.display());
    let (report, assessment) = assess(&target, &database, now)?;
    say!("2. It is scanned against the bundled facts; nothing is fetched:\n");
    show(&report, &assessment, now)?;
    say!("3. Why is {EXPLAINED} a finding?\n");
    explain(&report, &assessment, now)?;
    say_where_data_are_from(&database, now)?;
    advisory::run(&report, now)?;
    if !arguments.skip_host {
        scan_host(&database, now)?;
    }
    say_what_to_try(&archive)?;
    Ok(Exit::Clean)
}

fn write_archive() -> io::Result<PathBuf> {
    let layer = |files: Vec<sample::File>| {
        files
            .into_iter()
            .fold(LayerBuilder::new(), |layer, file| layer.file(&file.path, &file.content))
    };
    let removed = LayerBuilder::new().whiteout(sample::REMOVED);
    let platform = Platform { variant: None, ..Platform::host() };
    let image = ImageBuilder::new(platform)
        .layer(&layer(sample::base()), Compression::Gzip)
        .layer(&layer(sample::application()?), Compression::Zstd)
        .layer(&removed, Compression::Gzip);
    let archive = ArchiveBuilder::new().image("registry.example/orders:1.4", image);
    let path = std::env::temp_dir().join("pratique-demo.oci.tar");
    // Somebody else may have a file of that name there: it is replaced, never followed.
    let temporary = path.with_added_extension(std::process::id().to_string());
    fs::write(&temporary, archive.to_oci_archive())?;
    fs::rename(&temporary, &path)?;
    Ok(path)
}

fn assess(
    target: &str,
    database: &Database,
    now: Timestamp,
) -> Result<(IndexReport, Assessment), Failure> {
    let failed = |error: anyhow::Error| Failure::new(Exit::Failed, error);
    let image = pratique_image::open(target, &OpenOptions::default())
        .map_err(|error| failed(error.into()))?;
    let report = pratique_scan::scan(&image, &ScanOptions::default())
        .map_err(|error| failed(error.into()))?;
    let assessment = pratique_matcher::assess(&report, database, &MatchOptions::default(), now)
        .map_err(|error| failed(error.into()))?;
    Ok((report, assessment))
}

fn options(now: Timestamp) -> ReportOptions {
    ReportOptions {
        now: Some(now),
        width: terminal_width(),
        has_colour: Output::standard(Format::Table).is_coloured(),
        ..ReportOptions::default()
    }
}

fn show(report: &IndexReport, assessment: &Assessment, now: Timestamp) -> Result<(), Failure> {
    let options = options(now);
    let mut text = Vec::new();
    pratique_report::render(Format::Table, &Answer::new(report, assessment, &options), &mut text)
        .expect("writing to memory cannot fail");
    text.push(b'\n');
    Output::standard(Format::Table).write(&text)
}

fn explain(report: &IndexReport, assessment: &Assessment, now: Timestamp) -> Result<(), Failure> {
    let options = options(now);
    let answer = Answer::new(report, assessment, &options);
    let text = pratique_report::explain(&answer, EXPLAINED, None).ok_or_else(|| {
        Failure::new(Exit::Failed, anyhow::anyhow!("{EXPLAINED} was not found in the demo's image"))
    })?;
    Output::standard(Format::Table).write(text.as_bytes())
}

fn say_where_data_are_from(database: &Database, now: Timestamp) -> Result<(), Failure> {
    let parts = database.parts().map_err(|error| Failure::new(Exit::Failed, error))?;
    let newest = parts.iter().filter_map(|part| part.as_of).max();
    let days = newest.map_or(0, |at| now.duration_since(at).as_hours() / 24);
    say!(
        "\n4. These facts come with the program: {} parts ({}), the newest of {}, {days} days \
         old.\n   \
         A real scan first fetches what the image needs from the publishers.",
        parts.len(),
        sources(&parts),
        bundled::date(database),
    );
    Ok(())
}

fn sources(parts: &[pratique_store::PartState]) -> String {
    let mut names: Vec<&str> = parts.iter().map(|part| part.id.source()).collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}

fn scan_host(database: &Database, now: Timestamp) -> Result<(), Failure> {
    say!("\n6. The same for this machine, rootfs:/ ...\n");
    let (report, assessment) = assess("rootfs:/", database, now)?;
    let summary = Summary::of(&assessment);
    let name = report.distro.as_ref().map_or("no distribution told", |distro| &*distro.name);
    say!(
        "   {name}: {} packages, {} findings ({} critical, {} high, {} medium, {} low, {} others), \
         {} with a fix.\n",
        report.packages.len(),
        assessment.findings.len(),
        summary.critical,
        summary.high,
        summary.medium,
        summary.low,
        summary.negligible + summary.unknown,
        summary.fixable,
    );
    let mut columns = Columns::new(&["PACKAGE", "INSTALLED", "FIXED", "ID", "SEVERITY", "RISK"]);
    for finding in assessment.findings.iter().take(HOST_FINDINGS_SHOWN) {
        columns.row(vec![
            report.packages.get(finding.package_index).map_or("", |p| &*p.name).to_owned(),
            finding.installed.clone(),
            finding.fixed.clone().unwrap_or_default(),
            finding.id.clone(),
            finding.severity.to_string(),
            format!("{:.1}", finding.risk),
        ]);
    }
    say::print(columns.to_text())?;
    let hidden = assessment.findings.len().saturating_sub(HOST_FINDINGS_SHOWN);
    if hidden > 0 {
        say!("... and {hidden} more.");
    }
    say!("\n   What the bundled data cannot assess here:");
    for unassessed in &assessment.unassessed {
        let Unassessed { ecosystem, package_count, why, .. } = unassessed;
        say!("   - {}: {why}", counted(*package_count, &format!("{ecosystem} package")));
    }
    if assessment.unassessed.is_empty() {
        say!(
            "   - what was published after {}: every ecosystem here is covered",
            bundled::date(database)
        );
    }
    if !report.partial.is_empty() {
        say!("   - {} files that could not be read whole", report.partial.len());
    }
    Ok(())
}

fn say_what_to_try(archive: &Path) -> Result<(), Failure> {
    let archive = archive.display();
    let suggestions = [
        (format!("pratique scan {archive} --offline -o json"), "the same as JSON"),
        (format!("pratique scan {archive} --offline --explain CVE-2023-4911"), "why"),
        (format!("pratique scan {archive} --offline --register"), "later advisories reach it"),
        ("pratique ask 'deb/xz-utils>=5.6.0'".to_owned(), "yes, or a proven no"),
        ("pratique db update".to_owned(), "fetch all sources"),
        (
            "docker save IMAGE -o image.tar && pratique scan image.tar --fail-on high".to_owned(),
            "for CI",
        ),
    ];
    let width = suggestions.iter().map(|(command, _)| command.chars().count()).max();
    let width = width.unwrap_or_default();
    say!("\nTry next:");
    for (command, remark) in suggestions {
        say!("  {command:width$}  # {remark}");
    }
    say!("(from a checkout: `cargo run --release --` in place of `pratique`)");
    Ok(())
}
