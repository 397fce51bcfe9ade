//! What random tests draw from.

use pratique_clockwork::Random;

/// Numbers from the seed of this run: that of the environment's `SEED`, else one of the moment. It
/// is printed and given.
#[allow(clippy::print_stderr, reason = "a random test prints its seed")]
pub(crate) fn random() -> (u64, Random) {
    let given = std::env::var("SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| Random::from_system().next_number());
    eprintln!("seed {seed}: SEED={seed} repeats what was drawn");
    (seed, Random::from_seed(seed))
}
