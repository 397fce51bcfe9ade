//! What was judged and is not written yet.

use jiff::Timestamp;

use pratique_clockwork::queue::Taken;
use pratique_model::{Digest, NodeImage, Notice};
use pratique_store::RuntimeChanges;

use crate::event::{Event, whole};
use crate::key::Key;
use crate::state::Outcome;

/// An event with what it gave. Its key is owned until this is written.
#[derive(Debug)]
pub(super) struct Pending {
    /// `None` for what is told of no key.
    pub(super) taken: Option<Taken<Key, Event>>,
    pub(super) result: Result,
}

/// What an event gave.
#[derive(Debug)]
pub(super) enum Result {
    Container(Outcome),
    /// What a name means now; `None`: nothing. Without a notice that is what it meant before.
    Image {
        digest: Option<Option<Digest>>,
        notice: Option<Notice>,
    },
    Told(Notice),
}

impl Pending {
    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        match &self.result {
            Result::Container(outcome) => outcome.container.is_none() && outcome.notices.is_empty(),
            Result::Image { notice, .. } => notice.is_none(),
            Result::Told(_) => false,
        }
    }

    pub(super) fn notices(&self) -> &[Notice] {
        match &self.result {
            Result::Container(outcome) => &outcome.notices,
            Result::Image { notice, .. } => notice.as_slice(),
            Result::Told(notice) => std::slice::from_ref(notice),
        }
    }
}

/// All of a batch, as the store takes it.
pub(super) fn changes_of(batch: &[Pending], now: Timestamp) -> RuntimeChanges {
    let mut changes = RuntimeChanges::default();
    for pending in batch {
        changes.notices.extend_from_slice(pending.notices());
        match (&pending.result, &pending.taken) {
            (Result::Container(outcome), _) => {
                changes.containers.extend(outcome.container.clone());
            }
            (Result::Image { digest, .. }, Some(Taken { key, .. })) => {
                let (namespace, name) = (key.namespace.to_string(), key.id.to_string());
                match digest {
                    Some(digest) => {
                        let seen_at = whole(now);
                        let image = NodeImage { namespace, name, digest: *digest, seen_at };
                        changes.images.push(image);
                    }
                    None => changes.gone_images.push((namespace, name)),
                }
            }
            _ => {}
        }
    }
    changes
}
