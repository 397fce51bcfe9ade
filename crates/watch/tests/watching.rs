//! Goal: whatever happens to the runtime, the connection or the watcher, the store says in the end
//! what is true, and each end was told once. Method: the watcher with its real store over a
//! scripted runtime; every wait is for a condition, with a deadline.

mod chance;
mod ends;
mod limits;
mod scripted;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use pratique_clockwork::{Bell, Clock, Shutdown};
use pratique_containerd::Event;
use pratique_model::{Container, ContainerState, NumberedNotice};
use pratique_store::{Access, Database, NoticeFilter, Store};
use pratique_watch::{Config, Error, Health, Metrics, Watcher};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use ends::{check_ends, number};
use scripted::Scripted;

/// Far longer than anything here takes; a test that reaches it fails.
const DEADLINE: Duration = Duration::from_secs(30);

const NS: &str = "default";

/// A runtime, a store, and a watcher that runs or does not.
struct Bed {
    runtime: Scripted,
    /// Removed with this.
    #[allow(dead_code, reason = "held, not read")]
    folder: Option<TempDir>,
    path: PathBuf,
    config: Config,
    health: Health,
    metrics: Metrics,
    watcher: Option<(Shutdown, JoinHandle<Result<(), Error>>)>,
    /// How many watchers there were.
    begun_count: u64,
}

impl Bed {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("node.db");
        Self { folder: Some(folder), ..Self::at(path) }
    }

    /// With its store in a folder of the caller's.
    fn at(path: PathBuf) -> Self {
        let (runtime, config) = (Scripted::new(), Config::default());
        let (health, metrics) = (Health::new(), Metrics::new());
        let (folder, watcher, begun_count) = (None, None, 0);
        Self { runtime, folder, path, config, health, metrics, watcher, begun_count }
    }

    fn watcher(&self) -> Watcher<Scripted> {
        Watcher {
            runtime: self.runtime.clone(),
            store: Store::file(&self.path),
            clock: Clock::system(),
            bell: Bell::new(),
            health: self.health.clone(),
            config: self.config.clone(),
            metrics: self.metrics.clone(),
        }
    }

    /// Starts a watcher and waits until it follows.
    async fn start(&mut self) {
        let before = self.runtime.subscription_count();
        self.begin().await;
        self.until("a subscription", |bed| bed.runtime.subscription_count() > before).await;
    }

    /// Starts a watcher and waits until it has taken the writing over, which one that is dropped
    /// before would still do.
    async fn begin(&mut self) {
        let shutdown = Shutdown::new();
        let running = tokio::spawn(self.watcher().run(shutdown.clone()));
        self.watcher = Some((shutdown, running));
        self.begun_count += 1;
        let count = self.begun_count.to_string();
        let has_begun = |bed: &Self| {
            let flag = bed.database().and_then(|database| database.flag("runtime.writer").ok());
            flag.flatten().is_some_and(|flag| flag.value == count)
        };
        self.until("a watcher", has_begun).await;
    }

    async fn stop(&mut self) {
        let (shutdown, running) = self.watcher.take().expect("runs");
        shutdown.trigger();
        let ended = tokio::time::timeout(DEADLINE, running).await.expect("stops in time");
        ended.expect("no panic").expect("no error");
    }

    /// As kill -9 does: nothing of it goes on, nothing is finished.
    async fn crash(&mut self) {
        let (_, running) = self.watcher.take().expect("runs");
        running.abort();
        let _ = running.await;
    }

    async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let waiting = async {
            while !is_so(self) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(DEADLINE, waiting).await.is_err() {
            panic!("no {what} in time; told: {:#?}", self.told());
        }
    }

    fn database(&self) -> Option<Database> {
        Store::file(&self.path).open(Access::ReadOnly).ok()
    }

    fn notices(&self) -> Vec<NumberedNotice> {
        // A store that is just being made has nothing to tell.
        let read = |database: Database| database.notices(&NoticeFilter::default(), 100_000).ok();
        self.database().and_then(read).unwrap_or_default()
    }

    /// What was told, in short.
    fn told(&self) -> Vec<String> {
        let short = |numbered: NumberedNotice| {
            let notice = numbered.notice;
            let code = notice.exit_code.map(|code| format!(" {code}")).unwrap_or_default();
            let reason = notice.reason.map(|reason| format!(" {reason}")).unwrap_or_default();
            format!("{} {}{code}{reason} {}", notice.kind, notice.id, notice.source)
        };
        self.notices().into_iter().map(short).collect()
    }

    fn container(&self, id: &str) -> Option<Container> {
        self.database()?.container(NS, id).ok().flatten()
    }

    async fn until_told(&self, text: &str) {
        self.until(text, |bed| bed.told().iter().any(|told| told == text)).await;
    }

    async fn until_state(&self, id: &str, state: ContainerState) {
        let is_so = |bed: &Self| bed.container(id).is_some_and(|now| now.state == state);
        self.until(&format!("{id} {state}"), is_so).await;
    }
}

