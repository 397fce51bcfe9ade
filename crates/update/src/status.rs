//! What to tell of each part, to people and machines.

use jiff::{SignedDuration, Timestamp};

use pratique_feeds::Source;
use pratique_model::PartId;
use pratique_store::PartState;

/// A part as `db status` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartStatus {
    /// What the store knows.
    pub state: PartState,
    /// Whether it was last found fresh longer ago than the limit, or never. A part that upstream
    /// does not have is not stale while upstream keeps saying so, and neither is a disabled one.
    pub is_stale: bool,
    /// Whether it is not looked at any more: switched off, or no source has it. Its data are kept
    /// until retention removes those of sources that are gone.
    pub is_disabled: bool,
}

/// The status of every part in `states`, in their order. `looks_at` says of which parts the
/// settings have the updater look; `sources` are those that there are.
pub fn status(
    states: Vec<PartState>,
    sources: &[&'static dyn Source],
    looks_at: impl Fn(&PartId) -> bool,
    max_age: SignedDuration,
    now: Timestamp,
) -> Vec<PartStatus> {
    let is_off = |part: &PartId| {
        let is_known = sources.iter().any(|source| source.name() == part.source());
        !is_known || !looks_at(part)
    };
    let status = |state: PartState| {
        let is_disabled = is_off(&state.id);
        let answered = if state.is_absent { state.last_attempt } else { state.last_success };
        let is_fresh = answered.is_some_and(|at| now.duration_since(at) <= max_age);
        PartStatus { is_stale: !is_fresh && !is_disabled, is_disabled, state }
    };
    states.into_iter().map(status).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(source: &str, success_hours_ago: Option<i64>, is_absent: bool) -> PartState {
        let at = |hours| now() - SignedDuration::from_hours(hours);
        PartState {
            id: PartId::new(source, source),
            generation: 1,
            fingerprint: None,
            parser_version: 1,
            entries: 1,
            quarantined: 0,
            is_absent,
            as_of: None,
            last_attempt: Some(at(0)),
            last_success: success_hours_ago.map(at),
            last_error: None,
            is_partial: false,
        }
    }

    fn now() -> Timestamp {
        "2026-09-01T00:00:00Z".parse().expect("a time")
    }

    #[track_caller]
    fn check(state: PartState, expected: (bool, bool)) {
        let max_age = SignedDuration::from_hours(6);
        let looks_at = |part: &PartId| part.source() != "kev";
        let status = status(vec![state], pratique_feeds::sources(), looks_at, max_age, now());
        assert_eq!((status[0].is_stale, status[0].is_disabled), expected, "{status:?}");
    }

    #[test]
    fn stale_is_what_should_be_fresh_and_is_not() {
        check(state("debian", Some(1), false), (false, false));
        check(state("debian", Some(7), false), (true, false));
        check(state("debian", None, false), (true, false));
        check(state("debian", Some(1000), true), (false, false));
        check(state("kev", Some(1000), false), (false, true));
        check(state("gone", Some(1000), false), (false, true));
    }
}
