//! The client against real containerds: the packaged one, and 2.x where it was built.
#![allow(missing_docs, reason = "tests")]

use std::time::Duration;

use pratique_containerd::{Any, Client, Envelope, Error, Event, EventStream, TaskStatus};
use pratique_testkit::containerd::{BUSYBOX, Build, Containerd};
use tokio::runtime::Runtime;

/// How long a machine that does much else may take.
const DEADLINE: Duration = Duration::from_secs(60);

const SIGKILL: u32 = 9;

/// Runs a case on each containerd that is there.
fn on_each(case: impl Fn(&mut Containerd, &Runtime, &Client)) {
    for build in [Build::Packaged, Build::Second] {
        let Some(mut bed) = Containerd::start_build(build) else { continue };
        bed.import_busybox("t");
        let runtime = Runtime::new().expect("a runtime");
        let client = runtime.block_on(async { Client::connect(bed.socket()) });
        case(&mut bed, &runtime, &client.with_timeout(DEADLINE));
    }
}

/// Subscribes and waits until an event of our own comes back: from then on nothing is missed.
async fn subscribed(client: &Client) -> EventStream {
    let mut stream = client.subscribe(&[]);
    let publishing = async {
        let mut interval = tokio::time::interval(Duration::from_millis(50));
        loop {
            interval.tick().await;
            client.publish("probe", "/probe", Any::default()).await.expect("published");
        }
    };
    let seen = event(&mut stream, |envelope| envelope.topic == "/probe");
    tokio::select! {
        _ = seen => {}
        () = publishing => {}
    }
    stream
}

/// The next event that fits.
async fn event(stream: &mut EventStream, is_wanted: impl Fn(&Envelope) -> bool) -> Envelope {
    let next = async {
        loop {
            let envelope = stream.next().await.expect("the stream goes on");
            if is_wanted(&envelope) {
                return envelope;
            }
        }
    };
    tokio::time::timeout(DEADLINE, next).await.expect("the event comes")
}

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, what).await.expect("within the deadline")
}

#[test]
fn a_containers_life_is_told_and_can_be_asked() {
    on_each(|bed, runtime, client| {
        let mut stream = runtime.block_on(subscribed(client));
        bed.run_container("t", "one", &["--label", "a=b"], &["sh", "-c", "sleep 1; exit 7"]);
        runtime.block_on(async {
            let container = client.container("t", "one").await.expect("it is there");
            assert_eq!(container.image, BUSYBOX);
            assert_eq!(container.labels.get("a").map(String::as_str), Some("b"));
            assert_eq!(container.runtime, "io.containerd.runc.v2");
            assert_eq!(container.snapshotter, "overlayfs");
            assert!(container.created_at.is_some());
            let spec = container.spec.expect("a specification").value;
            assert!(String::from_utf8_lossy(&spec).contains("\"ociVersion\""));
            let all = client.containers("t").await.expect("listed");
            assert_eq!(all.iter().map(|one| &*one.id).collect::<Vec<_>>(), ["one"]);

            let exit = in_time(client.wait("t", "one")).await.expect("it ends");
            assert_eq!(exit.code, 7);
            assert!(exit.at.is_some());
            let task = client.task("t", "one").await.expect("it is not deleted");
            assert_eq!((task.status, task.exit_status), (TaskStatus::Stopped, 7));
            assert_eq!(client.tasks("t").await.expect("listed"), std::slice::from_ref(&task));

            for wanted in ["/containers/create", "/tasks/create", "/tasks/start"] {
                event(&mut stream, |envelope| envelope.topic == wanted).await;
            }
            let exited = event(&mut stream, |envelope| envelope.topic == "/tasks/exit").await;
            assert_eq!(exited.namespace, "t");
            assert!(exited.timestamp.is_some());
            let Event::TaskExit { container_id, id, exit_status, pid, exited_at } = exited.event
            else {
                panic!("{exited:?}");
            };
            assert_eq!((&*container_id, &*id, exit_status, pid), ("one", "one", 7, task.pid));
            assert_eq!(exited_at, exit.at);

            let deleted = client.delete_task("t", "one").await.expect("deleted");
            assert_eq!((deleted.pid, deleted.exit.code), (task.pid, 7));
            for again in [
                client.task("t", "one").await.map(drop),
                client.delete_task("t", "one").await.map(drop),
                client.wait("t", "one").await.map(drop),
                client.kill("t", "one", SIGKILL, true).await,
            ] {
                assert!(again.as_ref().is_err_and(Error::is_not_found), "{again:?}");
            }
            // The shim of 2.2 ends before it has told that.
            if bed.build() == Build::Packaged {
                let gone = event(&mut stream, |envelope| envelope.topic == "/tasks/delete").await;
                assert!(matches!(gone.event, Event::TaskDelete { exit_status: 7, .. }), "{gone:?}");
            }
        });
    });
}

