//! Fake gVisor sandboxes, honest and hostile, up to ten thousand of them.
//!
//! Real state files, real locks and real unix sockets that speak urpc, so that a metric server
//! cannot tell them from runsc's. All of them are the process that starts them: its id stands in
//! their files and it listens on their sockets. Honest ones are answered for by a few threads at
//! little cost (`crowd`), the others each by a task of its own (`conduct`); what they say is the
//! same in every run, but for the time.

mod conduct;
mod crowd;
mod reply;

use std::fs;
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use jiff::Timestamp;
use pratique_clockwork::{Clock, Shutdown};
use tokio::net::UnixListener;

use crowd::Crowd;

pub use conduct::Conduct;
pub use crowd::LATE;
pub use reply::IDLE_POINTS;

/// Sandboxes that answer until this is dropped.
pub struct SandboxFarm {
    root: PathBuf,
    address: String,
    counts: Arc<Counts>,
    shutdown: Shutdown,
    thread: Option<JoinHandle<()>>,
    _crowd: Crowd,
}

/// What the sandboxes count.
#[derive(Debug, Default)]
struct Counts {
    calls: AtomicU64,
    late: AtomicU64,
}

impl SandboxFarm {
    /// Starts sandboxes in a root folder, by id; each asks to be served at `address`.
    ///
    /// # Panics
    /// When a socket or file cannot be made: ten thousand need as many descriptors.
    pub fn start(root: &Path, address: &str, sandboxes: &[(String, Conduct)]) -> Self {
        let counts = Arc::new(Counts::default());
        let (mut crowd, mut listening) = (Vec::new(), Vec::new());
        for (id, conduct) in sandboxes {
            let path = root.join(format!("runsc-{id}.sock"));
            if *conduct != Conduct::NoSocket {
                let listener = StdListener::bind(path).expect("a socket");
                listener.set_nonblocking(true).expect("a socket");
                let is_crowd = matches!(conduct, Conduct::Idle | Conduct::Busy);
                let place = if is_crowd { &mut crowd } else { &mut listening };
                place.push((listener, *conduct));
            }
        }
        let crowd = Crowd::start(crowd, &counts);
        let shutdown = Shutdown::new();
        let (stopping, counted) = (shutdown.clone(), Arc::clone(&counts));
        let thread = thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("it");
            runtime.block_on(async move {
                for (listener, conduct) in listening {
                    let listener = UnixListener::from_std(listener).expect("it listens");
                    tokio::spawn(serve(listener, conduct, Arc::clone(&counted)));
                }
                stopping.triggered().await;
            });
        });
        let farm = Self {
            root: root.to_owned(),
            address: address.to_owned(),
            counts,
            shutdown,
            thread: Some(thread),
            _crowd: crowd,
        };
        let registration = reply::registration();
        for (id, conduct) in sandboxes {
            farm.write_state(id, *conduct, &registration);
        }
        farm
    }

    /// How many calls have come.
    pub fn call_count(&self) -> u64 {
        self.counts.calls.load(Ordering::Relaxed)
    }

    /// How many replies of honest sandboxes were given later than [`LATE`] after their requests
    /// can have come. Any at all mean that what a server seemed to miss may not be its fault.
    pub fn late_count(&self) -> u64 {
        self.counts.late.load(Ordering::Relaxed)
    }

    /// Removes the files of a sandbox, as runsc does when it is deleted.
    ///
    /// # Panics
    /// When they are not there.
    pub fn delete(&self, id: &str) {
        for suffix in ["state", "lock"] {
            let path = self.root.join(format!("{id}_sandbox:{id}.{suffix}"));
            fs::remove_file(path).expect("it was written");
        }
    }

    fn write_state(&self, id: &str, conduct: Conduct, registration: &str) {
        // Process 1 runs everywhere and began before any sandbox.
        let pid = if conduct == Conduct::WrongPeer { 1 } else { std::process::id() };
        let (root, address) = (self.root.display(), &self.address);
        let created_at = now();
        let state = [
            format!(r#"{{"id":"{id}","createdAt":"{created_at}","status":"running","#),
            r#""spec":{"ociVersion":"1.0.0","annotations":{},"process":{"user":{"uid":0},"#.into(),
            r#""capabilities":{"bounding":["CAP_CHOWN","CAP_KILL"]}}},"#.into(),
            format!(r#""sandbox":{{"id":"{id}","podName":"pod-{id}","namespace":"default","#),
            format!(r#""pid":{pid},"registeredMetrics":{registration},"#),
            format!(r#""restored":{},"#, conduct == Conduct::Restored),
            r#""metricMetadata":{"platform":"systrap","version":"fake"},"#.into(),
            format!(r#""metricServerAddress":"{address}","#),
            format!(r#""controlSocketPath":"{root}/runsc-{id}.sock"}}}}"#),
        ]
        .concat();
        let path = |suffix: &str| self.root.join(format!("{id}_sandbox:{id}.{suffix}"));
        fs::write(path("lock"), "").expect("a file");
        fs::write(path("state"), state).expect("a file");
    }
}

impl Drop for SandboxFarm {
    fn drop(&mut self) {
        self.shutdown.trigger();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(listener: UnixListener, conduct: Conduct, counts: Arc<Counts>) {
    if conduct == Conduct::NeverAccepts {
        std::future::pending::<()>().await;
    }
    let mut call = 0;
    while let Ok((stream, _)) = listener.accept().await {
        counts.calls.fetch_add(1, Ordering::Relaxed);
        call += 1;
        tokio::spawn(conduct.answer(stream, call));
    }
}

fn now() -> Timestamp {
    Clock::system().now()
}
