//! Finds sandboxes by the state files in runsc's root folders.
//!
//! Blocking and without a clock of its own: the driver ([`crate::watch`]) says when to look, and at
//! what. A file is read again only when its time, size or inode changed, so a look costs what
//! changed plus one `stat` a file. Files are opened without following links and only if they are
//! runsc's or ours, under an exclusive lock that is tried and never waited for. Surprising: a
//! locked file keeps what was read of it before; one never read is tried again soon.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use jiff::Timestamp;
use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;
use tracing::{debug, warn};

use crate::process::{Process, boot_time};
use crate::registration::Registration;
use crate::sandbox::{Found, Memory, Sandbox};
use crate::state_file::{self, Container, ContainerName, STATE_SUFFIX, StateError};

/// What each sandbox's address may hold for its root folder.
pub(crate) const ROOT_TEMPLATE: &str = "%RUNTIME_ROOT%";
/// The longest state file. An honest one has 50 to 200 kB, most of it the registration.
const STATE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// How soon a locked file is tried again at first; doubles.
const RETRY_FIRST: Duration = Duration::from_millis(50);
/// How late at most.
const RETRY_MAX: Duration = Duration::from_secs(2);

/// Why a state file is not used; the label values of
/// `pratique_sandbox_state_files_refused_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FileReason {
    /// Not a regular file.
    Kind,
    /// Neither root's nor ours.
    Owner,
    /// Longer than any honest one.
    Size,
    /// It could not be read.
    Read,
    /// Not the JSON that runsc writes.
    Json,
    /// Its name does not say what it holds.
    Name,
    /// Its sandbox has no root container, or two.
    Root,
    /// What it registered cannot be believed.
    Registration,
}

impl FileReason {
    /// All of them, in the order of the counts in [`Table::refused`].
    pub(crate) const ALL: [(Self, &'static str); 8] = [
        (Self::Kind, "kind"),
        (Self::Owner, "owner"),
        (Self::Size, "size"),
        (Self::Read, "read"),
        (Self::Json, "json"),
        (Self::Name, "name"),
        (Self::Root, "root"),
        (Self::Registration, "registration"),
    ];
}

/// All sandboxes that are to be served, at one time.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// Sorted by id, then root.
    pub(crate) sandboxes: Vec<Arc<Sandbox>>,
    /// How many there have ever been.
    pub(crate) total: u64,
    /// Refused files by reason, since the start.
    pub(crate) refused: [u64; 8],
}

/// What to look at.
#[derive(Debug)]
pub(crate) enum Scope {
    /// Everything.
    All,
    /// Files with these names, each with the number of its root.
    Names(BTreeSet<(usize, String)>),
}

/// A root folder cannot be listed.
#[derive(Debug, thiserror::Error)]
#[error("root folder {}", path.display())]
pub(crate) struct RootError {
    pub(crate) path: PathBuf,
    #[source]
    pub(crate) source: io::Error,
}

/// Everything that is known of the files.
pub(crate) struct Discovery {
    roots: Vec<Root>,
    has_several_roots: bool,
    boot: Timestamp,
    registrations: HashMap<[u8; 32], Weak<Registration>>,
    total: u64,
    refused: [u64; 8],
}

struct Root {
    index: usize,
    path: PathBuf,
    /// Our address with this root in the template's place.
    address: String,
    files: BTreeMap<ContainerName, File>,
    sandboxes: BTreeMap<Box<str>, Arc<Sandbox>>,
    /// Creation times of the sandboxes that were counted, while a file of them is there.
    counted: HashMap<Box<str>, Timestamp>,
    /// Sandboxes that are refused because they have two root containers.
    doubled: BTreeSet<Box<str>>,
}

#[derive(Default)]
struct File {
    stamp: Option<Stamp>,
    content: Option<Content>,
    retry: Option<Retry>,
}

struct Content {
    container: Arc<Container>,
    registration: Option<Arc<Registration>>,
    /// Two root containers: the whole sandbox is refused.
    is_second_root: bool,
}

#[derive(Clone, Copy)]
struct Retry {
    at: Instant,
    pause: Duration,
}

/// What tells whether a file has changed.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    seconds: i64,
    nanoseconds: i64,
    size: i64,
    device: u64,
    inode: u64,
}

