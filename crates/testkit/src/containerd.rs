//! A private containerd with runc, with root, state and socket of its own.
//!
//! The daemon is a child of the test and can be killed, stopped and started again while its
//! containers go on, as on a real node. Surprising: shims and containers are nobody's children
//! and outlive everything; so what is left is found by this bed's folder, which stands in a shim's
//! arguments and in the mounts of a container, when the bed is dropped, and when a later test
//! finds the bed of a test process that was killed.

pub mod cri;
mod image;
mod remains;

use std::ffi::OsString;
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use crate::component;
use crate::process::{Process, Signal, eventually};

pub use image::{BUSYBOX, PAUSE, busybox_archive};

/// How long containerd may take to start, on a machine that does much else.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// How long it may take to end after SIGTERM.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

/// Which containerd is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// The one in the PATH: Debian's, 1.6. A folder in the environment's `CONTAINERD_FOLDER` takes
    /// its place, so that the tests can be tried on any.
    Packaged,
    /// 2.x, built by `cargo xtask test` into the component cache.
    Second,
}

/// A running containerd with a folder of its own.
///
/// When it is dropped, everything that it started is killed and unmounted.
pub struct Containerd {
    folder: PathBuf,
    build: Build,
    process: Option<Process>,
}

impl Containerd {
    /// Starts the packaged containerd; `None`, said loudly, where it is absent or the test may not
    /// run it (it takes root).
    ///
    /// # Panics
    /// When it cannot be started, or is absent though `PRATIQUE_REQUIRE` has `containerd`.
    pub fn start() -> Option<Self> {
        Self::start_build(Build::Packaged)
    }

    /// The same with a choice; 2.x is the component `containerd2`.
    ///
    /// # Panics
    /// See [`start`](Self::start).
    pub fn start_build(build: Build) -> Option<Self> {
        if let Some(problem) = missing(build) {
            component::absent(build.component(), &problem);
            return None;
        }
        remains::sweep();
        let folder = remains::new_folder();
        fs::write(folder.join("config.toml"), config(&folder)).expect("the folder is ours");
        let mut bed = Self { folder, build, process: None };
        bed.run();
        Some(bed)
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("c.sock")
    }

    /// The folder of everything it keeps.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Which one it is.
    pub fn build(&self) -> Build {
        self.build
    }

    /// Ends it with SIGKILL; containers and shims go on.
    ///
    /// # Panics
    /// When it does not end.
    pub fn kill9(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }

    /// Starts it when it does not run, and waits until it answers.
    ///
    /// # Panics
    /// When it does not.
    pub fn run(&mut self) {
        if self.process.is_some() {
            return;
        }
        let mut command = self.build.command("containerd");
        command.arg("-c").arg(self.folder.join("config.toml"));
        self.process = Some(Process::spawn("containerd", command));
        eventually("containerd answers", START_TIMEOUT, || {
            let is_running = self.process.as_ref().is_some_and(Process::is_running);
            assert!(is_running, "containerd has ended: {}", self.said());
            UnixStream::connect(self.socket()).is_ok()
                && self.try_ctr("default", &["version"]).status.success()
        });
    }

    /// Ends it as a service manager does, and starts it again.
    ///
    /// # Panics
    /// When it does not end or does not start.
    pub fn restart(&mut self) {
        if let Some(process) = self.process.take() {
            process.terminate(STOP_TIMEOUT);
        }
        self.run();
    }

    /// Stops it where it is: its socket takes connections and nobody answers.
    pub fn stop(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn cont(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            process.signal(signal);
        }
    }

    /// What it has said since it was last started.
    pub fn said(&self) -> String {
        self.process.as_ref().map_or_else(String::new, Process::said)
    }

