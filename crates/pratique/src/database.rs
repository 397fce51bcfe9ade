//! Which database a command works on, and what to do when it cannot be used.

use pratique_store::{Access, Database, Store, StoreError};

use crate::args::DatabaseArguments;
use crate::exit::{Exit, Failure};
use crate::paths;
use crate::settings::Settings;

impl DatabaseArguments {
    /// What the file of settings says.
    pub(crate) fn settings(&self) -> Result<Settings, Failure> {
        Settings::load(self.config.as_deref())
    }

    /// The place that was named, or the default one; opens nothing.
    pub(crate) fn store(&self) -> Result<Store, Failure> {
        self.store_of(&self.settings()?)
    }

    /// The same by settings that were read already.
    pub(crate) fn store_of(&self, settings: &Settings) -> Result<Store, Failure> {
        match self.named(settings) {
            Some(named) => parse(named),
            None => paths::default_database().map(|path| Store::file(&path)).ok_or_else(|| {
                Failure::usage("no place for the database: neither XDG_DATA_HOME nor HOME is set")
                    .hint("name one with --db")
            }),
        }
    }

    /// The place that was named by a flag, the environment or the file.
    pub(crate) fn named<'a>(&'a self, settings: &'a Settings) -> Option<&'a str> {
        self.db.as_deref().or(settings.updater.db.as_deref())
    }

    /// Opens it for reading.
    pub(crate) fn open_to_read(&self) -> Result<Database, Failure> {
        open(&self.store()?, Access::ReadOnly)
    }

    /// Opens it for writing, and makes it if it is not there.
    pub(crate) fn open_to_write(&self) -> Result<Database, Failure> {
        open(&self.store()?, Access::ReadWrite)
    }
}

/// Reads the name of a place: a path, or the address of a PostgreSQL server.
pub(crate) fn parse(named: &str) -> Result<Store, Failure> {
    let store = Store::parse(named).map_err(|error| Failure::new(Exit::Usage, error))?;
    match named.split_once("://") {
        Some((scheme, _)) if store.path().is_some() => Err(Failure::usage(format!(
            "{scheme}://…: neither the path of a file nor postgres://USER@HOST/DATABASE"
        ))),
        _ => Ok(store),
    }
}

/// Opens a place.
pub(crate) fn open(store: &Store, access: Access) -> Result<Database, Failure> {
    store.open(access).map_err(|error| failure(error, store))
}

/// A database that cannot be used, with what to do about it.
pub(crate) fn failure(error: StoreError, store: &Store) -> Failure {
    let (exit, hint) = match &error {
        StoreError::Missing { .. } => {
            (Exit::Data, Some(format!("make it with `pratique db update --db {store}`")))
        }
        StoreError::Older { .. } => {
            (Exit::Data, Some(format!("run `pratique db update --db {store}`")))
        }
        StoreError::Newer { .. } => (Exit::Data, Some("use a newer pratique".to_owned())),
        StoreError::Foreign { .. } | StoreError::Address { .. } => (Exit::Usage, None),
        _ => (Exit::Failed, None),
    };
    let failure = Failure::new(exit, error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// A question that the database could not answer.
pub(crate) fn failed(error: StoreError) -> Failure {
    Failure::new(Exit::Failed, error)
}
