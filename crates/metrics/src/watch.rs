//! Keeps the table of sandboxes true: looks when something changes in a root folder, and all over
//! every so often.
//!
//! inotify tells names; the full look catches what it did not tell, and processes that have ended.
//! A root folder that goes away ends the server, or is waited for when that was asked for.
//! Surprising: looking is blocking work and runs on a blocking thread, which takes the whole
//! [`Discovery`] with it and brings it back.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pratique_clockwork::Shutdown;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{error, warn};

use crate::discovery::{Discovery, RootError, Scope, Table};

/// How often everything is looked at; the seed's `verifyLoopInterval`.
const LOOK_INTERVAL: Duration = Duration::from_secs(20);
/// How long names are gathered before they are looked at: one start of a sandbox writes its file
/// several times.
const GATHER: Duration = Duration::from_millis(20);
/// More names than this and everything is looked at instead.
const NAMES_MAX: usize = 4_096;
/// Room for what inotify tells at once.
const EVENT_BYTES: usize = 16 * 1024;

/// Events after which names may be missing.
const LOST: ReadFlags = ReadFlags::QUEUE_OVERFLOW
    .union(ReadFlags::IGNORED)
    .union(ReadFlags::DELETE_SELF)
    .union(ReadFlags::MOVE_SELF);

/// What follows the root folders.
pub(crate) struct Watch {
    roots: Vec<PathBuf>,
    address: String,
    may_be_absent: bool,
    discovery: Option<Discovery>,
    table: watch::Sender<Arc<Table>>,
    looked_at: watch::Sender<Instant>,
    notify: Option<AsyncFd<OwnedFd>>,
    /// Roots by the number of their watch.
    watches: BTreeMap<i32, usize>,
    is_complaining: bool,
}

impl Watch {
    /// Follows these folders for sandboxes that want to be served at `address`; with
    /// `may_be_absent` also when they are not there.
    pub(crate) fn new(
        roots: Vec<PathBuf>,
        address: &str,
        may_be_absent: bool,
    ) -> (Self, watch::Receiver<Arc<Table>>, watch::Receiver<Instant>) {
        let (table, tables) = watch::channel(Arc::default());
        let (looked_at, looks) = watch::channel(Instant::now());
        let this = Self {
            discovery: Some(Discovery::new(&roots, address)),
            roots,
            address: address.to_owned(),
            may_be_absent,
            table,
            looked_at,
            notify: None,
            watches: BTreeMap::new(),
            is_complaining: false,
        };
        (this, tables, looks)
    }

    /// Looks at everything once, so that the first scrape is complete.
    ///
    /// # Errors
    /// The first root folder that cannot be listed, unless they may be absent.
    pub(crate) async fn start(&mut self) -> Result<(), RootError> {
        self.watch_roots();
        self.look(Scope::All).await
    }

    /// Follows the folders until the server stops, or stops it because a folder has gone.
    pub(crate) async fn run(mut self, shutdown: Shutdown) {
        while let Some(scope) = shutdown.unless_triggered(self.next_scope()).await {
            if self.watches.len() < self.roots.len() {
                self.watch_roots();
            }
            if let Err(error) = self.look(scope).await {
                warn!("{error}: {}; stopping", error.source);
                shutdown.trigger();
            }
        }
    }

    /// Waits until there is something to look at. Cancel-safe: what is lost is found by the next
    /// full look.
    async fn next_scope(&mut self) -> Scope {
        let full_at = *self.looked_at.borrow() + LOOK_INTERVAL;
        let retry_at = self.discovery.as_ref().and_then(Discovery::retry_at).unwrap_or(full_at);
        let Some(notify) = &self.notify else {
            sleep_until(full_at.min(retry_at)).await;
            return Scope::All;
        };
        tokio::select! {
            () = sleep_until(full_at) => return Scope::All,
            () = sleep_until(retry_at) => return Scope::Names(BTreeSet::new()),
            ready = notify.readable() => if ready.is_err() { return Scope::All },
        }
        sleep(GATHER).await;
        self.told_scope()
    }