    /// Runs `ctr` in a namespace and gives what it printed.
    ///
    /// # Panics
    /// When it does not succeed.
    pub fn ctr(&self, namespace: &str, words: &[&str]) -> String {
        let output = self.try_ctr(namespace, words);
        let (said, problem) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "ctr -n {namespace} {}: {problem}", words.join(" "));
        said
    }

    /// Runs `ctr` in a namespace, whatever comes of it.
    ///
    /// # Panics
    /// When there is no `ctr`.
    pub fn try_ctr(&self, namespace: &str, words: &[&str]) -> Output {
        let mut command = self.ctr_command(namespace);
        command.args(words).output().expect("containerd brings ctr")
    }

    /// The beginning of a `ctr` command.
    pub fn ctr_command(&self, namespace: &str) -> Command {
        let mut command = self.build.command("ctr");
        command.arg("--address").arg(self.socket()).args(["-n", namespace]);
        command
    }

    /// Imports a small image with busybox under the names [`BUSYBOX`] and [`PAUSE`].
    ///
    /// # Panics
    /// When it cannot be imported.
    pub fn import_busybox(&self, namespace: &str) {
        let path = self.folder.join("busybox.tar");
        fs::write(&path, busybox_archive()).expect("the folder is ours");
        self.import(namespace, &path);
    }

    /// Imports an archive of images under the names it gives them.
    ///
    /// # Panics
    /// When it cannot be imported.
    pub fn import(&self, namespace: &str, archive: &Path) {
        self.ctr(namespace, &["images", "import", &archive.display().to_string()]);
    }

    /// Starts a container of [`BUSYBOX`] in the background, with flags of `ctr run` before it.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn run_container(&self, namespace: &str, id: &str, flags: &[&str], words: &[&str]) {
        // By default all containerds of a machine share runc's folder, and names clash there.
        let runc = self.folder.join("runc").display().to_string();
        let cgroup = format!("{}/{namespace}-{id}", self.cgroup());
        let start = ["run", "-d", "--runc-root", &runc, "--cgroup", &cgroup];
        self.ctr(namespace, &[&start, flags, &[BUSYBOX, id], words].concat());
    }

    /// The control group in which all its containers have theirs.
    pub fn cgroup(&self) -> String {
        remains::cgroup(&self.folder)
    }

    /// The processes that are shims of this containerd.
    pub fn shims(&self) -> Vec<u32> {
        remains::shims(&self.folder)
    }

    /// What is mounted in its folder.
    pub fn mounts(&self) -> Vec<PathBuf> {
        remains::mounts(&self.folder)
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        // Before the daemon: it would start to clean up, and log, after its shims.
        self.process = None;
        remains::clear(&self.folder);
    }
}

impl Build {
    /// As `PRATIQUE_REQUIRE` names it.
    fn component(self) -> &'static str {
        match self {
            Self::Packaged => "containerd",
            Self::Second => "containerd2",
        }
    }

    /// Where its programs are; `None`: in the PATH.
    fn folder(self) -> Option<PathBuf> {
        match self {
            Self::Packaged => std::env::var_os("CONTAINERD_FOLDER").map(PathBuf::from),
            Self::Second => {
                let program = component::built("containerd-2", "containerd");
                program.parent().map(Path::to_path_buf)
            }
        }
    }

    /// One of its programs. It finds the others, such as its shim, before any in the PATH.
    fn command(self, program: &str) -> Command {
        let Some(folder) = self.folder() else { return Command::new(program) };
        let mut command = Command::new(folder.join(program));
        let mut path = OsString::from(folder);
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        command.env("PATH", path);
        command
    }
}

/// What keeps this build from being run.
fn missing(build: Build) -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("only root can run it".to_owned());
    }
    for (program, argument) in [("containerd", "--version"), ("ctr", "--version")] {
        if build.command(program).arg(argument).output().is_err() {
            return Some(format!("there is no {program}"));
        }
    }
    let needed = [("runc", "runc"), ("busybox", "busybox-static")];
    needed.iter().find(|(program, _)| !component::is_in_path(program)).map(|(program, package)| {
        format!("there is no {program}; Debian has it in the package {package}")
    })
}

/// The configuration, version 2, which containerd 2.x reads too: everything in the folder, no
/// network, CRI served. Pod sandboxes may not lower their OOM score where root lacks
/// CAP_SYS_RESOURCE, hence `restrict_oom_score_adj`.
fn config(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        r#"version = 2
root = "{folder}/root"
state = "{folder}/state"
[grpc]
address = "{folder}/c.sock"
[plugins."io.containerd.internal.v1.opt"]
path = "{folder}/opt"
[plugins."io.containerd.nri.v1.nri"]
disable = true
[plugins."io.containerd.grpc.v1.cri"]
restrict_oom_score_adj = true
sandbox_image = "{PAUSE}"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{folder}/cni/bin"
conf_dir = "{folder}/cni/conf"
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
Root = "{folder}/runc"
"#
    )
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests;
