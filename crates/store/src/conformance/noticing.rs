//! Cases about what a node's runtime runs and what is told of it.

use jiff::SignedDuration;

use pratique_model::{
    Container, ContainerKind, ContainerState, ExitReason, Isolation, NodeImage, Notice, NoticeKind,
    NoticeSource, Pod,
};

use super::sample::at;
use super::{Case, list};
use crate::{
    DELETED_CONTAINERS_KEPT, Database, NOTICES_KEPT, NOTICES_MAX, NoticeFilter, RuntimeChanges,
    StoreError, SweptRuntime,
};

pub(super) const CASES: &[Case] = list![
    a_container_is_read_as_it_was_written_last,
    what_is_told_is_numbered_and_read_on,
    what_is_written_together_is_kept_together,
    names_of_images_come_and_go,
    who_was_superseded_writes_nothing_more,
    what_is_old_goes_and_numbers_never_come_again,
];

fn container(id: &str) -> Container {
    Container {
        namespace: "k8s.io".to_owned(),
        id: id.to_owned(),
        kind: ContainerKind::Container,
        state: ContainerState::Created,
        isolation: Isolation::Runsc,
        pod: Some(Pod { namespace: "shop".into(), name: "cart-0".into(), uid: "u-1".into() }),
        name: Some("cart".to_owned()),
        image: Some("registry.example/cart:1".to_owned()),
        manifest: Some(digest('a')),
        config: None,
        pid: 0,
        created_at: Some(at(1)),
        started_at: None,
        finished_at: None,
        exit_code: None,
        reason: None,
        oom_count: 0,
        deleted_at: None,
    }
}

fn digest(digit: char) -> pratique_model::Digest {
    format!("sha256:{}", digit.to_string().repeat(64)).parse().expect("a digest")
}

fn notice(id: &str, hour: i64) -> Notice {
    let mut notice = Notice::new(NoticeKind::ContainerExited, at(hour), NoticeSource::Event);
    notice.namespace = "k8s.io".to_owned();
    notice.id = id.to_owned();
    notice
}

fn write(database: &Database, containers: &[Container], notices: &[Notice]) -> Option<u64> {
    let changes = RuntimeChanges {
        containers: containers.to_vec(),
        notices: notices.to_vec(),
        ..RuntimeChanges::default()
    };
    let writer = database.take_over_runtime().expect("taken over");
    database.write_runtime(writer, &changes).expect("written")
}

fn a_container_is_read_as_it_was_written_last(database: &mut Database) {
    let (first, mut second) = (container("a"), container("b"));
    assert_eq!(write(database, &[first.clone(), second.clone()], &[]), None);
    second.state = ContainerState::Deleted;
    second.started_at = Some(at(2));
    second.finished_at = Some(at(3));
    second.exit_code = Some(u32::MAX);
    second.reason = Some(ExitReason::OomKilled);
    second.oom_count = 7;
    second.deleted_at = Some(at(4));
    second.pod = None;
    second.config = Some(digest('b'));
    write(database, std::slice::from_ref(&second), &[]);
    assert_eq!(database.containers(false).expect("read"), std::slice::from_ref(&first));
    assert_eq!(database.containers(true).expect("read"), [first, second.clone()]);
    assert_eq!(database.container("k8s.io", "b").expect("read"), Some(second));
    assert_eq!(database.container("other", "b").expect("read"), None);
}

fn what_is_told_is_numbered_and_read_on(database: &mut Database) {
    let full = Notice {
        name: Some("registry.example/cart:1".to_owned()),
        digest: Some(digest('a')),
        platform: Some("linux/arm64/v8".parse().expect("a platform")),
        pod: container("a").pod,
        container: Some("cart".to_owned()),
        isolation: Some(Isolation::Kata),
        pid: Some(4_000_000_000),
        exit_code: Some(137),
        reason: Some(ExitReason::OomKilled),
        oom_count: Some(2),
        is_amended: true,
        ..notice("a", 5)
    };
    assert_eq!(write(database, &[], &[full.clone(), notice("b", 6)]), Some(2));
    assert_eq!(write(database, &[], &[notice("c", 4)]), Some(3));
    let read = |after, since: Option<i64>, limit| {
        let filter = NoticeFilter { after, since: since.map(at) };
        database.notices(&filter, limit).expect("read")
    };
    let numbers = |after, since, limit| -> Vec<u64> {
        read(after, since, limit).into_iter().map(|notice| notice.number).collect()
    };
    assert_eq!(read(0, None, 1)[0].notice, full);
    assert_eq!(numbers(0, None, 10), [1, 2, 3]);
    assert_eq!(numbers(1, None, 1), [2]);
    assert_eq!(numbers(0, Some(5), 10), [1, 2]);
    assert_eq!(numbers(3, None, 10), [0; 0]);
    assert_eq!(database.last_notice().expect("read"), 3);
}

