//! From what the user named to an inventory: an image, a folder, or an SBOM.

use std::fs::File;
use std::io::{self, Read};

use pratique_image::{ErrorKind, ImageError, OpenOptions, ReadOptions};
use pratique_model::IndexReport;
use pratique_report::SBOM_BYTES_MAX;
use pratique_scan::{Cache, ScanError, ScanOptions};

use crate::args::ScanArguments;
use crate::exit::{Exit, Failure};
use crate::paths;

/// Reads the target named on the command line.
pub(super) fn read(arguments: &ScanArguments) -> Result<IndexReport, Failure> {
    match arguments.target.strip_prefix("sbom:") {
        Some(file) => sbom(file),
        None => image(arguments),
    }
}

fn image(arguments: &ScanArguments) -> Result<IndexReport, Failure> {
    let options = OpenOptions {
        platform: arguments.platform.clone(),
        containerd_address: arguments.containerd_address.clone(),
    };
    let image = pratique_image::open(&arguments.target, &options).map_err(open_failure)?;
    let folder = arguments.data.cache_dir.clone().or_else(paths::default_cache);
    let cache = folder.map(|folder| Cache::new(&folder));
    let options = ScanOptions { read: read_options(arguments), cache: cache.as_ref() };
    pratique_scan::scan(&image, &options).map_err(|error| {
        let ScanError::Read { source, .. } = &error;
        let exit = exit_of(source.kind());
        Failure::new(exit, error)
    })
}

fn read_options(arguments: &ScanArguments) -> ReadOptions {
    let limits = &arguments.limits;
    let mut options = ReadOptions::default();
    options.limits.expanded_bytes_max = limits.max_expanded_size;
    options.limits.entries_max = limits.max_entries;
    options.limits.path_bytes_max = usize::try_from(limits.max_path_bytes).unwrap_or(usize::MAX);
    options.limits.file_bytes_max = limits.max_file_size;
    if let Some(jobs) = arguments.jobs {
        options.jobs = jobs;
    }
    options
}

fn open_failure(error: ImageError) -> Failure {
    let hint = error.hint();
    let failure = Failure::new(exit_of(error.kind()), error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn exit_of(kind: ErrorKind) -> Exit {
    match kind {
        ErrorKind::Usage => Exit::Usage,
        ErrorKind::NotFound => Exit::NotFound,
        ErrorKind::Broken => Exit::Failed,
    }
}

fn sbom(file: &str) -> Result<IndexReport, Failure> {
    let reference = format!("sbom:{file}");
    let mut bytes = Vec::new();
    let limit = SBOM_BYTES_MAX + 1;
    if file == "-" {
        io::stdin().lock().take(limit).read_to_end(&mut bytes).map_err(|error| {
            let error = anyhow::Error::from(error).context("standard input: reading");
            Failure::new(Exit::Failed, error)
        })?;
    } else {
        let opened = File::open(file).and_then(|file| file.take(limit).read_to_end(&mut bytes));
        opened.map_err(|error| {
            let exit = match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Exit::NotFound,
                _ => Exit::Failed,
            };
            Failure::new(exit, anyhow::Error::from(error).context(format!("{reference}: reading")))
        })?;
    }
    let mut report = pratique_report::parse_sbom(&bytes, &reference).map_err(|error| {
        let error = anyhow::Error::from(error).context(reference.clone());
        Failure::new(Exit::Failed, error)
            .hint("understood are CycloneDX JSON 1.4 to 1.6 and `pratique scan -o json`")
    })?;
    if let Some(distro) = &mut report.distro {
        distro.eol = distro.eol.or_else(|| pratique_scan::end_of_life(distro));
    }
    Ok(report)
}
