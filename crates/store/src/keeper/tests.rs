//! The keeper over a real file, with leases that are renewed ten times a second.

use std::path::Path;

use super::*;
use crate::session::Mode;

/// Far longer than anything here takes; a test that reaches it fails.
const DEADLINE: Duration = Duration::from_secs(30);

struct Setting {
    _folder: tempfile::TempDir,
    store: Store,
    shutdown: Shutdown,
    metrics: LeaseMetrics,
}

impl Setting {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::file(&folder.path().join("db.sqlite"));
        store.open(Access::ReadWrite).expect("a new file");
        let (shutdown, metrics) = (Shutdown::new(), LeaseMetrics::default());
        Self { _folder: folder, store, shutdown, metrics }
    }

    fn keeper(&self) -> LeaseKeeper {
        let times = [6000, 100, 4000].map(Duration::from_millis);
        let times = LeaseTimes::try_new(times[0], times[1], times[2]).expect("in order");
        LeaseKeeper::new(self.store.clone(), Owner::draw(), times, self.metrics.clone())
    }

    fn database(&self) -> Database {
        self.store.open(Access::ReadWrite).expect("it is there")
    }

    fn names_held(&self) -> Vec<String> {
        let leases = self.database().leases().expect("an answer");
        leases.into_iter().map(|lease| lease.name).collect()
    }

    /// Writes as if somebody had taken the lease over.
    fn take_over(&self, lease: &Lease) {
        let sql = "UPDATE lease SET token = token + 1 WHERE name = ?1";
        let values = crate::session::values![&lease.name];
        self.database().session.execute("taking over", sql, values).expect("taken");
    }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("within the deadline")
}

