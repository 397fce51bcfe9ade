//! What a process does at the signals of an operator. A program of its own, because signals are
//! for a whole process.

use std::time::Duration;

use pratique_clockwork::{Bell, Shutdown, Signals};
use rustix::process::{Signal, getpid, kill_process};

/// Far longer than a signal takes; a test that reaches it fails.
const DEADLINE: Duration = Duration::from_secs(20);

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("within the deadline")
}

#[tokio::test]
async fn hangup_rings_the_first_stop_is_patient_and_the_second_is_not() {
    let signals = Signals::try_new().expect("handlers");
    let (shutdown, reload) = (Shutdown::new(), Bell::new());
    let mut reloaded = reload.listen();
    let running = tokio::spawn(signals.run(shutdown.clone(), reload));
    let send = |signal| kill_process(getpid(), signal).expect("sent");

    send(Signal::HUP);
    within(reloaded.rung()).await;
    assert!(!shutdown.is_triggered());

    send(Signal::TERM);
    within(shutdown.triggered()).await;
    tokio::time::timeout(Duration::ZERO, shutdown.hurried()).await.expect_err("patient");

    send(Signal::INT);
    within(shutdown.hurried()).await;
    within(running).await.expect("no panic");
}
