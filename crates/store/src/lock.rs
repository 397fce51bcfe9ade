//! Tells who writes to a SQLite file.
//!
//! That only one process writes is SQLite's own doing. This is a file beside the database that the
//! writer locks for as long as its transaction takes and writes its name into, so that one who
//! waited in vain can say for whom. A process that dies gives the lock up by dying, and the file
//! that stays behind means nothing.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

/// How much of another process's name is shown.
const HOLDER_BYTES_MAX: u64 = 200;

/// What a holder is called that has not said who it is.
const NAMELESS: &str = "another process";

/// Held as long as a transaction lives.
#[derive(Debug)]
pub(crate) struct WriterLock {
    _file: File,
}

impl WriterLock {
    /// Says that this process writes now. `None` when it cannot be said (a folder that nothing can
    /// be added to): the transaction is no less safe for it.
    pub(crate) fn take(database: &Path) -> Option<Self> {
        let mut file = open(database).ok()?;
        file.try_lock().ok()?;
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "process {}", std::process::id()))
            .ok()?;
        Some(Self { _file: file })
    }

    /// Who writes now, as far as it can be told.
    pub(crate) fn holder(database: &Path) -> String {
        let Ok(mut file) = open(database) else { return NAMELESS.to_owned() };
        if file.try_lock().is_ok() {
            return NAMELESS.to_owned();
        }
        let mut text = String::new();
        match (&mut file).take(HOLDER_BYTES_MAX).read_to_string(&mut text) {
            Ok(length) if length > 0 => text,
            _ => NAMELESS.to_owned(),
        }
    }
}

/// `db.sqlite` has its lock in `db.sqlite.lock`.
fn open(database: &Path) -> std::io::Result<File> {
    let mut name = OsString::from(database);
    name.push(".lock");
    let path = PathBuf::from(name);
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}
