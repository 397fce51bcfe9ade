//! The bed itself, on both builds.

use super::*;

const DEADLINE: Duration = Duration::from_secs(60);

fn runs(build: Build) {
    let Some(mut bed) = Containerd::start_build(build) else { return };
    bed.import_busybox("t");
    bed.run_container("t", "one", &[], &["sleep", "1000"]);
    assert_eq!(bed.shims().len(), 1, "{}", bed.said());
    bed.kill9();
    assert_eq!(bed.shims().len(), 1, "a container outlives the daemon");
    bed.run();
    assert!(bed.ctr("t", &["task", "ls"]).contains("RUNNING"));
    bed.restart();
    assert!(bed.ctr("t", &["task", "ls"]).contains("RUNNING"));
    let folder = bed.folder().to_owned();
    assert!(!bed.mounts().is_empty());
    drop(bed);
    assert!(remains::mounts(&folder).is_empty());
    assert!(remains::shims(&folder).is_empty());
    assert!(!folder.exists());
}

#[test]
fn a_container_outlives_its_daemon_and_not_its_bed() {
    runs(Build::Packaged);
}

#[test]
fn the_same_holds_for_the_second_containerd() {
    runs(Build::Second);
}

#[test]
fn a_pod_runs_by_cri() {
    for build in [Build::Packaged, Build::Second] {
        let Some(bed) = Containerd::start_build(build) else { continue };
        bed.import_busybox("k8s.io");
        let cri = cri::Cri::connect(&bed);
        let sandbox = cri.run_pod_sandbox("team", "web-1", "uid-1");
        let container = cri.create_container(&sandbox, "web", BUSYBOX, &["sleep", "1000"]);
        cri.start_container(&container);
        eventually("both run", DEADLINE, || {
            bed.ctr("k8s.io", &["task", "ls"]).matches("RUNNING").count() == 2
        });
        cri.stop_container(&container, 0);
        cri.remove_container(&container);
        cri.remove_pod_sandbox(&sandbox);
        assert_eq!(bed.ctr("k8s.io", &["container", "ls", "-q"]).trim(), "");
    }
}
