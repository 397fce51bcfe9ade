//! `pratique db status`: which parts there are, how old they are, what went wrong last.

use std::time::Duration;

use jiff::Timestamp;
use pratique_clockwork::Clock;
use pratique_store::PartState;
use serde::Serialize;

use crate::args::{DbStatusArguments, ListFormat};
use crate::columns::Columns;
use crate::exit::{Exit, Failure};
use crate::json;
use crate::say;
use crate::units::age_words;

/// After how long without a success a part is called stale here. Publishers change their feeds
/// daily; a scan has `--max-age` and `--max-data-age` for its own limits.
const STALE_AFTER: Duration = Duration::from_secs(48 * 3_600);

/// One part as `--format json` has it.
#[derive(Serialize)]
struct Row {
    source: String,
    part: String,
    generation: u64,
    entries: u64,
    quarantined: u64,
    as_of: Option<String>,
    last_attempt: Option<String>,
    last_success: Option<String>,
    last_error: Option<String>,
    stale: bool,
    absent: bool,
    notes: Vec<NoteRow>,
}

/// A remark made while the part was read.
#[derive(Serialize)]
struct NoteRow {
    subject: String,
    text: String,
}

/// Runs the command.
pub(super) fn run(arguments: &DbStatusArguments) -> Result<Exit, Failure> {
    let database = super::open_to_read(arguments.db.as_deref())?;
    let failed = |error| Failure::new(Exit::Failed, error);
    let now = Clock::system().now();
    let parts = database.parts().map_err(failed)?;
    match arguments.format {
        ListFormat::Table => say::print(table(&parts, now))?,
        ListFormat::Json => {
            let mut rows = Vec::with_capacity(parts.len());
            for part in &parts {
                let notes = database.notes(&part.id).map_err(failed)?;
                let notes = notes
                    .into_iter()
                    .map(|kept| NoteRow { subject: kept.note.subject, text: kept.note.text });
                rows.push(row(part, notes.collect(), now));
            }
            json::print(&rows)?;
        }
    }
    Ok(Exit::Clean)
}

fn table(parts: &[PartState], now: Timestamp) -> String {
    let heads = ["PART", "GENERATION", "ENTRIES", "DATA OF", "FRESH", "STATE"];
    let mut columns = Columns::new(&heads);
    for part in parts {
        let fresh = part.last_success.map_or("never".to_owned(), |at| age_words(age(at, now)));
        columns.row(vec![
            part.id.to_string(),
            part.generation.to_string(),
            part.entries.to_string(),
            part.as_of.map_or_else(String::new, |at| at.strftime("%Y-%m-%d").to_string()),
            fresh,
            state(part, now),
        ]);
    }
    columns.to_text()
}

fn state(part: &PartState, now: Timestamp) -> String {
    let mut words = Vec::new();
    if let Some(error) = &part.last_error {
        words.push(format!("last attempt: {error}"));
    }
    if part.is_absent {
        words.push("absent upstream".to_owned());
    } else if is_stale(part, now) {
        words.push("stale".to_owned());
    }
    if part.quarantined > 0 {
        words.push(format!("{} entries put aside", part.quarantined));
    }
    if words.is_empty() { "ok".to_owned() } else { words.join("; ") }
}

fn row(part: &PartState, notes: Vec<NoteRow>, now: Timestamp) -> Row {
    let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
    Row {
        source: part.id.source().to_owned(),
        part: part.id.to_string(),
        generation: part.generation,
        entries: part.entries,
        quarantined: part.quarantined,
        as_of: text(part.as_of),
        last_attempt: text(part.last_attempt),
        last_success: text(part.last_success),
        last_error: part.last_error.clone(),
        stale: is_stale(part, now),
        absent: part.is_absent,
        notes,
    }
}

fn is_stale(part: &PartState, now: Timestamp) -> bool {
    part.last_success.is_none_or(|at| age(at, now) > STALE_AFTER)
}

fn age(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(at)).unwrap_or_default()
}
