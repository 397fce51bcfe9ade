//! What the random lives of containers must come to.

use std::collections::BTreeMap;

use pratique_model::{ExitReason, NoticeKind, NumberedNotice};

/// The number in a container's id, `c17`.
pub(crate) fn number(id: &str) -> u32 {
    id[1..].parse().expect("a number")
}

/// Every end was told once, with the code of its number, or as unknown where nobody could know.
pub(crate) fn check_ends(notices: Vec<NumberedNotice>, removed: &[u32], seed: u64) {
    let mut ends: BTreeMap<u32, Vec<(u32, ExitReason)>> = BTreeMap::new();
    for NumberedNotice { notice, .. } in notices {
        if notice.kind == NoticeKind::ContainerExited && !notice.is_amended {
            let end = (notice.exit_code.expect("a code"), notice.reason.expect("a reason"));
            ends.entry(number(&notice.id)).or_default().push(end);
        }
    }
    for (id, ends) in ends {
        assert_eq!(ends.len(), 1, "seed {seed}, c{id}: {ends:?}");
        let (code, reason) = ends[0];
        let is_true = code == id % 256 && reason != ExitReason::Unknown;
        let nobody_knew = reason == ExitReason::Unknown && code == 255 && removed.contains(&id);
        assert!(is_true || nobody_knew, "seed {seed}, c{id}: {code} {reason}");
    }
}
