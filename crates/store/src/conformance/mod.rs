//! What every backend must do: one list of cases, each written once.
//!
//! A backend is a way to make an empty database and to open it once more for reading. Every case is
//! run against every backend; a failure names both.

mod applying;
mod asking;
pub(crate) mod balance;
mod catching_up;
mod changing;
mod fencing;
mod guarding;
mod indexing;
mod leasing;
pub(crate) mod matching;
mod noticing;
mod plans;
mod random;
mod registering;
mod retiring;
pub(crate) mod sample;
mod sharing;
mod writing;

use pratique_testkit::postgres::TestDatabase;
use tempfile::TempDir;

use crate::{Access, Database, Store};

/// One case.
struct Case {
    name: &'static str,
    run: fn(&mut Database),
}

/// A place for databases to be tried in.
enum Backend {
    Memory,
    Disk,
    Postgres,
}

/// An empty database; what it lies in goes with this.
pub(crate) struct Place {
    pub(crate) store: Option<Store>,
    pub(crate) database: Database,
    _folder: Option<TempDir>,
    pub(crate) server: Option<TestDatabase<'static>>,
}

/// All cases.
fn cases() -> impl Iterator<Item = &'static Case> {
    applying::CASES
        .iter()
        .chain(asking::CASES)
        .chain(catching_up::CASES)
        .chain(changing::CASES)
        .chain(fencing::CASES)
        .chain(guarding::CASES)
        .chain(indexing::CASES)
        .chain(leasing::CASES)
        .chain(registering::CASES)
        .chain(matching::CASES)
        .chain(noticing::CASES)
        .chain(random::CASES)
        .chain(retiring::CASES)
        .chain(writing::CASES)
}

macro_rules! list {
    ($($case:ident),* $(,)?) => {
        &[$(crate::conformance::Case { name: stringify!($case), run: $case }),*]
    };
}
use list;

impl Backend {
    const ALL: [Self; 3] = [Self::Memory, Self::Disk, Self::Postgres];

    const fn name(&self) -> &'static str {
        match self {
            Self::Memory => "SQLite in memory",
            Self::Disk => "SQLite on disk",
            Self::Postgres => "PostgreSQL",
        }
    }

    /// An empty database; `None`, said loudly, where there is no such backend.
    fn empty(&self) -> Option<Place> {
        match self {
            Self::Memory => {
                let database = Database::in_memory().expect("memory");
                Some(Place { store: None, database, _folder: None, server: None })
            }
            Self::Disk => Some(on_disk()),
            Self::Postgres => on_server(),
        }
    }
}

/// An empty file.
pub(crate) fn on_disk() -> Place {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::file(&folder.path().join("db.sqlite"));
    let database = store.open(Access::ReadWrite).expect("a new file");
    Place { store: Some(store), database, _folder: Some(folder), server: None }
}

/// An empty database of a server; `None`, said loudly, where there is no PostgreSQL.
pub(crate) fn on_server() -> Option<Place> {
    let server = pratique_testkit::postgres::fresh_database(|url| {
        let store = Store::parse(url).expect("an address");
        store.open(Access::ReadWrite).expect("a schema");
    })?;
    let store = Store::parse(&server.url()).expect("an address");
    let database = store.open(Access::ReadWrite).expect("a database");
    Some(Place { store: Some(store), database, _folder: None, server: Some(server) })
}

#[test]
fn every_backend_passes_every_case() {
    let mut failures = Vec::new();
    for backend in Backend::ALL {
        for case in cases() {
            let Some(mut place) = backend.empty() else { break };
            // Who opens it once more for reading finds what is there.
            if let Some(store) = &place.store {
                store.open(Access::ReadOnly).expect("a reader");
            }
            let run = std::panic::AssertUnwindSafe(|| {
                (case.run)(&mut place.database);
                sample::assert_whole(&place.database);
                balance::assert_balanced(&place.database);
            });
            if std::panic::catch_unwind(run).is_err() {
                failures.push(format!("{}: {}", backend.name(), case.name));
            }
        }
    }
    assert!(failures.is_empty(), "failed (the reasons stand above): {failures:#?}");
}
