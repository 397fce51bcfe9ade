//! Compares reading an image with the least that it can cost: inflating, walking the tar stream,
//! hashing both sides.
//!
//! `cargo bench -p pratique-image` prints one line for every image and way to read it; every figure
//! is the best of three processes of their own, so that memory is that of the reading alone.
//! `PRATIQUE_BENCH_IMAGES` names a folder that keeps the generated images between runs.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use flate2::bufread::MultiGzDecoder;
use pratique_image::{Content, FileInfo, NoCache, OpenOptions, ReadOptions, Reader, open};
use pratique_model::Partial;
use pratique_testkit::image::{Compression, LargeImage, write_empty_files, write_small_files};
use sha2::{Digest, Sha256};

/// Processes per figure.
const RUNS: usize = 3;

/// Keeps the length of files that a scan would look at: one in sixty-four by name.
struct Few;

impl Reader for Few {
    type Value = u64;

    fn wants(&self, file: &FileInfo<'_>) -> bool {
        file.path.ends_with("64")
    }

    fn read(
        &self,
        _: &FileInfo<'_>,
        content: &mut Content<'_>,
        _: &mut Vec<Partial>,
    ) -> Option<u64> {
        content.read_rest(1 << 20).ok()?.map(|bytes| bytes.len() as u64)
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, "measured", way, image] => measured(way, Path::new(image)),
        _ => compare(),
    }
}

#[expect(clippy::print_stdout, reason = "a benchmark's answer is its output")]
fn compare() {
    let kept = std::env::var_os("PRATIQUE_BENCH_IMAGES").map(PathBuf::from);
    let temporary = tempfile::tempdir().expect("a folder");
    let folder = kept.as_deref().unwrap_or(temporary.path());
    let megabyte = 1_000_000;
    let image = |layer_count, layer_bytes, compression| LargeImage {
        seed: 3,
        layer_count,
        layer_bytes,
        file_bytes: 20_000,
        compression,
    };
    let images = [
        ("gzip-1", image(1, 620 * megabyte, Compression::Gzip)),
        ("gzip-4", image(4, 155 * megabyte, Compression::Gzip)),
        ("plain-1", image(1, 400 * megabyte, Compression::Plain)),
        ("zstd-4", image(4, 155 * megabyte, Compression::Zstd)),
        ("gzip-small", image(1, 7 * megabyte, Compression::Gzip)),
    ];
    println!("image       way         wall s   CPU s   peak MB");
    for (name, image) in images {
        let path = folder.join(name);
        if !path.join("index.json").exists() {
            image.write(&path).expect("the image is written");
        }
        for way in ["inflate", "and-hash", "ours-1", "ours"] {
            if image.compression != Compression::Gzip && way == "inflate" {
                continue;
            }
            if image.compression == Compression::Zstd && way == "and-hash" {
                continue;
            }
            print_best(name, way, &path);
        }
    }
    let many = folder.join("empty-3m");
    if !many.join("index.json").exists() {
        write_empty_files(&many, 3_000_000).expect("the image is written");
    }
    let root = folder.join("root-57k");
    if !root.join("usr").exists() {
        write_small_files(&root, 57_000).expect("the files are written");
    }
    for (name, way, path) in
        [("empty-3m", "and-hash", &many), ("empty-3m", "ours", &many), ("root-57k", "ours", &root)]
    {
        print_best(name, way, path);
    }
}

#[expect(clippy::print_stdout, reason = "a benchmark's answer is its output")]
fn print_best(name: &str, way: &str, path: &Path) {
    let runs: Vec<[f64; 3]> = (0..RUNS).map(|_| run(way, path)).collect();
    let best = |index: usize| runs.iter().map(|run| run[index]).fold(f64::MAX, f64::min);
    println!("{name:<11} {way:<9} {:8.3} {:7.3} {:9.1}", best(0), best(1), best(2));
}

