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
    /// `sslmode` is `disable`, `prefer` (the default: TLS where the server has it), `require`,
    /// `verify-ca` or `verify-full`. Unlike libpq, the server's certificate and name are verified
    /// wherever there is TLS: by the authorities in the file `sslrootcert`, else by the system's.
    ///
    /// # Errors
    /// [`StoreError::Address`] when an address cannot be read.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        if !SCHEMES.iter().any(|scheme| text.starts_with(scheme)) {
            return Ok(Self::file(Path::new(text)));
        }
        let shown = without_password(text);
        let (text, authorities) = without_verification(text);
        let config = text.parse::<Config>().map_err(|source| {
            let source: Cause = Box::new(source);
            StoreError::Address { address: shown.clone(), source }
        })?;
        Ok(Self { place: Place::Server(Server::new(config, shown, authorities)) })
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

/// Takes out of an address what libpq knows and the driver does not: `sslrootcert`, and the modes
/// that verify, which are no other than `require` here.
fn without_verification(address: &str) -> (String, Option<PathBuf>) {
    let Some((place, options)) = address.split_once('?') else { return (address.to_owned(), None) };
    let mut authorities = None;
    let mut kept = Vec::new();
    for option in options.split('&') {
        match option.split_once('=') {
            Some(("sslrootcert", path)) => authorities = Some(PathBuf::from(unescaped(path))),
            Some(("sslmode", "verify-ca" | "verify-full")) => kept.push("sslmode=require"),
            _ => kept.push(option),
        }
    }
    (format!("{place}?{}", kept.join("&")), authorities)
}

/// A text with `%2F` and its like turned back; what is no such escape stays as it is.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| str::from_utf8(digits).ok());
        let escaped = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escaped {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
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
    fn what_only_libpq_knows_is_taken_out() {
        let address = "postgres://host/p?sslmode=verify-full&sslrootcert=/a%2Fb%20c%&user=me";
        let (text, authorities) = without_verification(address);
        assert_eq!(text, "postgres://host/p?sslmode=require&user=me");
        assert_eq!(authorities, Some(PathBuf::from("/a/b c%")));
        Store::parse(address).expect("an address");
        assert_eq!(without_verification("postgres://host/p"), ("postgres://host/p".into(), None));
    }

    #[test]
    fn an_address_that_cannot_be_read_is_refused_without_its_password() {
        let error = Store::parse("postgres://me:secret@host:port/p").expect_err("no port");
        let chain = format!("{error}: {:?}", std::error::Error::source(&error));
        assert!(!chain.contains("secret"), "{chain}");
        assert!(matches!(error, StoreError::Address { .. }), "{error}");
    }
}
