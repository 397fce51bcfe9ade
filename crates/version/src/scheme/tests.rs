//! What each scheme says of the versions that people argue about. The vectors in `tests/data` are
//! the wide net; these rows say why.

use super::*;

/// Every text sorts before all after it; texts separated by spaces are equal.
#[track_caller]
fn check(scheme: Scheme, ascending: &[&str]) {
    for (left_index, left_texts) in ascending.iter().enumerate() {
        for (right_index, right_texts) in ascending.iter().enumerate() {
            for left in left_texts.split(' ') {
                for right in right_texts.split(' ') {
                    let expected = left_index.cmp(&right_index);
                    let order = scheme.compare(left, right).expect("both are versions");
                    assert_eq!(order, expected, "{scheme}: {left} against {right}");
                    let keys = (scheme.key(left), scheme.key(right));
                    let key_order = keys.0.expect("a version").cmp(&keys.1.expect("a version"));
                    assert_eq!(key_order, expected, "{scheme}: keys of {left} and {right}");
                }
            }
        }
    }
}

#[track_caller]
fn check_refused(scheme: Scheme, texts: &[&str]) {
    for text in texts {
        let error = scheme.check(text).expect_err("the scheme refuses it");
        assert_eq!((error.scheme, &*error.version), (scheme, *text));
        assert!(scheme.key(text).is_err() && scheme.compare(text, text).is_err(), "{text:?}");
    }
}

#[test]
fn deb_tilde_sorts_before_the_end_and_missing_revisions_are_zero() {
    let rows = ["1.0~~", "1.0~rc1", "1.0 1.0-0 0:1.0 1.00", "1.0-0+b1", "1.0-1~bpo1", "1.0-1"];
    check(Scheme::Deb, &rows);
    check(Scheme::Deb, &["2.36", "2.36+dfsg", "2.36.1", "1:0"]);
    check(Scheme::Deb, &["1.a", "1.é", "1.+", "1..0"]);
    check_refused(Scheme::Deb, &["", "a:1", "1:", ":1", "1-", "-1", "2147483648:1", "1 1", "-1:1"]);
}

#[test]
fn apk_components_with_leading_zeros_sort_first() {
    check(Scheme::Apk, &["1.00", "1.0", "1.01", "1.1", "1.9", "1.10"]);
    let rows = ["1_alpha", "1_beta2", "1_pre", "1_rc1", "1", "1-r1", "1_git1", "1_p", "1_p1", "1a"];
    check(Scheme::Apk, &rows);
    check_refused(Scheme::Apk, &["1_x", "1-1", "1ab", "1~1", "1:1", "123456789012345678"]);
}

#[test]
fn rpm_tilde_and_caret_stand_around_the_end() {
    check(Scheme::Rpm, &["1~rc1", "1 0:1 1.", "1^git1", "1a", "1.1", "1:0"]);
    check(Scheme::Rpm, &["1.0", "1.0-", "1.0-1~a", "1.0-1", "1.0-1.el8", "1.0-1.1"]);
    check_refused(Scheme::Rpm, &[""]);
}

#[test]
fn pypi_development_comes_before_pre_releases_and_local_after_all() {
    let rows = [
        "1.0.dev1 1.dev1",
        "1.0a1.dev1",
        "1.0a1 1.0-ALPHA.1",
        "1.0b2",
        "1.0rc1 1.0c1 v1.0-preview_1",
        "1.0 1 1.0.0",
        "1.0+abc",
        "1.0+1",
        "1.0.post1.dev1",
        "1.0.post1 1.0-1 1.0r1",
        "1.0.1",
        "18446744073709551616",
        "1!0",
    ];
    check(Scheme::Pypi, &rows);
    check_refused(Scheme::Pypi, &["", "1.0.", "1.0-x", "2004d", "1.0+", "1.0+a_", "a", "1!"]);
}

#[test]
fn semver_identifiers_are_numbers_before_words_and_builds_do_not_count() {
    let rows = [
        "1.0.0-0",
        "1.0.0-alpha 1.0.0-alpha+1",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-beta.99999999999999999999",
        "1.0.0-rc.1",
        "1.0.0 1.0.0+b",
        "1.0.10",
        "99999999999999999999.0.0",
    ];
    check(Scheme::Semver, &rows);
    check_refused(
        Scheme::Semver,
        &["1.0", "v1.0.0", "01.0.0", "1.0.0-01", "1.0.0-", "1.0.0+", "0"],
    );
}

#[test]
fn npm_takes_a_v_and_rounds_numbers_as_javascript_does() {
    check(
        Scheme::Npm,
        &["1.0.0-9007199254740992 1.0.0-9007199254740993", "1.0.0-a", "1.0.0 v1.0.0"],
    );
    let long = format!("1.0.0-{}", "a".repeat(251));
    assert!(Scheme::Npm.check(&long).is_err());
    assert!(Scheme::Npm.check(&long[..256]).is_ok());
    check_refused(Scheme::Npm, &["1.0", "=1.0.0", "9007199254740992.0.0"]);
}

