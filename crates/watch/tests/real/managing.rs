//! The role that removes what has ended, and where it refuses to.

use std::collections::BTreeSet;

use pratique_clockwork::Shutdown;
use pratique_testkit::containerd::{Build, Containerd};
use pratique_testkit::process::eventually;
use pratique_watch::{Config, Error};
use tokio::runtime::Runtime;

use crate::bed::{DEADLINE, Watch, watcher};

/// As many as the design (watch) asks for.
const CYCLES: u32 = 200;

/// Containers over which two managers race.
const RACES: u32 = 20;

const NS: &str = "t";

fn managing(namespace: &str) -> Config {
    Config { manage: vec![namespace.to_owned()], ..Config::default() }
}

#[test]
fn after_two_hundred_cycles_nothing_is_left() {
    let Some(containerd) = Containerd::start_build(Build::Packaged) else { return };
    containerd.import_busybox(NS);
    let mut watch = Watch::following(&containerd, managing(NS));
    cycle(&containerd, CYCLES);
    eventually("no shim is left", DEADLINE, || containerd.shims().is_empty());
    eventually("no mount is left", DEADLINE, || {
        !containerd.mounts().iter().any(|mount| mount.ends_with("rootfs"))
    });
    each_end_is_told_once(&watch, CYCLES);
    watch.stop();
}

/// Tasks only: when two delete at the same time, containerd 1.6 may take a shim for dead that is
/// not, and nobody who asks containerd finds that shim again.
#[test]
fn two_managers_remove_every_task_and_tell_each_end_once() {
    let Some(containerd) = Containerd::start_build(Build::Packaged) else { return };
    containerd.import_busybox(NS);
    let mut watches = [0, 1].map(|_| Watch::following(&containerd, managing(NS)));
    cycle(&containerd, RACES);
    for watch in &mut watches {
        each_end_is_told_once(watch, RACES);
        watch.stop();
    }
}

/// Runs containers that end at once, until no task is left.
fn cycle(containerd: &Containerd, count: u32) {
    for index in 0..count {
        containerd.run_container(NS, &format!("c{index}"), &[], &["sh", "-c", "sleep 0.2"]);
    }
    eventually("no task is left", DEADLINE, || {
        containerd.ctr(NS, &["task", "ls", "-q"]).trim().is_empty()
    });
}

fn each_end_is_told_once(watch: &Watch, count: u32) {
    watch.until("all ends are told", |watch| watch.ends().len() >= count as usize);
    let ids: BTreeSet<String> = watch.ends().into_iter().map(|(id, ..)| id).collect();
    assert_eq!((ids.len(), watch.ends().len()), (count as usize, count as usize));
}

#[test]
fn a_namespace_of_kubernetes_is_never_managed() {
    let Some(containerd) = Containerd::start_build(Build::Packaged) else { return };
    let refused = refused(&containerd, "k8s.io");
    assert!(matches!(refused, Error::Refused { .. }), "{refused:?}");

    // Whatever it is called, one container of CRI is enough.
    containerd.import_busybox(NS);
    let label = ["--label", "io.cri-containerd.kind=container"];
    containerd.run_container(NS, "a", &label, &["true"]);
    let refused = self::refused(&containerd, NS);
    assert!(matches!(refused, Error::Refused { .. }), "{refused:?}");
    assert!(containerd.ctr(NS, &["task", "ls"]).contains("STOPPED"), "it was left alone");
}

/// Why a manager of this namespace does not go on.
fn refused(containerd: &Containerd, namespace: &str) -> Error {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let path = folder.path().join("node.db");
        let watcher = watcher(&containerd.socket(), &path, managing(namespace));
        let ended = tokio::time::timeout(DEADLINE, watcher.run(Shutdown::new())).await;
        ended.expect("in time").expect_err("it is refused")
    })
}
