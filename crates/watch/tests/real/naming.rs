//! What a container belongs to, and what image names stand for.

use std::collections::BTreeMap;

use pratique_model::{ContainerKind, ContainerState};
use pratique_testkit::containerd::cri::Cri;
use pratique_testkit::containerd::{BUSYBOX, Build, Containerd};
use pratique_testkit::image::{ArchiveBuilder, Compression, ImageBuilder, LayerBuilder};
use pratique_watch::Config;

use crate::bed::{Watch, on_each};

const NS: &str = "t";
const APP: &str = "localhost/app:1";

#[test]
fn the_end_of_an_exec_is_not_the_end_of_its_container() {
    on_each(|containerd| {
        containerd.import_busybox(NS);
        let mut watch = Watch::following(&containerd, Config::default());
        containerd.run_container(NS, "a", &[], &["sleep", "1000"]);
        let exec = ["task", "exec", "--exec-id", "e", "a", "sh", "-c", "exit 5"];
        assert_eq!(containerd.try_ctr(NS, &exec).status.code(), Some(5));
        // Told after the exec's end, since events come in order.
        containerd.run_container(NS, "b", &[], &["sh", "-c", "exit 6"]);
        watch.until("b ends", |watch| !watch.ends().is_empty());
        assert_eq!(watch.ends(), [("b".to_owned(), 6, "Error".to_owned())]);
        let record = watch.container(NS, "a").expect("it is there");
        assert_eq!(record.state, ContainerState::Running);
        watch.stop();
    });
}

/// Imports an image whose content is the word, as [`APP`].
fn import(containerd: &Containerd, namespace: &str, word: &str) {
    let layer = LayerBuilder::new().file("etc/word", word.as_bytes());
    let image = ImageBuilder::new(pratique_model::Platform::host());
    let image = image.layer(&layer, Compression::Gzip);
    let archive = ArchiveBuilder::new().image(APP, image).to_oci_archive();
    let path = containerd.folder().join("app.tar");
    std::fs::write(&path, archive).expect("the folder is ours");
    containerd.import(namespace, &path);
}

/// What `ctr` says names stand for.
fn listed(containerd: &Containerd, namespace: &str) -> BTreeMap<String, String> {
    let text = containerd.ctr(namespace, &["images", "ls"]);
    let rows = text.lines().skip(1).map(|row| row.split_whitespace());
    rows.filter_map(|mut row| Some((row.next()?.to_owned(), row.nth(1)?.to_owned()))).collect()
}

#[test]
fn the_view_of_images_is_the_runtimes() {
    on_each(|containerd| {
        import(&containerd, NS, "one");
        import(&containerd, "u", "one");
        let mut watch = Watch::following(&containerd, Config::default());
        let seen = |watch: &Watch, namespace: &str| -> BTreeMap<String, String> {
            let images = watch.images().into_iter();
            let images = images.filter(|image| image.namespace == namespace);
            let digest = |digest: Option<pratique_model::Digest>| digest.expect("it has one");
            images.map(|image| (image.name, digest(image.digest).to_string())).collect()
        };
        let check = |what: &str| {
            let expected = [listed(&containerd, NS), listed(&containerd, "u")];
            watch.until(what, |watch| [seen(watch, NS), seen(watch, "u")] == expected);
            expected
        };
        let [before, other] = check("images from before are seen");
        let id = before[APP].clone();
        containerd.ctr(NS, &["images", "tag", APP, &id]);
        check("a second name is seen");
        import(&containerd, NS, "two");
        let [moved, same] = check("a name that moved is seen");
        assert_ne!(moved[APP], before[APP]);
        assert_eq!(moved[&id], before[APP]);
        assert_eq!(same, other, "the same name elsewhere has not moved");
        containerd.ctr(NS, &["images", "rm", APP]);
        let [left, _] = check("a name that was taken away is gone");
        assert_eq!(left.keys().collect::<Vec<_>>(), [&id]);
        watch.stop();
    });
}

#[test]
fn containers_of_a_kubelet_have_a_pod_and_are_left_alone() {
    for build in [Build::Packaged, Build::Second] {
        let Some(containerd) = Containerd::start_build(build) else { continue };
        containerd.import_busybox("k8s.io");
        let mut watch = Watch::following(&containerd, Config::default());
        let cri = Cri::connect(&containerd);
        let sandbox = cri.run_pod_sandbox("team", "web-1", "uid-1");
        let id = cri.create_container(&sandbox, "web", BUSYBOX, &["sleep", "1000"]);
        cri.start_container(&id);
        let is = |watch: &Watch, id: &str, state: ContainerState| {
            watch.container("k8s.io", id).is_some_and(|record| record.state == state)
        };
        watch.until("both run", |watch| {
            [&id, &sandbox.id].iter().all(|id| is(watch, id, ContainerState::Running))
        });
        let record = watch.container("k8s.io", &id).expect("it runs");
        let pod = record.pod.expect("it belongs to one");
        assert_eq!((&*pod.namespace, &*pod.name, &*pod.uid), ("team", "web-1", "uid-1"));
        assert_eq!(record.name.as_deref(), Some("web"));
        assert_eq!(record.kind, ContainerKind::Container);
        assert_eq!(record.image.as_deref(), Some(BUSYBOX));
        let record = watch.container("k8s.io", &sandbox.id).expect("it runs");
        assert_eq!((record.kind, record.pod), (ContainerKind::Sandbox, Some(pod)));
        cri.stop_container(&id, 0);
        watch.until("the end is told", |watch| !watch.ends().is_empty());
        assert_eq!(watch.ends(), [(id.clone(), 137, "Error".to_owned())]);
        // A task that the watcher had deleted, CRI could not find when it removes the rest.
        cri.remove_container(&id);
        cri.remove_pod_sandbox(&sandbox);
        watch.until("both are gone", |watch| {
            [&id, &sandbox.id].iter().all(|id| is(watch, id, ContainerState::Deleted))
        });
        watch.stop();
    }
}
