//! The CVEs that all feeds speak of, so that they speak of the same ones.

use std::ops::Range;

/// The first year of NVD's files; what is older stands there.
const FIRST_YEAR: u16 = 2002;

/// How many of 10,000 CVEs each year from 2002 has, as NVD's files had them in the middle of 2025
/// and the two newest ones as they went on since.
const PER_YEAR: [u64; 25] = [
    186, 43, 75, 130, 196, 183, 199, 139, 142, 133, 155, 174, 235, 230, 292, 460, 480, 475, 570,
    650, 730, 860, 1_120, 1_250, 893,
];

/// A number of CVEs, spread over the years.
pub(super) struct Cves {
    /// The number of the first one of each year, and after them how many there are.
    firsts: Vec<u64>,
}

impl Cves {
    pub(super) fn new(count: u64) -> Self {
        let mut firsts = vec![0];
        for index in 0..PER_YEAR.len() {
            firsts.push(firsts[index] + super::share(count, &PER_YEAR, index));
        }
        Self { firsts }
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.firsts[PER_YEAR.len()]
    }

    /// The years, oldest first, each with the numbers of its CVEs.
    pub(super) fn years(&self) -> impl Iterator<Item = (u16, Range<u64>)> {
        (FIRST_YEAR..).zip(self.firsts.windows(2).map(|pair| pair[0]..pair[1]))
    }

    /// The name of the `index`-th.
    ///
    /// # Panics
    /// When there are not so many.
    pub(super) fn name(&self, index: u64) -> String {
        assert!(index < self.count(), "{index} of {}", self.count());
        let year = self.firsts.partition_point(|first| *first <= index) - 1;
        // Some numbers of a year were never given to anybody.
        let serial = 1_000 + (index - self.firsts[year]) * 3 / 2;
        format!("CVE-{}-{serial:04}", usize::from(FIRST_YEAR) + year)
    }

    /// The `number`-th of `count` that lie evenly among all.
    pub(super) fn spread(&self, number: u64, count: u64) -> u64 {
        number * self.count() / count.max(1)
    }
}
