//! `pratique index-image`: the process in which an agent has one image read.
//!
//! It limits itself before anything is opened and writes the report to standard output.

use pratique_image::{OpenOptions, ReadOptions};
use pratique_model::Assessment;
use pratique_report::{Answer, Format, Options};
use pratique_scan::ScanOptions;

use crate::args::IndexImageArguments;
use crate::exit::{Exit, Failure};
use crate::say;

/// Runs the command.
pub(crate) fn run(arguments: &IndexImageArguments) -> Result<Exit, Failure> {
    let failed = |error: anyhow::Error| Failure::new(Exit::Failed, error);
    pratique_scan::indexer::confine(arguments.memory_max)
        .map_err(|error| failed(anyhow::Error::from(error).context("limiting this process")))?;
    let options = OpenOptions {
        containerd_address: Some(arguments.containerd_address.clone()),
        ..OpenOptions::default()
    };
    let target = format!("containerd:{}", arguments.image);
    let image = pratique_image::open(&target, &options).map_err(|error| failed(error.into()))?;
    // One core is enough for what disturbs nobody.
    let read = ReadOptions { jobs: std::num::NonZeroUsize::MIN, ..ReadOptions::default() };
    let report = pratique_scan::scan(&image, &ScanOptions { read, cache: None })
        .map_err(|error| failed(error.into()))?;
    let assessment = Assessment::default();
    let options = Options { is_reproducible: true, ..Options::default() };
    let answer = Answer::new(&report, &assessment, &options);
    let mut text = Vec::new();
    pratique_report::render(Format::Json, &answer, &mut text)
        .expect("writing to memory cannot fail");
    say::bytes(&text)?;
    Ok(Exit::Clean)
}
