//! Lists of events and the intervals that they mean, both in a short notation.

use super::*;

/// Events as `i1.0 f2.0 l3.0 m4.0`: introduced, fixed, last affected, limit.
fn list(kind: &str, events: &str) -> EventRange {
    let events = events.split_whitespace().map(|word| {
        let version = Some(word[1..].to_owned());
        match &word[..1] {
            "i" => Event { introduced: version, ..Event::default() },
            "f" => Event { fixed: version, ..Event::default() },
            "l" => Event { last_affected: version, ..Event::default() },
            _ => Event { limit: version, ..Event::default() },
        }
    });
    EventRange { kind: kind.to_owned(), events: events.collect() }
}

/// Intervals as `1.0..2.0` (fixed), `1.0..=2.0` (last affected), `..` (all).
fn text(ranges: &[Range]) -> String {
    let texts: Vec<String> = ranges
        .iter()
        .map(|range| {
            let from = range.introduced.as_deref().unwrap_or_default();
            match (&range.fixed, &range.last_affected) {
                (Some(fixed), None) => format!("{from}..{fixed}"),
                (None, Some(last)) => format!("{from}..={last}"),
                (None, None) => format!("{from}.."),
                (Some(_), Some(_)) => "both ends".to_owned(),
            }
        })
        .collect();
    texts.join(" ")
}

#[track_caller]
fn check(events: &str, expected: &str) -> Ranges {
    let all = intervals(&[list("SEMVER", events)], Scheme::Semver);
    assert_eq!(text(&all.ranges), expected, "{events}");
    all
}

#[test]
fn one_list_opens_and_closes_many_times() {
    check("i0", "..");
    check("i0 f1.2.0", "..1.2.0");
    check("i0.0.0-0 f1.2.0", "..1.2.0");
    check("i1.0.0 l1.2.0", "1.0.0..=1.2.0");
    check("i0 f1.2.0 i2.0.0 f2.1.0 i3.0.0", "..1.2.0 2.0.0..2.1.0 3.0.0..");
}

#[test]
fn order_of_events_does_not_matter() {
    check("f2.1.0 i2.0.0 f1.2.0 i0", "..1.2.0 2.0.0..2.1.0");
    check("i2.0.0 i0 f2.1.0 l1.9.0", "..=1.9.0 2.0.0..2.1.0");
    check("f1.2.0 i0", "..1.2.0");
}

#[test]
fn what_is_open_or_closed_already_stays_so() {
    check("i0 i1.0.0 f2.0.0", "..2.0.0");
    check("i0 f1.0.0 f2.0.0", "..1.0.0");
    check("i1.0.0 f1.0.0", "1.0.0..1.0.0");
    check("i0 f1.0.0 i1.0.0 f2.0.0", "..1.0.0 1.0.0..2.0.0");
}

#[test]
fn intervals_that_touch_do_not_cancel_each_other_in_any_order() {
    let both = "..1.0.0 1.0.0..2.0.0";
    check("i0 f1.0.0 i1.0.0 f2.0.0", both);
    check("i1.0.0 f2.0.0 i0 f1.0.0", both);
    check("i1.0.0 i0 f2.0.0 f1.0.0", both);
    check("i2.0.0 f3.0.0 i1.0.0 f2.0.0 i0 f1.0.0", "..1.0.0 1.0.0..2.0.0 2.0.0..3.0.0");
    check("i0 l1.0.0 i1.0.0 f2.0.0", "..=1.0.0 1.0.0..2.0.0");
    check("i1.0.0 f2.0.0 i0 l1.0.0", "..=1.0.0 1.0.0..2.0.0");
    // Nothing is open: an empty interval stays empty, and one of one version is one.
    check("f1.0.0 i1.0.0", "1.0.0..1.0.0");
    check("i0 f1.0.0 f2.0.0 i2.0.0", "..1.0.0 2.0.0..2.0.0");
    check("l1.0.0 i1.0.0", "1.0.0..=1.0.0");
    check("i1.0.0 l1.0.0 i1.0.1 l1.0.1", "1.0.0..=1.0.0 1.0.1..=1.0.1");
}