enum FileError {
    Gone,
    Locked,
    Refused(FileReason, String),
}

impl Discovery {
    /// Nothing has been looked at yet. `address` is where we serve, its template not replaced.
    pub(crate) fn new(paths: &[PathBuf], address: &str) -> Self {
        let root = |(index, path): (usize, &PathBuf)| Root {
            index,
            path: path.clone(),
            address: replace_root(address, path),
            files: BTreeMap::new(),
            sandboxes: BTreeMap::new(),
            counted: HashMap::new(),
            doubled: BTreeSet::new(),
        };
        Self {
            roots: paths.iter().enumerate().map(root).collect(),
            has_several_roots: paths.len() > 1,
            boot: boot_time().unwrap_or(Timestamp::MIN),
            registrations: HashMap::new(),
            total: 0,
            refused: [0; 8],
        }
    }

    /// Looks at files and says what is there. Roots that cannot be listed lose their sandboxes.
    pub(crate) fn look(&mut self, scope: &Scope, now: Instant) -> (Table, Vec<RootError>) {
        let mut errors = Vec::new();
        for index in 0..self.roots.len() {
            let mut root = std::mem::replace(&mut self.roots[index], Root::empty());
            if let Err(source) = self.look_at_root(&mut root, scope, now) {
                errors.push(RootError { path: root.path.clone(), source });
                root.forget();
            }
            self.roots[index] = root;
        }
        self.registrations.retain(|_, registration| registration.strong_count() > 0);
        (self.table(), errors)
    }

    /// When a locked file should be tried again; `None`: none is locked.
    pub(crate) fn retry_at(&self) -> Option<Instant> {
        let files = self.roots.iter().flat_map(|root| root.files.values());
        files.filter_map(|file| file.retry.map(|retry| retry.at)).min()
    }

    /// Looks at the files of one root.
    fn look_at_root(&mut self, root: &mut Root, scope: &Scope, now: Instant) -> io::Result<()> {
        let folder = fs::File::open(&root.path)?;
        let mut touched: BTreeSet<Box<str>> = BTreeSet::new();
        let mut names: BTreeSet<ContainerName> = match scope {
            Scope::All => {
                let ended = root.sandboxes.values().filter(|one| !one.process.is_running());
                touched.extend(ended.map(|one| one.id.clone()));
                let known = root.files.keys().cloned();
                list(&root.path)?.into_iter().chain(known).collect()
            }
            Scope::Names(names) => {
                let ours = names.iter().filter(|(index, _)| *index == root.index);
                ours.filter_map(|(_, name)| ContainerName::parse(name)).collect()
            }
        };
        let due = root.files.iter().filter(|(_, file)| file.is_due(now));
        names.extend(due.map(|(name, _)| name.clone()));
        for name in names {
            if self.refresh(root, &folder, &name, now) {
                touched.insert(name.sandbox.clone());
            }
        }
        for id in touched {
            self.regroup(root, &id);
        }
        Ok(())
    }

    /// Looks at one file; says whether what is known of it has changed.
    fn refresh(
        &mut self,
        root: &mut Root,
        folder: &fs::File,
        name: &ContainerName,
        now: Instant,
    ) -> bool {
        let known = root.files.get(name);
        let stamp = match stat(folder, name) {
            Ok(stamp) => stamp,
            Err(Errno::NOENT) => return root.files.remove(name).is_some(),
            Err(_) => Stamp { seconds: 0, nanoseconds: 0, size: 0, device: 0, inode: 0 },
        };
        if known.is_some_and(|file| file.stamp == Some(stamp) && !file.is_due(now)) {
            return false;
        }
        let outcome = read(folder, name).and_then(|text| self.parse(root, name, &text));
        let file = root.files.entry(name.clone()).or_default();
        match outcome {
            Ok(content) => *file = File { stamp: Some(stamp), content: Some(content), retry: None },
            Err(FileError::Locked) => {
                file.stamp = None;
                let pause =
                    file.retry.map_or(RETRY_FIRST, |retry| (retry.pause * 2).min(RETRY_MAX));
                file.retry = Some(Retry { at: now + pause, pause });
                return false;
            }
            Err(FileError::Gone) => {
                root.files.remove(name);
            }
            Err(FileError::Refused(reason, detail)) => {
                self.refused[reason as usize] += 1;
                let path = root.path.join(name.file_name(STATE_SUFFIX));
                warn!(file.path = %path.display(), "state file {}: {detail}", path.display());
                *file = File { stamp: Some(stamp), content: None, retry: None };
            }
        }
        true
    }

