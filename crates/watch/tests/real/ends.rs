//! Every container's end is told once and truly, whatever is killed meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use pratique_model::{ContainerState, NoticeKind};
use pratique_testkit::containerd::Containerd;
use pratique_watch::Config;

use crate::bed::{DEADLINE, Watch, on_each};
use crate::chance;

/// Containers of the long test. As many as the design (watch) asks for.
const CONTAINERS: u32 = 200;

/// Containers between two faults, on average.
const CONTAINERS_PER_FAULT: u64 = 8;

/// Containers that are started while the watcher is dead, on average.
const CONTAINERS_UNSEEN: u64 = 3;

const NS: &str = "t";

fn name(index: u32) -> String {
    format!("c{index:03}")
}

/// Every code occurs in its turn; 137 is what a killed shim leaves, and is left out.
fn code(index: u32) -> u32 {
    match index * 131 % 256 {
        137 => 1,
        code => code,
    }
}

/// Whether it throws away, when it starts, what its shims know of tasks that ended without it:
/// all after 1.6 (seen with 1.7.35 and 2.2.1) take them for leaked ones. Then nobody knows how they
/// ended, nor, if the watcher was dead too, that they ran.
fn forgets(containerd: &Containerd) -> bool {
    !containerd.ctr(NS, &["version"]).contains(" 1.6.")
}

/// Kills the shim of a container and says of which.
fn kill_a_shim(containerd: &Containerd, draw: u64) -> Option<String> {
    let shims = containerd.shims();
    let count = u64::try_from(shims.len()).ok()?;
    let shim = shims[usize::try_from(draw.checked_rem(count)?).ok()?];
    let words = std::fs::read(format!("/proc/{shim}/cmdline")).ok()?;
    let words: Vec<&[u8]> = words.split(|&byte| byte == 0).collect();
    let at = words.iter().position(|word| *word == b"-id")?;
    let id = String::from_utf8_lossy(words.get(at + 1)?).into_owned();
    let killed = std::process::Command::new("kill").args(["-9", &shim.to_string()]).status();
    killed.is_ok_and(|status| status.success()).then_some(id)
}

/// Which container sleeps how long, what is killed after which, and how long the watcher stays dead
/// is drawn.
#[test]
fn two_hundred_ends_survive_kills_of_watcher_runtime_and_shims() {
    on_each(|mut containerd| {
        containerd.import_busybox(NS);
        let mut watch = Watch::following(&containerd, Config::default());
        let (_, mut random) = chance::random();
        let mut shimless = BTreeSet::new();
        for index in 0..CONTAINERS {
            let tenths = random.next_number() % 10;
            let script = format!("sleep 0.{tenths}; exit {}", code(index));
            containerd.run_container(NS, &name(index), &[], &["sh", "-c", &script]);
            if random.next_number() % CONTAINERS_PER_FAULT == 0 {
                let kind = random.next_number() % 4;
                if kind % 2 == 0 && watch.is_running() {
                    watch.crash();
                }
                match kind {
                    0 => {}
                    1 | 2 => containerd.kill9(),
                    _ => shimless.extend(kill_a_shim(&containerd, random.next_number())),
                }
                containerd.run();
            }
            if !watch.is_running() && random.next_number() % CONTAINERS_UNSEEN == 0 {
                watch.start();
            }
        }
        if !watch.is_running() {
            watch.start();
        }
        let never_ran = |watch: &Watch, id: &str| {
            let created = ContainerState::Created;
            forgets(&containerd) && watch.container(NS, id).is_some_and(|it| it.state == created)
        };
        watch.until("every end is told", |watch| {
            let ends: BTreeSet<String> = watch.ends().into_iter().map(|(id, ..)| id).collect();
            (0..CONTAINERS).map(name).all(|id| ends.contains(&id) || never_ran(watch, &id))
        });
        let mut ends = BTreeMap::new();
        for (id, code, reason) in watch.ends() {
            let before = ends.insert(id.clone(), (code, reason.clone()));
            assert_eq!(before, None, "{id} was told twice, now {code} {reason}");
        }
        for index in 0..CONTAINERS {
            let Some((told, reason)) = ends.get(&name(index)) else {
                assert!(never_ran(&watch, &name(index)), "{}: no end", name(index));
                continue;
            };
            // Of a task without a shim nobody knows more than that it was killed, if that.
            let is_lost = (shimless.contains(&name(index)) && [137, 255].contains(told))
                || (forgets(&containerd) && (*told, &**reason) == (255, "Unknown"));
            assert!(*told == code(index) || is_lost, "{}: {told} {reason}", name(index));
            let record = watch.container(NS, &name(index)).expect("it is kept");
            assert_eq!(record.exit_code, Some(*told), "{}", name(index));
            assert_eq!((record.state, record.pid), (ContainerState::Exited, 0), "{}", name(index));
        }
        watch.stop();
    });
}

