//! What holds for every text: comparing is an order, keys sort the same way, nothing panics.
//!
//! Texts are drawn from each scheme's own characters, so that many are versions, and from all
//! characters, so that none are. Maven's comparison is no order on all texts (docs/versions.md);
//! there, versions are drawn from the forms that are published.

use std::cmp::Ordering;

use pratique_version::{
    Prereleases, Requirement, RequirementOptions, Scheme, VERSION_BYTES_MAX, check_row,
};
use proptest::prelude::{ProptestConfig, Strategy, any, prop_oneof, proptest};

/// Texts of which many are versions of the scheme.
fn versions(scheme: Scheme) -> impl Strategy<Value = String> {
    match scheme {
        Scheme::Deb => "([01]:)?[0-9][0-9.+~a-c:_é]{0,6}(-[01~+.a]{1,3})?",
        Scheme::Apk => {
            "[0-9]{1,2}(\\.[0-9]{1,3}){0,3}[ab]?(_(alpha|rc|p|git|)[0-2]{0,2}){0,2}(-r[0-9])?"
        }
        Scheme::Rpm => "([01]:)?[0-2ab.~^_+]{0,8}(-[0-2a.~^]{0,4})?1?",
        Scheme::Pypi => {
            concat!(
                "(1!)?[0-2](\\.[0-2]){0,3}([.-]?(a|b|rc|c)[.-]?[0-2]?)?",
                "(\\.?post[0-2]|-1)?(\\.?dev[0-2]?)?(\\+[0-2a.]{1,3})?",
            )
        }
        Scheme::Semver => "[0-2]\\.[0-2]\\.[0-9]{1,2}(-[0-2ab.-]{1,6})?(\\+[0-2a]{1,2})?",
        Scheme::Npm => "v?[0-2]\\.[0-2]\\.[0-9]{1,2}(-([0-2ab.-]{1,6}|90071992547409[0-9]{2}))?",
        Scheme::Golang => "(v|go)?[0-2](\\.2?[0-2](\\.[0-2])?)?(-[0-2a.]{1,4}|rc[0-2]?|beta1)?",
        Scheme::Maven => {
            concat!(
                "[0-2](\\.[0-2]){0,3}(-(ga|final|((alpha|b|m|rc|cr|sp|jre|SNAPSHOT)",
                "(-?[12])?|[12])(-(SNAPSHOT|x|[12]))?))?",
            )
        }
        Scheme::Gem => "[0-2]([.-]?[0-2ab]){0,7}",
        Scheme::Nuget => "[0-2](\\.[0-2]){0,3}(-[0-2abAB.-]{1,6})?(\\+[0-2a]{1,2})?",
        Scheme::Composer => {
            concat!(
                "(dev-[ab]|v?[0-2](\\.[0-2]){0,3}([.-]?(a|b|RC|p|stable)[.-]?[0-2]?)?",
                "([.-]?dev)?|[0-2]\\.x-dev|2024-?0[12]-?0[12])",
            )
        }
    }
}

/// Three versions, often nearly equal.
fn triples() -> impl Strategy<Value = (Scheme, String, String, String)> {
    (0..Scheme::ALL.len()).prop_flat_map(|index| {
        let scheme = Scheme::ALL[index];
        (versions(scheme), versions(scheme), versions(scheme))
            .prop_map(move |(a, b, c)| (scheme, a, b, c))
    })
}

fn check_order(scheme: Scheme, texts: [&str; 3]) {
    let versions: Vec<&str> = texts.into_iter().filter(|text| scheme.check(text).is_ok()).collect();
    let compare = |left: &str, right: &str| scheme.compare(left, right).expect("both are versions");
    let key = |text: &str| scheme.key(text).expect("it is a version");
    for left in &versions {
        assert_eq!(compare(left, left), Ordering::Equal, "{scheme} {left}");
        for right in &versions {
            let order = compare(left, right);
            assert_eq!(compare(right, left), order.reverse(), "{scheme} {left} {right} reversed");
            assert_eq!(key(left).cmp(&key(right)), order, "{scheme} {left} {right} by key");
            for middle in &versions {
                let (first, second) = (compare(left, middle), compare(middle, right));
                let is_chain = first.is_le() && second.is_le();
                assert!(!is_chain || order.is_le(), "{scheme} {left} {middle} {right}");
                if first.is_eq() && second.is_eq() {
                    assert_eq!(order, Ordering::Equal, "{scheme} {left} {middle} {right}");
                }
            }
        }
    }
}

/// Any text whatever, and texts of the characters that mean something.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[-0-9a-cxvV.+~^:!_*@#=<>,|() \\[\\]]{0,40}",
        proptest::collection::vec(any::<u8>(), 0..4096)
            .prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
    ]
}

fn try_everything(text: &str, other: &str) {
    for scheme in Scheme::ALL {
        let order = scheme.compare(text, other);
        let is_valid = scheme.check(text).is_ok() && scheme.check(other).is_ok();
        assert_eq!(order.is_ok(), is_valid, "{scheme} {text:?} {other:?}");
        assert_eq!(scheme.key(text).is_ok(), scheme.check(text).is_ok(), "{scheme} {text:?}");
        let _ = check_row(scheme, text);
        for loose in [false, true] {
            let options = RequirementOptions { prereleases: Prereleases::Native, loose };
            if let Ok(range) = Requirement::parse_with(scheme, text, options) {
                let _ = range.matches(other);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6000, ..ProptestConfig::default() })]

    #[test]
    fn comparing_is_an_order_and_keys_sort_the_same_way((scheme, a, b, c) in triples()) {
        check_order(scheme, [&a, &b, &c]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_anything_panic(text in texts(), other in texts()) {
        try_everything(&text, &other);
    }
}

/// Long enough that a loop within a loop would be noticed by everyone who waits for it.
const LONG_BYTES: usize = VERSION_BYTES_MAX / 4;

#[test]
fn long_texts_of_one_pattern_are_read_in_one_go() {
    let patterns = [
        "0", "1", ".0", "0.", "-", "0-", "a", "a.", "1a", "a1", "~", "^", "_p", "-r", "-0", ".0.a",
        "+", "1.0-", "0-0.", "_p1", ".x", "||", " ", "1 ", ">1 ", ",", "[1,", "[1],", "*", "1-a.",
        "-p.1",
    ];
    for pattern in patterns {
        for start in ["", "1.0.0-", ">=1 "] {
            let count = LONG_BYTES / pattern.len();
            let text = format!("{start}{}", pattern.repeat(count));
            try_everything(&text, &format!("{text}1"));
        }
    }
}