    fn parse(
        &mut self,
        root: &Root,
        name: &ContainerName,
        text: &[u8],
    ) -> Result<Content, FileError> {
        let (container, registered) = state_file::parse(name, text).map_err(|error| {
            let reason = match &error {
                StateError::Json(_) | StateError::Time => FileReason::Json,
                StateError::Name => FileReason::Name,
            };
            FileError::Refused(reason, error.to_string())
        })?;
        let is_ours = !container.sandbox.metric_server_address.is_empty()
            && replace_root(&container.sandbox.metric_server_address, &root.path) == root.address;
        let is_same = name.container == name.sandbox;
        let registration = match registered {
            Some(text) if is_ours && is_same => Some(self.register(text)?),
            _ => None,
        };
        let is_second_root = container.is_root && !is_same;
        Ok(Content { container: Arc::new(container), registration, is_second_root })
    }

    fn register(&mut self, text: &str) -> Result<Arc<Registration>, FileError> {
        let hash: [u8; 32] = Sha256::digest(text).into();
        if let Some(shared) = self.registrations.get(&hash).and_then(Weak::upgrade) {
            return Ok(shared);
        }
        let registration = Registration::parse(text.as_bytes())
            .map_err(|error| FileError::Refused(FileReason::Registration, error.to_string()))?;
        let registration = Arc::new(registration);
        self.registrations.insert(hash, Arc::downgrade(&registration));
        Ok(registration)
    }

    /// Puts one sandbox together again, or takes it away.
    fn regroup(&mut self, root: &mut Root, id: &str) {
        let previous = root.sandboxes.remove(id);
        let group = root.group(id);
        if group.has_two_roots {
            if root.doubled.insert(id.into()) {
                self.refused[FileReason::Root as usize] += 1;
                warn!(sandbox.id = id, "sandbox {id}: two root containers");
            }
            return;
        }
        root.doubled.remove(id);
        let Some((container, registration)) = group.main else { return };
        let previous = previous.filter(|previous| previous.is_same(&container));
        let Some(process) = self.process(previous.as_deref(), &container) else {
            debug!(sandbox.id = id, "sandbox {id} does not run");
            return;
        };
        let memory = previous
            .filter(|previous| Arc::ptr_eq(&previous.registration, &registration))
            .map_or_else(|| Arc::new(Memory::new()), |previous| Arc::clone(&previous.memory));
        let runtime_root = self.has_several_roots.then(|| root.path.to_string_lossy());
        let found = Found { id: id.into(), root_index: root.index, process, registration, memory };
        let sandbox =
            Sandbox::new(found, &container, &group.containers, &root.path, runtime_root.as_deref());
        if root.counted.insert(id.into(), container.created_at) != Some(container.created_at) {
            self.total += 1;
        }
        root.sandboxes.insert(id.into(), Arc::new(sandbox));
    }

    /// The process of a sandbox, found when it is first seen and only compared later.
    fn process(&self, previous: Option<&Sandbox>, container: &Container) -> Option<Process> {
        match previous {
            Some(previous) => previous.process.is_running().then_some(previous.process),
            None => Process::find_for(container.sandbox.pid?, container.created_at, self.boot),
        }
    }

    fn table(&self) -> Table {
        let all = self.roots.iter().flat_map(|root| root.sandboxes.values().cloned());
        let mut sandboxes: Vec<Arc<Sandbox>> = all.collect();
        sandboxes
            .sort_by(|left, right| (&left.id, left.root_index).cmp(&(&right.id, right.root_index)));
        Table { sandboxes, total: self.total, refused: self.refused }
    }
}

impl Root {
    fn empty() -> Self {
        Self {
            index: 0,
            path: PathBuf::new(),
            address: String::new(),
            files: BTreeMap::new(),
            sandboxes: BTreeMap::new(),
            counted: HashMap::new(),
            doubled: BTreeSet::new(),
        }
    }

    fn forget(&mut self) {
        self.files.clear();
        self.sandboxes.clear();
        self.counted.clear();
        self.doubled.clear();
    }

