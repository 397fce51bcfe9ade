//! Opens the database.
//!
//! A database opened for writing holds the writer's lock as long as it lives. Reading needs no lock
//! and never waits. A file in a folder that cannot be written to (a read-only mount) is read as it
//! lies, since the usual companions of a SQLite file cannot be made there.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::error::Doing as _;
use crate::lock::WriterLock;
use crate::term::TermReader;
use crate::{StoreError, schema};

/// How long a statement waits for another connection of this machine: only the end of somebody's
/// transaction is ever waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How much of the file a writer keeps in memory. An update of all sources touches its pages in
/// sorted runs, so more than this brings nothing; KiB, negative as SQLite wants it.
const WRITER_CACHE_KIB: i64 = -32_768;

/// The same for a reader: what one image's look-ups touch.
const READER_CACHE_KIB: i64 = -16_384;

/// How much of the log's file is kept for the next commit after a large one.
const LOG_BYTES_KEPT: i64 = 16 << 20;

/// How many prepared statements a connection keeps; it has fewer than this.
const STATEMENTS_MAX: usize = 64;

/// For what a database is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Any number of processes at a time; the file must exist.
    ReadOnly,
    /// One process at a time; the file and its folder are made if they are missing.
    ReadWrite,
}

/// An open database. Belongs to one thread at a time.
pub struct Database {
    pub(crate) connection: Connection,
    pub(crate) terms: RefCell<TermReader>,
    access: Access,
    path: Option<PathBuf>,
    _lock: Option<WriterLock>,
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
    /// [`StoreError::Locked`] that another process writes, so that trying later helps.
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
        let mut connection = Connection::open_in_memory().doing("opening")?;
        schema::prepare(&mut connection, Path::new(":memory:"), true)?;
        Self::with(connection, Access::ReadWrite, None, None)
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
        self.connection.execute_batch("BEGIN DEFERRED").doing("holding a state")?;
        let hold = Hold { database: self };
        // SQLite takes the state at the first read, not at BEGIN.
        self.connection
            .query_row("SELECT count(*) FROM migration", [], |row| row.get::<_, i64>(0))
            .doing("holding a state")?;
        Ok(hold)
    }

    /// The size of the database in bytes, pages that are free for reuse included.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub fn size_bytes(&self) -> Result<u64, StoreError> {
        let pragma = |name: &str| {
            self.connection
                .query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, u32>(0))
                .map(u64::from)
                .doing("measuring")
        };
        Ok(pragma("page_count")? * pragma("page_size")?)
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
        let lock = WriterLock::take(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags).map_err(opening)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(opening)?;
        // The first statement that reads the file tells whether it is one of SQLite's at all.
        connection.pragma_query_value(None, "schema_version", |_| Ok(())).map_err(opening)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(opening)?;
        connection.pragma_update(None, "synchronous", "NORMAL").map_err(opening)?;
        connection.pragma_update(None, "cache_size", WRITER_CACHE_KIB).map_err(opening)?;
        connection.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT).map_err(opening)?;
        schema::prepare(&mut connection, path, true)?;
        Self::with(connection, Access::ReadWrite, Some(path), Some(lock))
    }

    fn open_reader(path: &Path) -> Result<Self, StoreError> {
        if !path.exists() {
            return Err(StoreError::Missing { path: path.to_owned() });
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let open = |uri: &str| -> Result<Connection, rusqlite::Error> {
            let connection = Connection::open_with_flags(uri, flags)?;
            connection.busy_timeout(BUSY_TIMEOUT)?;
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
        let mut connection = opened.map_err(|source| schema::open_error(path, source))?;
        schema::prepare(&mut connection, path, false)?;
        Self::with(connection, Access::ReadOnly, Some(path), None)
    }

    fn with(
        connection: Connection,
        access: Access,
        path: Option<&Path>,
        lock: Option<WriterLock>,
    ) -> Result<Self, StoreError> {
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        // The driver turns these checks on. With them, every replaced advisory would have all of
        // the reverse index searched for its number; that rows point somewhere is tested instead.
        connection.pragma_update(None, "foreign_keys", false).doing("opening")?;
        Ok(Self {
            connection,
            terms: RefCell::default(),
            access,
            path: path.map(Path::to_owned),
            _lock: lock,
        })
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        // It read only; if ending it fails, the connection is of no use and its next call says so.
        let _ = self.database.connection.execute_batch("ROLLBACK");
    }
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
