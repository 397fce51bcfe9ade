//! Opens the database, and bounds what belongs together.
//!
//! Any number of processes may have it open for writing; they wait for one another for the length
//! of a transaction. Reading needs no lock and never waits. A file in a folder that cannot be
//! written to (a read-only mount) is read as it lies, since the usual companions of a SQLite file
//! cannot be made there.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::error::Doing as _;
use crate::session::postgres::{PostgresSession, Server};
use crate::session::sqlite::SqliteSession;
use crate::session::{Mode, Session};
use crate::term::TermReader;
use crate::{StoreError, schema};

/// How long a statement waits for another connection of this machine: only the end of somebody's
/// transaction is ever waited for.
/// Counted in looks, because on a crowded machine, where all take longer, it is to be longer too.
const BUSY_LOOKS_MAX: i32 = 2_000;

/// How long from one look to the next. SQLite's own waiting grows to 100 ms, and whoever waits
/// longest then looks least often: beside others that write all the time it comes too late again
/// and again. Looking as often as all others, it has the same chance.
const BUSY_LOOK_EVERY: Duration = Duration::from_millis(5);

/// How much of the file a writer keeps in memory. An update of all sources touches its pages in
/// sorted runs, so more than this brings nothing; KiB, negative as SQLite wants it.
const WRITER_CACHE_KIB: i64 = -32_768;

/// The same for a reader: what one image's look-ups touch.
const READER_CACHE_KIB: i64 = -16_384;

/// How much of the log's file is kept for the next commit after a large one.
const LOG_BYTES_KEPT: i64 = 16 << 20;

/// How many prepared statements a connection keeps; it has fewer than this.
const STATEMENTS_MAX: usize = 256;

/// For what a database is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing is written; a file must exist.
    ReadOnly,
    /// A file and its folder are made if they are missing, and the schema is brought forward.
    ReadWrite,
}

/// An open database. Belongs to one thread at a time.
pub struct Database {
    /// All SQL goes through it.
    pub(crate) session: Box<dyn Session>,
    pub(crate) terms: RefCell<TermReader>,
    access: Access,
    path: Option<PathBuf>,
    /// Where another connection comes from, with PostgreSQL.
    pub(crate) server: Option<Server>,
}

/// Keeps a database at one state while it lives: everything read through that [`Database`] is of
/// the moment of [`Database::hold`], whatever is committed meanwhile.
pub struct Hold<'a> {
    database: &'a Database,
}

impl Database {
    /// Opens a file.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Foreign`], [`StoreError::Newer`],
    /// [`StoreError::Older`], [`StoreError::Open`] say what is wrong with the file;
    /// [`StoreError::Locked`] that the schema is to be brought forward and another process writes.
    pub fn open(path: &Path, access: Access) -> Result<Self, StoreError> {
        match access {
            Access::ReadOnly => Self::open_reader(path),
            Access::ReadWrite => Self::open_writer(path),
        }
    }

    /// An empty database that is gone when it is dropped.
    ///
    /// # Errors
    /// [`StoreError::Statement`] when there is no memory.
    pub fn in_memory() -> Result<Self, StoreError> {
        let connection = Connection::open_in_memory().doing("opening")?;
        Self::with(connection, Access::ReadWrite, None)
    }

    /// Where it lies; `None` in memory.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Whether it was opened for writing.
    pub fn access(&self) -> Access {
        self.access
    }

