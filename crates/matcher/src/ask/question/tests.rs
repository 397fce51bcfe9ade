//! Questions as people type them.

use super::*;

#[track_caller]
fn parsed(text: &str) -> Question {
    text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

#[test]
fn a_question_is_shown_as_it_is_understood() {
    for (typed, understood) in [
        ("cve-2024-3094", "CVE-2024-3094"),
        ("ghsa-jfh8-C2JP-5v3q", "GHSA-jfh8-c2jp-5v3q"),
        ("DSA-5649-1", "DSA-5649-1"),
        ("RHSA-2024:1234", "RHSA-2024:1234"),
        (" deb/xz-utils >= 5.6.0 ", "deb/xz-utils>=5.6.0"),
        ("npm/lodash<4.17.21", "npm/lodash<4.17.21"),
        ("npm/@babel/core", "npm/@babel/core"),
        ("go/golang.org/x/net >=0.1.0, <0.7.0", "golang/golang.org/x/net>=0.1.0,<0.7.0"),
        ("pip/Zope.Interface==5.0", "pypi/zope-interface=5.0"),
        ("debian:bookworm/openssl", "debian:12/openssl"),
        ("debian:12.4/openssl", "debian:12/openssl"),
        ("ubuntu:jammy/openssl", "ubuntu:22.04/openssl"),
        ("alpine:3.20.1/musl=1.2.5-r0", "alpine:3.20/musl=1.2.5-r0"),
        ("Debian/openssl", "debian/openssl"),
        ("wolfi/glibc", "wolfi/glibc"),
        (
            "maven/org.apache.logging.log4j:log4j-core<2.15.0",
            "maven/org.apache.logging.log4j:log4j-core<2.15.0",
        ),
        ("nuget/Newtonsoft.Json>9.0.1 <=13.0.0", "nuget/newtonsoft.json>9.0.1,<=13.0.0"),
        ("deb/libc6>=1:2.36-9~x", "deb/libc6>=1:2.36-9~x"),
    ] {
        assert_eq!(parsed(typed).to_string(), understood, "{typed:?}");
    }
}

#[test]
fn what_cannot_be_understood_is_refused_and_never_taken_for_an_id() {
    type Expected = fn(&QuestionError) -> bool;
    let cases: [(&str, Expected); 13] = [
        ("  ", |error| matches!(error, QuestionError::Empty)),
        ("xz-utils", |error| matches!(error, QuestionError::Unclear(_))),
        ("libssl-1.1", |error| matches!(error, QuestionError::Unclear(_))),
        ("lodash<4.17", |error| matches!(error, QuestionError::Unclear(_))),
        ("CVE-2024", |error| matches!(error, QuestionError::Unclear(_))),
        ("hurd/xz-utils", |error| matches!(error, QuestionError::Unplaced(_))),
        ("deb/", |error| matches!(error, QuestionError::Unnamed(_))),
        ("deb/>=1.0", |error| matches!(error, QuestionError::Unnamed(_))),
        ("deb/xz utils", |error| matches!(error, QuestionError::Unnamed(_))),
        ("deb/xz-utils>=", |error| matches!(error, QuestionError::Range(_))),
        ("deb/xz-utils>=1.0,", |error| matches!(error, QuestionError::Range(_))),
        ("deb/xz-utils>=1.0,2.0", |error| matches!(error, QuestionError::Range(_))),
        ("npm/lodash<four", |error| matches!(error, QuestionError::Version(_))),
    ];
    for (text, is_expected) in cases {
        let error = text.parse::<Question>().expect_err(text);
        assert!(is_expected(&error), "{text:?}: {error:?}");
    }
    let long = format!("deb/{}", "a".repeat(BYTES_MAX));
    assert_eq!(long.parse::<Question>(), Err(QuestionError::TooLong(BYTES_MAX + 4)));
}

#[test]
fn a_range_holds_what_all_its_bounds_hold() {
    let range = |text: &str| match parsed(text) {
        Question::Package(package) => package.range,
        other => panic!("{other:?}"),
    };
    for (text, version, expected) in [
        ("deb/a>=5.6.0", "5.6.0-0.1", true),
        ("deb/a>=5.6.0", "5.6.0~rc1-1", false),
        ("deb/a>=5.6.0", "1:1.0-1", true),
        ("npm/a>=1.0.0,<2.0.0", "1.9.9", true),
        ("npm/a>=1.0.0,<2.0.0", "2.0.0", false),
        ("npm/a>1.0.0", "1.0.0", false),
        ("npm/a<=1.0.0", "1.0.0", true),
        ("pypi/a=1.0", "1.0.0", true),
        ("deb/a", "no version at all", true),
    ] {
        assert_eq!(range(text).holds(version), Ok(expected), "{text:?} {version:?}");
    }
    assert!(range("npm/a<1.0.0").holds("one").is_err(), "nobody can tell");
}

#[test]
fn a_release_is_asked_for_alone_or_with_its_distribution() {
    let release = |text: &str| Some(Release::from_text(text));
    let holds = |releases: &Releases, text| releases.hold(release(text).as_ref());
    assert!(holds(&Releases::All, "debian:12") && Releases::All.hold(None));
    let debian = Releases::Distribution("debian".to_owned());
    assert!(holds(&debian, "debian:12") && holds(&debian, "debian:sid"));
    assert!(!holds(&debian, "ubuntu:22.04") && !debian.hold(None));
    let one = Releases::One(Release::from_text("debian:12"));
    assert!(holds(&one, "debian:12") && !holds(&one, "debian:13") && !one.hold(None));
}
