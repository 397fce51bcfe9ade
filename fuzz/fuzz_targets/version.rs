//! Two versions, a line each: in every ecosystem their order is one, and the keys have it too.
#![no_main]

use std::cmp::Ordering;

use pratique_version::Scheme;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some((left, right)) = text.split_once('\n') else { return };
    for scheme in Scheme::ALL {
        let order = scheme.compare(left, right);
        let keys = (scheme.key(left), scheme.key(right));
        assert_eq!(scheme.check(left).is_ok(), keys.0.is_ok(), "{scheme:?} {left:?}");
        if let (Ok(left_key), Ok(right_key)) = &keys {
            let order = order.expect("both are versions");
            // Maven's own comparison is no order, so no key can follow it (docs/versions.md).
            if scheme != Scheme::Maven {
                assert_eq!(left_key.cmp(right_key), order, "{scheme:?} {left:?} {right:?}");
            }
            let back = scheme.compare(right, left).expect("both are versions");
            assert_eq!(back, order.reverse(), "{scheme:?} {left:?} {right:?}");
            let same = scheme.compare(left, left).expect("it is a version");
            assert_eq!(same, Ordering::Equal, "{scheme:?} {left:?}");
        }
    }
});
