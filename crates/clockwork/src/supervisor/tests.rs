//! The supervisor, with tasks that end, fail, panic and hang.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use prometheus_client::registry::Registry;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn supervisor(shutdown: &Shutdown, metrics: &SupervisorMetrics) -> Supervisor {
    let backoff = Backoff::try_new(SECOND, SECOND, 30 * SECOND).expect("valid");
    Supervisor::new(shutdown.clone(), backoff, metrics.clone())
}

/// A task that does `how` each time until its third run, which ends well.
fn fails_twice(how: fn() -> TaskResult) -> (Arc<AtomicU32>, impl FnMut() -> TaskFuture) {
    let run_count = Arc::new(AtomicU32::new(0));
    let counted = run_count.clone();
    let make = move || {
        let run = counted.fetch_add(1, Ordering::Relaxed) + 1;
        Box::pin(async move { if run < 3 { how() } else { Ok(()) } }) as TaskFuture
    };
    (run_count, make)
}

type TaskFuture = std::pin::Pin<Box<dyn Future<Output = TaskResult> + Send>>;

#[tokio::test(start_paused = true)]
async fn tasks_that_panic_or_fail_are_made_anew_and_counted() {
    let (shutdown, metrics) = (Shutdown::new(), SupervisorMetrics::default());
    let mut supervisor = supervisor(&shutdown, &metrics);
    let (panics, make_panic) = fails_twice(|| panic!("a test's task"));
    let (errors, make_error) = fails_twice(|| Err("a test's error".into()));
    supervisor.spawn("panics", make_panic);
    supervisor.spawn("errors", make_error);
    let began_at = Instant::now();
    assert_eq!(supervisor.run(SECOND).await, [""; 0]);
    assert!(shutdown.is_triggered(), "nothing is left to wait for");
    assert!(began_at.elapsed() >= 2 * SECOND, "no wait between failures");
    assert_eq!(panics.load(Ordering::Relaxed), 3);
    assert_eq!(errors.load(Ordering::Relaxed), 3);

    let mut registry = Registry::default();
    metrics.register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).expect("text");
    for line in [
        "pratique_task_failures_total{task=\"panics\",kind=\"panic\"} 2\n",
        "pratique_task_failures_total{task=\"errors\",kind=\"error\"} 2\n",
    ] {
        assert!(text.contains(line), "{line} not in {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_does_not_stop_in_time_is_named() {
    let shutdown = Shutdown::new();
    let mut supervisor = supervisor(&shutdown, &SupervisorMetrics::default());
    supervisor.spawn("hangs", std::future::pending);
    let obeying = shutdown.clone();
    supervisor.spawn("obeys", move || {
        let shutdown = obeying.clone();
        async move {
            shutdown.triggered().await;
            tokio::time::sleep(5 * SECOND).await;
            Ok(())
        }
    });
    shutdown.trigger();
    let began_at = Instant::now();
    assert_eq!(supervisor.run(10 * SECOND).await, ["hangs"]);
    assert_eq!(began_at.elapsed(), 10 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_hurried_stop_does_not_wait() {
    let shutdown = Shutdown::new();
    let mut supervisor = supervisor(&shutdown, &SupervisorMetrics::default());
    supervisor.spawn("hangs", std::future::pending);
    shutdown.hurry();
    let began_at = Instant::now();
    assert_eq!(supervisor.run(3600 * SECOND).await, ["hangs"]);
    assert_eq!(began_at.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_task_between_failures_stops_at_once() {
    let shutdown = Shutdown::new();
    let mut supervisor = supervisor(&shutdown, &SupervisorMetrics::default());
    let stopping = shutdown.clone();
    supervisor.spawn("fails", move || {
        let shutdown = stopping.clone();
        async move {
            tokio::spawn(async move { shutdown.trigger() });
            Err("a test's error".into())
        }
    });
    let began_at = Instant::now();
    assert_eq!(supervisor.run(10 * SECOND).await, [""; 0]);
    assert_eq!(began_at.elapsed(), Duration::ZERO);
}
