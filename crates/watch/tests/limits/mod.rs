//! What the watcher does where something may not be, does not answer, has no room or no time.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use pratique_containerd::Event;
use pratique_model::ContainerState;
use pratique_testkit::SmallDisk;
use prometheus_client::registry::Registry;
use tokio::time::Instant;

use crate::{Bed, DEADLINE, NS};

/// So long that no test here sees its end.
const FOR_EVER: Duration = Duration::from_secs(3600);

/// What the watcher waits for events where it may not publish any.
const GRACE: Duration = Duration::from_secs(1);

#[tokio::test]
async fn where_nothing_may_be_published_all_is_listed_twice() {
    let mut bed = Bed::new();
    bed.config.probe = false;
    bed.runtime.run(NS, "a", 1);
    bed.runtime.run_after_list(NS, "b", 2);
    let began_at = Instant::now();
    bed.start().await;
    bed.until_told("container_started a reconcile").await;
    assert!(began_at.elapsed() >= GRACE, "the stream is given a moment before the first list");
    bed.until_told("container_started b reconcile").await;
    assert!(began_at.elapsed() >= 2 * GRACE, "and another one before the second");
    bed.runtime.exit(NS, "b", 2);
    bed.until_told("container_exited b 2 Error event").await;
    assert_eq!((bed.runtime.list_count(), bed.runtime.probe_count()), (2, 0));
    bed.stop().await;
}

#[tokio::test]
async fn one_probe_that_is_missing_is_no_gap_and_two_are() {
    let mut bed = Bed::new();
    bed.config.probe_interval = Duration::from_millis(200);
    bed.runtime.run(NS, "a", 1);
    bed.start().await;
    bed.until_state("a", ContainerState::Running).await;
    let before = bed.runtime.probe_count();
    bed.runtime.lose_probes(1);
    bed.until("probe after it", |bed| bed.runtime.probe_count() >= before + 4).await;
    assert_eq!(bed.runtime.subscription_count(), 1, "{:#?}", bed.told());
    bed.runtime.lose_probes(2);
    bed.until_told("gap_begin  reconcile").await;
    bed.until_told("gap_end  reconcile").await;
    assert_eq!(bed.runtime.subscription_count(), 2);
    bed.stop().await;
}

/// The first events wait behind handlers that hang; the flood behind them takes their room.
#[tokio::test]
async fn what_had_no_room_is_found_out_by_listing() {
    /// More than handlers and their anteroom take: 4, 64 slow ones, 256 that wait.
    const HUNG: u32 = 400;
    /// More than the queue holds: 65,536.
    const FLOOD: u32 = 70_000;

    let mut bed = Bed::new();
    bed.config.step_timeout = FOR_EVER;
    bed.start().await;
    bed.until("list", |bed| bed.health.problem().is_none()).await;
    let tell = |name: String| {
        bed.runtime.tell(NS, "/images/update", Event::ImageUpdate { name });
    };
    for number in 0..HUNG {
        bed.runtime.set_hanging(&format!("hung-{number}"));
        tell(format!("hung-{number}"));
    }
    bed.runtime.set_image(NS, "cart:1", 'a');
    bed.runtime.run(NS, "a", 1);
    bed.runtime.exit(NS, "a", 7);
    for number in 0..FLOOD {
        tell(format!("flood-{number}"));
    }
    bed.until("loss", |bed| dropped_count(bed) > 0).await;
    bed.runtime.release();
    bed.until_told("image_present cart:1 reconcile").await;
    let end = "container_exited a 7 Error";
    let is_end = |told: &&String| told.starts_with(end);
    bed.until(end, |bed| bed.told().iter().any(|told| is_end(&told))).await;
    bed.stop().await;
    assert_eq!(bed.told().iter().filter(is_end).count(), 1, "{:#?}", bed.told());
    assert_eq!(bed.runtime.subscription_count(), 1, "the connection was held");
}

/// How many events had no room, by the metric.
fn dropped_count(bed: &Bed) -> u64 {
    let mut registry = Registry::default();
    bed.metrics.register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).expect("it can be written");
    let mut lines = text.lines();
    let count = lines
        .find_map(|line| line.strip_prefix("pratique_runtime_dropped_total{reason=\"full\"} "));
    count.map_or(0, |count| count.parse().expect("a number"))
}

#[tokio::test]
async fn what_a_full_disk_did_not_take_is_written_once_there_is_room() {
    let Some(disk) = SmallDisk::mount(4 << 20) else { return };
    let mut bed = Bed::at(disk.path().join("node.db"));
    bed.start().await;
    bed.runtime.run(NS, "a", 1);
    bed.until_state("a", ContainerState::Running).await;
    let ballast = disk.path().join("ballast");
    fill(&ballast);
    let before = bed.runtime.question_count();
    bed.runtime.exit(NS, "a", 9);
    bed.runtime.run(NS, "b", 2);
    bed.runtime.exit(NS, "b", 5);
    // Once about each of them, and then again.
    bed.until("second try", |bed| bed.runtime.question_count() >= before + 4).await;
    assert_eq!(bed.told(), ["container_created a event", "container_started a event"]);
    std::fs::remove_file(&ballast).expect("it was there");
    bed.until_told("container_exited a 9 Error event").await;
    bed.until_told("container_exited b 5 Error event").await;
    bed.stop().await;
    let told_of = |id: &str| -> Vec<String> {
        let told = bed.told().into_iter().filter(|told| told.split(' ').nth(1) == Some(id));
        told.map(|told| told.split(' ').next().unwrap_or_default().to_owned()).collect()
    };
    let life = ["container_created", "container_started", "container_exited"];
    assert_eq!(
        (told_of("a"), told_of("b")),
        (life.map(Into::into).into(), life.map(Into::into).into())
    );
}

/// Writes until nothing more goes.
fn fill(path: &Path) {
    let mut file = File::create(path).expect("there is room for a name");
    while file.write_all(&[1; 512]).is_ok() {}
}

#[tokio::test]
async fn stopping_waits_for_handlers_only_as_long_as_it_may() {
    let mut bed = Bed::new();
    let grace = Duration::from_millis(300);
    (bed.config.stop_grace, bed.config.step_timeout) = (grace, FOR_EVER);
    bed.start().await;
    for number in 0..10 {
        let id = format!("hanging-{number}");
        bed.runtime.set_hanging(&id);
        bed.runtime.create(NS, &id);
    }
    bed.runtime.run(NS, "b", 1);
    bed.until_state("b", ContainerState::Running).await;
    let began_at = Instant::now();
    bed.stop().await;
    assert!(began_at.elapsed() >= grace, "those that hang get their time");
}

#[tokio::test]
async fn what_is_answered_while_stopping_is_written() {
    let mut bed = Bed::new();
    (bed.config.stop_grace, bed.config.step_timeout) = (FOR_EVER, FOR_EVER);
    bed.start().await;
    bed.runtime.set_hanging("a");
    let before = bed.runtime.question_count();
    bed.runtime.create(NS, "a");
    bed.until("question", |bed| bed.runtime.question_count() > before).await;
    let (shutdown, running) = bed.watcher.take().expect("runs");
    shutdown.trigger();
    bed.until("end of the stream", |bed| bed.runtime.stream_count() == 0).await;
    assert_eq!(bed.told(), [""; 0]);
    bed.runtime.release();
    let ended = tokio::time::timeout(DEADLINE, running).await.expect("stops in time");
    ended.expect("no panic").expect("no error");
    assert_eq!(bed.told(), ["container_created a event"]);
}
