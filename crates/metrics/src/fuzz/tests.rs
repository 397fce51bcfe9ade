//! Each target over its seeds, and over what a few changed bytes make of them.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::*;

/// The seeds of a target, which the fuzzer starts with too.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
    let entries = fs::read_dir(root.join(target)).expect("each target has seeds");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let seeds: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).expect("a seed")).collect();
    assert!(!seeds.is_empty(), "{target}");
    seeds
}

#[track_caller]
fn check(target: &str, function: fn(&[u8])) {
    let seeds = seeds(target);
    for seed in &seeds {
        function(seed);
    }
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8);
    let cut = any::<prop::sample::Index>();
    proptest!(|(seed in prop::sample::select(seeds), changes in changes, cut in cut)| {
        let mut data = seed;
        for (index, byte) in changes {
            if !data.is_empty() {
                let index = index.index(data.len());
                data[index] = byte;
            }
        }
        function(&data);
        function(&data[..cut.index(data.len() + 1)]);
    });
}

#[test]
fn every_target_holds_for_its_seeds_and_what_is_near() {
    check("state_file", state_file);
    check("file_name", file_name);
    check("reply", reply);
    check("verifier", verifier);
    check("exposition", exposition);
    check("query", query);
}