    /// What to look at after what inotify has told.
    fn told_scope(&mut self) -> Scope {
        let mut told = Vec::new();
        let Some(notify) = &self.notify else { return Scope::All };
        // Reading to the end within `try_io` is what makes waiting for more right again.
        let read = notify.try_io(Interest::READABLE, |notify| {
            drain(notify, &mut told)?;
            Err::<(), _>(io::ErrorKind::WouldBlock.into())
        });
        let mut is_lost = read.is_err_and(|error| error.kind() != io::ErrorKind::WouldBlock);
        let mut names = BTreeSet::new();
        for Told { number, flags, name } in told {
            if flags.intersects(ReadFlags::IGNORED | ReadFlags::MOVE_SELF) {
                self.watches.remove(&number);
            }
            is_lost |= flags.intersects(LOST);
            if let (Some(index), Some(name)) = (self.watches.get(&number), name) {
                names.insert((*index, name));
            }
        }
        if is_lost || names.len() > NAMES_MAX { Scope::All } else { Scope::Names(names) }
    }

    /// Watches the folders that are there and not watched yet. Without inotify the full look
    /// alone finds sandboxes.
    fn watch_roots(&mut self) {
        if self.notify.is_none() {
            match open_notify() {
                Ok(notify) => self.notify = Some(notify),
                Err(error) => warn!("inotify: {error}; looking every {LOOK_INTERVAL:?} instead"),
            }
        }
        let Some(notify) = &self.notify else { return };
        let flags = WatchFlags::CLOSE_WRITE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::DELETE
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        for (index, root) in self.roots.iter().enumerate() {
            if !self.watches.values().any(|watched| *watched == index)
                && let Ok(number) = inotify::add_watch(notify.get_ref(), root, flags)
            {
                self.watches.insert(number, index);
            }
        }
    }

    async fn look(&mut self, scope: Scope) -> Result<(), RootError> {
        let Some(mut discovery) = self.discovery.take() else { return Ok(()) };
        let is_full = matches!(scope, Scope::All);
        let now = Instant::now();
        let looking = tokio::task::spawn_blocking(move || {
            let (table, errors) = discovery.look(&scope, now);
            (discovery, table, errors)
        });
        let Ok((discovery, table, errors)) = looking.await else {
            // A fault of ours; the table stays as it was and all is read anew.
            error!("looking at state files met a fault");
            self.discovery = Some(Discovery::new(&self.roots, &self.address));
            return Ok(());
        };
        self.discovery = Some(discovery);
        self.table.send_replace(Arc::new(table));
        if is_full {
            self.looked_at.send_replace(now);
        }
        self.judge(errors)
    }

    fn judge(&mut self, errors: Vec<RootError>) -> Result<(), RootError> {
        let Some(error) = errors.into_iter().next() else {
            self.is_complaining = false;
            return Ok(());
        };
        if !self.may_be_absent {
            return Err(error);
        }
        if !self.is_complaining {
            warn!("{error}: {}; waiting for it", error.source);
        }
        self.is_complaining = true;
        Ok(())
    }
}

/// A descriptor of inotify that the runtime waits for.
fn open_notify() -> io::Result<AsyncFd<OwnedFd>> {
    let notify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    #[expect(deprecated, reason = "sound for a descriptor that is owned; its successor is unsafe")]
    AsyncFd::new(notify)
}

/// One event of inotify.
struct Told {
    number: i32,
    flags: ReadFlags,
    name: Option<String>,
}

/// Reads events until there are no more for now.
fn drain(notify: &OwnedFd, told: &mut Vec<Told>) -> io::Result<()> {
    let mut buffer = [MaybeUninit::uninit(); EVENT_BYTES];
    let mut reader = inotify::Reader::new(notify, &mut buffer);
    loop {
        match reader.next() {
            Ok(event) => told.push(Told {
                number: event.wd(),
                flags: event.events(),
                name: event.file_name().and_then(|name| name.to_str().ok()).map(str::to_owned),
            }),
            Err(Errno::AGAIN) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}
