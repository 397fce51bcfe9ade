//! Looks at a source's list of its newest entries, and fetches entries by themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::task::JoinSet;

use pratique_clockwork::Clock;
use pratique_feeds::Container;
use pratique_fetch::{Client, FetchError, Head, Outcome, Spooled};

use super::part::{PartError, Run};
use crate::PlannedPart;
use crate::fingerprint::PartFingerprint;
use crate::tip::{HEAD_BYTES, Look, TipState, WHOLE_EVERY};

/// How many entries of a part are fetched at once. Two parts of a host are (`crate::hosts`), so a
/// host has eight such questions at once, of some kilobytes each, over one connection where it
/// speaks HTTP/2.
const ENTRIES_AT_ONCE: usize = 4;

/// How long fetching the entries may take in all. 200 of them, four at once, take ten seconds where
/// an answer takes a fifth of one; a host that needs longer is asked again later, not for more.
const ENTRIES_TIMEOUT: Duration = Duration::from_mins(2);

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

    /// Fetches entries, in their order; `None` when one of them cannot be had by itself.
    pub(super) async fn entries(
        &mut self,
        planned: &PlannedPart,
        ids: &[String],
    ) -> Result<Option<Vec<(Container, Spooled)>>, PartError> {
        let (source, part) = (planned.source, &planned.part.id);
        let urls: Option<Vec<String>> = ids.iter().map(|id| source.entry_url(part, id)).collect();
        let Some(urls) = urls else { return Ok(None) };
        let list = source.tip_url(part).unwrap_or_default();
        let fetching = all(&self.shared.client, urls);
        let fetching = tokio::time::timeout(ENTRIES_TIMEOUT, fetching);
        let fetched = self.stop.unless_triggered(fetching).await.ok_or(PartError::Cancelled)?;
        let fetched =
            fetched.map_err(|_| FetchError::TooSlow { url: list, after: ENTRIES_TIMEOUT });
        let Some(documents) = fetched?? else { return Ok(None) };
        self.take_in(documents.iter().map(Spooled::length).sum());
        Ok(Some(documents.into_iter().map(|spooled| (Container::Plain, spooled)).collect()))
    }
}

/// Fetches documents a few at a time and gives them in the order of their addresses; `None` when
/// one is not there. Dropping the future ends all.
async fn all(client: &Client, urls: Vec<String>) -> Result<Option<Vec<Spooled>>, FetchError> {
    let mut waiting = urls.into_iter().enumerate();
    let mut work = JoinSet::new();
    let mut fetched = BTreeMap::new();
    loop {
        while work.len() < ENTRIES_AT_ONCE
            && let Some((index, url)) = waiting.next()
        {
            let client = client.clone();
            work.spawn(async move { (index, client.fetch(&url, None).await) });
        }
        let Some(done) = work.join_next().await else { break };
        let (index, outcome) = done.expect("fetching does not panic");
        match outcome? {
            Outcome::Body(spooled) => fetched.insert(index, spooled),
            Outcome::Absent | Outcome::Unchanged => return Ok(None),
        };
    }
    Ok(Some(fetched.into_values().collect()))
}

/// Whether the whole part must be looked at again, whatever the list says.
fn is_whole_due(state: &TipState, clock: &Clock) -> bool {
    let age = clock.now().duration_since(state.whole_at);
    age.unsigned_abs() >= WHOLE_EVERY
}