fn run(way: &str, image: &Path) -> [f64; 3] {
    let program = std::env::current_exe().expect("a program has a path");
    let output = Command::new(program).args(["measured", way]).arg(image).output();
    let output = output.expect("the program runs again");
    let text = String::from_utf8_lossy(&output.stdout);
    let figures: Vec<f64> = text.split_whitespace().filter_map(|text| text.parse().ok()).collect();
    <[f64; 3]>::try_from(figures).unwrap_or_else(|_| {
        panic!("{way}: {}", String::from_utf8_lossy(&output.stderr));
    })
}

#[expect(clippy::print_stdout, reason = "the parent reads it")]
#[expect(clippy::disallowed_methods, reason = "a benchmark measures")]
fn measured(way: &str, image: &Path) {
    let begin = Instant::now();
    match way {
        "inflate" => floor(image, false),
        "and-hash" => floor(image, true),
        "ours-1" => ours(image, 1),
        _ => ours(image, 0),
    }
    let wall = begin.elapsed().as_secs_f64();
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    #[expect(clippy::cast_precision_loss, reason = "nanoseconds are exact enough")]
    let cpu = used.tv_sec as f64 + used.tv_nsec as f64 / 1e9;
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next());
    let peak: f64 = peak.and_then(|text| text.parse().ok()).expect("a number of kilobytes");
    println!("{wall} {cpu} {}", peak * 1024.0 / 1e6);
}

fn ours(image: &Path, jobs: usize) {
    let mut options = ReadOptions::default();
    if let Some(jobs) = std::num::NonZero::new(jobs) {
        options.jobs = jobs;
    }
    let image = open(image.to_str().expect("plain name"), &OpenOptions::default()).expect("opens");
    let view = image.read_all(&Few, &options, &NoCache).expect("reads");
    assert!(!view.is_empty() && view.partial().is_empty(), "{view:?}");
}

/// The least: every layer inflated by the same library and gone through by the sizes in its
/// headers.
fn floor(image: &Path, hashes: bool) {
    for entry in image.join("blobs/sha256").read_dir().expect("a layout") {
        let path = entry.expect("reads").path();
        let file = File::open(&path).expect("opens");
        if file.metadata().expect("known").len() < 1_000_000 {
            continue;
        }
        let mut head = [0; 2];
        File::open(&path).expect("opens").read_exact(&mut head).expect("long enough");
        let mut stored = Hashed { inner: file, hash: hashes.then(Sha256::new) };
        if head == [0x1f, 0x8b] {
            let plain = MultiGzDecoder::new(BufReader::with_capacity(128 * 1024, &mut stored));
            walk(Hashed { inner: plain, hash: hashes.then(Sha256::new) });
        } else {
            walk(&mut stored);
        }
    }
}

struct Hashed<R> {
    inner: R,
    hash: Option<Sha256>,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(out)?;
        if let Some(hash) = &mut self.hash {
            hash.update(&out[..count]);
        }
        Ok(count)
    }
}

/// Goes from header to header.
fn walk(mut plain: impl Read) {
    let mut buffer = vec![0; 128 * 1024];
    let (mut skip, mut header, mut filled, mut entries) = (0_usize, [0; 512], 0, 0_u64);
    loop {
        let count = plain.read(&mut buffer).expect("reads");
        if count == 0 {
            break;
        }
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            if skip > 0 {
                let passed = skip.min(rest.len());
                skip -= passed;
                rest = &rest[passed..];
                continue;
            }
            let taken = (512 - filled).min(rest.len());
            header[filled..filled + taken].copy_from_slice(&rest[..taken]);
            filled += taken;
            rest = &rest[taken..];
            if filled == 512 {
                filled = 0;
                let digits = header[124..135].iter().filter(|digit| digit.is_ascii_digit());
                let size = digits.fold(0, |size, digit| size * 8 + usize::from(digit - b'0'));
                skip = size.next_multiple_of(512);
                entries += 1;
            }
        }
    }
    assert!(entries > 10, "no tar stream");
}
