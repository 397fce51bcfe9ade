//! Makes the images that `cargo xtask bench` scans, and does the least that reading one can cost.
//!
//! `write SHAPE FILE` makes an image, `floor FILE` reads one. Images follow from a seed alone, so
//! that figures of two days compare; they are written as they are made, never held in memory.

use std::env;
use std::io;
use std::path::Path;
use std::process::ExitCode;

mod archive;
mod content;
mod floor;
mod jar;
mod noise;
mod shape;

const USAGE: &str = "usage: bench-image write small|one|many|plain|folder FILE | floor FILE";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["write", shape, file] => shape::write(shape, Path::new(file)),
        ["floor", file] => floor::read(Path::new(file)),
        _ => Err(io::Error::other(USAGE)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "a program that is not shipped says why it ends")]
fn complain(error: &io::Error) {
    eprintln!("bench-image: {error}");
}
