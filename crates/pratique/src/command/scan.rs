//! `pratique scan`: one target, one answer.
//!
//! Inventory, data, assessment, report and exit code, in this order; each has its module. Nothing
//! is opened before the command line is known to be right.

mod output;
mod target;
mod threshold;

use std::io::{self, IsTerminal as _};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use pratique_clockwork::Clock;
use pratique_matcher::{Filters, Options as MatchOptions};
use pratique_model::{Assessment, IndexReport};
use pratique_report::{Answer, Options as ReportOptions, counted};
use pratique_store::{Registered, StoreError};

use crate::args::ScanArguments;
use crate::data::{Data, Place};
use crate::database;
use crate::exit::{Exit, Failure};
use crate::matching;
use crate::progress::Progress;
use crate::say::say;

pub(crate) use self::output::Output;

/// Runs the command.
pub(crate) fn run(arguments: &ScanArguments) -> Result<Exit, Failure> {
    let outputs = output::parse(&arguments.outputs)?;
    let place = Place::of(&arguments.data)?;
    let now = Clock::system().now();
    let progress = Arc::new(Progress::new());
    progress.show(&format!("reading {}", arguments.target));
    let report = target::read(arguments);
    progress.clear();
    let report = report?;
    let mut data = Data::for_report(&report, place, arguments.max_age, &progress, now)?;
    let assessment = assess(&mut data, &report, arguments, &progress, now)?;
    progress.clear();
    for warning in data.warnings() {
        eprintln!("warning: {warning}");
    }
    match &arguments.explain {
        Some(asked) => explain(asked, &report, &assessment, arguments, now)?,
        None => write(&outputs, &report, &assessment, arguments, now)?,
    }
    if arguments.register {
        register(&report, arguments)?;
    }
    let applying = threshold::apply(&report, &assessment, arguments, now);
    for (_, reason) in &applying {
        eprintln!("pratique: {reason}");
    }
    let exits: Vec<Exit> = applying.iter().map(|(exit, _)| *exit).collect();
    Ok(Exit::first_of(&exits))
}

/// Takes the image in, and has its packages matched.
fn register(report: &IndexReport, arguments: &ScanArguments) -> Result<(), Failure> {
    let mut database = arguments.data.database.open_to_write()?;
    let registered = database.register_image(report, &[], Clock::system().now());
    let outcome = registered.map_err(|error| match &error {
        StoreError::Unidentified { .. } => Failure::new(Exit::Usage, error)
            .hint("only images that have a digest can be registered: no folders, no SBOMs"),
        _ => database::failed(error),
    })?;
    let what = match outcome {
        Registered::New => "registered",
        Registered::Changed => "registered anew",
        Registered::Unchanged => "registered already",
    };
    eprintln!("pratique: {what}: {}", report.target.reference);
    if let Some(words) = matching::words(matching::run_once(&database)?.as_ref()) {
        eprintln!("pratique: {words}");
    }
    Ok(())
}

/// Assesses, and once more if scores were missing that a fetch could bring.
fn assess(
    data: &mut Data,
    report: &IndexReport,
    arguments: &ScanArguments,
    progress: &Arc<Progress>,
    now: Timestamp,
) -> Result<Assessment, Failure> {
    let max_age = SignedDuration::try_from(arguments.max_age).unwrap_or(SignedDuration::MAX);
    let options = MatchOptions { max_age: Some(max_age) };
    let ask = |data: &Data| {
        pratique_matcher::assess(report, data.database(), &options, now)
            .map_err(|error| Failure::new(Exit::Failed, error))
    };
    let mut assessment = ask(data)?;
    if data.fetch_scores(&assessment, progress, now)? {
        assessment = ask(data)?;
    }
    let filters = Filters {
        severity_min: arguments.severity,
        only_fixed: arguments.only_fixed,
        ignored_statuses: arguments.ignore_status.clone(),
    };
    Ok(pratique_matcher::filter(assessment, &filters))
}

fn write(
    outputs: &[Output],
    report: &IndexReport,
    assessment: &Assessment,
    arguments: &ScanArguments,
    now: Timestamp,
) -> Result<(), Failure> {
    for output in outputs {
        let mut options = report_options(arguments, now);
        options.has_colour = output.is_coloured();
        if output.file.is_some() {
            options.width = None;
        }
        let answer = Answer::new(report, assessment, &options);
        let mut text = Vec::new();
        pratique_report::render(output.format, &answer, &mut text)
            .expect("writing to memory cannot fail");
        output.write(&text)?;
    }
    Ok(())
}

/// Tells why `ID[@PACKAGE]` is a finding; a name like `@scope/name` has an `@` of its own.
fn explain(
    asked: &str,
    report: &IndexReport,
    assessment: &Assessment,
    arguments: &ScanArguments,
    now: Timestamp,
) -> Result<(), Failure> {
    let (id, package) = match asked.split_once('@') {
        Some((id, package)) => (id, Some(package)),
        None => (asked, None),
    };
    let options = report_options(arguments, now);
    let answer = Answer::new(report, assessment, &options);
    match pratique_report::explain(&answer, id, package) {
        Some(text) => Output::standard(pratique_report::Format::Table).write(text.as_bytes()),
        None => {
            say!("{asked} is no finding here: {}", absence(report, assessment));
            Ok(())
        }
    }
}

/// What stands behind "no finding": how much was looked at.
fn absence(report: &IndexReport, assessment: &Assessment) -> String {
    let packages = counted(report.packages.len(), "package");
    let unassessed: usize = assessment.unassessed.iter().map(|one| one.package_count).sum();
    let findings = counted(assessment.findings.len() + assessment.suppressed.len(), "finding");
    format!("{packages}, {findings}, {} not assessed", counted(unassessed, "package"))
}

fn report_options(arguments: &ScanArguments, now: Timestamp) -> ReportOptions {
    ReportOptions {
        now: (!arguments.reproducible).then_some(now),
        is_reproducible: arguments.reproducible,
        shows_suppressed: arguments.show_suppressed,
        width: terminal_width(),
        has_colour: false,
    }
}

/// The width of the terminal on standard output; `None` when it is no terminal.
pub(crate) fn terminal_width() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))
}