#[tokio::test]
async fn work_is_done_under_the_lease_alone_and_the_lease_given_back() {
    let setting = &Setting::new();
    let (keeper, other) = (setting.keeper(), &setting.keeper());
    let work = |held: HeldLease| async move {
        let first = held.lease();
        let attempt = other.try_hold("part", &setting.shutdown, |_| async {}).await;
        match attempt.expect("an answer") {
            Attempt::Held { lease, .. } => assert_eq!(lease.owner, first.owner),
            unexpected => panic!("{unexpected:?}"),
        }
        // Many renewals later it is still ours.
        let until = first.expires_at + jiff::SignedDuration::from_secs(2);
        within(async {
            while held.lease().expires_at < until {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
        assert_eq!(held.lease().token, first.token);
        setting.database().set_flag("a", "1", Some(&held.lease())).expect("fenced");
        7
    };
    let attempt = keeper.try_hold("part", &setting.shutdown, work).await.expect("an answer");
    assert!(matches!(attempt, Attempt::Done(7)), "{attempt:?}");
    assert_eq!(setting.names_held(), [""; 0]);
    assert_eq!(setting.metrics.lost_count(), 0);
    let attempt = other.try_hold("part", &setting.shutdown, |held| async move { held.lease() });
    let attempt = attempt.await.expect("an answer");
    assert!(matches!(attempt, Attempt::Done(Lease { token: 2, .. })), "{attempt:?}");
}

#[tokio::test]
async fn a_lost_lease_cancels_the_work_and_is_counted_once() {
    let setting = &Setting::new();
    let work = |held: HeldLease| async move {
        setting.take_over(&held.lease());
        within(held.shutdown().triggered()).await;
        held.report_lost();
        held.report_lost();
        let refused = setting.database().set_flag("a", "1", Some(&held.lease()));
        assert!(matches!(refused, Err(StoreError::LeaseLost { .. })), "{refused:?}");
    };
    within(setting.keeper().hold("part", &setting.shutdown, work)).await.expect("done");
    assert_eq!(setting.metrics.lost_count(), 1);
    assert!(!setting.shutdown.is_triggered(), "others go on");
    assert_eq!(setting.names_held(), ["part"], "the lease is another's and stays");
}

#[tokio::test]
async fn a_write_that_was_refused_cancels_the_work_at_once() {
    let setting = Setting::new();
    let work = |held: HeldLease| async move {
        held.report_lost();
        within(held.shutdown().triggered()).await;
    };
    within(setting.keeper().hold("part", &setting.shutdown, work)).await.expect("done");
    assert_eq!(setting.metrics.lost_count(), 1);
}

#[tokio::test]
async fn a_stop_waits_for_the_work_and_renews_until_it_has_ended() {
    let setting = &Setting::new();
    let work = |held: HeldLease| async move {
        setting.shutdown.trigger();
        within(held.shutdown().triggered()).await;
        let until = held.lease().expires_at + jiff::SignedDuration::from_secs(1);
        within(async {
            while held.lease().expires_at < until {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
        setting.names_held()
    };
    let keeper = setting.keeper();
    let done = within(keeper.hold("part", &setting.shutdown, work)).await;
    assert_eq!(done.expect("done"), ["part"]);
    assert_eq!(setting.names_held(), [""; 0]);
    assert_eq!(setting.metrics.lost_count(), 0);
    let attempt = keeper.try_hold("part", &setting.shutdown, |_| async {}).await;
    assert!(matches!(attempt, Ok(Attempt::Stopped)), "{attempt:?}");
}

#[tokio::test]
async fn a_lease_that_is_held_elsewhere_is_waited_for() {
    let setting = Setting::new();
    let (keeper, other) = (setting.keeper(), setting.keeper());
    let waiting = |_| async {
        let shutdown = setting.shutdown.clone();
        let mut waiting = tokio::spawn(async move {
            other.hold("matcher", &shutdown, |held| async move { held.lease().token }).await
        });
        // It must not get the lease while this works.
        let early = tokio::time::timeout(Duration::from_millis(300), &mut waiting).await;
        early.expect_err("two holders");
        [waiting]
    };
    let [waiting] = within(keeper.hold("matcher", &setting.shutdown, waiting)).await.expect("done");
    assert_eq!(within(waiting).await.expect("no panic"), Some(2));
}

#[tokio::test]
async fn work_that_is_dropped_gives_its_lease_back() {
    let setting = Setting::new();
    let keeper = setting.keeper();
    let (begun, beginning) = oneshot::channel();
    let shutdown = setting.shutdown.clone();
    let working = tokio::spawn(async move {
        let work = |_| async {
            begun.send(()).expect("awaited");
            std::future::pending::<()>().await;
        };
        keeper.hold("part", &shutdown, work).await
    });
    within(beginning).await.expect("begun");
    working.abort();
    within(async {
        while !setting.names_held().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    let keeper = setting.keeper();
    let work = |held: HeldLease| async move { held.lease().token };
    let attempt = keeper.try_hold("part", &setting.shutdown, work).await;
    assert!(matches!(attempt, Ok(Attempt::Done(2))), "{attempt:?}");
}

#[tokio::test]
async fn a_store_that_cannot_be_opened_is_an_error_once_and_waited_for_otherwise() {
    let setting = Setting::new();
    let nowhere = Store::file(Path::new("/proc/self/pratique/db.sqlite"));
    let keeper = LeaseKeeper { store: nowhere, ..setting.keeper() };
    let attempt = keeper.try_hold("part", &setting.shutdown, |_| async {}).await;
    assert!(matches!(attempt, Err(StoreError::Open { .. })), "{attempt:?}");
    let shutdown = setting.shutdown.clone();
    let waiting = tokio::spawn(async move { keeper.hold("part", &shutdown, |_| async {}).await });
    setting.shutdown.trigger();
    assert_eq!(within(waiting).await.expect("no panic"), None);
}

/// A commit of a large feed keeps SQLite's only writer's place for a quarter of a minute.
#[tokio::test]
async fn a_lease_is_given_back_although_somebody_writes_for_long() {
    let setting = &Setting::new();
    let (store, metrics) = (setting.store.clone(), setting.metrics.clone());
    let keeper = LeaseKeeper::new(store, Owner::draw(), LeaseTimes::default(), metrics);
    let writer = &setting.database();
    let work = |_| async { writer.session.begin("writing", Mode::Write).expect("begun") };
    // The time is what this is about: longer than a stop would leave.
    let writing = async {
        tokio::time::sleep(RELEASE_TIMEOUT + Duration::from_secs(1)).await;
        writer.session.rollback();
    };
    let held = keeper.hold("part", &setting.shutdown, work);
    let (done, ()) = within(async { tokio::join!(held, writing) }).await;
    done.expect("it was done");
    assert_eq!(setting.names_held(), [""; 0]);
}
