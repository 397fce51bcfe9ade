//! How long it takes to compare two versions, to make a sort key and to ask a range, by scheme.
//!
//! Pairs are of the kind that matching meets: an installed version and a fixed one of the same
//! package, nearly equal. `cargo bench -p pratique-version`.

use divan::{Bencher, black_box};
use pratique_version::{Requirement, Scheme};

const PAIRS: [(Scheme, &str, &str); 11] = [
    (Scheme::Deb, "2.36-9+deb12u4", "2.36-9+deb12u14"),
    (Scheme::Apk, "3.0.12-r4", "3.0.12-r5"),
    (Scheme::Rpm, "1:1.12.8-14.el8", "1:1.12.8-18.el8_6.1"),
    (Scheme::Pypi, "2.31.0", "2.32.0rc1"),
    (Scheme::Semver, "1.2.3", "1.2.4-alpha.1"),
    (Scheme::Npm, "4.17.20", "4.17.21"),
    (Scheme::Golang, "v0.0.0-20220314234659-1baeb1ce4c0b", "v0.0.0-20220525230936-793ad666bf5e"),
    (Scheme::Maven, "2.14.1", "2.15.0-rc1"),
    (Scheme::Gem, "2.3.14", "3.0.4.rc1"),
    (Scheme::Nuget, "13.0.1", "13.0.2-beta1"),
    (Scheme::Composer, "v5.4.19", "5.4.20"),
];

const RANGES: [(Scheme, &str, &str); 6] = [
    (Scheme::Pypi, ">=2.0,!=2.31.*,<3", "2.32.0"),
    (Scheme::Npm, "^4.17.0 || >=5.0.0-rc.1 <6", "4.17.21"),
    (Scheme::Semver, ">=1.0, <1.2.3", "1.2.2"),
    (Scheme::Maven, "[2.0,2.3.1),[2.4,2.15.0)", "2.14.1"),
    (Scheme::Gem, "~> 2.3.14", "2.3.15"),
    (Scheme::Composer, "^5.4 || ~4.3.1", "v5.4.19"),
];

fn main() {
    divan::main();
}

type Row = (Scheme, &'static str, &'static str);

fn row(rows: &[Row], scheme: Scheme) -> Row {
    *rows.iter().find(|row| row.0 == scheme).expect("every argument is of a row")
}

#[divan::bench(args = PAIRS.map(|(scheme, ..)| scheme))]
fn compare(bencher: Bencher<'_, '_>, scheme: Scheme) {
    let (_, left, right) = row(&PAIRS, scheme);
    bencher.bench(|| black_box(scheme).compare(black_box(left), black_box(right)));
}

#[divan::bench(args = PAIRS.map(|(scheme, ..)| scheme))]
fn key(bencher: Bencher<'_, '_>, scheme: Scheme) {
    let (_, _, version) = row(&PAIRS, scheme);
    bencher.bench(|| black_box(scheme).key(black_box(version)));
}

#[divan::bench(args = RANGES.map(|(scheme, ..)| scheme))]
fn matches(bencher: Bencher<'_, '_>, scheme: Scheme) {
    let (_, text, version) = row(&RANGES, scheme);
    let range = Requirement::parse(scheme, text).expect("the range is valid");
    bencher.bench(|| range.matches(black_box(version)));
}
