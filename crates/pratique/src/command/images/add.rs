//! `pratique images add`: registers images by the reports that scans wrote.
//!
//! All files are read and checked first, so that a bad one is known before anything is written;
//! then they are read again and registered a few at a time, since the reports of a fleet do not
//! fit into memory. Standard input is the exception: it is kept.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use pratique_clockwork::Clock;
use pratique_model::IndexReport;
use pratique_report::{SBOM_BYTES_MAX, counted};
use pratique_store::{Database, RegisterOptions, Registered, Registration, StoreError};

use crate::args::ImagesAddArguments;
use crate::database;
use crate::exit::{Exit, Failure};
use crate::matching;
use crate::say::say;

/// How many reports are registered in one transaction.
const BATCH_REPORTS: usize = 100;

/// Up to how many packages; whichever is reached first.
const BATCH_PACKAGES: usize = 100_000;

/// What became of the reports.
#[derive(Default)]
struct Counts {
    new: usize,
    changed: usize,
    unchanged: usize,
}

/// Runs the command.
pub(super) fn run(arguments: &ImagesAddArguments) -> Result<Exit, Failure> {
    let mut input = None;
    let mut is_bad = false;
    for path in &arguments.reports {
        match read(path) {
            Ok(report) if path.as_os_str() == "-" => input = Some(report),
            Ok(_) => {}
            Err(failure) => {
                is_bad = true;
                crate::exit::explain(&failure);
            }
        }
    }
    if is_bad {
        return Err(Failure::usage("nothing was registered")
            .hint("reports are made by `pratique scan IMAGE -o json`"));
    }
    let mut database = arguments.database.open_to_write()?;
    let mut counts = Counts::default();
    let mut batch: Vec<IndexReport> = Vec::new();
    for path in &arguments.reports {
        batch.push(if path.as_os_str() == "-" {
            input.clone().expect("it was read above")
        } else {
            read(path)?
        });
        let package_count: usize = batch.iter().map(|report| report.packages.len()).sum();
        if batch.len() >= BATCH_REPORTS || package_count >= BATCH_PACKAGES {
            register(&mut database, &std::mem::take(&mut batch), &mut counts)?;
        }
    }
    register(&mut database, &batch, &mut counts)?;
    let Counts { new, changed, unchanged } = counts;
    say!("{}: {new} new, {changed} changed, {unchanged} unchanged", {
        counted(new + changed + unchanged, "image")
    });
    let progress = matching::run_once(&database)?;
    if let Some(words) = matching::words(progress.as_ref()) {
        say!("{words}");
    }
    Ok(Exit::Clean)
}

fn register(
    database: &mut Database,
    reports: &[IndexReport],
    counts: &mut Counts,
) -> Result<(), Failure> {
    let registrations: Vec<Registration<'_>> =
        reports.iter().map(|report| Registration { report, references: &[] }).collect();
    let options = RegisterOptions { now: Clock::system().now(), keep_reports: true };
    let outcomes = database.register_images(&registrations, &options).map_err(database::failed)?;
    for outcome in outcomes {
        match outcome {
            Registered::New => counts.new += 1,
            Registered::Changed => counts.changed += 1,
            Registered::Unchanged => counts.unchanged += 1,
        }
    }
    Ok(())
}

/// Reads one report of an image.
fn read(path: &Path) -> Result<IndexReport, Failure> {
    let name = if path.as_os_str() == "-" {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    };
    let bad = |error: anyhow::Error| Failure::new(Exit::Usage, error.context(name.clone()));
    let mut bytes = Vec::new();
    let limit = SBOM_BYTES_MAX + 1;
    if path.as_os_str() == "-" {
        io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    }
    .map_err(|error| bad(error.into()))?;
    if bytes.len() as u64 > SBOM_BYTES_MAX {
        return Err(bad(anyhow::anyhow!("larger than {SBOM_BYTES_MAX} bytes")));
    }
    let report = pratique_report::parse_report(&bytes).map_err(|error| bad(error.into()))?;
    if report.target.digest.is_none() && report.target.image_id.is_none() {
        let reference = report.target.reference.clone();
        return Err(bad(StoreError::Unidentified { reference }.into()));
    }
    Ok(report)
}