#[test]
fn an_end_while_both_were_dead_is_told_once() {
    on_each(|mut containerd| {
        containerd.import_busybox(NS);
        let mut watch = Watch::following(&containerd, Config::default());
        containerd.run_container(NS, "a", &[], &["sh", "-c", "sleep 2; exit 42"]);
        let running = ContainerState::Running;
        watch.until("it runs", |watch| {
            watch.container(NS, "a").is_some_and(|record| record.state == running)
        });
        let pid = watch.container(NS, "a").expect("it runs").pid;
        watch.crash();
        containerd.kill9();
        let process = format!("/proc/{pid}/stat");
        pratique_testkit::process::eventually("its process ends", DEADLINE, || {
            std::fs::read_to_string(&process).map_or(true, |stat| stat.contains(") Z "))
        });
        watch.start();
        containerd.run();
        watch.until("the end is told", |watch| !watch.ends().is_empty());
        let known = if forgets(&containerd) { (255, "Unknown") } else { (42, "Error") };
        assert_eq!(watch.ends(), [("a".to_owned(), known.0, known.1.to_owned())]);
        watch.stop();
    });
}

#[test]
fn a_runtime_that_stands_still_is_a_gap_and_nothing_is_lost() {
    on_each(|containerd| {
        containerd.import_busybox(NS);
        let config =
            Config { probe_interval: std::time::Duration::from_millis(500), ..Config::default() };
        let mut watch = Watch::following(&containerd, config);
        containerd.run_container(NS, "a", &[], &["sh", "-c", "sleep 1; exit 9"]);
        let told = |watch: &Watch, kind: NoticeKind| {
            watch.notices().iter().any(|numbered| numbered.notice.kind == kind)
        };
        containerd.stop();
        watch.until("a gap begins", |watch| told(watch, NoticeKind::GapBegin));
        containerd.cont();
        watch.until("the gap ends", |watch| told(watch, NoticeKind::GapEnd));
        watch.until("the end is told", |watch| !watch.ends().is_empty());
        assert_eq!(watch.ends(), [("a".to_owned(), 9, "Error".to_owned())]);
        watch.stop();
    });
}

#[test]
fn a_socket_that_is_removed_and_comes_back_is_found_again() {
    on_each(|mut containerd| {
        containerd.import_busybox(NS);
        let mut watch = Watch::following(&containerd, Config::default());
        containerd.kill9();
        std::fs::remove_file(containerd.socket()).expect("it is there");
        watch.until("a gap begins", |watch| {
            watch.notices().iter().any(|numbered| numbered.notice.kind == NoticeKind::GapBegin)
        });
        containerd.run();
        containerd.run_container(NS, "a", &[], &["sh", "-c", "exit 4"]);
        watch.until("the end is told", |watch| !watch.ends().is_empty());
        assert_eq!(watch.ends(), [("a".to_owned(), 4, "Error".to_owned())]);
        watch.stop();
    });
}
