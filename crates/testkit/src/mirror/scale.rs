//! How large each feed is.
//!
//! `full` is what the publishers have in 2026. Where the number comes from stands beside it; what
//! nobody publishes is an estimate and says so.

/// A set of sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// A few thousand entries, for tests and trials.
    Small,
    /// 257,488 entries in 372 MB, besides KEV and EPSS: what other scanners' databases were
    /// measured with.
    Baseline,
    /// What the publishers have in 2026.
    Full,
}

impl Scale {
    /// The scale of a name: `small`, `baseline`, `full`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "small" => Some(Self::Small),
            "baseline" => Some(Self::Baseline),
            "full" => Some(Self::Full),
            _ => None,
        }
    }

    pub(super) fn sizes(self) -> Sizes {
        match self {
            Self::Small => SMALL,
            Self::Baseline => BASELINE,
            Self::Full => FULL,
        }
    }
}

/// Entries of each feed, and what decides how long they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// CVEs in all that anybody speaks of.
    pub(super) cves: u64,
    /// Entries of Debian's tracker: a package's CVE.
    pub(super) debian: u64,
    /// Files of Ubuntu's tracker, those of the kernel included.
    pub(super) ubuntu: u64,
    /// Of these, the ones about the kernel, which speak of each of its flavours.
    pub(super) ubuntu_kernel: u64,
    /// Pairs of a package and an id in Alpine's secdb, all branches together.
    pub(super) alpine: u64,
    /// The same of Wolfi.
    pub(super) wolfi: u64,
    /// The same of Chainguard.
    pub(super) chainguard: u64,
    /// Errata of AlmaLinux 8, 9 and 10.
    pub(super) almalinux: [u64; 3],
    /// Definitions of each of the three files of Azure Linux.
    pub(super) azurelinux: u64,
    /// Records of osv.dev's zips.
    pub(super) osv: [OsvSize; 9],
    /// CVEs in NVD's years.
    pub(super) nvd: u64,
    /// How many configurations an item of NVD lists at most.
    pub(super) nvd_matches: u64,
    /// Rows of EPSS.
    pub(super) epss: u64,
    /// Entries of KEV.
    pub(super) kev: u64,
}

/// The records of one of osv.dev's zips.
#[derive(Clone, Copy, Debug)]
pub(super) struct OsvSize {
    /// osv.dev's name of the ecosystem.
    pub(super) ecosystem: &'static str,
    /// `osv/` and that name.
    pub(super) feed: &'static str,
    /// Records about flaws.
    pub(super) advisories: u64,
    /// Records about malicious packages.
    pub(super) malicious: u64,
    /// How many versions a record lists at most, besides its range; osv.dev adds them for
    /// ecosystems whose registry it reads.
    pub(super) versions: u64,
}

/// The publishers' sizes in August 2026.
///
/// CVEs and NVD: 297,211 in June 2025 (fkie-cad/nvd-json-data-feeds), 4,000 to 4,500 more a month.
/// EPSS and KEV: their files of August 2026. Debian: about 65 MB for 60,000 entries. Ubuntu: 33,126
/// files in April 2020, and since then what NVD grew by times the share that Ubuntu has packages
/// for (an estimate); of the kernel those that its own numbering authority has published since
/// 2024, some 4,000 a year. Alpine: edge and v3.17 as published, the others between them. Wolfi,
/// AlmaLinux, Azure Linux, Go's own records, `RustSec` and Bitnami: as published. npm: 142 MB
/// packed in November 2025 (google/osv.dev, issue 4343), nearly all malicious packages. The other
/// ecosystems: reviewed advisories by ecosystem as GitHub counts them, rounded, and what else
/// osv.dev has of them; estimates.
const FULL: Sizes = Sizes {
    cves: 361_000,
    debian: 60_000,
    ubuntu: 75_000,
    ubuntu_kernel: 12_000,
    alpine: 100_000,
    wolfi: 24_708,
    chainguard: 100_000,
    almalinux: [3_237, 1_783, 660],
    azurelinux: 2_400,
    osv: osv([
        (16_000, 10_000),
        (5_000, 215_000),
        (7_300, 200),
        (2_200, 100),
        (6_300, 50),
        (2_000, 1_200),
        (1_700, 900),
        (5_200, 50),
        (7_444, 0),
    ]),
    nvd: 350_000,
    nvd_matches: 16,
    epss: 360_143,
    kev: 1_662,
};

/// 257,488 entries without EPSS and KEV, 372 MB, as the files had with which other scanners'
/// databases were made; how they were spread over feeds is not known.
const BASELINE: Sizes = Sizes {
    cves: 361_000,
    debian: 50_000,
    ubuntu: 50_000,
    ubuntu_kernel: 200,
    alpine: 51_000,
    wolfi: 8_000,
    chainguard: 8_000,
    almalinux: [3_237, 1_783, 660],
    azurelinux: 2_400,
    osv: osv([
        (11_000, 1_000),
        (5_000, 9_700),
        (5_000, 0),
        (2_000, 0),
        (6_000, 0),
        (2_000, 0),
        (1_700, 0),
        (5_000, 0),
        (7_408, 0),
    ]),
    nvd: 21_800,
    nvd_matches: 4,
    epss: 360_143,
    kev: 1_662,
};

const SMALL: Sizes = Sizes {
    cves: 2_000,
    debian: 300,
    ubuntu: 200,
    ubuntu_kernel: 5,
    alpine: 300,
    wolfi: 100,
    chainguard: 100,
    almalinux: [12, 7, 3],
    azurelinux: 20,
    osv: osv([(40, 10), (20, 60), (20, 2), (10, 1), (20, 1), (10, 2), (10, 2), (10, 1), (20, 0)]),
    nvd: 500,
    nvd_matches: 8,
    epss: 1_500,
    kev: 30,
};

/// Advisories and malicious packages, in the order of the sources' parts.
const fn osv(counts: [(u64, u64); 9]) -> [OsvSize; 9] {
    [
        size("PyPI", "osv/PyPI", counts[0], 60),
        size("npm", "osv/npm", counts[1], 0),
        size("Go", "osv/Go", counts[2], 0),
        size("crates.io", "osv/crates.io", counts[3], 0),
        size("Maven", "osv/Maven", counts[4], 80),
        size("RubyGems", "osv/RubyGems", counts[5], 60),
        size("NuGet", "osv/NuGet", counts[6], 60),
        size("Packagist", "osv/Packagist", counts[7], 60),
        size("Bitnami", "osv/Bitnami", counts[8], 0),
    ]
}

const fn size(
    ecosystem: &'static str,
    feed: &'static str,
    (advisories, malicious): (u64, u64),
    versions: u64,
) -> OsvSize {
    OsvSize { ecosystem, feed, advisories, malicious, versions }
}
