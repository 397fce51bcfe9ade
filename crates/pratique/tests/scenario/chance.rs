//! Chance that can be repeated: a seed, printed, and even numbers from it.

use std::hash::{BuildHasher as _, RandomState};
use std::time::SystemTime;

/// The seed of this run: that of the environment's `SEED`, else one of the moment. It is printed.
pub(crate) fn seed() -> u64 {
    let given = std::env::var("SEED").ok().and_then(|text| text.parse().ok());
    #[expect(clippy::disallowed_methods, reason = "any number will do")]
    let now = SystemTime::now;
    let seed = given.unwrap_or_else(|| RandomState::new().hash_one(now()) >> 32);
    eprintln!("seed {seed}: SEED={seed} repeats the delays");
    seed
}

/// An evenly spread number (the finaliser of SplitMix64).
pub(crate) fn mixed(seed: u64, round: u64) -> u64 {
    let mut mixed = seed.wrapping_add(round.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
