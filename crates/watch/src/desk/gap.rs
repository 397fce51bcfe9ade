//! Gaps: from a stream that was lost until everything was listed and looked at again.

use std::collections::{HashMap, HashSet};

use tokio::time::Instant;
use tracing::info;

use pratique_model::{Container, ContainerState, Digest, Notice, NoticeKind, NoticeSource};

use crate::event::{What, whole};
use crate::key::Key;
use crate::link::Listing;
use crate::runtime::Runtime;

use super::Desk;
use super::pending::{Pending, Result as Judged};

impl<R: Runtime> Desk<R> {
    pub(super) fn take_listing(&mut self, listing: Listing) {
        self.is_connected = true;
        let count = listing.containers.len();
        let mut seen: HashSet<Key> = HashSet::with_capacity(count);
        for (key, facts) in listing.containers {
            seen.insert(key.clone());
            self.listed.insert(key.clone());
            self.push(key, NoticeSource::Reconcile, What::Listed(Box::new(facts)));
        }
        let is_missing = |(key, container): &(&Key, &Container)| {
            container.state != ContainerState::Deleted
                && !seen.contains(*key)
                && self.config.watches(&key.namespace)
        };
        let known = self.containers.iter().map(|(key, container)| (key, &**container));
        let missing = known.filter(is_missing).map(|(key, _)| key.clone());
        let mut to_look: Vec<Key> = missing.collect();
        let listed: HashMap<Key, Option<Digest>> = listing.images.into_iter().collect();
        info!(count, "container runtime: {count} containers, {} image names", listed.len());
        let differs =
            |(key, digest): &(&Key, &Option<Digest>)| self.images.get(*key) != Some(*digest);
        to_look.extend(listed.iter().filter(differs).map(|(key, _)| key.clone()));
        let gone = self
            .images
            .keys()
            .filter(|key| !listed.contains_key(*key) && self.config.watches(&key.namespace));
        to_look.extend(gone.cloned());
        for key in to_look {
            self.listed.insert(key.clone());
            self.push(key, NoticeSource::Reconcile, What::Look);
        }
        self.end_gap();
    }

    pub(super) fn lose_stream(&mut self) {
        self.is_connected = false;
        self.waits.abort_all();
        self.waited.clear();
        self.listed.clear();
        if self.gap.is_none() {
            self.gap = Some(Instant::now());
            self.tell(self.notice(NoticeKind::GapBegin));
        }
    }

    /// Ends a gap when all that was listed has been looked at.
    pub(super) fn end_gap(&mut self) {
        if !self.is_connected || !self.listed.is_empty() {
            return;
        }
        if let Some(began_at) = self.gap.take() {
            self.metrics.end_gap(began_at.elapsed());
            self.tell(self.notice(NoticeKind::GapEnd));
        }
    }

    pub(super) fn notice(&self, kind: NoticeKind) -> Notice {
        Notice::new(kind, whole(self.clock.now()), NoticeSource::Reconcile)
    }

    /// Tells something that is no container's or image's.
    pub(super) fn tell(&mut self, notice: Notice) {
        self.batch.push(Pending { taken: None, result: Judged::Told(notice) });
    }
}
