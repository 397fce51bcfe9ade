//! Reads a folder as if it were the only layer of an image.
//!
//! Folders are opened one inside the other and never by path, files inside their open folder, and
//! symbolic links are recorded, not followed: nothing outside the root is read, even when links are
//! swapped in while the walk is on its way. What cannot be read is named and passed over.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use pratique_model::Partial;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};

use crate::error::ImageError;
use crate::layer::{LayerContent, Recorder, What};
use crate::limits::{Budget, Problems};
use crate::path::shown;
use crate::reader::{Content, ContentSource, FileInfo, ReadSeek, Reader};
use crate::walk::TOO_LARGE;

/// Folders of a root that are the kernel's, not the image's.
const KERNEL_FOLDERS: [&[u8]; 3] = [b"proc", b"sys", b"dev"];

const FOLDER_FLAGS: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

const FILE_FLAGS: OFlags =
    OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// Reads all of a folder.
///
/// # Errors
/// The folder itself cannot be opened.
pub(crate) fn read_folder<R: Reader>(
    root: &Path,
    reader: &R,
    budget: &Budget,
    jobs: NonZero<usize>,
) -> Result<LayerContent<R::Value>, ImageError> {
    // The root itself may be a link; what it leads to was asked for.
    let flags = FOLDER_FLAGS.difference(OFlags::NOFOLLOW);
    let fd = rustix::fs::open(root, flags, Mode::empty()).map_err(|error| ImageError::Open {
        path: root.display().to_string(),
        source: error.into(),
    })?;
    let root = Arc::new(Folder { fd, path: Vec::new() });
    let queue = Queue::new(Below { parent: root, name: c".".to_owned() });
    let harvests = Mutex::new(Vec::new());
    let work = || {
        let mut walk = Walk {
            reader,
            budget,
            problems: Problems::new(None),
            noted: Vec::new(),
            entries: Vec::new(),
        };
        while let Some(below) = queue.take() {
            let found = walk.open(&below).map(|folder| walk.read(&Arc::new(folder)));
            queue.give(found.unwrap_or_default());
        }
        let harvest = (walk.entries, walk.problems);
        harvests.lock().unwrap_or_else(PoisonError::into_inner).push(harvest);
    };
    thread::scope(|scope| {
        for _ in 1..jobs.get() {
            scope.spawn(work);
        }
        work();
    });
    let harvests = harvests.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(record(harvests))
}

/// What threads found, in the order of paths.
fn record<V>(harvests: Vec<(Vec<Found<V>>, Problems)>) -> LayerContent<V> {
    let mut entries = Vec::new();
    let mut partial: Vec<Partial> = Vec::new();
    for (found, problems) in harvests {
        entries.extend(found);
        partial.extend(problems.into_list());
    }
    entries.sort_by(|one, other| (&one.folder, &one.name).cmp(&(&other.folder, &other.name)));
    let mut recorder = Recorder::new();
    for entry in entries {
        let folder = recorder.folder(&entry.folder);
        let step = recorder.push(folder, &entry.name);
        recorder.detail(step, &entry.name, entry.what);
    }
    let mut content = recorder.finish(None);
    partial.sort();
    content.partial = partial;
    content
}

/// An open folder and its path from the root.
struct Folder {
    fd: OwnedFd,
    path: Vec<u8>,
}

/// A folder that was met and not yet opened.
struct Below {
    parent: Arc<Folder>,
    name: CString,
}

/// Folders to be read, the deepest first, so that few are open at a time.
struct Queue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

struct QueueState {
    waiting: Vec<Below>,
    /// Folders taken and not yet given back.
    busy: usize,
}

impl Queue {
    fn new(first: Below) -> Self {
        let state = QueueState { waiting: vec![first], busy: 0 };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// The next folder; waits while others may still find some, `None` when all is read.
    fn take(&self) -> Option<Below> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self
            .changed
            .wait_while(state, |state| state.waiting.is_empty() && state.busy > 0)
            .unwrap_or_else(PoisonError::into_inner);
        let next = state.waiting.pop()?;
        state.busy += 1;
        Some(next)
    }

    /// Gives back a folder, as those that were found in it.
    fn give(&self, found: Vec<Below>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.busy -= 1;
        if found.is_empty() && state.busy > 0 {
            return;
        }
        state.waiting.extend(found);
        drop(state);
        self.changed.notify_all();
    }
}

/// A file or link that is kept.
struct Found<V> {
    folder: Vec<u8>,
    name: Vec<u8>,
    what: What<V>,
}

/// One thread's share of the walk.
struct Walk<'r, R: Reader> {
    reader: &'r R,
    budget: &'r Budget,
    problems: Problems,
    noted: Vec<Partial>,
    entries: Vec<Found<R::Value>>,
}

