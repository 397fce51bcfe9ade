//! Cases about which images of a node were indexed there.

use jiff::SignedDuration;

use pratique_model::{Digest, NodeImage};

use super::sample::at;
use super::{Case, list};
use crate::{Database, GONE_INDEXES_KEPT, IndexOutcome, NodeIndex, RuntimeChanges};

pub(super) const CASES: &[Case] = list![
    the_image_seen_last_is_indexed_first,
    what_failed_comes_when_its_time_has_come,
    what_another_version_tried_is_tried_again,
    an_image_whose_names_are_gone_is_forgotten_after_a_day,
];

fn digest(digit: char) -> Digest {
    format!("sha256:{}", digit.to_string().repeat(64)).parse().expect("a digest")
}

fn image(digit: char, name: &str, hour: i64) -> NodeImage {
    NodeImage {
        namespace: "k8s.io".to_owned(),
        name: name.to_owned(),
        digest: Some(digest(digit)),
        seen_at: at(hour),
    }
}

fn has(database: &Database, images: &[NodeImage]) {
    let changes = RuntimeChanges { images: images.to_vec(), ..RuntimeChanges::default() };
    let writer = database.take_over_runtime().expect("taken over");
    database.write_runtime(writer, &changes).expect("written");
}

fn index(digit: char, outcome: IndexOutcome, hour: i64) -> NodeIndex {
    NodeIndex {
        digest: digest(digit),
        namespace: "k8s.io".to_owned(),
        name: "app:1".to_owned(),
        program: "1".to_owned(),
        outcome,
        attempt_count: 2,
        attempted_at: at(hour),
    }
}

fn due(database: &Database, program: &str, hour: i64) -> Option<String> {
    database.image_to_index(program, at(hour)).expect("read").map(|image| image.name)
}

fn the_image_seen_last_is_indexed_first(database: &mut Database) {
    assert_eq!(due(database, "1", 9), None);
    let same = format!("sha256:{}", "c".repeat(64));
    has(
        database,
        &[
            image('a', "old:1", 1),
            image('b', "new:1", 3),
            image('b', &same, 3),
            NodeImage { digest: None, ..image('c', "odd:1", 4) },
        ],
    );
    assert_eq!(due(database, "1", 9).as_deref(), Some("new:1"));
    let indexed = index('b', IndexOutcome::Indexed { image: digest('d') }, 4);
    database.write_node_index(&indexed).expect("written");
    assert_eq!(database.node_index(digest('b')).expect("read"), Some(indexed));
    assert_eq!(due(database, "1", 9).as_deref(), Some("old:1"));
}

fn what_failed_comes_when_its_time_has_come(database: &mut Database) {
    has(database, &[image('a', "half:1", 1), image('b', "bomb:1", 1)]);
    let failed = IndexOutcome::Failed { error: "a layer is missing".into(), retry_at: at(5) };
    let bomb = IndexOutcome::Quarantined { error: "ended by signal 9".into() };
    let written = [index('a', failed, 2), index('b', bomb, 2)];
    for index in &written {
        database.write_node_index(index).expect("written");
    }
    assert_eq!(database.node_indexes().expect("read"), written);
    assert_eq!(due(database, "1", 4), None);
    assert_eq!(due(database, "1", 5).as_deref(), Some("half:1"));
    let indexed = index('a', IndexOutcome::Indexed { image: digest('a') }, 5);
    database.write_node_index(&indexed).expect("written in its place");
    assert_eq!(due(database, "1", 9), None);
}

fn what_another_version_tried_is_tried_again(database: &mut Database) {
    has(database, &[image('a', "bomb:1", 1)]);
    let bomb = IndexOutcome::Quarantined { error: "ended by signal 9".into() };
    database.write_node_index(&index('a', bomb, 2)).expect("written");
    assert_eq!(due(database, "1", 9), None);
    assert_eq!(due(database, "2", 9).as_deref(), Some("bomb:1"));
}

fn an_image_whose_names_are_gone_is_forgotten_after_a_day(database: &mut Database) {
    has(database, &[image('a', "app:1", 1)]);
    for digit in ['a', 'b'] {
        let indexed = IndexOutcome::Indexed { image: digest(digit) };
        database.write_node_index(&index(digit, indexed, 1)).expect("written");
    }
    let after = |duration: SignedDuration| at(1).saturating_add(duration).expect("a time");
    assert_eq!(database.sweep_node_indexes(after(GONE_INDEXES_KEPT)).expect("swept"), 0);
    let later = after(GONE_INDEXES_KEPT + SignedDuration::from_secs(1));
    assert_eq!(database.sweep_node_indexes(later).expect("swept"), 1);
    let left = database.node_indexes().expect("read");
    assert_eq!(left.iter().map(|index| index.digest).collect::<Vec<_>>(), [digest('a')]);
}
