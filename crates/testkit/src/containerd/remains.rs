//! What a bed leaves on the machine, and clearing it away: processes, mounts, its folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::mount::{UnmountFlags, unmount};
use rustix::process::{Pid, Signal, kill_process};

use crate::process::eventually;

/// How a bed's folder begins; the id of the test process follows.
const PREFIX: &str = "pratique-ctd-";

/// How long killed processes may take to be gone.
const END_TIMEOUT: Duration = Duration::from_secs(20);

/// A new folder for a bed of this process. Short, so that sockets in it have short paths.
pub(super) fn new_folder() -> PathBuf {
    let prefix = format!("{PREFIX}{}-", std::process::id());
    let folder = tempfile::Builder::new().prefix(&prefix).tempdir().expect("a folder can be made");
    folder.keep()
}

/// Clears away the beds of test processes that are no more.
pub(super) fn sweep() {
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split_once('-'));
        let Some((owner, _)) = owner else { continue };
        if !Path::new("/proc").join(owner).exists() {
            clear(&entry.path());
        }
    }
}

/// Kills, unmounts and removes everything of a bed.
pub(super) fn clear(folder: &Path) {
    let is_clear = || {
        let mut processes = processes_of_containers(folder);
        // Shims first: they would see their containers end and begin to clean up.
        processes.splice(0..0, daemons(folder));
        for id in &processes {
            kill(*id);
        }
        processes.is_empty()
    };
    if !std::thread::panicking() {
        eventually("containers and shims are gone", END_TIMEOUT, is_clear);
    } else {
        is_clear();
    }
    for mount in mounts(folder).iter().rev() {
        let _ = unmount(mount, UnmountFlags::DETACH);
    }
    remove_cgroups(folder);
    remove_sockets(folder);
    let _ = fs::remove_dir_all(folder);
}

/// The name of the control group in which all containers of a bed have theirs.
pub(super) fn cgroup(folder: &Path) -> String {
    format!("/{}", folder.file_name().unwrap_or_default().to_string_lossy())
}

/// Removes the bed's control groups, of either version: a later container would find their counts.
fn remove_cgroups(folder: &Path) {
    let name = cgroup(folder);
    let root = Path::new("/sys/fs/cgroup");
    let controllers = fs::read_dir(root).into_iter().flatten().flatten();
    let controllers = controllers.map(|entry| entry.path()).filter(|path| path.is_dir());
    for controller in controllers.chain([root.to_owned()]) {
        remove_folders(&controller.join(&name[1..]));
    }
}

/// Removes folders only: the files of a control group go with it.
fn remove_folders(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_folders(&entry.path());
        }
    }
    let _ = fs::remove_dir(folder);
}

/// Removes the sockets of killed shims, which lie elsewhere.
fn remove_sockets(folder: &Path) {
    let tasks = folder.join("state/io.containerd.runtime.v2.task");
    let entries = |path: PathBuf| fs::read_dir(path).into_iter().flatten().flatten();
    for bundle in entries(tasks).flat_map(|namespace| entries(namespace.path())) {
        let address = fs::read_to_string(bundle.path().join("address")).unwrap_or_default();
        if let Some(path) = address.strip_prefix("unix://") {
            let _ = fs::remove_file(path);
        }
    }
}

/// The shims of the containerd whose socket lies in the folder.
pub(super) fn shims(folder: &Path) -> Vec<u32> {
    daemons(folder).into_iter().filter(|id| words(*id).iter().any(|word| word == "-id")).collect()
}

/// The shims and containerd itself, by the folder in their arguments.
fn daemons(folder: &Path) -> Vec<u32> {
    let folder = format!("{}/", folder.display());
    let is_ours = |id: &u32| {
        let words = words(*id);
        let program = words.first().map_or("", |word| word.rsplit('/').next().unwrap_or(""));
        program.starts_with("containerd") && words.iter().any(|word| word.starts_with(&folder))
    };
    all_processes().filter(is_ours).collect()
}

/// Processes whose root is a file system that lies in the folder.
fn processes_of_containers(folder: &Path) -> Vec<u32> {
    let folder = format!("{}/", folder.display());
    let is_ours = |id: &u32| {
        let mounts = fs::read_to_string(format!("/proc/{id}/mountinfo")).unwrap_or_default();
        let mut mounts = mounts.lines();
        mounts.any(|line| line.split(' ').nth(4) == Some("/") && line.contains(&folder))
    };
    all_processes().filter(is_ours).collect()
}

/// What is mounted in the folder, outermost first.
pub(super) fn mounts(folder: &Path) -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4));
    points.map(PathBuf::from).filter(|point| point.starts_with(folder)).collect()
}

fn all_processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn words(id: u32) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    let words = bytes.split(|&byte| byte == 0);
    words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

fn kill(id: u32) {
    if let Some(id) = i32::try_from(id).ok().and_then(Pid::from_raw) {
        let _ = kill_process(id, Signal::KILL);
    }
}
