//! The files of a zip, in the order of its directory (PKWARE's APPNOTE 6.3).
//!
//! The directory is walked header by header and nothing of it is kept, so memory does not depend
//! on how many files there are: npm's zip has a quarter of a million. The zip crate's stable
//! reader keeps an index of all of them, made from counts that a hostile file chooses. Surprising:
//! nothing says that files do not overlap, so one small deflate stream can be listed a million
//! times; the budget for what comes out of the whole document stops that.

mod content;
mod directory;
mod window;

use std::fs::File;
use std::io;

use self::content::Content;
use self::directory::Directory;
use self::window::Window;
use super::bounded::Budget;
use super::{Entry, UnpackError, UnpackProblem, visit_one};

/// Visits the files of `file`.
pub(super) fn unpack<E>(
    name: &str,
    file: &File,
    budget: &mut Budget,
    visit: &mut dyn FnMut(&mut Entry<'_>) -> Result<(), E>,
) -> Result<(), UnpackError<E>> {
    let document = |path: &str, problem| UnpackError::Document { path: path.to_owned(), problem };
    let damaged = |error: io::Error| document(name, UnpackProblem::Damaged(error));
    let length = file.metadata().map_err(damaged)?.len();
    let mut directory = Directory::open(Window::new(file, length), length).map_err(damaged)?;
    if directory.file_count() > budget.files_max() {
        return Err(document(name, UnpackProblem::TooManyFiles(budget.files_max())));
    }
    let mut content = Content::new(Window::new(file, length));
    while let Some(header) = directory.next_header().map_err(damaged)? {
        if !header.is_file {
            continue;
        }
        content.start(&header, directory.start());
        visit_one(&header.path, &mut content, budget, visit)?;
    }
    Ok(())
}

/// An error for what the format does not allow, or what we do not read.
fn malformed(problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}