#[test]
fn golang_takes_modules_with_and_without_v_and_releases_of_go() {
    let rows =
        ["v1.0.0-20200101000000-abcdefabcdef", "v1.0.0 1.0.0 1 v1.0.0+incompatible", "1.0.1"];
    check(Scheme::Golang, &rows);
    let rows = ["go1.20", "go1.21", "1.21.0-0", "go1.21rc2 1.21rc2 1.21.0-rc.2", "go1.21.0 1.21.0"];
    check(Scheme::Golang, &rows);
    check(Scheme::Golang, &["go1.20rc1", "go1.20 go1.20.0 go1.20-fips"]);
    check_refused(Scheme::Golang, &["v1.0.0.0", "v1-a", "go", "go1.21.0rc1", "1.2x", "v01.0.0"]);
}

#[test]
fn maven_qualifiers_lead_to_the_release_and_beyond() {
    let rows = [
        "1-alpha-1 1.0a1",
        "1-alpha-2",
        "1-beta",
        "1-M1 1-milestone-1",
        "1-rc 1-CR",
        "1-SNAPSHOT",
        "1 1.0 1-ga 1.0.0.Final 1.0-RELEASE",
        "1-sp",
        "1-jre",
        "1-1",
        "1.1",
    ];
    check(Scheme::Maven, &rows);
    check_refused(Scheme::Maven, &[""]);
}

#[test]
fn maven_answers_as_maven_where_its_answers_go_round_in_circles() {
    for (left, right) in [("1--alpha", "1"), ("1", "1-sp"), ("1-sp", "1--alpha")] {
        assert_eq!(Scheme::Maven.compare(left, right), Ok(Ordering::Less), "{left} {right}");
    }
    let keys = ["1--alpha", "1", "1-sp"].map(|text| Scheme::Maven.key(text).expect("a version"));
    assert!(keys.is_sorted(), "the keys are an order");
}

#[test]
fn gem_letters_sort_before_numbers_and_outer_zeros_do_not_count() {
    let rows =
        ["1.a.0.b", "1.a", "1.b 1.0.b 1.0.0.b", "1-1 1.pre.1", "1 1.0 1.0.0", "1.0.1", "1.1"];
    check(Scheme::Gem, &rows);
    check_refused(Scheme::Gem, &["", "a", "1..1", "1.", "1-", "1_1"]);
}

#[test]
fn nuget_has_four_numbers_and_labels_without_case() {
    let rows = [
        "1.0-1",
        "1.0-2",
        "1.0-20240101120000",
        "1.0-ALPHA 1.0.0-alpha",
        "1.0-beta",
        "1.0 1 1.0.0.0 1.0+meta",
        "1.0.0.1",
    ];
    check(Scheme::Nuget, &rows);
    check_refused(Scheme::Nuget, &["1.0.0.0.0", "1.0-", "1.0-01", "1.0+", "v1", "2147483648"]);
}

#[test]
fn composer_branches_with_numbers_end_their_line_and_others_come_first() {
    let rows = [
        "dev-main",
        "1.0-dev",
        "1.0alpha1 1.0-a1 v1.0.0.0-alpha.1",
        "1.0-beta",
        "1.0-RC1",
        "1.0 1.0.0 1.0-stable 1.0+b",
        "1.0-p1 1.0pl1 1.0-patch-1",
        "1.0.1",
        "1.x-dev",
        "2.0",
        "2024.01.31",
        "20240131",
    ];
    check(Scheme::Composer, &rows);
    check_refused(Scheme::Composer, &["", "a", "1.0-foo", "1.0.0.0.0", "foo-dev", "1.0-1"]);
}

#[test]
fn only_the_named_schemes_are_known() {
    for scheme in Scheme::ALL {
        assert_eq!(scheme.as_str().parse(), Ok(scheme));
    }
    assert_eq!("cargo".parse(), Ok(Scheme::Semver));
    for unknown in ["", "Deb", "debian", "go", "maven ", "crates"] {
        let error = unknown.parse::<Scheme>().expect_err("it is no scheme");
        assert!(error.to_string().contains("composer"), "{error}");
    }
}

#[test]
fn errors_name_the_scheme_and_quote_a_limited_text() {
    let error = Scheme::Deb.compare("1", &format!("x:{}", "y".repeat(1000))).expect_err("refused");
    assert_eq!(error.version.len(), 200);
    let error = Scheme::Deb.compare("a:1", "b:1").expect_err("refused");
    assert_eq!(error.to_string(), "deb version \"a:1\": the epoch is not a number");
}

#[test]
fn texts_above_the_limit_are_refused_and_those_at_it_are_not() {
    let longest = "1".repeat(VERSION_BYTES_MAX);
    assert!(Scheme::Rpm.key(&longest).is_ok());
    let error = Scheme::Rpm.key(&format!("{longest}1")).expect_err("too long");
    assert_eq!(error.problem, "it is longer than 65536 bytes");
}