#[tokio::test]
async fn a_life_is_told_in_order_and_numbered() {
    let mut bed = Bed::new();
    bed.runtime.set_image(NS, "registry.example/cart:1", 'a');
    bed.start().await;
    bed.until_told("image_present registry.example/cart:1 reconcile").await;
    bed.runtime.run(NS, "a", 100);
    bed.until_state("a", ContainerState::Running).await;
    bed.runtime.exit(NS, "a", 3);
    bed.runtime.remove(NS, "a");
    bed.until_told("container_deleted a event").await;
    assert_eq!(
        bed.told()[1..],
        [
            "container_created a event",
            "container_started a event",
            "container_exited a 3 Error event",
            "container_deleted a event"
        ]
    );
    let numbers: Vec<u64> = bed.notices().iter().map(|notice| notice.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    let container = bed.container("a").expect("kept");
    assert_eq!(
        container.manifest.expect("known").to_string(),
        format!("sha256:{}", "a".repeat(64))
    );
    assert!(container.config.is_some());
    bed.stop().await;
}

#[tokio::test]
async fn an_end_while_nobody_watched_is_told_once_and_truly() {
    let mut bed = Bed::new();
    for (id, pid) in [("stopped", 1), ("gone", 2), ("goes on", 3), ("restarted", 4)] {
        bed.runtime.run(NS, id, pid);
    }
    bed.start().await;
    bed.until_state("restarted", ContainerState::Running).await;
    bed.crash().await;
    bed.runtime.exit(NS, "stopped", 9);
    bed.runtime.exit(NS, "gone", 0);
    bed.runtime.remove(NS, "gone");
    bed.runtime.exit(NS, "restarted", 0);
    bed.runtime.remove_task(NS, "restarted");
    bed.runtime.start(NS, "restarted", 5);
    bed.start().await;
    bed.until_told("container_exited stopped 9 Error reconcile").await;
    bed.until_told("container_exited gone 255 Unknown reconcile").await;
    bed.until_told("container_exited restarted 255 Unknown reconcile").await;
    bed.until_told("container_deleted gone reconcile").await;
    bed.runtime.exit(NS, "goes on", 1);
    bed.until_told("container_exited goes on 1 Error event").await;
    assert_eq!(bed.container("restarted").expect("there").pid, 5);
    let ends = bed.told().iter().filter(|told| told.starts_with("container_exited")).count();
    assert_eq!(ends, 4, "{:#?}", bed.told());
    bed.stop().await;
}

/// A wait that is refused makes the watcher look, and looking makes it wait: this once turned at
/// full speed until the task was called lost.
#[tokio::test]
async fn a_task_that_vanished_is_asked_for_now_and_then_only() {
    let mut bed = Bed::new();
    bed.runtime.run(NS, "a", 1);
    bed.start().await;
    bed.until_state("a", ContainerState::Running).await;
    bed.until("a wait", |bed| bed.runtime.wait_count() > 0).await;
    bed.runtime.lose_task(NS, "a");
    bed.until_told("container_exited a 255 Unknown reconcile").await;
    assert!(bed.runtime.wait_count() < 5, "{} waits", bed.runtime.wait_count());
    bed.stop().await;
}

#[tokio::test]
async fn a_gap_begins_and_ends_and_what_was_missed_is_in_between() {
    let mut bed = Bed::new();
    bed.runtime.run(NS, "a", 1);
    bed.start().await;
    bed.until_state("a", ContainerState::Running).await;
    bed.runtime.go_down();
    bed.until_told("gap_begin  reconcile").await;
    assert!(bed.health.problem().is_some(), "it says so");
    bed.runtime.exit(NS, "a", 2);
    bed.runtime.run(NS, "b", 2);
    bed.runtime.come_up();
    bed.until_told("gap_end  reconcile").await;
    let told = bed.told();
    let place = |text: &str| told.iter().position(|told| told == text);
    let (begin, end) = (place("gap_begin  reconcile"), place("gap_end  reconcile"));
    for text in ["container_exited a 2 Error reconcile", "container_started b reconcile"] {
        let missed = place(text);
        assert!(begin < missed && missed < end && missed.is_some(), "{text}: {told:#?}");
    }
    bed.stop().await;
}

#[tokio::test]
async fn a_stream_that_tells_nothing_any_more_is_a_gap() {
    let mut bed = Bed::new();
    bed.config.probe_interval = Duration::from_millis(20);
    bed.runtime.run(NS, "a", 1);
    bed.start().await;
    bed.until_state("a", ContainerState::Running).await;
    bed.runtime.set_mute(true);
    bed.until_told("gap_begin  reconcile").await;
    bed.runtime.set_mute(false);
    bed.until_told("gap_end  reconcile").await;
    bed.stop().await;
}

#[tokio::test]
async fn a_runtime_that_is_not_there_is_waited_for() {
    let mut bed = Bed::new();
    bed.runtime.go_down();
    bed.runtime.run(NS, "a", 1);
    let shutdown = Shutdown::new();
    let running = tokio::spawn(bed.watcher().run(shutdown.clone()));
    bed.watcher = Some((shutdown, running));
    bed.until("problem with a reason", |bed| {
        bed.health.problem().is_some_and(|problem| problem != "not connected yet")
    })
    .await;
    assert_eq!(bed.told(), [""; 0]);
    bed.runtime.come_up();
    bed.until_state("a", ContainerState::Running).await;
    assert!(!bed.told().iter().any(|told| told.starts_with("gap")), "it was never there");
    assert_eq!(bed.health.problem(), None);
    bed.stop().await;
}

#[tokio::test]
async fn a_container_that_fails_or_hangs_delays_no_other() {
    let mut bed = Bed::new();
    bed.start().await;
    bed.runtime.set_failing("failing", true);
    bed.runtime.create(NS, "failing");
    for number in 0..10 {
        let id = format!("hanging-{number}");
        bed.runtime.set_hanging(&id);
        bed.runtime.create(NS, &id);
    }
    bed.runtime.start(NS, "failing", 1);
    bed.runtime.run(NS, "healthy", 2);
    bed.until_state("healthy", ContainerState::Running).await;
    assert_eq!(bed.container("failing"), None);
    bed.runtime.exit(NS, "failing", 4);
    bed.runtime.set_failing("failing", false);
    bed.until_told("container_exited failing 4 Error event").await;
    let told: Vec<String> =
        bed.told().into_iter().filter(|told| told.contains("failing")).collect();
    assert_eq!(told.len(), 3, "in order, and each once: {told:#?}");
    bed.config.stop_grace = Duration::ZERO;
    bed.crash().await;
}

#[tokio::test]
async fn image_names_mean_what_they_mean_now() {
    let mut bed = Bed::new();
    bed.runtime.set_image(NS, "cart:1", 'a');
    bed.runtime.set_image(NS, "sha256:id", 'a');
    bed.runtime.set_image("other", "cart:1", 'b');
    bed.start().await;
    let view = |bed: &Bed| -> BTreeMap<String, String> {
        let images = bed.database().map(|database| database.node_images().expect("images"));
        let entry = |image: pratique_model::NodeImage| {
            let digest = image.digest.expect("known").to_hex();
            (format!("{}/{}", image.namespace, image.name), digest[..1].to_owned())
        };
        images.unwrap_or_default().into_iter().map(entry).collect()
    };
    let is = async |bed: &Bed, expected: &[(&str, &str)]| {
        let expected: BTreeMap<String, String> = expected
            .iter()
            .map(|(name, digit)| ((*name).to_owned(), (*digit).to_owned()))
            .collect();
        bed.until(&format!("{expected:?}"), |bed| view(bed) == expected).await;
    };
    is(&bed, &[("default/cart:1", "a"), ("default/sha256:id", "a"), ("other/cart:1", "b")]).await;
    bed.runtime.set_image(NS, "cart:1", 'c');
    bed.runtime.remove_image("other", "cart:1");
    is(&bed, &[("default/cart:1", "c"), ("default/sha256:id", "a")]).await;
    bed.runtime.remove_image(NS, "cart:1");
    is(&bed, &[("default/sha256:id", "a")]).await;
    // What goes while nobody watches is found missing.
    bed.crash().await;
    bed.runtime.remove_image(NS, "sha256:id");
    bed.start().await;
    is(&bed, &[]).await;
    bed.until_told("image_gone sha256:id reconcile").await;
    bed.stop().await;
}

#[tokio::test]
async fn only_the_namespaces_that_were_asked_for_are_watched() {
    let mut bed = Bed::new();
    bed.config.namespaces = Some(vec![NS.to_owned()]);
    bed.runtime.run("other", "listed", 1);
    bed.start().await;
    bed.runtime.run("other", "told", 2);
    bed.runtime.run(NS, "ours", 3);
    bed.until_state("ours", ContainerState::Running).await;
    let containers = bed.database().expect("there").containers(true).expect("an answer");
    assert_eq!(containers.len(), 1, "{containers:#?}");
    bed.stop().await;
}

#[tokio::test]
async fn an_execs_exit_does_not_end_its_container() {
    let mut bed = Bed::new();
    bed.start().await;
    bed.runtime.run(NS, "a", 1);
    let exec = Event::TaskExit {
        container_id: "a".to_owned(),
        id: "exec-1".to_owned(),
        pid: 9,
        exit_status: 5,
        exited_at: None,
    };
    bed.runtime.tell(NS, "/tasks/exit", exec);
    bed.runtime.run(NS, "b", 2);
    bed.until_state("b", ContainerState::Running).await;
    bed.until_state("a", ContainerState::Running).await;
    bed.runtime.exit(NS, "a", 0);
    bed.until_told("container_exited a 0 Completed event").await;
    bed.stop().await;
}

#[tokio::test]
async fn a_manager_removes_what_has_ended_and_only_there() {
    let mut bed = Bed::new();
    bed.config.manage = vec!["ours".to_owned()];
    bed.runtime.run("ours", "left behind", 1);
    bed.runtime.exit("ours", "left behind", 1);
    bed.runtime.run(NS, "not ours", 2);
    bed.runtime.exit(NS, "not ours", 1);
    bed.start().await;
    bed.runtime.run("ours", "ends", 3);
    bed.runtime.exit("ours", "ends", 0);
    bed.until_told("container_exited not ours 1 Error reconcile").await;
    bed.until("one task", |bed| bed.runtime.task_count() == 1).await;
    bed.until_told("container_exited ends 0 Completed event").await;
    bed.stop().await;
}

#[tokio::test]
async fn a_namespace_that_is_anothers_is_not_managed() {
    for namespace in ["k8s.io", "moby", "with a pod"] {
        let mut bed = Bed::new();
        bed.config.manage = vec![namespace.to_owned()];
        let kind = [("io.cri-containerd.kind", "container")];
        bed.runtime.create_as("with a pod", "a", &kind);
        let running = bed.watcher().run(Shutdown::new());
        let result = tokio::time::timeout(DEADLINE, running).await.expect("ends at once");
        assert!(matches!(result, Err(Error::Refused { .. })), "{namespace}: {result:?}");
    }
}

#[tokio::test]
async fn of_two_watchers_on_one_store_the_newer_goes_on() {
    let mut bed = Bed::new();
    bed.start().await;
    let (_, older) = bed.watcher.take().expect("runs");
    bed.start().await;
    bed.runtime.run(NS, "a", 1);
    let ended = tokio::time::timeout(DEADLINE, older).await.expect("ends").expect("no panic");
    assert!(matches!(ended, Err(Error::Superseded)), "{ended:?}");
    bed.until_state("a", ContainerState::Running).await;
    assert_eq!(bed.told(), ["container_created a event", "container_started a event"]);
    bed.stop().await;
}

/// 200 containers that end with codes of their own, while runtime and watcher come and go at
/// random: every container ends once, with its code unless it was gone when nobody watched.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_crashes_of_both_sides_every_container_ends_once() {
    const COUNT: u32 = 200;
    let (seed, mut random) = chance::random();
    let mut bed = Bed::new();
    bed.start().await;
    let (mut running, mut next): (Vec<u32>, u32) = (Vec::new(), 0);
    let (mut is_down, mut removed_unseen) = (false, Vec::new());
    while next < COUNT || !running.is_empty() {
        match random.next_number() % 12 {
            0..=4 if next < COUNT => {
                bed.runtime.run(NS, &format!("c{next}"), 1_000 + next);
                running.push(next);
                next += 1;
            }
            5..=8 if !running.is_empty() => {
                let index = usize::try_from(random.next_number() % 1_000).expect("small");
                let ended = running.swap_remove(index % running.len());
                let id = format!("c{ended}");
                bed.runtime.exit(NS, &id, ended % 256);
                if random.next_number().is_multiple_of(2) {
                    bed.runtime.remove(NS, &id);
                    removed_unseen.push(ended);
                }
            }
            9 => {
                if is_down {
                    bed.runtime.come_up();
                } else {
                    bed.runtime.go_down();
                }
                is_down = !is_down;
            }
            10 if bed.watcher.is_some() => bed.crash().await,
            10 => bed.begin().await,
            _ => tokio::time::sleep(Duration::from_millis(random.next_number() % 4)).await,
        }
    }
    bed.runtime.come_up();
    if bed.watcher.is_none() {
        bed.start().await;
    }
    let ended = |bed: &Bed| {
        let containers = bed.database().expect("there").containers(true).expect("an answer");
        let known: Vec<u32> = containers.iter().map(|container| number(&container.id)).collect();
        // One that came and went unseen was never known.
        let all = (0..COUNT).all(|id| known.contains(&id) || removed_unseen.contains(&id));
        all && containers.iter().all(|container| {
            let is_gone = removed_unseen.contains(&number(&container.id));
            let state = if is_gone { ContainerState::Deleted } else { ContainerState::Exited };
            container.state == state
        })
    };
    bed.until("end of all", ended).await;
    bed.stop().await;
    check_ends(bed.notices(), &removed_unseen, seed);
}
