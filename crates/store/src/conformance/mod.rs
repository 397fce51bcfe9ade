//! What every backend must do: one list of cases, each written once.
//!
//! A backend is a way to make an empty database and to open it once more for reading. Every case is
//! run against every backend; a failure names both.

mod applying;
mod asking;
mod balance;
mod changing;
mod fencing;
mod guarding;
mod leasing;
mod matching;
mod random;
mod registering;
pub(crate) mod sample;

use std::path::PathBuf;

use tempfile::TempDir;

use crate::{Access, Database};

/// One case.
struct Case {
    name: &'static str,
    run: fn(&mut Database),
}

/// A place for databases to be tried in.
enum Backend {
    Memory,
    Disk,
}

/// All cases.
fn cases() -> impl Iterator<Item = &'static Case> {
    applying::CASES
        .iter()
        .chain(asking::CASES)
        .chain(changing::CASES)
        .chain(fencing::CASES)
        .chain(guarding::CASES)
        .chain(leasing::CASES)
        .chain(registering::CASES)
        .chain(matching::CASES)
        .chain(random::CASES)
}

macro_rules! list {
    ($($case:ident),* $(,)?) => {
        &[$(crate::conformance::Case { name: stringify!($case), run: $case }),*]
    };
}
use list;

impl Backend {
    const ALL: [Self; 2] = [Self::Memory, Self::Disk];

    const fn name(&self) -> &'static str {
        match self {
            Self::Memory => "SQLite in memory",
            Self::Disk => "SQLite on disk",
        }
    }

    fn empty(&self) -> (Database, Option<TempDir>) {
        match self {
            Self::Memory => (Database::in_memory().expect("memory"), None),
            Self::Disk => {
                let folder = tempfile::tempdir().expect("a folder");
                let path: PathBuf = folder.path().join("db.sqlite");
                (Database::open(&path, Access::ReadWrite).expect("a new file"), Some(folder))
            }
        }
    }
}

#[test]
fn every_backend_passes_every_case() {
    let mut failures = Vec::new();
    for backend in Backend::ALL {
        for case in cases() {
            let (mut database, _folder) = backend.empty();
            let run = std::panic::AssertUnwindSafe(|| {
                (case.run)(&mut database);
                sample::assert_whole(&database);
                balance::assert_balanced(&database);
            });
            if std::panic::catch_unwind(run).is_err() {
                failures.push(format!("{}: {}", backend.name(), case.name));
            }
        }
    }
    assert!(failures.is_empty(), "failed (the reasons stand above): {failures:#?}");
}