    /// What the files of one sandbox say together.
    fn group(&mut self, id: &str) -> Group {
        let first = ContainerName { sandbox: id.into(), container: "".into() };
        let files = self.files.range(first..).take_while(|(name, _)| *name.sandbox == *id);
        let mut group = Group::default();
        let mut has_files = false;
        for (name, file) in files {
            has_files = true;
            let Some(content) = &file.content else { continue };
            group.has_two_roots |= content.is_second_root;
            if let Some(registration) = &content.registration
                && content.container.is_root
                && *name.container == *id
            {
                group.main = Some((Arc::clone(&content.container), Arc::clone(registration)));
            }
            group.containers.push(Arc::clone(&content.container));
        }
        if !has_files {
            self.counted.remove(id);
        }
        group
    }
}

/// The files of one sandbox.
#[derive(Default)]
struct Group {
    containers: Vec<Arc<Container>>,
    /// The root container, if its sandbox wants to be measured by us.
    main: Option<(Arc<Container>, Arc<Registration>)>,
    has_two_roots: bool,
}

impl File {
    fn is_due(&self, now: Instant) -> bool {
        self.retry.is_some_and(|retry| retry.at <= now)
    }
}

impl Sandbox {
    /// Whether a container's state is still about this very sandbox.
    fn is_same(&self, container: &Container) -> bool {
        self.created_at == container.created_at && container.sandbox.pid == Some(self.process.pid())
    }
}

/// An address with the root folder in its template's place.
pub(crate) fn replace_root(address: &str, root: &std::path::Path) -> String {
    address.replace(ROOT_TEMPLATE, &root.to_string_lossy())
}

fn list(path: &std::path::Path) -> io::Result<BTreeSet<ContainerName>> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(path)? {
        if let Some(name) = entry?.file_name().to_str().and_then(ContainerName::parse) {
            names.insert(name);
        }
    }
    Ok(names)
}

fn stat(folder: &fs::File, name: &ContainerName) -> Result<Stamp, Errno> {
    let stat = rustix::fs::statat(folder, name.file_name(STATE_SUFFIX), AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(Stamp {
        seconds: stat.st_mtime,
        nanoseconds: i64::try_from(stat.st_mtime_nsec).unwrap_or_default(),
        size: stat.st_size,
        device: stat.st_dev,
        inode: stat.st_ino,
    })
}

/// Reads a state file under its lock.
fn read(folder: &fs::File, name: &ContainerName) -> Result<Vec<u8>, FileError> {
    // Not blocking, so that a pipe in a file's place cannot stop us.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let open = |suffix: &str| {
        rustix::fs::openat(folder, OsStr::new(&name.file_name(suffix)), flags, Mode::empty())
    };
    // runsc removes the lock with the state; a state without a lock is read all the same.
    let lock = open(".lock").ok();
    if let Some(lock) = &lock
        && rustix::fs::flock(lock, FlockOperation::NonBlockingLockExclusive)
            == Err(Errno::WOULDBLOCK)
    {
        return Err(FileError::Locked);
    }
    let refuse = |reason, detail: &str| Err(FileError::Refused(reason, detail.to_owned()));
    let file = match open(STATE_SUFFIX) {
        Ok(file) => fs::File::from(file),
        Err(Errno::NOENT) => return Err(FileError::Gone),
        Err(Errno::LOOP) => return refuse(FileReason::Kind, "a symbolic link"),
        Err(error) => return Err(FileError::Refused(FileReason::Read, error.to_string())),
    };
    let stat = rustix::fs::fstat(&file)
        .map_err(|error| FileError::Refused(FileReason::Read, error.to_string()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return refuse(FileReason::Kind, "not a regular file");
    }
    if stat.st_uid != 0 && stat.st_uid != rustix::process::geteuid().as_raw() {
        return refuse(FileReason::Owner, "neither root's nor ours");
    }
    let mut text = Vec::new();
    file.take(STATE_BYTES_MAX + 1)
        .read_to_end(&mut text)
        .map_err(|error| FileError::Refused(FileReason::Read, error.to_string()))?;
    if text.len() as u64 > STATE_BYTES_MAX {
        return refuse(FileReason::Size, "longer than any honest one");
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
