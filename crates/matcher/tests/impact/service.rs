//! The matcher as a service, and beside it.

use std::time::Duration;

use pratique_clockwork::lease::{LeaseMetrics, LeaseTimes, Owner};
use pratique_clockwork::{Bell, Clock, Shutdown};
use pratique_matcher::{Config, LEASE, Matcher, Metrics, Outcome, Progress, StepLimits, run_once};
use pratique_store::{Access, Acquisition, Channel, LeaseKeeper, Store};
use pratique_testkit::postgres;
use pratique_testkit::process::eventually;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::world::{World, cve, deb};

/// How long anything may take before the test fails; all of it takes milliseconds.
const DEADLINE: Duration = Duration::from_secs(30);

/// A store on disk with one image of bookworm, read by nobody.
fn world() -> (TempDir, Store, World) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::file(&folder.path().join("db.sqlite"));
    let mut world = World::new(store.open(Access::ReadWrite).expect("a database"));
    world.publish("debian", &[cve("CVE-2024-0001", "zlib", "2.0")]);
    world.register(1, Some("debian:12"), &[deb("openssl", "openssl", "1.0")]);
    (folder, store, world)
}

struct Service {
    bell: Bell,
    outbox: Bell,
    shutdown: Shutdown,
    run: JoinHandle<()>,
}

/// Starts a matcher that looks only when its bell rings, and at its start.
fn start(store: &Store) -> Service {
    let (bell, outbox, shutdown) = (Bell::new(), Bell::new(), Shutdown::new());
    let owner = Owner::draw();
    let metrics = LeaseMetrics::default();
    let matcher = Matcher {
        store: store.clone(),
        keeper: LeaseKeeper::new(store.clone(), owner, LeaseTimes::default(), metrics),
        clock: Clock::system(),
        bell: bell.clone(),
        outbox: outbox.clone(),
        config: Config { poll_interval: 2 * DEADLINE, limits: StepLimits::default() },
        metrics: Metrics::new(),
    };
    let until = shutdown.clone();
    let run = tokio::spawn(async move { matcher.run(until).await.expect("a clean end") });
    Service { bell, outbox, shutdown, run }
}

impl Service {
    async fn stop(self) {
        self.shutdown.trigger();
        timeout(DEADLINE, self.run).await.expect("it stops").expect("without panic");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_told_when_the_bell_rings() {
    let (_folder, store, mut world) = world();
    world.drain();
    let service = start(&store);
    let mut told = service.outbox.listen();
    world.publish("debian", &[cve("CVE-2024-0001", "openssl", "2.0")]);
    service.bell.ring();
    timeout(DEADLINE, told.rung()).await.expect("it is told");
    let told: Vec<String> = world.told().iter().map(ToString::to_string).collect();
    assert_eq!(told, ["new CVE-2024-0001 debian:12/openssl - fixed 1"]);
    service.stop().await;
    let owner = Owner::draw();
    let lease = world.database.acquire_lease(LEASE, &owner, DEADLINE).expect("an answer");
    assert!(matches!(lease, Acquisition::Acquired(_)), "the lease was given back: {lease:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_matcher_takes_over_when_the_first_one_ends() {
    let (_folder, store, mut world) = world();
    world.drain();
    let first = start(&store);
    let mut told = first.outbox.listen();
    world.publish("debian", &[cve("CVE-2024-0001", "openssl", "2.0")]);
    first.bell.ring();
    timeout(DEADLINE, told.rung()).await.expect("the first has the lease");
    let second = start(&store);
    let mut told = second.outbox.listen();
    world.publish("debian", &[cve("CVE-2024-0001", "openssl", "3.0")]);
    first.stop().await;
    second.bell.ring();
    timeout(DEADLINE, told.rung()).await.expect("the second takes over");
    second.stop().await;
    let told: Vec<String> = world.told().iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "new CVE-2024-0001 debian:12/openssl - fixed 1",
            "fix_changed CVE-2024-0001 debian:12/openssl 2.0 3.0 1",
        ]
    );
}

#[test]
fn a_command_leaves_the_work_to_whoever_has_the_lease() {
    let (_folder, _store, mut world) = world();
    let (service, command) = (Owner::draw(), Owner::draw());
    let clock = Clock::manual(world.now);
    let taken = world.database.acquire_lease(LEASE, &service, DEADLINE).expect("an answer");
    let Acquisition::Acquired(lease) = taken else { panic!("the lease was free") };
    let outcome = run_once(&world.database, &command, &clock, &Shutdown::new()).expect("an answer");
    assert_eq!(outcome, Outcome::Held(lease.clone()));
    assert!(world.database.release_lease(&lease).expect("an answer"));
    let outcome = run_once(&world.database, &command, &clock, &Shutdown::new()).expect("an answer");
    let Outcome::Done(progress) = outcome else { panic!("the lease was free: {outcome:?}") };
    assert_eq!(progress.package_count, 2, "new, and named by a part that was never read");
    assert!(world.step().is_none(), "nothing is left");
    let again = world.database.acquire_lease(LEASE, &service, DEADLINE).expect("an answer");
    assert!(matches!(again, Acquisition::Acquired(_)), "the command gave it back: {again:?}");
}

#[test]
fn a_command_that_is_told_to_stop_gives_the_lease_back() {
    let (_folder, _store, world) = world();
    let (service, command) = (Owner::draw(), Owner::draw());
    let stop = Shutdown::new();
    stop.trigger();
    let clock = Clock::manual(world.now);
    let outcome = run_once(&world.database, &command, &clock, &stop).expect("an answer");
    assert_eq!(outcome, Outcome::Stopped(Progress::default()));
    let again = world.database.acquire_lease(LEASE, &service, DEADLINE).expect("an answer");
    assert!(matches!(again, Acquisition::Acquired(_)), "the command gave it back: {again:?}");
}

/// Goal: a process that only matches hears of images that another one registered. Method: the
/// matcher polls never within this test; the ring goes through PostgreSQL.
#[test]
fn a_registration_by_another_process_wakes_the_matcher_through_postgresql() {
    let store = |url: &str| Store::parse(url).expect("an address");
    let open = |url: &str| store(url).open(Access::ReadWrite).expect("a database");
    let Some(place) = postgres::fresh_database(|url| drop(open(url))) else { return };
    let mut world = World::new(open(&place.url()));
    world.register(1, Some("debian:12"), &[deb("openssl", "openssl", "1.0")]);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let store = store(&place.url());
    let service = runtime.block_on(async { start(&store) });
    let bells = [(Channel::Packages, service.bell.clone())];
    let until = service.shutdown.clone();
    let listening = runtime.spawn(async move { store.listen(&bells, &until).await });
    let is_done = |world: &World| world.database.pending_packages(1).expect("asked").is_empty();
    eventually("it looks when it starts", DEADLINE, || is_done(&world));
    world.register(2, Some("debian:12"), &[deb("curl", "curl", "1.0")]);
    eventually("it looks when it is woken", DEADLINE, || {
        world.database.ring(Channel::Packages).expect("rung");
        is_done(&world)
    });
    runtime.block_on(async {
        service.stop().await;
        timeout(DEADLINE, listening).await.expect("it stops").expect("without panic");
    });
}