#[test]
fn a_range_without_introduced_speaks_from_the_beginning_and_is_said() {
    let all = check("f1.2.0", "..1.2.0");
    assert_eq!(all.oddities, ["a range has no `introduced` event"]);
    let empty = check("", "");
    assert_eq!(empty.oddities, ["a range has no events"]);
}

#[test]
fn a_limit_ends_what_has_no_end() {
    check("i0 m3.0.0", "..3.0.0");
    check("i0 m3.0.0 m4.0.0", "..4.0.0");
    check("i0 f2.0.0 m3.0.0", "..2.0.0");
    check("i0 m*", "..");
}

#[test]
fn git_ranges_are_skipped_and_said() {
    let lists = [list("GIT", "i0 fabcdef"), list("ECOSYSTEM", "i0 f1.0.0")];
    let all = intervals(&lists, Scheme::Semver);
    assert_eq!((text(&all.ranges).as_str(), all.skipped_git), ("..1.0.0", true));
}

#[test]
fn several_lists_add_up() {
    let lists = [list("SEMVER", "i0 f1.0.0"), list("ECOSYSTEM", "i2.0.0 l2.5.0")];
    let all = intervals(&lists, Scheme::Semver);
    assert_eq!(text(&all.ranges), "..1.0.0 2.0.0..=2.5.0");
}

/// The schema's own evaluation: walk over the events in the order of versions.
fn is_hit(events: &[(u8, u32)], version: u32) -> bool {
    let mut events = events.to_vec();
    events.sort_by_key(|(_, at)| *at);
    events.iter().fold(false, |hit, (kind, at)| match kind {
        0 => hit || version >= *at,
        1 => hit && version < *at,
        _ => hit && version <= *at,
    })
}

proptest::proptest! {
    /// Whatever the events and their order, the intervals hold the versions that the walk over the
    /// events calls affected.
    #[test]
    fn intervals_hold_what_the_walk_calls_affected(
        events in proptest::collection::vec((0_u8..3, 1_u32..9), 0..8)
    ) {
        // No two events at one version: the schema does not say which of them comes first.
        let mut distinct = events.clone();
        distinct.sort_by_key(|(_, at)| *at);
        distinct.dedup_by_key(|(_, at)| *at);
        let events: Vec<(u8, u32)> =
            events.into_iter().filter(|event| distinct.contains(event)).collect();
        proptest::prop_assume!(events.iter().any(|(kind, _)| *kind == 0));
        let text: Vec<String> = events
            .iter()
            .map(|(kind, at)| format!("{}{at}.0.0", ["i", "f", "l"][usize::from(*kind)]))
            .collect();
        let all = intervals(&[list("SEMVER", &text.join(" "))], Scheme::Semver);
        let number = |version: &Option<String>| -> Option<u32> {
            version.as_deref().and_then(|it| it.split('.').next()?.parse().ok())
        };
        for version in 0..10 {
            let is_held = all.ranges.iter().any(|range| {
                number(&range.introduced).is_none_or(|from| version >= from)
                    && number(&range.fixed).is_none_or(|until| version < until)
                    && number(&range.last_affected).is_none_or(|last| version <= last)
            });
            let walked = is_hit(&events, version);
            proptest::prop_assert_eq!(is_held, walked, "{} {}", text.join(" "), version);
        }
    }

    /// Any versions at all come to intervals, without a panic.
    #[test]
    fn any_events_come_to_intervals(
        events in proptest::collection::vec(("[ifl]", "\\PC{0,12}"), 0..6)
    ) {
        let bare = |at: &str| at.replace(char::is_whitespace, "");
        let text: String = events.iter().map(|(kind, at)| format!("{kind}{} ", bare(at))).collect();
        for scheme in [Scheme::Semver, Scheme::Pypi, Scheme::Maven, Scheme::Golang, Scheme::Gem] {
            intervals(&[list("ECOSYSTEM", &text)], scheme);
        }
    }
}