impl<R: Reader> Walk<'_, R> {
    fn open(&mut self, below: &Below) -> Option<Folder> {
        let path = child_path(&below.parent.path, below.name.to_bytes());
        match rustix::fs::openat(&below.parent.fd, &below.name, FOLDER_FLAGS, Mode::empty()) {
            Ok(fd) => Some(Folder { fd, path }),
            Err(error) => {
                self.note(&path, &error.into());
                None
            }
        }
    }

    /// Reads the files of a folder and gives the folders in it.
    fn read(&mut self, folder: &Arc<Folder>) -> Vec<Below> {
        let mut below = Vec::new();
        let entries = match Dir::read_from(&folder.fd) {
            Ok(entries) => entries,
            Err(error) => {
                self.note(&folder.path, &error.into());
                return below;
            }
        };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.note(&folder.path, &error.into());
                    break;
                }
            };
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            if !self.budget.take_entry() {
                let problem = "there are more files than the limit; the rest is not read";
                self.problems.push(Some(&shown(&folder.path)), problem);
                return Vec::new();
            }
            let is_kernels = KERNEL_FOLDERS.contains(&name.to_bytes()) && folder.path.is_empty();
            match self.file_type(folder, name, entry.file_type()) {
                Some(FileType::Directory) if !is_kernels => {
                    let parent = Arc::clone(folder);
                    below.push(Below { parent, name: name.to_owned() });
                }
                Some(FileType::RegularFile) => self.read_file(folder, name),
                Some(FileType::Symlink) => self.read_link(folder, name),
                _ => {}
            }
        }
        below
    }

    fn file_type(&mut self, folder: &Folder, name: &CStr, told: FileType) -> Option<FileType> {
        if told != FileType::Unknown {
            return Some(told);
        }
        let stat = self.stat(folder, name)?;
        Some(FileType::from_raw_mode(stat.st_mode))
    }

    /// What the file system says of a file; one that is gone since is no problem.
    fn stat(&mut self, folder: &Folder, name: &CStr) -> Option<Stat> {
        match rustix::fs::statat(&folder.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Some(stat),
            Err(rustix::io::Errno::NOENT) => None,
            Err(error) => {
                self.note(&child_path(&folder.path, name.to_bytes()), &error.into());
                None
            }
        }
    }

    fn read_file(&mut self, folder: &Folder, name: &CStr) {
        let Some(stat) = self.stat(folder, name) else { return };
        let path = child_path(&folder.path, name.to_bytes());
        if path.len() > self.budget.limits().path_bytes_max {
            self.problems.push(Some(&shown(&path)), "path is longer than the limit");
            return;
        }
        let text = String::from_utf8_lossy(&path);
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        let file = FileInfo { path: &text, size, mode: stat.st_mode & 0o7777 };
        if !self.reader.wants(&file) {
            return;
        }
        if size > self.budget.limits().file_bytes_max {
            self.problems.push(Some(&text), TOO_LARGE);
            return;
        }
        let opened = rustix::fs::openat(&folder.fd, name, FILE_FLAGS, Mode::empty());
        let mut source = match opened.map_err(io::Error::from).and_then(FileSource::try_new) {
            Ok(source) => source,
            Err(error) => {
                self.note(&path, &error);
                return;
            }
        };
        let mut content = Content::new(&mut source, size);
        let value = self.reader.read(&file, &mut content, &mut self.noted);
        self.problems.extend(&mut self.noted);
        if let Some(error) = source.failure {
            self.note(&path, &error);
        }
        if let Some(value) = value {
            let what = What::File { value: Some(value), size, mode: file.mode };
            self.keep(folder, name, what);
        }
    }

    fn read_link(&mut self, folder: &Folder, name: &CStr) {
        match rustix::fs::readlinkat(&folder.fd, name, Vec::new()) {
            Ok(target) => {
                let target = target.to_string_lossy().as_ref().into();
                self.keep(folder, name, What::Symlink { target });
            }
            Err(error) => self.note(&child_path(&folder.path, name.to_bytes()), &error.into()),
        }
    }

    fn keep(&mut self, folder: &Folder, name: &CStr, what: What<R::Value>) {
        let (folder, name) = (folder.path.clone(), name.to_bytes().to_vec());
        if self.budget.take_name(folder.len() + name.len()) {
            self.entries.push(Found { folder, name, what });
        } else {
            self.problems.push(Some(&shown(&folder)), "too many names are kept already");
        }
    }

    fn note(&mut self, path: &[u8], error: &io::Error) {
        let path = if path.is_empty() { ".".to_owned() } else { shown(path) };
        self.problems.push(Some(&path), format!("cannot be read: {}", error.kind()));
    }
}

fn child_path(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder.is_empty() || name == b"." {
        return if name == b"." { folder.to_vec() } else { name.to_vec() };
    }
    let mut path = Vec::with_capacity(folder.len() + 1 + name.len());
    path.extend_from_slice(folder);
    path.push(b'/');
    path.extend_from_slice(name);
    path
}

/// An open file; the first error of reading is kept, readers may forget it.
struct FileSource {
    file: File,
    failure: Option<io::Error>,
}

impl FileSource {
    fn try_new(fd: OwnedFd) -> io::Result<Self> {
        let file = File::from(fd);
        if file.metadata()?.is_file() {
            Ok(Self { file, failure: None })
        } else {
            Err(io::Error::other("not a regular file"))
        }
    }

    fn keep<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result
            && error.kind() != io::ErrorKind::Interrupted
        {
            self.failure = Some(io::Error::from(error.kind()));
        }
        result
    }
}

impl Read for FileSource {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let result = self.file.read(out);
        self.keep(result)
    }
}

impl ContentSource for FileSource {
    fn skip(&mut self, count: u64) -> io::Result<u64> {
        let length = self.file.metadata()?.len();
        let position = self.file.stream_position()?;
        let skipped = count.min(length.saturating_sub(position));
        let result = self.file.seek(SeekFrom::Start(position + skipped));
        self.keep(result)?;
        Ok(skipped)
    }

    fn as_seek(&mut self) -> Option<&mut dyn ReadSeek> {
        Some(&mut self.file)
    }
}

#[cfg(test)]
mod tests;
