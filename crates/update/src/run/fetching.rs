//! Fetches the documents of a part, or finds that none has changed.

use pratique_feeds::{self as feeds, Container};
use pratique_fetch::{Fingerprint, Outcome, Spooled};

use super::Progress;
use super::part::{PartError, Run};
use crate::fingerprint::{PartFingerprint, Seen};

/// What fetching a part gave.
pub(super) enum Fetched {
    /// Every document is what it was.
    Unchanged,
    /// None of the documents is there.
    Absent,
    /// The documents that are there, in the order of the part, and what to remember of all.
    Documents(Vec<(Container, Spooled)>, PartFingerprint),
}

impl Run<'_> {
    /// Fetches every document, or finds that none has changed. If one has, all are needed, because
    /// they are parsed as one.
    pub(super) async fn fetch(
        &mut self,
        part: &feeds::Part,
        known: &PartFingerprint,
    ) -> Result<Fetched, PartError> {
        let mut bodies: Vec<Option<Spooled>> = Vec::new();
        let mut fingerprint = PartFingerprint::default();
        let mut is_changed = false;
        for document in &part.documents {
            let seen = known.get(&document.url);
            let known = match seen {
                Some(Seen::Present(fingerprint)) => Some(fingerprint),
                _ => None,
            };
            match self.get(&document.url, known).await? {
                Outcome::Unchanged => {
                    fingerprint
                        .insert(&document.url, Seen::Present(known.cloned().unwrap_or_default()));
                    bodies.push(None);
                }
                Outcome::Absent if document.optional => {
                    is_changed |= seen != Some(&Seen::Absent);
                    fingerprint.insert(&document.url, Seen::Absent);
                    bodies.push(None);
                }
                Outcome::Absent => return Ok(Fetched::Absent),
                Outcome::Body(spooled) => {
                    is_changed = true;
                    remember(document, &spooled, &mut fingerprint);
                    bodies.push(Some(spooled));
                }
            }
        }
        if !is_changed {
            return Ok(Fetched::Unchanged);
        }
        self.complete(part, bodies, fingerprint).await
    }

    /// Fetches those that did not change too.
    async fn complete(
        &mut self,
        part: &feeds::Part,
        bodies: Vec<Option<Spooled>>,
        mut fingerprint: PartFingerprint,
    ) -> Result<Fetched, PartError> {
        let mut documents = Vec::new();
        for (document, body) in part.documents.iter().zip(bodies) {
            if let Some(spooled) = body {
                documents.push((document.container, spooled));
                continue;
            }
            if fingerprint.get(&document.url) == Some(&Seen::Absent) {
                continue;
            }
            match self.get(&document.url, None).await? {
                Outcome::Body(spooled) => {
                    remember(document, &spooled, &mut fingerprint);
                    documents.push((document.container, spooled));
                }
                // It went away between the two questions.
                Outcome::Absent | Outcome::Unchanged if document.optional => {
                    fingerprint.insert(&document.url, Seen::Absent);
                }
                Outcome::Absent | Outcome::Unchanged => return Ok(Fetched::Absent),
            }
        }
        if documents.is_empty() {
            return Ok(Fetched::Absent);
        }
        Ok(Fetched::Documents(documents, fingerprint))
    }

    /// Fetches one document, unless the work is told to end.
    pub(super) async fn get(
        &mut self,
        url: &str,
        known: Option<&Fingerprint>,
    ) -> Result<Outcome, PartError> {
        let fetching = self.shared.client.fetch(url, known);
        let outcome = self.stop.unless_triggered(fetching).await.ok_or(PartError::Cancelled)??;
        if let Outcome::Body(spooled) = &outcome {
            self.take_in(spooled.length());
        }
        Ok(outcome)
    }

    /// Counts what came.
    pub(super) fn take_in(&mut self, bytes: u64) {
        let part = &self.outcome.part;
        self.outcome.fetched_bytes += bytes;
        self.shared.metrics.fetched(part, bytes);
        (self.shared.progress)(Progress::Fetched(part.clone(), bytes));
    }
}

fn remember(document: &feeds::Document, spooled: &Spooled, fingerprint: &mut PartFingerprint) {
    fingerprint.insert(&document.url, Seen::Present(spooled.fingerprint().clone()));
}
