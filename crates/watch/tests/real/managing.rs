//! The role that removes what has ended, and where it refuses to.

use std::collections::BTreeSet;

use pratique_clockwork::Shutdown;
use pratique_testkit::containerd::{Build, Containerd};
use pratique_testkit::process::eventually;
use pratique_watch::{Config, Error};
use tokio::runtime::Runtime;

use crate::bed::{DEADLINE, Watch, on_each, watcher};

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
    on_each(|containerd| {
        containerd.import_busybox(NS);
        let mut watch = Watch::following(&containerd, managing(NS));
        cycle(&containerd, CYCLES);
        nothing_is_left(&containerd);
        each_end_is_told_once(&watch, CYCLES);
        watch.stop();
    });
}

/// When two delete one task at the same time, containerd may take its shim for dead while it lives,
/// and nobody who asks containerd finds that shim again; so managers take turns.
#[test]
fn two_managers_remove_everything_once_and_tell_each_end_once() {
    on_each(|containerd| {
        containerd.import_busybox(NS);
        let mut watches = [0, 1].map(|_| Watch::following(&containerd, managing(NS)));
        cycle(&containerd, RACES);
        for watch in &mut watches {
            each_end_is_told_once(watch, RACES);
        }
        nothing_is_left(&containerd);
        let said = || watches.each_ref().map(Watch::said).concat();
        eventually("each removal is told", DEADLINE, || {
            said().matches("its task is removed").count() >= RACES as usize
        });
        let said = said();
        for index in 0..RACES {
            let removal = format!("\"c{index}\": its task is removed");
            assert_eq!(said.matches(&removal).count(), 1, "c{index}: {said}");
        }
        for watch in &mut watches {
            watch.stop();
        }
    });
}

fn nothing_is_left(containerd: &Containerd) {
    eventually("no shim is left", DEADLINE, || containerd.shims().is_empty());
    eventually("no mount is left", DEADLINE, || {
        !containerd.mounts().iter().any(|mount| mount.ends_with("rootfs"))
    });
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