    /// Starts to see one state only, until the guard is dropped.
    ///
    /// # Errors
    /// [`StoreError::Statement`] when it is held already or the file cannot be read.
    pub fn hold(&self) -> Result<Hold<'_>, StoreError> {
        self.session.begin("holding a state", Mode::Read)?;
        Ok(Hold { database: self })
    }

    /// The size of the database in bytes, pages that are free for reuse included.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub fn size_bytes(&self) -> Result<u64, StoreError> {
        let sql = match self.server {
            Some(_) => "SELECT pg_database_size(current_database())",
            None => "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
        };
        self.session.one("measuring", sql, &[], |row| row.count(0))
    }

    pub(crate) fn require_writer(&self) -> Result<(), StoreError> {
        match self.access {
            Access::ReadWrite => Ok(()),
            Access::ReadOnly => Err(StoreError::ReadOnly),
        }
    }

    fn open_writer(path: &Path) -> Result<Self, StoreError> {
        let opening = |source| schema::open_error(path, source);
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|source| StoreError::Open {
                path: path.to_owned(),
                source: Box::new(source),
            })?;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags).map_err(opening)?;
        connection.busy_handler(Some(wait_for_writer)).map_err(opening)?;
        // The first statement that reads the file tells whether it is one of SQLite's at all.
        connection.pragma_query_value(None, "schema_version", |_| Ok(())).map_err(opening)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(opening)?;
        connection.pragma_update(None, "synchronous", "NORMAL").map_err(opening)?;
        connection.pragma_update(None, "cache_size", WRITER_CACHE_KIB).map_err(opening)?;
        connection.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT).map_err(opening)?;
        Self::with(connection, Access::ReadWrite, Some(path))
    }

    fn open_reader(path: &Path) -> Result<Self, StoreError> {
        if !path.exists() {
            return Err(StoreError::Missing { path: path.to_owned() });
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = |uri: &str| -> Result<Connection, rusqlite::Error> {
            let mut connection = Connection::open_with_flags(uri, flags)?;
            connection.busy_handler(Some(wait_for_writer))?;
            connection.pragma_update(None, "cache_size", READER_CACHE_KIB)?;
            connection.pragma_query_value(None, "schema_version", |_| Ok(()))?;
            Ok(connection)
        };
        let uri = file_uri(path);
        let opened = match open(&uri) {
            Err(error) if cannot_make_companions(&error) && !has_pending_log(path) => {
                open(&format!("{uri}?immutable=1"))
            }
            opened => opened,
        };
        let connection = opened.map_err(|source| schema::open_error(path, source))?;
        Self::with(connection, Access::ReadOnly, Some(path))
    }

    fn with(
        connection: Connection,
        access: Access,
        path: Option<&Path>,
    ) -> Result<Self, StoreError> {
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        // The driver turns these checks on. With them, every replaced advisory would have all of
        // the reverse index searched for its number; that rows point somewhere is tested instead.
        connection.pragma_update(None, "foreign_keys", false).doing("opening")?;
        let path = path.map(Path::to_owned);
        let session = SqliteSession::new(connection, path.clone());
        let shown = path.as_deref().unwrap_or(Path::new(":memory:"));
        schema::prepare(&session, shown, access == Access::ReadWrite)?;
        let session = Box::new(session);
        Ok(Self { session, terms: RefCell::default(), access, path, server: None })
    }

    /// Takes a connection to a server.
    pub(crate) fn connect(server: &Server, access: Access) -> Result<Self, StoreError> {
        let session = PostgresSession::open(server)?;
        schema::prepare(&session, Path::new(server.shown()), access == Access::ReadWrite)?;
        Ok(Self {
            session: Box::new(session),
            terms: RefCell::default(),
            access,
            path: None,
            server: Some(server.clone()),
        })
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.database.session.rollback();
    }
}

/// Waits a moment for another connection's transaction, unless it was waited for long enough.
fn wait_for_writer(looks: i32) -> bool {
    #[expect(clippy::disallowed_methods, reason = "SQLite tells nobody that a transaction ended")]
    std::thread::sleep(BUSY_LOOK_EVERY);
    looks < BUSY_LOOKS_MAX
}

/// Whether SQLite wanted to put files beside the database and has no right to.
fn cannot_make_companions(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
}

/// Whether a writer is at work or died in the middle of it, so that the file alone is not the
/// database.
fn has_pending_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).is_ok_and(|metadata| metadata.len() > 0)
}

/// `path` as the URI that SQLite reads, with everything escaped that has a meaning there.
fn file_uri(path: &Path) -> String {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt as _;

    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                uri.push(char::from(*byte));
            }
            _ => write!(uri, "%{byte:02X}").expect("writing to a string cannot fail"),
        }
    }
    uri
}
