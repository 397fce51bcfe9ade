//! What can go wrong with the database.

use std::error::Error as _;
use std::io;
use std::path::PathBuf;

use rusqlite::ErrorCode;

use pratique_model::PartId;

/// Why the store refused or could not do something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no file of that name, and it was to be read only.
    #[error("database {}: there is no such file", .path.display())]
    Missing {
        /// Where it was expected.
        path: PathBuf,
    },
    /// The address of a server cannot be read.
    #[error("address of a database: {address}")]
    Address {
        /// The address, without password.
        address: String,
        /// What is wrong with it.
        #[source]
        source: Cause,
    },
    /// The server cannot be reached or does not let us in.
    #[error("database {address}: connecting")]
    Connect {
        /// The address, without password.
        address: String,
        /// What went wrong.
        #[source]
        source: Cause,
    },
    /// The file cannot be opened, read, or made.
    #[error("database {}: opening", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: Cause,
    },
    /// The file is something else, or belongs to another program.
    #[error("database {}: not a database of Pratique", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A newer program has changed the file in a way that this one does not understand.
    #[error(
        "database {}: made for version {needed} of the schema or later, this program knows {known}",
        .path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The oldest schema version a program must know to use the file.
        needed: u32,
        /// The newest schema version that this program knows.
        known: u32,
    },
    /// The file is of an older program and was to be read only, so it cannot be brought forward.
    #[error(
        "database {}: made with version {found} of the schema, this program reads {needed} or \
         later; update the database once",
        .path.display()
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// The file's schema version.
        found: u32,
        /// The oldest one that this program reads.
        needed: u32,
    },
    /// A step that brought the schema forward is not the one that this program knows by its number.
    #[error("database {}: migration {version} is another one than this program's", .path.display())]
    Migration {
        /// The file.
        path: PathBuf,
        /// The step's number.
        version: u32,
    },
    /// Another process is writing; trying again later helps.
    #[error("database {}: being updated by {holder}", .path.display())]
    Locked {
        /// The file.
        path: PathBuf,
        /// Who holds it, as that process wrote it down.
        holder: String,
    },
    /// The lease that the writing was fenced by is held by another, or has expired; nothing was
    /// written.
    #[error("lease {name}: no longer held by {owner} under number {token}")]
    LeaseLost {
        /// What is leased.
        name: String,
        /// Who held it.
        owner: String,
        /// The number of that holding.
        token: u64,
    },
    /// Another has taken over the writing of what the node's runtime does; nothing was written.
    #[error("another watcher has taken over the node's containers")]
    Superseded,
    /// Something was to be written to a database opened for reading.
    #[error("database opened for reading only")]
    ReadOnly,
    /// A statement did not work: a full disk, a damaged file, a lock that was not given up.
    #[error("database: {doing}")]
    Statement {
        /// What was being done.
        doing: &'static str,
        /// What went wrong.
        #[source]
        source: Cause,
    },
    /// A row holds what no version of this program writes.
    #[error("database: damaged row: {what}")]
    Damaged {
        /// Where, and what stands there.
        what: String,
    },
    /// Entries that wait to be committed could not be kept or read back.
    #[error("temporary file of {part}")]
    Spool {
        /// The part.
        part: PartId,
        /// What went wrong.
        #[source]
        source: std::io::Error,
    },
    /// One part brings more than we are ready to hold.
    #[error("{part}: more than {limit} entries")]
    TooManyEntries {
        /// The part.
        part: PartId,
        /// The limit.
        limit: usize,
    },
    /// So many entries are missing that the feed is probably broken; the old data is kept.
    #[error("{part}: {after} entries where there were {before}; the old data is kept")]
    Shrunk {
        /// The part.
        part: PartId,
        /// Entries that are stored.
        before: u64,
        /// Entries that the feed has now.
        after: u64,
    },
    /// So many entries could not be read that the feed is probably broken; the old data is kept.
    #[error("{part}: {quarantined} of {total} entries cannot be read; the old data is kept")]
    TooManyBad {
        /// The part.
        part: PartId,
        /// Entries that could not be read.
        quarantined: u64,
        /// All entries of the feed.
        total: u64,
    },
    /// A report that is to be registered says neither the digest of a manifest nor that of a
    /// configuration, so it is of no image (but of a folder, an SBOM).
    #[error("report of {reference:?}: it names no image by digest")]
    Unidentified {
        /// How the report's target was named.
        reference: String,
    },
    /// A database that was to be filled holds something already.
    #[error("database {store}: not empty, table {table} has rows")]
    NotEmpty {
        /// The database, without password.
        store: String,
        /// The first table that has rows.
        table: String,
    },
    /// Rows were lost while a database was carried elsewhere; nothing was kept.
    #[error("table {table}: {found} of {expected} rows arrived")]
    Incomplete {
        /// The table.
        table: String,
        /// How many rows it had.
        expected: u64,
        /// How many came.
        found: u64,
    },
    /// A backup cannot be written, read, or is damaged.
    #[error("file {}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// A snapshot is not what it should be; nothing of it was taken.
    #[error("snapshot: line {line}: {problem}")]
    Snapshot {
        /// The line, from 1; 0 for the file as a whole.
        line: u64,
        /// What is wrong.
        problem: String,
    },
}

/// The driver's own error.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

impl StoreError {
    /// Whether trying the same again later can help.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Locked { .. } => true,
            Self::Statement { source, .. }
            | Self::Open { source, .. }
            | Self::Connect { source, .. } => is_passing(&**source),
            _ => false,
        }
    }

    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { what: what.into() }
    }
}

/// Whether a driver's error may be gone the next time.
fn is_passing(cause: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    if let Some(error) = cause.downcast_ref::<rusqlite::Error>() {
        let code = error.sqlite_error_code();
        return matches!(code, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked));
    }
    if let Some(error) = cause.downcast_ref::<tokio_postgres::Error>() {
        return match error.code() {
            Some(code) => is_passing_code(code.code()),
            // Without an answer of the server: closed, unreachable, or in the middle of its start.
            None => {
                error.is_closed()
                    || error.source().is_some_and(<dyn std::error::Error>::is::<io::Error>)
            }
        };
    }
    cause.is::<tokio::time::error::Elapsed>() || cause.is::<io::Error>()
}

/// Whether PostgreSQL's code (manual, appendix A) names something that passes: classes 08 lost
/// connection, 40 conflict with another transaction, 53 no resources, 57 the operator or a limit of
/// time; a lock not had in time; a transaction ended for its silence.
fn is_passing_code(code: &str) -> bool {
    ["08", "40", "53", "57"].iter().any(|class| code.starts_with(class))
        || ["55P03", "25P03"].contains(&code)
}

/// Says what was being done when the driver refused.
pub(crate) trait Doing<T> {
    fn doing(self, doing: &'static str) -> Result<T, StoreError>;
}

impl<T> Doing<T> for Result<T, rusqlite::Error> {
    fn doing(self, doing: &'static str) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Statement { doing, source: Box::new(source) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_told_from_what_does_not() {
        for code in ["08006", "40001", "40P01", "53300", "55P03", "57014", "57P01", "57P03"] {
            assert!(is_passing_code(code), "{code}");
        }
        for code in ["23505", "28P01", "3D000", "42703", "22021"] {
            assert!(!is_passing_code(code), "{code}");
        }
        let unreachable = StoreError::Connect {
            address: "postgres://host/p".to_owned(),
            source: Box::new(io::Error::from(io::ErrorKind::ConnectionRefused)),
        };
        assert!(unreachable.is_transient());
        let damaged = StoreError::damaged("a row");
        assert!(!damaged.is_transient());
    }
}