#[test]
fn a_task_is_killed_and_the_reason_can_be_read() {
    on_each(|bed, runtime, client| {
        let mut stream = runtime.block_on(subscribed(client));
        bed.run_container("t", "victim", &[], &["sleep", "1000"]);
        let hungry = ["sh", "-c", "sh -c 'x=$(seq 1 100000000)'; sleep 1000"];
        bed.run_container("t", "hungry", &["--memory-limit", "16777216"], &hungry);
        runtime.block_on(async {
            let refused = client.delete_task("t", "victim").await;
            assert!(matches!(refused, Err(Error::FailedPrecondition { .. })), "{refused:?}");
            assert_eq!(client.oom_kills("t", "victim").await.expect("metrics"), 0);
            let waiting = client.wait("t", "victim");
            client.kill("t", "victim", SIGKILL, true).await.expect("killed");
            assert_eq!(in_time(waiting).await.expect("it ends").code, 137);

            let oom = event(&mut stream, |envelope| envelope.topic == "/tasks/oom").await;
            assert_eq!(oom.event, Event::TaskOom { container_id: "hungry".to_owned() });
            // The event says that memory is short; the kill is counted a moment later.
            in_time(async {
                while client.oom_kills("t", "hungry").await.expect("metrics") == 0 {}
            })
            .await;
            let running = client.task("t", "hungry").await.expect("there").status;
            assert_eq!(running, TaskStatus::Running, "a child was killed, not init");
            let nobody = client.oom_kills("t", "nobody").await;
            assert!(nobody.as_ref().is_err_and(Error::is_not_found), "{nobody:?}");
        });
    });
}

#[test]
fn images_and_contents_are_told_apart_by_namespace() {
    on_each(|bed, runtime, client| {
        let mut stream = runtime.block_on(subscribed(client));
        bed.ctr("t", &["images", "tag", BUSYBOX, "localhost/other:1"]);
        bed.ctr("t", &["images", "rm", "localhost/other:1"]);
        runtime.block_on(async {
            let name = "localhost/other:1".to_owned();
            let made = event(&mut stream, |envelope| envelope.topic == "/images/create").await;
            assert_eq!(made.event, Event::ImageCreate { name: name.clone() });
            let gone = event(&mut stream, |envelope| envelope.topic == "/images/delete").await;
            assert_eq!(gone.event, Event::ImageDelete { name });

            assert!(client.namespaces().await.expect("listed").contains(&"t".to_owned()));
            let image = client.image("t", BUSYBOX).await.expect("it is there");
            let names = client.images("t").await.expect("listed");
            assert!(names.contains(&image), "{names:?}");
            assert!(client.image("other", BUSYBOX).await.is_err_and(|error| error.is_not_found()));

            let digest = &*image.target.digest;
            let info = client.content_info("t", digest).await.expect("it is there");
            assert_eq!((&*info.digest, info.size_bytes), (digest, image.target.size_bytes));
            let whole = read(client, digest, 0).await;
            assert_eq!(whole.len() as u64, info.size_bytes);
            assert_eq!(read(client, digest, 10).await, whole[10..]);
            let none = format!("sha256:{:064}", 0);
            assert!(client.content_info("t", &none).await.is_err_and(|it| it.is_not_found()));
        });
    });
}

async fn read(client: &Client, digest: &str, offset: u64) -> Vec<u8> {
    let mut stream = client.read_content("t", digest, offset).await.expect("it is there");
    let mut bytes = Vec::new();
    while let Some(part) = stream.next().await.expect("it comes whole") {
        bytes.extend_from_slice(&part);
    }
    bytes
}

#[test]
fn a_client_outlives_containerd() {
    on_each(|bed, runtime, client| {
        bed.run_container("t", "one", &[], &["sleep", "1000"]);
        let mut stream = runtime.block_on(subscribed(client));
        let waiting = runtime.spawn({
            let client = client.clone();
            async move { client.wait("t", "one").await }
        });
        // The wait has come to containerd before it is killed: else it would begin after it.
        runtime.block_on(async { tokio::task::yield_now().await });
        bed.kill9();
        runtime.block_on(async {
            let ended = in_time(async {
                loop {
                    if let Err(error) = stream.next().await {
                        return error;
                    }
                }
            });
            let ended = ended.await;
            assert!(matches!(ended, Error::Unavailable { .. }), "{ended:?}");
            let again = stream.next().await;
            assert!(matches!(again, Err(Error::Unavailable { .. })), "{again:?}");
            let waited = in_time(waiting).await.expect("no panic");
            assert!(matches!(waited, Err(Error::Unavailable { .. })), "{waited:?}");
            let asked = client.version().await;
            assert!(matches!(asked, Err(Error::Unavailable { .. })), "{asked:?}");
        });
        bed.run();
        runtime.block_on(async {
            let version = client.version().await.expect("the same client connects again");
            assert!(!version.version.is_empty());
            client.kill("t", "one", SIGKILL, true).await.expect("killed");
            assert_eq!(in_time(client.wait("t", "one")).await.expect("it ends").code, 137);
        });
    });
}

#[test]
fn a_containerd_that_is_stopped_is_a_deadline() {
    on_each(|bed, runtime, client| {
        let hasty = client.clone().with_timeout(Duration::from_millis(200));
        bed.stop();
        let outcome = runtime.block_on(hasty.version());
        assert!(matches!(outcome, Err(Error::Deadline { .. })), "{outcome:?}");
        bed.cont();
        runtime.block_on(client.version()).expect("it goes on");
    });
}

#[test]
fn a_filter_that_cannot_be_understood_ends_the_stream_for_good() {
    on_each(|_, runtime, client| {
        runtime.block_on(async {
            let mut stream = client.subscribe(&["topic==/tasks/exit"]);
            let error = in_time(stream.next()).await.expect_err("slashes want quotes");
            assert!(matches!(error, Error::Other { .. }), "{error:?}");
            assert!(!error.is_transient(), "{error}");
        });
    });
}

#[test]
fn a_socket_that_is_not_there_is_unavailable() {
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let client = Client::connect("/nowhere/containerd.sock");
        let error = client.version().await.expect_err("nobody is there");
        assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
        assert!(error.is_transient());
        assert!(error.to_string().contains("No such file"), "{error}");
        let error = client.subscribe(&[]).next().await.expect_err("nobody is there");
        assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    });
}
