//! Where the database is: a file, or a PostgreSQL server.

use std::fmt;
use std::path::{Path, PathBuf};

use tokio_postgres::Config;

use crate::session::postgres::Server;
use crate::{Access, Cause, Database, StoreError};

/// What an address of a PostgreSQL server begins with.
const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

/// A place of a database. Cheap to clone; opens nothing until [`Store::open`]. Its text form is
/// what it was made from, without a password.
#[derive(Clone)]
pub struct Store {
    place: Place,
}

#[derive(Clone)]
enum Place {
    File(PathBuf),
    Server(Server),
}

impl Store {
    /// Reads a path, or an address of the form `postgres://USER:PASSWORD@HOST:PORT/DATABASE?…`, as
    /// libpq knows it; opens nothing.
    ///
    /// # Errors
    /// [`StoreError::Address`] when an address cannot be read.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        if !SCHEMES.iter().any(|scheme| text.starts_with(scheme)) {
            return Ok(Self::file(Path::new(text)));
        }
        let shown = without_password(text);
        let config = text.parse::<Config>().map_err(|source| {
            let source: Cause = Box::new(source);
            StoreError::Address { address: shown.clone(), source }
        })?;
        Ok(Self { place: Place::Server(Server::new(config, shown)) })
    }

    /// A file.
    pub fn file(path: &Path) -> Self {
        Self { place: Place::File(path.to_owned()) }
    }

    /// Opens the database. Blocks; of PostgreSQL an unused connection is taken where there is one.
    ///
    /// # Errors
    /// Those of [`Database::open`]; [`StoreError::Connect`] when a server cannot be reached.
    pub fn open(&self, access: Access) -> Result<Database, StoreError> {
        match &self.place {
            Place::File(path) => Database::open(path, access),
            Place::Server(server) => Database::connect(server, access),
        }
    }

    /// The server; `None` for a file.
    pub(crate) fn server(&self) -> Option<&Server> {
        match &self.place {
            Place::File(_) => None,
            Place::Server(server) => Some(server),
        }
    }

    /// The file; `None` for a server.
    pub fn path(&self) -> Option<&Path> {
        match &self.place {
            Place::File(path) => Some(path),
            Place::Server(_) => None,
        }
    }
}

impl fmt::Display for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File(path) => path.display().fmt(formatter),
            Place::Server(server) => formatter.write_str(server.shown()),
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Store({self})")
    }
}

/// An address without what is secret in it: `user:…@` loses the password, `password=…` its value.
fn without_password(address: &str) -> String {
    let (address, options) = match address.split_once('?') {
        Some((address, options)) => (address, Some(options)),
        None => (address, None),
    };
    let mut shown = match address.split_once("://") {
        // The last `@`: one in a password should be escaped, and often is not.
        Some((scheme, rest)) => match rest.rsplit_once('@') {
            Some((user, host)) => {
                let user = user.split(':').next().unwrap_or_default();
                format!("{scheme}://{user}@{host}")
            }
            None => address.to_owned(),
        },
        None => address.to_owned(),
    };
    let kept: Vec<&str> = options
        .into_iter()
        .flat_map(|options| options.split('&'))
        .filter(|option| !option.to_ascii_lowercase().contains("pass"))
        .collect();
    if !kept.is_empty() {
        shown.push('?');
        shown.push_str(&kept.join("&"));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, shown: &str) {
        let store = Store::parse(text).expect("an address");
        assert_eq!(store.to_string(), shown);
        assert!(!format!("{store:?}").contains("secret"), "{store:?}");
    }

    #[test]
    fn a_password_is_never_shown() {
        check("/var/lib/pratique/db.sqlite", "/var/lib/pratique/db.sqlite");
        check("postgres://me:secret@host:5433/p", "postgres://me@host:5433/p");
        check("postgresql://me:secret%40x@host/p", "postgresql://me@host/p");
        check("postgres://host/p?user=me&password=secret", "postgres://host/p?user=me");
        check("postgres://host/p?sslmode=require", "postgres://host/p?sslmode=require");
        check("postgres:///p?host=/run/postgresql", "postgres:///p?host=/run/postgresql");
    }

    #[test]
    fn an_address_that_cannot_be_read_is_refused_without_its_password() {
        let error = Store::parse("postgres://me:secret@host:port/p").expect_err("no port");
        let chain = format!("{error}: {:?}", std::error::Error::source(&error));
        assert!(!chain.contains("secret"), "{chain}");
        assert!(matches!(error, StoreError::Address { .. }), "{error}");
    }
}
