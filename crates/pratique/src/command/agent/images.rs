//! The node's images with what is known of them.
//!
//! Findings are not kept on a node: they come from the report that an image was indexed with and
//! the vulnerability database as it is now, so they follow the database by themselves. An image is
//! assessed again only when the database has changed.

use std::collections::HashMap;
use std::sync::Mutex;

use jiff::Timestamp;
use pratique_clockwork::Clock;
use pratique_matcher::Options;
use pratique_model::{Digest, PartId};
use pratique_store::{Access, Database, IndexOutcome, NodeIndex, Store, StoreError};

use super::wire::{FindingCounts, ImageRow};

/// Answers for the node's images.
pub(super) struct Images {
    node: Store,
    advisories: Store,
    known: Mutex<Known>,
}

/// What was assessed already.
#[derive(Default)]
struct Known {
    /// The generation of each part when it was.
    state: Vec<(PartId, u64)>,
    counts: HashMap<Digest, Summary>,
}

/// What is said of one image.
#[derive(Clone, Copy)]
struct Summary {
    package_count: usize,
    findings: Option<FindingCounts>,
    /// How old the oldest data is that the findings rest on.
    as_of: Option<Timestamp>,
}

impl Images {
    /// Reads the node's images from one store, what is vulnerable from another.
    pub(super) fn new(node: Store, advisories: Store) -> Self {
        Self { node, advisories, known: Mutex::default() }
    }

    /// All names, and what was indexed and has lost its name not long ago. Blocks.
    pub(super) fn rows(&self) -> Result<Vec<ImageRow>, StoreError> {
        let node = self.node.open(Access::ReadOnly)?;
        // The agent's own work does not depend on the other database: without it nothing is said
        // of findings.
        let advisories = self.advisories.open(Access::ReadOnly).ok();
        self.forget_what_changed(advisories.as_ref())?;
        let mut indexes: HashMap<Digest, NodeIndex> =
            node.node_indexes()?.into_iter().map(|index| (index.digest, index)).collect();
        let mut rows = Vec::new();
        let mut seen = Vec::new();
        for image in node.node_images()? {
            let digest = image.digest;
            let mut row = ImageRow::named(image);
            if let Some(index) = digest.and_then(|digest| indexes.get(&digest)) {
                self.complete(&mut row, index, &node, advisories.as_ref())?;
                seen.push(index.digest);
            }
            rows.push(row);
        }
        for digest in seen {
            indexes.remove(&digest);
        }
        for index in indexes.into_values() {
            let mut row = gone(&index);
            self.complete(&mut row, &index, &node, advisories.as_ref())?;
            rows.push(row);
        }
        rows.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        Ok(rows)
    }

    fn complete(
        &self,
        row: &mut ImageRow,
        index: &NodeIndex,
        node: &Database,
        advisories: Option<&Database>,
    ) -> Result<(), StoreError> {
        row.index_error = index.outcome.error().map(str::to_owned);
        let IndexOutcome::Indexed { image } = &index.outcome else { return Ok(()) };
        row.indexed_at = Some(index.attempted_at.to_string());
        if let Some(summary) = self.summary(*image, node, advisories)? {
            row.packages = Some(summary.package_count);
            row.findings = summary.findings;
            row.data_as_of = summary.as_of.map(|at| at.to_string());
        }
        Ok(())
    }

    /// Forgets what was assessed when the database has changed.
    fn forget_what_changed(&self, advisories: Option<&Database>) -> Result<(), StoreError> {
        let parts = advisories.map(Database::parts).transpose()?.unwrap_or_default();
        let state = parts.into_iter().map(|part| (part.id, part.generation)).collect();
        let mut known = self.known.lock().expect("nothing panics while it is held");
        if known.state != state {
            *known = Known { state, counts: HashMap::new() };
        }
        Ok(())
    }

    /// What is known of an image; `None` when its report is gone.
    fn summary(
        &self,
        image: Digest,
        node: &Database,
        advisories: Option<&Database>,
    ) -> Result<Option<Summary>, StoreError> {
        let mut known = self.known.lock().expect("nothing panics while it is held");
        if let Some(summary) = known.counts.get(&image) {
            return Ok(Some(*summary));
        }
        let summary = assess(image, node, advisories)?;
        if let Some(summary) = summary {
            known.counts.insert(image, summary);
        }
        Ok(summary)
    }
}

fn assess(
    image: Digest,
    node: &Database,
    advisories: Option<&Database>,
) -> Result<Option<Summary>, StoreError> {
    let Some(stored) = node.images_named(&image.to_string(), 1)?.pop() else { return Ok(None) };
    let Some(report) = node.image_report(stored.key)? else { return Ok(None) };
    let mut summary = Summary { package_count: report.packages.len(), findings: None, as_of: None };
    if let Some(advisories) = advisories {
        let now = Clock::system().now();
        match pratique_matcher::assess(&report, advisories, &Options::default(), now) {
            Ok(assessment) => {
                let mut counts = FindingCounts::default();
                for finding in &assessment.findings {
                    counts.add(finding.severity);
                }
                summary.findings = Some(counts);
                summary.as_of = assessment.data.iter().map(|part| part.as_of).min();
            }
            Err(error) => tracing::warn!("image {image} cannot be assessed: {error}"),
        }
    }
    Ok(Some(summary))
}

/// An image whose names are gone.
fn gone(index: &NodeIndex) -> ImageRow {
    let mut row = ImageRow::named(pratique_model::NodeImage {
        namespace: index.namespace.clone(),
        name: index.name.clone(),
        digest: Some(index.digest),
        seen_at: index.attempted_at,
    });
    row.present = false;
    row
}
