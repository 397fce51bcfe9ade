//! Which parts are chosen, and in which order, without doing anything.

use pratique_feeds::{Container, Document, Parser, SourceKind};

use super::*;

/// A source that is only looked at.
struct Listed {
    name: &'static str,
    parts: fn() -> Vec<(&'static str, Coverage)>,
}

impl Source for Listed {
    fn name(&self) -> &'static str {
        self.name
    }

    fn kind(&self) -> SourceKind {
        SourceKind::Vulnerability
    }

    fn parts(&self, _year: u16) -> Vec<Part> {
        let part = |(name, covers): (&str, Coverage)| Part {
            id: PartId::new(self.name, name),
            documents: vec![Document {
                url: format!("https://{name}.example/"),
                container: Container::Plain,
                optional: false,
            }],
            covers,
            parser_version: 3,
        };
        (self.parts)().into_iter().map(part).collect()
    }

    fn parser(&self, _part: &PartId) -> Box<dyn Parser> {
        unreachable!("a plan reads nothing")
    }
}

const SOURCES: [&dyn Source; 4] = [
    &Listed { name: "debian", parts: || vec![("debian", Coverage::Distribution("debian"))] },
    &Listed {
        name: "alpine",
        parts: || {
            let release = |text| Coverage::Release(Release::new("alpine", text));
            vec![("v3.19", release("3.19")), ("v3.20", release("3.20"))]
        },
    },
    &Listed {
        name: "osv",
        parts: || {
            vec![
                ("npm", Coverage::Ecosystem(Ecosystem::Npm)),
                ("PyPI", Coverage::Ecosystem(Ecosystem::Pypi)),
            ]
        },
    },
    &Listed {
        name: "facts",
        parts: || vec![("kev", Coverage::AllVulnerabilities), ("2024", Coverage::Year(2024))],
    },
];

fn now() -> Timestamp {
    "2026-09-01T12:00:00Z".parse().expect("a time")
}

/// A part that was found fresh so many hours ago.
fn fresh(id: &str, hours: i64) -> PartState {
    let at = now() - SignedDuration::from_hours(hours);
    PartState {
        id: id.parse().expect("a part"),
        generation: 1,
        fingerprint: None,
        parser_version: 3,
        entries: 1,
        quarantined: 0,
        is_absent: false,
        as_of: Some(at),
        last_attempt: Some(at),
        last_success: Some(at),
        last_error: None,
        is_partial: false,
    }
}

#[track_caller]
fn check(selection: &Selection, states: &[PartState], max_age: Option<i64>, expected: &[&str]) {
    let max_age = max_age.map(SignedDuration::from_hours);
    let planned = plan(&SOURCES, selection, states, max_age, now());
    let found: Vec<String> = planned.iter().map(|part| part.id().to_string()).collect();
    assert_eq!(found, expected, "{selection:?}");
}

#[test]
fn parts_that_were_never_loaded_go_first_then_the_oldest() {
    let states = [fresh("debian", 2), fresh("alpine/v3.19", 9), fresh("osv/npm", 5)];
    let expected = [
        "alpine/v3.20",
        "osv/PyPI",
        "facts/kev",
        "facts/2024",
        "alpine/v3.19",
        "osv/npm",
        "debian",
    ];
    check(&Selection::All, &states, None, &expected);
    check(&Selection::All, &states, Some(5), &expected[..5]);
}

#[test]
fn sources_and_parts_are_chosen_by_name() {
    let parse = |text| Selection::parse(text, &SOURCES, 2026);
    check(&parse("osv, debian").expect("known"), &[], None, &["debian", "osv/npm", "osv/PyPI"]);
    check(&parse("alpine/v3.20").expect("known"), &[], None, &["alpine/v3.20"]);
    for (name, nearest) in
        [("debain", "debian"), ("alpine/3.20", "alpine/v3.20"), ("osv/pypi", "osv/PyPI")]
    {
        let error = parse(name).expect_err("unknown");
        assert_eq!((&*error.name, &*error.nearest), (name, nearest));
    }
}

#[test]
fn an_image_needs_its_release_its_ecosystems_and_what_is_exploited() {
    let need = |release: Option<&str>, ecosystems: &[Ecosystem], years: &[u16]| {
        Selection::Needed(Need {
            release: release.map(Release::from_text),
            ecosystems: ecosystems.iter().copied().collect(),
            years: years.iter().copied().collect(),
        })
    };
    check(&need(Some("debian:12"), &[], &[]), &[], Some(6), &["debian", "facts/kev"]);
    let expected = ["alpine/v3.20", "osv/npm", "facts/kev", "facts/2024"];
    check(&need(Some("alpine:3.20"), &[Ecosystem::Npm], &[2024]), &[], Some(6), &expected);
    check(&need(Some("gentoo:1"), &[], &[2020]), &[], Some(6), &["facts/kev"]);
    check(&need(None, &[], &[]), &[], Some(6), &[]);
}

#[test]
fn freshness_is_not_all_that_counts() {
    let debian = Selection::Named(["debian".to_owned()].into());
    let with = |change: fn(&mut PartState)| {
        let mut state = fresh("debian", 1);
        change(&mut state);
        state
    };
    let cases: [(&str, PartState, Option<Reason>); 6] = [
        ("fresh", with(|_| {}), None),
        ("other parser", with(|state| state.parser_version = 2), Some(Reason::OtherParser)),
        ("partial", with(|state| state.is_partial = true), Some(Reason::Partial)),
        ("absent lately, with data", with(|state| state.is_absent = true), None),
        (
            "absent lately, without data",
            with(|state| (state.is_absent, state.generation) = (true, 0)),
            None,
        ),
        ("failed, without data", with(|state| state.generation = 0), Some(Reason::NeverLoaded)),
    ];
    for (case, state, expected) in cases {
        let six = Some(SignedDuration::from_hours(6));
        let planned = plan(&SOURCES, &debian, &[state], six, now());
        assert_eq!(planned.first().map(|part| part.reason), expected, "{case}");
    }
}
