//! What the tests of all language catalogers share: run one over bytes, and read its answer.

use std::io::Cursor;

use crate::cataloger::{Cataloger, Content, FileInfo, Found};

/// Runs a cataloger over one file of mode 0755; an error becomes a problem, as a scan does it.
pub(crate) fn catalog(cataloger: &dyn Cataloger, path: &str, bytes: &[u8]) -> Found {
    let size = bytes.len() as u64;
    let file = FileInfo { path, size, mode: 0o755 };
    let mut source = Cursor::new(bytes);
    let mut found = Found::default();
    if let Err(error) = cataloger.catalog(&file, Content::new(size, &mut source), &mut found) {
        found.problem(error.to_string());
    }
    found
}

/// Name and version of everything found.
pub(crate) fn packages(found: &Found) -> Vec<(&str, &str)> {
    found.packages.iter().map(|one| (one.name.as_str(), one.version.as_str())).collect()
}

/// A generator of repeatable noise (xorshift64*), for inputs that nobody thought of.
pub(crate) struct Noise(u64);

impl Noise {
    /// Starts at a seed, which the test prints when it fails.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).expect("below a usize")
    }
}

/// Catalogs many damaged copies of `bytes`: cut, and with a few bytes changed. Nothing may panic.
pub(crate) fn damage(cataloger: &dyn Cataloger, path: &str, bytes: &[u8], rounds: u64) {
    for seed in 0..rounds {
        let mut noise = Noise::new(seed);
        let mut copy = bytes.to_vec();
        for _ in 0..=noise.below(8) {
            let index = noise.below(copy.len());
            let value = noise.next().to_le_bytes()[0];
            copy[index] = if noise.below(2) == 0 { value } else { [0, 0xff][noise.below(2)] };
        }
        if noise.below(3) == 0 {
            copy.truncate(noise.below(copy.len()));
        }
        let found = catalog(cataloger, path, &copy);
        assert!(found.packages.len() < 100_000, "seed {seed}");
    }
}
