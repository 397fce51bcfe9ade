//! Lets one process at a time write to a database, and tells the others who that is.
//!
//! The lock is one of the operating system's on a file beside the database: a process that dies
//! gives it up by dying, and the file that stays behind means nothing.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use crate::StoreError;

/// How much of another process's name is shown.
const HOLDER_BYTES_MAX: u64 = 200;

/// Held as long as it lives.
#[derive(Debug)]
pub(crate) struct WriterLock {
    _file: File,
}

impl WriterLock {
    /// Takes the lock of a database, without waiting.
    pub(crate) fn take(database: &Path) -> Result<Self, StoreError> {
        let open = |source: std::io::Error| StoreError::Open {
            path: database.to_owned(),
            source: Box::new(source),
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(lock_path(database))
            .map_err(open)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = holder(&mut file);
                return Err(StoreError::Locked { path: database.to_owned(), holder });
            }
            Err(TryLockError::Error(source)) => return Err(open(source)),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "process {}", std::process::id()))
            .map_err(open)?;
        Ok(Self { _file: file })
    }
}

/// `db.sqlite` has its lock in `db.sqlite.lock`.
fn lock_path(database: &Path) -> PathBuf {
    let mut name = OsString::from(database);
    name.push(".lock");
    PathBuf::from(name)
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.take(HOLDER_BYTES_MAX).read_to_string(&mut text) {
        Ok(length) if length > 0 => text,
        _ => "another process".to_owned(),
    }
}
