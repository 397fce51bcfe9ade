//! Numbers that need not be secret: for jitter, not for keys or tokens.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

/// A sequence of evenly spread numbers (SplitMix64, Steele, Lea and Flood, OOPSLA 2014).
///
/// The same seed gives the same sequence, so a test that prints its seed can be repeated.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The sequence of a seed.
    pub const fn from_seed(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A sequence of its own for each call and each process: seeded from the keys that the
    /// standard library draws for its hash maps.
    pub fn from_system() -> Self {
        Self::from_seed(RandomState::new().build_hasher().finish())
    }

    /// The next number.
    pub const fn next_number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_sequence_and_the_system_gives_others() {
        let sequence = |mut random: Random| [random.next_number(), random.next_number()];
        assert_eq!(sequence(Random::from_seed(7)), sequence(Random::from_seed(7)));
        assert_ne!(sequence(Random::from_seed(7)), sequence(Random::from_seed(8)));
        assert_ne!(sequence(Random::from_system()), sequence(Random::from_system()));
    }

    #[test]
    fn numbers_are_those_of_the_published_generator() {
        let mut random = Random::from_seed(1_234_567);
        assert_eq!(random.next_number(), 6_457_827_717_110_365_317);
        assert_eq!(random.next_number(), 3_203_168_211_198_807_973);
    }
}
