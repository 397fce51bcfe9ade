//! Looks at a source's list of its newest entries, and fetches entries one by one.

use pratique_clockwork::Clock;
use pratique_feeds::Container;
use pratique_fetch::{Head, Outcome, Spooled};

use super::part::{PartError, Run};
use crate::PlannedPart;
use crate::fingerprint::PartFingerprint;
use crate::tip::{HEAD_BYTES, Look, TipState, WHOLE_EVERY};

impl Run<'_> {
    /// What the list says. A list that cannot be had is no failure: the part itself is asked for
    /// then, and says what is wrong.
    pub(super) async fn look(
        &mut self,
        planned: &PlannedPart,
        known: &PartFingerprint,
    ) -> Result<Look, PartError> {
        let Some(url) = planned.source.tip_url(&planned.part.id) else { return Ok(Look::None) };
        let state = known.tip().filter(|state| !is_whole_due(state, &self.shared.clock));
        let fetching =
            self.shared.client.fetch_head(&url, HEAD_BYTES, state.map(|state| &state.fingerprint));
        let head = self.stop.unless_triggered(fetching).await.ok_or(PartError::Cancelled)?;
        let id = &self.outcome.part;
        let (bytes, is_cut, fingerprint) = match head {
            Ok(Head::Unchanged) => return Ok(Look::Nothing),
            Ok(Head::Absent) => return Ok(Look::None),
            Ok(Head::Bytes { bytes, is_cut, fingerprint }) => (bytes, is_cut, fingerprint),
            Err(error) => {
                tracing::debug!(part.name = %id, "part {id}: no list of new entries: {error}");
                return Ok(Look::None);
            }
        };
        self.take_in(bytes.len() as u64);
        let Some(state) = state else { return Ok(Look::Whole(fingerprint)) };
        match planned.source.tip_rows(&bytes, is_cut) {
            Some(rows) => Ok(state.compare(&rows, is_cut, fingerprint)),
            None => {
                let id = &self.outcome.part;
                tracing::warn!(part.name = %id, "part {id}: its list of new entries is unreadable");
                Ok(Look::None)
            }
        }
    }

    /// Fetches entries; `None` when one of them cannot be had by itself.
    pub(super) async fn entries(
        &mut self,
        planned: &PlannedPart,
        ids: &[String],
    ) -> Result<Option<Vec<(Container, Spooled)>>, PartError> {
        let (source, part) = (planned.source, &planned.part.id);
        let mut documents = Vec::new();
        for id in ids {
            let Some(url) = source.entry_url(part, id) else { return Ok(None) };
            match self.get(&url, None).await? {
                Outcome::Body(spooled) => documents.push((Container::Plain, spooled)),
                Outcome::Absent | Outcome::Unchanged => return Ok(None),
            }
        }
        Ok(Some(documents))
    }
}

/// Whether the whole part must be looked at again, whatever the list says.
fn is_whole_due(state: &TipState, clock: &Clock) -> bool {
    let age = clock.now().duration_since(state.whole_at);
    age.unsigned_abs() >= WHOLE_EVERY
}
