//! How fast documents are unpacked and checked: `cargo bench -p pratique-fetch`.
//!
//! Every zip and gzip file of the corpus (`PRATIQUE_CORPUS`) that is larger than a megabyte,
//! through the client and from the page cache, on one core, best of five.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![allow(clippy::disallowed_methods, reason = "a benchmark times")]

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pratique_clockwork::Clock;
use pratique_fetch::{Client, Config, Container, Outcome, UnpackLimits};

/// Smaller files are too quick to be timed.
const BYTES_MIN: u64 = 1 << 20;

fn main() {
    let Some(corpus) = std::env::var_os("PRATIQUE_CORPUS") else {
        println!("SKIPPED: PRATIQUE_CORPUS is not set");
        return;
    };
    let mut paths = Vec::new();
    collect(&Path::new(&corpus).join("feeds"), &mut paths).expect("the corpus is read");
    paths.sort();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let spool = std::env::temp_dir();
    let client = Client::try_new(Config::new(spool), Clock::system()).expect("a client");
    println!("hash ms  unpack ms  packed MB  unpacked MB   files  MB/s  document");
    for path in paths {
        let container = match path.extension().and_then(|it| it.to_str()) {
            Some("zip") => Container::Zip,
            Some("gz") if path.to_string_lossy().ends_with(".tar.gz") => Container::TarGz,
            _ => Container::Gzip,
        };
        report(&runtime, &client, &path, container);
    }
}

fn report(runtime: &tokio::runtime::Runtime, client: &Client, path: &Path, container: Container) {
    let (mut hash, mut unpack) = (Duration::MAX, Duration::MAX);
    let (mut packed, mut unpacked, mut files) = (0, 0, 0);
    for _ in 0..5 {
        let start = Instant::now();
        let fetched = runtime.block_on(client.fetch(&format!("file://{}", path.display()), None));
        let Ok(Outcome::Body(mut document)) = fetched else { panic!("{fetched:?}") };
        hash = hash.min(start.elapsed());
        (packed, unpacked, files) = (document.length(), 0, 0);
        let start = Instant::now();
        let result = document.unpack(container, &UnpackLimits::FEEDS, &mut |entry| {
            files += 1;
            unpacked += io::copy(entry.content(), &mut io::sink())?;
            Ok::<(), io::Error>(())
        });
        result.expect("the document is whole");
        unpack = unpack.min(start.elapsed());
    }
    println!(
        "{:7.1} {:10.1} {:10.1} {:12.1} {files:7} {:5.0}  {}",
        hash.as_secs_f64() * 1e3,
        unpack.as_secs_f64() * 1e3,
        packed as f64 / 1e6,
        unpacked as f64 / 1e6,
        unpacked as f64 / 1e6 / unpack.as_secs_f64(),
        path.display(),
    );
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), paths)?;
        } else if entry.metadata()?.len() >= BYTES_MIN
            && entry.path().extension().is_some_and(|it| it == "zip" || it == "gz")
        {
            paths.push(entry.path());
        }
    }
    Ok(())
}
