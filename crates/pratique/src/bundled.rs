//! The snapshot of advisory facts that comes with the program: ids, ranges, statuses, scores; no
//! texts.
//!
//! It lets the program answer before it has fetched anything. `cargo xtask fixtures snapshot` makes
//! it again from a folder of feeds.

use pratique_store::{Database, StoreError, load_snapshot};

/// The facts, `pratique.snapshot/1`.
const SNAPSHOT: &[u8] = include_bytes!("../data/snapshot.jsonl.zst");

/// Loads the snapshot into memory.
///
/// # Errors
/// Those of the store; the bytes themselves are checked by a test.
pub(crate) fn load() -> Result<Database, StoreError> {
    let mut database = Database::in_memory()?;
    load_snapshot(SNAPSHOT, &mut database)?;
    Ok(database)
}

/// The date of the newest data in it, `2026-08-16`.
pub(crate) fn date(database: &Database) -> String {
    let newest = database
        .parts()
        .ok()
        .and_then(|parts| parts.into_iter().filter_map(|part| part.as_of).max());
    newest.map_or_else(|| "an unknown date".to_owned(), |at| at.strftime("%Y-%m-%d").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_snapshot_is_whole() {
        let database = load().expect("it was made by this program");
        let parts = database.parts().expect("readable");
        for name in ["debian", "alpine/v3.17", "almalinux/9", "osv/Maven", "osv/npm", "epss", "kev"]
        {
            let part = parts.iter().find(|part| part.id.to_string() == name);
            assert!(part.is_some_and(|part| part.entries > 0), "{name} is missing");
        }
        assert_ne!(date(&database), "an unknown date");
    }
}
