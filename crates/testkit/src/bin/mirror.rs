//! Writes a mirror of generated feeds: `mirror small|baseline|full FOLDER`.
//!
//! `pratique db update --mirror file://FOLDER` reads it. What was written is told feed by feed.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that is not shipped")]

use std::env;
use std::path::Path;
use std::process::ExitCode;

use pratique_testkit::mirror::{self, FeedSize, Scale};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (scale, folder) = match arguments.as_slice() {
        [scale, folder] => (Scale::parse(scale), folder),
        _ => (None, &String::new()),
    };
    let Some(scale) = scale else {
        eprintln!("usage: mirror small|baseline|full FOLDER");
        return ExitCode::from(2);
    };
    match mirror::write(scale, mirror::SEED, Path::new(folder)) {
        Ok(feeds) => {
            tell(&feeds);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("mirror: {folder}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn tell(feeds: &[FeedSize]) {
    let mut sum = FeedSize { feed: "all", ..FeedSize::default() };
    println!("| feed | files | entries | MB | packed MB |\n|---|---|---|---|---|");
    for feed in feeds {
        sum.file_count += feed.file_count;
        sum.record_count += feed.record_count;
        sum.plain_bytes += feed.plain_bytes;
        sum.packed_bytes += feed.packed_bytes;
        row(feed);
    }
    row(&sum);
}

fn row(feed: &FeedSize) {
    let FeedSize { feed: name, file_count, record_count, .. } = feed;
    let (plain, packed) = (feed.plain_bytes as f64 / 1e6, feed.packed_bytes as f64 / 1e6);
    println!("| {name} | {file_count} | {record_count} | {plain:.1} | {packed:.1} |");
}
