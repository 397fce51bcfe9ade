//! A containerd and a watcher over it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use pratique_clockwork::{Bell, Clock, Shutdown};
use pratique_containerd::Client;
use pratique_model::{Container, NodeImage, NoticeKind, NumberedNotice};
use pratique_store::{Access, Database, NoticeFilter, Store};
use pratique_testkit::containerd::{Build, Containerd};
use pratique_testkit::process::{Process, eventually};
use pratique_watch::{Config, Health, Metrics, Watcher};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

/// Far longer than anything here takes; a test that reaches it fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(90);

/// More notices than any test makes.
const NOTICES_MAX: usize = 100_000;

/// Runs a case on each containerd that is there.
pub(crate) fn on_each(case: impl Fn(Containerd)) {
    for build in [Build::Packaged, Build::Second] {
        if let Some(containerd) = Containerd::start_build(build) {
            case(containerd);
        }
    }
}

/// The settings of [`watcher_process`], in its environment.
const SETTINGS: &str = "PRATIQUE_TEST_WATCHER";

/// What it logs.
const LOGGED: &str = "pratique_watch=info,pratique_watch::reap=debug";

/// What it says when it has stopped as it was told to.
const STOPPED: &str = "the watcher has stopped";

/// Not a test: the process that tests kill. It follows the runtime until SIGTERM.
#[test]
#[allow(clippy::print_stderr, reason = "its words are read by the test that started it")]
fn watcher_process() {
    let Ok(settings) = std::env::var(SETTINGS) else { return };
    let settings: Vec<&str> = settings.split('\n').collect();
    let &[socket, path, manage, probe_millis] = &settings[..] else { panic!("{settings:?}") };
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(LOGGED).init();
    let config = Config {
        manage: manage.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        probe_interval: Duration::from_millis(probe_millis.parse().expect("a number")),
        ..Config::default()
    };
    Runtime::new().expect("a runtime").block_on(async {
        let shutdown = Shutdown::new();
        let watcher = watcher(Path::new(socket), Path::new(path), config);
        let mut term = signal(SignalKind::terminate()).expect("signals can be had");
        let stopping = async {
            term.recv().await;
            shutdown.trigger();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            result = watcher.run(shutdown.clone()) => result.expect("no error"),
            () = stopping => {}
        }
    });
    eprintln!("{STOPPED}");
}

/// A watcher with the real client.
pub(crate) fn watcher(socket: &Path, path: &Path, config: Config) -> Watcher<Client> {
    Watcher {
        runtime: Client::connect(socket),
        store: Store::file(path),
        clock: Clock::system(),
        bell: Bell::new(),
        config,
        metrics: Metrics::new(),
        health: Health::new(),
    }
}

/// A watcher in a process of its own that runs or does not, and what it remembers.
pub(crate) struct Watch {
    _folder: TempDir,
    path: PathBuf,
    socket: PathBuf,
    config: Config,
    process: Option<Process>,
}

impl Watch {
    pub(crate) fn new(containerd: &Containerd, config: Config) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("node.db");
        // Its tables are there before anybody reads.
        drop(Store::file(&path).open(Access::ReadWrite).expect("a store"));
        Self { path, _folder: folder, socket: containerd.socket(), config, process: None }
    }

    /// One that watches and is following: it has seen an image of the namespace.
    pub(crate) fn following(containerd: &Containerd, config: Config) -> Self {
        let mut watch = Self::new(containerd, config);
        watch.start();
        watch.until("the images are known", |watch| !watch.images().is_empty());
        watch
    }

    pub(crate) fn start(&mut self) {
        let this = std::env::current_exe().expect("this program has a path");
        let mut command = Command::new(this);
        command.args(["bed::watcher_process", "--exact", "--nocapture"]);
        let settings = [
            self.socket.display().to_string(),
            self.path.display().to_string(),
            self.config.manage.join(","),
            self.config.probe_interval.as_millis().to_string(),
        ];
        command.env(SETTINGS, settings.join("\n"));
        self.process = Some(Process::spawn("watcher", command));
    }

    pub(crate) fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// Ends it with SIGKILL.
    pub(crate) fn crash(&mut self) {
        self.process.take().expect("it runs").kill();
    }

    /// Ends it with SIGTERM.
    pub(crate) fn stop(&mut self) {
        let process = self.process.take().expect("it runs");
        let status = process.terminate(DEADLINE);
        assert!(status.success() && process.said().contains(STOPPED), "{}", process.said());
    }

    pub(crate) fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        eventually(what, DEADLINE, || {
            if let Some(process) = &self.process {
                assert!(process.is_running(), "the watcher has ended: {}", process.said());
            }
            is_so(self)
        });
    }

    /// What its process has said.
    pub(crate) fn said(&self) -> String {
        self.process.as_ref().expect("it runs").said()
    }

    fn database(&self) -> Option<Database> {
        Store::file(&self.path).open(Access::ReadOnly).ok()
    }

    pub(crate) fn notices(&self) -> Vec<NumberedNotice> {
        let read = |database: Database| {
            database.notices(&NoticeFilter::default(), NOTICES_MAX).expect("notices")
        };
        self.database().map(read).unwrap_or_default()
    }

    /// What was told of ends, those of one container in their order: id, code, reason; without
    /// amendments.
    pub(crate) fn ends(&self) -> Vec<(String, u32, String)> {
        let is_end = |numbered: &NumberedNotice| {
            numbered.notice.kind == NoticeKind::ContainerExited && !numbered.notice.is_amended
        };
        let notices = self.notices().into_iter().filter(is_end);
        let short = |numbered: NumberedNotice| {
            let notice = numbered.notice;
            let reason = notice.reason.map_or_else(String::new, |reason| reason.to_string());
            (notice.id, notice.exit_code.expect("an end has a code"), reason)
        };
        notices.map(short).collect()
    }

    pub(crate) fn container(&self, namespace: &str, id: &str) -> Option<Container> {
        self.database()?.container(namespace, id).expect("an answer")
    }

    pub(crate) fn images(&self) -> Vec<NodeImage> {
        self.database().map(|database| database.node_images().expect("images")).unwrap_or_default()
    }
}