fn what_is_written_together_is_kept_together(database: &mut Database) {
    let changes = RuntimeChanges {
        containers: vec![container("a")],
        notices: vec![notice("a", 1)],
        ..RuntimeChanges::default()
    };
    let failed = database.transaction(None, |database| {
        let writer = database.take_over_runtime()?;
        database.write_runtime(writer, &changes)?;
        Err::<(), _>(StoreError::ReadOnly)
    });
    failed.expect_err("rolled back");
    assert_eq!(database.containers(true).expect("read"), []);
    assert_eq!(database.notices(&NoticeFilter::default(), 10).expect("read"), []);
    assert_eq!(database.last_notice().expect("read"), 0);
}

fn names_of_images_come_and_go(database: &mut Database) {
    let image = |name: &str, digest, hour| NodeImage {
        namespace: "k8s.io".to_owned(),
        name: name.to_owned(),
        digest,
        seen_at: at(hour),
    };
    let write = |images: &[NodeImage], gone: &[&str]| {
        let gone = gone.iter().map(|name| ("k8s.io".to_owned(), (*name).to_owned()));
        let changes = RuntimeChanges {
            images: images.to_vec(),
            gone_images: gone.collect(),
            ..RuntimeChanges::default()
        };
        let writer = database.take_over_runtime().expect("taken over");
        database.write_runtime(writer, &changes).expect("written");
    };
    write(&[image("b", None, 1), image("a", Some(digest('a')), 1)], &["never there"]);
    write(&[image("a", Some(digest('b')), 2)], &["b"]);
    assert_eq!(database.node_images().expect("read"), [image("a", Some(digest('b')), 2)]);
}

fn who_was_superseded_writes_nothing_more(database: &mut Database) {
    let first = database.take_over_runtime().expect("taken over");
    let notices = vec![notice("a", 1)];
    let changes = RuntimeChanges { notices, ..RuntimeChanges::default() };
    assert_eq!(database.write_runtime(first, &changes).expect("written"), Some(1));
    let second = database.take_over_runtime().expect("taken over");
    let error = database.write_runtime(first, &changes).expect_err("superseded");
    assert!(matches!(error, StoreError::Superseded) && !error.is_transient(), "{error}");
    assert_eq!(database.write_runtime(second, &changes).expect("written"), Some(2));
}

fn what_is_old_goes_and_numbers_never_come_again(database: &mut Database) {
    let mut old = container("old");
    old.deleted_at = Some(at(0));
    write(database, &[old, container("alive")], &[notice("a", 0), notice("b", 1)]);
    let soon = at(0) + NOTICES_KEPT.min(DELETED_CONTAINERS_KEPT);
    assert_eq!(database.sweep_runtime(soon).expect("swept"), SweptRuntime::default());
    let late = at(0) + NOTICES_KEPT + SignedDuration::from_secs(1);
    let swept = database.sweep_runtime(late).expect("swept");
    assert_eq!(swept, SweptRuntime { containers: 1, notices: 1 });
    assert_eq!(database.containers(true).expect("read").len(), 1);
    let later = late + SignedDuration::from_hours(1);
    assert_eq!(database.sweep_runtime(later).expect("swept").notices, 1);
    assert_eq!(write(database, &[], &[notice("c", 0)]), Some(3));

    let sql = "UPDATE counter SET value = value + ?1 WHERE name = 'notice'";
    let many = crate::session::values![NOTICES_MAX];
    database.session.execute("counting", sql, many).expect("counted");
    assert_eq!(database.sweep_runtime(at(0)).expect("swept").notices, 1, "too many");
}
